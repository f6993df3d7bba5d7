"""Notebook: the brief of a file's runs, as markup that a notebook may show in its own page: no script, no style."""

from __future__ import annotations

from dataclasses import replace

from trajscope import sources
from trajscope.readable import MARKS, SHAPES
from trajscope.readers import Source
from trajscope.report.brief import brief as of_run
from trajscope.report.gather import gather
from trajscope.report.markup import joined, tag, text
from trajscope.report.pack import Texts


def brief(source: Source, reader: str | None) -> str:
    """The word, the sentence, what to distrust and what to do, run by run."""
    known = replace(source, fetch=source.fetch or Texts(source.path).fetch)
    out = []
    for account in gather(known, reader, sources.read(source.path)):
        b = of_run(account)
        lead = tag("p", tag("b", f"{SHAPES.get(b.word, SHAPES['UNKNOWN'])[0]} {b.word}"), " ", text(b.head))
        doubts = tag("ol", *(tag("li", f"{MARKS[d.level][0]} ", text(d.text)) for d in b.doubts))
        todo = tag("ol", *(tag("li", text(a, 500)) for a in b.actions))
        name = tag("h4", text(account["doc"]["run_id"], 120))
        out.append(joined((name, lead, tag("b", "What to distrust"), doubts, tag("b", "Do now"), todo)))
    return joined(out)
