"""What stands behind the screen, asked for by a key: every verdict with its trials, gaps, refusals, the keys.

Lines of text as the screen itself; knows no terminal.
"""

from __future__ import annotations

from trajscope.knob import Knob
from trajscope.readable import MARKS, age, clean, number, plural, short
from trajscope.run import Run
from trajscope.verdict import Level, Verdict
from trajscope.watch.draw import LEVELS, trial
from trajscope.watch.ink import Line, Span, cut, wrapped
from trajscope.watch.panel import Panel, blind

SHOWN = 5  # trials that are shown under a verdict
MOST = 40  # knobs, rules, notices of a list
LINES = 12  # of one text
RULE = 18  # columns of a rule's name

KEYS = (
    ("enter", "one trial in full: its line, diff, verdicts, seeds, prompt"),
    ("w", "why: every verdict, its number and bound, the trials that show it"),
    ("g", "gaps: knobs that were never touched, cells that were never entered"),
    ("r", "rail: what was refused, by which rule, and when it was last proven"),
    ("s", "SQL over runs, trials, seeds and events, read-only"),
    ("/", "filter the trials: words that must all occur; escape ends it"),
    ("b, B", "bookmark the trial, or take its mark away; B goes to the next one"),
    ("e", "export the analysis (JSON) and the page (text) to files"),
    ("p", "hold the screen; reading goes on"),
    ("t", "light or dark"),
    ("arrows", "move through the trials, as home, end, page up and down and the mouse do"),
    ("escape", "back"),
    ("q", "quit"),
)
READ = """\
The screen is read from the top: is it alive, what is wrong, is the best real, what was tried and what never, how the \
score went, whether it repeats itself.
A blind walker draws knobs and cells at random, as often as this run did: whoever explores less is not exploring.
UNKNOWN is never a pass. n<8 stands where fewer than 8 observations are behind a number.
The best is CONFIRMED where other evaluations of the same configuration beat what it was built on by more than noise; \
what it is likely to score again stands beside what it claims.
"""


def why(p: Panel, columns: int) -> list[Line]:
    """Every verdict, those that do not pass first, each with the trials that show it."""
    out = _paragraph(p.word.word, p.word.sentence, columns)
    out += [[], [Span(f" {plural(p.odd, 'notice')} about the file", "head")]] if p.odd else []
    out += [[Span(f"   {cut(x, columns - 4)}", "warn")] for x in p.notices]
    seen = {t.row.seq: t for t in p.trials}
    passed = [x for x in p.verdicts if x.level is Level.PASS]
    lacking = [x for x in p.verdicts if blind(x)]
    for v in (*p.alarms, *passed, *lacking):
        if v is next(iter(lacking), None):
            out += [[], [Span(" what could not be asked of this run, which is no pass", "head")]]
        out += ([] if v in lacking else [[]]) + _verdict(v, columns)
        known = [seen[s] for s in v.evidence if s in seen]
        if v.level:
            out += [[Span("  "), *trial(t, columns - 2)] for t in known[:SHOWN]]
            if len(v.evidence) > SHOWN:
                out.append([Span(f"   trials in all: {', '.join(map(str, v.evidence))}"[: 2 * columns], "dim")])
    return out


def gaps(p: Panel, run: Run | None, columns: int) -> list[Line]:
    """Knobs that no trial touched, and cells that none entered."""
    known = run.header.menu if run is not None else None
    if run is None or known is None:
        return _paragraph("gaps", "What was never tried is not known: there is no menu (--menu FILE).", columns)
    out: list[Line] = [[Span(f" never touched ({len(p.never)} of {len(known.knobs)} knobs)", "head")]]
    never = [k for k in known.knobs.values() if not run.tally.knobs[k.name].evaluated]
    out += [_cells(k, set(), columns) for k in never[:MOST]]
    if not never:
        out.append([Span("   none: every knob was touched", "good")])
    out += [[], [Span(" cells never entered, of knobs that were touched", "head")]]
    for k in [k for k in known.knobs.values() if k not in never][:MOST]:
        out.append(_cells(k, run.tally.knobs[k.name].cells, columns))
    if len(known.knobs) > 2 * MOST:
        out.append([Span(f"   {len(known.knobs)} knobs in all; the analysis has them (e)", "dim")])
    return out


def rail(p: Panel, run: Run | None, columns: int) -> list[Line]:
    """What the rail refused, and whether it was seen to fire."""
    since = f", {age(p.rail.age_s)} ago" if p.rail.age_s is not None else ""
    said = {
        "PROVEN": f"shown faults on purpose, it refused them{since}",
        "FAILED": f"shown faults on purpose, it let some pass{since}",
        "NEVER PROVEN": "nobody showed it faults on purpose in this run: `trajscope rail selftest` does",
    }[p.rail.state]
    out = _paragraph(p.rail.state, said, columns)
    rules = sorted(run.tally.rules.items(), key=lambda x: -x[1]) if run is not None else []
    out += [[], [Span(f" {plural(p.rows.refused, 'attempt')} refused", "head")]]
    top = max((n for _, n in rules), default=1)
    for name, n in rules[:MOST]:
        bar = "█" * max(1, round(20 * n / top))
        out.append([Span(f"   {short(name, 30):<30} "), Span(bar, "warn"), Span(f" {n:,}")])
    latest = [t for t in p.trials if t.row.refused][:MOST]
    out += [[], [Span(" the latest trials in which it refused something", "head")]] if latest else []
    return out + [[Span("  "), *trial(t, columns - 2)] for t in latest]


def help_(columns: int) -> list[Line]:
    """The keys, and how to read the screen."""
    out: list[Line] = [[Span(f" {key:<9}", "key"), Span(text)] for key, text in KEYS]
    for text in READ.splitlines():
        out += [[], *([Span(f" {x}")] for x in wrapped(text, columns - 2, LINES))]
    return out


def _verdict(v: Verdict, columns: int) -> list[Line]:
    mark = MARKS.get(v.level.name, ("●", ""))[0]
    first, *rest = wrapped(v.reason, columns - RULE - 4, LINES)
    head: Line = [Span(f" {mark} {cut(v.rule, RULE):<{RULE}} ", LEVELS[v.level]), Span(first)]
    return [head, *([Span(" " * (RULE + 4)), Span(x)] for x in rest)]


def _paragraph(head: str, text: str, columns: int) -> list[Line]:
    first, *rest = wrapped(text, columns - len(head) - 4, LINES)
    return [[Span(f" {head}  ", "head"), Span(first)], *([Span(" " * (len(head) + 3)), Span(x)] for x in rest)]


def _cells(k: Knob, entered: set[str], columns: int) -> Line:
    """The cells of a knob: those of a range as a strip, those of choices by name where nobody chose them."""
    name = Span(f"   {short(k.name, 24):<25}")
    if k.choices is not None:
        known = [x for x in (_choice(k, c) for c in k.choices) if x is not None]
        default = _choice(k, k.default) if k.default_cell else None
        left = [clean(x) for x in known if x != default and f"{k.name}={x}" not in entered]
        text = Span(f"never: {', '.join(left)}", "warn") if left else Span("every choice was tried", "good")
        return [name, Span(cut(text.text, columns - 30), text.role)]
    if k.range is None:
        return [name, Span("has neither choices nor a range", "dim")]
    strip = [Span("█", "accent") if f"{k.name}#{i}" in entered else Span("░", "warn") for i in range(k.size)]
    low, high = (number(x) for x in k.range)
    tried = sum(f"{k.name}#{i}" in entered for i in range(k.size))
    return [name, *strip, Span(f"  {tried} of {k.size} parts from {low} to {high}, {k.scale}", "dim")]


def _choice(k: Knob, value: object) -> str | None:
    cell = k.cell(value)
    return None if cell is None else cell.removeprefix(f"{k.name}=")
