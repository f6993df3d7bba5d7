"""Building a corpus: every trial in its place or counted, the same bytes every time, whole or not at all.

Planted and seen to fail: a repeat that is written, a dropped trial that is not counted, an embargo that is ignored, a
prompt that is stripped, weights of the other side, a pair across the split, rows in the order of naming, a partial
folder that stays, a changed input that is not noticed.
"""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import corpusfield as field
import polars as pl
import pytest
from clirun import AMNESIAC
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from trajscope.blobs import write_blob
from trajscope.corpus import Built, Examples, build, gate, plan, verify
from trajscope.corpus.rows import BASES, LEFT_OUT, REASONS, RIVALS, TABLES, Facts, Pairing, Row, messages, shown
from trajscope.errors import CorpusError, RefusedError, SourceError
from trajscope.menu import load
from trajscope.pair import config_hash
from trajscope.pipeline import menu_beside
from trajscope.readers import Source
from trajscope.verdict import Level

SIDES = ("train", "test")
BASE = {"a": 0, "b": 0}


def tried(knob: str, to: object, value: float | None, status: str = "reverted", **more: Any) -> dict[str, Any]:
    """One trial on the base, with a prompt that says which it was."""
    return {"attempts": [{"knob": knob, "value": to}], "value": value, "status": status, **more}


def run(path: Path, *trials: dict[str, Any], campaign: str = "c", name: str = "r", **header: Any) -> Path:
    """A run of these trials, all of them on its base."""
    lines = field.Lines(path)
    spec = {"type": "int", "choices": list(range(10)), "default": 0}
    about = {"run_id": name, "campaign": campaign, "metric": {"name": "loss", "goal": "minimize"}, **header}
    lines.add("run", menu={"knobs": {"a": spec, "b": spec}}, base={"config": BASE}, **about)
    lines.add("measure", what="baseline", config_hash=config_hash(BASE), value=1.0)
    for i, trial in enumerate(trials, 1):
        (change,) = trial["attempts"]
        own = {"base_hash": config_hash(BASE), "config_hash": config_hash({**BASE, change["knob"]: change["value"]})}
        lines.add("trial", **{"iter": i, **own, **trial})
    path.write_bytes(b"".join(x + b"\n" for x in lines.done))
    return path


def made(out: Path, *paths: Path, **said: Any) -> Built:
    """A corpus, whatever the gate says of so few trials."""
    return build(field.sources(paths), out, **{"accept": "a test", **said})


def rows(b: Built, table: str, side: str) -> list[dict[str, Any]]:
    path = b.folder / f"{table}-{side}.jsonl"
    return [json.loads(x) for x in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def every(b: Built, table: str) -> list[dict[str, Any]]:
    return [row for side in SIDES for row in rows(b, table, side)]


def held(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- worked out by hand ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Eight trials, split after the third."""
    folder = tmp_path_factory.mktemp("small")
    path = run(
        folder / "r.jsonl",
        tried("a", 1, 1.2, shown="[system]\nChoose.\n\n[user]\nfirst"),
        tried("a", 2, 0.8, "kept", shown="[system]\nChoose.\n\n[user]\nsecond"),
        tried("a", 1, 1.4, shown="third"),
        tried("b", 1, 1.1, shown="fourth"),
        tried("b", 0, 1.0, shown="fifth"),
        tried("b", 2, None, "blocked", shown="sixth"),
        tried("b", 3, 0.9, "kept"),
        tried("a", 3, None, "crashed", shown="eighth"),
    )
    return made(folder / "out", path, split="at:3")


def test_each_trial_of_a_small_run_is_where_it_belongs(small: Built) -> None:
    assert small.manifest["trials"] == {
        "all": 8,
        "train": 2,
        "test": 2,
        "dropped": {"blocked": 1, "crashed": 1, "no_op": 1, "repeat": 1},
    }
    assert [(x["iter"], x["status"]) for x in rows(small, "outcomes", "train")] == [(1, "reverted"), (2, "kept")]
    assert [(x["iter"], x["status"]) for x in rows(small, "outcomes", "test")] == [(4, "reverted"), (7, "kept")]
    assert small.manifest["verdicts"] == {s: {"kept": 1, "reverted": 1} for s in SIDES}
    assert {t: {s: x[s]["left_out"] for s in SIDES} for t, x in small.manifest["tables"].items()} == {
        "outcomes": {"train": {}, "test": {}},
        "sft": {"train": {"not_kept": 1}, "test": {"no_prompt": 1, "not_kept": 1}},
        "pairs": {"train": {}, "test": {"no_prompt": 1}},
    }


def test_a_kept_trial_is_a_chat_row_with_the_prompt_to_the_letter(small: Built) -> None:
    (row,) = rows(small, "sft", "train")
    assert row["messages"] == [
        {"role": "system", "content": "Choose."},
        {"role": "user", "content": "second"},
        {"role": "assistant", "content": '{"knob": "a", "value": 2}'},
    ]
    text = "[system]\nChoose.\n\n[user]\nsecond"
    assert row["prompt_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (row["decision"], row["label"], row["value"], row["mean"], row["weight"]) == ("kept", "a=2", 0.8, 0.8, 1.0)
    assert rows(small, "sft", "test") == []
    assert not (small.folder / "sft-test.jsonl").exists()


def test_a_preference_has_the_margin_of_the_means_and_their_noise(small: Built) -> None:
    (row,) = every(small, "pairs")
    assert row["chosen"] == [{"role": "assistant", "content": '{"knob": "a", "value": 2}'}]
    assert row["rejected"] == [{"role": "assistant", "content": '{"knob": "a", "value": 1}'}]
    assert row["prompt"] == [{"role": "system", "content": "Choose."}, {"role": "user", "content": "second"}]
    assert row["same_prompt"] is False
    # Trials 1 and 3 are one configuration: 1.2 and 1.4, so 1.3 over two. Their squares are 0.02; the no-op repeats the
    # baseline exactly, so the variance is 0.02 over two degrees of freedom.
    assert (row["chosen_mean"], row["rejected_replicates"]) == (0.8, 2)
    assert row["rejected_mean"] == pytest.approx(1.3)
    assert row["margin"] == pytest.approx(0.5)
    assert row["margin_in_noise"] == pytest.approx(0.5 / math.sqrt(0.02 / 2 * (1 + 1 / 2)))


def test_an_outcome_says_what_came_of_it_and_what_it_changed(small: Built) -> None:
    first, second = rows(small, "outcomes", "train")
    assert first["base"] == [{"knob": "a", "value": "0"}, {"knob": "b", "value": "0"}]
    assert first["changes"] == [{"knob": "a", "value": "1"}]
    assert (first["value"], first["replicates"], first["kept"]) == (1.2, 2, False)
    assert first["over_baseline"] == pytest.approx(-0.3)
    assert first["condition"] == "Outcome: reverted; loss 1.3 over 2 evaluations, 0.3 worse than the baseline."
    assert second["over_baseline"] == pytest.approx(0.2)
    assert second["condition"] == "Outcome: kept; loss 0.8, 0.2 better than the baseline."
    without = rows(small, "outcomes", "test")[1]
    assert (without["messages"], without["prompt_sha256"], without["target"]) == (
        None,
        None,
        '{"knob": "b", "value": 3}',
    )


def test_a_high_value_that_broke_a_guard_says_so(tmp_path: Path) -> None:
    broke = [
        {"rule": "keep.validity", "level": "PASS", "reason": "5 seeds"},
        {"rule": "editable", "level": "UNKNOWN", "reason": "not looked at"},
        {"rule": "keep.guards", "level": "FAIL", "reason": "acc is 0.1, below 0.7"},
        {"rule": "keep.test", "level": "UNKNOWN", "reason": "not asked"},
    ]
    path = run(
        tmp_path / "r.jsonl",
        tried("a", 1, 0.2, verdicts=broke),
        tried("a", 2, 0.9, "kept", verdicts=[{"rule": "keep.holdout", "level": "UNKNOWN", "reason": "there is none"}]),
        tried("a", 3, 1.1, verdicts="they were lost"),
        tried("a", 4, 1.2),
    )
    found = sorted(every(made(tmp_path / "out", path), "outcomes"), key=lambda x: x["seq"])
    assert [x["against"] for x in found] == ["keep.guards: acc is 0.1, below 0.7", None, None, None]
    assert found[0]["condition"].startswith(
        "Outcome: reverted (keep.guards: acc is 0.1, below 0.7); loss 0.2, 0.8 better"
    )
    assert [x["target"] for x in found] == [f'{{"knob": "a", "value": {n}}}' for n in (1, 2, 3, 4)]


# --- laws -----------------------------------------------------------------------------------------------------------

trials = st.builds(
    lambda knob, to, value, status, prompt: tried(
        knob,
        to,
        value if status in ("kept", "reverted") else None,
        status,
        **({"shown": f"prompt {prompt}"} if prompt else {}),
    ),
    st.sampled_from("ab"),
    st.integers(0, 4),
    st.sampled_from([0.5, 1.0, 1.5]),
    st.sampled_from(["kept", "reverted", "reverted", "blocked", "crashed", "aborted"]),
    st.integers(0, 3),
)


# A corpus takes tens of milliseconds: what fails is shown as it was found, for to make it smaller would take minutes.
@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    st.lists(st.lists(trials, min_size=1, max_size=12), min_size=1, max_size=3),
    st.sampled_from(["labels", "stratified", "tail", "at:4"]),
    st.booleans(),
)
def test_every_trial_is_in_one_place_or_counted_with_its_reason(
    campaigns: list[list[dict[str, Any]]], split: str, together: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        paths = [
            run(home / f"{i}.jsonl", *x, campaign="c" if together else f"c{i}", name=f"r{i}", proposer={"history": 2})
            for i, x in enumerate(campaigns)
        ]
        b, said = None, ""
        try:
            b = made(home / "out", *paths, split=split)
        except CorpusError as e:
            said = str(e)
        if b is None:
            assert "nothing is left to learn from" in said
            assert sorted(p.name for p in home.iterdir()) == sorted(p.name for p in paths)
            return
        _conserved(b, sum(map(len, campaigns)))
        _sound(b)
        assert {v.level for v in verify(b.folder, paths)} == {Level.PASS}
        if split == "labels":
            sides = {s: {x["label"] for x in rows(b, "outcomes", s)} for s in SIDES}
            assert not sides["train"] & sides["test"]


def _conserved(b: Built, n: int) -> None:
    m = b.manifest
    assert set(m["trials"]["dropped"]) <= set(REASONS)
    assert m["trials"]["train"] + m["trials"]["test"] + sum(m["trials"]["dropped"].values()) == n == m["trials"]["all"]
    whole = {(x["run_id"], x["seq"]) for x in every(b, "outcomes")}
    assert len(whole) == len(every(b, "outcomes")) == m["trials"]["train"] + m["trials"]["test"]
    for side in SIDES:
        stay = {(x["run_id"], x["seq"]): x for x in rows(b, "outcomes", side)}
        kept = {k for k, x in stay.items() if x["kept"]}
        sft = {(x["run_id"], x["seq"]) for x in rows(b, "sft", side)}
        chosen = {(x["run_id"], x["chosen_seq"]) for x in rows(b, "pairs", side)}
        rejected = {(x["run_id"], x["rejected_seq"]) for x in rows(b, "pairs", side)}
        tables = m["tables"]
        assert len(stay) == m["trials"][side] == tables["outcomes"][side]["rows"]
        assert sft <= kept
        assert len(sft) + sum(tables["sft"][side]["left_out"].values()) == len(stay)
        assert chosen <= kept  # no pair reaches over the split
        assert rejected <= set(stay) - kept
        assert len(chosen) + sum(tables["pairs"][side]["left_out"].values()) == len(kept)
        assert {why for t in TABLES for why in tables[t][side]["left_out"]} <= set(LEFT_OUT)


def _sound(b: Built) -> None:
    for table in TABLES:
        train = rows(b, table, "train")
        assert sum(x["weight"] for x in train) == pytest.approx(len(train))
        assert {x["weight"] for x in rows(b, table, "test")} <= {1.0}
        if train:
            said = b.manifest["weights"][table]
            by_label: Counter[str] = Counter()
            for x in train:
                by_label[x["chosen_label" if table == "pairs" else "label"]] += x["weight"]
            assert said["effective_rows"] == pytest.approx(len(train) ** 2 / sum(x["weight"] ** 2 for x in train))
            assert said["largest"] == pytest.approx(max(by_label.values()) / len(train))
            assert said["largest"] <= max(0.1, 1 / len(by_label)) + 1e-9
    means = {(x["run_id"], x["seq"]): x for x in every(b, "outcomes")}
    for x in every(b, "pairs"):
        chosen, rejected = means[x["run_id"], x["chosen_seq"]], means[x["run_id"], x["rejected_seq"]]
        assert x["margin"] == pytest.approx(rejected["mean"] - chosen["mean"])
        assert x["margin"] > 0
        assert chosen["base_id"] == rejected["base_id"]
        assert x["prompt"] == chosen["messages"]
        assert not chosen["flipped"]
        assert not rejected["flipped"]


@pytest.mark.parametrize("split", ["campaign", "labels", "stratified", "tail"])
def test_the_same_runs_give_the_same_bytes_wherever_they_lie_and_however_they_are_named(
    tmp_path: Path, split: str
) -> None:
    (there := tmp_path / "elsewhere").mkdir()
    paths = field.write(tmp_path, field.clean(3))
    again = [there / p.name for p in paths]
    for a, b in zip(paths, again, strict=True):
        b.write_bytes(a.read_bytes())
    first = held(made(tmp_path / "one", *paths, split=split).folder)
    assert first == held(made(there / "two", *again[::-1], split=split).folder)
    assert b"elsewhere" not in b"".join(first.values())


def test_a_tail_is_written_without_what_stood_in_the_view_of_its_test_side(tmp_path: Path) -> None:
    b = made(tmp_path / "out", *field.write(tmp_path, field.clean(3)), split="tail")
    for name in ("campaign-0", "campaign-1", "campaign-2"):
        train = [x["iter"] for x in rows(b, "outcomes", "train") if x["run_id"] == name]
        test = [x["iter"] for x in rows(b, "outcomes", "test") if x["run_id"] == name]
        assert (max(train), min(test)) == (43, 49)  # sixty trials, twelve of them test, five seen by its first
    assert b.manifest["trials"]["dropped"] == {"left_out": 15}
    assert made(tmp_path / "all", *sorted(tmp_path.glob("c*.jsonl")), split="tail", embargo=0).manifest["trials"] == {
        "all": 180,
        "train": 144,
        "test": 36,
        "dropped": {},
    }


def test_what_another_run_of_the_campaign_tried_first_stands_there_with_the_mean_of_both(tmp_path: Path) -> None:
    one = run(tmp_path / "1.jsonl", tried("a", 1, 1.0), tried("a", 2, 2.0), name="r1", started="2026-01-01T00:00:00Z")
    two = run(tmp_path / "2.jsonl", tried("a", 1, 3.0), tried("b", 1, 2.0), name="r2", started="2026-01-02T00:00:00Z")
    b = made(tmp_path / "out", two, one, split="stratified")
    assert b.manifest["trials"]["dropped"] == {"repeat_elsewhere": 1}
    found = {(x["run_id"], x["label"]): (x["mean"], x["replicates"]) for x in every(b, "outcomes")}
    assert found == {("r1", "a=1"): (2.0, 2), ("r1", "a=2"): (2.0, 1), ("r2", "b=1"): (2.0, 1)}
    three = run(tmp_path / "3.jsonl", tried("a", 1, 3.0), campaign="another", name="r3")
    assert not made(tmp_path / "apart", one, three, split="stratified").manifest["trials"]["dropped"]


# --- texts ----------------------------------------------------------------------------------------------------------


@given(st.text(alphabet="[system]\n\nuser ab", max_size=60) | st.text(max_size=40))
def test_a_prompt_cut_into_messages_is_still_the_prompt(text: str) -> None:
    found = messages(text)
    assert [m["role"] for m in found] in (["system", "user"], ["user"])
    joined = found[0]["content"]
    if len(found) == 2:
        joined = f"[system]\n{joined}\n\n[user]\n{found[1]['content']}"
    assert joined == text


def test_texts_are_what_was_recorded_whatever_they_hold(tmp_path: Path) -> None:
    nasty = '</script>\u2028\u2029\x00\x1b[31m "quoted" \\ \t\r\n ünï 🙂 | ` '
    blob = write_blob(tmp_path / "r.jsonl", nasty * 200)
    path = run(
        tmp_path / "r.jsonl",
        tried("a", 1, 0.9, "kept", shown=nasty),
        tried("a", 2, 0.9, "kept", shown={"blob": blob}),
        tried("a", 3, 1.9, shown=""),
    )
    b = made(tmp_path / "out", path, split="stratified")
    found = {x["label"]: x for x in every(b, "outcomes")}
    assert found["a=1"]["messages"] == [{"role": "user", "content": nasty}]
    assert found["a=2"]["messages"] == [{"role": "user", "content": nasty * 200}]
    assert found["a=2"]["prompt_sha256"] == blob
    for table in TABLES:
        for side in SIDES:
            wanted = rows(b, table, side)
            parts = sorted((b.folder / "parquet").glob(f"{table}-{side}-*.parquet"))
            assert [row for p in parts for row in pl.read_parquet(p).to_dicts()] == wanted
            assert bool(parts) == bool(wanted)
            for row in wanted:
                assert list(row) == sorted(row)


def test_a_prompt_that_is_gone_or_was_changed_is_counted_and_not_made_up(tmp_path: Path) -> None:
    gone, changed = (write_blob(tmp_path / "r.jsonl", x) for x in ("gone", "changed"))
    path = run(
        tmp_path / "r.jsonl",
        tried("a", 1, 0.9, "kept", shown={"blob": gone}),
        tried("a", 2, 0.9, "kept", shown={"blob": changed}),
        tried("a", 3, 0.9, "kept", shown="here"),
    )
    (tmp_path / "r.blobs" / gone).unlink()
    (tmp_path / "r.blobs" / changed).write_bytes(b"something else")
    b = made(tmp_path / "out", path, split="at:9")
    assert b.manifest["tables"]["sft"]["train"] == {"rows": 1, "left_out": {"prompt_lost": 2}}
    assert [x["messages"] is None for x in rows(b, "outcomes", "train")] == [True, True, False]


def test_the_gate_finds_nothing_wrong_with_the_chat_file_that_was_built(tmp_path: Path) -> None:
    paths = field.write(tmp_path, field.clean())
    b = build(field.sources(paths), tmp_path / "out")
    assert (b.manifest["gate"]["outcome"], b.manifest["accepted"], b.rows["sft"]) == ("pass", None, 50)
    found = {c.name: c for c in gate(field.sources(paths), sft=b.folder / "sft-train.jsonl").checks}
    assert (found["claims"].outcome, found["claims"].value, found["claims"].n) == ("pass", 0, 40)
    assert (found["fidelity"].value, found["fidelity"].n) == (1.0, 40)


# --- preferences ----------------------------------------------------------------------------------------------------


def paired(tmp_path: Path, *said: dict[str, Any]) -> tuple[list[tuple[int, int]], Counter[str]]:
    """Trials (chosen, rejected) that a run's examples pair, and why others are not."""
    examples = Examples(field.sources([run(tmp_path / "r.jsonl", *said)]))
    facts = Facts(examples)
    pairing = Pairing(facts)
    found: list[tuple[int, int]] = []
    alone: Counter[str] = Counter()

    def answers() -> Iterator[Row | str]:
        for e in examples:
            if e.drop is None:
                yield from pairing.take(shown(e, e.mean, e.replicates))
        yield from pairing.close()

    for x in answers():
        if isinstance(x, str):
            alone[x] += 1
        else:
            found.append((x.fields["chosen_seq"] - 1, x.fields["rejected_seq"] - 1))
    return found, alone


def test_a_kept_answer_is_held_against_the_nearest_before_it_and_then_those_after(tmp_path: Path) -> None:
    bad = [tried("a", i, 1.5) for i in range(1, 7)]
    later = [tried("b", i, 1.5) for i in range(1, 7)]
    found, alone = paired(tmp_path, *bad, tried("a", 9, 0.5, "kept", shown="x"), *later)
    assert found == [(7, 3), (7, 4), (7, 5), (7, 6)]
    found, alone = paired(tmp_path, bad[0], tried("a", 9, 0.5, "kept", shown="x"), *later)
    assert found == [(2, 1), (2, 3), (2, 4), (2, 5)]
    assert len(found) == RIVALS
    assert not alone


def test_a_kept_answer_without_a_pair_says_why(tmp_path: Path) -> None:
    keep = tried("a", 9, 0.5, "kept", shown="x")
    cases: list[tuple[list[dict[str, Any]], str]] = [
        ([keep], "no_rival"),
        ([keep, tried("a", 1, 0.4)], "not_better"),
        ([keep, tried("a", 1, 0.5)], "not_better"),
        ([keep, tried("a", 9, 0.6), tried("a", 1, 0.9)], "flipped"),
        ([tried("a", 9, 0.5, "kept"), tried("a", 1, 0.9)], "no_prompt"),
        ([tried("a", 9, None, "kept", shown="x"), tried("a", 1, 0.9)], "no_value"),
        ([keep, tried("a", 1, 0.9, base_hash="e" * 16)], "no_rival"),
    ]
    for said, why in cases:
        assert paired(tmp_path, *said) == ([], Counter({why: 1})), why


def test_answers_wait_on_the_latest_bases_only(tmp_path: Path) -> None:
    def moved(n: int) -> list[dict[str, Any]]:
        away = [
            tried("b", 1, 0.5, "kept", shown="x", base_hash=f"{i:016x}", config_hash=f"{i:015x}c") for i in range(n)
        ]
        return [tried("a", 9, 0.5, "kept", shown="x"), *away, tried("a", 1, 0.9)]

    assert paired(tmp_path, *moved(BASES - 1)) == ([(1, BASES + 1)], Counter(no_rival=BASES - 1))
    assert paired(tmp_path, *moved(BASES)) == ([], Counter(no_rival=BASES + 1))


# --- refused, and whole or not at all -------------------------------------------------------------------------------


def amnesiac() -> list[tuple[Source, str | None]]:
    return [(Source(str(AMNESIAC), menu=load(menu_beside(AMNESIAC) or ""), history=5), None)]


def test_what_the_gate_refuses_is_not_built_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"the gate says fail \(keep_modes, keep_share, .* --accept REASON") as e:
        build(amnesiac(), tmp_path / "out", split="at:42")
    assert e.value.gate.exit_code == 1
    few = run(tmp_path / "r.jsonl", tried("a", 1, 0.9, "kept"))
    with pytest.raises(RefusedError, match="the gate says insufficient") as e:
        build(field.sources([few]), tmp_path / "out")
    assert e.value.gate.exit_code == 3
    assert [p.name for p in tmp_path.iterdir()] == ["r.jsonl"]


def test_a_reason_builds_it_all_the_same_and_stands_where_everybody_sees_it(tmp_path: Path) -> None:
    b = build(amnesiac(), tmp_path / "out", split="at:42", accept="  to look | at `it`  ")
    assert b.manifest["accepted"] == "to look | at `it`"
    assert b.manifest["gate"]["outcome"] == "fail"
    card = (b.folder / "README.md").read_text("utf-8")
    assert "The gate says FAIL" in card
    assert "The reason given: `to look ¦ at 'it'`" in card
    assert "the gate did not let it pass" in card
    # A foreign file records no prompts: nothing is made up, and it is said.
    assert b.rows == {"outcomes": 13, "sft": 0, "pairs": 0}
    assert "**There is no `sft`**: " in card
    assert "because its prompt was not recorded" in card
    assert all(x["messages"] is None for x in every(b, "outcomes"))


def test_a_reason_that_was_not_needed_is_not_on_record(tmp_path: Path) -> None:
    b = build(field.sources(field.write(tmp_path, field.clean())), tmp_path / "out", accept="just in case")
    assert b.manifest["accepted"] is None


def _left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    good = run(tmp_path / "r.jsonl", tried("a", 1, 0.9, "kept", shown="x"))
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(good.read_bytes())
    (tmp_path / "empty.jsonl").write_bytes(b"")
    useless = run(tmp_path / "useless.jsonl", tried("a", 1, None, "blocked"), tried("a", 2, None, "crashed"))
    outside = run(tmp_path / "outside.jsonl", tried("a", 99, 0.9, "kept", shown="x"))
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    before = _left(tmp_path)
    cases: list[tuple[Sequence[Path], str, dict[str, Any], str]] = [
        ([], "out", {}, "no run is named"),
        ([good, copy], "out", {}, "copy.jsonl: is the same as .*r.jsonl; name it once"),
        ([tmp_path / "empty.jsonl"], "out", {}, "is empty"),
        ([tmp_path / "none.jsonl"], "out", {}, "cannot be read"),
        ([useless], "out", {}, r"nothing is left to learn from of 2 trials \(1 blocked, 1 crashed\)"),
        ([outside], "out", {}, r"nothing is left to learn from of 1 trials \(1 outside_menu\)"),
        ([good], "there", {}, "there: exists already"),
        ([good], "link", {}, "link: exists already"),
        ([good], "no/out", {}, "its parent is no folder; make .*no first"),
        ([good], "out", {"accept": " "}, "the reason is empty"),
        ([good], "out", {"balance": 1.5}, "is not between 0"),
        ([good], "out", {"balance": float("nan")}, "is not between 0"),
        ([good], "out", {"split": "half"}, "is none of auto"),
    ]
    for paths, out, said, wanted in cases:
        with pytest.raises((CorpusError, SourceError), match=wanted):
            made(tmp_path / out, *paths, **said)
        assert _left(tmp_path) == before, wanted


def test_one_class_is_built_only_for_a_reason_and_says_what_is_missing(tmp_path: Path) -> None:
    for status, no in (("kept", ["pairs"]), ("reverted", ["sft", "pairs"])):
        path = run(tmp_path / f"{status}.jsonl", *(tried("a", i, 0.9, status, shown=f"p {i}") for i in range(1, 9)))
        with pytest.raises(RefusedError):
            build(field.sources([path]), tmp_path / "refused")
        b = made(tmp_path / f"out-{status}", path)
        assert [t for t, n in b.rows.items() if not n] == no
        card = (b.folder / "README.md").read_text("utf-8")
        assert [t for t in TABLES if f"**There is no `{t}`**" in card] == no


def test_an_input_that_changes_while_it_is_read_makes_no_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run(tmp_path / "r.jsonl", tried("a", 1, 0.9, "kept", shown="x"), tried("a", 2, 1.9))
    module = sys.modules["trajscope.corpus.build"]

    def late(*args: Any, **said: Any) -> Any:
        """The split is planned while somebody writes one more line."""
        with path.open("ab") as f:
            f.write(b"\n")
        return plan(*args, **said)

    monkeypatch.setattr(module, "plan", late)
    with pytest.raises(CorpusError, match=r"r\.jsonl: changed while it was read; wait until its run has ended"):
        made(tmp_path / "out", path)
    assert _left(tmp_path) == ["r.jsonl"]


FULL = """
import resource, sys
sys.path.insert(0, {tests!r})
import corpusfield as field
from pathlib import Path
from trajscope.corpus import build
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
build(field.sources(sorted(Path(sys.argv[1]).glob("*.jsonl"))), sys.argv[2])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files there")
def test_a_disk_that_is_full_half_way_leaves_nothing(tmp_path: Path) -> None:
    (runs := tmp_path / "runs").mkdir()
    (there := tmp_path / "there").mkdir()
    field.write(runs, field.clean())
    for most in (2000, 100_000):  # in the first table, and in the last
        program = FULL.format(tests=str(Path(__file__).parent), most=most)
        done = subprocess.run(
            [sys.executable, "-c", program, str(runs), str(there / "out")], capture_output=True, text=True, check=False
        )
        assert "CorpusError" in done.stderr
        assert "out: cannot be written" in done.stderr
        assert _left(there) == []


def test_a_folder_that_appears_meanwhile_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run(tmp_path / "r.jsonl", tried("a", 1, 0.9, "kept", shown="x"), tried("a", 2, 1.9))
    module = sys.modules["trajscope.corpus.build"]

    def late(*args: Any, **said: Any) -> Any:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").write_text("mine")
        return plan(*args, **said)

    monkeypatch.setattr(module, "plan", late)
    with pytest.raises(CorpusError, match="exists already"):
        made(tmp_path / "out", path)
    assert _left(tmp_path) == ["out", "r.jsonl"]
    assert _left(tmp_path / "out") == ["mine"]
