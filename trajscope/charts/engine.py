"""Engine: the script that draws, the few lines that put a picture into a page, and what both are made with.

Putting the engine together takes a second: it is kept in the user's cache folder, under the versions it depends on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

SEAL = 64  # letters in front of the kept script: its hash, which shows whether all of it was written


def bundle() -> str:
    """The drawing engine as one module, made safe to stand in a page."""
    from trajscope import cache

    place = cache.folder() / f"engine-{_installed('vl-convert-python')}.js"
    if (kept := _kept(place)) is not None:
        return kept
    import vl_convert

    made: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub asks for what may be left out
    # Nothing in it may end the element it stands in, nor be read otherwise by a browser than it is hashed here.
    safe = made.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")
    with contextlib.suppress(OSError):  # without a cache it is only slower
        _keep(place, safe)
    return safe


def embed() -> str:
    """The script beside it, a module, that puts pictures into a page; the texts of strangers reach it as text alone."""
    return resources.files("trajscope.charts").joinpath("embed.js").read_text("utf-8")


class Pen:
    """Draws pictures as SVG, in a thread of its own: the engine takes half a second to start, and Python goes on."""

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._thread = ThreadPoolExecutor(1, "pen")  # one, so that what is drawn comes in its order

    def __enter__(self) -> Self:
        self._thread.submit(_drawn, {"mark": "point"})  # anything: the first takes as long as it starts
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def draw(self, spec: Mapping[str, Any]) -> Future[str]:
        """A picture, once it is drawn."""
        return self._thread.submit(_drawn, spec)


def _drawn(spec: Mapping[str, Any]) -> str:
    import vl_convert

    return vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=[])


def version() -> str:
    """What a report is made with: another version may say it in other words, and draw it otherwise."""
    return f"{_installed('trajscope')} (altair {_installed('altair')}, vl-convert {_installed('vl-convert-python')})"


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _kept(place: Path) -> str | None:
    try:
        text = place.read_text("utf-8", errors="replace")
    except OSError:
        return None
    seal, script = text[:SEAL], text[SEAL:]
    return script if hashlib.sha256(script.encode()).hexdigest() == seal else None


def _keep(place: Path, script: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(hashlib.sha256(script.encode()).hexdigest() + script)
        Path(name).replace(place)
    finally:
        Path(name).unlink(missing_ok=True)
