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
    lines = {"stages": stages, **_unfolded(), **_objects()}
    return (
        {"native": chained(native)}
        | {
            name: b"".join(json.dumps(o, separators=(",", ":")).encode() + b"\n" for o in objects)
            for name, objects in lines.items()
        }
        | _tables()
    )


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
    first, second = "LR = 0.1\n\n\ndef step(x):\n    return x - LR\n", "LR = 0.2\n\n\ndef step(x):\n    return x - LR\n"
    aide: tuple[dict[str, Any], ...] = (
        {"unfolded": "aide", "version": "2", "maximize": True, "metric": None},
        {"code": first, "plan": "a draft", "step": 0, "id": "a", "ctime": 1767268800.5, "exec_time": 2.5,
         "exc_type": None, "metric": {"value": 0.5, "maximize": True}, "is_buggy": False, "parent": None},
        {"code": second, "plan": "faster", "step": 1, "id": "b", "ctime": 1767268810.5, "exec_time": 2.0,
         "exc_type": "ValueError", "metric": {"value": None, "maximize": None}, "is_buggy": True, "parent": "a"},
    )  # fmt: skip
    openevolve: tuple[dict[str, Any], ...] = (
        {"unfolded": "openevolve", "metrics": ["combined_score", "speed"]},
        {"id": "a", "code": first, "language": "python", "parent_id": None, "generation": 0, "timestamp": 1767268800.5,
         "iteration_found": 0, "metrics": {"combined_score": 0.5, "speed": 3.0}, "metadata": {"island": 0}},
        {"id": "b", "code": second, "language": "python", "parent_id": "a", "generation": 1,
         "timestamp": 1767268810.5, "iteration_found": 1, "metrics": {"combined_score": 0.6}, "metadata": {}},
        {"id": "c", "code": first, "language": "python", "parent_id": "a", "generation": 1,
         "timestamp": 1767268820.5, "iteration_found": 2, "metrics": {"error": 0.0, "timeout": True}},
    )  # fmt: skip
    shinka: tuple[dict[str, Any], ...] = (
        {"unfolded": "shinka"},
        {"id": "a", "code": first, "language": "python", "parent_id": None, "generation": 0,
         "timestamp": 1767268800.5, "combined_score": 0.5, "public_metrics": {"speed": 3.0}, "private_metrics": {},
         "text_feedback": "", "correct": 1, "metadata": {"compute_time": 2.0}},
        {"id": "b", "code": second, "language": "python", "parent_id": "a", "generation": 1,
         "timestamp": 1767268810.5, "combined_score": 0.6, "public_metrics": {}, "private_metrics": {},
         "text_feedback": "", "correct": 1, "metadata": {"compute_time": 2.0, "api_costs": 0.01}},
        {"id": "c", "code": first, "language": "python", "parent_id": "b", "generation": 2,
         "timestamp": 1767268820.5, "combined_score": 0.0, "public_metrics": {}, "private_metrics": {},
         "text_feedback": "wrong", "correct": 0, "metadata": {}},
    )  # fmt: skip
    return {"optuna": optuna, "aide": aide, "openevolve": openevolve, "shinka": shinka}


def _objects() -> dict[str, tuple[dict[str, Any], ...]]:
    """JSON lines of an experiment each."""
    pi: tuple[dict[str, Any], ...] = (
        {"type": "config", "name": "faster", "metricName": "total_ms", "metricUnit": "ms", "bestDirection": "lower"},
        {"run": 1, "commit": "aaaaaaa", "metric": 30.5, "metrics": {"parse_ms": 9.5}, "status": "keep",
         "description": "Baseline", "timestamp": 1767268800000, "segment": 0},
        {"run": 2, "commit": "aaaaaaa", "metric": 31, "metrics": {}, "status": "discard", "description": "cache 1 -> 2",
         "timestamp": 1767268900000, "segment": 0},
    )  # fmt: skip
    events: tuple[dict[str, Any], ...] = (
        {"event": "proposal", "round": 1, "action": {"env_overrides": [{"key": "K", "value": "64"}]}},
        {"event": "result", "round": 1, "decision": "keep", "metrics": {"val_loss": 0.5}},
    )
    configs: tuple[dict[str, Any], ...] = (
        {"id": 1, "status": "KEEP", "val_loss": 1.0, "description": "baseline", "config": {"lr": 0.1, "depth": 4}},
        {"id": 2, "status": "DISCARD", "val_loss": 1.1, "description": "deeper", "config": {"lr": 0.1, "depth": 5}},
    )
    return {"pi": pi, "events": events, "configs": configs}


def _tables() -> dict[str, bytes]:
    """Tables with a row per experiment."""
    spelt = {
        "campaign": """iteration|experiment_id|status|description|decision_reason|metrics_json|p_values_json|\
effect_sizes_json|num_seeds|timestamp
0|baseline|keep|Baseline|first|{"pearson": 0.2}|{}|{}|5/5|1767225600
1|iter_0001|revert|alpha 1.0 -> 0.1|no gain|{"pearson": 0.1}|{"pearson": 0.6}|{}|5/5|1767225900
""",
        "codex": """# metric_direction: higher
# metric: served
iteration|commit|metric|delta|guard|status|description
0|aaaaaaa|10.0|0|pass|baseline|as it is
1|-|9.0|-1.0|pass|discard|workers 2 -> 4
""",
        "blackboard": """exp_id|timestamp|specialist|parent_exp|baseline_exp|hypothesis|status|val_bpb|notes
000|2026-01-01T00:00:00Z|baseline||||baseline|1.2|
001|2026-01-01T00:30:00Z|opt|000|000|LR 0.1 -> 0.2|keep|1.1|
""",
        "knobs": """date|experiment|param_changed|old_value|new_value|score|status|description
2026-01-01|a-001|WIDTH|3|5|0.6|keep|wider
2026-01-02|a-002|WIDTH|5|7|0.5|discard|wider still
""",
        "table": """commit|val_bpb|memory_gb|status|description
aaaaaaa|1.2|4.0|keep|baseline
bbbbbbb|1.1|4.0|keep|LR 0.1 -> 0.2
ccccccc|0.000000|0.0|crash|DEPTH 8 -> 80
""",
    }
    return {name: text.replace("\\\n", "").replace("|", "\t").encode() for name, text in spelt.items()}


def chained(objects: Iterable[dict[str, Any]]) -> bytes:
    """Native lines of these objects, numbered and chained."""
    prev, out = ZEROS, []
    for seq, obj in enumerate(objects):
        body = {"v": 1, "type": obj.get("type"), "seq": seq, "prev": prev, **obj}
        data = json.dumps(body, separators=(",", ":")).encode()
        prev = link(data)
        out.append(data + b"\n")
    return b"".join(out)
