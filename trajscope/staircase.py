"""The data half of `charts.best_so_far`: which points, which corners, which limits, which sentences.

Knows nothing of drawing; the noise and the baseline are given, never estimated here.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import polars as pl

DRAWN: Final = 2_500  # more trials than this are thinned
BINS: Final = 250
LARGEST: Final = 1e300  # beyond this a difference of two values overflows: treated as no value
FENCE: Final = 3.0  # interquartile ranges beyond the quartiles at which a point leaves the scale

# What a point can be. The order is the code that `staircase` computes.
KINDS: Final = (
    "kept, first time",
    "kept, a repeat",
    "not kept, first time",
    "not kept, a repeat",
    "above the scale",
    "below the scale",
)


class Staircase(NamedTuple):
    """All of the picture but its ink: `points` (seq, value, kind), `corners` (seq, best), limits and sentences."""

    points: pl.DataFrame
    corners: pl.DataFrame
    trials: int
    best: float
    best_seq: int
    baseline: float | None
    noise_sd: float | None
    low: float
    high: float
    first: int
    last: int
    notes: tuple[str, ...]


def staircase(
    trials: pl.DataFrame, *, goal: Literal["minimize", "maximize"], baseline: float | None, noise_sd: float | None
) -> Staircase | None:
    """Prepare the picture of `trials` (seq, value, kept, repeat); None where no trial has a finite value.

    Where nothing was kept every trial may be the best, unless a column `eligible` says otherwise.
    """
    import polars as pl

    sign = -1.0 if goal == "minimize" else 1.0
    baseline, noise_sd = _usable(baseline), _usable(noise_sd)
    flags = pl.col("kept", "repeat").cast(pl.Boolean).fill_null(value=False)
    may = pl.col("eligible").fill_null(value=False) if "eligible" in trials.columns else pl.lit(value=True)
    rows = trials.select(pl.col("seq").cast(pl.Int64), pl.col("value").cast(pl.Float64), flags, may.alias("may"))
    rows = rows.sort("seq")
    rows = rows.filter(pl.col("value").abs() < LARGEST)  # drops null, NaN and the infinities too
    if rows.is_empty():
        return None
    # Where a format has no keeps, every evaluated trial may be the best.
    eligible = pl.col("kept") if rows["kept"].any() or not rows["may"].any() else pl.col("may")
    signed = pl.when(eligible).then(pl.col("value") * sign)
    rows = rows.with_columns(eligible=eligible, best=signed.cum_max().forward_fill() * sign)
    best = float(rows["best"][-1])
    best_seq = int(rows.filter(pl.col("eligible"), pl.col("value") == best)["seq"][0])

    low, high = _limits(rows, best, baseline, noise_sd)
    code = pl.when("kept").then(0).otherwise(2) + pl.col("repeat").cast(pl.Int32)
    code = pl.when(pl.col("value") > high).then(4).when(pl.col("value") < low).then(5).otherwise(code)
    rows = rows.with_columns(code=code.cast(pl.Int32))
    kind = pl.col("code").replace_strict(dict(enumerate(KINDS)), return_dtype=pl.String)
    points, per_bin = _thin(rows)

    notes = [_gain(rows, best, best_seq, sign, baseline=baseline, noise_sd=noise_sd)]
    if noise_sd is None:
        notes.append("The noise is not known, so no step can be told from luck.")
    elif noise_sd == 0:
        notes.append("Repeats agree exactly: there is no noise to shade.")
    else:
        shaded = f"Shaded: the best so far ±1 noise sd ({noise_sd:.3g})"
        notes.append(f"{shaded}. A step that stays inside it cannot be told from noise.")
    far = rows.filter(pl.col("code") >= 4)["value"]
    if far.len():
        extreme = max(far.to_list(), key=lambda value: abs(value - best))
        notes.append(f"{counted(far.len(), 'trial')} beyond the scale: triangles at the edge, as far as {extreme:.6g}.")
    if missing := trials.height - rows.height:
        notes.append(f"{counted(missing, 'trial')} without a value: not drawn.")
    if per_bin:
        thinned = f"the lowest and highest of each kind in every {per_bin}"
        notes.append(f"Thinned: of {counted(rows.height, 'trial')}, {thinned} are drawn.")
    return Staircase(
        points=points.select("seq", "value", kind=kind),
        corners=_corners(rows, baseline),
        trials=rows.height,
        best=best,
        best_seq=best_seq,
        baseline=baseline,
        noise_sd=noise_sd,
        low=low,
        high=high,
        first=int(rows["seq"][0]),
        last=int(rows["seq"][-1]),
        notes=tuple(notes),
    )


def counted(n: int, noun: str) -> str:
    """`1 trial`, `1,234 trials`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _usable(value: float | None) -> float | None:
    return value if value is not None and abs(value) < LARGEST else None


def _limits(rows: pl.DataFrame, best: float, baseline: float | None, noise_sd: float | None) -> tuple[float, float]:
    """The value axis: outliers stay outside, but never the baseline, the best or a kept step of the staircase."""
    values = rows["value"]
    q1, q3 = (values.quantile(q, "linear") or 0.0 for q in (0.25, 0.75))
    reach = FENCE * ((q3 - q1) or 2 * (noise_sd or 0.0))
    near = values.filter(values.is_between(q1 - reach, q3 + reach)) if reach else values
    inside = [best, *near.to_list(), *([] if baseline is None else [baseline])]
    if rows["kept"].any():
        inside += rows["best"].drop_nulls().to_list()
    low, high = min(inside), max(inside)
    # A noise wider than the whole run gets one run's span on each side: enough to see that it swallows everything.
    halo = min(noise_sd or 0.0, (high - low) or math.inf)
    for middle in (best,) if baseline is None else (best, baseline):
        low, high = min(low, middle - halo), max(high, middle + halo)
    pad = (high - low) * 0.05 or abs(high) * 0.01 or 1.0
    return low - pad, high + pad


def _thin(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Few enough points to draw, and out of how many each: the lowest and the highest of each kind in each bin."""
    import polars as pl

    if rows.height <= DRAWN:
        return rows, 0
    per_bin = math.ceil(rows.height / BINS)
    cells = rows.with_columns(bin=pl.int_range(pl.len()) // per_bin).sort("bin", "code", "value", maintain_order=True)
    ends = cells.group_by("bin", "code", maintain_order=True)
    points = pl.concat([ends.first(), ends.last()]).unique(maintain_order=True)
    return points.select(rows.columns).sort("seq", maintain_order=True), per_bin


def _corners(rows: pl.DataFrame, baseline: float | None) -> pl.DataFrame:
    """The corners of the staircase, from the baseline before the first trial to just after the last."""
    import polars as pl

    known = rows.filter(pl.col("best").is_not_null()).select("seq", "best").cast(pl.Float64)
    corners = known.filter(pl.col("best").ne_missing(pl.col("best").shift()))
    if corners.height > DRAWN:
        corners = corners.gather_every(math.ceil(corners.height / DRAWN))
    start = [] if baseline is None else [{"seq": rows["seq"][0] - 0.5, "best": baseline}]
    end = {"seq": rows["seq"][-1] + 0.5, "best": known["best"][-1]}
    return pl.DataFrame([*start, *corners.to_dicts(), end], schema=corners.schema)


def _gain(
    rows: pl.DataFrame, best: float, seq: int, sign: float, *, baseline: float | None, noise_sd: float | None
) -> str:
    """What the best is worth, beside what luck alone would show."""
    n = rows.height
    said = f"Best{' of all trials (none was kept)' if not rows['kept'].any() else ''}: {best:.6g} at trial {seq}"
    if baseline is None:
        return f"{said}. There is no baseline to compare it with."
    gain = (best - baseline) * sign
    if gain == 0:
        return f"{said}, the same as the baseline."
    share = f" ({abs(gain / baseline):.2%})" if baseline else ""
    said += f", {abs(gain):.4g}{share} {'better' if gain > 0 else 'worse'} than the baseline"
    if not noise_sd:
        return f"{said}."
    said += f": {f'{abs(gain) / noise_sd:,.1f}' if abs(gain) >= 0.1 * noise_sd else 'less than 0.1'} noise sd."
    if n == 1 or gain < 0:
        return said
    # Blom's approximation of the expected largest of n normal draws; within 0.02 sd for every n.
    luck = NormalDist().inv_cdf((n - 0.375) / (n + 0.25))
    return f"{said} Had none of the {n:,} changes an effect, the luckiest would show about {luck:.1f}."
