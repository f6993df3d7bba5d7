"""`trajscope doctor`: does this installation work on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

from trajscope.cli.options import Json

SCHEMA = 1
PACKAGES = "polars duckdb altair vl-convert-python pydantic msgspec typer textual watchdog scipy numpy filelock".split()


def doctor(*, json: Json = False) -> None:
    """Check this installation and this machine: every part that a run needs is tried for real.

    Example: trajscope doctor
    """
    from trajscope.cli.text import json_line, paint, wide, wrapped

    failed = False
    for name, (check, remedy) in CHECKS.items():
        try:
            ok, said = True, check()
        except Exception as e:  # whatever is broken here is what the user wants to hear of
            ok, said = False, f"{type(e).__name__}: {e}".rstrip(".") + f"; {remedy}"
        failed |= not ok
        if json:
            print(json_line({"schema": SCHEMA, "check": name, "ok": ok, "said": said}))
        else:
            first, *rest = wrapped("", said, wide(), indent=14)
            print("\n".join([f" {paint('●', 'green') if ok else paint('✗', 'red')} {name:<11}{first.strip()}", *rest]))
    if failed:
        raise typer.Exit(1)


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of a line."""
    from trajscope import shape

    parts = {"check": shape.one_of(CHECKS), "ok": shape.TRUTH, "said": shape.told(shape.TEXT, "And what to do.")}
    return {"doctor": shape.document("One check, as `trajscope doctor --json` prints it", parts, number=SCHEMA)}


def _python() -> str:
    import platform

    from trajscope.cli.text import version

    mine = version("trajscope") or "(a checkout that is not installed)"
    if not (3, 11) <= sys.version_info < (3, 15):
        raise RuntimeError(f"Python {platform.python_version()} is not 3.11 to 3.14")
    return f"trajscope {mine}, Python {platform.python_version()} on {platform.system()}"


def _packages() -> str:
    from trajscope.cli.text import version

    found = {name: version(name) for name in PACKAGES}
    if missing := [name for name, v in found.items() if v is None]:
        raise RuntimeError(f"not installed: {', '.join(missing)}")
    return ", ".join(f"{name} {v}" for name, v in found.items())


def _write() -> str:
    import tempfile
    from pathlib import Path

    from trajscope import pipeline
    from trajscope.readers import Source
    from trajscope.writer import open_run

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        with open_run(path, metric="loss") as run:
            run.trial({"lr": 0.1}, value=1.0, kept=True)
        back = pipeline.read(Source(str(path))).runs[0]
        if back.tally.trials != 1 or back.tally.break_count:
            raise RuntimeError("a run that was written did not come back as it was")
    return "a run was written, locked, read back, and its hash chain holds"


def _duckdb() -> str:
    from trajscope.store import connect

    found = connect().execute("SELECT 6 * 7").fetchone()
    return f"answers {found[0] if found else None} in memory, with no extension fetched"


def _figures() -> str:
    import vl_convert

    svg = vl_convert.vegalite_to_svg(
        {"mark": "point", "data": {"values": [{"a": 1}]}, "encoding": {"x": {"field": "a"}}}
    )
    return f"a chart was drawn without a network ({len(svg):,} bytes of SVG)"


def _cache() -> str:
    import tempfile

    from trajscope.cache import folder

    here = folder()
    here.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=here):
        used = sum(p.stat().st_size for p in here.iterdir() if p.is_file())
    return f"{here}: {used / 1e6:,.1f} MB; it may be deleted at any time"


def _settings() -> str:
    from trajscope import settings

    settings.load("-")
    where = settings.user_file()
    return f"{where} {'is in order' if where.exists() else 'is not there; it is optional'}"


def _readers() -> str:
    from trajscope.readers import formats

    return ", ".join(formats())


# What is tried, and what to do when it fails.
CHECKS: dict[str, tuple[Callable[[], str], str]] = {
    "python": (_python, "install trajscope with a supported Python"),
    "packages": (_packages, "install trajscope again: pip install --force-reinstall trajscope"),
    "readers": (_readers, "upgrade or remove the package that brings this reader"),
    "settings": (_settings, "mend that file or remove it"),
    "writer": (_write, "check that TMPDIR has free space and allows file locks"),
    "duckdb": (_duckdb, "install it again: pip install --force-reinstall duckdb"),
    "figures": (_figures, "install it again: pip install --force-reinstall vl-convert-python"),
    "cache": (_cache, "name a folder that can be written with XDG_CACHE_HOME, or large files are read each time"),
}
