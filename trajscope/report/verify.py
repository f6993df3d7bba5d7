"""Verify: every number of a report counted again from the data in it, and every one that differs by its name.

The embedded bytes are read as the file was, by the same pass, and the page is made anew from what comes of it. Whatever
is not the same was changed after the report was made, or was made by another version, which is said.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from trajscope import sources
from trajscope.charts.engine import Pen, version
from trajscope.corpus.policy import SHIPPED
from trajscope.errors import SourceError, TrajscopeError
from trajscope.readable import plural, short
from trajscope.report import distil
from trajscope.report.gather import gather
from trajscope.report.pack import Texts, fetched, plain, unpack, unsaid
from trajscope.report.page import held, page
from trajscope.verdict import Level, Verdict

MOST_REPORT = 1 << 30  # bytes of a report that is read
MOST_DATA = 1 << 31  # bytes that a block of it may unpack to
MOST_NAMED = 50  # differences that are named
CLOSE = 1e-9  # relative difference that another machine's arithmetic may make
CHUNK = 1 << 20


class Checked(NamedTuple):
    """What came of one report."""

    verdicts: tuple[Verdict, ...]
    numbers: int  # that were counted again


def verify(path: str | os.PathLike[str], originals: Sequence[str | os.PathLike[str]] = ()) -> Checked:
    """Count everything in a report again; `originals` are the files it was made of, where they are at hand."""
    html = _read(Path(path))
    try:
        data = held(html)
        runs = [json.loads(unpack(r["gz"], MOST_DATA)) for r in data["runs"]]
        of = [int(r["source"]) for r in data["runs"]]
        files = list(data["sources"])
        tool, corpus = str(data["tool"]), data["corpus"]
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise SourceError(f"{path}: is no report that can be read ({e}); make it again with trajscope report") from None
    out: list[Verdict] = []
    counted: list[dict[str, Any]] = []
    asked = list(enumerate(files)) if corpus else []
    with Pen() as pen:
        for i, source in enumerate(files):
            out.append(_bytes(source))
            known, found = _original(Path(path), source, originals)
            out.append(known)
            again, why = _again(source, found)
            out += [why] if why else []
            wanted = [r for r, n in zip(runs, of, strict=True) if n == i]
            counted += again if again is not None else wanted
            out.append(_data(source["name"], wanted, again))
        out += [_learnt(source, corpus, [r for r, n in zip(runs, of, strict=True) if n == i]) for i, source in asked]
        out += _shown(html, counted, of, files, tool, pen, corpus)
    numbers = sum(1 for piece in pieces(html) if piece.path is not None)
    return Checked(tuple(out), numbers)


# --- the data -------------------------------------------------------------------------------------------------------


def _bytes(source: Mapping[str, Any]) -> Verdict:
    """Whether the embedded bytes are those that the report names by their hash."""
    name = short(source["name"], 120)
    if not source["gz"]:
        return Verdict("data", Level.UNKNOWN, f"{name}: its bytes are not in the report; give the file with --original")
    raw = unpack(source["gz"], MOST_DATA)
    sha = hashlib.sha256(raw).hexdigest()
    if sha != source["sha256"] or len(raw) != source["bytes"]:
        said = f"{name}: the embedded data hash to {sha[:16]}, the report says {str(source['sha256'])[:16]}"
        return Verdict("data", Level.FAIL, said)
    return Verdict("data", Level.PASS, f"{name}: {len(raw):,} bytes are embedded, and have the hash that is stated")


def _original(
    report: Path, source: Mapping[str, Any], originals: Sequence[str | os.PathLike[str]]
) -> tuple[Verdict, Path | None]:
    """Whether the file that the report is about is the one at hand. A path out of a report is never followed."""
    name = Path(str(source["name"])).name
    named = [Path(p) for p in originals if Path(p).name == name or len(originals) == 1]
    beside = [p for p in (report.parent / name, Path(name)) if name and p.is_file()]
    found = next(iter([*named, *beside]), None)
    if found is None:
        said = f"{short(name, 80)}: the original is not at hand (--original FILE), so it was not compared"
        return Verdict("original", Level.WARN, said), None
    whole, begins = _hashes(found, int(source["bytes"]))
    if whole == source["sha256"]:
        return Verdict("original", Level.PASS, f"{found}: is the file that the report is about"), found
    if begins == source["sha256"]:
        said = f"{found}: has grown since; its first {source['bytes']:,} bytes are what the report is about"
        return Verdict("original", Level.WARN, said), None
    return Verdict("original", Level.FAIL, f"{found}: is not the file that the report is about (SHA-256 differs)"), None


def _hashes(path: Path, size: int) -> tuple[str, str | None]:
    """The hash of a file, and of so many of its first bytes."""
    sha, done, begins = hashlib.sha256(), 0, None
    for chunk in sources.read(path):
        if done < size <= done + len(chunk):
            part = sha.copy()
            part.update(chunk[: size - done])
            begins = part.hexdigest()
        sha.update(chunk)
        done += len(chunk)
    return sha.hexdigest(), begins


def _again(source: Mapping[str, Any], original: Path | None) -> tuple[list[dict[str, Any]] | None, Verdict | None]:
    """The accounts counted again, from the embedded bytes or else from the original; None where there is neither."""
    if source["gz"]:
        raw = unpack(source["gz"], MOST_DATA)
        chunks: Iterator[bytes] = (raw[i : i + CHUNK] for i in range(0, len(raw), CHUNK))
        known, reader = unsaid(str(source["name"]), source["said"], fetched(source["blobs"]))
    elif original is not None:
        chunks = iter(sources.read(original))
        known, reader = unsaid(str(source["name"]), source["said"], Texts(str(original)).fetch)
    else:
        said = (
            f"{short(source['name'], 80)}: nothing to count again from; the page is only held against its own numbers"
        )
        return None, Verdict("counted", Level.UNKNOWN, said)
    try:
        return [json.loads(plain(a)) for a in gather(known, reader, chunks)], None
    except TrajscopeError as e:
        return None, Verdict("counted", Level.FAIL, f"the embedded data can no longer be read: {e}")


def _data(name: str, wanted: Sequence[Any], again: Sequence[Any] | None) -> Verdict:
    """Whether the numbers in the data block are those that come of the bytes."""
    if again is None:
        return Verdict("numbers", Level.UNKNOWN, f"{short(name, 80)}: its numbers were not counted again")
    different = list(differences(list(wanted), list(again), f"{Path(name).name}"))
    if not different:
        every = f"every number of {plural(len(again), 'run')} comes out the same"
        return Verdict("numbers", Level.PASS, f"{short(name, 80)}: {every}")
    more = f"; and {len(different) - MOST_NAMED:,} more" if len(different) > MOST_NAMED else ""
    return Verdict("numbers", Level.FAIL, "; ".join(different[:MOST_NAMED]) + more)


def _learnt(source: Mapping[str, Any], corpus: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> Verdict:
    """Whether the gate, asked again of the embedded bytes, says what the report says that it said."""
    name = short(source["name"], 80)
    of = distil.trials(runs)
    said = {run: corpus[run] for run in of if run in corpus}
    first = next(iter(said.values()), None)
    if first is None or first.get("outcome") == "not asked":
        return Verdict("corpus", Level.WARN, f"{name}: the gate was not asked; trajscope gate asks it")
    if not source["gz"] or first.get("prompts") or first.get("policy") not in SHIPPED:
        why = "prompts lie beside the run" if first.get("prompts") else "its bytes or its policy are not in the report"
        return Verdict("corpus", Level.WARN, f"{name}: the gate was not asked again ({why}); trajscope gate asks it")
    known, reader = unsaid(str(source["name"]), source["said"], fetched(source["blobs"]))
    try:
        now = distil.again(known, reader, unpack(source["gz"], MOST_DATA), of, str(first.get("policy")))
    except TrajscopeError as e:
        return Verdict("corpus", Level.FAIL, f"{name}: the gate could not be asked again: {e}")
    different = list(differences(said, json.loads(json.dumps(now)), "corpus"))
    if not different:
        return Verdict("corpus", Level.PASS, f"{name}: the gate says again what the report says")
    return Verdict("corpus", Level.FAIL, "; ".join(different[:MOST_NAMED]))


def differences(said: Any, counted: Any, path: str) -> Iterator[str]:
    """Every leaf that is not the same, by its path."""
    if isinstance(said, dict) and isinstance(counted, dict):
        for key in {**said, **counted}:
            if key not in said or key not in counted:
                yield f"{path}.{key} is {'missing' if key not in said else 'not known'}"
            else:
                yield from differences(said[key], counted[key], f"{path}.{key}")
    elif isinstance(said, list) and isinstance(counted, list):
        if len(said) != len(counted):
            yield f"{path} has {len(said)} entries, counted {len(counted)}"
        for i, (a, b) in enumerate(zip(said, counted, strict=False)):
            yield from differences(a, b, f"{path}[{i}]")
    elif not same(said, counted):
        yield f"{path} is {short(said, 40)}, counted {short(counted, 40)}"


def same(a: Any, b: Any) -> bool:
    """Whether two leaves are one number, or one text."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=CLOSE, abs_tol=1e-300)
    return type(a) is type(b) and bool(a == b)


# --- the page -------------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """A text of the page: where it stands, the number it is if it is one, and what it says."""

    where: str
    path: str | None
    value: str | None
    text: str


class _Reading(HTMLParser):
    """The texts of a page in order, with the section each stands in; scripts and styles apart."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Piece] = []
        self.code: list[tuple[str, str]] = []
        self._where = "the head"
        self._number: tuple[str, str | None] | None = None
        self._quiet: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag in ("footer", "title") or (tag in ("section", "article") and said.get("id")):
            self._where = said.get("id") or tag
        if tag in ("data", "span") and said.get("data-path"):
            self._number = str(said["data-path"]), said.get("value")
            if tag == "data":
                self.found.append(Piece(self._where, *self._number, ""))
        elif tag in ("script", "style"):
            self._quiet = tag
            self.code.append((said.get("id") or tag, ""))
        else:
            # What could draw, run or lead elsewhere is compared as it stands.
            telling = " ".join(f"{k}={v}" for k, v in attrs)
            self.found.append(Piece(self._where, None, None, f"<{tag} {telling}>"))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._quiet = None
        if tag in ("data", "span"):
            self._number = None

    def handle_data(self, data: str) -> None:
        if self._quiet:
            name, before = self.code[-1]
            self.code[-1] = name, before + data
        elif data.strip():
            path, value = self._number or (None, None)
            self.found.append(Piece(self._where, path, value, data))


def pieces(html: str) -> list[Piece]:
    """The texts of a page in order."""
    return _read_page(html).found


def _read_page(html: str) -> _Reading:
    reading = _Reading()
    reading.feed(html)
    reading.close()
    return reading


def _shown(
    html: str, accounts: list[dict[str, Any]], of: list[int], files: list[Any], tool: str, pen: Pen, corpus: Any
) -> list[Verdict]:
    """Whether the page says what its data say."""
    try:
        fresh = page(accounts, of, files, tool, pen, corpus)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as e:
        why = f"no page can be made of its data ({type(e).__name__}: {e}); it was changed"
        return [Verdict("page", Level.FAIL, why)]
    if fresh == html:
        return [Verdict("page", Level.PASS, "the page is, letter by letter, what its data make")]
    said, made = _read_page(html), _read_page(fresh)
    different = list(_apart(_words(said), _words(made)))
    both = zip_longest(said.code, made.code, fillvalue=("script", ""))
    different += [f"the {a[0]} differs" for a, b in both if a != b]
    if tool != version():
        apart = [x for x in different if x.startswith("number ")]
        note = f"made by trajscope {tool}, and this is {version()}: only numbers were compared, not words and pictures"
        return [Verdict("version", Level.UNKNOWN, note), *([_fail(apart)] if apart else [])]
    # A picture may be laid out by other fonts on another machine; its texts were compared above.
    laid = "every number and text of the page comes of its data (the pictures are laid out otherwise here)"
    return [_fail(different) if different else Verdict("page", Level.PASS, laid)]


def _fail(different: list[str]) -> Verdict:
    more = f"; and {len(different) - MOST_NAMED:,} more" if len(different) > MOST_NAMED else ""
    return Verdict("page", Level.FAIL, "; ".join(different[:MOST_NAMED]) + more)


def _words(reading: _Reading) -> list[Piece]:
    return [p for p in reading.found if (p.text or p.path) and not _geometry(p.text)]


def _apart(said: list[Piece], made: list[Piece]) -> Iterator[str]:
    """What the page says and its data do not; a piece too many is one difference, not all that follow."""
    for kind, a, b, c, d in SequenceMatcher(None, said, made, autojunk=False).get_opcodes():
        if kind != "equal":
            yield from (_told(x, y) for x, y in zip_longest(said[a:b], made[c:d]))


def _geometry(element: str) -> bool:
    """Whether an element is part of a drawing, whose places hang on fonts."""
    return element[:1] == "<" and element[1:].split(" ", 1)[0] in (
        "svg",
        "g",
        "path",
        "text",
        "tspan",
        "line",
        "rect",
        "defs",
        "clippath",
    )


def _told(a: Piece | None, b: Piece | None) -> str:
    at = a or b
    assert at is not None
    kind = f"number {at.path}" if at.path else "text"
    said = "missing" if a is None else a.value if a.value and not a.text else a.text
    made = "not there" if b is None else b.value if b.value and not b.text else b.text
    return f"{kind} in {at.where} says {short(said, 60)!r}, and its data say {short(made, 60)!r}"


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_REPORT:
            raise SourceError(f"{path}: is over {MOST_REPORT:,} bytes, and so no report")
        return path.read_text("utf-8")
    except (OSError, ValueError) as e:
        raise SourceError(
            f"{path}: cannot be read as a report ({getattr(e, 'strerror', None) or e}); name its file"
        ) from None
