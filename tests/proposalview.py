"""Views to ask proposers with: a small menu, some trials, a refusal."""

from __future__ import annotations

from typing import Any

from trajscope import Level, Menu, Verdict
from trajscope.menu import parse
from trajscope_loop.seams import Past, View

TABLE = {
    "knobs": {
        "lr": {"type": "float", "range": [0.001, 1.0], "scale": "log", "default": 0.1},
        "act": {"type": "str", "choices": ["relu", "gelu"], "default": "relu"},
    }
}


def menu() -> Menu:
    """Two knobs."""
    return parse(TABLE, "menu")


def past(n: int, first: int = 1) -> tuple[Past, ...]:
    """Trials that went down by a thousandth each."""
    return tuple(
        Past(i, f"lr=0.{i:03}", "reverted", 1 - i / 1000, {"mem": 2.0}, "no gain") for i in range(first, first + n)
    )


def view(**more: Any) -> View:
    """A view with nothing special in it but what is given."""
    told: dict[str, Any] = {
        "program": "Make the loss small.",
        "menu": menu(),
        "base": {"lr": 0.1, "act": "relu"},
        "files": {},
        "metric": "loss",
        "goal": "minimize",
        "best": 0.875,
        "past": (),
        "trials": 0,
        "denied": (),
        "untried": (),
        "refusals": (),
        "refused": (),
        "turn": 100,
    }
    return View(**(told | more))


REFUSAL = Verdict("repeat", Level.FAIL, "lr=0.5 was tried in trial 3", alternatives=("act=gelu",))
