"""What a keep gate is declared with; what could not refuse is a GateError here, before anything is paid for.

Knows no values. What a gate goes without it names in `without`, with a reason that every decision shows.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from trajscope.errors import GateError
from trajscope.trial import Goal

Kind = Literal["auto", "welch", "moderated", "paired"]
Part = Literal[
    "integrity",
    "fingerprints",
    "guards",
    "margins",
    "variance",
    "incumbent",
    "confirmation",
    "holdout",
    "leaks",
    "judge",  # the gate asks for none: a loop whose programs score themselves says so here, in every decision
]
Range = tuple[float, float]
LEAST_SEEDS = 3  # below this neither arm says anything of its own spread
WIDEST = 1e100  # no range reaches further: a model that diverged to 1e300 still reports finite numbers
FULL_SEEDS = 5  # below this a decision is provisional
# What must be declared, or named in `without`.
DECLARED: tuple[Part, ...] = ("guards", "margins", "holdout")


class Metric(Struct, frozen=True, forbid_unknown_fields=True):
    """The one metric a campaign is about, the range its values can have, and what kind of thing it measures."""

    name: str
    goal: Goal
    within: Range
    kind: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not judge."""
        _named(self.name, "the primary metric")
        _goal(self.goal, self.name)
        _range(self.within, self.name)


class Guard(Struct, frozen=True, forbid_unknown_fields=True):
    """A bound that no seed of a kept trial may break; `drop` also bounds how far the mean may fall from its anchor.

    The anchor is the mean at the campaign's start, or the best of any incumbent: never the last keep alone, along which
    a guard slides down in small steps. A `diversity` guard is one that a predictor ignoring its input cannot pass.
    """

    metric: str
    within: Range
    floor: float | None = None
    ceiling: float | None = None
    drop: float | None = None
    anchor: Literal["start", "best"] = "best"
    kind: Literal["quality", "diversity"] = "quality"

    def __post_init__(self) -> None:
        """Refuse a guard that guards nothing."""
        what = f"guard {_named(self.metric, 'a guard')!r}"
        _range(self.within, what)
        if (self.floor is None) == (self.ceiling is None):
            raise GateError(f"{what} needs a floor or a ceiling, one of them; a guard without a bound guards nothing")
        bound = number(self.bound, f"the {self.side} of {what}")
        if not self.within[0] <= bound <= self.within[1]:
            raise GateError(f"{what}: its {self.side} {bound:g} lies outside {_span(self.within)}")
        if self.drop is not None and number(self.drop, f"the drop of {what}") < 0:
            raise GateError(f"{what}: a drop of {self.drop:g} asks for a rise; give how far it may fall, 0 or more")
        _one_of(self.anchor, ("start", "best"), f"the anchor of {what}")
        _one_of(self.kind, ("quality", "diversity"), f"the kind of {what}")

    @property
    def side(self) -> str:
        """Which bound it has."""
        return "floor" if self.ceiling is None else "ceiling"

    @property
    def bound(self) -> float | None:
        """The floor or the ceiling."""
        return self.floor if self.ceiling is None else self.ceiling

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.ceiling is None else -1


class Margin(Struct, frozen=True, forbid_unknown_fields=True):
    """By how much a candidate must beat every degenerate predictor, on a metric where those are poor."""

    metric: str
    least: float
    goal: Goal = "maximize"
    within: Range | None = None

    def __post_init__(self) -> None:
        """Refuse a margin that is none."""
        what = f"margin on {_named(self.metric, 'a margin')!r}"
        _goal(self.goal, what)
        if number(self.least, f"the least of the {what}") <= 0:
            raise GateError(f"the {what} is {self.least:g}; a margin is above 0")
        if self.within is not None:
            _range(self.within, what)


class Holdout(Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen measure of another kind than the primary, of which nobody learns more than one bit per query.

    `tolerance` is how far below the best released value a candidate may be (by default what noise explains in all but
    one of twenty draws), `eta` by how much it must exceed that to be released itself (one standard error).
    """

    metric: str
    goal: Goal
    within: Range
    kind: str
    budget: int = 50
    tolerance: float | None = None
    eta: float | None = None

    def __post_init__(self) -> None:
        """Refuse a holdout that could be asked for ever."""
        what = f"holdout {_named(self.metric, 'the holdout')!r}"
        _goal(self.goal, what)
        _range(self.within, what)
        if not text(self.kind):
            raise GateError(
                f"{what} says no kind; name what it measures (rank, calibration, ...), other than the primary"
            )
        if not whole(self.budget, 1):
            raise GateError(f"{what} has a budget of {self.budget!r} queries; give a whole number, 1 or more")
        for name in ("tolerance", "eta"):
            given = getattr(self, name)
            if given is not None and number(given, f"the {name} of {what}") < 0:
                raise GateError(f"{what}: its {name} is {given:g}; give 0 or more")


class Speed(Struct, frozen=True, forbid_unknown_fields=True):
    """What gain is plausible where fewer than five finished campaigns can say it; `references` are known values."""

    max_gain_per_window: float | None = None
    plausible_ceiling: float | None = None
    references: Mapping[str, float] = {}

    def __post_init__(self) -> None:
        """Refuse caps that are no numbers."""
        for name in ("max_gain_per_window", "plausible_ceiling"):
            if getattr(self, name) is not None:
                number(getattr(self, name), name)
        if self.max_gain_per_window is not None and self.max_gain_per_window <= 0:
            raise GateError(f"max_gain_per_window is {self.max_gain_per_window:g}; give a gain above 0")
        for name, value in self.references.items():
            number(value, f"the reference {name!r}")


class GateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole gate. The defaults are those of one that is meant; what is left out must be named in `without`."""

    primary: Metric
    guards: tuple[Guard, ...] = ()
    margins: tuple[Margin, ...] = ()
    holdout: Holdout | None = None
    n: int = FULL_SEEDS
    test: Kind = "auto"
    alpha: float = 0.005
    confirm_alpha: float = 0.05
    min_effect: float = 0.0
    min_d: float | None = None
    speed: Speed = Speed()
    without: Mapping[Part, str] = {}

    def __post_init__(self) -> None:
        """Refuse a gate that would be open."""
        if not isinstance(self.primary, Metric):
            raise GateError(
                "a gate has one primary metric; make the others guards, or one of two could collapse unseen"
            )
        _parts(self)
        _counted(self)
        _holdout(self)
        self.ranges  # noqa: B018  # asked for its refusals

    @property
    def sign(self) -> int:
        """1 where more of the primary is better, -1 where less is."""
        return 1 if self.primary.goal == "maximize" else -1

    @property
    def ranges(self) -> dict[str, Range]:
        """The metrics a candidate must report, each with the range of its values; the holdout is not among them."""
        out = {self.primary.name: self.primary.within}
        declared = [(g.metric, g.within) for g in self.guards] + [
            (m.metric, m.within) for m in self.margins if m.within
        ]
        for name, within in declared:
            if out.setdefault(name, within) != within:
                raise GateError(f"{name} has two ranges, {_span(out[name])} and {_span(within)}; declare one")
        for m in self.margins:
            if m.metric not in out:
                raise GateError(f"the margin on {m.metric!r} says no range; give within=(low, high)")
        return out

    @property
    def hash(self) -> str:
        """16 hex digits that name these settings."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]

    def table(self) -> dict[str, Any]:
        """The settings as plain values, for the header of a run."""
        out: dict[str, Any] = msgspec.to_builtins(self)
        return out


def declared(table: Mapping[str, Any]) -> GateSettings:
    """The settings in a table of plain values, as a TOML or JSON file holds them."""
    try:
        return msgspec.convert(table, GateSettings)
    except msgspec.ValidationError as error:
        raise GateError(f"gate: {error}") from None


def number(value: object, what: str) -> float:
    """A finite number, or a GateError: neither None nor a bool, a text, NaN or infinity is a threshold."""
    if finite(value) is None:
        raise GateError(f"{what} is {value!r}; give a finite number")
    return float(value)  # type: ignore[arg-type]  # finite has seen that it is a number


def finite(value: object) -> float | None:
    """The value as a float where it is a finite number; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def text(value: object) -> bool:
    """Whether it is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def whole(value: object, least: int) -> bool:
    """Whether it is a whole number of at least this; a bool is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _parts(s: GateSettings) -> None:
    for part, reason in s.without.items():
        _one_of(part, get_args(Part), "without")
        if not text(reason):
            raise GateError(
                f"the gate goes without {part} and gives no reason; write one, it is shown in every decision"
            )
    for part in DECLARED:
        has = bool(getattr(s, part))
        if has and part in s.without:
            raise GateError(f"the gate declares {part} and goes without them ({s.without[part]}); drop one of the two")
        if not has and part not in s.without:
            raise GateError(f"the gate has no {part}; declare them, or give the reason in without={{'{part}': ...}}")
    for guards, kind in ((s.guards, Guard), (s.margins, Margin)):
        for one in guards:
            if not isinstance(one, kind):
                raise GateError(f"{one!r} is no {kind.__name__}")
    names = [g.metric for g in s.guards]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise GateError(f"guard {twice!r} is declared twice; give one floor or ceiling")


def _counted(s: GateSettings) -> None:
    if not whole(s.n, LEAST_SEEDS):
        raise GateError(
            f"n is {s.n!r} seeds; give a whole number, {LEAST_SEEDS} or more ({FULL_SEEDS} for a full word)"
        )
    _one_of(s.test, get_args(Kind), "the test")
    for name in ("alpha", "confirm_alpha"):
        if not 0 < number(getattr(s, name), name) <= 0.5:
            raise GateError(f"{name} is {getattr(s, name)!r}; give a probability above 0 and at most 0.5")
    if number(s.min_effect, "min_effect") < 0:
        raise GateError(f"min_effect is {s.min_effect:g}; give 0 or more, in units of {s.primary.name}")
    if s.min_d is not None and number(s.min_d, "min_d") < 0:
        raise GateError(f"min_d is {s.min_d:g}; give 0 or more")


def _holdout(s: GateSettings) -> None:
    if s.holdout is None:
        return
    name, kind = s.holdout.metric, s.holdout.kind.strip().casefold()
    if not s.primary.kind.strip():
        raise GateError(f"{s.primary.name} says no kind; name what it measures, so that the holdout can be another")
    if kind == s.primary.kind.strip().casefold() or s.primary.name.casefold() in name.casefold():
        raise GateError(
            f"the holdout {name!r} is the primary {s.primary.name!r} on other data; a shortcut lifts both. "
            "Hold out a metric of another kind"
        )
    if name in s.ranges:
        raise GateError(f"the holdout {name!r} is also a guard or margin, whose values the proposer may see")


def _named(name: str, what: str) -> str:
    if not text(name):
        raise GateError(f"{what} has no name")
    return name


def _goal(goal: object, what: str) -> None:
    _one_of(goal, get_args(Goal), f"the goal of {what}")


def _one_of(value: object, known: tuple[str, ...], what: str) -> None:
    if value not in known:
        raise GateError(f"{what} is {value!r}; one of {', '.join(known)}")


def _range(within: object, what: str) -> None:
    if not isinstance(within, tuple | list) or len(within) != 2:
        raise GateError(f"{what} says no range; give within=(low, high), outside of which no value is believed")
    low, high = (number(x, f"the range of {what}") for x in within)
    if not low < high:
        raise GateError(f"{what}: its range {_span((low, high))} is empty")
    if max(-low, high) > WIDEST:
        raise GateError(f"{what}: its range {_span((low, high))} refuses nothing; stay within {WIDEST:g}")


def _span(within: Range) -> str:
    return f"[{within[0]:g}, {within[1]:g}]"
