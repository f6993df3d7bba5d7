"""What a model is shown: the view as text, what never changes first, so that a provider may cache it.

Order: rules of answering, program, menu (the same for a whole campaign); finished trials in pieces that stay as they
are; then what stands, what was tried, what is untried, and what was refused just now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from trajscope_loop.proposers.keys import redacted
from trajscope_loop.seams import Past, View

PIECE = 20  # trials of one piece
DIGITS = 6  # of a number in a text

CHANGES = """\
Answer with one JSON object and nothing else, no code fence and no words around it:
{"reason": TEXT, "changes": [{"knob": NAME, "value": VALUE}], "intent": null}
`reason` says in one or two sentences what you expect and why. `changes` names one knob of the menu, or several that
belong together, each with a new value that the menu allows. Whatever was tried before is refused, unless `intent` says
"revisit" (a known change on what stands now) or "replicate" (the very same configuration on fresh seeds)."""
EDITS = """\
Answer with one JSON object and nothing else, no code fence and no words around it:
{"reason": TEXT, "changes": [], "edits": [{"file": PATH, "old": TEXT, "new": TEXT}], "intent": null}
`reason` says in one or two sentences what you expect and why. Each edit replaces `old`, copied to the letter from a
file that you are shown and standing there exactly once, by `new`. Take lines enough that it is the only place."""
INTRO = "You choose what a research campaign tries next. What you propose is checked, run on several seeds and judged."


class Prompt(NamedTuple):
    """The texts of one question."""

    system: str
    past: tuple[str, ...]  # finished trials, in pieces
    settled: int  # how many of the pieces will never change
    now: str

    @property
    def user(self) -> str:
        """What follows the system text."""
        return "".join(self.past) + self.now

    @property
    def shown(self) -> str:
        """All that the model sees, word for word, each part under its role."""
        return f"[system]\n{self.system}\n\n[user]\n{self.user}"


def built(view: View, *, whole: bool, rules: str | None = None) -> Prompt:
    """The prompt of a view. `whole` says that its history is never cut, so that pieces of it stay as they are.

    Keys of the environment that stand in a text are taken out before anybody is shown it.
    """
    if rules is None:
        rules = EDITS if view.files else CHANGES
    system = [INTRO, rules, view.program.strip(), f"The metric is {view.metric}; the goal is to {view.goal} it."]
    if view.menu is not None:
        system.append("The menu, as JSON:\n" + json.dumps(view.menu.to_json(), separators=(",", ":"), default=str))
    told = list(map(_told, view.past))
    pieces = [told[i : i + PIECE] for i in range(0, len(told), PIECE)] if whole else [told] if told else []
    past = ["".join(f"{line}\n" for line in piece) for piece in pieces]
    if past:
        past[0] = ("Trials so far, oldest first:\n" if whole else "The latest trials, oldest first:\n") + past[0]
    settled = sum(len(piece) == PIECE for piece in pieces) if whole else 0
    return Prompt(
        redacted("\n\n".join(p for p in system if p)), tuple(map(redacted, past)), settled, redacted(_now(view))
    )


def _now(view: View) -> str:
    parts = [f"There were {view.trials} trials in all." if view.trials else "There were no trials yet."]
    if view.base:
        parts.append("What stands: " + json.dumps(dict(view.base), default=str))
    if view.best is not None:
        parts.append(f"It scores {view.best:.{DIGITS}g}.")
    parts += [f"--- {name}\n{body}" for name, body in view.files.items()]
    if view.denied:
        parts.append("Tried before, and refused if proposed again: " + ", ".join(view.denied))
    if view.untried:
        parts.append("Not tried yet, among others: " + ", ".join(view.untried))
    for verdict, label in zip(view.refusals, view.refused, strict=True):
        instead = f" Instead: {', '.join(verdict.alternatives)}." if verdict.alternatives else ""
        parts.append(f"Refused just now: {_line(label) or 'your proposal'}: {_line(verdict.reason)}.{instead}")
    parts.append("What is tried next?")
    return ("\n" if view.past else "") + "\n\n".join(parts)


def _told(p: Past) -> str:
    value = "no value" if p.value is None else f"{p.value:.{DIGITS}g}"
    more = "".join(f", {k} {v:.{DIGITS}g}" for k, v in p.metrics.items())
    why = f" ({_line(p.reason)})" if p.reason else ""
    return f"{p.iter}. {_line(p.label) or '(nothing)'}: {p.status}, {value}{more}{why}"


def _line(text: str) -> str:
    """One line: what somebody wrote may not pass for a line of ours."""
    return " ".join(text.split())


def schema(view: View) -> dict[str, Any]:
    """The answer's shape, in the part of JSON Schema that every provider takes: all keys required, none beside them."""
    knob: dict[str, Any] = {"type": "string"}
    if view.menu is not None and view.menu.knobs:
        knob["enum"] = list(view.menu.knobs)
    single = [{"type": kind} for kind in ("number", "string", "boolean", "null")]
    value = {"anyOf": [*single, {"type": "array", "items": {"anyOf": single}}]}
    intent = {"anyOf": [{"type": "string", "enum": ["revisit", "replicate"]}, {"type": "null"}]}
    parts = {"reason": {"type": "string"}, "changes": _list(_object({"knob": knob, "value": value}))}
    if view.files:
        file = {"type": "string", "enum": list(view.files)}
        parts["edits"] = _list(_object({"file": file, "old": {"type": "string"}, "new": {"type": "string"}}))
    return _object(parts | {"intent": intent})


def _object(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(parts), "required": list(parts), "additionalProperties": False}


def _list(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(of)}
