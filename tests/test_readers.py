"""Every reader keeps the contract, and the contract catches readers that do not.

Faults planted here and seen to fail, each under the test that is for it (`FAULTY`): a reader that raises on what is
no JSON, one that loses a line, one that shares state between instances, one that claims every file, one that is
claimed twice, one that numbers lines itself, one that puts trials before the header, one that opens a file, one that
looks at how much came before, one that forgets the bytes of an overlong line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from trajscope import menu as menus
from trajscope import pipeline
from trajscope.blobs import read_blob, write_blob
from trajscope.errors import SourceError
from trajscope.pair import canon
from trajscope.readers import BUILT_IN, Source, find, formats, get
from trajscope.readers.fields import goal_of, loose, salvage, time_ms
from trajscope.readers.native import Native
from trajscope.readers.stages import Stages
from trajscope.readers.wire import LineFields
from trajscope.testing import ReaderContract, chained, plain, samples
from trajscope.trial import Event, Header, Item, Line, Measure, Trial, Unreadable

SAMPLE_RUNS = Path(__file__).resolve().parents[1] / "sample_runs"


def sample_runs(*names: str) -> tuple[Path, ...]:
    """The recorded samples of these names that are there."""
    return tuple(p for n in names if (p := SAMPLE_RUNS / n / f"{n}.jsonl").is_file())


class TestNative(ReaderContract):
    reader = Native
    sample = samples()["native"]
    more = sample_runs("attempts", "torn", "nonfinite", "chain_broken", "all_crashed")


class TestStages(ReaderContract):
    reader = Stages
    sample = samples()["stages"]
    more = sample_runs("amnesiac")


class TestNativeWithAMenuAndAMetricOfAnother(ReaderContract):
    reader = Native
    sample = samples()["native"]
    options: ClassVar[dict[str, Any]] = {
        "metric": "size",
        "menu": menus.parse({"lr": {"range": [0.001, 1.0]}, "depth": {"choices": [1, 2, 3], "aliases": ["n"]}}),
    }


class TestStagesWithAMetricThatIsAField(ReaderContract):
    reader = Stages
    sample = samples()["stages"]
    options: ClassVar[dict[str, Any]] = {"metric": "iter_wall_s"}


# --- readers that break the contract ----------------------------------------------------------------------------


class Raises(Native):
    """Trusts that every line is JSON."""

    def feed(self, line: Line) -> Iterable[Item]:
        json.loads(line.data)
        return super().feed(line)


class Loses(Native):
    """Skips what it does not understand, as a good many scripts do."""

    def feed(self, line: Line) -> Iterable[Item]:
        return [x for x in super().feed(line) if not isinstance(x, Unreadable)]


class LosesEvents(Native):
    """Takes only the lines it came for."""

    def feed(self, line: Line) -> Iterable[Item]:
        return [x for x in super().feed(line) if not isinstance(x, Event)]


class Leaks(Native):
    """Keeps its state on the class."""

    seen: ClassVar[list[int]] = []

    def feed(self, line: Line) -> Iterable[Item]:
        for item in super().feed(line):
            if isinstance(item, Trial):
                item.attempts = len(self.seen)
                self.seen.append(item.seq)
            yield item


class Greedy(Native):
    """Claims everything, since there is nobody else it knows."""

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        return len(head) >= 0


class Twin(Stages):
    """Another name for files that a built-in reader has."""

    name: ClassVar[str] = "twin"


class Counts(Native):
    """Counts its lines itself, and so goes wrong after a blank one."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.n = -1

    def feed(self, line: Line) -> Iterable[Item]:
        self.n += 1
        return super().feed(line._replace(seq=self.n, at=self.n))


class Headless(Native):
    """Lets rows go before it knows what they belong to."""

    def feed(self, line: Line) -> Iterable[Item]:
        return [x for x in super().feed(line) if not isinstance(x, Header)]


class Opens(Native):
    """Follows a path that stands in a record."""

    def feed(self, line: Line) -> Iterable[Item]:
        Path("config.json").exists()
        return super().feed(line)


class Hindsight(Native):
    """Waits for the next line before it says anything of this one."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.held: list[Item] = []

    def feed(self, line: Line) -> Iterable[Item]:
        out, self.held = self.held, list(super().feed(line))
        return out


class Forgets(Native):
    """Takes an overlong line for something that need not be looked at."""

    def feed(self, line: Line) -> Iterable[Item]:
        return (Event(seq=line.seq, kind="long"),) if line.fault else super().feed(line)


FAULTY = {
    Raises: "test_garbage_is_counted_and_located_and_never_raises",
    Loses: "test_garbage_is_counted_and_located_and_never_raises",
    LosesEvents: "test_no_line_is_lost",
    Leaks: "test_reading_twice_gives_the_same",
    Greedy: "test_it_claims_nothing_that_is_no_trajectory",
    Twin: "test_it_claims_nothing_of_anybody_else",
    Counts: "test_every_item_points_at_its_line",
    Headless: "test_a_header_comes_first",
    Opens: "test_it_touches_no_file_and_no_network",
    Hindsight: "test_every_item_points_at_its_line",
    Forgets: "test_a_line_whose_bytes_were_not_kept_is_unreadable",
}


@pytest.mark.parametrize(("faulty", "law"), FAULTY.items(), ids=lambda x: getattr(x, "__name__", x))
def contract(faulty: type[Native | Stages]) -> ReaderContract:
    """The contract of a reader, on a sample with a blank line where lines must be counted."""
    sample = samples()["stages" if issubclass(faulty, Stages) else "native"]
    sample = sample.replace(b"\n", b"\n\n", 1) if faulty is Counts else sample
    made: ReaderContract = type("TestIt", (ReaderContract,), {"reader": faulty, "sample": sample})()
    return made


@pytest.mark.parametrize(("faulty", "law"), FAULTY.items(), ids=lambda x: getattr(x, "__name__", x))
def test_the_contract_fails_for_a_reader_that_breaks_it(faulty: type[Native], law: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        getattr(contract(faulty), law)()


def test_the_contract_holds_for_the_faultless_with_the_same_sample() -> None:
    for law in set(FAULTY.values()):
        getattr(contract(Native), law)()


# --- one identity on every path ----------------------------------------------------------------------------------

SPELLINGS: tuple[str, ...] = (
    "1", "1.0", '"1"', "true", "1e-4", "0.0001", '"1e-4"', "0.30000000000000004", "-0.0", "-0", "0",
    "123456789012345678901234567890", "1e400", "NaN", "Infinity", "-Infinity", "null", '"null"', '"NaN"',
    '"\\u00e9"', '"e\\u0301"', '" padded "', '"\\ud800"', '"a=b"', '"a + b"', "[1, 2.0, true]", "[2, 1]",
    '{"b": 1, "a": [1.0]}', "[[[[[[1.0]]]]]]", "[[[[[[1]]]]]]", '"' + "x" * 5000 + '"', "9" * 3000, '"512MiB"', "[]",
    '""',
)  # fmt: skip
MENU = menus.parse(
    {
        "f": {"type": "float", "range": [0.0, 1e9], "aliases": ["F-1"], "units": {"MiB": 1048576, "k": 1000}},
        "i": {"type": "int", "range": [0, 100]},
        "s": {"type": "str", "choices": ["Adam", "adam", "SGD", "1"]},
        "b": {"type": "bool"},
        "l": {"type": "list", "set": True, "choices": [[2, 1], [3]]},
        "c": {"type": "code"},
    }
)


def _native(knob: str, raw: str, menu: menus.Menu | None, *, loose: bool = False) -> str:
    """The label that the native reader gives; `loose` makes the line one that msgspec refuses."""
    extra = ',"value":NaN' if loose else ""
    attempt = f'{{"changes":[{{"knob":{json.dumps(knob)},"value":{raw}}}]}}'
    body = f'{{"v":1,"type":"trial","status":"kept","attempts":[{attempt}]'
    items = list(Native(Source("x", menu=menu)).feed(Line(0, 0, f"{body}{extra}}}".encode())))
    trial = items[-1]
    assert isinstance(trial, Trial)
    assert trial.pair is not None, f"the pair of {raw[:40]} was lost: {trial.faults}"
    return trial.pair.label


def _shorthand(knob: str, raw: str, menu: menus.Menu | None) -> str:
    body = f'{{"v":1,"type":"trial","status":"kept","attempts":[{{"knob":{json.dumps(knob)},"value":{raw}}}]}}'
    trial = list(Native(Source("x", menu=menu)).feed(Line(0, 0, body.encode())))[-1]
    assert isinstance(trial, Trial)
    assert trial.pair is not None
    return trial.pair.label


def _stages(knob: str, raw: str, menu: menus.Menu | None, *, loose: bool = False) -> str:
    value = "NaN" if loose else "1"
    body = f'{{"stage":"evaluated","val_bpb":{value},"proposal":{{"knob":{json.dumps(knob)},"new_value":{raw}}}}}'
    trial = list(Stages(Source("x", menu=menu)).feed(Line(0, 0, body.encode())))[-1]
    assert isinstance(trial, Trial)
    assert trial.pair is not None
    return trial.pair.label


@pytest.mark.parametrize("raw", SPELLINGS, ids=lambda r: r[:24])
@pytest.mark.parametrize("menu", [None, MENU], ids=["bare", "menu"])
def test_every_path_gives_a_value_the_same_label(menu: menus.Menu | None, raw: str) -> None:
    value = json.loads(raw)
    for knob in ("x", "f", "F_1", "i", "s", "b", "l", "c", "cafe\u0301", "a=b", "a + b"):
        want = menu.change(knob, value).label if menu else canon(knob, value).label
        found = {
            "native": _native(knob, raw, menu),
            "native, salvaged": _native(knob, raw, menu, loose=True),
            "shorthand": _shorthand(knob, raw, menu),
            "stages": _stages(knob, raw, menu),
            "stages, salvaged": _stages(knob, raw, menu, loose=True),
        }
        assert set(found.values()) == {want}, found


# --- the native reader -------------------------------------------------------------------------------------------


def read(data: bytes, reader: type[Native | Stages] = Native, **options: Any) -> list[Item]:
    """Every item of these bytes."""
    it = reader(Source("x", **options))
    return [item for line in _lines(data) for item in it.feed(line)]


def _lines(data: bytes) -> list[Line]:
    from trajscope.lines import Lines

    lines = Lines()
    return [*lines.feed(data), *lines.close()]


def trial(**fields: Any) -> dict[str, Any]:
    return {"type": "trial", "status": "kept", "attempts": [{"knob": "lr", "value": 1}], "value": 0.5, **fields}


HEADER = {"type": "run", "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}}


def test_a_nan_costs_its_trial_the_value_and_nothing_else() -> None:
    data = chained((HEADER, trial(value=float("nan"))))
    found = read(data)[-1]
    assert isinstance(found, Trial)
    assert (found.value, found.reason_code, found.faults) == (None, "nan", ())
    assert found.pair is not None
    assert found.pair.label == "lr=1"


def test_a_field_of_the_wrong_type_costs_that_field_only_and_is_named() -> None:
    found = read(chained((HEADER, trial(iter="three", value=True))))[-1]
    assert isinstance(found, Trial)
    assert found.iter is None
    assert found.value is None  # true is not 1.0
    assert found.pair is not None
    assert [f.split(" ")[0] for f in found.faults] == ["iter", "value", "was"]


def test_a_header_whose_menu_contradicts_itself_keeps_everything_but_the_menu() -> None:
    header = {**HEADER, "menu": {"knobs": {"lr": {"range": [1, 0]}}}}
    first, said, last = read(chained((header, trial())))
    assert isinstance(first, Header)
    assert (first.metric, first.goal, first.menu) == ("loss", "minimize", None)
    assert isinstance(said, Unreadable)
    assert (said.seq, said.why) == (
        0,
        "menu: knob lr: range 1 to 0 of type int is empty or not of numbers; write [low, high]",
    )
    assert isinstance(last, Trial)


def test_a_metric_that_is_not_the_files_own_never_gets_the_files_own_values() -> None:
    data = chained(({**HEADER, "metrics": [{"name": "acc", "goal": "maximize"}]}, trial(metrics={"acc": 0.7}), trial()))
    header, one, two = read(data, metric="acc")
    assert isinstance(header, Header)
    assert (header.metric, header.goal) == ("acc", "maximize")
    assert isinstance(one, Trial)
    assert isinstance(two, Trial)
    assert (one.value, one.faults) == (0.7, ())
    assert (two.value, two.faults) == (None, ("was evaluated, and has no value of acc",))


def test_a_metric_that_is_nowhere_is_said_on_every_evaluated_trial() -> None:
    for name in samples():
        items = read(samples()[name], get(name), metric="lss")  # type: ignore[arg-type]  # both built-ins are classes
        scored = [x for x in items if isinstance(x, Trial) and x.status in ("kept", "reverted")]
        assert scored
        assert all(x.value is None and any("lss" in f for f in x.faults) for x in scored), name


def test_the_stages_reader_says_once_what_a_row_holds_instead() -> None:
    items = read(samples()["stages"], Stages, metric="lss")
    said = [f for x in items if isinstance(x, Trial) for f in x.faults]
    assert said == ["has no lss (numbers here: iter, iter_wall_s, loss); name the metric with --metric"]


def test_a_stages_file_without_a_header_reads_its_first_row_like_the_others() -> None:
    rows = samples()["stages"].split(b"\n", 1)[1]
    values = [x.value for x in read(rows, Stages, metric="loss") if isinstance(x, Trial)]
    assert values == [0.9, None]


def test_a_metric_of_a_stages_file_may_be_a_field_that_is_read_anyway() -> None:
    values = [x.value for x in read(samples()["stages"], Stages, metric="iter_wall_s") if isinstance(x, Trial)]
    assert values == [1.5, None]


def test_a_kept_list_does_not_stop_the_stages_reader() -> None:
    head = {"_meta": "log", "baseline_loss": 1.0, "baseline_cfg": {"betas": [0.9, 0.95], "lr": 1}}
    row = {"stage": "evaluated", "proposal": {"knob": "betas", "new_value": [0.8, 0.9]}, "loss": 1, "decision": "keep"}
    row["candidate_cfg"] = {"betas": [0.8, 0.9], "lr": 1}
    again = {**row, "candidate_cfg": {"betas": [0.8, 0.9], "lr": 2}, "proposal": {"knob": "lr", "new_value": 2}}
    data = b"".join(json.dumps(o).encode() + b"\n" for o in (head, row, again, again))
    found = [x for x in read(data, Stages) if isinstance(x, Trial)]
    assert [(x.noop, x.base) for x in found] == [(False, ""), (False, "betas=[0.8,0.9]"), (True, "betas=[0.8,0.9]")]


def test_a_line_without_a_type_is_unreadable_and_an_unknown_type_is_an_event() -> None:
    _, bare, strange = read(chained((HEADER, {"type": None, "x": 1}, {"type": "rollout", "x": 1})))
    assert isinstance(bare, Unreadable)
    assert bare.why == "has no `type`"
    assert isinstance(strange, Event)
    assert strange.kind == "rollout"


def test_a_mistyped_field_of_a_measure_is_said_beside_it() -> None:
    _, measure, said = read(chained((HEADER, {"type": "measure", "what": "baseline", "value": "low"})))
    assert isinstance(measure, Measure)
    assert measure.value is None
    assert isinstance(said, Unreadable)
    assert said.why == 'measure: value is not what it should be: "low"'


def test_what_ran_under_an_alias_is_held_against_what_was_proposed() -> None:
    menu = menus.parse({"lr": {"range": [0.0, 10.0], "aliases": ["learning_rate"]}})
    found = read(chained((HEADER, trial(effective={"learning_rate": 0.3}))), menu=menu)[-1]
    assert isinstance(found, Trial)
    assert [(d.knob, d.proposed, d.ran) for d in found.drift] == [("lr", 1, 0.3)]


def test_a_value_that_overflows_is_no_value() -> None:
    seeds = [{"seed": i, "status": "ok", "metrics": {"loss": 1.7e308}} for i in (1, 2)]
    found = read(chained((HEADER, trial(seeds=seeds))))[-1]
    assert isinstance(found, Trial)
    assert (found.value, found.reason_code) == (None, "nan")


def test_numbers_that_no_column_can_hold_are_faults() -> None:
    found = read(chained((HEADER, trial(iter=2**63, cost={"wall_s": 1, "tokens_in": 10**30}))))[-1]
    assert isinstance(found, Trial)
    assert found.iter is None
    assert found.wall_s is None
    assert len(found.faults) == 2


def test_a_header_longer_than_a_sniffer_sees_is_still_recognised() -> None:
    big = {**HEADER, "files": {f"src/{i}.py": "0" * 64 for i in range(2000)}}
    assert find("x", chained((big,))[: 1 << 16]) is Native
    head = b'{"_meta": "log", "baseline_loss": 1.0, "baseline_cfg": {' + b'"k": 1, ' * 20000
    assert find("x", head[: 1 << 16]) is Stages


def test_blank_lines_before_a_file_do_not_hide_it() -> None:
    assert find("x", b"\n" * 100 + samples()["native"]) is Native


# --- finding readers ---------------------------------------------------------------------------------------------


def test_an_unknown_reader_names_those_there_are() -> None:
    with pytest.raises(SourceError, match=rf"no reader is called 'csv' \(have: {', '.join(BUILT_IN)}\)"):
        get("csv")


def test_every_built_in_reader_is_listed() -> None:
    assert set(BUILT_IN) <= set(formats())


class _Point:
    """An entry point of somebody's package."""

    def __init__(self, name: str, loads: Any) -> None:
        self.name, self._loads = name, loads

    def load(self) -> Any:
        if isinstance(self._loads, Exception):
            raise self._loads
        return self._loads


def test_a_stranger_is_asked_only_when_no_built_in_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    strangers = {"greedy": _Point("greedy", Greedy)}
    monkeypatch.setattr("trajscope.readers._strangers", lambda: strangers)
    assert find("x", samples()["native"]) is Native
    assert find("x", b"a,b,c\n") is Greedy


def test_two_strangers_that_claim_a_file_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    other = type("Other", (Greedy,), {"name": "other"})
    greedy = type("Greedy2", (Greedy,), {"name": "greedy"})
    strangers = {"greedy": _Point("greedy", greedy), "other": _Point("other", other)}
    monkeypatch.setattr("trajscope.readers._strangers", lambda: strangers)
    with pytest.raises(SourceError, match="greedy, other all claim this file; name one with --reader"):
        find("x", b"a,b,c\n")


def test_a_stranger_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    strangers = {"rusty": _Point("rusty", ImportError("no module rust"))}
    monkeypatch.setattr("trajscope.readers._strangers", lambda: strangers)
    with pytest.raises(SourceError, match=r"reader 'rusty' cannot be loaded \(ImportError: no module rust\)"):
        get("rusty")


# --- the parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:01.500Z", 1500),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00", 0),
        ("0001-01-01T00:00:00+23:59", -62135683140000),
        ("9999-12-31T23:59:59-23:59", 253402387139000),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_milliseconds_or_nothing(text: str | None, ms: int | None) -> None:
    if text is not None and text.startswith("0001"):
        # 719162 days before 1970, less almost a day of offset.
        assert ms == -(719162 * 86400 + 86340) * 1000
    assert time_ms(text) == ms


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert loose(b'{"a": "x\\ud800y", "b": "\\ud83d\\ude00"}') == {"a": "x\ufffdy", "b": "\U0001f600"}
    assert loose(b'{"a": "\\\\ud800"}') == {"a": "\\ud800"}


def test_what_is_nested_too_deeply_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        loose(b"[" * 100_000)


def test_salvage_keeps_what_is_good_and_names_what_is_not() -> None:
    row, faults = salvage(
        {"iter": [], "status": "kept", "value": 1.0, "attempts": [{"knob": "a", "value": {"x": 1}}]}, LineFields
    )
    assert (row.iter, row.status, row.value) == (None, "kept", 1.0)
    assert bytes(row.attempts[0].value) == b'{"x": 1}'
    assert faults == ("iter is not what it should be: []",)


@pytest.mark.parametrize(
    ("name", "goal"),
    [("val_loss", "minimize"), ("accuracy", "maximize"), ("time_score", None), ("frobs", None), (None, None)],
)
def test_a_goal_is_guessed_only_where_a_name_gives_it_away(name: str | None, goal: str | None) -> None:
    assert goal_of(name) == goal


def test_plain_items_compare_though_nan_does_not() -> None:
    a = [Trial(seq=0, at=0, status="kept", value=float("nan"))]
    assert plain(a) == plain([Trial(seq=0, at=0, status="kept", value=float("nan"))])
    assert plain(a) != plain([Trial(seq=1, at=0, status="kept", value=float("nan"))])


def test_a_file_of_version_0_is_read_as_if_it_were_of_today() -> None:
    lines = [
        b'{"type":"run","run_id":"old","metric":"loss","goal":"maximize"}',
        b'{"type":"trial","iter":1,"proposal":{"knob":"lr","new_value":0.1},"decision":"keep","value":2.0}',
    ]
    reader = Native(Source("old.jsonl"))
    header, trial = [item for seq, data in enumerate(lines) for item in reader.feed(Line(seq, 0, data))]
    assert isinstance(header, Header)
    assert (header.metric, header.goal) == ("loss", "maximize")
    assert isinstance(trial, Trial)
    assert trial.pair is not None
    assert (trial.status, trial.pair.label, trial.value, trial.faults) == ("kept", "lr=0.1", 2.0, ())


def test_a_seed_that_crashed_leaves_only_the_reported_value() -> None:
    reader = Native(Source("run.jsonl"))
    seeds = '[{"seed":0,"status":"ok","metrics":{"loss":1.0}},{"seed":1,"status":"crashed","metrics":{}}]'
    line = '{"v":1,"type":"trial","status":"reverted","attempts":[{"knob":"lr","value":1}],"seeds":%s%s}'
    list(reader.feed(Line(0, 0, b'{"v":1,"type":"run","run_id":"r","metric":{"name":"loss","goal":"minimize"}}')))
    bare, said = (next(iter(reader.feed(Line(1, 0, (line % (seeds, more)).encode())))) for more in ("", ',"value":1.5'))
    assert isinstance(bare, Trial)
    assert isinstance(said, Trial)
    assert (bare.value, said.value) == (None, 1.5)


def test_lines_of_no_type_begin_no_run() -> None:
    items = list(Native(Source("x.jsonl")).feed(Line(0, 0, b'{"iter": 1, "stage": "evaluated"}')))
    assert [type(i) for i in items] == [Unreadable]


DIFF = "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-SEED = 1\n+SEED = 2\n"
SEEDS = [{"seed": 0, "metrics": {"loss": 0.5}, "code_sha": "c", "effective_config_sha": "e", "data_sha": "d",
          "predictions_sha": "p"}]  # fmt: skip


def test_what_detectors_ask_for_is_read() -> None:
    found = read(chained((HEADER, trial(diff=DIFF, holdout={"pass": False, "commitment": "x"}, seeds=SEEDS))))[-1]
    assert isinstance(found, Trial)
    assert (found.diff, found.holdout) == (DIFF, False)
    (seed,) = found.seeds
    assert (seed.code_sha, seed.config_sha, seed.data_sha, seed.predictions_sha) == ("c", "e", "d", "p")


def test_a_measure_carries_its_other_metrics() -> None:
    found = read(chained((HEADER, {"type": "measure", "what": "degenerate", "name": "m", "seeds": SEEDS})))[-1]
    assert isinstance(found, Measure)
    assert (found.value, found.metrics, found.config) == (0.5, {"loss": 0.5}, None)


def test_a_long_diff_of_a_keep_is_read_from_beside_the_run_and_missed_aloud(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    blob = {"blob": write_blob(path, DIFF)}
    rows = (trial(diff=blob), trial(diff=blob, status="reverted"), trial(diff={"blob": "0" * 64}))
    data = chained((HEADER, *rows))
    kept, reverted, lost = read(data, fetch=partial(read_blob, path))[-3:]
    assert isinstance(kept, Trial)
    assert isinstance(reverted, Trial)
    assert isinstance(lost, Trial)
    assert (kept.diff, kept.faults, reverted.diff, reverted.faults) == (DIFF, (), None, ())
    assert (lost.diff, lost.diff_lost, kept.diff_lost) == (None, True, False)
    assert "its diff cannot be read" in lost.faults[0]
    piped = read(data)[1]
    assert isinstance(piped, Trial)
    assert (piped.diff, piped.diff_lost) == (None, True)
    path.write_bytes(data)
    (run,) = pipeline.read(Source(str(path))).runs
    assert (run.evidence("seed_edit").seqs, run.evidence("edit_unread").seqs) == ([1], [3])


def test_a_scorer_that_is_not_the_declared_one_is_drift_though_all_three_prints_agree() -> None:
    head = {**HEADER, "files": {"train.py": "1", "score.py": "2"}}
    prints = {when: {"train.py": "9", "score.py": "3"} for when in ("propose", "run", "score")}
    found = read(chained((head, trial(fingerprints=prints))))[-1]
    assert isinstance(found, Trial)
    assert [(d.path, d.proposed, d.ran) for d in found.drift] == [("score.py", "2", "3")]  # train.py may be edited


def test_a_bound_tells_which_way_a_metric_is_better_where_no_goal_does() -> None:
    metrics = [{"name": "a", "floor": 0}, {"name": "b", "ceiling": 1}, {"name": "accuracy"}, {"name": "x"},
               {"name": "c", "floor": 0, "goal": "minimize"}]  # fmt: skip
    header = read(chained(({**HEADER, "metrics": metrics},)))[0]
    assert isinstance(header, Header)
    assert [m.goal for m in header.metrics] == ["maximize", "minimize", "maximize", "minimize", "minimize"]
