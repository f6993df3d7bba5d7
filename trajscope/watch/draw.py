"""A panel as lines of text for a screen of any size, in the order in which it is read.

Is it alive, what is wrong, is the best real, what was never tried, how did it go; what does not fit is left out last.
"""

from __future__ import annotations

from collections.abc import Sequence

from trajscope.readable import age, duration, number, ordinal, plural, spark
from trajscope.review.gain import MIN_DF
from trajscope.review.ground import TRAILING
from trajscope.rules.ground import MIN_TRIALS
from trajscope.trial import STATUSES
from trajscope.verdict import Level
from trajscope.watch.chart import chart
from trajscope.watch.ink import Line, Role, Span, beside, cut, fit, flow, padded, wrapped
from trajscope.watch.panel import Bar, Panel
from trajscope.watch.seen import Line as Trial

INDENT = 10  # columns of the labels at the left
WIDE = 150  # columns from which on the knobs stand beside the rest
ROOMY = 22  # lines from which on nothing is shortened
MOST_CHART = 14
MARKED = "★"
BAR = 12  # columns of the bar of knobs touched
WORDS: dict[str, tuple[str, Role]] = {
    "TAMPERED": ("✗", "bad"),
    "SUSPECT": ("✗", "bad"),
    "FLAILING": ("✗", "bad"),
    "STALLED": ("!", "warn"),
    "UNKNOWN": ("?", "warn"),
    "RESEARCHING": ("●", "good"),
}
STATES: dict[str, tuple[str, Role]] = {
    "absent": ("? NOT THERE", "warn"),
    "reading": ("… READING", "accent"),
    "replay": ("▶ REPLAY", "accent"),
    "not begun": ("? NOT BEGUN", "warn"),
    "running": ("● RUNNING", "good"),
    "waiting": ("‖ WAITS FOR A PERSON", "warn"),
    "stalled": ("! SILENT", "bad"),
    "gone": ("! FILE DELETED", "warn"),
    "ended": ("■ ENDED", "dim"),
    "cut off": ("■ ENDED, no last word", "warn"),
}
LEVELS: dict[Level, Role] = {Level.FAIL: "bad", Level.UNKNOWN: "warn", Level.WARN: "warn", Level.PASS: "good"}
BELIEFS: dict[str, tuple[str, Role]] = {
    "CONFIRMED": ("● CONFIRMED", "good"),
    "UNCONFIRMED": ("! UNCONFIRMED", "warn"),
    "UNKNOWN": ("? REAL OR LUCK: UNKNOWN", "warn"),
    "NONE": ("? NO BEST YET", "warn"),
    "DOUBTED": ("✗ NOT TO BE TRUSTED", "bad"),
}


def screen(p: Panel, columns: int, lines: int) -> list[Line]:
    """The panel in at most so many lines."""
    tight = lines < ROOMY
    top = [*alive(p, columns)[: 3 if tight else 4], *verdict(p, columns, 2 if tight else 4)]
    side = columns >= WIDE
    left = columns * 3 // 5 if side else columns
    few = 2 if tight else 4
    if not p.rows.trials:
        return [fit(line, columns) for line in [*top, [], *nothing(p)]][:lines]
    body = [*best(p, left)[:few], *ground(p, left)[:few]]
    if not side:
        body += never(p, columns, 1 if tight else 2)
    tail = repeats(p, left)[:few]
    knobs = [] if side else knob_lines(p, columns, 1 if tight else 6)
    room = lines - len(top) - len(body) - len(tail) - len(knobs)
    drawn = _score(p, left, min(MOST_CHART, room)) if room >= 2 else []
    main = [*body, *drawn, *tail, *knobs]
    if side:
        main = beside(main, tall_knobs(p, columns - left - 2, len(main)), left + 2)
    return [fit(line, columns) for line in (*top, *main)][:lines]


def nothing(p: Panel) -> list[Line]:
    """What stands where there is no trial to speak of."""
    said = "The first trial is shown as soon as it is written." if p.fresh.state != "ended" else "It holds no trial."
    return [[Span(f" {said}", "dim")]]


def alive(p: Panel, columns: int) -> list[Line]:
    """Is it alive, and is what is shown fresh."""
    f, r = p.fresh, p.rows
    text, role = STATES[f.state]
    if p.read is not None:
        text += f" {p.read:.0%}"
    parts: list[Line] = [[Span(cut(p.name, max(12, columns // 3)), "head")], [Span(text, role)]]
    if f.age_s is not None and f.state != "replay":
        usual = f" (usual {duration(f.usual_s)})" if f.usual_s is not None else ""
        parts.append([Span(f"last sign {age(f.age_s)} ago", "bad" if f.state == "stalled" else ""), Span(usual, "dim")])
    count = [Span(plural(r.trials, "trial"))]
    count.append(Span(f", {plural(r.bad, 'bad line')}", "bad" if r.bad else "dim"))
    if r.torn:
        count.append(Span(f", {plural(r.torn, 'torn line')}", "bad"))
    if r.held and f.state not in ("reading", "replay"):
        count.append(Span(", half a line waits", "warn"))
    parts.append(count)
    proof = p.rail
    since = f" {age(proof.age_s)} ago" if proof.age_s is not None else ""
    rail: Role = {"PROVEN": "good", "FAILED": "bad"}.get(proof.state, "warn")  # type: ignore[assignment]  # three roles
    refused = f", refused {r.refused:,}" if r.refused else ""
    parts.append([Span("rail "), Span(proof.state + since, rail), Span(refused)])
    if p.metric:
        parts.append([Span(p.metric, "dim")])
    head = flow("", parts, columns, 1)
    if p.waits:
        head.append([Span(" ‖ ", "warn"), Span(cut(p.waits, columns - 3), "warn")])
    if p.notices:
        more = f" ({plural(p.odd, 'notice')}, w shows them)" if p.odd > 1 else ""
        head.append([Span(" ! ", "warn"), Span(cut(p.notices[-1] + more, columns - 3), "warn")])
    return head


def verdict(p: Panel, columns: int, most: int) -> list[Line]:
    """The word, the sentence that justifies it, and how much else speaks."""
    mark, role = WORDS.get(p.word.word, WORDS["UNKNOWN"])
    role = _so_far(p, role)
    part = f" so far, {p.read:.0%} read" if p.fresh.state == "reading" and p.read is not None else ""
    said = f" {mark} {p.word.word}{part}  "
    fails = sum(v.level is Level.FAIL for v in p.alarms)
    counted = [plural(n, w) for n, w in ((fails, "alarm"), (len(p.alarms) - fails, "warning")) if n]
    more = f"  [{', '.join(counted)}: w]".replace(" ", "\u00a0").replace("\u00a0\u00a0[", "  [") if counted else ""
    room = (columns - len(said)) * most - len(more)
    texts = wrapped(p.word.sentence + more, columns - len(said), most + 1)
    while len(texts) > most and room > 0:  # words do not fill a line to its end, so how many letters fit is tried
        room -= 8
        texts = wrapped(clipped(p.word.sentence, room) + more, columns - len(said), most + 1)
    first, *rest = (x.replace("\u00a0", " ") for x in texts[:most])
    strong: Role = role if role == "bad" else ""
    return [[Span(said, role), Span(first, strong)], *([Span(" " * len(said)), Span(x, strong)] for x in rest)]


def best(p: Panel, columns: int) -> list[Line]:
    """Can I believe the best."""
    b = p.best
    text, role = BELIEFS[b.belief]
    role = _so_far(p, role)
    parts: list[Line] = []
    if b.value is not None:
        parts.append([Span(number(b.value, 6), "head"), Span(f" at trial {b.seq}")])
    parts.append([Span(text, role)])
    if b.claimed is not None:
        share = f", {abs(b.fraction):.2%}" if b.fraction is not None else ""
        parts.append([Span(f"claims {number(abs(b.claimed), 3)}{share} {'better' if b.claimed >= 0 else 'worse'}")])
    if b.shrunk is not None:
        again = f" (gain {number(b.shrunk_gain, 3)})" if b.shrunk_gain is not None else ""
        parts.append([Span(f"likely {number(b.shrunk, 6)} if run again{again}")])
    if b.sd is None:
        parts.append([Span(f"noise n<{MIN_DF}", "warn")])
    else:
        smallest = f", one trial shows {number(b.detectable, 2)} or more" if b.detectable else ""
        parts.append([Span(f"noise sd {number(b.sd, 2)} (n={b.df}){smallest}", "dim")])
    lines = flow("best", parts, columns, INDENT)
    if b.why and b.belief != "UNCONFIRMED":
        lines += [[Span(" " * INDENT), Span(cut(b.why, columns - INDENT), "dim")]]
    return lines


def ground(p: Panel, columns: int) -> list[Line]:
    """What was tried, against a walker that draws blindly."""
    g = p.ground
    parts: list[Line] = []
    if g.total and g.touched is not None:
        full = round(BAR * g.touched / g.total)
        parts.append(
            [Span("█" * full, "accent"), Span("░" * (BAR - full), "dim"), Span(f" {g.touched} of {g.total} knobs")]
        )
        if g.blind is not None:
            role: Role = "warn" if g.touched < g.blind - 1 else "dim"
            parts.append([Span(f"a blind walker would touch {g.blind:.1f}", role)])
    elif g.touched is not None:
        parts.append([Span(f"{plural(g.touched, 'knob')} touched"), Span(", of how many is not known (--menu)", "dim")])
    if g.cells_total and g.cells is not None:
        blind = f" (blind {g.cells_blind:.0f})" if g.cells_blind is not None else ""
        parts.append([Span(f"{g.cells} of {g.cells_total} cells{blind}")])
    effective = f", effective {number(g.effective, 3)}" if g.effective is not None else ""
    parts.append([Span(f"{plural(g.pairs, 'pair')} in {plural(g.counted, 'proposal')}{effective}")])
    if g.waste:
        parts.append([Span(f"{g.waste:.0%} of {duration(g.wall_s)} on repeats", "warn" if g.waste > 0.5 else "dim")])
    return flow("ground", parts, columns, INDENT)


def never(p: Panel, columns: int, most: int) -> list[Line]:
    """What no trial ever touched."""
    if not p.never:
        return []
    texts = wrapped(f"never tried ({len(p.never)}): {', '.join(p.never)}", columns - INDENT, most)
    return [[Span(" " * INDENT), Span(text, "warn")] for text in texts]


def repeats(p: Panel, columns: int) -> list[Line]:
    """How often the same again, and for how long nothing better."""
    r, parts = p.repeats, []
    late: Span = Span(f"last ten n<{TRAILING}", "warn")
    if r.late is not None:
        late = Span(f"{round(r.late * TRAILING)} of the last {TRAILING} tried before", _bad(r.late, 0.5, 0.8))
    if r.rates:
        ends = f"{r.rates[0]:.0%} " if len(r.rates) > 1 else ""
        line = [Span(ends, "dim"), Span(spark(r.rates, 24), "accent"), Span(f" {r.rates[-1]:.0%}")]
        parts.append([*line, Span(f" per {r.each}", "dim")])
    parts.append([late])
    since = [("by value", r.since_best), ("by keep", r.since_keep)]
    aside = ", ".join(f"{n:,} {what}" for what, n in since if n is not None)
    if p.rows.evaluated < MIN_TRIALS:
        dry = f"plateau n<{MIN_TRIALS}"
    elif r.dry is None:
        dry = f"plateau unknown: {cut(r.dry_why, 36)}"
    else:
        dry = f"plateau {plural(r.dry, 'trial')} since a best beyond noise"
    parts.append([Span(dry), Span(f" ({aside})" if aside else "", "dim")])
    return flow("repeats", parts, columns, INDENT)


def knob_lines(p: Panel, columns: int, most: int) -> list[Line]:
    """Knobs by family, as many as fit: how often each was proposed."""
    if not p.knobs:
        return []
    top = max(b.counted for b in p.knobs)
    parts: list[Line] = []
    family = ""
    for b in p.knobs:
        head = [] if b.family == family else [Span(f"{b.family}: ", "dim")]
        family = b.family
        bar = "█" * max(1, round(6 * b.counted / top))
        parts.append([*head, Span(f"{cut(b.name, 24)} "), Span(bar, "accent"), Span(f" {b.counted:,}")])
    lines = flow("knobs", parts, columns, INDENT, "  ")
    if len(lines) <= most:
        return lines
    kept = lines[:most]
    kept[-1] = [*fit(kept[-1], columns - 12), Span("  … g all", "dim")]
    return kept


def tall_knobs(p: Panel, columns: int, most: int) -> list[Line]:
    """Knobs one below the other, with the share of their cells, and those that were never tried."""
    lines: list[Line] = [[Span("knobs by family", "head"), Span("   proposals, kept, cells touched", "dim")]]
    never: list[Line] = []
    if p.never:
        texts = wrapped(f"never tried ({len(p.never)}): {', '.join(p.never)}", columns, 4)
        never = [[Span(t, "warn")] for t in texts]
    room = most - len(lines) - len(never)
    top = max((b.counted for b in p.knobs), default=1)
    name = min(24, max((len(b.name) for b in p.knobs), default=0))
    family_width = min(14, max((len(b.family) for b in p.knobs), default=0))
    rows: list[Line] = []
    family = ""
    for b in p.knobs:
        rows.append(_tall(b, family, name, family_width, top, columns))
        family = b.family
    if len(rows) > room:
        rows = [*rows[: max(0, room - 1)], [Span(f"… and {len(rows) - max(0, room - 1)} more (g)", "dim")]]
    return [*lines, *rows, *never]


def _tall(b: Bar, family: str, name: int, family_width: int, top: int, columns: int) -> Line:
    shown = "" if b.family == family else cut(b.family, family_width)
    room = max(4, columns - name - family_width - 26)
    bar = "█" * max(1, round(room * b.counted / top))
    cells = f" {b.cells}/{b.cells_total}" if b.cells_total else ""
    return [
        Span(shown.ljust(family_width + 1), "dim"),
        Span(cut(b.name, name).ljust(name + 1)),
        Span(bar, "accent"),
        Span(f" {b.counted:,}"),
        Span(f" kept {b.kept}" if b.kept else "", "good"),
        Span(cells, "dim"),
    ]


def head(columns: int, said: str = "what was tried") -> Line:
    """The heads of the list of trials."""
    text = _cells(("trial", "status", cut(said, _widths(columns)[2]), "time", "value", ""), columns)
    return [Span(cut(text, columns), "dim")]


def holds(t: Trial, words: Sequence[str]) -> bool:
    """Whether all words, in lower case, occur in a trial as it is shown."""
    time = "" if not t.row.k else "new" if t.row.k == 1 else "repeat"
    text = f"{t.row.seq} {t.row.iter} {_status(t)} {t.pair} {time} {_notes(t)}".casefold()
    return all(w in text for w in words)


def trial(t: Trial, columns: int, *, marked: bool = False) -> Line:
    """One trial of the list; a bookmark stands behind its number."""
    r = t.row
    status = _status(t)
    role: Role = {"kept": "good", "crashed": "bad", "blocked": "warn"}.get(status, "")  # type: ignore[assignment]  # roles
    mark = {"kept": "◆ kept", "crashed": "! crashed", "blocked": "x blocked"}.get(status, f"· {status}")
    time = "" if not r.k else "new" if r.k == 1 else ordinal(r.k)
    value = number(r.value, 6) if r.value is not None else ""
    pair = _widths(columns)[2]
    label = cut(t.pair, pair)
    cells = _cells((str(r.seq), mark, "", time, value, ""), columns)
    at = _widths(columns)
    start = at[0] + at[1] + 3
    return fit(
        [
            Span(cells[: at[0]]),
            Span(MARKED, "key") if marked else Span(" "),
            Span(cells[at[0] + 1 : start], role),
            *padded([Span(label, "dim" if r.k > 1 else "")], pair),
            Span(cells[start + pair :], "dim" if r.k > 1 else ""),
            Span(_notes(t), "bad" if r.drifted else "accent"),
        ],
        columns,
    )


def _status(t: Trial) -> str:
    return STATUSES[t.row.status].replace("_", " ")


def _notes(t: Trial) -> str:
    """What is out of the ordinary about a trial."""
    r = t.row
    found = [w for w in ("new_best", "noop", "near", "revisit", "replicate", "drifted") if getattr(r, w)]
    found += [f"{r.refused} refused"] if r.refused else []
    return ", ".join(found).replace("noop", "no-op").replace("new_best", "best so far")


def _widths(columns: int) -> tuple[int, ...]:
    return 6, 12, max(16, min(60, columns - 56)), 5, 10


def _cells(texts: Sequence[str], columns: int) -> str:
    number_, status, pair, time, value = _widths(columns)
    a, b, c, d, e, f = texts
    return f"{a:>{number_}} {b:<{status}}  {c:<{pair}} {d:>{time}} {e:>{value}}  {f}"


def summary_head(columns: int) -> Line:
    """The heads of the list of runs."""
    return [Span(cut(_summary(("", "run", "state", "trials", "each", "best", "heard"), columns), columns), "dim")]


def summary(p: Panel, columns: int, name: str = "") -> Line:
    """One run in one line: word, name, state, trials, pace, best, age."""
    mark, role = WORDS.get(p.word.word, WORDS["UNKNOWN"])
    role = _so_far(p, role)
    state = f"read {p.read:.0%}" if p.read is not None else p.fresh.state
    pace = duration(p.fresh.usual_s) if p.fresh.usual_s is not None else "n<3"
    last = age(p.fresh.age_s) if p.fresh.age_s is not None else "?"
    word = f"{mark} {p.word.word}"
    cells = (
        word,
        cut(name or p.name, _name(columns)),
        state,
        f"{p.rows.trials:,}",
        pace,
        number(p.best.value, 5),
        last,
    )
    line = _summary(cells, columns)
    return fit([Span(line[:14], role), Span(line[14:]), Span(f"  {p.word.sentence}", "dim")], columns)


def urgency(p: Panel) -> int:
    """What to look at first: the worst word."""
    return list(WORDS).index(p.word.word) if p.word.word in WORDS else len(WORDS)


def _name(columns: int) -> int:
    return max(14, min(40, columns // 4))


def _summary(texts: Sequence[str], columns: int) -> str:
    word, name, state, trials, pace, best_, last = texts
    padded_name = name + " " * (_name(columns) - len(name))
    return f"{word:<13} {padded_name} {state:<9} {trials:>7} {pace:>6} {best_:>8} {last:>9}"


def _score(p: Panel, columns: int, lines: int) -> list[Line]:
    label = Span(" score".ljust(INDENT), "head")
    drawn = chart(p.score, columns - INDENT, lines)
    legend = ["◆ kept", "· revert", "─ best", *(["░ noise"] if p.score.sd else [])] if len(drawn) >= 6 else []
    out = [[label if i == 0 else Span(" " * INDENT), *line] for i, line in enumerate(drawn)]
    for i, text in enumerate(legend, 1):
        out[i] = [Span(f" {text}"[:INDENT].ljust(INDENT), "dim"), *out[i][1:]]
    return out


def clipped(text: str, most: int) -> str:
    """A text that ends with a whole word."""
    return text if len(text) <= most else text[:most].rpartition(" ")[0] + " …"


def _so_far(p: Panel, role: Role) -> Role:
    """What stands well in the part of a file that was read proves nothing about the rest."""
    return "dim" if role == "good" and p.fresh.state == "reading" else role


def _bad(x: float, warn: float, fail: float) -> Role:
    return "bad" if x >= fail else "warn" if x >= warn else ""
