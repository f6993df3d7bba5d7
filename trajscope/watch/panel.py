"""Everything the screen of one run shows, as plain values, in the order in which it is read.

A pure function of what is known and what time it is; knows no terminal. No text in it can steer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from trajscope import stats
from trajscope.columns import Row
from trajscope.fold import Unknown
from trajscope.live import Live, Said
from trajscope.readable import clean, short
from trajscope.review import ground
from trajscope.rules import DOUBTED, NOT_EVALUABLE, SILENCE, Fresh, Word, heard, stalled
from trajscope.run import Run
from trajscope.verdict import Verdict
from trajscope.watch.history import Piece
from trajscope.watch.seen import Line, Proof, Seen

TOLD = 3  # latest notices that are shown
LONGEST_NAME = 60
LONGEST = 400  # letters of a sentence; all of it is in the analysis
Brake = Literal["PROVEN", "FAILED", "NEVER PROVEN"]
Belief = Literal["CONFIRMED", "UNCONFIRMED", "UNKNOWN", "DOUBTED", "NONE"]


class Rows(NamedTuple):
    """What became of the lines."""

    trials: int = 0
    evaluated: int = 0
    kept: int = 0
    bad: int = 0
    torn: int = 0
    held: int = 0  # bytes of a last line that is not whole yet
    refused: int = 0  # attempts that a rail refused


class Rail(NamedTuple):
    """Whether the rail was seen to fire, and how long ago."""

    state: Brake = "NEVER PROVEN"
    age_s: float | None = None


class Best(NamedTuple):
    """The best, and whether it can be believed. What is None is unknown; `why` says why where nothing is known."""

    belief: Belief = "NONE"
    why: str = ""
    value: float | None = None
    seq: int | None = None
    claimed: float | None = None  # gain over the baseline
    fraction: float | None = None
    shrunk: float | None = None
    shrunk_gain: float | None = None
    method: str = ""
    sd: float | None = None
    df: int = 0
    detectable: float | None = None


class Ground(NamedTuple):
    """How much was tried, against a walker that draws blindly."""

    touched: int | None = None
    total: int | None = None
    blind: float | None = None  # knobs that the walker would have touched
    cells: int | None = None
    cells_total: int | None = None
    cells_blind: float | None = None
    pairs: int = 0
    counted: int = 0
    effective: float | None = None
    wall_s: float | None = None
    waste: float | None = None  # share of the time that went to repeats
    top: float | None = None  # share of the most proposed pair


class Repeats(NamedTuple):
    """How often the same was proposed again, and for how long nothing got better."""

    rates: tuple[float, ...] = ()
    each: int = ground.WINDOW
    late: float | None = None  # of the last ten
    dry: int | None = None  # trials since a best beyond noise
    dry_why: str = ""
    since_best: int | None = None
    since_keep: int | None = None


class Bar(NamedTuple):
    """One knob."""

    name: str
    family: str
    counted: int
    kept: int
    cells: int | None
    cells_total: int | None


class Score(NamedTuple):
    """The history of the score."""

    pieces: tuple[Piece, ...] = ()
    each: int = 1
    baseline: float | None = None
    sd: float | None = None
    goal: str | None = None


class Panel(NamedTuple):
    """The whole screen."""

    name: str
    path: str
    fresh: Fresh
    read: float | None  # share of the file that was read, while it is being read
    rows: Rows
    notices: tuple[str, ...]
    odd: int  # notices in all
    rail: Rail
    word: Word
    alarms: tuple[Verdict, ...]  # every rule that speaks against the run, worst first
    verdicts: tuple[Verdict, ...]
    metric: str
    best: Best
    ground: Ground
    score: Score
    repeats: Repeats
    knobs: tuple[Bar, ...]
    never: tuple[str, ...]  # knobs of the menu that no trial touched
    trials: tuple[Line, ...]  # newest first
    spent_s: float
    at_s: float  # the time that it speaks of
    played: bool  # a finished file, as if it grew
    waits: str = ""  # why it asks for a person, where it does


def panel(
    live: Live,
    seen: Seen,
    said: Said | None,
    fresh: Fresh,
    now_s: float,
    read: float | None = None,
    *,
    played: bool = False,
) -> Panel:
    """What is shown of a run now. `said` may lag behind the rows while a long file is being read."""
    run = live.run
    v: Mapping[str, Any] = said.values if said else {}
    silent = heard(fresh, run.alarms) if run else None
    verdicts = tuple(_plain(x) for x in (*said.verdicts, *((silent,) if silent else ()))) if said else ()
    return Panel(
        name=short(live.source.path.rpartition("/")[2] or live.source.path, LONGEST_NAME),
        path=clean(live.source.path),
        fresh=fresh,
        read=read,
        rows=_rows(run, live.torn),
        notices=tuple(short(x.text.removeprefix(f"{live.source.path}: "), LONGEST) for x in list(live.notices)[-TOLD:]),
        odd=live.odd,
        rail=_rail(seen.proof, now_s),
        word=_word(live, said, silent),
        alarms=tuple(sorted((x for x in verdicts if x.level and not blind(x)), key=lambda x: -x.level)),
        verdicts=verdicts,
        metric=_metric(run),
        best=_best(run, v, said.word.word if said else "") if run and v else Best(),
        ground=_ground(run, v) if run and v else Ground(),
        score=_score(run, seen, v),
        repeats=_repeats(run, v) if run and v else Repeats(),
        knobs=_knobs(v) if v else (),
        never=tuple(short(x, LONGEST_NAME) for x in _known(v.get("coverage.untouched")) or ()),
        trials=seen.listed(partial(_label, run)) if run else (),
        spent_s=seen.spent_s,
        at_s=now_s,
        played=played,
        waits=_waits(seen) if fresh.state == "waiting" else "",
    )


def older(old: Panel, new: Panel) -> bool:
    """Whether nothing but time went by between the two."""
    return _timeless(old) == _timeless(new)


def _timeless(p: Panel) -> Panel:
    """Without what tells an age; silence is told in a sentence, and in that of the word STALLED."""
    told = tuple(x._replace(reason="") if x.rule == SILENCE else x for x in p.verdicts)
    return p._replace(
        at_s=0.0,
        fresh=p.fresh._replace(age_s=None),
        rail=p.rail._replace(age_s=None),
        word=p.word._replace(sentence=""),
        verdicts=told,
        alarms=(),
    )


def blind(v: Verdict) -> bool:
    """Whether a rule lacks the data to say anything: no pass, and no warning either."""
    return v.reason.startswith(NOT_EVALUABLE)


def _known(value: Any) -> Any:
    return None if isinstance(value, Unknown) else value


def _plain(v: Verdict) -> Verdict:
    return v._replace(rule=clean(v.rule), reason=short(v.reason, LONGEST))


def _rows(run: Run | None, held: int) -> Rows:
    if run is None:
        return Rows(held=held)
    t = run.tally
    bad, torn = run.evidence("unreadable").n, run.evidence("torn").n
    return Rows(t.trials, t.e, t.keep_count, bad, torn, held, sum(t.rules.values()))


def _waits(seen: Seen) -> str:
    why = short(seen.waits_for, LONGEST) or "it does not say why"
    return f"asks for a person since line {seen.waits_since}: {why}"


def _rail(proof: Proof | None, now_s: float) -> Rail:
    if proof is None:
        return Rail()
    since = None if proof.time_ms is None else max(0.0, now_s - proof.time_ms / 1000)
    return Rail("PROVEN" if proof.passed else "FAILED", since)


def _word(live: Live, said: Said | None, silent: Verdict | None) -> Word:
    if said is None:
        return Word("UNKNOWN", short(live.why, LONGEST))
    word = stalled(said.word, silent) if silent else said.word
    return Word(word.word, short(word.sentence, LONGEST))


def _metric(run: Run | None) -> str:
    if run is None:
        return ""
    name, goal = run.header.metric, run.header.goal
    better = {"minimize": "lower is better", "maximize": "higher is better"}.get(goal or "", "better which way? --goal")
    return f"{short(name or 'no metric named', 30)}, {better}"


def _best(run: Run, v: Mapping[str, Any], word: str) -> Best:
    df = sum(run.tally.noise_df.values())
    sd = _known(v["noise.sd"])
    noise = {"sd": sd, "df": _known(v["noise.df"]) or df, "detectable": _known(v["noise.min_detectable"])}
    if isinstance(v["best.value"], Unknown):
        return Best(why=clean(v["best.value"].why), **noise)
    loose = v["noise.unconfirmed_keeps"]
    belief, why = "CONFIRMED", ""
    if word in DOUBTED:
        belief, why = "DOUBTED", f"while {word} stands, no gain of this run is to be trusted"
    elif sd is None:
        belief, why = "UNKNOWN", f"nothing tells gain from noise ({clean(v['noise.sd'].why)})"
    elif isinstance(loose, Unknown):
        belief, why = "UNKNOWN", clean(loose.why)
    elif v["best.seq"] in loose or not run.header.has_keeps:
        belief, why = "UNCONFIRMED", "no other evaluation of it beats what it was built on by more than noise"
    return Best(
        belief,  # type: ignore[arg-type]  # one of the words above
        why,
        v["best.value"],
        v["best.seq"],
        _known(v["best.gain"]),
        _known(v["best.gain_fraction"]),
        _known(v["best.shrunk"]),
        _known(v["best.shrunk_gain"]),
        _known(v["best.shrunk_method"]) or "",
        **noise,
    )


def _ground(run: Run, v: Mapping[str, Any]) -> Ground:
    c, cells = run.tally.c, _known(v["coverage.cells.total"])
    return Ground(
        _known(v["coverage.knobs_touched"]),
        _known(v["coverage.knobs_total"]),
        _known(v["nulls.uniform_knobs_expected"]),
        _known(v["coverage.cells.touched"]),
        cells,
        stats.uniform_distinct(cells, c) if cells and c else None,
        v["pairs.unique"],
        c,
        _known(v["diversity.pairs.effective"]),
        _known(v["cost.wall_s"]),
        _known(v["cost.repeat_share"]),
        _known(v["dominance.proposed.share"]),
    )


def _score(run: Run | None, seen: Seen, v: Mapping[str, Any]) -> Score:
    if run is None:
        return Score()
    sd = v.get("noise.sd")
    return Score(seen.history.pieces(), seen.history.each, run.tally.baseline_mean, _known(sd), run.header.goal)


def _repeats(run: Run, v: Mapping[str, Any]) -> Repeats:
    dry, counted = v["plateau.beyond_noise"], len(run.repeats)
    each = ground.width(counted)
    return Repeats(
        tuple(run.repeat_rates(each)),
        min(each, counted) or ground.WINDOW,
        _known(v["pairs.trailing_rate"]),
        _known(dry),
        clean(dry.why) if isinstance(dry, Unknown) else "",
        _known(v["plateau.since_best"]),
        _known(v["plateau.since_keep"]),
    )


def _knobs(v: Mapping[str, Any]) -> tuple[Bar, ...]:
    """Touched knobs, those of one family together, the busiest family first."""
    bars = [
        Bar(
            short(name, LONGEST_NAME),
            short(k["family"], LONGEST_NAME),
            k["counted"],
            k["kept"],
            _known(k["cells"]),
            _known(k["cells_total"]),
        )
        for name, k in v["coverage.by_knob"].items()
        if k["counted"]
    ]
    busy: dict[str, int] = {}
    for b in bars:
        busy[b.family] = busy.get(b.family, 0) + b.counted
    return tuple(sorted(bars, key=lambda b: (-busy[b.family], b.family, -b.counted)))


def _label(run: Run, row: Row) -> str:
    return clean(run.ground.pairs[row.pair].pair.label[:LONGEST]) if row.pair >= 0 else ""
