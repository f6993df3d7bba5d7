"""Report: one offline page about a run, that says what to distrust before it says what to celebrate.

Several runs stand in one file, an index first, then each run in full: one file to send, and one engine in it. What was
said of a file, and the bytes that were read, are in the page, so that `verify` can count everything again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trajscope import sources
from trajscope.charts import engine
from trajscope.errors import TrajscopeError
from trajscope.readers import Source
from trajscope.report import distil
from trajscope.report.brief import markdown
from trajscope.report.gather import gather
from trajscope.report.pack import Holding, Texts, said
from trajscope.report.page import page

__all__ = ["Report", "build"]


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """A report: what is said of each run, and the page that says it."""

    accounts: tuple[dict[str, Any], ...]
    html: str

    def __repr__(self) -> str:
        """The word of each run. The page itself is for a browser."""
        words = ", ".join(f"{a['doc']['run_id']} {a['doc']['verdict']['word']}" for a in self.accounts)
        return f"<report, {len(self.html):,} letters: {words or 'no run'}>"

    def markdown(self, link: str | None = None) -> str:
        """The brief of every run, for a pull request or the summary of a build."""
        return "\n".join(markdown(a, link=link) for a in self.accounts)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """The page into a file, whole or not at all."""
        place = Path(path)
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            part.write_text(self.html, encoding="utf-8", newline="\n")
            part.replace(place)
        except OSError as e:
            raise TrajscopeError(f"{place}: the report cannot be written ({e.strerror}); name another file") from None
        finally:
            part.unlink(missing_ok=True)
        return place

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for a notebook: no script of it reaches the notebook's own page."""
        from html import escape

        frame = f'<iframe sandbox="allow-scripts" srcdoc="{escape(self.html, quote=True)}"'
        return f'{frame} width="100%" height="800" title="trajscope report"></iframe>'


def build(
    files: Sequence[tuple[Source, str | None]],
    corpus: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    policy: str | None = None,
) -> Report:
    """The report of every run in these files. The gate is asked of each where a policy is named.

    `corpus` is what it said of them, by run id, where it was asked before.
    """
    with engine.Pen() as pen:
        accounts: list[dict[str, Any]] = []
        of: list[int] = []
        held: list[dict[str, Any]] = []
        for source, reader in files:
            holding, texts = Holding(), Texts(source.path)
            known = source if str(source.path) == "-" else replace(source, fetch=source.fetch or texts.fetch)
            found = gather(known, reader, holding.through(sources.read(source.path)))
            of += [len(held)] * len(found)
            accounts += found
            if policy is not None:
                corpus = {**(corpus or {}), **distil.answers(known, reader, distil.trials(found), policy)}
            packed = holding.packed() if texts.whole and source.repo is None else None
            held.append(
                {
                    "name": source.path,
                    "said": said(source, reader),
                    "sha256": holding.sha256,
                    "bytes": holding.bytes,
                    "held": packed is not None,
                    "gz": packed,
                    "blobs": texts.found if packed is not None else {},
                }
            )
        return Report(tuple(accounts), page(accounts, of, held, engine.version(), pen, corpus))
