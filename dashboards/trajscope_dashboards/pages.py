"""Pages: all runs, one run, one trial, as they stand when they are asked for. The script then keeps them up to date.

Without a script each is whole: the state, still pictures, and a link that asks again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from trajscope.charts import Html, joined, tag
from trajscope_dashboards.drawing import NAMES, QUESTIONS
from trajscope_dashboards.words import (
    MARKS,
    SHAPES,
    STATUSES,
    again,
    age,
    alarms,
    banner,
    clauses,
    counted,
    four,
    life,
    number,
    share,
    signs,
    took,
    urgency,
)

PARTS = re.compile(r"(?<=[/_~.+-])")
SHOWN = 100  # trials on the page of a run; the script shows more
EVIDENCE = 12  # trials behind a verdict that are linked
Run = dict[str, Any]
RUNS_HEAD = ("verdict", "run", "state", "trials", "knobs", "tried before", "best", "why")
ROWS_HEAD = ("trial", "status", "pair", "time", "value", "best kept", "took", "")


def front(everything: dict[str, Any]) -> str:
    """Every run, the most urgent first."""
    runs = sorted(everything["runs"], key=urgency)
    head = tag("tr", *(tag("th", h, scope="col") for h in RUNS_HEAD))
    table = tag("table", tag("thead", head), tag("tbody", *(_run_line(r) for r in runs), id="runs"), cls="runs")
    box = tag("div", table, cls="wide", tabindex="0", role="group", aria_label="all runs")
    empty = tag("p", "No run yet. The page fills as soon as one appears.", id="empty", hidden=bool(runs), cls="aside")
    troubles = tag("ul", *(tag("li", x) for x in everything["troubles"]), id="troubles", cls="troubles")
    find = tag("label", "find ", tag("input", type="search", id="find", autocomplete="off"), cls="find scripted-only")
    body = (
        tag("header", tag("h1", "trajscope"), _link_state(), cls="top"),
        tag(
            "main",
            _fault(everything["fault"]),
            tag("p", _tally(runs), cls="lead", id="tally"),
            find,
            box,
            empty,
            troubles,
            _refresh("/"),
        ),
    )
    return _page("trajscope", joined(body), kind="front")


def run(r: Run, rows: Sequence[dict[str, Any]], total: int, fault: str | None, *, single: bool) -> str:
    """One run: what to be alarmed of, its word, four numbers, pictures, trials."""
    w = r["watch"]
    crumb = None if single else tag("a", "all runs", href="/")
    body = (
        tag("header", crumb, tag("h1", r["name"], title=w.file), _link_state(), cls="top"),
        tag(
            "main",
            _fault(fault),
            _banner(r),
            _word(r),
            tag("dl", *(_number(*x) for x in four(r)), cls="four", id="four"),
            _wrong(r),
            tag("section", *(_figure(r, name) for name in NAMES), id="pictures", aria_label="pictures"),
            _trials(r, rows, total),
            _refresh(f"/runs/{r['id']}"),
        ),
    )
    return _page(f"{w.word}: {r['name']}", joined(body), kind="run", data_run=r["id"], engine=True)


def trial(r: Run, found: dict[str, Any], row: dict[str, Any] | None) -> str:
    """One trial in full."""
    seq, back = found["seq"], f"/runs/{r['id']}"
    facts = None
    if row is not None:
        cells = [(h, c) for h, c in zip(ROWS_HEAD, _cells(row), strict=True) if h not in ("trial", "")]
        facts = tag("dl", *(tag("div", tag("dt", h), tag("dd", c or "none")) for h, c in cells), cls="four facts")
    diff = found["diff"] and tag("pre", *_diff(found["diff"]), tabindex="0", aria_label="diff")
    body = (
        tag("header", tag("a", r["name"], href=f"{back}#t{seq}"), tag("h1", f"Trial {seq}"), cls="top"),
        tag("main", facts, diff, tag("pre", "\n".join(found["text"]), tabindex="0", aria_label="the line in full")),
    )
    return _page(f"Trial {seq} of {r['name']}", joined(body), kind="trial")


def missing(r: Run, seq: int) -> str:
    """There is no such trial."""
    said = tag("p", f"There is no trial {seq} in this run. The file may have been replaced since.", cls="lead")
    body = tag("header", tag("a", r["name"], href=f"/runs/{r['id']}"), tag("h1", f"Trial {seq}"), cls="top")
    return _page("No such trial", joined((body, tag("main", said))), kind="trial")


def enter() -> str:
    """Where the token is asked for."""
    field = tag("input", type="password", name="token", autocomplete="current-password", required=True, autofocus=True)
    form = tag("form", tag("label", "token ", field), tag("button", "enter", type="submit"), method="post",
               action="/enter", cls="enter")  # fmt: skip
    said = tag("p", "This page is served beyond its own machine, and asks for the token it was started with.")
    return _page("trajscope", joined((tag("header", tag("h1", "trajscope"), cls="top"), tag("main", said, form))),
                 kind="enter", bare=True)  # fmt: skip


def _page(title: str, body: Html, *, kind: str, engine: bool = False, bare: bool = False, **data: str) -> str:
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        None if bare else tag("link", rel="stylesheet", href="/page.css"),
        # The engine declares top-level names of one letter: as modules the two scripts do not meet.
        tag("script", type="module", src="/draw.js") if engine else None,
        None if bare or kind == "trial" else tag("script", type="module", src="/page.js"),
    )
    whole = tag("html", tag("head", *head), tag("body", body, data_page=kind, **data), lang="en")
    return f"<!doctype html>\n{whole}\n"


def _link_state() -> Html:
    return tag("p", "", id="link", cls="link", role="status")


def _refresh(where: str) -> Html:
    link = tag("a", "Ask again", href=where)
    return tag(
        "noscript", tag("p", link, " to see what came since: without a script the page does not move.", cls="aside")
    )


def _fault(said: str | None) -> Html | None:
    return tag("p", f"Nothing is read any more: {said}", cls="waits") if said else None


def _tally(runs: Sequence[Run]) -> str:
    words: dict[str, int] = {}
    for r in runs:
        words[r["watch"].word] = words.get(r["watch"].word, 0) + 1
    return f"{counted(len(runs), 'run')}: {', '.join(f'{n:,} {w}' for w, n in words.items())}" if runs else "No run yet"


def _run_line(r: Run) -> Html:
    w, c = r["watch"], r["coverage"]
    head, rest = clauses(w.sentence)
    named = w.best is not None and r["metric"]["name"]
    touched = "" if c["knobs_touched"] is None else f"{c['knobs_touched']}"
    cells = (
        _said(w.word),
        _named(r),
        age(r),
        number(w.trials),
        touched + (f" of {c['knobs_total']}" if touched and c["knobs_total"] else ""),
        "" if w.pair_repeat_rate is None else share(w.pair_repeat_rate),
        (number(w.best), tag("span", *broken(r["metric"]["name"]), cls="metric") if named else None),
        (head, tag("span", f"; {rest}", cls="clauses") if rest else None),
    )
    return tag(
        "tr", *(tag("th", x, scope="row") if i == 1 else tag("td", x) for i, x in enumerate(cells)), data_run=r["id"]
    )


def _named(r: Run) -> Html:
    folder, slash, name = r["name"].rpartition("/")
    above = tag("span", *broken(f"{folder}{slash}"), cls="folder") if slash else None
    return tag("a", above, *broken(name), href=f"/runs/{r['id']}")


def broken(name: str) -> list[object]:
    """A name that a narrow line may break where its parts meet, and not within them."""
    return joined_by(Html("<wbr>"), [joined((part,)) for part in PARTS.split(name)])


def _said(word: str) -> Html:
    calm = word in ("RESEARCHING", "UNKNOWN")
    return tag("span", f"{SHAPES[word]} {word}", cls="word calm" if calm else "word")


def _banner(r: Run) -> Html:
    link = tag("a", banner(r), href="#wrong", id="alarms-head")
    return tag("p", link, id="alarms", cls="alarms", hidden=not alarms(r), role="alert")


def _wrong(r: Run) -> Html:
    found = alarms(r)
    others = [v for v in r["watch"].verdicts if v.level != "FAIL"]
    head = tag("summary", f"{counted(len(others), 'warning')} and unknowns", id="warnings-head")
    warnings = tag("details", head, tag("ul", *(_verdict(r, v) for v in others)), id="warnings", hidden=not others)
    lines = tag("ul", *(_verdict(r, v) for v in found), id="failing")
    return tag("section", lines, warnings, id="wrong", cls="wrong", aria_label="what is wrong")


def _verdict(r: Run, v: Any) -> Html:
    links = [tag("a", str(seq), href=f"/runs/{r['id']}/trials/{seq}", data_seq=seq) for seq in v.evidence[:EVIDENCE]]
    more = f" and {len(v.evidence) - EVIDENCE:,} more" if len(v.evidence) > EVIDENCE else ""
    proof = tag("span", " trials ", *joined_by(" ", links), more, cls="proof") if links else None
    return tag("li", tag("b", f"{MARKS[v.level]} {v.rule.replace('_', ' ')}"), " ", v.reason, proof)


def joined_by(between: str, parts: Iterable[Html]) -> list[object]:
    """Parts with something between them."""
    out: list[object] = []
    for p in parts:
        out += [between, p] if out else [p]
    return out


def _word(r: Run) -> Html:
    w = r["watch"]
    head, rest = clauses(w.sentence)
    lead = tag("p", _said(w.word), " ", tag("span", head, id="sentence"), cls="lead", id="lead")
    also = tag("p", rest, id="clauses", cls="clauses", hidden=not rest)
    notices = tag("ul", *(tag("li", x) for x in w.notices), id="notices", cls="troubles")
    waits = tag("p", r["waits"], id="waits", cls="waits", hidden=not r["waits"])
    alive = tag("p", life(r), id="life", cls="aside")
    return tag("section", lead, also, waits, alive, notices, cls="verdict", aria_label="verdict")


def _number(name: str, value: str, aside: str) -> Html:
    return tag("div", tag("dt", name), tag("dd", value), tag("dd", aside, cls="aside"))


def _figure(r: Run, name: str) -> Html:
    at = f"{name}-head"
    still = tag("img", src=f"/runs/{r['id']}/{name}.svg", alt=QUESTIONS[name], loading="lazy")
    said = tag("p", r["holdout"], id="no-holdout", cls="aside", hidden=not r["holdout"]) if name == "believed" else None
    return tag(
        "figure",
        tag("figcaption", tag("strong", QUESTIONS[name], id=at), tag("span", "", cls="notes")),
        tag("div", tag("noscript", still), cls="picture", data_chart=name, tabindex="0", role="group",
            aria_labelledby=at),
        said,
        hidden=name == "holdout" and bool(r["holdout"]),
    )  # fmt: skip


def _trials(r: Run, rows: Sequence[dict[str, Any]], total: int) -> Html:
    head = tag("tr", *(tag("th", h, scope="col") if h else tag("td") for h in ROWS_HEAD))
    lines = [_row(r, x) for x in reversed(rows)]
    table = tag("table", tag("thead", head), tag("tbody", *lines, id="rows"), cls="rows")
    said = tag("p", f"the latest {len(rows):,} of {counted(total, 'trial')}", id="shown", cls="aside")
    more = tag("button", "show more", type="button", id="more", hidden=True)
    find = tag("label", "find ", tag("input", type="search", id="find", autocomplete="off"), cls="find scripted-only")
    every = tag("button", "show all", type="button", id="all", hidden=True)
    box = tag("div", table, cls="wide", tabindex="0", role="group", aria_label="trials, newest first")
    return tag("section", tag("h2", "Trials"), find, said, every, box, more, aria_label="trials")


def _row(r: Run, row: dict[str, Any]) -> Html:
    seq, *cells = _cells(row)
    link = tag("a", seq, href=f"/runs/{r['id']}/trials/{seq}", data_seq=seq)
    return tag("tr", tag("th", link, scope="row"), *(tag("td", x) for x in cells), id=f"t{seq}", cls=_kind(row))


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    pair = tag("code", row["pair"]) if row["pair"] is not None else ""
    return (
        str(row["seq"]), STATUSES.get(row["status"], row["status"]), pair, again(row), number(row["value"]),
        number(row["best_kept"]), took(row["wall_s"]), signs(row),
    )  # fmt: skip


def _kind(row: dict[str, Any]) -> str | None:
    return "kept" if "kept" in row["signs"] else "old" if row["k"] > 1 else None


def _diff(text: str) -> list[object]:
    out: list[object] = []
    for x in text.split("\n"):
        added, taken = x[:1] == "+" and x[:4] != "+++ ", x[:1] == "-" and x[:4] != "--- "
        out += [tag("ins", x) if added else tag("del", x) if taken else x, "\n"]
    return out
