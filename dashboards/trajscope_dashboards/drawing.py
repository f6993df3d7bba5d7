"""Frames of a run as the pictures of its page: one specification each, ready for the script that draws them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from trajscope import charts

Spec = dict[str, Any]
FIRST = "history"  # what moves with every row
OTHERS = ("believed", "holdout", "tiles", "walkers", "repeats")
NAMES = (FIRST, *OTHERS)
QUESTIONS = {
    "history": "What happened, trial by trial?",
    "believed": "How much of the best is luck?",
    "holdout": "Does the holdout go along?",
    "tiles": "Where has it been, and where never?",
    "walkers": "Would a blind walker have seen more?",
    "repeats": "Is it going in circles?",
}


def inputs(frames: Any, name: str) -> tuple[Any, ...]:
    """All that a picture is made of."""
    return tuple(getattr(frames, field) for field in _MADE_OF[name])


def same(a: tuple[Any, ...] | None, b: tuple[Any, ...]) -> bool:
    """Whether two pictures made of these would be the same."""
    return a is not None and all(x.equals(y) if hasattr(x, "equals") else x == y for x, y in zip(a, b, strict=True))


def specs(frames: Any, names: Iterable[str]) -> dict[str, Spec]:
    """The pictures of these names."""
    from altair.utils.schemapi import debug_mode

    # Every part would be held against the grammar's schema as it is made, which costs more than all the rest.
    with debug_mode(False):
        return {
            name: _spec(_DRAW[name](frames), frames.trials.height if name == FIRST else None)
            for name in names
            if name != "holdout" or frames.holdouts.height
        }


def still(spec: bytes) -> bytes:
    """A picture as it stands, for a page without a script."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(msgspec.json.decode(spec), allowed_base_urls=[])
    return svg.encode()


def _history(f: Any) -> Any:
    return charts.history(
        f.trials, metric=f.metric, goal=f.goal, unit=f.unit, baseline=f.baseline, noise_sd=f.noise_sd, plateau=f.plateau
    )


def _walkers(f: Any) -> Any:
    what, total = f.ground
    return charts.walkers(f.reach, total=total, what=what)


def _believed(f: Any) -> Any:
    middle, low, high = f.believed
    return charts.believed(f.evaluations, metric=f.metric, middle=middle, low=low, high=high)


_DRAW: dict[str, Any] = {
    "history": _history,
    "believed": _believed,
    "holdout": lambda f: charts.holdout(f.holdouts, metric=f.metric, name=f.holdout or "holdout"),
    "tiles": lambda f: charts.tile_map(f.tiles, f.visits),
    "walkers": _walkers,
    "repeats": lambda f: charts.repeat_rate(f.rates),
}

_MADE_OF = {
    "history": ("trials", "metric", "goal", "unit", "baseline", "noise_sd", "plateau"),
    "believed": ("evaluations", "believed", "metric"),
    "holdout": ("holdouts", "holdout", "metric"),
    "tiles": ("tiles", "visits"),
    "walkers": ("reach", "ground"),
    "repeats": ("rates",),
}


def _spec(chart: Any, trials: int | None) -> Spec:
    # The specification is validated by the tests, not again at every row.
    spec: Spec = charts.bare(chart.to_dict(validate=False))
    if trials is not None:
        spec["usermeta"]["trials"] = trials  # that were evaluated when it was drawn
    return _numbered(spec)


def _numbered(spec: Spec) -> Spec:
    """The same picture with its data and parts named by their order: named by a hash, every row would rename them."""
    sets = {name: f"rows{i}" for i, name in enumerate(spec.get("datasets", ()))}
    views: dict[str, str] = {}
    if sets:
        spec["datasets"] = {sets[name]: rows for name, rows in spec["datasets"].items()}
    _rename(spec, sets, views)
    for param in spec.get("params", ()):
        if "views" in param:
            param["views"] = [views.get(name, name) for name in param["views"]]
    return spec


def _rename(part: Spec, sets: Mapping[str, str], views: dict[str, str]) -> None:
    if (data := part.get("data")) and data.get("name") in sets:
        part["data"] = {**data, "name": sets[data["name"]]}
    if "name" in part:
        part["name"] = views.setdefault(part["name"], f"part{len(views)}")
    for inside in ("layer", "vconcat"):
        for one in part.get(inside, ()):
            _rename(one, sets, views)
