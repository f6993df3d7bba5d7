"""What proposers with a model behind them share: their terms, the way from a view to a proposal, and the account of it.

An answer that came and is none (cut off, declined, empty, garbage) is handed to the rails all the same: they refuse it,
what was said is recorded, and what it cost is counted. No answer at all is a ProposerError.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from time import perf_counter
from typing import Any, NamedTuple

from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers import keys, prices, rewrite
from trajscope_loop.proposers.deadline import Heard, asked
from trajscope_loop.proposers.prices import Price, Tokens
from trajscope_loop.proposers.prompt import Prompt, built, schema
from trajscope_loop.seams import Said, View

MOST_RETRIES = 100


class Terms(NamedTuple):
    """What is agreed before the first question; everything of it stands in the header of the run."""

    model: str
    base_url: str
    history: int | None
    denies: bool
    offers: bool
    temperature: float | None
    max_tokens: int
    timeout_s: float
    max_retries: int
    prices: Price | None
    declared: bool  # whether the prices are the user's own


class Answer(NamedTuple):
    """What a server answered."""

    text: str
    stopped: str | None  # why this is no whole answer, where it is none
    model: str | None
    tokens: Tokens
    request: str | None


def terms(
    *,
    model: str,
    base_url: str,
    k: int | str | None,
    denies: bool,
    offers: bool,
    temperature: float | None,
    max_tokens: int,
    timeout_s: float,
    max_retries: int,
    own: Mapping[str, Any] | None,
) -> Terms:
    """The terms as they were asked for, or what is wrong with them."""
    if not str(model or "").strip():
        raise ProposerError("model names none; give the name that the server knows it by")
    price = prices.listed(model) if own is None else prices.declared(own)
    return Terms(
        str(model).strip(),
        base_url,
        seen(k),
        bool(denies),
        bool(offers),
        None if temperature is None else float(number("temperature", temperature, 0, 2)),
        whole("max_tokens", max_tokens, 1, 10_000_000),
        float(number("timeout_s", timeout_s, 0.01, 86_400)),
        whole("max_retries", max_retries, 0, MOST_RETRIES),
        price,
        own is not None,
    )


def seen(k: int | str | None) -> int | None:
    """How many trials a proposer is shown; None is all."""
    if k is None or k == "all":
        return None
    if isinstance(k, bool) or not isinstance(k, int) or k < 0:
        raise ProposerError(f"k is {k!r}; give the number of trials it is shown, 0 or more, or 'all'")
    return k


def number(name: str, value: object, least: float, most: float) -> float:
    """A number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ProposerError(f"{name} is {value!r}; give a number from {least:g} to {most:g}")
    return value


def whole(name: str, value: object, least: int, most: int) -> int:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ProposerError(f"{name} is {value!r}; give a whole number from {least} to {most}")
    return value


def one_of(name: str, value: object, known: tuple[str, ...]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in known:
        raise ProposerError(f"{name} is {value!r}; use one of {', '.join(known)}")
    return value


def count(value: object) -> int | None:
    """A count that a stranger gives; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12 or value != int(value):
        return None
    return int(value)


def money(value: object) -> float | None:
    """A sum that a stranger gives; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


def installed(sdk: str) -> None:
    """Refuse at once where the SDK is missing."""
    if find_spec(sdk) is None:
        raise ProposerError(f"the {sdk} proposer needs the package {sdk}; run pip install 'trajscope[llm]'")


class Model(ABC):
    """Asks one model for one proposal at a time."""

    kind: str

    def __init__(self, terms: Terms, key_env: str | None) -> None:
        self.terms = terms
        self.history, self.denies, self.offers = terms.history, terms.denies, terms.offers
        self.key_env = key_env
        if key_env is not None:
            keys.found(key_env, f"the {self.kind} proposer")

    def header(self) -> dict[str, Any]:
        """Who proposes, on which terms; the key is named by its variable, and never told."""
        t = self.terms
        price = {k: v for k, v in t.prices._asdict().items() if v is not None} if t.prices else None
        return {
            "kind": self.kind,
            "model": t.model,
            "base_url": t.base_url,
            "history": "all" if t.history is None else t.history,
            "denies": t.denies,
            "offers": t.offers,
            "temperature": t.temperature,
            "max_tokens": t.max_tokens,
            "timeout_s": t.timeout_s,
            "max_retries": t.max_retries,
            "key": self.key_env,
            "prices": price,
            "prices_of": None if price is None else "the plan" if t.declared else f"{prices.SOURCE}, {prices.READ}",
            **self.more(),
        }

    def more(self) -> dict[str, Any]:
        """What only this kind has to tell."""
        return {}

    def propose(self, view: View) -> Said:
        """One proposal, or a ProposerError in one line."""
        prompt, shape = built(view, whole=self.history is None), schema(view)
        key = None if self.key_env is None else keys.found(self.key_env, f"the {self.kind} proposer")
        self.load()  # an import may take seconds, and is not the model's time
        began = perf_counter()
        answer = asked(
            lambda heard: self.ask(prompt, shape, key or keys.NONE, heard),
            who=f"{self.kind} ({self.terms.model})",
            key=self.key_env,
            timeout_s=self.terms.timeout_s,
            secret=key,
        )
        wall_s = perf_counter() - began
        text = keys.redacted(answer.text, (key,) if key else ())
        # As it was shown: a diff may quote no key either. One that would does not fit its file, and rails refuse it.
        files = {name: keys.redacted(body) for name, body in view.files.items()}
        said: object = rewrite.proposal(text, files) if files else text
        if answer.stopped is not None:
            said = f"({answer.stopped}) {text}".rstrip()
        return Said(
            said,
            prompt.shown,
            model=answer.model or self.terms.model,
            tokens_in=answer.tokens.input,
            tokens_out=answer.tokens.output,
            tokens_cached=None if answer.tokens.fresh is None else answer.tokens.cache_read,
            usd=prices.usd(self.terms.prices, answer.tokens),
            wall_s=wall_s,
            request=answer.request,
        )

    @abstractmethod
    def load(self) -> None:
        """Import the SDK."""

    @abstractmethod
    async def ask(self, prompt: Prompt, shape: Mapping[str, Any], key: str, heard: Heard) -> Answer:
        """The server's answer to a prompt."""
