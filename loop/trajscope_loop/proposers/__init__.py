"""Proposers: who says what to try next. `make` finds one by its name.

`simulated`, `random` and `grid` need no model, no key and no network; `command` runs any program.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from trajscope_loop.errors import ProposerError
from trajscope_loop.seams import Proposer

_WHERE = {
    "anthropic": "trajscope_loop.proposers.claude:Claude",
    "openai": "trajscope_loop.proposers.compatible:Compatible",
    "command": "trajscope_loop.proposers.command:Command",
    "simulated": "trajscope_loop.proposers.simulated:Simulated",
    "random": "trajscope_loop.proposers.blind:Blind",
    "grid": "trajscope_loop.proposers.blind:Grid",
}
NAMES = tuple(_WHERE)


def make(name: str, **options: Any) -> Proposer:
    """The proposer of this name; an option that it does not have is an error."""
    if name not in _WHERE:
        raise ProposerError(f"there is no proposer {name!r}; use one of {', '.join(NAMES)}")
    module, _, kind = _WHERE[name].partition(":")
    made = getattr(import_module(module), kind)
    known = inspect.signature(made).parameters
    if odd := sorted(options.keys() - known.keys()):
        raise ProposerError(f"the proposer {name} has no option {odd[0]}; it has {', '.join(known)}")
    found: Proposer = made(**options)
    return found
