"""Policies: every threshold there, none misspelt, none without meaning.

Planted and seen to fail: a field of a section with a default, a shipped policy laxer than the next.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trajscope.corpus.policy import SHIPPED, Policy, load, parse
from trajscope.errors import PolicyError

FOLDER = Path(__file__).resolve().parents[1] / "trajscope" / "corpus" / "policies"
DEFAULT = (FOLDER / "default.toml").read_text("utf-8")


def leaves() -> list[tuple[str, str]]:
    return [
        (s.name, k.name) for s in msgspec.structs.fields(Policy) for k in msgspec.structs.fields(s.type)
    ]  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped_is_whole(name: str) -> None:
    assert load(name)[0] == name
    assert load(FOLDER / f"{name}.toml") == (f"{name}.toml", load(name)[1])


def test_no_threshold_has_anything_to_stand_in_for_it() -> None:
    for section in msgspec.structs.fields(Policy):
        assert section.required, section.name
        assert all(k.required for k in msgspec.structs.fields(section.type)), section.name


@pytest.mark.parametrize(("section", "key"), leaves(), ids=".".join)
def test_a_threshold_that_is_missing_is_an_error_and_not_no_check(section: str, key: str) -> None:
    head, body = DEFAULT.split(f"[{section}]\n")
    without = f"{head}[{section}]\n" + re.sub(rf"^{key} = .*\n", "", body, count=1, flags=re.MULTILINE)
    with pytest.raises(PolicyError, match=rf"mine.toml: \[{section}\] {key} is missing"):
        parse(without, "mine.toml")


def test_each_shipped_policy_asks_at_least_as_much_as_the_next() -> None:
    strict, default, exploratory = (msgspec.to_builtins(load(name)[1]) for name in SHIPPED)
    for section, key in leaves():
        a, b, c = (p[section][key] for p in (strict, default, exploratory))
        if key in ("max", "upper", "similarity"):
            assert a <= b <= c, (section, key)
        elif key in ("min", "effective", "simpson", "min_n"):
            assert a >= b >= c, (section, key)
        elif key == "requires":
            assert set(a) >= set(b) >= set(c)


def changed(old: str, new: str) -> str:
    assert old in DEFAULT
    return DEFAULT.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed("[keep_share]", "[keep_shares]"), r"\[keep_shares\] is nothing .*; did you mean \[keep_share\]\?"),
        (changed("simpson", "simson"), r"\[keep_modes\] simson is nothing .*; did you mean \[keep_modes\] simpson\?"),
        (changed("[rows]", "[zzz]\nmin = 1\n[rows]"), r"\[zzz\] is nothing that a policy knows; known: rows, labels"),
        (changed("[rows]\nmin = 200\n", ""), r"\[rows\] is missing, and a check without its threshold is no check"),
        (changed("[rows]\nmin = 200\n", "rows = 200\n"), r"rows is no table; write \[rows\]"),
        (changed("min = 200", "min = -1"), r"\[rows\] min: expected int >= 1"),
        (changed("min = 200", "min = 1.5"), r"\[rows\] min: expected int"),
        (changed("max = 0.25", "max = nan"), r"\[keep_share\] max is nan; give a finite number"),
        (changed("max = 0.25", "max = 25"), r"\[keep_share\] max: expected float <= 1"),
        (changed('"exact"', '"exactly"'), r"\[keep_modes\] kernel: invalid enum value 'exactly'"),
        (changed('"divergence"', '"divergance"'), "'divergance', which is no rule; did you mean divergence?"),
        ("[rows", "is not TOML"),
        ("", r"\[rows\] is missing"),
    ],
)
def test_a_policy_with_a_fault_names_it_and_what_to_do(text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as caught:
        parse(text, "mine.toml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("mine.toml: ")


@pytest.mark.parametrize(
    ("name", "said"),
    [("defualt", "did you mean default?"), ("zzz", "name a .toml file"), ("no/such.toml", "No such file or directory")],
)
def test_a_policy_that_is_not_there_says_which_are(name: str, said: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(said)):
        load(name)


def test_a_policy_of_binary_rubbish_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="cannot be read"):
        load(path)


def test_a_policy_is_a_plain_frozen_value() -> None:
    found: Any = load("default")[1]
    with pytest.raises(AttributeError):
        found.rows = None


def test_a_bound_on_modes_that_nothing_could_fail_is_an_error(tmp_path: Path) -> None:
    text = (Path(str(resources.files("trajscope.corpus"))) / "policies" / "default.toml").read_text("utf-8")
    own = tmp_path / "own.toml"
    own.write_text(text.replace("effective = 5.0", "effective = 1.0"))
    with pytest.raises(PolicyError, match="effective"):
        load(own)
