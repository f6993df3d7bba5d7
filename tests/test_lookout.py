"""Runs that are watched for another program: the same as everybody else is told, by ids that lead nowhere else.

Planted and seen to fail: a bulk lane that leaves trials out; a course that goes on where another run began.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from reportfield import SAMPLES, source
from runfiles import start

import trajscope
from trajscope import cache, sources
from trajscope.lookout import LATEST, Frames
from trajscope.report import pictures
from trajscope.report.gather import gather

NAMES = ("amnesiac", "gamer", "honest", "synthetic_1000", "all_blocked", "attempts")


def looked(path: Path) -> tuple[trajscope.Sight, Frames | None]:
    """A run once its trials were noted."""
    out = trajscope.Lookout(path)
    for _ in islice(out.rounds(), 200):
        for sight in out.sights.values():
            if sight.noted:
                found = out.frames(sight.id)
                out.stop()
                return sight, found
            out.want(sight.id)
    raise AssertionError("its trials were never noted")


def sample(name: str) -> Path:
    return SAMPLES / name / f"{name}.jsonl"


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_pictures_of_the_live_page_are_made_of_what_the_report_is_made_of(
    name: str, bulk: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = sample(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if bulk:
        monkeypatch.setattr(cache, "WORTH", 1)
    (account,) = gather(source(path), None, sources.read(str(path)))
    sight, found = looked(path)
    assert found is not None
    known = pictures.trials(account).filter("evaluated").drop("evaluated")
    assert found.trials.select(known.columns).equals(known)
    assert found.tiles.equals(pictures.tiles(account))
    assert found.ground == pictures.ground(account["doc"])
    assert found.reach.unique(maintain_order=True).equals(
        pictures.reach(account, found.ground[0]).unique(maintain_order=True)
    )
    assert found.plateau == pictures.plateau(account)
    assert found.rates.equals(pl.DataFrame(account["doc"]["pairs"]["windows"], found.rates.schema))
    assert found.noise_sd == account["doc"]["noise"]["sd"]
    assert found.evaluations.equals(pictures.evaluations(account))
    best, shrunk = account["facts"]["best"], account["doc"]["best"]["shrunk"]
    assert found.believed == (shrunk if best["n"] > 1 else None, best["low"], best["high"])
    assert found.visits.rows() == [tuple(x) for x in account["visits"]]
    assert found.holdout == account["facts"]["holdout"]
    assert (None if sight.about["holdout"] else found.holdouts.rows()) == (_drawn(account) or None)


def _drawn(account: dict[str, Any]) -> list[tuple[int, float, float]]:
    """The holdouts of keeps that the report draws: all but single bits."""
    return [tuple(k) for k in account["holdouts"] if not isinstance(k[2], bool)]


def test_what_a_holdout_says_of_keeps_is_noted_and_that_there_is_none_is_said_in_words(tmp_path: Path) -> None:
    said = []
    for name, metrics in (
        ("none", []),
        ("declared", [{"name": "held", "role": "holdout", "goal": "minimize"}]),
        ("scored", [{"name": "held", "role": "holdout", "goal": "minimize"}]),
    ):
        with start(tmp_path / f"{name}.jsonl", metrics=metrics) as run:
            run.trial({"lr": 1}, value=1.0, kept=True, metrics={"held": 3.5} if name == "scored" else None)
            run.trial({"lr": 2}, value=0.5, kept=False, metrics={"held": 9.5} if name == "scored" else None)
        sight, found = looked(tmp_path / f"{name}.jsonl")
        assert found is not None
        said.append((sight.about["holdout"], found.holdouts.rows()))
    assert said == [
        ("No holdout: nothing says whether the gain holds beyond the data it was chosen on.", []),
        ("A holdout is declared, and no keep has a value of it.", []),
        (None, [(1, 1.0, 3.5)]),
    ]


def test_the_lines_of_a_run_are_its_rows_in_sql() -> None:
    path = sample("amnesiac")
    sight, _ = looked(path)
    rows = trajscope.sql("SELECT * FROM trials ORDER BY seq", path)
    shared = ["seq", "iter", "k", "value", "best_kept", "wall_s", "refused"]
    assert pl.DataFrame([{k: x[k] for k in shared} for x in sight.lines]).equals(rows.select(shared), null_equal=True)
    assert [x["signs"].count("kept") for x in sight.lines] == [int(k) for k in rows["kept"]]


def test_a_long_run_keeps_its_latest_trials_and_says_which_are_gone(tmp_path: Path) -> None:
    with start(tmp_path / "run.jsonl") as run:
        for i in range(LATEST + 5):
            run.trial({"lr": i % 7}, value=1.0, kept=False)
    sight, _ = looked(tmp_path / "run.jsonl")
    assert (sight.total, len(sight.lines)) == (LATEST + 5, LATEST)
    new = sight.after(LATEST)
    assert new is not None
    assert [x["seq"] for x in new] == [x["seq"] for x in sight.lines[-5:]]
    assert sight.after(LATEST + 5) == ()
    assert sight.after(4) is None
    assert sight.after(LATEST + 6) is None


def test_a_file_that_holds_another_run_begins_another_course(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    start(path).close()
    out = trajscope.Lookout(path)
    rounds = out.rounds()
    next(rounds)
    (one,) = out.sights
    out.want(one)
    courses: list[Any] = []
    for i in range(2):
        other = tmp_path / f"other{i}"
        with start(other, run_id=f"r{i}") as run:
            run.trial({"lr": i}, value=1.0, kept=False)
        other.replace(path)
        sight = out.sights[one]
        for _ in islice(rounds, 50):
            sight = out.sights[one]
            if sight.about["run_id"] == f"r{i}" and sight.noted and sight.total:
                break
        courses.append((sight.course, [x["pair"] for x in sight.lines]))
    out.stop()
    assert [pairs for _, pairs in courses] == [["lr=0"], ["lr=1"]]
    assert courses[0][0] != courses[1][0]


def test_an_id_holds_no_letter_that_an_address_could_stumble_over(tmp_path: Path) -> None:
    for name in ("a b", "<x>", "a..b", "ä", "A" * 99, "%2e", "\u202e"):
        start(tmp_path / f"{name}.jsonl").close()
    out = trajscope.Lookout(tmp_path)
    next(out.rounds())
    assert len(out.sights) == 7
    assert all(one.replace("-", "").isalnum() and one.isascii() and len(one) < 60 for one in out.sights)
