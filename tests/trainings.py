"""Trainings of the perturbation domain that several tests look at, each made once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from trajscope_loop.domains import perturbation

Seeds = dict[int, dict[str, float]]  # seed -> metrics


def trained(config: Mapping[str, Any], seeds: Iterable[int] = range(5)) -> Seeds:
    """What a configuration scores with each of these seeds."""
    return {seed: _run(tuple(sorted(config.items())), seed) for seed in seeds}


@cache
def _run(config: tuple[tuple[str, Any], ...], seed: int) -> dict[str, float]:
    return perturbation.run(dict(config), seed)
