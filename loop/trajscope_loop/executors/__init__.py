"""Executors: where jobs run. One seam, `run(fn, jobs)`, and the same pure function behind all of them.

`local` is this machine's cores; `ray` and `modal` are extras for who outgrows it.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from trajscope_loop.errors import ExecutorError
from trajscope_loop.seams import Executor

_WHERE = {
    "local": "trajscope_loop.executors.local:Local",
    "ray": "trajscope_loop.executors.onray:OnRay",
    "modal": "trajscope_loop.executors.onmodal:OnModal",
}
NAMES = tuple(_WHERE)


def make(name: str, **options: Any) -> Executor:
    """The executor of this name; an option that it does not have is an error."""
    if name not in _WHERE:
        raise ExecutorError(f"there is no executor {name!r}; use one of {', '.join(NAMES)}")
    module, _, kind = _WHERE[name].partition(":")
    made = getattr(import_module(module), kind)
    known = inspect.signature(made).parameters
    if odd := sorted(options.keys() - known.keys()):
        raise ExecutorError(f"the executor {name} has no option {odd[0]}; it has {', '.join(known)}")
    found: Executor = made(**options)
    return found
