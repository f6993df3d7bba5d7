"""The parts that a plan names: the domain by name or folder, executor and proposer by name or as MODULE:CALLABLE.

Everything is imported here and nowhere earlier, so that a plan costs nothing until it is carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, cast

from trajscope_loop.errors import CampaignError, LoopError
from trajscope_loop.evaluate import Measure
from trajscope_loop.plan import Plan
from trajscope_loop.seams import Domain, Executor, Proposer


def domain(plan: Plan) -> Domain:
    """The domain."""
    from trajscope_loop.domain import load

    return cast("Domain", _named(plan.domain)()) if _elsewhere(plan.domain) else load(plan.domain)


def measure(plan: Plan) -> Measure:
    """The function that measures one seed, the same wherever it runs."""
    from trajscope_loop import bench

    return bench.measure


def executor(plan: Plan) -> Callable[[], Executor]:
    """How an executor is made: one that was given up is made anew."""
    kind, options = _said(plan.executor)
    if _elsewhere(kind):
        return lambda: cast("Executor", _made(kind, options))
    from trajscope_loop.executors import make

    return lambda: make(kind, **options)


def proposer(plan: Plan) -> Proposer:
    """The proposer."""
    kind, options = _said(plan.proposer)
    if _elsewhere(kind):
        return cast("Proposer", _made(kind, options))
    return cast("Proposer", _named("trajscope_loop.proposers:make")(kind, **options))


def _said(table: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return str(table["kind"]), {k: v for k, v in table.items() if k != "kind"}


def _elsewhere(name: str) -> bool:
    """Whether a part is named as MODULE:CALLABLE; a folder's name holds no colon."""
    module, _, name = name.partition(":")
    return name.isidentifier() and all(p.isidentifier() for p in module.split("."))


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise CampaignError(f"plan: {name} cannot be had ({error}); correct its name, or install it") from None


def _made(name: str, options: Mapping[str, Any]) -> Any:
    try:
        return _named(name)(**options)
    except LoopError:
        raise
    except (TypeError, ValueError) as error:
        raise CampaignError(f"plan: {name} does not take these options ({error})") from None
