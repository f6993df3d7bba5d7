"""Frames: what the charts are made of, of one run as it stands now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from trajscope import charts, nulls
from trajscope.lookout.course import Course
from trajscope.readable import clean
from trajscope.report import facts
from trajscope.review import ground
from trajscope.run import Run
from trajscope.watch.panel import Panel

if TYPE_CHECKING:
    import polars as pl


class Frames(NamedTuple):
    """The frames and numbers of one run, named as the charts name them."""

    metric: str
    goal: Literal["minimize", "maximize"]
    unit: str | None
    baseline: float | None
    noise_sd: float | None
    plateau: tuple[int, int] | None  # first and last trial of the stretch without a best beyond noise
    trials: pl.DataFrame  # evaluated: seq, value, kept, repeat, pair
    tiles: pl.DataFrame  # knob, family, at, text, default, proposed, evaluated, kept, mean, first
    reach: pl.DataFrame  # c, reached
    ground: tuple[str, int | None]  # what is counted as ground, and how much of it there is
    visits: pl.DataFrame  # knob, at, seq
    rates: pl.DataFrame  # first, last, n, rate, expected
    evaluations: pl.DataFrame  # seq, value, kind: of the best configuration and of the baseline
    believed: tuple[float | None, float | None, float | None]  # the shrunk best, and the ends of its interval
    holdout: str | None  # the name of the metric that is held out
    holdouts: pl.DataFrame  # seq, value, holdout: of keeps


def frames(run: Run, panel: Panel, course: Course) -> Frames:
    """The frames of a run as it stands."""
    import polars as pl

    trials, header, g = course.evaluated(), run.header, panel.ground
    dry = panel.repeats.dry
    seqs = trials["seq"]
    what: tuple[str, int | None] = ("cells", g.cells_total) if g.cells_total else ("knobs", g.total)
    at = 2 if g.cells_total else 1
    schema = {
        "knob": pl.String, "family": pl.String, "at": pl.Int64, "text": pl.String, "default": pl.Boolean,
        "proposed": pl.Int64, "evaluated": pl.Int64, "kept": pl.Int64, "mean": pl.Float64, "first": pl.Int64,
    }  # fmt: skip
    return Frames(
        metric=clean(header.metric or "value"),
        goal="maximize" if header.goal == "maximize" else "minimize",
        unit=clean(header.unit) if header.unit else None,
        baseline=panel.score.baseline,
        noise_sd=panel.score.sd,
        plateau=(int(seqs[-min(dry, len(seqs))]), int(seqs[-1])) if dry and len(seqs) else None,
        trials=trials,
        tiles=pl.DataFrame(course.tiles(), schema),
        reach=pl.DataFrame([(x[0], x[at]) for x in course.reach()], {"c": pl.Int64, "reached": pl.Int64}, orient="row"),
        ground=what,
        visits=pl.DataFrame(course.visits(), {"knob": pl.String, "at": pl.Int64, "seq": pl.Int64}, orient="row"),
        rates=_rates(run),
        **_believed(run, panel, course),
        holdout=next((clean(m.name) for m in header.metrics if m.role == "holdout"), None),
        holdouts=pl.DataFrame(
            course.holdouts, {"seq": pl.Int64, "value": pl.Float64, "holdout": pl.Float64}, orient="row"
        ),
    )


def _believed(run: Run, panel: Panel, course: Course) -> dict[str, Any]:
    """The evaluations of the best and of the baseline, and where the best's true value lies."""
    import polars as pl

    b, at = panel.best, run.tally.best_kept_config
    doc = {
        "best": {"value": b.value, "seq": b.seq, "gain": b.claimed, "shrunk": b.shrunk, "shrunk_gain": b.shrunk_gain},
        "noise": {"sd": b.sd, "df": b.df},
        "baseline": {"value": panel.score.baseline},
    }
    own = course.of_config(run.scores.configs[at] if at >= 0 else None)
    best = facts.best(run, doc, own, course.of_config(run.scores.base))
    kinds = [(seq, v, charts.CLAIMED if seq == b.seq else charts.AGAIN) for seq, v in best["evaluations"]]
    kinds += [(seq, v, charts.BASE) for seq, v in best["baselines"]]
    return {
        "evaluations": pl.DataFrame(kinds, {"seq": pl.Int64, "value": pl.Float64, "kind": pl.String}, orient="row"),
        "believed": (b.shrunk if best["n"] > 1 else None, best["low"], best["high"]),
    }


def _rates(run: Run) -> pl.DataFrame:
    import polars as pl

    schema = {"first": pl.Int64, "last": pl.Int64, "n": pl.Int64, "rate": pl.Float64, "expected": pl.Float64}
    found = nulls.windows(run, ground.width(len(run.repeats)))
    return pl.DataFrame(found, schema)
