"""Sections: brief, number, ground and history of one run as markup. The rest stands in `records`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajscope.readable import MARKS as LEVEL_MARKS
from trajscope.readable import SHAPES, duration, number, plural, short
from trajscope.report.brief import Brief, Doubt, sentence
from trajscope.report.markup import Html, code, figure, joined, rows, tag, text
from trajscope.report.pictures import ground
from trajscope.report.story import bases_known, keeps, moments, took

Account = Mapping[str, Any]
SHOWN = 8  # trials that are linked behind a doubt
METRICS = 4  # other metrics of the keeps that have a column
OPEN = 6  # doubts that are shown at once
SAID = {"FAIL": "fails", "UNKNOWN": "unknown", "WARN": "warns", "PASS": "holds"}
BETTER = {"minimize": "lower is better", "maximize": "higher is better"}

ABOUT = {
    "number": "What the best trial scored, and how much of that is left once luck is taken off it.",
    "ground": "A knob is a thing that the loop may change, a pair is a knob with its value, and a cell is a value, or "
    "a stretch of values, of the menu of all knobs. A blind walker draws from the menu at random.",
    "history": "Every trial in its order. A keep is a change that the loop kept and built upon; the noise is how far "
    "scores of one and the same configuration lie apart.",
    "integrity": "What the record says of itself, held against its own rows. A question mark stands where nothing is "
    "recorded that would show it.",
    "rail": "A rail is a check of a proposal before anything is spent on it.",
    "corpus": "May a model be trained on this run? What the gate says, check by check.",
    "rows": "A trial goes by its place in the file; iter is what the run itself calls it. A click on a trial shows its "
    "whole line, and its diff.",
}


def mark(level: str) -> Html:
    """The shape of a level, with its word for whoever does not see it."""
    shape = LEVEL_MARKS[level][0] if level in LEVEL_MARKS else "●"
    sign = tag("span", shape, aria_hidden="true")
    return tag("span", sign, tag("span", SAID[level], cls="hidden"), cls=f"mark {level.lower()}")


def section(at: str, name: str, title: str, *inner: object) -> Html:
    """A section of a run, with a heading that can be linked to."""
    about = tag("p", ABOUT[name], cls="aside") if name in ABOUT else ""
    return tag("section", tag("h3", title, id=f"{at}-{name}-title"), about, *inner, id=f"{at}-{name}")


def trial(at: str, seq: int) -> Html:
    """A link to the row of a trial."""
    return tag("a", f"{seq}", href=f"#{at}-t{seq}", data_seq=seq, cls="seq")


def trials(at: str, seqs: tuple[int, ...] | list[int], label: str = "trials") -> Html:
    """Links to the rows of trials."""
    return _links(at, seqs[:SHOWN], len(seqs), label, data_seqs=" ".join(map(str, seqs)))


def refused(at: str, found: Mapping[str, Any], rail: str, label: str = "trials") -> Html:
    """Links to the rows of trials that a rail would have refused; the rows know which those are."""
    return _links(at, found["first"], found["n"], label, data_rail=rail)


def _links(at: str, first: tuple[int, ...] | list[int], n: int, label: str, **which: str) -> Html:
    if not n:
        return Html("")
    links = [joined((" ", trial(at, s))) for s in first]
    rest = f"and {n - len(first):,} more" if n > len(first) else ""
    whole = joined((" ", tag("a", rest, href=f"#{at}-rows", cls="seqs"))) if rest else ""
    return tag("span", label if n > 1 else label.rstrip("s"), links, whole, cls="proof", **which)


def head(at: str, account: Account, b: Brief) -> Html:
    """What is read in ten seconds: the word, why, and four numbers."""
    doc = account["doc"]
    shape, _ = SHAPES.get(b.word, SHAPES["UNKNOWN"])
    word = tag("span", tag("span", f"{shape} ", aria_hidden="true"), b.word, cls="word")
    goal = BETTER.get(doc["metric"]["goal"], "which way is better is not known")
    counts = ", ".join(f"{n:,} {s.replace('_', ' ')}" for s, n in doc["status"].items() if n)
    about = joined(
        (code(doc["file"], 120), " · " if doc["run_id"] not in doc["file"] else "",
         text(doc["run_id"], 80) if doc["run_id"] not in doc["file"] else "", " · ",
         figure("trials", doc["trials"], plural(doc["trials"], "trial")), f" ({counts})" if counts else "", " · ",
         text(doc["metric"]["name"] or "no metric named", 60), f", {goal}")
    )  # fmt: skip
    lead = tag("p", word, " ", tag("strong", text(b.head)), cls="lead")
    more = tag("p", "; ".join(short(c, 200) for c in b.clauses) + ".", cls="clauses") if b.clauses else ""
    good = b.word == "RESEARCHING"
    return tag(
        "header", tag("p", about, cls="about"), lead, more, _four(account), cls="verdict calm" if good else "verdict"
    )


def _four(account: Account) -> Html:
    """The four numbers: claimed and believable gain, what was tried before, ground."""
    doc, best = account["doc"], account["facts"]["best"]
    b, p, c = doc["best"], doc["pairs"], doc["coverage"]
    again = p["unique"] + p["repeats"]
    span = ""
    if best["gain_low"] is not None:
        span = joined(("95%: ", figure("facts.best.gain_low", best["gain_low"], digits=3), " to ",
                       figure("facts.best.gain_high", best["gain_high"], digits=3)))  # fmt: skip
    elif doc["noise"]["sd"] is None:
        span = "the noise is not known"
    middle = b["shrunk_gain"]
    cells = (
        ("gain claimed", figure("best.gain", b["gain"], digits=3), _percent(account)),
        ("gain to believe", figure("best.shrunk_gain", middle, digits=3), span),
        ("tried before", figure("pairs.repeats", p["repeats"], f"{p['repeats']:,}"),
         joined(("of ", figure("pairs.proposals", again, plural(again, "proposal"))))),
        ("knobs touched", figure("coverage.knobs_touched", c["knobs_touched"]),
         joined(("of ", figure("coverage.knobs_total", c["knobs_total"]))) if c["knobs_total"] else "no menu is known"),
    )  # fmt: skip
    return tag(
        "dl", *(tag("div", tag("dt", n), tag("dd", v), tag("dd", s, cls="aside")) for n, v, s in cells), cls="four"
    )


def _percent(account: Account) -> Html:
    """The unit of a gain, and what share of the baseline it is; without a gain why there is none."""
    doc, unit = account["doc"], account["facts"]["unit"]
    if doc["best"]["gain"] is None:
        return text(doc["unknown"].get("best.gain", ""), 60)
    share = doc["best"]["gain_fraction"]
    of = "" if share is None else joined((figure("best.gain_fraction", share, f"{share:.2%}"), " of the baseline"))
    return joined((text(unit, 30) if unit else "", ", " if unit and of else "", of))


def brief(at: str, account: Account, b: Brief) -> Html:
    """What to distrust, ranked; what to do now; what could not be checked."""
    items = [_doubt(at, d) for d in b.doubts]
    shown = tag("ol", *items[:OPEN], cls="doubts") if items else tag(
        "p", "Nothing to distrust was found", " in what could be checked." if b.blind else "."
    )  # fmt: skip
    more = ""
    if len(items) > OPEN:
        rest = tag("ol", *items[OPEN:], cls="doubts", start=OPEN + 1)
        more = tag(
            "details", tag("summary", f"{plural(len(items) - OPEN, 'more doubt')}, the least of them last"), rest
        )
    blind = ""
    if b.blind:
        blind = tag(
            "details",
            tag("summary", f"{plural(len(b.blind), 'question')} could not be asked, for want of data"),
            tag("ul", *(tag("li", code(d.rule), " ", text(d.text)) for d in b.blind)),
        )
    quiet = ""
    if b.quiet:
        summary = tag("summary", f"{plural(len(b.quiet), 'question')} asked and answered well")
        quiet = tag("details", summary, tag("p", ", ".join(b.quiet)))
    doubts = section(at, "distrust", "What to distrust", shown, more, blind, quiet)
    todo = section(at, "do", "Three things to do now" if len(b.actions) == 3 else "What to do now",
                   tag("ol", *(tag("li", text(a, 500)) for a in b.actions), cls="todo"))  # fmt: skip
    return tag("div", doubts, todo, cls="brief")


def _doubt(at: str, d: Doubt) -> Html:
    return tag("li", mark(d.level), tag("div", text(sentence(d.text), 400), " ", trials(at, d.seqs)))


def the_number(at: str, account: Account, chart: Html, holdout: Html) -> Html:
    """The claimed best against what is to be believed of it."""
    doc, best = account["doc"], account["facts"]["best"]
    b, noise = doc["best"], doc["noise"]
    unknown = doc["unknown"]
    if b["value"] is None:
        return section(at, "number", "The number", tag("p", f"There is no best: {unknown['best.value']}."), chart)
    lines = [
        ("claimed", figure("best.value", b["value"], digits=6), joined(("trial ", trial(at, b["seq"])))),
        ("to be believed", figure("best.shrunk", b["shrunk"], digits=6),
         b["shrunk_method"] or unknown.get("best.shrunk", "")),
        ("95% interval", joined((figure("facts.best.low", best["low"], digits=6), " to ",
                                 figure("facts.best.high", best["high"], digits=6)))
         if best["low"] is not None else "not known",
         "of its true value" if best["n"] > 1 else "around one evaluation: nothing was measured again"),
        ("gain", figure("best.shrunk_gain", b["shrunk_gain"], digits=3),
         joined(("claimed ", figure("best.gain", b["gain"], digits=3))) if b["gain"] is not None
         else unknown.get("best.gain", "")),
        ("noise", figure("noise.sd", noise["sd"], digits=3),
         joined(("standard deviation (sd), from ", figure("noise.df", noise["df"]), " repeated evaluations"))
         if noise["sd"] is not None else unknown.get("noise.sd", "")),
        ("baseline", figure("baseline.value", doc["baseline"]["value"], digits=6),
         joined(("from ", figure("facts.best.base_n", best["base_n"], plural(best["base_n"], "evaluation"))))
         if best["base_n"] else unknown.get("baseline.value", "")),
    ]  # fmt: skip
    unit = f" ({short(account['facts']['unit'], 30)})" if account["facts"]["unit"] else ""
    table = rows(
        ("", f"{short(doc['metric']['name'] or 'value', 40)}{unit}", ""),
        lines,
        aria_label="the best, claimed and believed",
        cls="plain",
    )
    said: list[Html | str] = []
    if noise["sd"]:
        said.append(
            joined(
                (
                    "One trial cannot show a gain under ",
                    figure("noise.min_detectable", noise["min_detectable"], digits=2),
                    ".",
                )
            )
        )
    if best["n"] > 1:
        said.append("The evaluations include the one that was picked for being the best, so even the mean flatters.")
    missing = "" if account["facts"]["holdout"] else tag(
        "p", tag("strong", "No holdout: "), "nothing says whether the gain holds beyond the data it was chosen on."
    )  # fmt: skip
    seen = account["holdouts"]
    if account["facts"]["holdout"] and not seen:
        missing = tag("p", tag("strong", "A holdout is declared, and no keep has a value of it."))
    elif seen and isinstance(seen[0][2], bool):
        held = sum(1 for k in seen if k[2])
        missing = tag("p", f"Of its holdout only one bit per keep is known: {held:,} of {len(seen):,} held.")
    told = tag("p", *[joined((s, " ")) for s in said]) if said else ""
    return section(at, "number", "The number", told, chart, table, missing, holdout)


def the_ground(at: str, account: Account, tiles: Html, walk: Html) -> Html:
    """What was tried and what never, against blind walkers."""
    doc = account["doc"]
    c, p, walkers = doc["coverage"], doc["pairs"], doc["nulls"]["uniform_knobs_expected"]
    counted = p["unique"] + p["repeats"]
    said: list[object] = [figure("pairs.unique", p["unique"], plural(p["unique"], "different pair")), " in ",
                          figure("pairs.proposals", counted, plural(counted, "proposal"))]  # fmt: skip
    if c["knobs_touched"] and not c["knobs_total"]:
        said += [", on ", figure("coverage.knobs_touched", c["knobs_touched"], plural(c["knobs_touched"], "knob")),
                 "; how many there are is not known"]  # fmt: skip
    if c["knobs_total"]:
        said += [", on ", figure("coverage.knobs_touched", c["knobs_touched"]), " of ",
                 figure("coverage.knobs_total", c["knobs_total"], plural(c["knobs_total"], "knob"))]  # fmt: skip
        if walkers:
            said += ["; a blind walker would have touched ", figure("nulls.uniform_knobs_expected", walkers, digits=3)]
    what, total = ground(doc)
    if what == "cells" and total:
        said += [
            ". ",
            figure("coverage.cells.touched", c["cells"]["touched"]),
            " of ",
            figure("coverage.cells.total", total, plural(total, "cell")),
            " of the menu, where a blind walker reaches ",
        ]
        said.append(figure("facts.walkers.cells_expected", account["facts"]["walkers"]["cells_expected"], digits=3))
    said.append(".")
    untouched = c["untouched"] or []
    names = [joined((", " if i else "", code(n, 40))) for i, n in enumerate(untouched[:40])]
    more = f" and {len(untouched) - 40} more" if len(untouched) > 40 else ""
    never = tag("p", tag("strong", "Never touched: "), *names, more) if untouched else ""
    told = ""
    if "text" in c["by_knob"]:
        told = tag("p", code("text"), " stands for a change that is told in words alone: its value is those words.")
    return section(at, "ground", "The ground", tag("p", *said), told, never, tiles, walk, _tile_table(account))


def _tile_table(account: Account) -> Html:
    """The tiles in numbers: knob by knob, for whoever does not see the picture."""
    knobs = account["doc"]["coverage"]["by_knob"]
    head = ("knob", "family", "proposed", "kept", "cells touched")
    lines = [
        (code(name, 40), text(k["family"], 30), f"{k['proposed']:,}", f"{k['kept']:,}",
         "not counted" if k["cells_total"] is None else f"{k['cells']:,} of {k['cells_total']:,}")
        for name, k in list(knobs.items())[:200]
    ]  # fmt: skip
    if not lines:
        return Html("")
    more = tag("p", f"and {len(knobs) - 200:,} more knobs") if len(knobs) > 200 else ""
    table = rows(head, lines, aria_label="knobs by how often they were proposed")
    return tag("details", tag("summary", "The same as a table"), table, more)


def the_history(at: str, account: Account, chart: Html) -> Html:
    """What happened: the score, the timeline in words, and what each keep contributed."""
    doc = account["doc"]
    dry = doc["plateau"]
    said: list[object] = []
    if dry["beyond_noise"] is not None:
        n = figure("plateau.beyond_noise", dry["beyond_noise"], plural(dry["beyond_noise"], "trial"))
        said += ["No best beyond noise for ", n, ". "]
    if doc["first_keep"]:
        said += [
            "The first keep came after ",
            figure("first_keep", doc["first_keep"], plural(doc["first_keep"], "trial")),
            ". ",
        ]
    told = moments(account)
    lines = [tag("li", trial(at, m.seq), " ", tag("span", text(m.text, 240)), cls=m.kind) for m in told]
    every = account["looked_every"]
    looked = (
        f"The rules were asked after every {every:,} trials, so an alarm may have begun up to that many earlier."
        if every > 1
        else ""
    )
    timeline = [tag("h4", "In words"), tag("ol", *lines, cls="timeline"), tag("p", looked) if looked else ""]
    return section(
        at, "history", "The history", tag("p", *said) if said else "", chart, *timeline, _contributions(at, account)
    )


def _contributions(at: str, account: Account) -> Html:
    doc = account["doc"]
    found = keeps(account)
    if not found:
        return Html("")
    names = sorted({name for k in found for name, _ in k.also})
    shown, known = names[:METRICS], [k for k in found if k.gain is not None]
    based, stepped = bases_known(account), any(k.step is not None for k in found)
    gains = ["gain"] if based else [*(["over the keep before"] if stepped else []), "over the baseline"]
    head = ["trial", "kept", "value", *(gains if known else []), *(["in noise sd"] if doc["noise"]["sd"] else [])]
    head += [*(short(name, 24) for name in shown), *(["others"] if len(names) > METRICS else [])]
    timed = any(k.wall_s is not None for k in found)
    lines = []
    for k in found:
        also = dict(k.also)
        line: list[object] = [trial(at, k.seq), code(k.pair, 60), "" if k.value is None else number(k.value, 6)]
        if known and not based and stepped:
            line.append("" if k.step is None else number(k.step, 3))
        line += [figure("contributions.gain", k.gain, digits=3)] if known else []
        if doc["noise"]["sd"]:
            line.append(figure("contributions.gain/noise.sd", k.in_sd, f"{k.in_sd:.1f}") if k.in_sd is not None else "")
        line += [_moved(also.get(name)) for name in shown]
        if len(names) > METRICS:
            rest = [f"{short(name, 24)} {_moved(x)}" for name, x in also.items() if name not in shown]
            line.append(", ".join(rest[:METRICS]) + (" ..." if len(rest) > METRICS else ""))
        lines.append([*line, *([took(k)] if timed else [])])
    total = doc["status"]["kept"]
    notes = [f"The first and the last of {total:,} keeps are listed." if total > len(found) else ""]
    if not known:
        notes.append("What a keep gained is not known: nothing says what it was built upon, or scored.")
    elif not doc["noise"]["sd"]:
        notes.append("The noise is not known, so no gain can be told from luck.")
    if known and not based:
        notes.append("What a keep was built on is not recorded.")
    notes.append(
        "Beside the gain stands how far every other metric moved with it." if names
        else "No other metric is recorded for the keeps and what they were built on, so what else moved is not known."
    )  # fmt: skip
    table = rows(head + (["took"] if timed else []), lines, aria_label="what each keep contributed", cls="kept")
    return joined((tag("h4", "What each keep contributed"), tag("p", " ".join(filter(None, notes))), table))


def _moved(x: float | None) -> str:
    return "" if x is None else "the same" if x == 0 else f"{x:+.3g}".replace("-", "\u2212", 1)


def cost_line(doc: Mapping[str, Any]) -> str:
    """What the run cost, in a line."""
    c, said = doc["cost"], []
    if c["wall_s"] is not None:
        share = (
            f", {duration(c['repeat_wall_s'])} of it ({c['repeat_share']:.0%}) on repeats" if c["repeat_share"] else ""
        )
        said.append(f"{duration(c['wall_s'])}{share}")
    if c["tokens_in"] is not None:
        said.append(f"{c['tokens_in']:,} tokens in, {number(c['tokens_out'])} out")
    if c["usd"] is not None:
        said.append(f"${c['usd']:,.2f}")
    return "; ".join(said) or "not recorded"
