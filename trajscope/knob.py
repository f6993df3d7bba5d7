"""A knob: one thing that may be changed, with its choices or range, its scale, its cells and its family.

Knows nothing of menus or trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from trajscope.pair import canon, spelled

BINS = 10  # cells of a range
TYPES = ("int", "float", "str", "bool", "list", "code")
SCALES = ("linear", "log", "one_minus_log")
ZERO_TO = 1e-4  # where a log scale that holds zero begins, as a share of its upper end
# What a knob of this name most likely belongs to, where a menu names no families.
_FAMILY_WORDS = {
    "capacity": "n_layer n_layers num_layers depth layers n_head n_heads num_heads head_dim d_model dim width hidden "
    "hidden_dim hidden_size d_ff ff_dim n_embd embed_dim aspect_ratio n_kv_head n_params",
    "optimiser": "lr learning_rate matrix_lr scalar_lr embedding_lr unembedding_lr lr_warmup warmup warmup_steps "
    "warmdown lr_schedule schedule grad_clip clip weight_decay wd beta1 beta2 adam_betas momentum eps optimizer "
    "optimiser final_lr_frac",
    "regularisation": "dropout label_smoothing noise smooth blend",
    "data": "batch_size total_batch_size device_batch_size seq_len context max_seq_len steps epochs",
    "numerics": "precision dtype amp quant",
}
_GUESS = {name: family for family, names in _FAMILY_WORDS.items() for name in names.split()}


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that may be changed."""

    name: str
    type: str
    choices: tuple[object, ...] | None = None
    range: tuple[float, float] | None = None
    default: object = None
    has_default: bool = False
    family: str = "other"
    scale: str = "linear"
    bins: int = BINS
    units: Mapping[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    is_set: bool = False
    _ends: tuple[float, float] = field(init=False, repr=False, compare=False, default=(0.0, 0.0))  # on its scale

    def __post_init__(self) -> None:
        if self.range is not None:
            object.__setattr__(self, "_ends", (self._scaled(self.range[0]), self._scaled(self.range[1])))

    def choice(self, text: str) -> str | None:
        """The declared choice that this text means, if exactly one does."""
        words = [c for c in self.choices or () if isinstance(c, str)]
        if text in words:
            return text
        alike = [c for c in words if c.casefold() == text.casefold()]
        return alike[0] if len(alike) == 1 else None

    def objection(self, value: object) -> str | None:
        """Why this value may not be proposed."""
        if isinstance(value, float) and not math.isfinite(value):
            return f"{said(self.name)} takes a finite number"
        if self.choices is not None and not any(same(value, c) for c in self.choices):
            return f"{said(self.name)} is one of {', '.join(map(_label, self.choices))}"
        if self.range is not None and not (is_number(value) and self.range[0] <= value <= self.range[1]):  # type: ignore[operator]  # is_number
            return f"{said(self.name)} lies in {self.range[0]:g} to {self.range[1]:g}"
        return None

    def position(self, value: object) -> float | None:
        """Where a number stands in the range, from 0 to 1 on the knob's scale."""
        if self.range is None or not is_number(value):
            return None
        lo, hi = self._ends
        return (self._scaled(float(value)) - lo) / (hi - lo) if hi > lo else 0.0  # type: ignore[arg-type]  # is_number

    def value_at(self, position: float) -> int | float:
        """The value at a place of the range, from 0 to 1: what `position` leads back to, rounded where it is whole."""
        assert self.range is not None
        x = self._ends[0] + position * (self._ends[1] - self._ends[0])
        if self.scale == "log":
            x = 10.0**x if x >= math.log10(self._floor) - 1e-12 else self.range[0]
        elif self.scale == "one_minus_log":
            x = 1.0 - 10.0**-x
        x = min(max(x, self.range[0]), self.range[1])
        return round(x) if self.type == "int" else x

    def _scaled(self, x: float) -> float:
        if self.range is None:
            return x
        if self.scale == "log":
            floor = self._floor
            # Zero has a place of its own, one bin below the smallest power.
            step = (math.log10(self.range[1]) - math.log10(floor)) / max(1, self.bins - 1)
            return math.log10(x) if x >= floor else math.log10(floor) - step
        if self.scale == "one_minus_log":
            return -math.log10(max(1.0 - x, 1e-12))
        return x

    def cell(self, value: object) -> str | None:
        """The cell a value falls into: its choice, or its bin of the range."""
        if self.choices is not None:
            return next((f"{self.name}={_label(c)}" for c in self.choices if same(value, c)), None)
        at = self.position(value)
        if at is None:
            return f"{self.name}={str(value).lower()}" if isinstance(value, bool) else None
        return f"{self.name}#{min(int(at * self.size + 1e-9), self.size - 1)}"

    @property
    def _floor(self) -> float:
        """Where a log scale begins."""
        assert self.range is not None
        return self.range[0] if self.range[0] > 0 else self.range[1] * ZERO_TO

    @property
    def size(self) -> int:
        """How many cells it has; 0 where they cannot be counted."""
        if self.choices is not None:
            return len(self.choices)
        if self.range is None:
            return 2 if self.type == "bool" else 0
        if self.type == "int":
            return min(self.bins, int(self.range[1]) - int(self.range[0]) + 1)
        return self.bins

    @property
    def default_cell(self) -> bool:
        """Whether the default fills a cell of its own, so that proposing it is a no-op and no ground."""
        return self.has_default and self.range is None and self.cell(self.default) is not None


def family(name: str) -> str:
    """The family a knob of this name most likely belongs to."""
    return _GUESS.get(fold_name(name), "other")


def is_number(x: object) -> bool:
    """Whether it is an int or a float, which a bool is not."""
    return isinstance(x, int | float) and not isinstance(x, bool)


def same(a: object, b: object) -> bool:
    """Whether two values are equal, and both or neither a bool."""
    # Under == alone 1 is true, and inside a list even after their types were compared.
    return type(a) is type(b) and a == b and (not isinstance(a, list | dict) or _label(a) == _label(b))


def _label(value: object) -> str:
    return canon("x", value).label[2:]


def fold_name(name: str) -> str:
    """A name as aliases are compared."""
    return spelled(name).casefold().replace("-", "_").replace(".", "_")


def said(name: str) -> str:
    """A name on one line, however it was written."""
    return name if name.isprintable() else repr(name)
