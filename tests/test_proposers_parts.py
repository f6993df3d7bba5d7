"""The parts that proposers share: keys, prices, prompts, rewrites, the deadline."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from proposalview import REFUSAL, past, view

from trajscope import Level, Verdict
from trajscope.rails import applied
from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers import keys, prices, rewrite
from trajscope_loop.proposers.deadline import Heard, asked
from trajscope_loop.proposers.prices import Price, Tokens
from trajscope_loop.proposers.prompt import built, schema

# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("ACME_API_KEY", "abcdefgh12", True),
        ("ACME_KEY_2", "abcdefgh12", True),
        ("HF_TOKEN", "abcdefgh12", True),
        ("DB_PASSWORD", "abcdefgh12", True),
        ("KEYBOARD_LAYOUT", "abcdefgh12", False),
        ("MONKEY", "abcdefgh12", False),
        ("ACME_API_KEY", "short", False),  # would blank out words
        ("RAY_TOKEN_MODE", "disabled", False),
        ("DB_PASSWORD", "correcthorse", True),
        ("ACME_KEY", "abcdefghijklmnop", True),
    ],
)
def test_what_looks_like_a_secret_in_the_environment_is_taken_out(
    name: str, value: str, secret: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert keys.redacted(f"it is {value}.") == ("it is [redacted]." if secret else f"it is {value}.")


def test_a_key_is_found_however_it_is_spelt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", 'a/b+c"d\\e12')
    text = keys.redacted('plain a/b+c"d\\e12, for an address a%2Fb%2Bc%22d%5Ce12, in JSON "a/b+c\\"d\\\\e12"')
    assert text == 'plain [redacted], for an address [redacted], in JSON "[redacted]"'


def test_of_two_keys_the_one_that_holds_the_other_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "abcdefg1")
    monkeypatch.setenv("B_KEY", "abcdefg1-and-more")
    assert keys.redacted("abcdefg1-and-more") == "[redacted]"


@pytest.mark.parametrize("text", ["sk-proj-12345678", "sk-****abcd", "Bearer xyzw1", "nvapi-abcdefgh"])
def test_what_looks_like_anybodys_key_is_taken_out(text: str) -> None:
    assert text.rpartition(" ")[2] not in keys.redacted(f"no: {text}", sentence=True)
    assert keys.redacted(text) == text  # in code it would hit names


def test_ordinary_words_stay() -> None:
    text = "risk-averse task-level changes; from sk_metrics import hf_hub_download"
    assert keys.redacted(text) == text
    assert keys.redacted("risk-averse task-level changes", sentence=True) == "risk-averse task-level changes"


# --- prices ---------------------------------------------------------------------------------------------------------


def test_a_dated_snapshot_costs_what_its_model_costs() -> None:
    assert (
        prices.listed("claude-sonnet-4-5-20250929") == prices.listed("claude-sonnet-4-5") == Price(3, 15, 0.3, 3.75, 6)
    )
    assert prices.listed("claude-sonnet-4") is None
    assert prices.listed("my-model") is None


def test_a_long_prompt_costs_more_where_the_list_says_so() -> None:
    haiku = prices.listed("claude-haiku-5-5")
    assert prices.usd(haiku, Tokens(50_000, 1_000, 50_000)) == pytest.approx(0.005 + 0.0005 + 0.0005)
    assert prices.usd(haiku, Tokens(50_001, 1_000, 50_000)) == pytest.approx(0.0250005 + 0.0025 + 0.0025)


def test_nothing_is_free_because_it_is_unknown() -> None:
    price = Price(1, 2)
    assert prices.usd(None, Tokens(1, 1)) is None
    assert prices.usd(price, Tokens(None, 1)) is None
    assert prices.usd(price, Tokens(1, None)) is None
    assert prices.usd(price, Tokens(1, 1, cache_write=1)) is None
    assert prices.usd(price, Tokens(1_000_000, 500_000)) == 2.0


# --- prompts --------------------------------------------------------------------------------------------------------


def test_a_longer_history_begins_as_the_shorter_one_did() -> None:
    short, long = (built(view(past=past(n), trials=n), whole=True) for n in (41, 75))
    assert short.settled == 2
    assert short.past[:2] == long.past[:2]
    assert long.user.startswith("".join(short.past))
    assert short.system == long.system


def test_a_history_that_is_cut_promises_nothing() -> None:
    prompt = built(view(past=past(25, 8), trials=32), whole=False)
    assert (len(prompt.past), prompt.settled) == (1, 0)
    assert prompt.user.startswith("The latest trials, oldest first:\n8. lr=0.008")


def test_what_was_written_by_others_stays_on_its_line() -> None:
    trial = past(1)[0]._replace(reason="bad\n2. lr=0.9: kept, 0.1", label="a\nb")
    verdict = Verdict("schema", Level.FAIL, "it is\nnot JSON")
    user = built(view(past=(trial,), trials=1, refusals=(verdict,), refused=("x\ny",)), whole=True).user
    assert "1. a b: reverted, 0.999, mem 2 (bad 2. lr=0.9: kept, 0.1)\n" in user
    assert "Refused just now: x y: it is not JSON." in user


def test_a_refusal_comes_last_and_so_costs_no_cache() -> None:
    plain, after = built(view(), whole=True), built(view(refusals=(REFUSAL,), refused=("lr=0.5",)), whole=True)
    assert plain.system == after.system
    ends = "Refused just now: lr=0.5: lr=0.5 was tried in trial 3. Instead: act=gelu.\n\nWhat is tried next?"
    assert after.now.endswith(ends)


def test_code_is_edited_by_quotation() -> None:
    prompt, shape = built(view(files={"train.py": "LR = 1\n"}), whole=True), schema(view(files={"train.py": ""}))
    assert '"edits"' in prompt.system
    assert "--- train.py\nLR = 1\n" in prompt.now
    assert shape["properties"]["edits"]["items"]["properties"]["file"]["enum"] == ["train.py"]


def test_keys_in_a_view_are_shown_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "abcdefgh12")
    told = past(1)[0]._replace(reason="abcdefgh12")
    prompt = built(view(program="abcdefgh12", files={"a.py": "abcdefgh12"}, past=(told,)), whole=True)
    assert "abcdefgh12" not in prompt.shown
    assert prompt.shown.count("[redacted]") == 3


# --- rewrites -------------------------------------------------------------------------------------------------------

FILES = {"a.py": "x = 1\ny = 1\n", "b.py": "z = 1"}


def said(*edits: tuple[str, str, str]) -> str:
    table = [dict(zip(("file", "old", "new"), e, strict=True)) for e in edits]
    return json.dumps({"reason": "r", "changes": [], "edits": table, "intent": None})


def test_quoted_edits_become_a_diff_that_makes_them() -> None:
    found = rewrite.proposal(
        said(("a.py", "x = 1", "x = 2"), ("a.py", "x = 2\ny", "x = 2\nw"), ("b.py", "z", "q")), FILES
    )
    assert isinstance(found, dict)
    assert (found["knob"], found["value"], found["reason"]) == ("code:edit", None, "r")
    assert applied(found["diff"], FILES) == {"a.py": "x = 2\nw = 1\n", "b.py": "q = 1"}


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (("a.py", "= 1", "= 2"), "old stands 2 times in a.py"),
        (("a.py", "nothing", "x"), "old stands 0 times in a.py"),
        (("c.py", "x", "y"), "c.py is no file that may be edited; take a.py, b.py"),
        (("a.py", "", "y"), "old is empty"),
        (("a.py", "x", "x"), "old and new are the same"),
    ],
)
def test_an_edit_that_cannot_be_made_is_told_and_is_no_proposal(edit: tuple[str, str, str], why: str) -> None:
    found = rewrite.proposal(said(edit), FILES)
    assert isinstance(found, str)
    assert f"(edit 1 cannot be made: {why}" in found


def test_an_answer_without_edits_is_what_it_was() -> None:
    assert rewrite.proposal("prose", FILES) == "prose"
    assert rewrite.proposal('{"knob": "x", "value": 1}', FILES) == '{"knob": "x", "value": 1}'
    assert rewrite.proposal(said(), FILES) == {"reason": "r", "changes": [], "intent": None}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": "1\n2\n"}, {"a": "1\n3\n"}),
        ({"a": "1"}, {"a": "1\n"}),
        ({"a": "1\f2\x1c3\n4"}, {"a": "1\f2\x1c3\n5"}),
        ({}, {"new.py": "1\n"}),
        ({"gone.py": "1\n2"}, {}),
        ({"a": ""}, {"a": "1\n"}),
    ],
)
def test_a_diff_leads_from_old_to_new(old: dict[str, str], new: dict[str, str]) -> None:
    assert applied(rewrite.diff(old, new), old) == new
    assert rewrite.diff(old, old) == ""


# --- the deadline ---------------------------------------------------------------------------------------------------


def test_a_question_may_be_asked_from_inside_an_event_loop() -> None:
    async def answer(heard: Heard) -> str:
        return "yes"

    async def notebook() -> str:
        return asked(answer, who="x", key=None, timeout_s=5)

    assert asyncio.run(notebook()) == "yes"


def test_a_question_that_will_not_be_cancelled_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajscope_loop.proposers.deadline.PATIENCE_S", 0.1)
    free = threading.Event()

    async def stubborn(heard: Heard) -> str:
        free.wait(20)  # a name server that does not answer blocks like this
        return "late"

    began = time.monotonic()
    try:
        with pytest.raises(ProposerError, match=r"x: gave no whole answer within 0.1 s \(nothing was heard\)"):
            asked(stubborn, who="x", key=None, timeout_s=0.1)
        assert time.monotonic() - began < 5
    finally:
        free.set()
        for thread in threading.enumerate():
            if thread.name == "x proposer":
                thread.join(5)


def test_an_error_of_our_own_keeps_its_words() -> None:
    async def broken(heard: Heard) -> str:
        raise ProposerError("no message")

    with pytest.raises(ProposerError, match=r"^x: no message$"):
        asked(broken, who="x", key=None, timeout_s=5)
