"""What the property tests draw from: tiny domains, so that ties, empties and twins happen."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any

from hypothesis import strategies as st

# NFC and NFD of one word, a padded one, words that look like other types, and what a label is made of.
WORDS = (
    "", "a", "A", "b", "caf\u00e9", "cafe\u0301", " a ", "1", "1.0", "1e-4", "true", "null", "NaN", "a=b", "a + b",
    '"a"', "\ud800", "\ufffd", "a\nb", "sha256:0", "-1", "\u00e9\u0323", "\u212b",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 10, 768, 2**53, 2**53 + 1, 2**64, 10**30, 0.0, -0.0, 1.0, 0.1, 0.2, 0.30000000000000004, 0.3, 1e-4,
    1e20, 1e300, 5e-324, 1234567890123456.0, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip

words = st.sampled_from(WORDS) | st.text(max_size=3)
numbers: st.SearchStrategy[int | float] = st.sampled_from(NUMBERS) | st.integers(-3, 3) | st.floats()
scalars: st.SearchStrategy[Any] = st.none() | st.booleans() | numbers | words
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)
knobs = st.sampled_from(("lr", "depth", "a", "a=1", "a + b", "caf\u00e9", "cafe\u0301", ' "q" ', "a\nb")) | words


def model(value: Any) -> Any:
    """The identity of a value by the page of definitions, written down a second time and without any text.

    Two values are the same exactly when their models are equal: a type tag, then the content.
    """
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("b", value)
    if isinstance(value, int):
        return ("i", value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return ("s", _word(value).strip())
    if isinstance(value, list):
        return ("l", *(model(v) for v in value))
    return ("d", *sorted({_word(k): model(v) for k, v in sorted(value.items())}.items()))


def _float(value: float) -> Any:
    if math.isnan(value):
        return ("nan",)
    if math.isinf(value):
        return ("inf", value > 0)
    if value == int(value) and abs(value) < 2**53:
        return ("i", int(value))
    short = float(format(value, ".12g"))
    return ("i", int(short)) if short == int(short) and abs(short) < 2**53 else ("f", short)


def _word(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in unicodedata.normalize("NFC", text))


def respelled(value: Any) -> st.SearchStrategy[Any]:
    """The same value as somebody else would write it: other number spellings, other key order, NFD, padding."""
    if isinstance(value, bool) or value is None:
        return st.just(value)
    if isinstance(value, int):
        return st.sampled_from([value, float(value)]) if abs(value) < 2**53 else st.just(value)
    if isinstance(value, float):
        whole = math.isfinite(value) and value.is_integer() and abs(value) < 2**53
        return st.sampled_from([value, int(value)]) if whole else st.just(value)
    if isinstance(value, str):
        return st.sampled_from([value, unicodedata.normalize("NFD", value), f" {value}\t"])
    if isinstance(value, list):
        return st.tuples(*map(respelled, value)).map(list)
    return st.permutations(list(value)).flatmap(
        lambda keys: st.tuples(*(respelled(value[k]) for k in keys)).map(lambda vs: dict(zip(keys, vs, strict=True)))
    )


# --- lines -------------------------------------------------------------------------------------------------------


def dumped(value: Any) -> bytes:
    """A JSON line, NaN and broken letters included."""
    return json.dumps(value).encode()


FIELDS: dict[str, tuple[Any, ...]] = {
    "v": (1, 2, "1"),
    "type": ("run", "trial", "measure", "event", "end", "rollout", 5),
    "seq": (0, 1, 2, 3, -1, 2**70, "0"),
    "prev": ("0" * 16, "ffff", 5),
    "run_id": ("r", "", 5),
    "metric": ({"name": "loss", "goal": "minimize"}, {"name": "acc", "goal": "up"}, "loss", {"name": ["x"]}),
    "metrics": (
        [{"name": "loss", "role": "primary"}, {"name": "acc", "role": "guard", "floor": 0.5}],
        [{"name": "acc", "role": "guard"}], {"loss": 0.5, "acc": 0.7}, {"loss": None}, {"loss": math.nan}, 5, [5],
        [{"name": "acc", "role": "guard", "floor": 10**400}],
    ),
    "menu": (
        {"knobs": {"lr": {"range": [0.001, 1.0]}, "depth": {"type": "int", "choices": [1, 2, 3], "default": 2}}},
        {"knobs": {"lr": {"range": [1, 0]}}}, {"knobs": []}, {"lr": {"type": []}}, 5,
        {"knobs": {"l": {"type": "list", "choices": [[1], [2]]}}, "constraints": ["l == 1"]},
    ),
    "base": ({"config": {"lr": 0.1, "depth": 2}, "hash": "base"}, {"config": {"lr": 0.1, "l": [1]}}, {"config": 5}, 5),
    "proposer": ({"history": 5}, {"history": "all"}, {"history": -1}, 5),
    "iter": (1, 2, 3, -5, 1.5, "x", 10**30, None),
    "status": ("kept", "reverted", "blocked", "crashed", "aborted", "ineligible", "proposer_error", "odd", None, 5),
    "reason_code": ("nan", "tampered", "oom", "", 5),
    "attempts": (
        [{"knob": "lr", "value": 0.1}], [{"knob": "lr", "value": 0.2}], [{"knob": "depth", "value": 3}], [],
        [{"changes": [{"knob": "lr", "value": 0.3}, {"knob": "l", "value": [1, {"a": math.nan}]}]}],
        [{"changes": [{"knob": "lr", "value": 0.3}], "intent": "replicate"}],
        [{"knob": "lr", "value": 9, "verdict": {"rule": "repeat", "level": "FAIL"}}, {"knob": "lr", "value": 10**30}],
        [{"knob": 5}], [{"knob": "", "value": 1}], 5, [{"knob": "lr", "value": 0.2, "verdict": "PASS"}],
    ),
    "base_hash": ("base", "other", "", 5),
    "config_hash": ("c1", "c2", "base", 5),
    "value": (0.5, 0.4, 0.4, 1, 0, -1e308, 1e308, 1e200, math.nan, math.inf, None, "x", True, 10**400, 5e-324),
    "seeds": (
        [{"seed": 1, "status": "ok", "metrics": {"loss": 0.5}, "first_step": 2.0}], [],
        [{"seed": 1, "metrics": {"loss": 1e308}}, {"seed": 2, "metrics": {"loss": 1e308}}], [0, 1, 2],
        [{"seed": 1, "metrics": {"loss": 0.5}, "first_step": math.nan}, {"seed": 2, "metrics": {"loss": None}}],
        [{"seed": 1, "status": "crashed", "error": "oom"}], [{"seed": 2**70}], 5,
        [{"seed": i, "metrics": {"loss": 0.5 + i / 8, "acc": 0.1}, "first_step": i} for i in range(4)],
    ),
    "effective": ({"lr": 0.3}, {"lr": math.nan}, {"depth": [1, [2]]}, {"lr": 10**30}, 5),
    "fingerprints": ({"propose": {"a": "1"}, "run": {"a": "1"}, "score": {"a": "2"}}, {"propose": 5}, 5),
    "cost": (
        {"wall_s": 1.5, "tokens_in": 3, "usd": 0.1}, {"wall_s": -1e308}, {"wall_s": 1e308}, {"tokens_in": 2**63}, 5,
    ),
    "new_best": (True, False, 1, "x"),
    "ended": ("2026-01-01T00:00:00Z", "2026-01-01", "never", 5),
    "what": ("baseline", "incumbent", "degenerate", 5),
    "kind": ("alarm", "pause", 5),
    "at": ("2026-01-01T00:00:00Z", 5),
    "data": ({"a": [1]}, 5),
    "counts": ({"kept": 1}, {"kept": True, "x": 2}, 5),
    "settings_hash": ("s", 5),
    # The other format.
    "_meta": ("log",),
    "baseline_loss": (1.0, math.nan, 10**400, True, "x"),
    "baseline_cfg": ({"lr": 0.1, "depth": 2, "seed": 0}, {"lr": [1, 2]}, 5),
    "stage": ("evaluated", "blocked", "eval_failed", "nim_error", "paused", "loop_complete", "odd", 5),
    "proposal": (
        {"knob": "lr", "new_value": 0.2}, {"knob": "lr", "new_value": [1, 2]}, {"knob": "lr", "new_value": math.nan}, 5,
    ),
    "candidate_cfg": (
        {"lr": 0.2, "depth": 2, "seed": 0}, {"lr": [1, 2], "depth": 2}, {"lr": 0.2, "seed": 2**70}, {}, 5,
    ),
    "eval_metrics": ({"train_loss_first": 1.0}, {"train_loss_first": math.nan}, 5),
    "loss": (0.5, 0.4, 1e308, -1e308, math.nan, None, "x", 1e155),
    "decision": ("keep", "revert", "maybe", 5),
    "is_new_best": (True, False, 5),
    "iter_wall_s": (1.0, math.inf, 1e308, "x"),
    "accept_count": (1, True, 10**30),
}  # fmt: skip
NATIVE = [k for k in FIELDS if list(FIELDS).index(k) < list(FIELDS).index("_meta")]
STAGES = [
    "iter",
    "stage",
    "proposal",
    "candidate_cfg",
    "eval_metrics",
    "loss",
    "decision",
    "is_new_best",
    "iter_wall_s",
]


def records(names: list[str], **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, most of them good."""
    optional = {k: st.sampled_from(FIELDS[k]) for k in names if k not in fixed}
    return st.fixed_dictionaries(fixed, optional=optional)


TRIAL = ["seq", "iter", "status", "reason_code", "attempts", "base_hash", "config_hash", "value", "metrics", "seeds"]
TRIAL += ["effective", "fingerprints", "cost", "new_best", "ended"]
RUN = ["run_id", "metrics", "menu", "base", "proposer", "settings_hash"]
native_records = (
    records(TRIAL, type=st.just("trial"), attempts=st.sampled_from(FIELDS["attempts"][:6]))
    | records(["value", "seeds", "config_hash"], type=st.just("measure"), what=st.sampled_from(FIELDS["what"]))
    | records(["at", "data", "kind"], type=st.just("event"))
    | records(["counts"], type=st.just("end"))
    | records(NATIVE)
)
native_headers = records(RUN, type=st.just("run"), v=st.just(1), metric=st.sampled_from(FIELDS["metric"]))
stages_records = records(
    STAGES, stage=st.sampled_from(FIELDS["stage"]), proposal=st.sampled_from(FIELDS["proposal"])
) | records(["_meta", "baseline_loss", "baseline_cfg", "accept_count", *STAGES])
stages_headers = records(["baseline_cfg"], _meta=st.just("log"), baseline_loss=st.sampled_from(FIELDS["baseline_loss"]))


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """These bytes after something happened to them: cut, doubled, overwritten, moved, or with bytes put in."""
    for _ in range(draw(st.integers(0, 4))):
        a, b = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        what = draw(st.integers(0, 4))
        piece = draw(
            st.binary(max_size=4) | st.sampled_from([b"\n", b"\r\n", b"NaN", b"null", b"}", b"[", b'"', b"1e999"])
        )
        data = (
            data[:b] if what == 0
            else data[:b] + data[a:] if what == 1
            else data[:a] + piece + data[min(b, a + len(piece)) :] if what == 2
            else data[a:b] + data[:a] + data[b:] if what == 3
            else data[:a] + piece + data[a:]
        )  # fmt: skip
        data = data[:20_000]
    return data
