"""Frames of a run as the pictures of its page: one specification each, ready for the script that draws them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from trajscope import charts

FIRST = "history"  # what moves with every row
OTHERS = ("tiles", "walkers", "repeats")
NAMES = (FIRST, *OTHERS)
QUESTIONS = {
    "history": "What happened, trial by trial?",
    "tiles": "Where has it been, and where never?",
    "walkers": "Would a blind walker have seen more?",
    "repeats": "Is it going in circles?",
}


def specs(frames: Any, names: Iterable[str]) -> dict[str, bytes]:
    """The pictures of these names, as JSON."""
    from altair.utils.schemapi import debug_mode

    # Every part would be held against the grammar's schema as it is made, which costs more than all the rest.
    with debug_mode(False):
        return {name: _json(_DRAW[name](frames), frames.trials.height if name == FIRST else None) for name in names}


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


_DRAW: dict[str, Any] = {
    "history": _history,
    "tiles": lambda f: charts.tile_map(f.tiles),
    "walkers": _walkers,
    "repeats": lambda f: charts.repeat_rate(f.rates),
}


def _json(chart: Any, trials: int | None) -> bytes:
    # The specification is validated by the tests, not again at every row.
    spec = charts.bare(chart.to_dict(validate=False))
    if trials is not None:
        spec["usermeta"]["trials"] = trials  # that were evaluated when it was drawn
    return msgspec.json.encode(spec)
