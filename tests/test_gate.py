"""The corpus gate: a clean corpus passes, each planted fault is seen by the check it is for and by no other.

The amnesiac's figures are those of the published table (docs/gate.md); the rest is worked out beside the tests.
Planted in the code and seen to fail: every comparison turned round, `fail` before the minimum n is reached,
an insufficient check that passes, the train side left out of the shares, prompts compared with themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import corpusfield as field
import msgspec
import pytest
from clirun import AMNESIAC, SAMPLES
from corpusfield import Plan, cells, clean
from hypothesis import given
from hypothesis import strategies as st

import trajscope
from trajscope.blobs import write_blob
from trajscope.corpus import Examples, Gate, Policy, asked, gate
from trajscope.corpus.checks import CHECKS
from trajscope.corpus.checks.answer import Check, judged, worst
from trajscope.corpus.policy import load
from trajscope.corpus.survey import interval
from trajscope.errors import CorpusError
from trajscope.menu import load as load_menu
from trajscope.pair import config_hash
from trajscope.pipeline import menu_beside
from trajscope.readers import Source

DEFAULT = load("default")[1]
TEST_CAMPAIGN = 1  # of five, the one that is held out: seen from the split, held by a test below


def judge(paths: Sequence[Path], policy: Policy = DEFAULT, **said: Any) -> Gate:
    return asked(Examples(field.sources(paths)), "own", policy, **said)


def amnesiac(**said: Any) -> Gate:
    source = Source(str(AMNESIAC), menu=load_menu(menu_beside(AMNESIAC) or ""), history=5)
    return gate([(source, None)], **said)


def of(found: Gate, name: str) -> Check:
    return next(c for c in found.checks if c.name == name)


def without(policy: Policy, name: str, **more: Any) -> Policy:
    """A policy with another threshold in one check."""
    section = msgspec.structs.replace(getattr(policy, name), **more)
    return msgspec.structs.replace(policy, **{name: section})


# --- a clean corpus -------------------------------------------------------------------------------------------------


def test_no_check_complains_of_a_clean_corpus(tmp_path: Path) -> None:
    found = judge(field.write(tmp_path, clean()))
    assert [(c.name, c.reason) for c in found.checks if c.outcome != "pass"] == []
    assert (found.outcome, found.exit_code, found.passed, found.remedies) == ("pass", 0, True, ())
    assert found.rows == {"trials": 300, "all": 300, "train": 240, "test": 60, "left_out": 0, "stay": 300}
    assert [c.name for c in found.checks] == [name for name in CHECKS if name != "claims"]


def test_it_is_clean_too_where_the_end_of_each_run_is_held_out(tmp_path: Path) -> None:
    found = judge(field.write(tmp_path, clean()), split="tail")
    assert [(c.name, c.reason) for c in found.checks if c.outcome != "pass"] == []
    assert (found.rows["train"], found.rows["left_out"], found.rows["test"]) == (215, 25, 60)


def test_whole_labels_can_be_held_out_of_three_campaigns_that_keep_enough(tmp_path: Path) -> None:
    # 40 of 60 cells are kept, four of each knob: a fifth of them is 8 labels, and none of each is on both sides.
    plans = [often(x, 2, 1) for x in clean(3)]
    found = judge(field.write(tmp_path, plans), without(DEFAULT, "rows", min=180), split="labels")
    assert [c.name for c in found.checks if c.outcome != "pass"] == ["power"]
    assert of(found, "power").value == 36
    # Both sides kept most knobs: 8 labels of test, 32 of train.
    assert [(p.where, p.n) for p in of(found, "keep_modes").parts] == [("all", 120), ("train", 96), ("test", 24)]


# --- one fault, one check -------------------------------------------------------------------------------------------


Made = tuple[Sequence[Path], dict[str, Any]]


def marked(change: Callable[[int, dict[str, Any]], None]) -> Callable[[Path], Made]:
    return lambda folder: (field.write(folder, clean(), change=change), {})


def planned(*plans: Plan, **said: Any) -> Callable[[Path], Made]:
    return lambda folder: (field.write(folder, plans, **said), {})


def only(plan: Plan, keep: Callable[[int, tuple[str, int]], bool]) -> Plan:
    """A plan with fewer proposals."""
    held = [(i, x) for i, x in enumerate(plan.labels) if keep(i, x)]
    kept = frozenset(j for j, (i, _) in enumerate(held) if i in plan.kept)
    return Plan([x for _, x in held], kept)


def few(plan: Plan, reverted: int) -> Plan:
    """A plan with all its keeps and so many of the others."""
    others = [i for i in range(len(plan.labels)) if i not in plan.kept][:reverted]
    return only(plan, lambda i, _: i in plan.kept or i in others)


def also(plan: Plan, more: Sequence[tuple[str, int]], *, kept: bool = False) -> Plan:
    """A plan with these proposals between its own, each after a reverted one."""
    out: list[tuple[str, int]] = []
    keeps: set[int] = set()
    left = list(more)
    for i, x in enumerate(plan.labels):
        if i in plan.kept:
            keeps.add(len(out))
        out.append(x)
        if left and i not in plan.kept and i > 20:
            keeps |= {len(out)} if kept else set()
            out.append(left.pop(0))
    return Plan([*out, *left], frozenset(keeps), plan.unconfirmed)


def keeping(plan: Plan, labels: Sequence[tuple[str, int]]) -> Plan:
    """A plan that keeps these, and no others."""
    return Plan(plan.labels, frozenset(i for i, x in enumerate(plan.labels) if x in labels))


def often(plan: Plan, good: int, bad: int) -> Plan:
    """A plan that keeps every label of low value, so many and then so many others that it does not keep."""
    low = 6 * good // (good + bad)
    keeps, others = ([x for x in plan.labels if (x[1] <= low) == kept] for kept in (True, False))
    labels: list[tuple[str, int]] = []
    while keeps:
        labels += [*keeps[:good], *others[:bad]]
        keeps, others = keeps[good:], others[bad:]
    return Plan(labels, frozenset(i for i, x in enumerate(labels) if x[1] <= low))


GOOD = [x for i, x in enumerate(clean(1)[0].labels) if i in clean(1)[0].kept]


def _rows() -> list[Plan]:
    return [x if i == TEST_CAMPAIGN else few(x, 23) for i, x in enumerate(clean())]  # 4 x 33 + 60 = 192


def _labels() -> list[Plan]:
    held = set(cells(8))
    spare = [x for x in cells(8) if x not in GOOD]
    plans = [only(x, lambda _, label: label in held) for x in clean()]
    return [also(x, spare[:2]) for x in plans]


def _duplicates() -> list[Plan]:
    # 45 of the cells, and 56 repeats over 28 of them: 56 / 101 = .55.
    plans = [few(x, 35) for x in clean()]
    return [also(x, [y for y in x.labels if y not in GOOD][:28] * 2) for x in plans]


def _share() -> list[Plan]:
    return [also(x, [("k09", 6)] * 11) for x in clean()]  # 12 of 71


def _keeps() -> list[Plan]:
    # 7 keeps in the test campaign, 12 in the others over 8 labels: 19.
    parts = [GOOD[:4], GOOD[:7], GOOD[:4], GOOD[4:8], []]
    return [keeping(x, part) for x, part in zip(clean(), parts, strict=True)]


def _keeps_again() -> list[Plan]:
    return [also(x, [GOOD[4]], kept=True) if i == 3 else x for i, x in enumerate(_keeps())]  # 19, one of them twice


def _tests_again() -> list[Plan]:
    # 10 keeps and 20 others, then all of these and 10 of them a third time: 60 rows, 30 proposals.
    others = [x for x in clean()[TEST_CAMPAIGN].labels if x not in GOOD][:20]
    return [also(few(x, 20), [*others, *others[:10]]) if i == TEST_CAMPAIGN else x for i, x in enumerate(clean())]


def _rate(folder: Path) -> Made:
    """Every second trial is kept; a run that keeps more is SUSPECT as well."""
    plans = [often(x, 1, 1) for x in clean()]
    return field.write(folder, plans), {"policy": without(DEFAULT, "keep_rate", max=0.4)}


def _one_label() -> list[Plan]:
    return [also(x, [GOOD[0]] * 4, kept=True) for x in clean()]  # 5 of 14


def _modes() -> list[Plan]:
    # Four labels six times in every campaign, four others once or twice in all: D1 4.8, no label over a quarter.
    plans = []
    for i, x in enumerate(clean()):
        rare = GOOD[4 + i : 5 + i] if i != TEST_CAMPAIGN else []
        plans.append(also(keeping(x, [*GOOD[:4], *rare]), GOOD[:4] * 5, kept=True))
    return plans


def _one_knob() -> list[Plan]:
    held = {"k00": (1, 3, 5), "k03": (2, 4, 6), "k05": (1, 4), "k07": (2, 6)}
    good = [(k, v) for k, values in held.items() for v in values]
    return [keeping(x, good) for x in clean()]


def _other_keeps() -> list[Plan]:
    other = [("k01", 2), ("k02", 3), ("k04", 4), ("k06", 5), ("k08", 6)]
    return [keeping(x, [*GOOD[:5], *other] if i == TEST_CAMPAIGN else GOOD) for i, x in enumerate(clean())]


def _outside(campaign: int, line: dict[str, Any]) -> None:
    if campaign == 2 and line["iter"] == 9:
        line["attempts"][0]["changes"] = [{"knob": "k00", "value": 99}]
        line["config_hash"] = "c" * 16


def _another_prompt(campaign: int, line: dict[str, Any]) -> None:
    if campaign == 2 and line["iter"] == 9:
        line["shown"] = field.prompt(2, 9, {**dict.fromkeys(field.knobs(10), 0), "k00": 6})


def _set_already(campaign: int, line: dict[str, Any]) -> None:
    """The base is one that no line explains, so that the prompt cannot be held against it."""
    if campaign == 2 and line["iter"] == 9:
        (change,) = line["attempts"][0]["changes"]
        line["base_hash"] = "d" * 16
        line["shown"] = field.prompt(2, 9, {**dict.fromkeys(field.knobs(10), 0), change["knob"]: change["value"]})


def _copied(campaign: int, line: dict[str, Any]) -> None:
    if campaign in (0, TEST_CAMPAIGN) and line["iter"] == 9:
        line["shown"] = field.prompt(0, 9, dict.fromkeys(field.knobs(10), 0))


def _drifted(campaign: int, line: dict[str, Any]) -> None:
    if campaign == 2 and line["iter"] == 9:
        line["effective"] = {line["attempts"][0]["changes"][0]["knob"]: 0}


def _no_prints(campaign: int, line: dict[str, Any]) -> None:
    if campaign == 2 and line["iter"] == 9:
        del line["fingerprints"]


def _no_holdout(campaign: int, line: dict[str, Any]) -> None:
    line["holdout"] = None


def _no_prompt(campaign: int, line: dict[str, Any]) -> None:
    if campaign == 2 and line["iter"] == 9:
        del line["shown"]


def _twice(folder: Path) -> Made:
    """Four rows of one campaign stand there twice, word for word."""
    plans = clean()
    first = [x for x in plans[0].labels if x not in GOOD][:4]
    plans[0] = also(plans[0], first)
    said: dict[tuple[str, int], dict[str, Any]] = {}

    def again(campaign: int, line: dict[str, Any]) -> None:
        (change,) = line["attempts"][0]["changes"]
        if campaign == 0:
            before = said.setdefault((change["knob"], change["value"]), line)
            line["shown"], line["attempts"] = before["shown"], before["attempts"]
            line["config_hash"] = f"{line['iter']:016x}"  # a revisit: a repeat on its own base would be dropped

    return field.write(folder, plans, change=again), {}


def _no_embargo(folder: Path) -> Made:
    return field.write(folder, clean()), {"split": "tail", "embargo": 0}


def _two_campaigns(folder: Path) -> Made:
    # 20 knobs: 120 cells in each of two campaigns.
    every = cells(20)
    good = {every[i * 12 + i % 12] for i in range(10)}
    plans = [Plan(x, frozenset(i for i, y in enumerate(x) if y in good)) for x in (every, every[40:] + every[:40])]
    return field.write(folder, plans, menu_knobs=20), {"split": "campaign"}


FAULTS: dict[str, tuple[str, str, Callable[[Path], Made]]] = {
    "a run whose settings were not those proposed": ("trust", "fail", marked(_drifted)),
    "a trial without fingerprints": ("trust", "insufficient", marked(_no_prints)),
    "no holdout": ("trust", "insufficient", marked(_no_holdout)),
    "a prompt that shows another base": ("fidelity", "fail", marked(_another_prompt)),
    "a prompt that was not recorded": ("fidelity", "insufficient", marked(_no_prompt)),
    "a target that stands already": ("contradictions", "fail", marked(_set_already)),
    "four labels make up nearly all keeps": ("keep_modes", "fail", planned(*_modes())),
    "one label is a third of the keeps": ("keep_share", "fail", planned(*_one_label())),
    "seven labels were kept": ("keep_labels", "fail", planned(*(keeping(x, GOOD[:7]) for x in clean()))),
    "nineteen keeps": ("keeps", "fail", planned(*_keeps())),
    "two kept labels were never tried again": (
        "confirmed_keeps",
        "fail",
        planned(*(x._replace(unconfirmed=frozenset(GOOD[:2])) for x in clean())),
    ),
    "all keeps on four knobs": ("keep_coverage", "fail", planned(*_one_knob())),
    "too much is kept": ("keep_rate", "fail", _rate),
    "repeats in every campaign": ("label_duplicates", "fail", planned(*_duplicates())),
    "one label again and again": ("label_share", "fail", planned(*_share())),
    "four knobs never tried": ("knob_coverage", "fail", planned(*clean(), menu_knobs=14)),
    "a value that the menu does not hold": ("menu", "fail", marked(_outside)),
    "no trials left out before the boundary": ("leakage", "fail", _no_embargo),
    "a train prompt in the test": ("near_duplicates", "fail", marked(_copied)),
    "the test keeps other things": ("shift", "fail", planned(*_other_keeps())),
    "four rows copied": ("text_duplicates", "fail", _twice),
    "too few rows": ("rows", "insufficient", planned(*_rows())),
    "too few labels": ("labels", "fail", planned(*_labels(), menu_knobs=8)),
    "a small test campaign": (
        "power",
        "insufficient",
        planned(*(few(x, 30) if i == TEST_CAMPAIGN else x for i, x in enumerate(clean()))),
    ),
    "half a test campaign repeats the other half": ("power", "insufficient", planned(*_tests_again())),
    "twenty keeps, one of them a repeat": ("keeps", "insufficient", planned(*_keeps_again())),
    "two campaigns": ("campaigns", "insufficient", _two_campaigns),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen_by_its_check_and_by_no_other(fault: str, tmp_path: Path) -> None:
    name, outcome, make = FAULTS[fault]
    paths, said = make(tmp_path)
    found = judge(paths, **said)
    assert [(c.name, c.outcome, c.reason) for c in found.checks if c.outcome != "pass"] == [
        (name, outcome, of(found, name).reason)
    ]
    assert found.outcome == outcome
    assert found.exit_code == {"fail": 1, "insufficient": 3}[outcome]
    assert of(found, name).remedy or fault == "a prompt that was not recorded"


def test_rows_that_go_before_anything_is_trained_count_for_no_bound(tmp_path: Path) -> None:
    found = of(judge(field.write(tmp_path, _tests_again())), "power")
    assert (found.value, found.n) == (60, 60)
    assert found.reason == "60 test rows, a rate is known to ±0.13, 30 of them stay when repeats go"
    assert found.remedy == "collect 13 more test rows that repeat nothing before an evaluation is believed"
    paths = field.write(tmp_path, _keeps_again())
    found = of(judge(paths), "keeps")
    assert (found.value, found.bound) == (20, ">= 20")
    assert found.reason.endswith(", 19 of them stay when repeats go")
    # Both fail on the published figure as before: fewer keeps than the bound are too few, whatever stays.
    assert of(judge(paths, without(DEFAULT, "keeps", min=21)), "keeps").outcome == "fail"
    assert of(judge(paths, without(DEFAULT, "keeps", min=19)), "keeps").outcome == "pass"


def test_every_check_has_its_fault() -> None:
    own = {"claims", "overlap"}  # planted below: they need a chat file, and another policy
    assert {name for name, _, _ in FAULTS.values()} | own == set(CHECKS)


def test_labels_on_both_sides_are_only_told_unless_the_policy_forbids_them(tmp_path: Path) -> None:
    paths = field.write(tmp_path, clean())
    told = of(judge(paths), "overlap")
    assert (told.outcome, told.value, told.note) == (
        "pass",
        1.0,
        "a test of 100% known labels measures recall, not novelty",
    )
    found = judge(paths, without(DEFAULT, "overlap", max=0.5))
    assert [(c.name, c.outcome) for c in found.checks if c.outcome != "pass"] == [("overlap", "fail")]


def test_the_held_out_campaign_is_the_one_that_faults_are_planted_in(tmp_path: Path) -> None:
    found = judge(field.write(tmp_path, [few(x, 30) if i == TEST_CAMPAIGN else x for i, x in enumerate(clean())]))
    assert found.rows["test"] == 40


def test_what_another_run_of_the_campaign_proposed_is_a_repeat_too(tmp_path: Path) -> None:
    plan = Plan([("k00", 1), ("k01", 2), ("k02", 3)], frozenset())
    other = Plan([("k03", 1), ("k01", 2), ("k00", 1), ("k01", 2)], frozenset())
    first = Plan([("k02", 3)], frozenset())  # in its campaign
    paths = field.write(tmp_path, [plan, other, other, first], names=["one", "one", "two", "two"])
    found = of(judge(paths), "label_duplicates")
    # Of the second run all but its first, of the third only what it repeats itself; lines 0 and 1 are no trials.
    assert (found.rows, found.rows_total, found.n) == (((1, 3), (1, 4), (1, 5), (2, 5)), 4, 12)


def test_the_rows_behind_a_label_are_its_first_in_every_run(tmp_path: Path) -> None:
    plan = Plan([("k00", 1), ("k01", 2), ("k02", 3), ("k01", 2)], frozenset({3}))
    paths = field.write(tmp_path, [plan, Plan([], frozenset()), plan])
    found = judge(paths, without(DEFAULT, "overlap", max=0.0), split="stratified")
    assert (of(found, "label_share").rows, of(found, "label_share").value) == (((0, 3), (0, 5), (2, 3), (2, 5)), 0.5)
    assert of(found, "keep_share").rows == ((0, 5), (2, 5))


# --- prompts --------------------------------------------------------------------------------------------------------


def test_a_prompt_beside_the_run_that_was_changed_is_no_prompt(tmp_path: Path) -> None:
    def outside(campaign: int, line: dict[str, Any]) -> None:
        if campaign == 0 and line["iter"] == 9:
            line["shown"] = {"blob": write_blob(tmp_path / "c0.jsonl", line["shown"])}

    paths = field.write(tmp_path, clean(), change=outside)
    assert judge(paths).passed
    (blob,) = (tmp_path / "c0.blobs").iterdir()
    blob.write_bytes(b"\x78\x9c\x03\x00\x00\x00\x00\x01")
    found = of(judge(paths), "fidelity")
    assert (found.outcome, found.rows_total) == ("fail", 1)
    assert "cannot be read under their hash" in found.reason


def chat(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def published(folder: Path) -> tuple[list[Path], list[dict[str, Any]]]:
    """One campaign and a faithful chat file of it."""
    paths = field.write(folder, clean(1))
    rows = []
    for line in map(json.loads, paths[0].read_text("utf-8").splitlines()):
        if line["type"] == "trial":
            system, user = line["shown"].removeprefix("[system]\n").split("\n\n[user]\n")
            (change,) = line["attempts"][0]["changes"]
            said = [{"role": "system", "content": system}, {"role": "user", "content": user}]
            said.append({"role": "assistant", "content": json.dumps(change)})
            rows.append({"iter": line["iter"], "messages": said, "decision": line["status"], "loss": line["value"]})
    return paths, rows


def test_a_faithful_chat_file_has_nothing_against_it(tmp_path: Path) -> None:
    paths, rows = published(tmp_path)
    found = judge(paths, sft=chat(tmp_path / "sft.jsonl", *rows))
    assert [of(found, name).outcome for name in ("claims", "fidelity", "contradictions", "text_duplicates")] == [
        *["pass"] * 4
    ]
    assert of(found, "fidelity").n == 60


def _wrong_target(rows: list[dict[str, Any]]) -> None:
    rows[3]["messages"][-1]["content"] = '{"knob": "k00", "value": 5}'


def _wrong_verdict(rows: list[dict[str, Any]]) -> None:
    rows[3]["decision"] = "keep"


def _wrong_value(rows: list[dict[str, Any]]) -> None:
    rows[3]["loss"] = 0.5


def _no_such_trial(rows: list[dict[str, Any]]) -> None:
    rows[3]["iter"] = 999


def _unnamed(rows: list[dict[str, Any]]) -> None:
    del rows[3]["iter"]


def _same_trial(rows: list[dict[str, Any]]) -> None:
    rows[4]["iter"] = rows[3]["iter"]


def _no_target(rows: list[dict[str, Any]]) -> None:
    rows[3]["messages"][-1]["content"] = "try k00"


def _no_messages(rows: list[dict[str, Any]]) -> None:
    rows[3]["messages"] = "hello"


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (_wrong_target, "line 4: it teaches k00=5, and the trial proposed k03=1"),
        (_wrong_verdict, "line 4: it says kept, and the trial was reverted"),
        (_wrong_value, "line 4: it says loss 0.5, and the trial scored 1.056"),
        (_no_such_trial, "line 4 iter 999 is no trial of the run"),
        (_unnamed, "line 4 names neither seq nor iter"),
        (_same_trial, "line 5 stands for the same trial as line 4"),
        (_no_target, "line 4: its target is no proposal"),
        (_no_messages, "line 4 has no `messages` with texts"),
    ],
)
def test_a_row_that_the_run_does_not_bear_out_is_named(
    tmp_path: Path, plant: Callable[[list[dict[str, Any]]], None], said: str
) -> None:
    paths, rows = published(tmp_path)
    plant(rows)
    found = of(judge(paths, sft=chat(tmp_path / "sft.jsonl", *rows)), "claims")
    assert (found.outcome, found.lines) == ("fail", (said,))


def test_a_chat_prompt_that_differs_by_a_letter_from_the_recorded_one_is_unfaithful(tmp_path: Path) -> None:
    paths, rows = published(tmp_path)
    rows[3]["messages"][1]["content"] += "!"
    found = of(judge(paths, sft=chat(tmp_path / "sft.jsonl", *rows)), "fidelity")
    assert (found.outcome, found.rows, found.rows_total) == ("fail", ((0, 6),), 1)


def test_of_several_runs_a_chat_row_must_name_its_own(tmp_path: Path) -> None:
    _, rows = published(tmp_path)
    paths = field.write(tmp_path, clean(2))
    found = of(judge(paths, sft=chat(tmp_path / "sft.jsonl", *rows)), "claims")
    assert found.lines[0] == "line 1 does not name its run_id with seq or iter"
    named = [{**row, "run_id": "campaign-0"} for row in rows]
    assert of(judge(paths, sft=chat(tmp_path / "sft.jsonl", *named)), "claims").outcome == "pass"


def test_a_chat_file_without_rows_is_refused(tmp_path: Path) -> None:
    paths = field.write(tmp_path, clean(1))
    with pytest.raises(CorpusError, match="holds no rows"):
        judge(paths, sft=chat(tmp_path / "sft.jsonl"))


# --- the amnesiac ---------------------------------------------------------------------------------------------------


def carried(folder: Path, rows: int) -> Path:
    """A chat file as one was published of it: each prompt shows what was kept last as standing, which never was so."""
    header, *lines = map(json.loads, AMNESIAC.read_text("utf-8").splitlines())
    standing = dict(header["baseline_cfg"])
    out = []
    for line in [x for x in lines if x["stage"] == "evaluated"][:rows]:
        asked_ = f"## Current cfg\n\n{json.dumps(standing, indent=2)}\n\n## Your task of iteration {line['iter']}"
        answer = json.dumps({k: line["proposal"][k] for k in ("knob", "new_value")})
        said = [{"role": "user", "content": asked_}, {"role": "assistant", "content": answer}]
        out.append({"iter": line["iter"], "messages": said, "decision": line["decision"], "val_bpb": line["val_bpb"]})
        if line["decision"] == "keep":
            standing[line["proposal"]["knob"]] = line["proposal"]["new_value"]
    return chat(folder / "train.jsonl", *out)


def test_the_amnesiac_as_it_was_published_fails_with_the_figures_of_the_table(tmp_path: Path) -> None:
    found = amnesiac(split="at:42", sft=carried(tmp_path, 42))
    assert (found.outcome, found.rows["train"], found.rows["test"], found.rows["stay"]) == ("fail", 42, 8, 13)
    # value and n of each, as docs/gate.md has them
    table = {
        "label_share": (0.20, 50),
        "label_duplicates": (0.72, 50),
        "knob_coverage": (6 / 13, 50),
        "keeps": (8, 50),
        "keep_labels": (3, 8),
        "confirmed_keeps": (1 / 3, 3),
        "keep_share": (1.0, 5),
        "keep_coverage": (1 / 13, 8),
        "shift": (2 / 3, 3),
        "leakage": (5, 8),
        "contradictions": (5, 42),
        "fidelity": (4 / 42, 42),
        "keep_modes": (1.0, 8),
    }
    assert {c.name: c.n for c in found.of("fail")} == {name: n for name, (_, n) in table.items()}
    assert {c.name: c.value for c in found.of("fail")} == pytest.approx({name: x for name, (x, _) in table.items()})
    parts = {p.where: p.value for p in of(found, "keep_modes").parts}
    assert parts == {"all": pytest.approx(2.087, abs=5e-4), "train": pytest.approx(1.0), "test": pytest.approx(3.0)}
    assert "all 2.09/1.68, train 1.00/1.00" in of(found, "keep_modes").reason
    assert of(found, "keep_share").reason.startswith("d_model=768 is 5 of 5 keeps of train [0.48, 1.00]; of all 75%")
    assert [p.value for p in of(found, "keep_share").parts] == [0.75, 1.0]


def test_what_could_not_be_told_of_the_amnesiac_is_said_and_is_no_pass(tmp_path: Path) -> None:
    found = amnesiac(split="at:42", sft=carried(tmp_path, 42))
    assert {c.name: c.value for c in found.of("insufficient")} == {
        "trust": None,
        "near_duplicates": None,
        "rows": 13,
        "labels": 14,
        "power": 8,
        "campaigns": 1,
    }
    assert of(found, "power").bound == ">= 43"
    assert "divergence: no holdout" in of(found, "trust").reason
    assert of(found, "fidelity").reason.endswith("8 rows not in the file")


def test_text_alone_sees_nothing_wrong_with_the_amnesiac(tmp_path: Path) -> None:
    found = of(amnesiac(split="at:42", sft=carried(tmp_path, 42)), "text_duplicates")
    assert (found.outcome, found.value) == ("pass", 0.0)
    assert found.note == "yet 72% of rows repeat a label"


def test_with_all_its_prompts_forty_six_of_fifty_differ(tmp_path: Path) -> None:
    found = of(amnesiac(split="at:42", sft=carried(tmp_path, 50)), "fidelity")
    assert (found.rows_total, found.n) == (46, 50)
    assert found.rows[0] == (0, 5)


def test_its_contradictions_are_the_five_that_were_published(tmp_path: Path) -> None:
    found = of(amnesiac(split="at:42", sft=carried(tmp_path, 42)), "contradictions")
    assert [seq for _, seq in found.rows] == [5, 6, 23, 31, 33]


def test_weights_cannot_mend_it_and_the_remedy_says_so() -> None:
    assert "collect, do not reweight: at most 3 effective modes exist, 1 in train" in amnesiac(split="at:42").remedies


@pytest.mark.parametrize("policy", ["strict", "default", "exploratory"])
def test_no_shipped_policy_lets_it_pass(policy: str) -> None:
    assert amnesiac(policy=policy).outcome == "fail"


# --- too little, and odd corpora ------------------------------------------------------------------------------------


def test_a_run_that_is_too_small_is_insufficient_and_never_passes_nor_fails(tmp_path: Path) -> None:
    found = judge(field.write(tmp_path, [Plan([("k00", 1), ("k01", 2)], frozenset({1}))]))
    assert found.outcome == "insufficient"
    assert found.of("fail") == ()
    assert {c.name for c in found.of("insufficient")} >= {"rows", "keeps", "keep_modes", "keep_share", "power"}


def test_what_is_only_too_little_is_mended_by_more_of_it_and_by_nothing_else(tmp_path: Path) -> None:
    found = gate(
        [(Source(str(SAMPLES / "honest" / "honest.jsonl")), None)]
    )  # 40 trials, 8 keeps of 8 labels, one repeat, no menu, no prompts
    within = {"keep_modes", "keep_share", "label_duplicates", "label_share", "shift", "labels"}
    assert {c.name for c in found.of("insufficient")} >= within
    cured = {c.name: c.remedy for c in found.of("insufficient") if c.remedy and c.name in within}
    assert list(cured) == ["keep_modes"]  # its two keeps of the test side are no five modes
    assert found.remedies == (
        "evaluate unconfirmed keeps once more on fresh seeds, and drop what does not hold up",
        "collect, do not reweight: at most 8 effective modes exist, 6 in train",
        "collect more campaigns, or train on all rows with their outcomes instead of on keeps",
        "record what the proposer saw while the run goes on: `shown` in the trial's line",
        "collect 161 more rows that repeat nothing",
        "collect 35 more test rows before an evaluation is believed",
        "collect 2 more campaigns",
    )


def test_a_run_without_a_trial_is_insufficient_in_every_check(tmp_path: Path) -> None:
    found = judge(field.write(tmp_path, [Plan([], frozenset())]))
    assert {c.outcome for c in found.checks} == {"insufficient"}
    assert found.exit_code == 3


@pytest.mark.parametrize("kept", [False, True])
def test_one_verdict_alone_never_passes(tmp_path: Path, kept: bool) -> None:
    plans = [Plan(x.labels, frozenset(range(60)) if kept else frozenset()) for x in clean()]
    found = judge(field.write(tmp_path, plans))
    assert found.outcome == "fail"
    assert [c.name for c in found.of("fail")] == (["trust", "keep_rate"] if kept else ["keeps"])


def test_a_run_that_knows_no_menu_cannot_pass_what_asks_for_one(tmp_path: Path) -> None:
    lines = field.Lines(tmp_path / "bare.jsonl")
    lines.add("run", run_id="r", campaign="c", metric={"name": "loss", "goal": "minimize"})
    for i in range(60):
        lines.add("trial", iter=i, status="reverted", attempts=[{"knob": "a", "value": i}], value=1.0)
    lines.path.write_bytes(b"".join(x + b"\n" for x in lines.done))
    found = judge([lines.path])
    for name in ("knob_coverage", "keep_coverage", "menu"):
        assert of(found, name).outcome == "insufficient"
        assert "--menu FILE" in of(found, name).reason


def test_a_time_split_of_a_proposer_of_unknown_sight_is_not_judged(tmp_path: Path) -> None:
    found = of(judge(field.write(tmp_path, clean(), history=None), split="tail"), "leakage")
    assert (found.outcome, found.reason[-14:]) == ("insufficient", "(--history N)") or "--history N" in found.reason


def test_a_time_split_of_a_proposer_that_sees_everything_leaks_every_row(tmp_path: Path) -> None:
    found = of(judge(field.write(tmp_path, clean(), history="all"), split="tail"), "leakage")
    assert (found.outcome, found.value) == ("fail", 60)


def test_the_interval_of_a_share_is_the_published_one() -> None:
    # Clopper-Pearson, as the table of the amnesiac has them
    assert interval(6, 8) == pytest.approx((0.349, 0.968), abs=5e-4)
    assert interval(5, 5) == pytest.approx((0.478, 1.0), abs=5e-4)
    assert interval(0, 8)[0] == 0.0


def test_a_share_that_few_keeps_cannot_vouch_for_is_insufficient(tmp_path: Path) -> None:
    # 3 of 12 are a quarter, which is allowed; they could as well be 57%, which is not.
    plan = also(keeping(clean(1)[0], GOOD), [GOOD[0]] * 2, kept=True)
    found = of(judge(field.write(tmp_path, [plan]), split="stratified"), "keep_share")
    assert found.parts[0].n == 12
    assert found.parts[0].value == pytest.approx(0.25)
    assert found.outcome == "insufficient"


def test_values_near_each_other_are_one_mode_where_the_policy_says_so(tmp_path: Path) -> None:
    spec = {"knobs": {"lr": {"type": "float", "range": [0.0, 1.0], "default": 0.0}}}
    lines = field.Lines(tmp_path / "near.jsonl")
    lines.add("run", run_id="r", campaign="c", metric={"name": "loss", "goal": "minimize"}, menu=spec)
    for i in range(12):
        lines.add("trial", iter=i, status="kept", attempts=[{"knob": "lr", "value": 0.5 + i / 1000}], value=1.0)
    lines.path.write_bytes(b"".join(x + b"\n" for x in lines.done))
    exact = {p.where: p.value for p in of(judge([lines.path]), "keep_modes").parts}
    near = {
        p.where: p.value
        for p in of(judge([lines.path], without(DEFAULT, "keep_modes", kernel="near")), "keep_modes").parts
    }
    assert exact["all"] == pytest.approx(12)
    assert near["all"] is not None
    assert near["all"] < 1.5


# --- the answer -----------------------------------------------------------------------------------------------------


def test_how_alike_two_keeps_are_may_be_said_by_the_caller(tmp_path: Path) -> None:
    paths = field.write(tmp_path, clean())
    whole = of(judge(paths), "keep_modes")
    knob = trajscope.gate(*paths, kernel=lambda a, b: float(a.changes[0].knob == b.changes[0].knob))
    told = of(knob, "keep_modes")
    assert told.reason.endswith("(how alike two are is said by a kernel of the caller)")
    assert told.value is not None
    assert whole.value is not None
    assert 1 <= told.value < whole.value  # fewer knobs than values
    one = of(trajscope.gate(*paths, kernel=lambda _a, _b: 1.0), "keep_modes")
    assert one.value == pytest.approx(1.0)
    assert one.outcome == "fail"
    wrong: list[Any] = [lambda _a, _b: 0.0, lambda a, b: float(a.label <= b.label), lambda _a, _b: float("nan")]
    for kernel in wrong:
        with pytest.raises(CorpusError, match="the kernel is none"):
            trajscope.gate(*paths, kernel=kernel)


@given(st.lists(st.sampled_from(["pass", "fail", "insufficient"])))
def test_the_outcome_is_fail_before_insufficient_before_pass(outcomes: list[Any]) -> None:
    want = "fail" if "fail" in outcomes else "insufficient" if "insufficient" in outcomes or not outcomes else "pass"
    assert worst(outcomes) == want


@pytest.mark.parametrize("bad", [False, True])
def test_too_little_data_neither_passes_nor_fails(bad: bool) -> None:
    assert judged(bad=bad, enough=False) == "insufficient"


def test_rows_power_and_campaigns_never_fail(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for paths in (field.write(tmp_path, [Plan([("k00", 1)], frozenset())]), [AMNESIAC]):
        found = judge(paths)
        assert {of(found, name).outcome for name in ("rows", "power", "campaigns")} == {"insufficient"}


def test_the_answer_is_a_frozen_value_and_becomes_json_whole(tmp_path: Path) -> None:
    found = amnesiac(split="at:42")
    with pytest.raises(FrozenInstanceError):
        found.policy = "mine"  # type: ignore[misc]  # that is what is tested
    said = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert said["outcome"] == "fail"
    assert said["split"] == {"kind": "at", "name": "split after iteration 42"}
    assert said["dropped"] == {"no_op": 1, "repeat": 36}
    share = next(c for c in said["checks"] if c["name"] == "label_share")
    assert share["rows"][0] == {"run": 0, "seq": 3}
    assert share["rows_total"] == 10


def test_the_same_corpus_gets_the_same_answer(tmp_path: Path) -> None:
    paths = field.write(tmp_path, clean(3))
    assert judge(paths).to_json() == judge(paths).to_json()


def test_the_field_hashes_configurations_as_the_reader_does() -> None:
    assert config_hash({"a": 1}) == config_hash({"a": 1.0})
