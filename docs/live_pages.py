"""Takes the pictures of the live page that docs/serve.md shows, in Debian's chromium: `python docs/live_pages.py`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SERVE = "from trajscope_dashboards.cli import serve; import typer; typer.run(serve)"
RUNS = ("amnesiac", "gamer", "linter", "honest", "synthetic_1000", "chain_broken")
VIEWS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "runs": (None, {"viewport": {"width": 1200, "height": 760}}),
    "run": ("amnesiac", {"viewport": {"width": 1000, "height": 1180}}),
    "phone": ("amnesiac", {"viewport": {"width": 390, "height": 1180}, "color_scheme": "dark", "is_mobile": True}),
}


def main() -> None:
    """Serve some samples, look at them in each way, keep the pictures small."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        for name in RUNS:
            for file in (ROOT / "sample_runs" / name).glob(f"{name}.*"):
                shutil.copyfile(file, Path(folder) / file.name)
        places = os.pathsep.join((str(ROOT), str(ROOT / "dashboards")))
        call = [sys.executable, "-c", SERVE, folder, "--port", "0"]
        with subprocess.Popen(
            call, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": places}
        ) as served:
            assert served.stdout is not None
            url = served.stdout.readline().split()[0]
            browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for name, (run, view) in VIEWS.items():
                opened = browser.new_page(**view)
                opened.goto(url)
                opened.locator("#runs tr").nth(len(RUNS) - 1).wait_for()
                if run is not None:
                    opened.locator("#runs a", has_text=run).click()
                    opened.locator("[data-chart=history][data-drawn]").wait_for()
                opened.locator("#link[data-state=on]").wait_for()
                place = ROOT / "docs" / "figures" / f"serve_{name}.png"
                opened.screenshot(path=place)
                Image.open(place).convert("RGB").quantize(64).save(place, optimize=True)
                print(f"{place.relative_to(ROOT)}: {place.stat().st_size:,} bytes")
            served.terminate()


if __name__ == "__main__":
    main()
