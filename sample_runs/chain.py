"""Writes native lines: the envelope, the chain of hashes, and the hash that names a configuration.

Standard library only, and on purpose none of the product: what it writes is held against the product by the tests.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 2, 22, 0, 0, tzinfo=UTC)
TRIAL = [
    "iter",
    "started",
    "ended",
    "status",
    "reason_code",
    "attempts",
    "base_hash",
    "config_hash",
    "parent",
    "diff",
    "value",
    "value_source",
    "metrics",
    "seeds",
    "effective",
    "fingerprints",
    "cost",
    "new_best",
    "holdout",
]


def moment(seconds: float) -> str:
    """So many seconds after the evening these runs began, in UTC with milliseconds."""
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def config_hash(config: Mapping[str, Any]) -> str:
    """16 hex digits of a configuration: 1 and 1.0 agree, the order of its knobs does not matter."""
    body = [{k: _one_spelling(v) for k, v in config.items()}, None, None, None]
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _one_spelling(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip()
    if isinstance(value, float):
        value = float(f"{value:.12g}")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, list):
        return [_one_spelling(v) for v in value]
    if isinstance(value, dict):
        return {k: _one_spelling(v) for k, v in value.items()}
    return value


def sha(text: str) -> str:
    """The SHA-256 of a file that says `text`."""
    return hashlib.sha256(text.encode()).hexdigest()


class Tape:
    """A native file in the making; fields that are None are left out, except a trial's `value`."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.clock = 0.0  # seconds since START

    def add(self, kind: str, **fields: Any) -> None:
        """Chain one more line."""
        prev = hashlib.sha256(self.lines[-1]).hexdigest()[:16] if self.lines else "0" * 16
        line = {"v": 1, "type": kind, "seq": len(self.lines), "prev": prev}
        line |= {k: v for k, v in fields.items() if v is not None or k == "value"}
        self.lines.append(json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode())

    def bytes(self) -> bytes:
        """The whole file."""
        return b"".join(line + b"\n" for line in self.lines)


class Campaign(Tape):
    """A tape that keeps the books of a carried-forward (or fixed) base: hashes, times, counts, iteration numbers."""

    def __init__(self, name: str, metric: dict[str, Any], base: dict[str, Any] | None, **header: Any) -> None:
        super().__init__()
        self.base = base
        self.carry = bool(header.pop("carry", False))
        self.named = bool(header.pop("named", True))  # whether trials say their configuration's hash
        self.counts: dict[str, int] = {}
        self.iter = 0
        described = {"config": base, "hash": config_hash(base)} if base is not None else None
        order = ("domain", "metrics", "menu", "base", "files", "proposer", "seeds", "software", "unguarded_because")
        fields = {"domain": header.get("domain"), "started": moment(0), "metric": metric} | {
            k: described if k == "base" else header.get(k) for k in order if k != "domain"
        }
        self.add("run", run_id=f"{name}-20260302", campaign=name, **fields)

    def measure(self, value: float | None, what: str = "baseline", **fields: Any) -> None:
        """An evaluation that is no trial."""
        self.clock += 60
        named = config_hash(self.base) if self.base is not None else None
        self.add("measure", what=what, config_hash=named, value=value, **fields, ended=moment(self.clock))

    def trial(
        self,
        status: str,
        value: float | None,
        *changes: tuple[str, Any],
        wall_s: float | None = 90.0,
        intent: str | None = None,
        refused: list[dict[str, Any]] | None = None,
        spent: dict[str, float] | None = None,
        reason: str | None = None,
        shorthand: bool = False,
        **fields: Any,
    ) -> None:
        """One iteration of one attempt (after `refused` ones); a keep moves the base when it is carried forward."""
        self.iter += 1
        begun = self.clock
        self.clock += 5 + (wall_s or 0)
        written = [{"knob": k, "value": v} for k, v in changes]
        attempt: dict[str, Any] = dict(written[0]) if shorthand else {"changes": written}
        if reason:
            attempt["reason"] = reason
        if intent:
            attempt["intent"] = intent
        after = dict(self.base) | dict(changes) if self.base is not None else None
        known: dict[str, Any] = fields | {
            "iter": self.iter,
            "started": moment(begun),
            "ended": moment(self.clock),
            "status": status,
            "attempts": [*(refused or []), *([attempt] if changes else [])],
            "base_hash": config_hash(self.base) if self.base is not None else None,
            "config_hash": config_hash(after) if after is not None and changes and self.named else None,
            "value": value,
            "cost": None if wall_s is None else {"wall_s": wall_s, **(spent or {})},
        }
        if value is not None:
            known.setdefault("value_source", "reported")
        self.add("trial", **{k: known[k] for k in TRIAL if k in known})
        self.counts[status] = self.counts.get(status, 0) + 1
        if status == "kept" and self.carry:
            self.base = after

    def finish(self, reason: str = "budget") -> bytes:
        """Write the end line; the whole file."""
        self.add("end", ended=moment(self.clock), reason=reason, counts=self.counts)
        return self.bytes()
