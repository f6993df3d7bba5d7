"""Text of the command line as values: what a parameter is declared as, without the 60 ms of importing pydantic.

Newer versions of typer validate every parameter with it, and a rail that is asked before each trial has no time for
that. Older ones have no `get_runtime_param`, convert by themselves, and are left alone.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

import typer

KINDS: dict[Any, str] = {str: "text", Path: "a path", int: "a whole number", float: "a number", bool: "yes or no"}


def plain(params: list[Any]) -> list[Any]:
    """The same parameters, converted here as far as they are of KINDS."""
    for param in params:
        declared = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        kind = get_args(declared)[0] if get_origin(declared) is list else declared
        if kind in KINDS and hasattr(param, "get_runtime_param"):
            param.get_runtime_param = partial(Plain, kind)
    return params


class Plain:
    """Converts what was typed for one parameter."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, or the values where a parameter takes several; BadParameter where it is none."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        return [self._one(v, param, ctx) for v in value] if several else self._one(value, param, ctx)

    def _one(self, text: Any, param: Any, ctx: Any) -> Any:
        try:
            value = self.kind(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not {KINDS[self.kind]}", ctx=ctx, param=param) from None
        if self.kind in (int, float):
            low, high = param.type_descriptor.parameter_info.min, param.type_descriptor.parameter_info.max
            # Written so that NaN, which compares with nothing, is out of every range.
            if not ((low is None or value >= low) and (high is None or value <= high)):
                bounds = " and ".join(f"{w} {b:,}" for w, b in (("at least", low), ("at most", high)) if b is not None)
                raise typer.BadParameter(f"{text} is not {bounds}", ctx=ctx, param=param)
        return value
