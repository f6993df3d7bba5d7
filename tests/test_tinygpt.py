"""The tinygpt domain without torch: what its judge cannot be sold, and what its data do not give away.

Expected numbers are worked out beside them. Planted and seen to fail: scores taken for shares as they come, twins read
at wrong rows, ties counted as right, NaN made a low score, pickles, pieces that overlap or are asked twice, a context
that holds its answer, a file in two splits, a package in two, twins told by their order.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trajscope.keep import Gate
from trajscope_loop import crashes, domain
from trajscope_loop.confine import Ended
from trajscope_loop.domains.tinygpt import judge, prepare

Array = NDArray[np.float64]

N, TWINS = 6, 2
# Questions 0 to 5 were asked at these rows, the twins of the first two at the others.
TRUE = judge.Truth(
    visible=np.array([7, 7, 65, 66, 0, 255]),
    rows=np.array([3, 0, 6, 1, 7, 4]),
    twins=np.array([5, 2]),
    holdout=np.array([1, 2, 3]),
)
SILENT = np.zeros((3, judge.BYTES))


def scored(seen: Array, hidden: Array = SILENT) -> dict[str, float]:
    found = judge.scored(seen, hidden, TRUE)
    return {**found["metrics"], **found["holdout"]}


def known(level: float, *, twins: bool = True) -> Array:
    """Scores that put the byte that follows so far above all others."""
    seen = np.zeros((N + TWINS, judge.BYTES))
    seen[TRUE.rows, TRUE.visible] = level
    if twins:
        seen[TRUE.twins, TRUE.visible[:TWINS]] = level
    return seen


@given(st.lists(st.floats(-1e6, 1e6), min_size=N + TWINS, max_size=N + TWINS))
def test_who_says_nothing_needs_eight_bits_however_loudly(levels: list[float]) -> None:
    found = scored(np.tile(np.array(levels)[:, None], judge.BYTES))
    assert found["val_bpb"] == 8
    assert found["context_use"] == 0
    assert found["overconfidence"] == pytest.approx(0, abs=1e-12)
    assert found["val_top1"] == found["holdout_top1"] == 1 / 256


def test_who_knows_everything_needs_nothing() -> None:
    hidden = SILENT.copy()
    hidden[[0, 1, 2], TRUE.holdout] = 1.0
    found = scored(known(1e4), hidden)
    assert (found["val_bpb"], found["val_top1"], found["holdout_top1"]) == (0, 1, 1)
    assert found["overconfidence"] == 0


def test_bits_are_those_of_shares() -> None:
    # A weight of 3 for the right byte beside 255 of weight 1: a share of 3/258, so log2(86) bits, for every question.
    share = 3 / 258
    found = scored(known(math.log(3)))
    assert found["val_bpb"] == pytest.approx(math.log2(86))
    entropy = share * math.log2(86) + 255 / 258 * math.log2(258)
    assert found["overconfidence"] == pytest.approx(math.log2(86) - entropy)
    assert found["val_top1"] == 1


def test_context_use_is_what_a_foreign_context_costs() -> None:
    # The twins are told nothing: 8 bits each, where the two real questions of the same bytes needed log2(86).
    assert scored(known(math.log(3), twins=False))["context_use"] == pytest.approx(8 - math.log2(86))
    assert scored(known(math.log(3)))["context_use"] == 0


ROWS = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(0, 5, (N + TWINS, judge.BYTES)))


@given(ROWS, st.floats(-1e3, 1e3))
def test_no_scale_of_the_whole_row_gains_anything(rows: Array, more: float) -> None:
    assert scored(rows + more) == pytest.approx(scored(rows), abs=1e-6)


@given(ROWS)
def test_shares_sum_to_one_so_what_is_gained_on_one_byte_is_lost_on_others(rows: Array) -> None:
    assert np.exp2(-judge.bits(rows)).sum(axis=1) == pytest.approx(np.ones(len(rows)))


def test_who_is_sure_and_wrong_pays_for_it_and_is_named() -> None:
    wrong = np.zeros((N + TWINS, judge.BYTES))
    wrong[:, 100] = 20 * math.log(2)  # a share of nearly 1 for a byte that never follows: 20 bits for any other
    found = scored(wrong)
    assert found["val_bpb"] == pytest.approx(20, abs=1e-3)
    assert found["overconfidence"] > 19.9
    assert found["val_top1"] == 0


def test_how_sure_it_is_of_twins_is_no_part_of_how_sure_it_is() -> None:
    seen = known(1e4)
    seen[TRUE.twins] = 0
    assert scored(seen)["overconfidence"] == 0


def test_scores_at_the_ends_of_what_floats_hold_are_judged_and_gain_nothing() -> None:
    wild = known(1e308)
    wild[wild == 0] = -1e308
    assert scored(wild)["val_bpb"] == 0
    assert scored(-wild)["val_bpb"] > 1e100  # outside the range that the gate believes


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_score_that_is_no_number_refuses_the_whole_answer(bad: float) -> None:
    seen = known(3.0)
    seen[4, 17] = bad
    with pytest.raises(FloatingPointError, match=r"^1 of 8 predictions are NaN or infinite; nothing was scored$"):
        scored(seen)
    hidden = SILENT.copy()
    hidden[1, 0] = bad
    with pytest.raises(FloatingPointError, match=r"^1 of 3 predictions"):
        scored(known(3.0), hidden)


def left(out: Path, **arrays: Any) -> Path:
    out.mkdir()
    for name, array in arrays.items():
        np.save(out / f"{name}.npy", array)
    return out


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return left(tmp_path / "truth", **TRUE._asdict())


def test_predictions_are_read_from_files(tmp_path: Path, truth: Path) -> None:
    out = left(tmp_path / "out", visible=known(9.0).astype(np.float16), holdout=SILENT.astype(np.float32))
    assert judge.judge(out, truth) == judge.scored(known(9.0), SILENT, TRUE)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"visible": known(1.0)}, "holdout.npy was not predicted"),
        ({"visible": known(1.0)[1:], "holdout": SILENT}, r"visible.npy is \(7, 256\); \(8, 256\) is asked for"),
        ({"visible": known(1.0), "holdout": SILENT[:, :1]}, r"holdout.npy is \(3, 1\)"),
        ({"visible": known(1.0) > 0, "holdout": SILENT}, "visible.npy holds no plain array of numbers"),
        ({"visible": np.array([{}], dtype=object), "holdout": SILENT}, "allow_pickle=False"),
    ],
)
def test_what_is_missing_or_of_another_shape_is_refused(
    tmp_path: Path, truth: Path, arrays: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        judge.judge(left(tmp_path / "out", **arrays), truth)


# --- the data ---------------------------------------------------------------------------------------------------------


def library() -> dict[str, bytes]:
    """Files whose bytes say which file they are from: the hundreds of a count, then its rest, again and again."""
    names = [f"{p}/m{i}.py" if p else f"m{i}.py" for p in ("", *"abcdefgh") for i in range(20)]
    return {name: bytes([i // 100, i % 100]) * 10_000 for i, name in enumerate(names)}


@pytest.fixture(scope="module")
def synthetic() -> tuple[dict[str, Any], dict[str, Any]]:
    return prepare.task(library())


def test_a_file_is_in_one_split_and_a_package_of_the_holdout_in_no_other(
    synthetic: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    names = list(library())
    parts = {n: prepare.split_of(n) for n in names}
    assert set(parts.values()) == {"train", "visible", "holdout"}
    packages = {n.partition("/")[0] for n in names if parts[n] == "holdout"}
    assert all(parts[n] == "holdout" for n in names if n.partition("/")[0] in packages and "/" in n)
    count = {n: library()[n][:2] for n in names}
    allowed = {split: {count[n] for n in names if parts[n] == split} for split in set(parts.values())}
    given, _ = synthetic
    for split, rows in (("visible", given["visible"][:, :-1]), ("holdout", given["holdout"][:, :-1])):
        # 63 bytes before the last: a twin's last byte is another question's. Pieces begin at either of the two bytes.
        pairs = {bytes(row[:2]) for row in rows} | {bytes(row[1:3]) for row in rows}
        own = allowed[split] | {p[::-1] for p in allowed[split]}
        assert pairs <= own, split
    train = given["train"].tobytes()
    assert {train[i : i + 2] for i in range(0, len(train), 20_000)} <= allowed["train"]


def test_no_piece_that_is_asked_shares_a_byte_with_another() -> None:
    # Every byte of this file stands there once among its neighbours: four bytes name their place.
    counted = b"".join(i.to_bytes(4, "big") for i in range(40_000))
    found = prepare.asked([counted], 1000, np.random.default_rng(1))
    rows = np.concatenate([found.contexts, found.following[:, None]], axis=1)
    places = [counted.index(row.tobytes()) for row in rows]
    assert len(set(places)) == 1000
    assert min(b - a for a, b in zip(sorted(places)[:-1], sorted(places)[1:], strict=True)) >= prepare.CONTEXT + 1


def test_the_byte_that_follows_is_not_among_what_is_given() -> None:
    # Two libraries that differ in the asked bytes alone are given alike.
    rng = np.random.default_rng(5)
    size = prepare.CONTEXT + 1
    files = {f"m{i}.py": rng.integers(0, 256, size * 100, dtype=np.uint8) for i in range(120)}
    files |= {f"{p}/m.py": rng.integers(0, 256, size * 300, dtype=np.uint8) for p in "abcdefghijklmnop"}
    others = {n: f.copy() for n, f in files.items()}
    for name, file in others.items():
        if prepare.split_of(name) != "train":
            file.reshape(-1, size)[:, -1] ^= 0xFF
    one, two = (prepare.task({n: f.tobytes() for n, f in fs.items()}) for fs in (files, others))
    assert {n: a.tobytes() for n, a in one[0].items()} == {n: a.tobytes() for n, a in two[0].items()}
    for split in ("visible", "holdout"):
        assert (one[1][split] ^ two[1][split] == 0xFF).all()


def test_a_twin_asks_the_same_of_who_sees_one_byte_and_something_else_of_who_sees_two() -> None:
    given, truth = prepare.task(library())
    real, twins = given["visible"][truth["rows"][: prepare.SWAPPED]], given["visible"][truth["twins"]]
    assert sorted([*truth["rows"], *truth["twins"]]) == list(range(prepare.VISIBLE + prepare.SWAPPED))
    assert (real[:, -1] == twins[:, -1]).all()
    assert (real[:, :-1] != twins[:, :-1]).any(axis=1).mean() > 0.5
    assert not np.array_equal(np.sort(truth["rows"]), truth["rows"]), "their order would tell which are real"


def test_a_new_file_moves_no_other() -> None:
    before = {n: prepare.split_of(n) for n in library()}
    assert before == {n: prepare.split_of(n) for n in [*library(), "new.py", "new/one.py"] if n in before}
    assert prepare.split_of("a/x.py") == prepare.split_of("a/x.py")


def test_the_library_of_this_machine_is_enough_and_holds_neither_tests_nor_what_was_installed(tmp_path: Path) -> None:
    files = prepare.sources(Path(sysconfig.get_path("stdlib")))
    assert sum(map(len, files.values())) > 2 * prepare.TRAIN
    assert {"shlex.py", "json/decoder.py"} <= files.keys()
    assert not [n for n in files if {"site-packages", "dist-packages", "test", "tests"} & set(n.split("/"))]
    for name in ("a.py", "test/b.py", "site-packages/c.py", "_sysconfigdata_x.py", "config-3.11/d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 5000)
    (tmp_path / "stub.py").write_bytes(b"x")
    (tmp_path / "link.py").symlink_to("a.py")
    assert list(prepare.sources(tmp_path)) == ["a.py"]


# --- the declaration --------------------------------------------------------------------------------------------------

KNOBS = "n_layer n_head d_model d_ff lr lr_warmup grad_clip weight_decay beta1 beta2 batch_size seq_len precision"


def test_the_menu_has_thirteen_knobs_in_four_families_and_no_code_is_edited() -> None:
    found = domain.load("tinygpt")
    assert found.menu is not None
    assert list(found.menu.knobs) == KNOBS.split()
    assert {k.family for k in found.menu.knobs.values()} == {"capacity", "optimiser", "data", "numerics"}
    assert found.edits is None  # an edit could give a training more work, and no judge would see it
    assert [(m["name"], m["role"]) for m in found.metrics] == [
        ("val_bpb", "primary"),
        ("context_use", "guard"),
        ("overconfidence", "guard"),
        ("holdout_top1", "holdout"),
        ("val_top1", "diagnostic"),
    ]


def test_without_torch_it_is_loaded_and_judged_and_training_says_what_to_install() -> None:
    use = "from trajscope_loop.domains.tinygpt import judge, prepare, train"
    code = f"import sys; sys.modules['torch'] = None\nfrom trajscope_loop import domain\ndomain.load('tinygpt')\n{use}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert b"train.py" in done.stderr  # what came before it needs no torch
    err = b"Traceback (most recent call last):\n  File ...\nModuleNotFoundError: No module named 'torch'\n"
    said = crashes.of_ended(Ended(1, timed_out=False, wall_s=1.0, out=b"", err=err, peak_mb=None), 60, None)
    assert said == ("import", "ModuleNotFoundError: No module named 'torch'; pip install 'trajscope[torch]'")


def tables() -> dict[str, dict[str, Any]]:
    """What tables of counts score on text in which each byte has two that may follow."""
    rng = np.random.default_rng(3)
    text = (np.cumsum(rng.integers(1, 3, 60_000)) % 50).astype(np.uint8)
    following = rng.integers(0, 50, 40)
    given = {"train": text, "visible": text[: 60 * 64].reshape(60, 64), "holdout": text[: 30 * 64].reshape(30, 64)}
    true = judge.Truth(following, np.arange(40), np.arange(40, 60), rng.integers(0, 50, 30))
    given["visible"][40:, -1] = given["visible"][:20, -1]
    following[:] = (given["visible"][:40, -1].astype(int) + 1) % 50
    return {"given": given, "truth": true._asdict()}


def test_tables_of_counts_look_no_further_back_than_a_byte_and_never_pass(tmp_path: Path) -> None:
    made = tables()
    found = judge.degenerates(left(tmp_path / "given", **made["given"]), left(tmp_path / "truth", **made["truth"]))
    shown = {name: both["metrics"] for name, both in found.items()}
    assert shown["uniform"]["val_bpb"] == 8
    assert shown["unigram"]["val_bpb"] == pytest.approx(math.log2(50), abs=0.02)  # fifty bytes, each as often
    assert shown["bigram"]["val_bpb"] == pytest.approx(1, abs=0.1)  # one of two
    assert {m["context_use"] for m in shown.values()} == {0}
    seeds = {
        s: {"val_bpb": 3.4 + s / 100, "context_use": 1.0, "overconfidence": 0.0, "val_top1": 0.4} for s in range(5)
    }
    gate = Gate(domain.load("tinygpt").gate)
    said = gate.start(
        baseline=[{"seed": s, "status": "ok", "metrics": m, "first_step": 8.0 + s} for s, m in seeds.items()],
        degenerates=shown,
        config={"lr": 1},
        hashes={"evaluator": "a", "data": "b"},
        holdout=dict.fromkeys(seeds, 0.3),
    )
    assert sum("is caught: context_use is 0" in v.reason for v in said) == 3


# --- a campaign that was run ------------------------------------------------------------------------------------------


def test_the_recorded_campaign_found_something_beyond_noise_and_confirmed_it() -> None:
    path = Path(__file__).resolve().parents[1] / "sample_runs" / "tinygpt" / "tinygpt.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    trials = [x for x in lines if x["type"] == "trial"]
    assert len(trials) == 30
    assert all(len(t["seeds"]) == 5 for t in trials)

    def values(line: dict[str, Any]) -> list[float]:
        return [s["metrics"]["val_bpb"] for s in line["seeds"]]

    baseline = values(next(x for x in lines if x["type"] == "measure" and x["what"] == "baseline"))
    best = values([t for t in trials if t["status"] == "kept"][-1])
    assert max(best) < min(baseline)  # of ten seeds: once in 252 if nothing had changed
    spread = math.sqrt((np.var(best, ddof=1) + np.var(baseline, ddof=1)) / 2)
    assert np.mean(baseline) - np.mean(best) > 5 * spread
    # Every keep was measured again with seeds that nothing was chosen by, beside what it replaced.
    measured = [x for x in lines if x["type"] in ("trial", "measure") and "seeds" in x]
    for at, kept in enumerate(measured):
        if kept.get("status") != "kept":
            continue
        again = {x["what"]: x for x in measured[at - 2 : at]}
        assert np.mean(values(again["confirm"])) < np.mean(values(again["incumbent"]))
        used = {s["seed"] for x in measured[: at - 2] for s in x["seeds"]} | {s["seed"] for s in kept["seeds"]}
        assert not used & {s["seed"] for x in again.values() for s in x["seeds"]}
