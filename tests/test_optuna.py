"""Studies of Optuna, made by Optuna itself in both of its storages, against what Optuna says of them.

Planted and seen to fail: categorical values by their index, running trials as trials, pruned ones among the best,
trials in the order of their numbers where they ended in another, an infinite value as a best.
"""

from __future__ import annotations

import json
import math
import sqlite3
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from trajscope import analysis, sources
from trajscope.menu import parse
from trajscope.readers import Source
from trajscope.readers.optuna import Optuna, knob
from trajscope.tail import Oddity, Reset, Tail
from trajscope.testing import ReaderContract, samples
from trajscope.trial import Header, Trial
from trajscope.trial import Line as Row

optuna.logging.set_verbosity(optuna.logging.ERROR)
NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001  # Optuna's own times have no zone
LR = FloatDistribution(1e-5, 1e-1, log=True)
DEPTH = IntDistribution(1, 12)
EVEN = IntDistribution(2, 8, step=2)
ACT = CategoricalDistribution(["relu", "gelu", None, True, 3])
WIDTH = CategoricalDistribution(["narrow", "wide"])
SPACE = {"lr": LR, "depth": DEPTH, "even": EVEN, "act": ACT, "width": WIDTH}


@pytest.fixture(params=["rdb", "journal"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Any]:
    """A new storage of each kind, and the file that it lies in."""
    if request.param == "rdb":
        path = tmp_path / "study.db"
        return path, f"sqlite:///{path}"
    path = tmp_path / "journal.log"
    return path, JournalStorage(JournalFileBackend(str(path)))


def ended(number: int, value: float | None = None, state: TrialState = TrialState.COMPLETE, **params: Any) -> Any:
    """An ended trial: begun at noon, a minute for each number, and ten seconds long."""
    drawn = {"lr": 0.001, "depth": 3, "even": 4, "act": "relu", "width": "wide"} | params
    trial = create_trial(
        state=state,
        values=None if value is None else [value],
        params=drawn,
        distributions=SPACE,
        user_attrs={"memory": 2.5 + number, "note": "words"},
    )
    trial.datetime_start = NOON + timedelta(minutes=number)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=10)
    return trial


def study(storage: Any, **more: Any) -> Any:
    said: dict[str, Any] = {"study_name": "night", "direction": "minimize"} | more
    return optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0), **said)


def items(path: Path, **said: Any) -> tuple[list[Header], list[Trial]]:
    reader, at = Optuna(Source(str(path), **said)), 0
    headers: list[Header] = []
    trials: list[Trial] = []
    for seq, line in enumerate(b"".join(sources.read(path)).splitlines()):
        for item in reader.feed(Row(seq, at, line)):
            if isinstance(item, Header):
                headers.append(item)
            else:
                assert isinstance(item, Trial), item
                trials.append(item)
        at += len(line) + 1
    return headers, trials


def filled(storage: Any) -> Any:
    """A study with every kind of end."""
    s = study(storage)
    s.add_trial(ended(0, 0.9))
    s.add_trial(ended(1, 0.7, lr=0.01))
    s.add_trial(ended(2, state=TrialState.FAIL, act=None))
    s.add_trial(ended(3, 0.1, TrialState.PRUNED, act=True))
    s.add_trial(ended(4, state=TrialState.PRUNED, act=3))
    s.add_trial(ended(5, -math.inf, width="narrow"))
    s.add_trial(ended(6, 0.7, depth=4))
    s.ask()  # this one runs
    s.enqueue_trial({"lr": 0.01})  # and this one waits
    return s


def test_a_study_is_what_optuna_says_it_is(storage: tuple[Path, Any]) -> None:
    path, place = storage
    s = filled(place)
    (doc,) = analysis.of_file(Source(str(path)))
    over = [t for t in s.trials if t.state.is_finished()]
    states = [t.state.name for t in over]
    assert (doc["format"], doc["run_id"], doc["metric"]) == (
        "optuna",
        s.study_name,
        {"name": "value", "goal": "minimize"},
    )
    assert doc["trials"] == len(over) == 7
    status = doc["status"]
    assert status["reverted"] == states.count("COMPLETE") == 4
    assert (status["ineligible"], status["crashed"], status["kept"]) == (2, 1, 0)
    finite = [t.value for t in over if t.state == TrialState.COMPLETE and math.isfinite(t.value)]
    assert doc["best"]["value"] == min(finite) == 0.7
    assert doc["best"]["iter"] == 1  # the first of equals
    assert doc["cost"]["wall_s"] == sum(t.duration.total_seconds() for t in over) == 70
    assert doc["pairs"]["provenance"]["native"] == 6  # the failed one was not evaluated
    assert doc["lines"]["unreadable"] == 0


def test_the_best_of_a_study_is_optunas_own(storage: tuple[Path, Any]) -> None:
    path, place = storage
    s = study(place, direction="maximize")
    s.optimize(lambda t: -((t.suggest_float("x", -4, 4) - 1) ** 2) - t.suggest_int("n", 0, 3), n_trials=12)
    (doc,) = analysis.of_file(Source(str(path)))
    assert (doc["best"]["value"], doc["best"]["iter"]) == (s.best_value, s.best_trial.number)
    assert doc["trials"] == len(s.trials)


def test_values_are_those_that_were_meant(storage: tuple[Path, Any]) -> None:
    path, place = storage
    s = filled(place)
    (header,), trials = items(path)
    assert header.has_keeps is False
    of = {t.number: t for t in s.trials}
    for t in trials:
        assert t.pair is not None
        drawn = {c.knob: c.value for c in t.pair.changes}
        want = of[t.iter].params | {
            "act": {"relu": "relu", None: "null", True: "true", 3: "3"}[of[t.iter].params["act"]]
        }
        assert drawn == pytest.approx(want)
        assert (t.raw_status, t.wall_s) == (of[t.iter].state.name, 10.0)
        assert t.metrics is not None
        assert t.metrics["memory"] == 2.5 + of[t.iter].number
        assert "note" not in t.metrics
    assert [(t.status, t.value, t.reason_code) for t in trials] == [
        ("reverted", 0.9, None),
        ("reverted", 0.7, None),
        ("crashed", None, None),
        ("ineligible", 0.1, "pruned"),
        ("ineligible", None, "pruned"),
        ("reverted", None, "nan"),
        ("reverted", 0.7, None),
    ]
    noon = int((NOON - datetime(1970, 1, 1)).total_seconds() * 1000)  # noqa: DTZ001  # as above
    assert [t.time_ms - noon for t in trials if t.time_ms] == [60_000 * n + 10_000 for n in range(7)]
    # What differs in one parameter differs; the same parameters are the same configuration.
    assert len({t.config for t in trials}) == 7


def test_what_the_samplers_drew_from_is_the_menu(storage: tuple[Path, Any]) -> None:
    path, place = storage
    filled(place)
    menu = items(path)[0][0].menu
    assert menu is not None
    assert menu.declared
    lr, depth, even = (menu.knobs[n] for n in ("lr", "depth", "even"))
    assert (lr.type, lr.range, lr.scale) == ("float", (1e-5, 1e-1), "log")
    assert (depth.type, depth.range, depth.scale) == ("int", (1, 12), "linear")
    assert (even.type, even.choices) == ("int", (2, 4, 6, 8))
    assert (menu.knobs["act"].choices, menu.knobs["width"].choices) == (
        ("relu", "gelu", "null", "true", "3"),
        ("narrow", "wide"),
    )
    (doc,) = analysis.of_file(Source(str(path)))
    # lr one bin of ten, 0.01 another; depth 3 and 4 of twelve; even one of four; act all but gelu and null (that one
    # crashed); both widths.
    assert doc["coverage"]["cells"] | {"rule": ""} == {
        "rule": "",
        "total": 10 + 10 + 4 + 5 + 2,
        "touched": 10,
        "fraction": 10 / 31,
    }


def test_several_objectives_need_a_word_from_somebody(storage: tuple[Path, Any]) -> None:
    path, place = storage
    s = study(place, directions=["minimize", "maximize"], direction=None)
    s.optimize(lambda t: (t.suggest_float("x", 0, 1), 2.0), n_trials=3)
    (doc,) = analysis.of_file(Source(str(path)))
    assert (doc["metric"], doc["best"]["value"]) == ({"name": None, "goal": None}, None)
    record = next(v["reason"] for v in doc["verdicts"] if v["rule"] == "record")
    assert "values_0 (minimize), values_1 (maximize); name one with --metric" in record
    (doc,) = analysis.of_file(Source(str(path), metric="values_1"))
    assert (doc["metric"], doc["best"]["value"]) == ({"name": "values_1", "goal": "maximize"}, 2.0)


def test_objectives_go_by_the_names_that_somebody_gave_them(storage: tuple[Path, Any]) -> None:
    path, place = storage
    s = study(place, directions=["minimize", "maximize"], direction=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        s.set_metric_names(["loss", "speed"])
    s.optimize(lambda t: (t.suggest_float("x", 0, 1), 2.0), n_trials=2)
    for asked in ("speed", "values_1"):
        (header,), trials = items(path, metric=asked)
        assert (header.metric, header.goal) == ("speed", "maximize")
        assert [t.value for t in trials] == [2.0, 2.0]


def test_an_attribute_may_be_the_metric(storage: tuple[Path, Any]) -> None:
    path, place = storage
    filled(place)
    (header,), trials = items(path, metric="memory", goal="minimize")
    assert (header.metric, header.goal) == ("memory", "minimize")
    assert trials[0].value == 2.5


def test_several_studies_of_one_storage_are_several_runs(storage: tuple[Path, Any]) -> None:
    path, place = storage
    first, empty, second = (study(place, study_name=n) for n in ("first", "empty", "second"))
    second.add_trial(ended(0, 0.5))
    first.add_trial(ended(0, 0.3))
    second.add_trial(ended(1, 0.4))
    assert not empty.trials
    docs = analysis.of_file(Source(str(path)))
    assert [(d["run_id"], d["trials"], d["best"]["value"]) for d in docs] == [("first", 1, 0.3), ("second", 2, 0.4)]


def test_trials_stand_in_the_order_in_which_they_ended(storage: tuple[Path, Any]) -> None:
    path, place = storage
    s = study(place)
    one, two = s.ask(SPACE), s.ask(SPACE)
    s.tell(two, 0.2)
    s.tell(one, 0.1)
    assert [t.iter for t in items(path)[1]] == [1, 0]


def test_a_study_that_goes_on_is_followed_and_a_new_parameter_is_told_at_the_beginning(
    storage: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trajscope.unfolding.QUICK_S", 1e9)
    path, place = storage
    s = study(place)
    tail, found = Tail(path), b""
    for n in range(3):
        s.tell(s.ask(SPACE), 1.0 - n / 10)
        parts = tail.poll()
        assert not [p for p in parts if isinstance(p, Oddity | Reset)]
        found += b"".join(p for p in parts if isinstance(p, bytes))
        running = s.ask()
        assert tail.poll() == []
        s.tell(running, state=TrialState.FAIL)
        found += b"".join(p for p in tail.poll() if isinstance(p, bytes))
    assert found == b"".join(sources.read(path))
    s.add_trial(create_trial(params={"momentum": 0.9}, distributions={"momentum": FloatDistribution(0, 1)}, value=0.1))
    parts = tail.poll()
    assert [p.kind for p in parts if isinstance(p, Oddity | Reset)] == ["retold"]
    assert b"".join(p for p in parts if isinstance(p, bytes)) == b"".join(sources.read(path))


def test_an_operation_that_makes_no_sense_is_counted_and_a_torn_one_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    s = study(JournalStorage(JournalFileBackend(str(path))))
    s.add_trial(ended(0, 0.5))
    with path.open("ab") as f:
        f.write(b'{"op_code": 6, "trial_id": 77, "state": 1, "values": [0.1]}\nno operation\n{"op_code": 4, "stu')
    (doc,) = analysis.of_file(Source(str(path)))
    assert (doc["trials"], doc["lines"]["unreadable"]) == (1, 2)


def test_a_storage_without_an_ended_trial_has_nothing_to_read_yet(storage: tuple[Path, Any]) -> None:
    path, place = storage
    s = study(place)
    s.ask()
    with pytest.raises(Exception, match="nothing to read yet"):
        analysis.of_file(Source(str(path)))


@pytest.mark.parametrize(
    ("distribution", "want"),
    [
        (("UniformDistribution", {"low": 0.0, "high": 2.0}), {"type": "float", "range": [0.0, 2.0], "scale": "linear"}),
        (("LogUniformDistribution", {"low": 1, "high": 9.0}), {"type": "float", "range": [1, 9.0], "scale": "log"}),
        (("DiscreteUniformDistribution", {"low": 0, "high": 1, "q": 0.5}), {"type": "float", "choices": [0, 0.5, 1.0]}),
        (("IntUniformDistribution", {"low": 1, "high": 3}), {"type": "int", "choices": [1, 2, 3]}),
        (("FloatDistribution", {"low": 3, "high": 3, "step": None}), {"type": "float", "choices": [3]}),
        (("FloatDistribution", {}), {"type": "float"}),
    ],
)
def test_distributions_of_every_age_become_knobs(distribution: tuple[str, Any], want: dict[str, Any]) -> None:
    name, attributes = distribution
    found = knob({"name": name, "attributes": attributes})
    assert found == want
    parse({"knobs": {"x": found}})


def test_choices_of_several_types_stay_apart() -> None:
    found = knob({"attributes": {"choices": ["true", True, None, "null", 3, "3", "three"]}})
    assert found["choices"] == ['"true"', "true", "null", '"null"', "3", '"3"', "three"]
    assert len(parse({"knobs": {"x": found}}).knobs["x"].choices or ()) == 7


def test_a_storage_of_an_older_optuna_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    study(f"sqlite:///{path}").add_trial(ended(0, 0.5))
    with sqlite3.connect(path) as db:  # as before version 3: no type of a value, no system attributes
        db.execute("ALTER TABLE trial_values DROP COLUMN value_type")
        db.execute("DROP TABLE study_system_attributes")
        db.execute("DROP TABLE trial_user_attributes")
    db.close()
    assert [t.value for t in items(path)[1]] == [0.5]


class TestOptuna(ReaderContract):
    reader = Optuna
    sample = samples()["optuna"]


class TestOptunaWithAnotherMetric(ReaderContract):
    reader = Optuna
    sample = samples()["optuna"]
    options: ClassVar[dict[str, Any]] = {"metric": "memory", "menu": parse({"lr": {"range": [0.0, 1.0]}})}


def test_the_sample_of_the_contract_is_what_a_storage_unfolds_into(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    s = study(f"sqlite:///{path}")
    s.add_trial(ended(0, 0.5))
    made = [json.loads(x) for x in b"".join(sources.read(path)).splitlines()]
    kept = [json.loads(x) for x in samples()["optuna"].splitlines()]
    assert [o.keys() for o in made] == [o.keys() for o in kept[:2]]
