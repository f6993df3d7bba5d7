"""Training corpora that were made of a run: told apart from the run itself, and read as one where somebody asks for it.

A chat and, beside it, what came of it: the trials are there, but not the run's times, baseline or refusals.
"""

from __future__ import annotations

import json
from typing import Any

from trajscope.readers.fields import head_objects

CHAT = "messages"
_OUTCOMES = ("decision", "verdict", "status", "kept", "reward", "score")
_KNOB, _VALUE = ("knob", "param"), ("new_value", "value")


def said(head: bytes) -> str | None:
    """What to say of a file that is a corpus; None where it is none."""
    rows = [*head_objects(head)]
    chats = [o for o in rows if isinstance(o.get(CHAT), list)]
    if not chats or 2 * len(chats) <= len(rows):
        return None
    beside = [k for k in _OUTCOMES if k in chats[0]]
    if not beside:
        return "is a corpus of chats, and no run"
    return (
        f"is a training corpus (chats with {', '.join(beside)}), and no run; "
        "analyze the log it was made of, or read what it holds of the trials with --reader configs"
    )


def proposed(row: Any) -> dict[str, Any] | None:
    """The proposal that the last message of a chat is, where it is one as JSON: a knob and its value."""
    chat = row.get(CHAT) if isinstance(row, dict) else None
    last = chat[-1] if isinstance(chat, list) and chat else None
    text = last.get("content") if isinstance(last, dict) else None
    if not isinstance(text, str):
        return None
    try:
        obj = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(obj, dict):
        return None
    knob = next((obj[k] for k in _KNOB if isinstance(obj.get(k), str)), None)
    value = next((obj[k] for k in _VALUE if k in obj), None)
    return {knob: value} if knob else None
