"""Charts to picture files: an SVG and a PNG of each, whole or not at all.

Knows nothing of what is drawn; nothing is fetched, neither data nor fonts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from trajscope.errors import TrajscopeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import altair as alt

PNG_SCALE: Final = 1.5  # 1350 px wide: sharp enough on a dense screen, at half the CPU of 1800


def write(directory: Path, figures: Mapping[str, alt.Chart | alt.LayerChart | alt.VConcatChart]) -> list[Path]:
    """Write `<name>.svg` and `<name>.png` of each chart into `directory` and say which files they are."""
    import vl_convert

    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, chart in figures.items():
            # The specification is validated by the tests, not again at every run. One layout serves both files.
            svg = vl_convert.vegalite_to_svg(chart.to_dict(validate=False), allowed_base_urls=[])
            png = vl_convert.svg_to_png(svg, scale=PNG_SCALE)
            written += [_replace(directory / f"{name}.svg", svg.encode()), _replace(directory / f"{name}.png", png)]
    except OSError as error:
        where = error.filename or directory
        message = f"{where}: the figures cannot be written ({error.strerror}); name another directory"
        raise TrajscopeError(message) from error
    return written


def _replace(path: Path, content: bytes) -> Path:
    """Put `content` at `path` in one step: a reader sees the old picture or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
