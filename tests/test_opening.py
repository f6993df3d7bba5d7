"""Opening a long run quickly: what is shown then is what reading every line would show, and SQL answers from the same.

Planted and seen to fail: a reader that forgets the hash of its last line; a
history that overlooks the piece that was begun; rows that are written twice; a tail that is not compared.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from campaign import chained
from clirun import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from watchruns import NOON, header, source, trial, write

from trajscope import cache, past, pipeline, run, tail
from trajscope.columns import Row
from trajscope.errors import QueryError
from trajscope.metrics import METRICS
from trajscope.pair import config_hash
from trajscope.readers import Source, get, stretches
from trajscope.rules import Word
from trajscope.watch import draw, history, opening, seen
from trajscope.watch.fresh import Cadence
from trajscope.watch.group import Group
from trajscope.watch.history import History
from trajscope.watch.watching import Watching

RUNS = sorted(p for p in SAMPLES.glob("*/*.jsonl") if p.stat().st_size > 1000)
HOUR = 3600.0
TABLES = {
    "runs": "SELECT * FROM runs",
    "trials": "SELECT * FROM trials ORDER BY run, seq",
    "seeds": "SELECT * FROM seeds ORDER BY run, seq, seed",
    "events": "SELECT * FROM events ORDER BY run, seq, kind, what",
}


@pytest.fixture(autouse=True)
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Everything that is long enough to be taken in quickly is short here, and the cache is our own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(cache, "WORTH", 0)
        patch.setattr(cache, "ENDS", 64)
        patch.setattr(past, "ROWS", 50)
        patch.setattr(run, "PART", 3)
        patch.setattr(tail, "MOST", 5000)
        patch.setattr(pipeline, "MOST", 20)
        patch.setattr(pipeline, "READ", 6)
        patch.setattr(stretches, "LEAST", 2)
        patch.setattr(history, "MOST", 4)
        patch.setattr(seen, "LATEST", 12)
        yield


def opened(path: Path, *, quick: bool = True, asked: bool = True) -> Watching:
    """A file, read as far as it goes."""
    watching = Watching(*source(path), asked=asked)
    if not quick:
        watching.opening = None
    watching.step(NOON)
    while watching.behind:
        watching.step(NOON)
    return watching


def resumed(watching: Watching) -> bool:
    """Whether it went on from what was written down."""
    return watching.opening is not None and watching.opening.resumed


def told(watching: Watching) -> dict[str, Any]:
    """All that is shown of a run, remembered of it, and answered about it."""
    panel = watching.look(NOON + HOUR)
    live = watching.live
    assert watching.answers is not None
    answers = {name: watching.ask(sql) for name, sql in TABLES.items()} if live.runs else {}
    return {
        "panel": panel._replace(odd=0, notices=())._asdict(),
        "document": watching.document(),
        "seen": _fields(watching.seen.thaw(watching.seen.snapshot())),
        "mark": live.mark(),
        "finished": live.finished,
        "torn": live.torn,
        **{name: [list(a.columns), *map(list, a.rows)] for name, a in answers.items()},
    }


def _fields(kept: Any) -> dict[str, Any]:
    return {name: getattr(kept, name) for name in kept.__struct_fields__}


def unlike(a: Any, b: Any, at: str = "") -> str | None:
    """Where two values differ by more than the last digits of a float; None where they do not."""
    if isinstance(a, float) and isinstance(b, float) and not isinstance(a, bool):
        close = math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) or (a != a and b != b)
        return None if close else f"{at}: {a} {b}"
    if isinstance(a, dict) and isinstance(b, dict):
        if list(a) != list(b):
            return f"{at}: {list(a)} {list(b)}"
        return next((found for k in a if (found := unlike(a[k], b[k], f"{at}.{k}"))), None)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            return f"{at}: {len(a)} {len(b)} {str(a)[:200]} {str(b)[:200]}"
        pairs = enumerate(zip(a, b, strict=True))
        return next((found for i, (x, y) in pairs if (found := unlike(x, y, f"{at}[{i}]"))), None)
    return None if a == b else f"{at}: {a!r} {b!r}"


def same(path: Path, watching: Watching) -> None:
    """Fails where it does not show what reading every line shows."""
    found = unlike(told(opened(path, quick=False)), told(watching))
    assert found is None, found


def copied(name: Path, folder: Path, upto: int | None = None) -> Path:
    """A sample, or the beginning of it, with its menu."""
    path = folder / name.name
    path.write_bytes(name.read_bytes()[:upto])
    if menu := pipeline.menu_beside(name):
        (folder / menu.name).write_bytes(menu.read_bytes())
    os.utime(path, (NOON, NOON))
    return path


# --- laws ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNS, ids=lambda p: p.stem)
def test_a_run_opened_twice_is_shown_as_line_by_line(name: Path, tmp_path: Path) -> None:
    whole = name.read_bytes()
    path = copied(name, tmp_path, len(whole) * 2 // 3)
    first = opened(path)
    same(path, first)
    first.close()
    path.write_bytes(whole)
    os.utime(path, (NOON, NOON))
    again = opened(path)
    # A foreign reader without a snapshot reads its file again, and so does one run of several.
    kept = first.live.format is not None and hasattr(get(first.live.format), "snapshot")
    assert resumed(again) == (len(first.live.runs) == 1 and kept)
    same(path, again)


@given(st.data())
@settings(max_examples=6)
def test_a_run_opened_from_any_of_its_pasts_is_shown_as_line_by_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(RUNS))
    whole = name.read_bytes()
    cuts = sorted(data.draw(st.lists(st.integers(1, len(whole)), min_size=1, max_size=3)))
    long_rest = data.draw(st.booleans())  # read many lines at a time, or one by one
    folder, left = tmp_path_factory.mktemp("grown"), opening.Opening._left
    path = copied(name, folder, 0)
    with pytest.MonkeyPatch.context() as patch:
        for cut in (*cuts, len(whole)):
            path.write_bytes(whole[:cut])
            os.utime(path, (NOON, NOON))
            watching = opened(path)
            watching.close()
            if not long_rest:
                patch.setattr(opening.Opening, "_left", lambda self, at, was=left: 0 if at else was(self, at))
    again = opened(path)
    same(path, again)


@st.composite
def native(draw: st.DrawFn) -> bytes:
    """Native lines in which ordinary trials and all others take turns: keeps, seeds, broken chains, odd types."""
    base = {"a": 1, "b": 0.5}
    lines: list[dict[str, Any]] = [
        {"type": "run", "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}, "base": {"config": base}}
    ]
    hashes = [None, config_hash(base), config_hash({**base, "a": 2}), "unknown"]
    moves: list[list[tuple[str, Any]]] = [[("a", 2)], [("a", 1)], [("b", 0.1), ("a", 2)], [("c", "x")], []]
    for i in range(1, draw(st.integers(5, 40))):
        value = draw(st.sampled_from([0.5, 1.0, 1.5, None, 1e200]))
        changes = draw(st.sampled_from(moves))
        line: dict[str, Any] = {
            "type": draw(st.sampled_from(["trial"] * 12 + ["measure", "event"])),
            "iter": draw(st.sampled_from([i, i, None, 3])),
            "status": draw(st.sampled_from(["reverted"] * 4 + ["kept", "blocked", "crashed", "aborted", "strange"])),
            "attempts": [{"changes": [{"knob": k, "value": v} for k, v in changes]}],
            "base_hash": draw(st.sampled_from(hashes)),
            "config_hash": draw(st.sampled_from([*hashes, "c1"])),
            "value": value,
            "cost": draw(st.sampled_from([None, {"wall_s": 1.5, "usd": 0.25}, {"tokens_in": 7}])),
            "ended": f"2026-01-01T00:{i:02d}:00.000Z",
            "new_best": draw(st.sampled_from([None, True, False])),
            "what": "baseline",
            "kind": draw(st.sampled_from(["pause", "resume", "selftest"])),
            "at": f"2026-01-01T00:{draw(st.integers(0, 59)):02d}:00.000Z",
        }
        odd = draw(st.integers(0, 9))
        if odd == 0:
            line["attempts"][0]["intent"] = "replicate"
        elif odd == 1:
            line["attempts"].insert(0, {"knob": "a", "value": 3, "verdict": {"rule": "r", "level": "FAIL"}})
        elif odd == 2:
            line["attempts"][0]["verdict"] = {"rule": "r", "level": draw(st.sampled_from(["FAIL", "PASS"]))}
        elif odd < 7:
            first = draw(st.sampled_from([None, 2.0, 3.0]))
            one = {"status": "ok", "metrics": {"loss": value, "acc": 0.5}, "first_step": first, "wall_s": 1.0}
            line["seeds"] = [{"seed": s, **one} for s in range(draw(st.sampled_from([1, 1, 1, 2])))]
        lines.append({k: v for k, v in line.items() if v is not None})
    written = chained(lines)
    if draw(st.booleans()):
        del written[draw(st.integers(1, len(written) - 1))]
    return b"".join(written)


@given(native(), st.integers(1, 10_000))
@settings(max_examples=15)
def test_native_lines_many_at_a_time_are_the_lines_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int
) -> None:
    path = tmp_path_factory.mktemp("native") / "r.jsonl"
    path.write_bytes(data[:cut])
    os.utime(path, (NOON, NOON))
    opened(path).close()
    path.write_bytes(data)
    os.utime(path, (NOON, NOON))
    same(path, opened(path))


# --- what cannot be believed --------------------------------------------------------------------------------------


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A run of which something was written down, and to which more has come."""
    lines = [trial(n, 1.0 + n % 5, at_s=10.0 * n) for n in range(1, 60)]
    path = write(tmp_path / "r.jsonl", header(), *lines)
    opened(path).close()
    write(path, *(trial(n, 0.5, at_s=10.0 * n) for n in range(60, 80)), mode="ab")
    os.utime(path, (NOON, NOON))
    return path


def kept(ending: str) -> list[Path]:
    """Files of the cache."""
    return sorted(cache.folder().glob(f"*.{ending}")) if cache.folder().is_dir() else []


def test_a_grown_run_is_gone_on_with(grown: Path) -> None:
    again = opened(grown)
    assert resumed(again)
    assert again.seen.trials == 79
    same(grown, again)


def test_what_a_second_watcher_wrote_down_is_gone_on_with_too(grown: Path) -> None:
    before = kept("parquet")
    opened(grown).close()
    assert kept("parquet") != before, "the last rows stand in a file with a new name"
    write(grown, trial(80, 0.25), mode="ab")
    again = opened(grown)
    assert resumed(again)
    same(grown, again)
    assert again.ask("SELECT count(*), count(DISTINCT seq), max(seq) FROM trials").rows == [(80, 80, 80)]


def test_a_new_row_is_answered_beside_those_of_the_past(grown: Path) -> None:
    again = opened(grown)
    asked = "SELECT count(*), min(value) FROM trials"
    assert again.ask(asked).rows == [(79, 0.5)]
    write(grown, trial(80, 0.25), mode="ab")
    again.step(NOON)
    assert again.ask(asked).rows == [(80, 0.25)]


@pytest.mark.parametrize("fault", ["index", "cut", "rows", "gone", "seal", "tail", "shorter", "reader"])
def test_a_past_that_cannot_be_believed_is_read_whole(grown: Path, fault: str) -> None:
    (index,), rows = kept("past"), kept("row.parquet")
    body = index.read_bytes()
    if fault == "index":
        index.write_bytes(b"")
    elif fault == "cut":
        index.write_bytes(body[:-1])
    elif fault == "rows":
        rows[0].write_bytes(rows[0].read_bytes() + b"x")
    elif fault == "gone":
        rows[0].unlink()
    elif fault == "seal":
        index.write_bytes(body[:40] + bytes([body[40] ^ 1]) + body[41:])
    elif fault == "tail":
        data = grown.read_bytes().split(b"\n")
        data[59] = data[59].replace(b'Z"', b'z"')
        grown.write_bytes(b"\n".join(data))
    elif fault == "shorter":
        grown.write_bytes(b"".join(grown.read_bytes().splitlines(keepends=True)[:30]))
    else:  # a reader that does not know what it once wrote
        found = past.load(index.stem, source(grown)[0])
        assert found is not None
        changed = past._Body(b"", found.standing, False, b"\x90", found.segments)
        changed = msgspec.structs.replace(changed, tail=_tail(grown, found.standing.at))
        data_ = msgspec.msgpack.encode(changed)
        index.write_bytes(hashlib.sha256(data_).digest() + data_)
    os.utime(grown, (NOON, NOON))
    again = opened(grown)
    assert not resumed(again)
    same(grown, again)


def _tail(path: Path, at: int) -> bytes:
    with path.open("rb") as f:
        return past._tail(f, at)


def test_another_question_has_another_past(grown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = past.name(*source(grown))
    plain = source(grown)[0]
    assert name == past.name(plain, None)
    others = [past.name(Source(plain.path, metric="acc"), None), past.name(Source(plain.path, goal="maximize"), None)]
    monkeypatch.setattr("trajscope.past.METRICS", METRICS[1:])
    others.append(past.name(plain, None))
    monkeypatch.setattr("trajscope.past.DERIVED_VERSION", -1)
    others.append(past.name(plain, None))
    assert len({name, *others}) == 5


def test_rows_that_vanish_while_a_run_is_watched_are_missed_aloud(grown: Path) -> None:
    opened(grown).close()  # so that nothing is left to read but what was written down
    again = opened(grown)
    for path in kept("parquet"):
        path.unlink()
    with pytest.raises(QueryError, match="open the run again"):
        again.ask("SELECT 1")
    assert again.look(NOON).rows.trials == 79
    again.close()


def test_rows_that_vanish_after_a_question_are_missed_by_the_next(grown: Path) -> None:
    opened(grown).close()  # so that nothing is left to read but what was written down
    again = opened(grown)
    assert again.ask("SELECT count(*) FROM trials").rows == [(79,)]
    for path in kept("0-50.row.parquet"):
        path.unlink()
    with pytest.raises(QueryError, match="open the run again"):
        again.ask("SELECT count(*) FROM trials")
    again.close()


def test_rows_of_the_past_lie_in_files_that_questions_read_and_nobody_writes(grown: Path) -> None:
    opened(grown).close()  # so that nothing is left to read but what was written down
    again = opened(grown)
    assert again.ask("SELECT min(seq), max(seq), count(*) FROM trials").rows == [(1, 79, 79)]
    assert again.ask("EXPLAIN ANALYZE SELECT count(*) FROM trials").rows
    write(grown, trial(80, 0.25), mode="ab")
    again.step(NOON)
    assert again.ask("SELECT count(*), min(value), max(seq) FROM trials").rows == [(80, 0.25, 80)]
    (path,) = kept("0-50.row.parquet")
    before, others = path.read_bytes(), sorted(cache.folder().iterdir())
    to = f"COPY (SELECT 1) TO '{path}' (FORMAT parquet, USE_TMP_FILE false)"
    for how in (
        "EXPLAIN ANALYZE",
        "EXPLAIN (ANALYZE)",
        "/* */ EXPLAIN ANALYZE",
        "EXPLAIN (ANALYZE, FORMAT /* ) */ json)",
        "",
    ):
        with pytest.raises(QueryError, match=r"only (a|one)"):
            again.ask(f"{how} {to}")
    with pytest.raises(QueryError, match="does not run"):
        again.ask("SELECT * FROM read_blob('/etc/passwd')")
    assert path.read_bytes() == before
    assert sorted(cache.folder().iterdir()) == others


def test_a_cache_that_cannot_be_written_costs_nothing(grown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (grown.parent / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(grown.parent / "file"))
    again = opened(grown)
    same(grown, again)
    again.close()


def test_a_file_of_several_runs_is_read_whole_every_time(tmp_path: Path) -> None:
    meta = {"_meta": "m", "baseline_val_bpb": 1.0, "baseline_cfg": {"a": 1}}
    row = {"stage": "evaluated", "proposal": {"knob": "a", "new_value": 2}, "val_bpb": 0.9, "decision": "keep"}
    path = write(tmp_path / "s.jsonl", meta, row, row, meta, row)
    opened(path).close()
    assert kept("past") == []
    same(path, opened(path))


def test_a_pause_and_a_late_time_are_remembered_in_the_order_of_the_lines(tmp_path: Path) -> None:
    meta = {"_meta": "m", "baseline_val_bpb": 1.0, "baseline_cfg": {"a": 1}}
    row = {"stage": "evaluated", "proposal": {"knob": "a", "new_value": 2}, "val_bpb": 0.9, "decision": "keep"}
    at = "2026-01-01 00:00:{:02d}"
    pause = {"stage": "paused", "ts": at.format(40)}
    rows: list[dict[str, Any]] = [{**row, "ts": at.format(n)} for n in range(9)]
    for n, lines in enumerate(([pause, *rows], [*rows[:5], pause, *rows[5:]], [*rows, pause], [*rows, pause, row])):
        path = write(tmp_path / f"s{n}.jsonl", meta, *lines)
        os.utime(path, (NOON, NOON))
        same(path, opened(path))


def test_the_first_step_of_a_long_file_reads_nothing_so_that_it_can_be_shown(grown: Path) -> None:
    group = Group(source)
    group.add(grown)
    assert group.turn(NOON)
    assert group.behind
    p = group.look(NOON)[str(grown)]
    assert (p.rows.trials, p.fresh.state) == (0, "reading")


def test_a_past_is_taken_up_in_steps_between_which_nothing_is_shown_of_it(grown: Path) -> None:
    opened(grown).close()
    again, steps = Watching(*source(grown), asked=True), 0
    again.step(NOON)
    while not resumed(again):
        assert (again.live.run, again.look(NOON).rows.trials, again.look(NOON).fresh.state) == (None, 0, "reading")
        again.step(NOON)
        steps += 1
    while again.behind:
        again.step(NOON)
    assert steps > 5, "five pairs in pieces of three, as many configurations, and the rest"
    same(grown, again)


def test_a_number_too_long_for_a_snapshot_is_written_down_by_its_text(tmp_path: Path) -> None:
    rows = [trial(n, 1.0, at_s=10.0 * n) for n in range(1, 9)]
    rows[3]["attempts"] = [{"changes": [{"knob": "long", "value": 2**70}]}]
    path = write(tmp_path / "r.jsonl", header(), *rows)
    os.utime(path, (NOON, NOON))
    opened(path).close()
    again = opened(path)
    assert resumed(again)
    same(path, again)


def test_what_stands_well_in_a_part_of_the_file_is_not_shown_as_good(tmp_path: Path) -> None:
    path = copied(SAMPLES / "honest" / "honest.jsonl", tmp_path)
    whole = opened(path).look(NOON)
    part = whole._replace(fresh=whole.fresh._replace(state="reading"), read=0.374, alarms=())
    part = part._replace(best=part.best._replace(belief="CONFIRMED"), word=Word("RESEARCHING", "it explores"))
    mark, said = draw.verdict(part, 100, 2)[0]
    assert (mark.text, mark.role, said.text) == (" ● RESEARCHING so far, 37% read  ", "dim", "it explores")
    assert {s.role for line in draw.best(part, 100) for s in line} & {"good"} == set()
    assert draw.summary(part, 120)[0].role == "dim"
    bad = part._replace(word=Word("TAMPERED", "the scorer was changed"))
    assert draw.verdict(bad, 100, 2)[0][0].role == "bad", "what is wrong in a part is wrong"


def test_the_cache_lets_go_of_what_was_not_used_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.folder().mkdir(parents=True)
    for age, name in ((3, "a" * 32), (2, "b" * 32), (1, "c" * 32)):
        for ending in ("run", "parquet"):
            path = cache.folder() / f"{name}.{ending}"
            path.write_bytes(b"x" * 50)
            os.utime(path, (NOON - age, NOON - age))
    monkeypatch.setattr(cache, "MOST", 200)
    cache.trim(keep="a" * 32)
    assert {p.name[0] for p in cache.folder().iterdir()} == {"a", "c"}


@given(st.lists(st.tuples(st.sampled_from([None, 1.0, 5.0, 4.0]), st.sampled_from([None, -1.0, 2.0])), max_size=12))
def test_many_beats_are_the_beats_one_by_one(drawn: list[tuple[float | None, float | None]]) -> None:
    one, many = Cadence(), Cadence()
    for at, took in drawn:
        one.beat(at, took)
    columns = [np.array([x[i] for x in drawn], np.float64) for i in (0, 1)]
    many.beats(*(c[: len(drawn) // 2] for c in columns))
    many.beats(*(c[len(drawn) // 2 :] for c in columns))
    assert many.snapshot() == one.snapshot()


@given(
    st.lists(
        st.tuples(st.sampled_from([None, 1.0, -2.0, 0.0]), st.integers(0, 7), st.sampled_from([None, 3.0])), max_size=40
    ),
    st.integers(1, 9),
)
def test_a_history_in_columns_is_the_history_one_by_one(drawn: list[Any], each: int) -> None:
    one, many = History(), History()
    columns: dict[str, Any] = {
        "seq": np.arange(len(drawn)),
        "status": np.array([s for _, s, _ in drawn], np.int8),
        "evaluated": np.array([s in (0, 1) for _, s, _ in drawn], np.bool_),
        "kept": np.array([s == 0 for _, s, _ in drawn], np.bool_),
        "value": np.array([v for v, _, _ in drawn], np.float64),
        "best_kept": np.array([b for _, _, b in drawn], np.float64),
    }
    for value, status, best in drawn:
        row = Row._make([None] * len(Row._fields))
        one.add(row._replace(status=status, evaluated=status in (0, 1), kept=status == 0, value=value, best_kept=best))
    for at in range(0, len(drawn), each):
        many.add_columns({name: x[at : at + each] for name, x in columns.items()})
    assert many.snapshot() == one.snapshot()
