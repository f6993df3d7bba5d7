"""The page that `analyze` prints: one run, read in ten seconds. The verdict first, then why, then what to distrust."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajscope.cli.text import clean, duration, number, paint, spark, wrapped

SHAPES = {
    "TAMPERED": ("✗", ("red", "bold")),
    "SUSPECT": ("✗", ("red", "bold")),
    "FLAILING": ("✗", ("red", "bold")),
    "STALLED": ("!", ("yellow", "bold")),
    "UNKNOWN": ("?", ("yellow", "bold")),
    "RESEARCHING": ("●", ("green", "bold")),
}
MARKS = {"FAIL": ("✗", "red"), "UNKNOWN": ("?", "yellow"), "WARN": ("!", "yellow"), "PASS": ("●", "green")}
BAR = 20
SHOWN = 12  # names of untouched knobs that are written out


def page(d: Mapping[str, Any], width: int) -> str:
    """The document of one run as text."""
    lines = [*_head(d, width), ""]
    lines += _verdict(d["verdict"], width)
    lines.append("")
    for part in (_ground, _circles, _gain, _noise, _cost, _record):
        lines += part(d, width)
    return "\n".join([*lines, *_distrust(d, width)])


def word(name: str) -> str:
    """A verdict word with its shape and colour."""
    shape, styles = SHAPES.get(name, ("?", ("yellow", "bold")))
    return paint(f"{shape} {name}", *styles)


def _head(d: Mapping[str, Any], width: int) -> list[str]:
    metric, goal = (
        d["metric"]["name"] or "no metric named",
        {"minimize": "lower is better", "maximize": "higher is better"},
    )
    counts = ", ".join(f"{n:,} {s.replace('_', ' ')}" for s, n in d["status"].items() if n)
    run = f" run {clean(d['run_id'])}" if d["run_id"] and d["run_id"] not in d["file"] else ""
    better = goal.get(d["metric"]["goal"], "direction unknown")
    said = f" {paint(clean(d['file']), 'bold')}{run}  {clean(metric)}, {better}"
    return [said, *wrapped("", f"{d['trials']:,} trials: {counts or 'none'}", width, indent=1)]


def _verdict(v: Mapping[str, Any], width: int) -> list[str]:
    indent = len(v["word"]) + 5
    first, *rest = wrapped("", v["sentence"], width, indent=indent)
    return [f" {word(v['word'])}  {first.strip()}", *rest]


def _ground(d: Mapping[str, Any], width: int) -> list[str]:
    c, p, n = d["coverage"], d["pairs"], d["nulls"]
    if c["knobs_total"]:
        filled = round(BAR * c["fraction"])
        bar = paint("█" * filled, "cyan") + paint("░" * (BAR - filled), "dim")
        walker = (
            f"; a blind walker would have touched {n['uniform_knobs_expected']:.1f}"
            if n["uniform_knobs_expected"]
            else ""
        )
        lines = [f" ground    {bar} {c['knobs_touched']} of {c['knobs_total']} knobs{walker}"]
        cells = c["cells"]
        if cells["total"]:
            lines += wrapped("", f"{cells['touched']} of {cells['total']} cells, {_pairs(p)}", width)
        names = c["untouched"]
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            lines += wrapped("", f"never touched: {', '.join(names[:SHOWN])}{more}", width)
        return lines
    return wrapped(
        "ground",
        f"{c['knobs_touched']} knobs, {_pairs(p)}; how much of the menu that is cannot be said: no menu",
        width,
    )


def _pairs(p: Mapping[str, Any]) -> str:
    return f"{p['unique']:,} different pairs, {p['repeats']:,} repeats"


def _circles(d: Mapping[str, Any], width: int) -> list[str]:
    p, top = d["pairs"], d["dominance"]
    if p["repeat_rate"] is None:
        return wrapped("repeats", f"not known: {d['unknown']['pairs.repeat_rate']}", width)
    rates = [w["rate"] for w in p["windows"]]
    size = p["windows"][0]["n"]
    lines = wrapped(
        "repeats", f"{p['repeat_rate']:.0%} of proposals; per {size} trials {spark(rates)} {_few(rates)}", width
    )
    said = f"most proposed {top['proposed']['pair']} ({top['proposed']['n']}×)"
    if top["kept"]["pair"]:
        said += f", most kept {top['kept']['pair']} ({top['kept']['n']} of {d['status']['kept']} keeps)"
    return lines + wrapped("", said, width)


def _few(rates: list[float]) -> str:
    return " ".join(f"{r:.0%}" for r in rates) if len(rates) <= 6 else f"{rates[0]:.0%} to {rates[-1]:.0%}"


def _gain(d: Mapping[str, Any], width: int) -> list[str]:
    b, why = d["best"], d["unknown"]
    if b["value"] is None:
        return wrapped("gain", f"none to speak of: {why['best.value']}", width)
    said = f"best {number(b['value'], 6)} at trial {b['seq']}"
    if b["gain"] is not None:
        share = f" ({b['gain_fraction']:.2%})" if b["gain_fraction"] is not None else ""
        than = f"{'better' if b['gain'] >= 0 else 'worse'} than the baseline {number(d['baseline']['value'], 6)}"
        said += f", {number(abs(b['gain']), 3)}{share} {than}"
    if b["shrunk"] is not None:
        said += f"; measured again it would score about {number(b['shrunk'], 6)} ({b['shrunk_method']})"
    else:
        said += f"; how much of it is luck is not known ({why['best.shrunk']})"
    dry = d["plateau"]
    since = f"{dry['beyond_noise']} trials since a best beyond noise" if dry["beyond_noise"] is not None else ""
    strict = f"{dry['since_best']} since a strict best" if dry["since_best"] is not None else ""
    keep = f"first keep after {d['first_keep']} trials" if d["first_keep"] else ""
    return wrapped("gain", said, width) + wrapped("", "; ".join(x for x in (since, strict, keep) if x), width)


def _noise(d: Mapping[str, Any], width: int) -> list[str]:
    n = d["noise"]
    if n["sd"] is None:
        return wrapped("noise", f"not known: {d['unknown']['noise.sd']}", width)
    said = f"sd {number(n['sd'], 3)} from {n['df']} repeated measurements"
    said += f"; one trial shows gains of {number(n['min_detectable'], 2)} and up"
    if n["flip_flops"]:
        said += f"; {len(n['flip_flops'])} configurations were both kept and reverted"
    return wrapped("noise", said, width)


def _cost(d: Mapping[str, Any], width: int) -> list[str]:
    c = d["cost"]
    if c["wall_s"] is None and c["usd"] is None and c["tokens_in"] is None:
        return wrapped("cost", "not recorded", width)
    said = []
    if c["wall_s"] is not None:
        share = (
            f", {duration(c['repeat_wall_s'])} of it ({c['repeat_share']:.0%}) on repeats" if c["repeat_share"] else ""
        )
        said.append(f"{duration(c['wall_s'])}{share}")
    if c["tampered_wall_s"]:
        said.append(f"{duration(c['tampered_wall_s'])} on what was not proposed")
    if c["tokens_in"] is not None:
        said.append(f"{c['tokens_in']:,} tokens in, {number(c['tokens_out'])} out")
    if c["usd"] is not None:
        said.append(f"${c['usd']:.2f}")
    return wrapped("cost", "; ".join(said), width)


def _record(d: Mapping[str, Any], width: int) -> list[str]:
    lines, i = d["lines"], d["integrity"]
    said = f"{lines['total']:,} lines"
    for what in ("unreadable", "torn"):
        if lines[what]:
            said += f", {lines[what]:,} {what}"
    status = {
        "verified": "verified to be what was proposed",
        "drifted": "not what was proposed",
        "chain_broken": "edited",
    }
    said += f"; what ran is {status[i['status']]}" if i["status"] else f"; what ran: {d['unknown']['integrity.status']}"
    return wrapped("record", said, width)


def _distrust(d: Mapping[str, Any], width: int) -> list[str]:
    found = [v for v in d["verdicts"] if v["level"] != "PASS"]
    if not found:
        return ["", " nothing to distrust was found"]
    order = {"FAIL": 0, "UNKNOWN": 1, "WARN": 2}
    lines = ["", paint(" what to distrust", "bold")]
    for v in sorted(found, key=lambda v: order[v["level"]]):
        mark, colour = MARKS[v["level"]]
        shown = v["evidence"][:8]
        trials = f" (trials {', '.join(map(str, shown))}{', ...' if len(v['evidence']) > 8 else ''})" if shown else ""
        first, *rest = wrapped("", v["reason"] + trials, width, indent=5)
        lines += [f"   {paint(mark, colour)} {first.strip()}", *rest]
    return lines
