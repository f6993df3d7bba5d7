"""trajscope: the flight recorder, instrument panel and brakes of autonomous research loops.

    with trajscope.open_run("run.jsonl", metric="val_loss") as run:
        run.trial({"lr": 3e-4}, value=loss, kept=loss < best)

    trajscope.analyze("run.jsonl")[0]["verdict"]

Names are imported when they are first used, so that importing this costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trajscope.cli.options import sourced
    from trajscope.corpus import Gate
    from trajscope.errors import TrajscopeError
    from trajscope.live import Live
    from trajscope.lookout import Lookout, Sight
    from trajscope.menu import Menu
    from trajscope.pair import config_hash
    from trajscope.public import (
        RunFile,
        analyze,
        build_corpus,
        follow,
        gate,
        load,
        load_menu,
        open_run,
        read,
        sql,
        verify_corpus,
    )
    from trajscope.run import Run
    from trajscope.said import Asked
    from trajscope.trial import Header, Trial
    from trajscope.verdict import Level, Verdict
    from trajscope.writer import RunWriter

_WHERE = {
    "Asked": "said",
    "Gate": "corpus",
    "Header": "trial",
    "Level": "verdict",
    "Live": "live",
    "Lookout": "lookout",
    "Menu": "menu",
    "Run": "run",
    "RunFile": "public",
    "RunWriter": "writer",
    "Sight": "lookout",
    "Trial": "trial",
    "TrajscopeError": "errors",
    "Verdict": "verdict",
    "analyze": "public",
    "build_corpus": "public",
    "config_hash": "pair",
    "follow": "public",
    "gate": "public",
    "load": "public",
    "load_menu": "public",
    "open_run": "public",
    "read": "public",
    "sourced": "cli.options",
    "sql": "public",
    "verify_corpus": "public",
}

__all__ = [
    "Asked",
    "Gate",
    "Header",
    "Level",
    "Live",
    "Lookout",
    "Menu",
    "Run",
    "RunFile",
    "RunWriter",
    "Sight",
    "TrajscopeError",
    "Trial",
    "Verdict",
    "analyze",
    "build_corpus",
    "config_hash",
    "follow",
    "gate",
    "load",
    "load_menu",
    "open_run",
    "read",
    "sourced",
    "sql",
    "verify_corpus",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'trajscope' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"trajscope.{_WHERE[name]}"), name)
