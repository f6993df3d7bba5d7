"""trajscope: the flight recorder, instrument panel and brakes of autonomous research loops.

    with trajscope.open_run("run.jsonl", metric="val_loss") as run:
        run.trial({"lr": 3e-4}, value=loss, kept=loss < best)

    trajscope.analyze("run.jsonl")[0]["verdict"]

Names are imported when they are first used, so that importing this costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trajscope.errors import TrajscopeError
    from trajscope.live import Live
    from trajscope.lookout import Lookout, Sight
    from trajscope.menu import Menu
    from trajscope.pair import config_hash
    from trajscope.public import RunFile, analyze, follow, load, load_menu, open_run, read, sql
    from trajscope.run import Run
    from trajscope.trial import Header, Trial
    from trajscope.verdict import Level, Verdict
    from trajscope.writer import RunWriter

_WHERE = {
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
    "config_hash": "pair",
    "follow": "public",
    "load": "public",
    "load_menu": "public",
    "open_run": "public",
    "read": "public",
    "sql": "public",
}

__all__ = [
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
    "config_hash",
    "follow",
    "load",
    "load_menu",
    "open_run",
    "read",
    "sql",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'trajscope' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"trajscope.{_WHERE[name]}"), name)
