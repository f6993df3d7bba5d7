"""Takes the pictures of the report that docs/report.md shows, in Debian's chromium: `python docs/pages.py`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RUN = "sample_runs/amnesiac/amnesiac.jsonl"
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1120, "height": 860}},
    "dark": {"viewport": {"width": 1120, "height": 860}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True},
}


def main() -> None:
    """Make the report of the sample, look at it in each way, keep the pictures small."""
    from dataclasses import replace

    from PIL import Image
    from playwright.sync_api import sync_playwright

    from trajscope import menu, pipeline, report
    from trajscope.readers import Source

    beside = pipeline.menu_beside(ROOT / RUN)
    source = Source(str(ROOT / RUN), menu=menu.load(beside) if beside else None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        made = report.build([(source, None)])
        # Whoever looks at the picture types the path as it is in the repository.
        page = replace(made, html=made.html.replace(str(ROOT / RUN), RUN)).write(Path(folder) / "report.html")
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, view in VIEWS.items():
            opened = browser.new_page(**view)
            opened.goto(page.as_uri())
            opened.wait_for_selector("html[data-ready=yes]", state="attached")
            if name == "dark":
                opened.evaluate("document.getElementById('r0-history').scrollIntoView({behavior: 'instant'})")
            place = ROOT / "docs" / "figures" / f"report_{name}.png"
            opened.screenshot(path=place)
            Image.open(place).convert("RGB").quantize(64).save(place, optimize=True)
            print(f"{place.relative_to(ROOT)}: {place.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
