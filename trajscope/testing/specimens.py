"""Specimens: a small file in each built-in format, and lines that are no record of any.

What ReaderContract shows to a reader; a stranger may use them alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from trajscope.chain import ZEROS, link
from trajscope.pair import config_hash

_BOMB = 100_000  # levels of a nesting bomb
WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    1e308,
    "",
    "x",
    "\x00",
    "\ud800",
    [],
    [[]],
    {},
    {"": None},
    [{"a": 1}],
)

# Lines that are no record of any format, or a hostile one.
GARBAGE: tuple[bytes, ...] = (
    b"\x00\x01\xff\xfe\x80",
    b"\xc3\x28 half a letter",
    b"plain words, not a record",
    b"{",
    b'{"a":',
    b"[]",
    b"null",
    b"NaN",
    b'"text"',
    b"{}",
    b'{"":{}}',
    b'{"a":NaN,"b":Infinity,"c":-Infinity}',
    b'{"a":"\\ud800"}',
    b'{"a":' + b"9" * 5000 + b"}",
    b"[" * _BOMB,
    b'{"a":' * _BOMB,
    b'{"a":' + b"[" * 900 + b"]" * 900 + b"}",
    b"\t" * 50,
    b"," * 50,
    b" ",
)
# What no reader may take for its own.
NOBODYS: tuple[bytes, ...] = (
    b"",
    b"\n\n\n",
    b"\x7fELF\x02\x01\x01\x00",
    b"\x89PNG\r\n\x1a\n\x00\x00",
    b"Dear diary, today nothing was measured.\n",
    b"<!doctype html><title>x</title>\n",
    b"{}\n[]\n",
    b'{"a": 1}\n{"b": 2}\n',
    *(line + b"\n" for line in GARBAGE),
)


def samples() -> dict[str, bytes]:
    """A small file in each format that is built in."""
    config = {"lr": 0.1, "depth": 2}
    base = config_hash(config)
    header = {
        "run_id": "demo",
        "metric": {"name": "loss", "goal": "minimize"},
        "base": {"config": config, "hash": base},
    }
    attempt = {"changes": [{"knob": "lr", "value": 0.2}], "verdict": {"rule": "repeat", "level": "PASS"}}
    seed = {"seed": 1, "status": "ok", "metrics": {"loss": 0.9, "size": 3}, "wall_s": 1.5, "first_step": 2.0}
    prints = {stage: {"train.py": "ab"} for stage in ("propose", "run", "score")}
    native: tuple[dict[str, Any], ...] = (
        {"type": "run", **header},
        {"type": "measure", "what": "baseline", "value": 1.0},
        {"type": "trial", "iter": 1, "status": "kept", "attempts": [attempt], "base_hash": base, "seeds": [seed],
         "value": 0.9, "cost": {"wall_s": 1.5, "tokens_in": 9, "tokens_out": 3, "usd": 0.1}, "fingerprints": prints},
        {"type": "trial", "iter": 2, "status": "reverted", "attempts": [{"knob": "depth", "value": 3}],
         "value": 1.1, "metrics": {"size": 4}, "effective": {"depth": 3}, "new_best": False},
        {"type": "event", "kind": "pause", "at": "2026-01-01T00:00:00Z", "data": {"why": "look"}},
        {"type": "end", "reason": "done", "counts": {"kept": 1, "reverted": 1}},
    )  # fmt: skip
    stages: tuple[dict[str, Any], ...] = (
        {"_meta": "log", "baseline_loss": 1.0, "baseline_cfg": {**config, "seed": 0}},
        {"iter": 1, "ts": "2026-01-01T00:00:00", "stage": "evaluated", "proposal": {"knob": "lr", "new_value": 0.2},
         "candidate_cfg": {"lr": 0.2, "depth": 2, "seed": 0}, "eval_metrics": {"train_loss_first": 2.0},
         "loss": 0.9, "decision": "keep", "is_new_best": True, "iter_wall_s": 1.5},
        {"iter": 2, "stage": "blocked", "proposal": {"knob": "lr", "new_value": 0.2}},
        {"iter": 3, "stage": "paused", "ts": "2026-01-01T00:00:09"},
        {"stage": "loop_complete", "accept_count": 1, "revert_count": 0},
    )  # fmt: skip
    lines = {"stages": stages, **_unfolded()}
    return {"native": chained(native)} | {
        name: b"".join(json.dumps(o, separators=(",", ":")).encode() + b"\n" for o in objects)
        for name, objects in lines.items()
    }


def _unfolded() -> dict[str, tuple[dict[str, Any], ...]]:
    """What the formats that are no files of lines unfold into."""
    rate = {"name": "FloatDistribution", "attributes": {"step": None, "low": 1e-5, "high": 0.1, "log": True}}
    kind = {"name": "CategoricalDistribution", "attributes": {"choices": ["relu", None, 3]}}
    times = {"start": "2026-01-01 12:00:00.000001", "complete": "2026-01-01 12:00:10"}
    optuna: tuple[dict[str, Any], ...] = (
        {"unfolded": "optuna", "study": "night", "directions": ["minimize"], "names": None,
         "params": {"lr": rate, "act": kind}},
        {"number": 0, "state": "COMPLETE", **times, "values": [0.5], "params": {"lr": 0.01, "act": None},
         "attrs": {"memory": 2.5, "note": "words"}},
        {"number": 2, "state": "PRUNED", **times, "values": [], "params": {"lr": 0.02, "act": 3}, "attrs": {}},
        {"number": 1, "state": "FAIL", **times, "values": [], "params": {}, "attrs": {"why": {"a": [1]}}},
    )  # fmt: skip
    return {"optuna": optuna}


def chained(objects: Iterable[dict[str, Any]]) -> bytes:
    """Native lines of these objects, numbered and chained."""
    prev, out = ZEROS, []
    for seq, obj in enumerate(objects):
        body = {"v": 1, "type": obj.get("type"), "seq": seq, "prev": prev, **obj}
        data = json.dumps(body, separators=(",", ":")).encode()
        prev = link(data)
        out.append(data + b"\n")
    return b"".join(out)
