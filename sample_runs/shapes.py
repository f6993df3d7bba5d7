"""Small runs, one odd shape each, and one of a thousand trials."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from chain import Campaign

LOSS = {"name": "loss", "goal": "minimize"}
BASE: dict[str, Any] = {"lr": 0.003, "width": 128, "act": "relu"}
MENU: dict[str, Any] = {
    "knobs": {
        "lr": {"type": "float", "range": [0.0001, 0.1], "default": 0.003, "family": "optimiser", "scale": "log"},
        "width": {"type": "int", "choices": [32, 64, 128, 256], "default": 128, "family": "capacity"},
        "act": {"type": "str", "choices": ["relu", "gelu", "tanh"], "default": "relu", "family": "capacity"},
    }
}


def samples() -> Iterator[tuple[str, bytes]]:
    """Each file's path below this folder, and its bytes."""
    for make in (higher, several, replicates, two_lines, all_blocked, all_crashed, all_kept, ties, nonfinite, torn):
        yield f"{make.__name__}/{make.__name__}.jsonl", make()
    yield "mixed_values/bare.jsonl", mixed_values()
    yield "mixed_values/typed.jsonl", typed_values()
    yield "mixed_values/typed.menu.json", (json.dumps(TYPED, indent=1) + "\n").encode()
    for make in (attempts, chain_broken, synthetic_1000):
        yield f"{make.__name__}/{make.__name__}.jsonl", make()


def higher() -> bytes:
    """Higher is better, on a fixed base."""
    tape = Campaign("higher", {"name": "accuracy", "goal": "maximize"}, BASE, menu=MENU)
    tape.measure(0.8)
    for fate, value, knob, choice in [
        ("reverted", 0.79, "lr", 0.01),
        ("kept", 0.83, "width", 256),
        ("reverted", 0.77, "width", 64),
        ("reverted", 0.80, "act", "gelu"),
        ("reverted", 0.82, "width", 256),
        ("kept", 0.84, "lr", 0.001),
        ("reverted", 0.74, "act", "tanh"),
        ("reverted", 0.81, "lr", 0.01),
        ("kept", 0.85, "width", 256),
        ("reverted", 0.60, "width", 32),
        ("reverted", 0.82, "act", "gelu"),
        ("reverted", 0.81, "lr", 0.003),
    ]:
        tape.trial(fate, value, (knob, choice), wall_s=30.5)
    return tape.finish()


def several() -> bytes:
    """Several changes per proposal, in any order, on a base that keeps move."""
    tape = Campaign("several", LOSS, BASE, menu=MENU, carry=True)
    tape.measure(2.0)
    trials: list[tuple[str, float, list[tuple[str, Any]]]] = [
        ("reverted", 2.05, [("width", 64), ("lr", 0.01)]),
        ("reverted", 2.07, [("lr", 0.01), ("width", 64)]),
        ("kept", 1.90, [("act", "gelu"), ("width", 256)]),
        ("reverted", 1.96, [("lr", 0.01), ("width", 64)]),
        ("reverted", 1.93, [("lr", 0.001)]),
        ("kept", 1.84, [("lr", 0.002), ("act", "tanh")]),
        ("reverted", 1.95, [("lr", 0.001), ("width", 128), ("act", "relu")]),
        ("reverted", 1.91, [("lr", 0.001)]),
        ("reverted", 1.89, [("width", 64)]),
        ("reverted", 1.92, [("lr", 0.001)]),
        ("reverted", 1.90, [("width", 64)]),
    ]
    for fate, value, changes in trials:
        tape.trial(fate, value, *changes, wall_s=40.0)
    return tape.finish()


def replicates() -> bytes:
    """Declared replicates and revisits beside accidental repeats; one keep is borne out, one is not."""
    tape = Campaign("replicates", LOSS, BASE, menu=MENU, carry=True)
    tape.measure(1.000)
    tape.measure(1.020)
    for fate, value, knob, choice, intent in [
        ("reverted", 0.990, "width", 256, None),
        ("reverted", 1.000, "width", 256, "replicate"),
        ("reverted", 1.050, "lr", 0.01, None),
        ("reverted", 0.900, "act", "gelu", None),
        ("kept", 0.890, "act", "gelu", None),
        ("reverted", 0.930, "lr", 0.01, "revisit"),
        ("reverted", 0.910, "width", 256, "revisit"),
        ("reverted", 0.920, "width", 256, "replicate"),
        ("reverted", 0.905, "width", 64, None),
        ("reverted", 0.915, "width", 64, None),
        ("kept", 0.860, "lr", 0.001, None),
        ("reverted", 0.875, "width", 64, "revisit"),
        ("reverted", 0.880, "act", "relu", None),
        ("reverted", 0.870, "width", 64, "replicate"),
    ]:
        tape.trial(fate, value, (knob, choice), wall_s=20.0, intent=intent)
    return tape.finish()


def two_lines() -> bytes:
    """A header and one trial; nothing else is known."""
    tape = Campaign("two_lines", LOSS, None)
    tape.trial("kept", 0.5, ("lr", 0.01), wall_s=12.0)
    return tape.bytes()


def all_blocked() -> bytes:
    """Nothing was ever evaluated: every attempt was refused."""
    tape = Campaign("all_blocked", LOSS, BASE, menu=MENU)
    for knob, value, rule, level in [
        ("lr", 0.5, "menu", "FAIL"),
        ("lr", 0.003, "no_op", "FAIL"),
        ("width", 100, "menu", "FAIL"),
        ("depth", 4, "menu", "FAIL"),
        ("act", "gelu", "block_repeat", "UNKNOWN"),
    ]:
        tape.trial("blocked", None, wall_s=0.4, refused=[_refused(knob, value, rule, level)])
    return tape.finish()


def all_crashed() -> bytes:
    """Every trial ran and none came back with a number."""
    tape = Campaign("all_crashed", LOSS, BASE, menu=MENU)
    tape.measure(1.0)
    for value, why in [(32, "oom"), (64, "timeout"), (256, "oom"), (64, "nan"), (32, "oom")]:
        tape.trial("crashed", None, ("width", value), wall_s=7.5, reason_code=why)
    return tape.finish()


def all_kept() -> bytes:
    """Every trial was kept, each on the last."""
    tape = Campaign("all_kept", LOSS, BASE, menu=MENU, carry=True)
    tape.measure(1.0)
    steps = [("lr", 0.002), ("width", 256), ("act", "gelu"), ("lr", 0.001), ("act", "tanh"), ("lr", 0.0005)]
    for i, change in enumerate(steps):
        tape.trial("kept", round(0.95 - 0.05 * i, 2), change, wall_s=15.0, new_best=True)
    return tape.finish()


def ties() -> bytes:
    """Equal values: none is a new best, whatever the log says of itself, and the first of equal bests is the best."""
    tape = Campaign("ties", LOSS, BASE, menu=MENU)
    tape.measure(1.0)
    for fate, value, knob, choice, said in [
        ("reverted", 1.0, "lr", 0.01, True),
        ("kept", 0.9, "width", 256, True),
        ("reverted", 0.9, "width", 256, True),
        ("kept", 0.9, "lr", 0.001, False),
        ("reverted", 1.0, "lr", 0.01, False),
        ("kept", 0.9, "act", "gelu", False),
        ("reverted", 1.0, "act", "tanh", False),
        ("reverted", 1.0, "act", "tanh", False),
    ]:
        tape.trial(fate, value, (knob, choice), wall_s=10.0, new_best=said)
    return tape.finish()


def nonfinite() -> bytes:
    """NaN and Infinity where values should be: evaluated, but no value; never a best, never a repeat's noise."""
    tape = Campaign("nonfinite", LOSS, BASE, menu=MENU)
    tape.measure(1.0)
    nan, inf = float("nan"), float("inf")
    for fate, value, knob, choice in [
        ("reverted", nan, "lr", 0.05),
        ("kept", 0.95, "width", 256),
        ("reverted", -inf, "act", "gelu"),
        ("reverted", inf, "lr", 0.05),
        ("kept", nan, "act", "tanh"),
        ("reverted", 0.97, "width", 256),
        ("reverted", 1.1, "width", 64),
        ("reverted", 1.12, "width", 64),
        ("reverted", nan, "width", 64),
        ("reverted", 1.11, "width", 64),
    ]:
        tape.trial(fate, value, (knob, choice), wall_s=10.0, metrics={"loss": value, "grad_norm": inf})
    return tape.finish()


def torn() -> bytes:
    """The writer died in the middle of the last line."""
    tape = _plain("torn", 10)
    return tape.bytes()[:-150]


def chain_broken() -> bytes:
    """One digit of one value was changed after the fact, in the middle."""
    lines = _plain("chain_broken", 10).finish().split(b"\n")
    assert lines[6].count(b'"value":1.06,') == 1
    lines[6] = lines[6].replace(b'"value":1.06,', b'"value":1.00,')
    return b"\n".join(lines)


def attempts() -> bytes:
    """Refused attempts stand before the one that ran, each with the rule that refused it."""
    tape = Campaign("attempts", LOSS, BASE, menu=MENU)
    tape.measure(1.0)
    tape.trial("reverted", 1.02, ("lr", 0.01), wall_s=10.0)
    again = _refused("lr", 0.01, "block_repeat", "FAIL")
    tape.trial("kept", 0.97, ("width", 256), wall_s=11.0, refused=[again])
    near = _refused("lr", 0.0104, "block_repeat", "FAIL")
    outside = _refused("lr", 5.0, "menu", "FAIL")
    tape.trial("reverted", 1.01, ("lr", 0.001), wall_s=12.0, refused=[again, near, outside])
    unsure = _refused("act", "gelu", "guardrail", "UNKNOWN")
    tape.trial("blocked", None, wall_s=0.5, refused=[unsure, _refused("width", 256, "block_repeat", "FAIL")])
    tape.trial("reverted", 1.03, ("width", 64), wall_s=13.0, reason="smaller may generalise", shorthand=True)
    tape.trial("proposer_error", None, wall_s=0.2, reason_code="timeout")
    tape.trial("ineligible", 0.5, ("width", 32), wall_s=14.0, reason_code="tampered")
    return tape.finish()


def mixed_values() -> bytes:
    """Values that look alike and are not, and values that look different and are the same; no menu says which."""
    tape = Campaign("mixed_values", LOSS, {"x": 5})
    tape.measure(1.0)
    values: list[Any] = [
        *(1, 1.0, "1", True, "true", 1e-4, 0.0001, "1e-4", "0.0001", None, "null", 0.1 + 0.2, 0.3, 0, -0.0, False, ""),
        *("bf16", " bf16 ", "BF16", "a b", "a=b", "NaN", [1, 2], [1.0, 2.0], [2, 1], ["1", "2"], [], {}),
        *({"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}, {"a": "1", "b": [2]}, 1e300, 123456789012, 1234567890120.0),
    ]
    for i, value in enumerate(values):
        tape.trial("reverted", round(1.1 + 0.001 * (i * 7 % 31), 3), ("x", value), wall_s=5.0)
    return tape.finish()


TYPED: dict[str, Any] = {
    "knobs": {
        "width": {"type": "int", "range": [64, 4096], "default": 1000},
        "rate": {"type": "float", "range": [1e-05, 0.1], "default": 0.002, "scale": "log"},
        "mode": {"type": "str", "choices": ["bf16", "fp8", "1"], "default": "fp8"},
        "beta": {"type": "float", "range": [0.5, 0.999], "default": 0.91, "scale": "one_minus_log"},
    }
}


def typed_values() -> bytes:
    """The same games where a menu beside the file says what the knobs are."""
    tape = Campaign("typed_values", LOSS, {"width": 1000, "rate": 0.002, "mode": "fp8", "beta": 0.91}, named=False)
    tape.measure(1.0)
    values: list[tuple[str, Any]] = [
        *(("width", v) for v in (512, 512.0, "512", "5.12e2", 768, "768", 1000.0)),
        *(("rate", v) for v in (1e-4, 0.0001, "1e-4", 0.00010000000000000001, 0.000105, 3e-4, "0.002")),
        *(("mode", v) for v in ("bf16", "BF16", " bf16", "1", "FP8")),
        *(("beta", v) for v in (0.95, "0.95", 0.952, 0.99, 0.9)),
    ]
    for i, (knob, value) in enumerate(values):
        tape.trial("reverted", round(1.1 + 0.001 * (i * 7 % 31), 3), (knob, value), wall_s=5.0)
    return tape.finish()


def synthetic_1000() -> bytes:
    """A thousand trials of a walker with favourites: noise, replicates, no-ops, near repeats, a moving base."""
    dice = random.Random(1000)
    spans: dict[str, tuple[list[float], float, str]] = {
        "lr": ([1e-5, 1e-2], 3.3e-4, "log"),
        "wd": ([0.0, 0.5], 0.011, "linear"),
        "beta2": ([0.8, 0.9999], 0.957, "one_minus_log"),
        "clip": ([0.1, 5.0], 1.07, "linear"),
        "warmup": ([0, 100], 4, "linear"),
    }
    choices: dict[str, list[Any]] = {
        "layers": [4, 6, 8, 12, 16],
        "heads": [4, 8, 16],
        "width": [256, 384, 512, 768],
        "batch": [16, 32, 64, 128],
        "act": ["relu", "gelu", "silu", "swiglu"],
        "norm": ["pre", "post"],
        "tie": [False, True],
    }
    values: dict[str, list[Any]] = choices | {
        "lr": [float(f"{m}e-{d}") for d in (5, 4, 3) for m in (1.1, 1.2, 1.6, 1.9, 2.3, 2.7, 3.9, 4.7, 5.6, 6.8, 8.2)],
        "wd": [round(0.007 * i, 3) for i in range(72)],
        "beta2": [round(0.81 + 0.013 * i, 3) for i in range(14)],
        "clip": [round(0.13 + 0.17 * i, 2) for i in range(29)],
        "warmup": list(range(0, 100, 3)),
    }
    knobs: dict[str, Any] = {}
    for i, (name, offered) in enumerate(choices.items()):
        kind = "bool" if name == "tie" else "str" if isinstance(offered[0], str) else "int"
        family = "capacity" if i < 3 else "data" if name == "batch" else "architecture"
        knobs[name] = {"type": kind, "choices": offered, "default": offered[len(offered) // 2], "family": family}
    for name, (span, default, scale) in spans.items():
        kind = "int" if name == "warmup" else "float"
        knobs[name] = {"type": kind, "range": span, "default": default, "scale": scale, "family": "optimiser"}
    base = {name: knob["default"] for name, knob in knobs.items()}
    worth = {(k, v): 0.02 * _bell(dice) for k, offered in values.items() for v in offered}
    favour = sorted(worth, key=lambda _: dice.random())
    tape = Campaign("synthetic_1000", LOSS, base, menu={"knobs": knobs}, carry=True, seeds=[0])

    def run(config: dict[str, Any]) -> float:
        return round(3.2 + sum(worth.get(pair, 0.0) for pair in config.items()) + 0.01 * _bell(dice), 4)

    incumbent = run(base)
    tape.measure(incumbent)
    last: tuple[str, Any] | None = None  # the candidate reverted just now, on this base
    for _ in range(1000):
        assert tape.base is not None
        intent = "replicate" if last and dice.random() < 0.05 else None
        change = last if last and intent else favour[int(len(favour) * dice.random() ** 2)]
        value, wall_s = run(tape.base | {change[0]: change[1]}), round(50 + 20 * dice.random(), 1)
        if dice.random() < 0.03 and not intent:
            tape.trial("crashed", None, change, wall_s=wall_s, reason_code="nan")
            continue
        kept = value < incumbent - 0.004 and not intent and tape.base[change[0]] != change[1]
        tape.trial("kept" if kept else "reverted", value, change, wall_s=wall_s, intent=intent)
        last = None if kept or tape.base[change[0]] == change[1] else change
        incumbent = value if kept else incumbent
    return tape.finish()


def _bell(dice: random.Random) -> float:
    """Nearly normal, by additions alone, so that every platform draws the same."""
    return sum(dice.random() for _ in range(12)) - 6.0


def _plain(name: str, trials: int) -> Campaign:
    tape = Campaign(name, LOSS, BASE, menu=MENU)
    tape.measure(1.0)
    offers = [("lr", 0.01), ("width", 256), ("act", "gelu"), ("lr", 0.001), ("width", 64)]
    for i in range(trials):
        tape.trial("reverted", round(1.01 + 0.01 * (i * 3 % 7), 2), offers[i % 5], wall_s=9.0)
    return tape


def _refused(knob: str, value: Any, rule: str, level: str) -> dict[str, Any]:
    verdict = {"rule": rule, "level": level, "reason": f"{knob} was refused by {rule}"}
    return {"changes": [{"knob": knob, "value": value}], "verdict": verdict}
