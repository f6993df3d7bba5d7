"""Lines of the native record to draw from: small domains, so that ties, empties and nulls happen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from trajscope import record

ROOT = Path(__file__).resolve().parents[1]
HEAD = {"v": 1, "seq": 1, "prev": "0" * 16}
RUN = {"type": "run", "run_id": "r", "campaign": "c", "started": "s", "metric": {"name": "loss", "goal": "minimize"}}
TRIAL = {"type": "trial", "iter": 1, "status": "reverted", "attempts": [{"changes": [{"knob": "lr", "value": 1}]}]}
REFUSED = {"rule": "r", "level": "FAIL", "reason": "no"}
PASSED = {"rule": "r", "level": "PASS", "reason": "yes"}
VALIDATORS = {kind: Draft202012Validator(body) for kind, body in record.schemas().items()}

numbers = st.one_of(st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
verdicts = st.fixed_dictionaries(
    {"rule": texts, "level": st.sampled_from(["PASS", "WARN", "UNKNOWN", "FAIL"]), "reason": texts},
    optional={"evidence": st.lists(st.integers(0, 9), max_size=2)},
)
changes = st.lists(st.fixed_dictionaries({"knob": st.sampled_from(["lr", "code:f"]), "value": values}), max_size=2)
attempts = st.fixed_dictionaries(
    {"changes": changes},
    optional={"reason": texts, "intent": st.sampled_from(["replicate", "revisit"]), "verdict": verdicts},
)
seeds = st.fixed_dictionaries(
    {"seed": st.integers(0, 3), "status": st.sampled_from(["ok", "crashed"])},
    optional={"metrics": st.dictionaries(st.just("loss"), st.none() | st.integers(0, 1)), "wall_s": numbers},
)
trials = st.fixed_dictionaries(
    {
        **{k: st.just(v) for k, v in HEAD.items()},
        "type": st.just("trial"),
        "iter": st.integers(0, 3),
        "status": st.sampled_from(
            ["kept", "kept", "reverted", "blocked", "crashed", "aborted", "ineligible", "proposer_error", "other"]
        ),
        "attempts": st.lists(attempts, max_size=2),
        "value": st.none() | st.integers(0, 1),
    },
    optional={
        "value_source": st.sampled_from(["seeds", "reported"]),
        "seeds": st.lists(seeds, max_size=2),
        "diff": texts | st.just({"blob": "0" * 64}),
        "metrics": st.dictionaries(texts, st.none() | numbers, max_size=2),
        "deltas": st.dictionaries(texts, st.fixed_dictionaries({}, optional={"incumbent": numbers}), max_size=1),
        "cost": st.fixed_dictionaries({}, optional={"wall_s": numbers, "tokens_in": st.integers(0, 9)}),
        "new_best": st.booleans(),
        "raw_status": st.sampled_from([None, "", "note"]),
        "holdout": st.fixed_dictionaries({"pass": st.booleans(), "commitment": st.just("a" * 64)}),
        "verdicts": st.lists(verdicts, max_size=1),
    },
)
others = st.one_of(
    st.fixed_dictionaries(
        {**{k: st.just(v) for k, v in (HEAD | RUN).items()}},
        optional={
            "metrics": st.lists(
                st.fixed_dictionaries(
                    {
                        "name": st.sampled_from(["loss", "acc"]),
                        "role": st.sampled_from(["primary", "guard", "monitor"]),
                    },
                    optional={"floor": st.none() | st.sampled_from([0, 0.0, 1]), "ceiling": numbers},
                ),
                max_size=2,
            ),
            "base": st.fixed_dictionaries({"config": st.dictionaries(texts, values, max_size=2)}),
            "seeds": st.lists(st.integers(0, 3), max_size=2),
            "proposer": st.fixed_dictionaries({}, optional={"history": st.none() | st.just("all") | st.integers(0, 9)}),
        },
    ),
    st.fixed_dictionaries(
        {**{k: st.just(v) for k, v in HEAD.items()}, "type": st.just("measure"), "what": st.just("baseline")},
        optional={"value": st.none() | numbers, "seeds": st.lists(seeds, max_size=2)},
    ),
    st.fixed_dictionaries(
        {
            **{k: st.just(v) for k, v in HEAD.items()},
            "type": st.just("event"),
            "kind": st.sampled_from(["alarm", "claim"]),
            "data": st.dictionaries(texts, values, max_size=2),
        }
    ),
    st.fixed_dictionaries(
        {
            **{k: st.just(v) for k, v in HEAD.items()},
            "type": st.just("end"),
            "reason": texts,
            "counts": st.dictionaries(texts, st.integers(0, 9), max_size=2),
        }
    ),
)
lines = trials | others


def line(obj: object) -> bytes:
    return json.dumps(obj).encode()


def trial(**fields: Any) -> Any:
    return {**HEAD, **TRIAL, "value": None, **fields}
