"""`trajscope doctor`: does this installation work on this machine."""

from __future__ import annotations

from collections.abc import Callable

import typer

from trajscope.cli.options import Json


def doctor(*, json: Json = False) -> None:
    """Check this installation and this machine: every part that a run needs is tried for real.

    Example: trajscope doctor
    """
    from trajscope.cli.text import clean, json_line, paint

    failed = False
    for name, check in CHECKS.items():
        try:
            ok, said = True, check()
        except Exception as e:  # whatever is broken here is what the user wants to hear of
            ok, said = False, f"{type(e).__name__}: {e}"
        failed |= not ok
        if json:
            print(json_line({"check": name, "ok": ok, "said": said}))
        else:
            print(f" {paint('●', 'green') if ok else paint('✗', 'red')} {name:<11}{clean(said)}")
    if failed:
        raise typer.Exit(1)


def _python() -> str:
    import platform
    from importlib.metadata import version

    return f"trajscope {version('trajscope')}, Python {platform.python_version()} on {platform.system()}"


def _packages() -> str:
    from importlib.metadata import version

    names = (
        "polars",
        "duckdb",
        "altair",
        "vl-convert-python",
        "pydantic",
        "msgspec",
        "typer",
        "textual",
        "watchdog",
        "scipy",
    )
    return ", ".join(f"{n} {version(n)}" for n in names)


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
    import os

    from trajscope.cache import folder

    here = folder()
    here.mkdir(parents=True, exist_ok=True)
    if not os.access(here, os.W_OK):
        raise PermissionError(f"{here} cannot be written; large files will be read again each time")
    used = sum(p.stat().st_size for p in here.iterdir() if p.is_file())
    return f"{here}: {used / 1e6:,.1f} MB; delete it whenever you like"


def _readers() -> str:
    from trajscope.readers import formats

    return ", ".join(formats())


CHECKS: dict[str, Callable[[], str]] = {
    "python": _python,
    "packages": _packages,
    "readers": _readers,
    "writer": _write,
    "duckdb": _duckdb,
    "figures": _figures,
    "cache": _cache,
}
