"""Rails: every check of a proposal that is made before anything is spent on it.

    rails = Rails(menu, History.of(["run.jsonl"], menu), base=base)
    answer = rails.ask(proposal)

Names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trajscope.rails.proposal import Proposal

_WHERE = {"Proposal": "proposal"}

__all__ = ["Proposal"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'trajscope.rails' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"trajscope.rails.{_WHERE[name]}"), name)
