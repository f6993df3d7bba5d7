"""Money: what a model's tokens cost, as the user declares it or as its provider publishes it. Else nobody knows.

USD per million tokens. A list price is what the provider's page said on `READ`; discounts, surcharges for a region and
subscriptions are unknown here. What an answer does not say of its tokens makes its price unknown, never zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from trajscope_loop.errors import ProposerError

READ = "2026-11-21"
SOURCE = "https://platform.claude.com/docs/en/about-claude/pricing"
_DATED = re.compile(r"-\d{8}$")  # a model's name with the day of its snapshot


class Price(NamedTuple):
    """Prices of one model, from prompts of `above` tokens on those of `long`."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None  # for five minutes
    cache_write_1h: float | None = None
    above: int | None = None
    long: tuple[float, float, float, float, float] | None = None


class Tokens(NamedTuple):
    """Tokens of one answer; None where it does not say. `fresh` were neither read from a cache nor written to it."""

    fresh: int | None = None
    output: int | None = None
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0

    @property
    def input(self) -> int | None:
        """The whole prompt."""
        return None if self.fresh is None else self.fresh + self.cache_read + self.cache_write + self.cache_write_1h


def _claude(input: float, output: float, cache_read: float) -> Price:
    return Price(input, output, cache_read, input * 1.25, input * 2)


LIST = {
    "claude-fable-5-1": _claude(10, 50, 0.25),
    "claude-mythos-5-1": _claude(10, 50, 0.25),
    "claude-fable-5": _claude(10, 50, 1),
    "claude-mythos-5": _claude(10, 50, 1),
    "claude-opus-5-5": _claude(4, 20, 0.2),
    "claude-opus-5": _claude(5, 25, 0.5),
    "claude-opus-4-8": _claude(5, 25, 0.5),
    "claude-opus-4-7": _claude(5, 25, 0.5),
    "claude-opus-4-6": _claude(5, 25, 0.5),
    "claude-opus-4-5": _claude(5, 25, 0.5),
    "claude-sonnet-5-5": _claude(2, 10, 0.1),
    "claude-sonnet-5": _claude(2, 10, 0.2),
    "claude-sonnet-4-6": _claude(3, 15, 0.3),
    "claude-sonnet-4-5": _claude(3, 15, 0.3),
    "claude-haiku-5-5": Price(0.1, 0.5, 0.01, 0.125, 0.2, 100_000, (0.5, 2.5, 0.05, 0.625, 1.0)),
    "claude-haiku-4-5": _claude(1, 5, 0.1),
}


def listed(model: str) -> Price | None:
    """The list price of a model, by its name or the name of a dated snapshot."""
    return LIST.get(model) or LIST.get(_DATED.sub("", model))


def declared(table: Mapping[str, Any]) -> Price:
    """The prices in a table of the plan: input and output, and those of the cache where there is one."""
    known = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
    if odd := next((k for k in table if k not in known), None):
        raise ProposerError(f"prices: nothing is called {odd!r}; give {', '.join(known)} in USD per million tokens")
    for name in known:
        value = table.get(name)
        if value is None and name not in ("input", "output"):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise ProposerError(f"prices: {name} is {value!r}; give USD per million tokens, 0 or more")
    return Price(**table)


def usd(price: Price | None, tokens: Tokens) -> float | None:
    """What an answer cost; None where a price or a count is missing."""
    if price is None or tokens.fresh is None or tokens.output is None or tokens.input is None:
        return None
    each: tuple[float | None, ...] = price[:5]
    if price.above is not None and price.long is not None and tokens.input > price.above:
        each = price.long
    counts = (tokens.fresh, tokens.output, tokens.cache_read, tokens.cache_write, tokens.cache_write_1h)
    total = 0.0
    for count, cost in zip(counts, each, strict=True):
        if count and cost is None:
            return None
        total += count * (cost or 0.0)
    return total / 1e6
