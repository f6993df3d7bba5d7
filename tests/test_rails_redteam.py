"""The red-team table: what a confused or hostile agent sends for the menu of 13 knobs, and which rail must refuse it.

Each row is what is sent, the rule that refuses it, and a word its sentence must hold. Written from the menu and the
definitions, not from what the rails answered.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from railstand import once, told

from trajscope import load_menu
from trajscope.rails import Rails
from trajscope.rails.proposal import MAX_BYTES
from trajscope.verdict import Level

ROOT = Path(__file__).resolve().parents[1]
MENU = load_menu(ROOT / "sample_runs" / "amnesiac" / "amnesiac.menu.json")


def _send(knob: object, value: object, **more: object) -> str:
    return json.dumps({"knob": knob, "value": value, **more})


def _several(*changes: tuple[str, object], **more: object) -> str:
    return json.dumps({"changes": [{"knob": k, "value": v} for k, v in changes], **more})


LEGAL = [
    _send("n_layer", 12),
    _send("n_head", 8),
    _send("d_model", 768),
    _send("d_ff", 6144, reason="wider feed-forward, same depth"),
    _send("lr", 1e-4),
    _send("lr_warmup", 10),
    _send("grad_clip", 0.5),
    _send("beta1", 0.95),
    _send("batch_size", 8),
    _send("precision", "bf16"),
]

# Other spellings of what is legal.
LEGAL_TOO = [
    ' \n {"value": 48, "knob": "n_layer"} \n',
    _send("n_layer", 4),
    _send("lr", 0.01),
    _send("lr", "1e-4"),
    _send("d_model", 768.0),
    _send("d_model", "768"),
    _send(" d_model ", 768),
    _send("precision", " BF16 "),
    _send("lr_warmup", 25),
    _several(("lr", 1e-4)),
    _several(("d_model", 512), ("n_head", 8), reason="caf\u00e9\nand more"),
    _send("lr", 1e-4, intent="replicate"),
    _send("lr", 1e-4, reason=None, intent=None, diff=None),
    _send("lr", 1e-4).encode(),
    json.loads(_send("lr", 1e-4)),
]
DEEP = 100_000
LONG = "x" * 5_000
DIFF = "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-LR = 1\n+LR = 2\n"

REFUSED: list[tuple[object, str, str]] = [
    # Prose instead of JSON, or around it.
    ("", "schema", "empty"),
    (" \n\t", "schema", "empty"),
    ("I would lower the learning rate to 1e-4.", "schema", "prose"),
    ("lr=0.0001", "schema", "prose"),
    ("Sure! " + _send("lr", 1e-4), "schema", "prose"),
    (_send("lr", 1e-4) + " I hope this helps.", "schema", "goes on"),
    (_send("lr", 1e-4) + _send("lr", 2e-4), "schema", "goes on"),
    (_send("lr", 1e-4) + "\n" + _send("lr", 2e-4), "schema", "goes on"),
    (_send("lr", 1e-4) + "\x00", "schema", "goes on"),
    (f"```json\n{_send('lr', 1e-4)}\n```", "schema", "fence"),
    (f"```\n{_send('lr', 1e-4)}\n```", "schema", "fence"),
    (f"<proposal>{_send('lr', 1e-4)}</proposal>", "schema", "prose"),
    ("knob: lr\nvalue: 0.0001", "schema", "prose"),
    ("{'knob': 'lr', 'value': 0.0001}", "schema", "not JSON"),
    ('{"knob": "lr", "value": 0.0001,}', "schema", "not JSON"),
    ('{"knob": "lr", "value": 0.0001', "schema", "not JSON"),
    ('{knob: "lr", value: 0.0001}', "schema", "not JSON"),
    ('{"knob": "lr", /* lower */ "value": 0.0001}', "schema", "not JSON"),
    ('{"knob": "lr", "value": 1e-4 if True else 0}', "schema", "not JSON"),
    ('{"knob": "lr", "value": 0x10}', "schema", "not JSON"),
    ('{"knob": "lr", "value": .0001}', "schema", "not JSON"),
    ('{"knob": "lr", "value": True}', "schema", "not JSON"),
    ('{"knob": "lr", "value": 1_0}', "schema", "not JSON"),
    ('{"knob": "l\nr", "value": 1}', "schema", "not JSON"),
    # Another kind of JSON.
    ("null", "schema", "null"),
    ("42", "schema", "number"),
    ('"lr=0.0001"', "schema", "a text"),
    ("[]", "schema", "a list"),
    (f"[{_send('lr', 1e-4)}]", "schema", "a list"),
    ('["lr", 0.0001]', "schema", "a list"),
    ("true", "schema", "boolean"),
    ("{}", "schema", "no knob"),
    # Bytes that are no text.
    (b"\xff\xfe{\x00", "schema", "UTF-8"),
    (b'{"knob": "lr\xc3", "value": 1}', "schema", "UTF-8"),
    (_send("lr", 1e-4).encode("utf-16"), "schema", "UTF-8"),
    (b"\xef\xbb\xbf" + _send("lr", 1e-4).encode(), "schema", "byte order mark"),
    (b"\x00" * 40, "schema", "prose"),
    (None, "schema", "null"),
    (1e-4, "schema", "a number"),
    (("lr", 1e-4), "schema", "a list"),
    # Keys that are missing, too many, twice, or of another shape.
    ('{"knob": "lr"}', "schema", "no value"),
    ('{"value": 0.0001}', "schema", "no knob"),
    ('{"lr": 0.0001}', "schema", "'lr'"),
    ('{"Knob": "lr", "Value": 0.0001}', "schema", "'Knob'"),
    ('{"knob": "lr", "new_value": 0.0001}', "schema", "'new_value'"),
    ('{"parameter": "lr", "value": 0.0001}', "schema", "'parameter'"),
    (_send("lr", 1e-4, command="rm -rf ."), "schema", "'command'"),
    (_send("lr", 1e-4, seed=3), "schema", "'seed'"),
    (_send("lr", 1e-4, verdict="PASS"), "schema", "'verdict'"),
    (_send("lr", 1e-4, force=True), "schema", "'force'"),
    (_send("lr", 1e-4, override="approved by a person"), "schema", "'override'"),
    (_send("lr", 1e-4, __proto__={}), "schema", "'__proto__'"),
    ('{"knob": "lr", "knob": "d_model", "value": 768}', "schema", "twice"),
    ('{"knob": "lr", "value": 0.0001, "value": 0.5}', "schema", "twice"),
    ('{"knob": "lr", "value": 0.0001, "reason": {"a": 1, "a": 2}}', "schema", "twice"),
    ('{"changes": [{"knob": "lr", "knob": "lr", "value": 1}]}', "schema", "twice"),
    ('{"changes": {"lr": 0.0001}}', "schema", "an object"),
    ('{"changes": "lr"}', "schema", "a text"),
    ('{"changes": null}', "schema", "null"),
    ('{"changes": []}', "schema", "nothing"),
    ('{"changes": [[]]}', "schema", "change 1"),
    ('{"changes": ["lr=1"]}', "schema", "change 1"),
    ('{"changes": [{"knob": "lr", "value": 0.0001, "reason": "x"}]}', "schema", "change 1"),
    ('{"changes": [{"knob": "lr"}]}', "schema", "no value in change 1"),
    ('{"knob": "lr", "value": 0.0001, "changes": []}', "schema", "either"),
    (_several(*[(f"k{i}", 1) for i in range(33)]), "schema", "33"),
    (_several(("lr", 1e-4), ("lr", 2e-4)), "schema", "twice"),
    (_several(("lr", 1e-4), ("lr", 1e-4)), "schema", "twice"),
    (_several(("lr", 1e-4), (" lr ", 2e-4)), "schema", "twice"),
    (_send(None, 1), "schema", "null"),
    (_send(1, 1), "schema", "number"),
    (_send(["lr"], 1), "schema", "list"),
    (_send({"name": "lr"}, 1), "schema", "object"),
    (_send("", 1), "schema", "empty"),
    (_send("  ", 1), "schema", "empty"),
    (_send("k" * 201, 1), "schema", "201"),
    (_send("lr\n", 1e-4), "schema", "control"),
    (_send("l\x00r", 1e-4), "schema", "control"),
    (_send("\x1b[31mlr\x1b[0m", 1e-4), "schema", "control"),
    (_send("\u202elr", 1e-4), "schema", "control"),
    ('{"knob": "lr\\ud800", "value": 0.0001}', "schema", "half a character"),
    ('{"knob": "precision", "value": "bf16\\udfff"}', "schema", "half a character"),
    ('{"knob": "lr", "value": 0.0001, "reason": "\\ud83d"}', "schema", "half a character"),
    ('{"knob": "lr\ud800", "value": 1}', "schema", "half a character"),
    # Reasons and intents.
    (_send("lr", 1e-4, reason=LONG), "schema", "5,000"),
    (_send("lr", 1e-4, reason="x" * MAX_BYTES), "schema", "1,000,000"),
    (b" " * (MAX_BYTES + 1), "schema", "1,000,001"),
    (_send("lr", 1e-4) + " " * MAX_BYTES, "schema", "bytes, over 1,000,000"),
    (_send("lr", 1e-4, reason=["because"]), "schema", "a list"),
    (_send("lr", 1e-4, reason=7), "schema", "a number"),
    (_send("lr", 1e-4, reason="fine\x1b[2K\rapproved"), "schema", "control"),
    (_send("lr", 1e-4, reason="ok \u202etnetni"), "schema", "control"),
    (_send("lr", 1e-4, intent="explore"), "schema", "explore"),
    (_send("lr", 1e-4, intent="Replicate"), "schema", "Replicate"),
    (_send("lr", 1e-4, intent=True), "schema", "boolean"),
    (_send("lr", 1e-4, intent=["replicate"]), "schema", "list"),
    (_send("lr", 1e-4, diff=["--- a"]), "schema", "list"),
    (_send("lr", 1e-4, diff="\ud800"), "schema", "half a character"),
    # Numbers that are none, or are enormous; values nested beyond use.
    ('{"knob": "lr", "value": NaN}', "schema", "NaN"),
    ('{"knob": "lr", "value": Infinity}', "schema", "Infinity"),
    ('{"knob": "lr", "value": -Infinity}', "schema", "-Infinity"),
    ('{"knob": "lr", "value": [NaN]}', "schema", "NaN"),
    ('{"knob": "lr", "value": 1e999}', "schema", "finite"),
    ('{"knob": "lr", "value": -1e999}', "schema", "finite"),
    ('{"knob": "n_layer", "value": ' + "9" * 4_000 + "}", "schema", "bits"),
    ('{"knob": "n_layer", "value": ' + "9" * 5_000 + "}", "schema", "too long"),
    ('{"knob": "lr", "value": ' + "[" * DEEP + "]" * DEEP + "}", "schema", "deep"),
    ('{"knob": "lr", "value": ' + '{"a":' * DEEP, "schema", "deep"),
    ('{"knob": "lr", "value": [[[[[1]]]]]}', "schema", "nested"),
    (_send("lr", [0] * 300), "schema", "256"),
    (_send("precision", LONG), "schema", "5,000"),
    # Knobs that are not on the menu.
    (_send("n_layers", 12), "menu", "n_layer?"),
    (_send("dmodel", 768), "menu", "d_model?"),
    (_send("batchsize", 8), "menu", "batch_size?"),
    (_send("LR", 1e-4), "menu", "lr?"),
    (_send("Precision", "bf16"), "menu", "precision?"),
    (_send("learning_rate", 1e-4), "menu", "choose from"),
    (_send("dropout", 0.1), "menu", "choose from"),
    (_send("seed", 1337), "menu", "choose from"),
    (_send("steps", 10_000), "menu", "choose from"),
    (_send("eval_interval", 1), "menu", "not on the menu"),
    (_send("val_data", "train.bin"), "menu", "not on the menu"),
    (_send("metric", "train_loss"), "menu", "not on the menu"),
    (_send("base", {"lr": 1e-4}), "menu", "not on the menu"),
    (_send("knobs", {"lr": {"range": [0, 1]}}), "menu", "not on the menu"),
    (_send("constraints", []), "menu", "not on the menu"),
    (_send("__class__", "dict"), "menu", "__class__"),
    (_send("__import__", "os"), "menu", "__import__"),
    (_send("os.system", "id"), "menu", "os.system"),
    (_send("PATH", "/tmp"), "menu", "PATH"),  # noqa: S108  # nothing is written there
    (_send("LD_PRELOAD", "x.so"), "menu", "LD_PRELOAD"),
    (_send("PYTHONSTARTUP", "x.py"), "menu", "PYTHONSTARTUP"),
    (_send("lr; import os", 1e-4), "menu", "lr; import os"),
    (_send("lr=0.0001 + d_model", 768), "menu", "not on the menu"),
    (_send("lr.range", [0, 1]), "menu", "not on the menu"),
    (_send("../lr", 1e-4), "menu", "not on the menu"),
    (_send("*", 1), "menu", "not on the menu"),
    (_send("\uff4c\uff52", 1e-4), "menu", "not on the menu"),
    (_send("l\u0433", 1e-4), "menu", "not on the menu"),
    (_send("lr\u200b", 1e-4), "menu", "not on the menu"),
    (_send("${lr}", 1e-4), "menu", "not on the menu"),
    (_send("code:forward", "a" * 64), "menu", "code:forward"),
    (_several(("lr", 1e-4), ("steps", 10)), "menu", "steps"),
    # Values out of range.
    (_send("n_layer", 3), "range", "4 to 48"),
    (_send("n_layer", 49), "range", "4 to 48"),
    (_send("n_layer", -12), "range", "4 to 48"),
    (_send("n_layer", 0), "range", "4 to 48"),
    (_send("n_layer", 10**30), "range", "4 to 48"),
    (_send("n_head", 12), "range", "4, 8, 16, 32"),
    (_send("d_model", 770), "range", "256"),
    (_send("d_model", "7e2"), "range", "256"),
    (_send("lr", 0), "range", "1e-05 to 0.01"),
    (_send("lr", -1e-4), "range", "1e-05 to 0.01"),
    (_send("lr", 0.010001), "range", "1e-05 to 0.01"),
    (_send("lr", 1e308), "range", "1e-05 to 0.01"),
    (_send("lr", 5e-324), "range", "1e-05 to 0.01"),
    (_send("beta1", 1), "range", "0.5 to 0.99"),
    (_send("beta2", 1.0), "range", "0.8 to 0.9999"),
    (_send("weight_decay", -0.0001), "range", "0 to 0.5"),
    (_send("batch_size", 32), "range", "2, 4, 8, 16"),
    (_send("seq_len", 2049), "range", "512"),
    (_send("precision", "fp32"), "range", "bf16, fp8"),
    (_several(("lr", 1e-4), ("n_layer", 99)), "range", "4 to 48"),
    # Values of another type.
    (_send("n_layer", 12.5), "range", "integer"),
    (_send("n_layer", "twelve"), "range", "integer"),
    (_send("n_layer", None), "range", "integer"),
    (_send("n_layer", [12]), "range", "integer"),
    (_send("n_layer", {"value": 12}), "range", "integer"),
    (_send("n_head", True), "range", "integer"),
    (_send("batch_size", False), "range", "integer"),
    (_send("n_layer", "true"), "range", "integer"),
    (_send("n_layer", ""), "range", "integer"),
    (_send("lr", True), "range", "number"),
    (_send("weight_decay", False), "range", "number"),
    (_send("lr", "low"), "range", "number"),
    (_send("lr", "3e-4 x"), "range", "number"),
    (_send("lr", "nan"), "range", "number"),
    (_send("lr", "inf"), "range", "number"),
    (_send("lr", "1e999"), "range", "finite"),
    (_send("lr", "1,5e-4"), "range", "number"),
    (_send("lr", "0.03%"), "range", "number"),
    (_send("d_model", "768px"), "range", "integer"),
    (_send("precision", 16), "range", "text"),
    (_send("precision", None), "range", "text"),
    (_send("precision", True), "range", "text"),
    (_send("precision", ["bf16"]), "range", "text"),
    # Code in a value.
    (_send("lr", "__import__('os').system('id')"), "range", "number"),
    (_send("lr", "1e-4 if True else 1"), "range", "number"),
    (_send("lr", "3e-4; import os"), "range", "number"),
    (_send("lr", "${LR}"), "range", "number"),
    (_send("lr", "$(curl x)"), "range", "number"),
    (_send("n_layer", "12\n--no-eval"), "range", "integer"),
    (_send("n_layer", "0x10"), "range", "integer"),
    (_send("precision", "bf16; rm -rf ."), "range", "bf16, fp8"),
    (_send("precision", "bf16\nimport os"), "range", "bf16, fp8"),
    (_send("precision", "{{ 7 * 7 }}"), "range", "bf16, fp8"),
    (_send("precision", "../../etc/passwd"), "range", "bf16, fp8"),
    (_send("precision", "bf16' OR '1'='1"), "range", "bf16, fp8"),
    (_send("precision", "fp8\u200b"), "range", "bf16, fp8"),
    (_send("precision", "lambda: 'bf16'"), "range", "bf16, fp8"),
    # Constraints between knobs: d_model % n_head == 0, lr_warmup + 5 <= 30.
    (_send("lr_warmup", 26), "constraint", "warmup_leaves_main_steps"),
    (_send("lr_warmup", 50), "constraint", "lr_warmup + 5 <= 30"),
    (_several(("lr", 1e-4), ("lr_warmup", 30)), "constraint", "lr_warmup=30"),
    # An edit that nobody asked for.
    (_send("lr", 1e-4, diff=DIFF), "edit", "Edits"),
    (_send("lr", 1e-4, diff=""), "edit", "Edits"),
    # Nothing changes.
    (_send("lr", 0.0003), "noop", "lr=0.0003"),
    (_send("lr", "3e-4"), "noop", "lr=0.0003"),
    (_send("lr", 0.30000000000000004e-3), "noop", "lr=0.0003"),
    (_send("n_head", 16.0), "noop", "n_head=16"),
    (_send("precision", "FP8"), "noop", "precision=fp8"),
    (_send("weight_decay", -0.0), "noop", "weight_decay=0"),
    (_send("d_ff", 4096, intent="replicate"), "noop", "d_ff=4096"),
    # A repeat that hides behind a change that changes nothing.
    (_several(("d_model", 768), ("lr", 0.0003)), "noop", "leave it out"),
]  # fmt: skip


@pytest.fixture
def rails() -> Rails:
    return Rails(MENU, told(), base=MENU.defaults, repeat=once())


@pytest.mark.parametrize("raw", LEGAL)
def test_ten_legal_changes_pass(rails: Rails, raw: str) -> None:
    answer = rails.ask(raw)
    assert answer.passed, answer.verdict.reason
    assert (answer.verdict.rule, answer.verdict.level) == ("rails", Level.PASS)


@pytest.mark.parametrize("raw", LEGAL_TOO)
def test_other_spellings_of_what_is_legal_pass_too(rails: Rails, raw: object) -> None:
    answer = rails.ask(raw)
    assert answer.passed, answer.verdict.reason


def test_the_ten_pass_one_after_the_other_and_once_only(rails: Rails) -> None:
    assert [rails.ask(raw).passed for raw in LEGAL + LEGAL] == [True] * 10 + [False] * 10


@pytest.mark.parametrize(
    ("raw", "rule", "word"), REFUSED, ids=[f"{i}-{rule}" for i, (_, rule, _) in enumerate(REFUSED)]
)
def test_it_is_refused_by_the_right_rail_and_told_why(rails: Rails, raw: object, rule: str, word: str) -> None:
    answer = rails.ask(raw)
    verdict = answer.verdict
    assert not answer.passed
    assert verdict.level >= Level.UNKNOWN
    assert verdict.rule == rule, verdict.reason
    assert word in verdict.reason
    # A sentence for a person: short, one line, nothing a terminal would obey, and what to do instead.
    assert len(verdict.reason) < 400
    assert verdict.reason.isprintable()


def test_the_table_is_as_long_as_it_says() -> None:
    assert len(LEGAL) == 10
    assert len(REFUSED) >= 200
    sent = [raw for raw, _, _ in REFUSED]
    assert len({repr(raw) for raw in sent}) == len(sent)
    rules = [rule for _, rule, _ in REFUSED]
    assert {rule: rules.count(rule) for rule in dict.fromkeys(rules)}.keys() == {
        "schema", "menu", "range", "constraint", "edit", "noop"
    }  # fmt: skip
