"""Page: the whole file, sections, pictures, data and the script, from accounts and sources.

A function of its arguments alone: the same run makes the same bytes, which is how `verify` finds what was changed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from trajscope import charts
from trajscope.charts import engine
from trajscope.readable import SHAPES, plural, short
from trajscope.report import records, sections
from trajscope.report.brief import Brief, brief
from trajscope.report.markup import Html, code, figure, joined, rows, tag, text
from trajscope.report.pack import pack, script
from trajscope.report.pictures import pictures

if TYPE_CHECKING:
    from concurrent.futures import Future

PARTS = (
    ("distrust", "Distrust"), ("number", "Number"), ("ground", "Ground"), ("history", "History"),
    ("integrity", "Integrity"), ("rail", "Rail"), ("corpus", "Corpus"), ("rows", "Rows"), ("provenance", "Provenance"),
)  # fmt: skip
Spec = dict[str, Any]


class Drawn:
    """The pictures of one run, as specifications and as they stand in the page without a script."""

    def __init__(self, at: str, account: Mapping[str, Any], pen: engine.Pen) -> None:
        self.at = at
        self.specs: dict[str, Spec] = {}
        self.stills: dict[str, Future[str]] = {}
        self.empty: dict[str, tuple[str, str]] = {}  # what there is nothing to draw of, and why
        for name, chart in pictures(account).items():
            # The specification is validated by the tests, not again at every report.
            spec = charts.bare(chart.to_dict(validate=False))
            if empty := spec["usermeta"].get("empty"):
                self.empty[name] = (spec["usermeta"]["question"], empty)
                continue
            self.specs[f"{at}-{name}"] = spec
            self.stills[name] = pen.draw(spec)

    def figure(self, name: str) -> Html:
        """A picture with its question and what it says in words."""
        spec = self.specs.get(f"{self.at}-{name}")
        if spec is None:
            question, why = self.empty.get(name, ("", ""))
            return tag("p", tag("strong", question), " ", why, cls="nothing") if question else Html("")
        told = spec["usermeta"]
        title = f"{self.at}-{name}-picture"
        caption = tag("figcaption", tag("strong", told["question"], id=title), tag("span", " ".join(told["notes"])))
        # It numbers what it clips by everything it ever drew: by the picture, so that the same run makes the same page.
        stems: dict[str, str] = {}
        still = re.sub(
            r"\bclip\d+\b",
            lambda m: stems.setdefault(m[0], f"{self.at}-{name}-clip{len(stems)}"),
            self.stills[name].result(),
        )
        # The engine names marks that it adds itself; the whole is one picture with one name.
        silent = re.sub(r' (?:role|aria-label|aria-roledescription)="[^"]*"', "", still)
        svg = silent.replace("<svg ", f'<svg role="img" aria-labelledby="{title}" ', 1)
        box = tag("div", Html(svg), cls="picture", data_chart=f"{self.at}-{name}", tabindex="0", role="group",
                  aria_labelledby=title)  # fmt: skip
        return tag("figure", caption, box)


def page(
    accounts: Sequence[Mapping[str, Any]],
    of: Sequence[int],
    sources: Sequence[Mapping[str, Any]],
    tool: str,
    pen: engine.Pen,
    corpus: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """The report of these runs; `of` says which source each comes from, `corpus` what the gate says, by run id."""
    drawings = [Drawn(f"r{i}", account, pen) for i, account in enumerate(accounts)]
    briefs = [brief(a) for a in accounts]
    specs: dict[str, Spec] = {}
    articles = []
    for i, (account, b) in enumerate(zip(accounts, briefs, strict=True)):
        answer = (corpus or {}).get(account["doc"]["run_id"])
        drawn = drawings[i]
        specs |= drawn.specs
        articles.append(article(f"r{i}", account, b, drawn, sources[of[i]], tool, answer, alone=len(accounts) == 1))
    title = (
        f"{briefs[0].word}: {short(accounts[0]['doc']['run_id'], 80)}"
        if len(accounts) == 1
        else plural(len(accounts), "run")
    )
    body = tag(
        "main",
        tag("h1", "trajscope report"),
        index(accounts, briefs) if len(accounts) > 1 else "",
        *articles,
        foot(tool),
    )
    data = {
        "v": 1,
        "tool": tool,
        "sources": [dict(s) for s in sources],
        "runs": [{"at": f"r{i}", "source": of[i], "gz": pack(a)} for i, a in enumerate(accounts)],
        "corpus": corpus,
        "charts": pack(specs),
    }
    return document(title, body, script(data))


def article(
    at: str, account: Mapping[str, Any], b: Brief, drawn: Drawn, source: Mapping[str, Any], tool: str,
    corpus: Mapping[str, Any] | None, *, alone: bool,
) -> Html:  # fmt: skip
    """One run from the brief to its provenance."""
    links = [tag("a", name, href=f"#{at}-{part}") for part, name in PARTS]
    inner = (
        sections.brief(at, account, b),
        sections.the_number(at, account, drawn.figure("believed"), drawn.figure("holdout")),
        sections.the_ground(at, account, drawn.figure("tiles"), drawn.figure("walkers")),
        sections.the_history(at, account, drawn.figure("history")),
        records.integrity(at, account),
        records.rail(at, account),
        records.corpus(at, corpus),
        records.table(at, account, pointed(account)),
        records.provenance(at, account, source, tool),
    )
    nav = tag("nav", *links, aria_label="parts of the report" if alone else f"parts of run {at[1:]}")
    name = tag("h2", text(account["doc"]["run_id"] or "run", 120))
    return tag("article", name, sections.head(at, account, b), nav, *inner, id=at)


def pointed(account: Mapping[str, Any]) -> set[int]:
    """The trials that something on the page points at."""
    doc = account["doc"]
    found: set[int] = {t["seq"] for t in account["turns"]}
    for v in doc["verdicts"]:
        found.update(v["evidence"][: sections.SHOWN])
    found.update(c["seq"] for c in (doc["contributions"] or [])[:30])
    found.update(seq for seq, _ in account["facts"]["best"]["evaluations"][: sections.SHOWN])
    return found | ({doc["best"]["seq"]} - {None})


def index(accounts: Sequence[Mapping[str, Any]], briefs: Sequence[Brief]) -> Html:
    """Many runs, one line each, each leading to its own part of the page."""
    lines = []
    for i, (a, b) in enumerate(zip(accounts, briefs, strict=True)):
        doc, shape = a["doc"], SHAPES.get(b.word, SHAPES["UNKNOWN"])[0]
        lines.append((
            tag("a", f"{shape}\u00a0{b.word}", href=f"#r{i}"), text(doc["run_id"], 60),
            code(doc["file"].rpartition("/")[2], 60), text(b.head, 160),
            figure("trials", doc["trials"]), figure("best.value", doc["best"]["value"], digits=6),
        ))  # fmt: skip
    head = ("verdict", "run", "file", "why", "trials", "best")
    return tag(
        "section", tag("h2", plural(len(accounts), "run")), rows(head, lines, aria_label="the runs of this report")
    )


def foot(tool: str) -> Html:
    """What this file is."""
    said = "One file, complete: it loads nothing, and its numbers can be counted again from the data in it."
    return tag("footer", tag("p", f"trajscope {tool}. {said}"))


def document(title: str, body: Html, data: str) -> str:
    """The file: what may run is named by its hash, and nothing may be loaded."""
    style, drawing, own = part("page.css"), engine.bundle(), engine.embed() + part("page.js")
    scripts = " ".join(sha(s) for s in (drawing, own))
    policy = f"default-src 'none'; script-src {scripts}; style-src {sha(style)}; base-uri 'none'; form-action 'none'"
    head = joined((
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        Html(f"<style>{style}</style>"),
    ))  # fmt: skip
    # The engine declares top-level names of one letter: as modules the two scripts do not meet.
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n'
        f'<script type="application/json" id="trajscope-data">{data}</script>\n'
        f'<script type="module">{drawing}</script>\n<script type="module">{own}</script>\n</body></html>\n'
    )


def part(name: str) -> str:
    """A file of this package."""
    return resources.files("trajscope.report").joinpath(name).read_text("utf-8")


def sha(content: str) -> str:
    """A hash as a content security policy spells it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def held(html: str) -> dict[str, Any]:
    """The data block of a report, as it stands."""
    begin, end = '<script type="application/json" id="trajscope-data">', "</script>"
    _, found, rest = html.partition(begin)
    if not found or end not in rest:
        raise ValueError("it holds no data of a report")
    data = json.loads(rest[: rest.index(end)])
    if not isinstance(data, dict) or data.get("v") != 1:
        raise ValueError("its data are of no version that is known here")
    return data
