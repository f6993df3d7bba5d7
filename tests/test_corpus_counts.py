"""What a corpus remembers of very many things: as a dict and a Counter would have it, and no run longer than its file.

Planted and seen to fail: a key that is met twice and gets two numbers, growth that loses a key, leaders that forget a
name of equal count, a configuration evaluated twice that is let go, a run that is held after its file.
"""

from __future__ import annotations

import gc
from array import array
from collections import Counter
from fractions import Fraction
from pathlib import Path

import corpusfield as field
import pytest
from clirun import AMNESIAC, SAMPLES
from hypothesis import given
from hypothesis import strategies as st

from trajscope import pipeline
from trajscope.corpus import Examples, diversity
from trajscope.corpus.counts import Index, Leaders, again, at, key
from trajscope.corpus.groups import Elsewhere, several
from trajscope.corpus.labels import Labels
from trajscope.pair import config_hash
from trajscope.readers import Source
from trajscope.run import Run

# A step that wraps around 64 bits, so that keys stand far apart and next to each other, at both ends of their range.
keys = st.integers(0, 40).map(lambda i: (i * (1 << 59) + i % 3) & ((1 << 64) - 1))
names = st.sampled_from(["a", "b", "a=1", "ä", "\ud800", ""])


@given(st.lists(keys, max_size=60))
def test_an_index_numbers_things_as_a_dict_does(said: list[int]) -> None:
    index, held = Index(), dict[int, int]()
    for k in said:
        assert index.place(k) == held.setdefault(k, len(held))
        assert len(index) == len(held)
    assert list(index.keys) == list(held)
    assert [index.find(k) for k in held] == list(held.values())
    assert index.find((1 << 64) - 7) == -1


def test_an_index_grows_and_loses_nothing() -> None:
    index = Index()
    said = [key(str(i)) for i in range(5000)]
    assert [index.place(k) for k in said] == list(range(5000))
    assert [index.find(k) for k in said] == list(range(5000))
    assert [index.place(k) for k in said[::-1]] == list(range(5000))[::-1]
    assert index.find(key("5000")) == -1


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 3)), max_size=40), st.integers(1, 4))
def test_leaders_are_the_most_frequent_and_of_equals_the_first_by_name(said: list[tuple[str, int]], most: int) -> None:
    leaders, counts = Leaders(most), Counter[str]()
    for name, n in said:
        counts[name] += n
        leaders.tell(ord(name), counts[name], name)
        wanted = sorted(counts.items(), key=lambda x: (-x[1], x[0]))[:most]
        assert leaders.all() == [(ord(name), name, n) for name, n in wanted]


@given(st.lists(keys, max_size=30), keys)
def test_what_was_met_before_is_counted_and_found(said: list[int], other: int) -> None:
    held = array("Q", said)
    assert again(held) == len(said) - len(set(said))
    assert list(held) == sorted(said)
    found = at(held, other)
    assert (found >= 0) == (other in said)
    assert found < 0 or held[found] == other


@given(st.lists(names), st.lists(names))
def test_two_sides_are_apart_by_a_number_that_no_order_changes(a: list[str], b: list[str]) -> None:
    one, two = Counter(a), Counter(b)
    found = diversity.apart(one, two)
    if not a or not b:
        assert found is None
        return
    terms = [abs(one[x] / len(a) - two[x] / len(b)) for x in {*a, *b}]
    assert found == float(sum(map(Fraction, terms))) / 2


# --- what is held of a run ------------------------------------------------------------------------------------------


def read(*paths: Path) -> list[Run]:
    return [run for p in paths for run in pipeline.read(Source(str(p))).runs]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/*.jsonl")), ids=lambda p: p.stem)
def test_what_is_held_of_configurations_says_what_the_run_said(path: Path) -> None:
    runs = read(path)
    for e, run in ((e, runs[e.run]) for e in Examples([(Source(str(path)), None)])):
        group = run.tally.configs.get(e.config or "")
        if group is None or not group.n or not e.counted:
            continue
        assert (e.mean, e.replicates) == (group.mean, group.n)
        assert e.flipped == bool(group.kept and group.reverted)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/*.jsonl")), ids=lambda p: p.stem)
def test_labels_are_those_that_the_runs_counted(path: Path) -> None:
    runs, labels = read(path), Labels()
    rows, keeps, knobs = Counter[str](), Counter[str](), dict[str, str]()
    for run in runs:
        labels.add(run)
        for label, p in run.tally.pairs.items():
            if p.n:
                rows[label] += p.n
                keeps[label] += p.kept
                knobs[label] = p.pair.knob
    assert {x: (labels.rows[labels.find(x)], labels.keeps[labels.find(x)]) for x in rows} == {
        x: (rows[x], keeps[x]) for x in rows
    }
    assert len(labels) == len(rows)
    assert labels.find("never proposed") == -1
    most = min(rows, key=lambda x: (-rows[x], x), default=None)
    assert labels.most == (None if most is None else (labels.find(most), most, rows[most]))
    assert list(labels.by_knob()) == [labels.find(x) for x in sorted(rows, key=lambda x: (knobs[x], key(x)))]


def night(path: Path, *tried: tuple[int, float], campaign: str | None = "c", kept: int = -1) -> Path:
    """A run of (value of its one knob, score), all on one base."""
    lines = field.Lines(path)
    base = {"a": 0}
    lines.add(
        "run", run_id=path.stem, campaign=campaign, metric={"name": "x", "goal": "minimize"}, base={"config": base}
    )
    for i, (to, score) in enumerate(tried):
        ran = {"base_hash": config_hash(base), "config_hash": config_hash({"a": to})}
        said = {"status": "kept" if i == kept else "reverted", "attempts": [{"knob": "a", "value": to}], "value": score}
        lines.add("trial", iter=i, **said, **ran)
    path.write_bytes(b"".join(x + b"\n" for x in lines.done))
    return path


def test_only_what_was_evaluated_again_is_held(tmp_path: Path) -> None:
    (run,) = read(night(tmp_path / "r.jsonl", (1, 1.0), (2, 2.0), (1, 3.0), (3, 1.0), (1, 8.0), kept=2))
    found = several(run)
    assert list(found.keys) == [key(config_hash({"a": 1}))]
    assert found.find(config_hash({"a": 1})) == (3, 4.0, True)
    assert found.find(config_hash({"a": 2})) is None


def test_a_configuration_of_several_runs_has_the_groups_of_each(tmp_path: Path) -> None:
    paths = [
        night(tmp_path / "0.jsonl", (1, 1.0), (2, 2.0), (1, 3.0)),
        night(tmp_path / "1.jsonl", (1, 5.0), campaign="alone"),
        night(tmp_path / "2.jsonl", (1, 4.0), (3, 4.0)),
        night(tmp_path / "3.jsonl", (1, 6.0), campaign=None),
        night(tmp_path / "4.jsonl", (2, 7.0)),
    ]
    elsewhere = Elsewhere()
    for i, run in enumerate(read(*paths)):
        elsewhere.add(i, run)
    elsewhere.close()
    assert len(elsewhere) == 2
    one, two, three = (config_hash({"a": i}) for i in (1, 2, 3))
    for i in (0, 2, 4):
        found, other = elsewhere.find(i, one), elsewhere.find(i, two)
        assert found is not None
        assert other is not None
        assert found.groups == [(2, 2.0), (1, 4.0)]
        assert other.groups == [(1, 2.0), (1, 7.0)]
        assert {found.number, other.number} == {0, 1}
        assert elsewhere.find(i, three) is None  # of one run alone
        assert elsewhere.find(i, None) is None
    assert elsewhere.find(1, one) is None
    assert elsewhere.find(3, one) is None


def live(kind: type) -> int:
    return sum(type(x) is kind for x in gc.get_objects())


def test_a_run_is_in_memory_only_while_its_file_is_gone_through(tmp_path: Path) -> None:
    paths = field.write(tmp_path, field.clean(4))
    gc.collect()
    before = live(Run)
    gc.disable()  # what waits to be collected counts too: nobody says when that would be
    try:
        examples = Examples([*field.sources(paths), (Source(str(AMNESIAC)), None)])
        assert live(Run) == before
        seen = Counter(live(Run) - before for i, _ in enumerate(examples) if i % 7 == 0)
        assert list(seen) == [1]
    finally:
        gc.enable()


def test_a_file_that_grows_meanwhile_is_gone_through_as_it_was_read(tmp_path: Path) -> None:
    grows = tmp_path / "grows.jsonl"
    lines = AMNESIAC.read_bytes().splitlines(keepends=True)
    grows.write_bytes(b"".join(lines[:-9]))
    examples = Examples(field.sources([grows, night(tmp_path / "other.jsonl", (1, 1.0), (2, 2.0))]))
    first = list(examples)
    for grown in (lines, lines[:-9] + lines):  # more trials, and another run behind it
        grows.write_bytes(b"".join(grown))
        assert list(examples) == first


def test_a_file_that_became_another_is_no_corpus(tmp_path: Path) -> None:
    path = night(tmp_path / "r.jsonl", (1, 1.0), (2, 2.0))
    examples = Examples(field.sources([path]))
    night(path, (1, 1.0), (5, 2.0))
    with pytest.raises(Exception, match=r"r\.jsonl: changed while it was read"):
        list(examples)


def test_equal_menus_and_bases_are_held_once(tmp_path: Path) -> None:
    examples = Examples(field.sources(field.write(tmp_path, field.clean(3))))
    headers = [told.header for told in examples.runs]
    assert len({id(h.menu) for h in headers}) == 1
    assert len({id(h.base) for h in headers}) == 1
    (apart := tmp_path / "apart").mkdir()
    field.write(apart, field.clean(1), menu_knobs=11)
    mixed = Examples(field.sources([*tmp_path.glob("c*.jsonl"), apart / "c0.jsonl"]))
    assert len({id(told.header.menu) for told in mixed.runs}) == 2
