"""The history of a campaign is exact, follows its files, and refuses rather than guesses."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from campaign import BASE, HASH, MENU, chained, lines, mark, seen, write
from hypothesis import given, settings
from hypothesis import strategies as st

from trajscope.errors import HistoryError
from trajscope.pair import NEAR, Pair, config_hash
from trajscope.rails.history import NOT_RUN, History
from trajscope.rails.ledger import Ledger, Ran

ROOT = Path(__file__).resolve().parents[1]

# Numbers that are equal, near, NEAR apart to the last digit, just beyond it, and at both ends of a bucket.
PLACES = (
    0.0,
    0.01,
    0.0199,
    0.0199999999999,
    0.02,
    0.0201,
    0.021,
    0.04,
    0.0401,
    0.06,
    0.06000000000001,
    0.5,
    0.51,
    0.52,
    0.53,
    1.0,
)
changes = st.one_of(
    st.fixed_dictionaries({"a": st.sampled_from([1, 2, "2", 3])}),
    st.fixed_dictionaries({"b": st.sampled_from(PLACES)}),
    st.fixed_dictionaries({"c": st.sampled_from([0.001, 0.00115, 0.0011481, 0.1, 0.11, 1.0])}),
    st.fixed_dictionaries({"b": st.sampled_from(PLACES)}, optional={"a": st.sampled_from([1, 2])}),
    st.fixed_dictionaries({"b": st.sampled_from(PLACES), "c": st.sampled_from([0.1, 0.11, 0.2])}),
    st.fixed_dictionaries({"z": st.sampled_from([1, True, "1"])}),
)
trials = st.lists(
    st.fixed_dictionaries(
        {"changes": changes},
        optional={
            "status": st.sampled_from(["kept", "blocked", "crashed", "aborted", "ineligible"]),
            "intent": st.sampled_from(["revisit", "replicate"]),
            "base_hash": st.sampled_from(["b1", "b2"]),
            "cost": st.sampled_from([{}, {"wall_s": 5.0, "usd": 2.0, "tokens_in": 3, "tokens_out": 4}]),
            "value": st.none() | st.just(2.0),
        },
    ),
    max_size=12,
)


def near(p: Pair, q: Pair) -> bool:
    """By the definition, one comparison at a time."""
    if p.label == q.label or len(p.changes) != len(q.changes):
        return False
    placed = 0
    for x, y in zip(p.changes, q.changes, strict=True):
        if x.position is None or y.position is None:
            if x.label != y.label:
                return False
            continue
        placed += 1
        if x.knob != y.knob or abs(x.position - y.position) > NEAR + 1e-12:
            return False
    return placed > 0


def state(h: History) -> tuple[Any, ...]:
    """Everything that can be asked of a history about the pairs above."""
    some: list[dict[str, Any]] = [{"a": 1}, {"a": 2}, {"b": 0.02}, {"b": 0.51}, {"c": 0.1}, {"b": 0.5, "c": 0.11}]
    asked = [MENU.pair(x) for x in some]
    return (
        [(h.past(p), h.near(p) is None, h.on(p, HASH), h.on(p, "b1")) for p in asked],
        (h.trials, h.tried, h.evaluated, h.intents, h.spent, h.knobs, h.cells),
    )


@settings(max_examples=150)
@given(trials, st.lists(changes, max_size=6), st.sampled_from([1, 3, 1000]))
def test_every_answer_is_that_of_a_slow_walk_through_all_trials(
    rows: list[dict[str, Any]], asked: list[dict[str, Any]], most: int
) -> None:
    with TemporaryDirectory() as folder:
        h = History.of([write(Path(folder) / "run.jsonl", rows)], MENU, most=most)
    ran = [(i, r, MENU.pair(r["changes"])) for i, r in enumerate(rows, 1) if r.get("status") not in NOT_RUN]
    for p in [MENU.pair(x) for x in asked] + [p for _, _, p in ran]:
        same = [(i, r) for i, r, q in ran if q.label == p.label]
        past = h.past(p)
        assert (past is None) == (not same)
        if past is not None:
            assert (past.n, past.first.seq, past.last.seq) == (len(same), same[0][0], same[-1][0])
            assert past.kept == sum(r.get("status") == "kept" for _, r in same)
            assert (past.first.value, past.first.label) == (same[0][1].get("value", 1.0), p.label)
        by = h.near(p)
        assert (by is not None) == any(near(p, q) for _, _, q in ran)
        if by is not None:
            assert any(near(p, q) and q.label == by.label for _, _, q in ran)
        for base in (HASH, "b1", "b2"):
            assert h.on(p, base) == any(r.get("base_hash", HASH) == base for _, r in same)
    configs = [(config_hash({**BASE, **r["changes"]}), r.get("intent")) for _, r, _ in ran]
    for c in {c for c, _ in configs}:
        found = h.ran(c)
        assert found is not None
        assert (found.n, found.replicates) == (sum(x == c for x, _ in configs), configs.count((c, "replicate")))
    assert h.ran("0" * 16) is None
    assert h.tried == len(ran)
    assert h.trials == len(rows)
    assert h.intents == {k: sum(r.get("intent") == k for _, r, _ in ran) for k in ("revisit", "replicate")}
    scored = [
        r
        for _, r, _ in ran
        if r.get("status") != "crashed" and not (r.get("status") == "aborted" and r.get("value", 1.0) is None)
    ]
    assert h.evaluated == len(scored)
    costs = [r.get("cost", {"wall_s": 10.0}) for r in rows]
    assert h.spent.wall_s == sum(c.get("wall_s", 0) for c in costs)
    assert h.spent.tokens == 7 * sum("usd" in c for c in costs)
    assert h.spent.unpriced["wall_s"] == sum("wall_s" not in r.get("cost", {"wall_s": 1}) for _, r, _ in ran)
    assert h.spent.dearest["wall_s"] == max((c.get("wall_s", 0.0) for c in costs), default=0.0)
    h.close()


@pytest.mark.parametrize(("one", "other"), [(0.0199999999999, 0.04), (0.04, 0.0199999999999)])
def test_two_numbers_a_hair_more_than_near_apart_are_near_across_two_buckets(one: float, other: float) -> None:
    h = History.none(MENU)
    h.add(MENU.pair({"b": one}), seen(MENU.pair({"b": one}), 1))
    assert near(MENU.pair({"b": one}), MENU.pair({"b": other}))
    assert h.near(MENU.pair({"b": other})) is not None


@given(st.lists(st.integers(0, 100).map(lambda n: n / 500), max_size=30), st.lists(st.integers(0, 1000), max_size=20))
def test_on_one_number_near_is_exact_though_only_the_ends_of_a_bucket_are_kept(
    tried: list[float], ask: list[int]
) -> None:
    h = History.none(MENU)
    pairs = [MENU.pair({"b": x}) for x in tried]
    for i, p in enumerate(pairs):
        h.add(p, seen(p, i))
    for p in [*pairs, *(MENU.pair({"b": n / 5000}) for n in ask)]:
        assert (h.near(p) is not None) == any(near(p, q) for q in pairs)


# --- growing ------------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(trials, st.data())
def test_a_file_that_grows_in_pieces_is_the_file_read_whole(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        run, whole = Path(folder) / "run.jsonl", lines(rows)
        cuts = sorted(data.draw(st.lists(st.integers(1, len(whole)), max_size=4)))
        first = cuts[0] if cuts else len(whole)
        run.write_bytes(b"".join(whole[:first]))
        h = History.of([run], MENU)
        for a, b in zip(cuts, [*cuts[1:], len(whole)][: len(cuts)], strict=True):
            mark(run, whole, b)
            with run.open("ab") as f:
                f.write(b"".join(whole[a:b]))
            h.refresh()
            h.refresh()
        assert state(h) == state(History.of([run], MENU))


def test_a_torn_tail_is_refused_now_and_taken_once_it_is_whole(tmp_path: Path) -> None:
    whole = lines([{"changes": {"a": 2}}, {"changes": {"a": 3}}])
    run = tmp_path / "run.jsonl"
    run.write_bytes(b"".join(whole[:2]))
    h = History.of([run], MENU)
    with run.open("ab") as f:
        f.write(whole[2][:-20])
    for _ in range(2):
        with pytest.raises(HistoryError, match="ends in the middle of a line"):
            h.refresh()
    assert h.tried == 1
    with run.open("ab") as f:
        f.write(whole[2][-20:])
    h.refresh()
    assert h.past(MENU.pair({"a": 3})) is not None


@pytest.mark.parametrize("marked", [False, True])
def test_a_file_cut_off_at_any_byte_is_refused_or_is_the_history_of_its_whole_lines(
    marked: bool, tmp_path: Path
) -> None:
    whole = lines([{"changes": {"a": 2}}, {"changes": {"b": 0.3}, "status": "kept"}, {"changes": {"a": 2}}])
    data, run = b"".join(whole), tmp_path / "run.jsonl"
    ends = {len(b"".join(whole[: i + 1])): i for i in range(len(whole))}
    if marked:
        mark(run, whole)
    for size in range(len(data)):
        run.write_bytes(data[:size])
        if size in ends and not marked:
            assert History.of([run], MENU).tried == ends[size]
            continue
        with pytest.raises(HistoryError, match=r"run\.jsonl: "):
            History.of([run], MENU)
    run.write_bytes(data)
    assert History.of([run], MENU).tried == 3


def test_a_trial_that_was_added_and_is_then_read_counts_once(tmp_path: Path) -> None:
    whole = lines([{"changes": {"a": 2}}, {"changes": {"a": 2}}])
    run = tmp_path / "run.jsonl"
    run.write_bytes(b"".join(whole[:2]))
    h = History.of([run], MENU)
    p = MENU.pair({"a": 2})
    h.add(p, seen(p, 2)._replace(where=str(run)), wall_s=10.0)
    run.write_bytes(b"".join(whole))
    h.refresh()
    assert (h.tried, h.spent.wall_s) == (2, 20.0)
    past = h.past(p)
    assert past is not None
    assert past.n == 2


# --- refused ------------------------------------------------------------------------------------------------------

GOOD = lines([{"changes": {"a": 2}}, {"changes": {"a": 3}}, {"changes": {"b": 0.9}}])


def swapped(old: bytes, new: bytes, line: int = 2) -> bytes:
    return b"".join([*GOOD[:line], GOOD[line].replace(old, new), *GOOD[line + 1 :]])


def rows_with(**fields: Any) -> bytes:
    """A chained file whose second trial has these fields."""
    return b"".join(lines([{"changes": {"a": 2}}, {"changes": {"a": 3}} | fields, {"changes": {"b": 0.9}}]))


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n", "in no format|could be read|holds no line"),
    "torn": (b"".join(GOOD)[:-1], "ends in the middle of a line"),
    "no JSON": (swapped(b"{", b"", 3), r"run\.jsonl:4: cannot be read"),
    "a line changed": (swapped(b"reverted", b"kept"), r"run\.jsonl:4: does not fit the chain"),
    "a line gone": (b"".join([*GOOD[:2], *GOOD[3:]]), r"run\.jsonl:3: does not fit the chain"),
    "a line twice": (b"".join([*GOOD, GOOD[3]]), r"run\.jsonl:5: does not fit the chain"),
    "no header": (b"".join(GOOD[1:]), r"run\.jsonl:1: does not fit the chain"),
    "a newer version": (rows_with(v=2), r"run\.jsonl:3: cannot be read \(version 2"),
    "an older version": (rows_with(v=0), r"run\.jsonl:3: is of version 0"),
    "no version": (rows_with(v=None), r"run\.jsonl:3: is of version 0"),
    "nothing changed": (
        rows_with(attempts=[]),
        r"run\.jsonl:3: a trial \(reverted\) that does not say what it changed",
    ),
    "no change, crashed": (rows_with(attempts=[], status="crashed"), r"a trial \(crashed\) that does not say"),
    "no change, odd": (rows_with(attempts=[], status="odd"), r"a trial \(other\) that does not say"),
    "mistyped changes": (rows_with(attempts=5), r"run\.jsonl:3: attempts is not what it should be"),
    "mistyped status": (rows_with(status=5), r"run\.jsonl:3: status is not what it should be"),
    "mistyped base": (rows_with(base_hash=5), r"run\.jsonl:3: base_hash is not what it should be"),
    "another seq": (rows_with(seq=7), r"run\.jsonl:3: seq says 7"),
    "the chain ends": (rows_with(prev=None), r"run\.jsonl:3: does not fit the chain"),
    "a second header": (rows_with(type="run"), r"run\.jsonl:3: cannot be read \(a second header"),
    "foreign": (b"hello\nworld\n", "in no format that a reader knows"),
    "zeros": (b"\0" * 100 + b"\n", "binary"),
}


@pytest.mark.parametrize(("data", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_leaves_a_doubt_is_refused_with_its_place(data: bytes, said: str, tmp_path: Path) -> None:
    run = tmp_path / "run.jsonl"
    run.write_bytes(data)
    with pytest.raises(HistoryError, match=said):
        History.of([run], MENU)
    good = write(tmp_path / "good.jsonl", [])
    with pytest.raises(HistoryError, match=said):  # wherever it stands among the files
        History.of([good, run], MENU)


def test_a_blocked_trial_needs_no_proposal_and_was_not_tried(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"status": "blocked"},
        {"status": "proposer_error"},
        {"changes": {"a": 2}, "status": "blocked"},
    ]
    h = History.of([write(tmp_path / "run.jsonl", rows)], MENU)
    assert (h.trials, h.tried, h.past(MENU.pair({"a": 2}))) == (3, 0, None)
    assert h.spent.wall_s == 30.0  # it was paid for all the same


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="No such file"):
        History.of([tmp_path / "gone.jsonl"], MENU)
    with pytest.raises(HistoryError, match="folder"):
        History.of([tmp_path], MENU)
    with pytest.raises(HistoryError, match="standard input"):
        History.of(["-"], MENU)
    with pytest.raises(HistoryError, match="embedded null byte"):
        History.of(["a\0b"], MENU)
    with pytest.raises(HistoryError, match="no file of the campaign is named"):
        History.of([], MENU)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HistoryError, match="is a pipe"):
        History.of([tmp_path / "pipe"], MENU)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_it_is_refused(tmp_path: Path) -> None:
    run = write(tmp_path / "run.jsonl", [])
    run.chmod(0)
    with pytest.raises(HistoryError, match="Permission denied"):
        History.of([run], MENU)


def test_files_of_two_campaigns_are_refused_and_foreign_ones_have_none(tmp_path: Path) -> None:
    run = write(tmp_path / "run.jsonl", [{"changes": {"a": 2}}])
    other = write(tmp_path / "other.jsonl", [{"changes": {"a": 3}}], campaign="day")
    with pytest.raises(HistoryError, match=r"other\.jsonl: belongs to the campaign 'day', .*run\.jsonl to 'night'"):
        History.of([run, other], MENU)
    stages = tmp_path / "stages.jsonl"
    row = {"stage": "evaluated", "decision": "keep", "proposal": {"knob": "a", "new_value": 3}, "val_bpb": 1.0}
    row["candidate_cfg"] = {**BASE, "a": 3}  # its reader names bases too, by other names than a rail
    stages.write_text(
        json.dumps({"_meta": "m", "baseline_val_bpb": 1.0, "baseline_cfg": BASE}) + "\n" + json.dumps(row) + "\n"
    )
    h = History.of([run, stages], MENU)
    past = h.past(MENU.pair({"a": 3}))
    assert past is not None
    assert (past.first.place, past.first.base, past.unplaced) == (f"{stages}:2", None, 1)


def test_one_file_under_two_names_counts_once(tmp_path: Path) -> None:
    run = write(tmp_path / "run.jsonl", [{"changes": {"a": 2}}])
    (tmp_path / "link.jsonl").symlink_to(run)
    assert History.of([run, tmp_path / "link.jsonl", run], MENU).tried == 1


def test_a_compressed_file_is_read_and_a_damaged_one_refused(tmp_path: Path) -> None:
    run = tmp_path / "run.jsonl.gz"
    data = gzip.compress(b"".join(GOOD))
    run.write_bytes(data)
    h = History.of([run], MENU)
    h.refresh()
    assert h.tried == 3
    run.write_bytes(gzip.compress(b"".join(GOOD), 1))
    with pytest.raises(HistoryError, match="compressed"):
        h.refresh()
    run.write_bytes(data[:-30])
    with pytest.raises(HistoryError, match=r"cannot be read to its end|damaged"):
        History.of([run], MENU)
    run.write_bytes(gzip.compress(b"".join(GOOD)[:-1]))
    with pytest.raises(HistoryError, match="ends in the middle of a line"):
        History.of([run], MENU)


def rewritten(run: Path) -> None:
    run.write_bytes(run.read_bytes().replace(b"reverted", b"REVERTED"))


def replaced(run: Path) -> None:
    run.with_suffix(".new").write_bytes(run.read_bytes() + b"\n")
    run.with_suffix(".new").replace(run)


def regrown(run: Path) -> None:
    """Cut off, and grown past its old size with other lines."""
    more = lines([{"changes": {"a": 2}}, {"changes": {"b": 0.1}}, {"changes": {"b": 0.2}}, {"changes": {"b": 0.3}}])
    with run.open("r+b") as f:
        f.write(b"".join(more))


def unchained(run: Path) -> None:
    with run.open("ab") as f:
        f.write(chained([{"type": "event", "kind": "x", "data": {}}])[0])


CHANGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "deleted": (Path.unlink, "No such file"),
    "cut off": (lambda run: run.write_bytes(b"".join(GOOD[:3])), "it was cut off"),
    "emptied": (lambda run: run.write_bytes(b""), "it was cut off"),
    "rewritten": (rewritten, "was rewritten"),
    "replaced": (replaced, "was replaced"),
    "regrown": (regrown, "was rewritten"),
    "a line out of the chain": (unchained, "does not fit the chain"),
    "sidecar ahead": (lambda run: mark(run, [*GOOD, GOOD[3]]), "it was cut off"),
    "sidecar broken": (lambda run: run.with_suffix(".coverage.json").write_text("{}"), "does not say"),
}


@pytest.mark.parametrize(("change", "said"), CHANGED.values(), ids=CHANGED.keys())
def test_a_followed_file_that_is_not_what_it_was_is_refused_and_stays_refused(
    change: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    run = tmp_path / "run.jsonl"
    run.write_bytes(b"".join(GOOD))
    h = History.of([run], MENU)
    h.refresh()
    change(run)
    for _ in range(3):
        with pytest.raises(HistoryError, match=said):
            h.refresh()


def test_a_sidecar_of_other_lines_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run.jsonl"
    run.write_bytes(b"".join(GOOD))
    mark(run, [*GOOD[:3], GOOD[3].replace(b"0.9", b"0.8")])
    with pytest.raises(HistoryError, match="line 4 is not the one that its sidecar saw"):
        History.of([run], MENU)
    mark(run, GOOD)
    run.write_bytes(b"".join(GOOD[:3]) + b"\n" * 900)  # long enough, and the line itself is gone
    with pytest.raises(HistoryError, match="does not hold the line that its sidecar saw"):
        History.of([run], MENU)


# --- outgrown -----------------------------------------------------------------------------------------------------


def test_what_outgrows_memory_goes_into_a_file_that_nobody_else_can_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    h = History(MENU, most=3)
    pairs = [MENU.pair({"b": n / 4000}) for n in range(3001)]
    for i, p in enumerate(pairs):
        h.add(p, seen(p, i))
    assert all((past := h.past(p)) is not None and past.first.seq == i for i, p in enumerate(pairs[:1001]))
    assert h._pairs.on_disk
    assert list(tmp_path.iterdir()) == []  # unlinked as soon as it was opened
    h.close()
    for p in (pairs[-1], pairs[0]):  # not written yet, and long ago
        with pytest.raises(HistoryError, match="temporary database"):
            h.past(p)


def fill(ledger: Ledger[Ran], value: Ran) -> None:
    for i in range(1000):
        ledger.put(f"{i:0100}", value)


def test_a_full_disk_is_a_refusal() -> None:
    ledger = Ledger(Ran, 1)
    p = MENU.pair({"a": 2})
    value = Ran(1, 0, seen(p, 1))
    ledger.put("x", value)
    ledger.put("y", value)
    assert ledger._disk is not None
    ledger._disk.execute("pragma max_page_count = 3")
    with pytest.raises(HistoryError, match="database or disk is full"):
        fill(ledger, value)
    with pytest.raises(HistoryError, match="database or disk is full"):
        ledger.get("x")  # what is left of it may lack anything


def test_a_database_that_cannot_be_made_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", broken)
    h = History(MENU, most=0)
    p = MENU.pair({"a": 2})
    with pytest.raises(HistoryError, match="unable to open"):
        h.add(p, seen(p, 1))


def test_no_history_has_to_be_said_and_then_knows_nothing() -> None:
    h = History.none(MENU)
    h.refresh()
    assert (h.trials, h.past(MENU.pair({"a": 2})), h.near(MENU.pair({"b": 0.5})), h.run) == (0, None, None, None)


def test_without_a_menu_one_spelling_holds_for_all_files(tmp_path: Path) -> None:
    named = {"knobs": {"a": {"type": "int", "choices": [1, 2, 3], "aliases": ["alpha"]}}}
    run = write(tmp_path / "run.jsonl", [{"changes": {"alpha": 2}}], menu=named)
    h = History.of([run], None)
    assert h.past(h.menu.pair({"alpha": 2})) is not None
    assert h.past(h.menu.pair({"a": 2})) is None


def test_reading_a_history_loads_nothing_heavy(tmp_path: Path) -> None:
    run = write(tmp_path / "run.jsonl", [{"changes": {"a": 2}}])
    heavy = ("pydantic", "typer", "duckdb", "numpy", "polars", "scipy", "sqlite3", "importlib.metadata")
    code = (
        "import sys\nfrom trajscope.rails.history import History\nfrom trajscope.rails.repeat import Repeat\n"
        f"h = History.of([{str(run)!r}], None)\nRepeat(h)\nprint(h.tried, *sorted(set({heavy!r}) & sys.modules.keys()))"
    )
    # -S: what is installed may load things of its own when Python starts.
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["1"]
