"""What a child really ran with: reported by the child, read by its parent, compared with the proposal.

A child that does not report leaves its parent not knowing, which is never a pass.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from trajscope.errors import IntegrityError
from trajscope.menu import Menu
from trajscope.pair import Change, canon
from trajscope.trial import Drift

REPORT = "TRAJSCOPE_EFFECTIVE"  # the environment variable that names the file a child reports to
LATER = ".differs"  # ends the name of a second report that contradicts the first
MOST = 1 << 20  # bytes of a report


class ContradictionError(IntegrityError):
    """A child said two different things about what it ran with."""


def report(config: Mapping[str, object]) -> bool:
    """Tell the parent what this process runs with; False where no parent asked.

    Call it once the configuration is final, with the values that are used, not those that were asked for. Saying it
    twice is fine; saying two different things is refused, and the parent is told.
    """
    place = os.environ.get(REPORT)
    if not place:
        return False
    said = {c.knob: c for c in (canon(str(k), v) for k, v in config.items())}
    body = _body(said)
    temporary = Path(f"{place}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(body)
        try:
            os.link(temporary, place)  # unlike a rename it never takes another's place
            return True
        except FileExistsError:
            first = read(place, later=False)
    except OSError as error:
        raise IntegrityError(f"{place}: the report cannot be written ({error.strerror}); check the folder") from None
    finally:
        temporary.unlink(missing_ok=True)
    changed = differences(first, config) + differences(config, first)
    if not changed and len(first) == len(said):
        return True
    Path(place + LATER).write_bytes(body)
    words = "; ".join(f"{d.knob}: first {d.proposed}, then {d.ran}" for d in changed[:4]) or "other knobs than before"
    raise ContradictionError(f"two reports of one child differ ({words}); report once, when the configuration is final")


def read(place: str | os.PathLike[str], *, later: bool = True) -> dict[str, object]:
    """What a child reported; raises where it said nothing, something unreadable, or two different things."""
    try:
        with Path(place).open("rb") as file:
            data = file.read(MOST + 1)
        found = json.loads(data)
    except FileNotFoundError:
        raise IntegrityError(
            "the child did not report what it ran with; call trajscope.integrity.report(config) in it"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(
            f"what the child reported cannot be read ({error}); report with integrity.report"
        ) from None
    config = found.get("config") if isinstance(found, dict) and len(data) <= MOST else None
    if not isinstance(config, dict):
        raise IntegrityError("what the child reported holds no `config`; report with integrity.report")
    if later and Path(f"{os.fspath(place)}{LATER}").exists():
        raise ContradictionError("the child reported twice, and not the same; report when the configuration is final")
    return config


def differences(wanted: Mapping[str, object], ran: Mapping[str, object], menu: Menu | None = None) -> list[Drift]:
    """The knobs that ran with another value than was wanted; a menu makes aliases and units one."""
    found = {c.knob: c for c in (_change(k, v, menu) for k, v in ran.items())}
    changes = (_change(k, v, menu) for k, v in wanted.items())
    return [
        Drift(None, c.knob, c.value, found[c.knob].value)
        for c in changes
        if c.knob in found and found[c.knob].text != c.text
    ]


def unsaid(wanted: Mapping[str, object], ran: Mapping[str, object], menu: Menu | None = None) -> list[str]:
    """The wanted knobs of which nobody says what they ran with."""
    found = {_change(k, v, menu).knob for k, v in ran.items()}
    return [c.knob for c in (_change(k, v, menu) for k, v in wanted.items()) if c.knob not in found]


def _change(knob: str, value: object, menu: Menu | None) -> Change:
    return menu.change(knob, value) if menu else canon(knob, value)


def _body(said: Mapping[str, Change]) -> bytes:
    try:
        return json.dumps({"config": {k: c.value for k, c in said.items()}}, allow_nan=False).encode()
    except ValueError:
        odd = [c.label for c in said.values() if c.text in ("NaN", "Infinity", "-Infinity")]
        raise IntegrityError(f"{', '.join(odd) or 'a value'} is no number; report what is used") from None
