"""Rails: every check of a proposal that is made before anything is spent on it.

    rails = Rails(menu, History.of(["run.jsonl"], menu), base=base)
    if answer := rails.ask(proposal):
        train(answer.proposal)

Names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trajscope.rails.apply import applied
    from trajscope.rails.asking import ask_command
    from trajscope.rails.backtest import Replay, replay
    from trajscope.rails.budget import Budget
    from trajscope.rails.chain import Answer, Rails
    from trajscope.rails.history import History
    from trajscope.rails.lint import Edits
    from trajscope.rails.passages import Protected
    from trajscope.rails.proof import Selftest, selftest
    from trajscope.rails.proposal import Proposal
    from trajscope.rails.turn import Turn

_WHERE = {
    "Answer": "chain",
    "Budget": "budget",
    "Edits": "lint",
    "History": "history",
    "Proposal": "proposal",
    "Protected": "passages",
    "Rails": "chain",
    "Replay": "backtest",
    "Selftest": "proof",
    "Turn": "turn",
    "applied": "apply",
    "ask_command": "asking",
    "replay": "backtest",
    "selftest": "proof",
}

__all__ = [
    "Answer",
    "Budget",
    "Edits",
    "History",
    "Proposal",
    "Protected",
    "Rails",
    "Replay",
    "Selftest",
    "Turn",
    "applied",
    "ask_command",
    "replay",
    "selftest",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'trajscope.rails' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"trajscope.rails.{_WHERE[name]}"), name)
