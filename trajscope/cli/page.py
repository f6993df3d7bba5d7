"""The page that `analyze` prints: one run, read in ten seconds. The verdict first, then why, then what to distrust.

Says nothing twice: a verdict that the sentence or a paragraph has told already is not listed again.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from trajscope.cli.text import clean, duration, number, paint, plural, short, spark, wrapped
from trajscope.readable import MARKS, SHAPES
from trajscope.rules.wording import NOT_EVALUABLE

BETTER = {"minimize": "lower is better", "maximize": "higher is better"}
BAR = 20
SHOWN = 12  # names of untouched knobs that are written out
EVIDENCE = 8  # trials that are named behind a reason
LONGEST = 300  # letters of a reason; all of it is in the JSON
LINES = ("record", "integrity")  # rules whose evidence may be lines that hold no trial
READ_FROM = {
    "native": "recorded",
    "config": "read from configurations",
    "column": "read from columns",
    "diff": "read from commits",
    "text": "read from descriptions",
    "hash": "known by their words alone",
}
BLANK = ""


def page(d: Mapping[str, Any], width: int) -> str:
    """The document of one run as text."""
    lines = [*_head(d, width), BLANK, *_verdict(d, width), BLANK]
    for part in (_ground, _repeats, _read_from, _gain, _noise, _cost, _record):
        lines += part(d, width)
    return "\n".join([*lines, *_distrust(d, width)])


def word(name: str) -> str:
    """A verdict word with its shape and colour."""
    return paint(named(name), *_style(name))


def named(name: str) -> str:
    """A verdict word with its shape."""
    return f"{SHAPES.get(name, SHAPES['UNKNOWN'])[0]} {name}"


def coloured_name(text: str, name: str) -> str:
    """Text in the colour of a verdict word."""
    return paint(text, *_style(name))


def _style(name: str) -> tuple[str, ...]:
    return SHAPES.get(name, SHAPES["UNKNOWN"])[1]


def _head(d: Mapping[str, Any], width: int) -> list[str]:
    run = f", run {d['run_id']}" if d["run_id"] and d["run_id"] not in d["file"] else ""
    better = BETTER.get(d["metric"]["goal"], "which way is better is not known (--goal)")
    metric = short(d["metric"]["name"] or "no metric named (--metric)", 60)
    counts = ", ".join(f"{n:,} {s.replace('_', ' ')}" for s, n in d["status"].items() if n)
    first, *rest = wrapped("", short(f"{d['file']}{run}", 4 * width), width, indent=1)
    said = f"{plural(d['trials'], 'trial')}{f': {counts}' if counts else ''}; {metric}, {better}"
    return [paint(line, "bold") for line in (first, *rest)] + wrapped("", said, width, indent=1)


def _verdict(d: Mapping[str, Any], width: int) -> list[str]:
    v = d["verdict"]
    led = next((x for x in d["verdicts"] if x["evidence"] and _leads(x, v["sentence"])), None)
    said = v["sentence"].replace(led["reason"], led["reason"] + _trials(led), 1) if led else v["sentence"]
    first, *rest = wrapped("", short(said, 2 * LONGEST), width, indent=len(named(v["word"])) + 3)
    return [f" {word(v['word'])}  {first.strip()}", *rest]


def _ground(d: Mapping[str, Any], width: int) -> list[str]:
    c, p, n = d["coverage"], d["pairs"], d["nulls"]
    pairs = f"{plural(p['unique'], 'different pair')} in {plural(p['unique'] + p['repeats'], 'proposal')}"
    if not c["knobs_total"]:
        knobs = plural(c["knobs_touched"] or 0, "knob")
        return wrapped(
            "ground", f"{knobs}, {pairs}; of how many knobs is not known: no menu (--menu, --menu-from)", width
        )
    filled = round(BAR * c["fraction"])
    full, empty = "█" * filled, "░" * (BAR - filled)
    walker = n["uniform_knobs_expected"]
    expected = f"; a blind walker would have touched {walker:.1f}" if walker else ""
    inferred = " (inferred, nobody declared them)" if c["source"] == "inferred" else ""
    said = f"{full}{empty} {c['knobs_touched']} of {plural(c['knobs_total'], 'knob')}{inferred} touched{expected}"
    first, *lines = wrapped("ground", said, width)
    lines = [first.replace(full + empty, paint(full, "cyan") + paint(empty, "dim")), *lines]
    cells = c["cells"]
    of = f"{cells['touched']} of {plural(cells['total'], 'cell')} of the menu; " if cells["total"] else ""
    lines += wrapped("", of + pairs, width)
    if names := [short(x, 40) for x in c["untouched"]]:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        lines += wrapped("", f"never touched: {', '.join(names[:SHOWN])}{more}", width)
    return lines


def _repeats(d: Mapping[str, Any], width: int) -> list[str]:
    p, top = d["pairs"], d["dominance"]
    if p["repeat_rate"] is None:
        return wrapped("repeats", f"not known: {d['unknown']['pairs.repeat_rate']}", width)
    said = f"{p['repeats']:,} of {plural(p['unique'] + p['repeats'], 'proposal')} ({p['repeat_rate']:.0%})"
    said = said if p["repeats"] else f"none in {plural(p['unique'], 'proposal')}"
    rates, size = [w["rate"] for w in p["windows"]], p["windows"][0]["n"]
    if len(rates) > 1 and p["repeats"]:
        said += f", per {size} trials {spark(rates)} {_few(rates)}"
    lines = wrapped("repeats", said, width)
    most = []
    if (pair := top["proposed"]["pair"]) and top["proposed"]["n"] > 1:
        most.append(f"most proposed {short(pair, 60)} ({top['proposed']['n']:,} times)")
    if (pair := top["kept"]["pair"]) and top["kept"]["n"] > 1:
        most.append(f"most kept {short(pair, 60)} ({top['kept']['n']:,} of {plural(d['status']['kept'], 'keep')})")
    return lines + (wrapped("", ", ".join(most), width) if most else [])


def _read_from(d: Mapping[str, Any], width: int) -> list[str]:
    """Where pairs were read from, where any was not recorded."""
    found = d["pairs"]["by_provenance"]
    if not found.keys() - {"native"}:
        return []
    said = [
        f"{x['n']:,} {READ_FROM.get(name, f'read from {short(name, 20)}')}"
        + ("" if x["confidence"] is None else f" (confidence {x['confidence']:.2g})")
        for name, x in found.items()
    ]
    return wrapped("pairs", ", ".join(said), width)


def _few(rates: list[float]) -> str:
    return " ".join(f"{r:.0%}" for r in rates) if len(rates) <= 6 else f"{rates[0]:.0%} to {rates[-1]:.0%}"


def _gain(d: Mapping[str, Any], width: int) -> list[str]:
    b, why, dry = d["best"], d["unknown"], d["plateau"]
    if b["value"] is None:
        return wrapped("gain", f"none to speak of: {why['best.value']}", width)
    said = f"best {number(b['value'], 6)} at trial {b['seq']}"
    if b["gain"] is not None:
        share = f" ({abs(b['gain_fraction']):.2%})" if b["gain_fraction"] is not None else ""
        than = f"{'better' if b['gain'] >= 0 else 'worse'} than the baseline {number(d['baseline']['value'], 6)}"
        said += f", {number(abs(b['gain']), 3)}{share} {than}"
    else:
        said += "; no baseline to compare with"
    if b["shrunk"] is not None:
        said += f"; measured again about {number(b['shrunk'], 6)} ({b['shrunk_method']})"
    elif d["noise"]["sd"] is not None:
        said += f"; how much of it is luck is not known ({why['best.shrunk']})"
    since = []
    if dry["beyond_noise"] is not None:
        since.append(f"last best beyond noise {_ago(dry['beyond_noise'])}")
    if dry["since_best"] is not None and dry["since_best"] != dry["beyond_noise"]:
        since.append(f"last better value {_ago(dry['since_best'])}")
    if d["first_keep"]:
        since.append(f"first keep after {plural(d['first_keep'], 'trial')}")
    return wrapped("gain", said, width) + (wrapped("", "; ".join(since), width) if since else [])


def _ago(trials: int) -> str:
    return f"{plural(trials, 'trial')} ago" if trials else "in the last trial"


def _noise(d: Mapping[str, Any], width: int) -> list[str]:
    n = d["noise"]
    if n["sd"] is None:
        why = d["unknown"]["noise.sd"]
        luck = "" if d["best"]["value"] is None else ", and so how much of the gain is luck"
        return wrapped("noise", f"not known{luck}: {why}", width)
    said = f"sd {number(n['sd'], 3)} from {plural(n['df'], 'repeated measurement')}"
    if n["sd"]:
        said += f"; one trial cannot show a gain under {number(n['min_detectable'], 2)}"
    return wrapped("noise", said, width)


def _cost(d: Mapping[str, Any], width: int) -> list[str]:
    c, said = d["cost"], []
    if c["wall_s"] is not None:
        said.append(duration(c["wall_s"]))
        if c["repeat_share"]:
            said[0] += f", {duration(c['repeat_wall_s'])} of it ({c['repeat_share']:.0%}) on repeats"
    if c["tampered_wall_s"]:
        said.append(f"{duration(c['tampered_wall_s'])} on what was not proposed")
    if c["tokens_in"] is not None:
        said.append(f"{c['tokens_in']:,} tokens in, {number(c['tokens_out'])} out")
    if c["usd"] is not None:
        said.append(f"${c['usd']:,.2f}")
    return wrapped("cost", "; ".join(said) or "not recorded", width)


def _record(d: Mapping[str, Any], width: int) -> list[str]:
    lines, said = d["lines"], plural(d["lines"]["total"], "line")
    for what in ("unreadable", "torn"):
        if lines[what]:
            said += f", {lines[what]:,} {what}"
    status = {
        "verified": "every trial ran what was proposed, and the log is unchanged",
        "drifted": "what ran is not what was proposed",
        "chain_broken": "the log was changed after it was written",
    }
    if ran := status.get(d["integrity"]["status"]):
        said += f"; {ran}"
    return wrapped("record", f"{said}; format {d['format']}", width)


def _distrust(d: Mapping[str, Any], width: int) -> list[str]:
    order, blind = list(MARKS), [v for v in d["verdicts"] if v["reason"].startswith(NOT_EVALUABLE)]
    found = [v for v in d["verdicts"] if v["level"] in MARKS and v not in blind]
    lines = []
    for v in sorted(found, key=lambda v: order.index(v["level"])):
        if _told(v, d):
            continue
        mark, colour = MARKS[v["level"]]
        first, *rest = wrapped("", short(v["reason"], LONGEST) + _trials(v), width, indent=5)
        lines += [f"   {paint(mark, colour)} {first.strip()}", *rest]
    lines = [BLANK, paint(" what to distrust", "bold"), *lines] if lines else []
    if not found:
        lines = [BLANK, " nothing to distrust was found" + (" in what could be checked" if blind else "")]
    return [*lines, *_checked(d, blind, width), *_set(d, width), *_see(d)]


def _checked(d: Mapping[str, Any], blind: list[Mapping[str, Any]], width: int) -> list[str]:
    """What was checked and is quiet, and what could not be checked for want of data."""
    quiet = ", ".join(v["rule"] for v in d["verdicts"] if v["level"] == "PASS")
    lines = [BLANK, *wrapped("quiet", quiet, width)] if quiet else [BLANK]
    whys = (f"{v['rule']} ({v['reason'].removeprefix(NOT_EVALUABLE).partition(';')[0]})" for v in blind)
    return lines + (wrapped("unchecked", ", ".join(whys), width) if blind else [])


def _set(d: Mapping[str, Any], width: int) -> list[str]:
    """What the settings changed in how this run was judged."""
    said = [f"{name} {bound:g}" for name, bound in d["alarms"]["bounds"].items()]
    said += [f"{', '.join(off)} off"] if (off := d["alarms"]["off"]) else []
    return wrapped("settings", f"not the defaults: {'; '.join(said)}", width) if said else []


def _see(d: Mapping[str, Any]) -> list[str]:
    """How to look at one of the trials that are named: a line to copy, so it is never wrapped."""
    named = (
        v["evidence"][0] for v in d["verdicts"] if v["level"] in MARKS and v["evidence"] and v["rule"] not in LINES
    )
    seq = next(named, d["best"]["seq"])
    if seq is None or d["file"] == "-":
        return []
    return [BLANK, paint(f" one trial in full: trajscope trials {shlex.quote(clean(d['file']))} --seq {seq}", "dim")]


def _told(v: Mapping[str, Any], d: Mapping[str, Any]) -> bool:
    """Whether the page has said this already: in the sentence, in `ground`, or in `noise`."""
    return (
        _leads(v, d["verdict"]["sentence"])
        or (v["rule"] == "coverage" and v["level"] != "FAIL")
        or (v["reason"] == "no guard is declared" and "no guard" in d["verdict"]["sentence"])
    )


def _leads(v: Mapping[str, Any], sentence: str) -> bool:
    return sentence.startswith(v["reason"])


def _trials(v: Mapping[str, Any]) -> str:
    seqs = v["evidence"]
    if not seqs:
        return ""
    more = ", ..." if len(seqs) > EVIDENCE else ""
    return f" (trial{'' if len(seqs) == 1 else 's'} {', '.join(map(str, seqs[:EVIDENCE]))}{more})"
