"""What a client is told of a picture: the old one with its changes is the new one, whatever both are.

Planted and seen to fail: a change of a boolean to the number that it equals; a list that shrinks; a client that is told
what changed since a picture which it never had.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servefield import begun, patched, trial

import trajscope
from trajscope_dashboards import changes, desk, drawing, stream

SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.0, 1.0, 0.5]) | st.sampled_from("ab")
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, JSON)
def test_an_old_value_with_its_changes_is_the_new_one(old: Any, new: Any) -> None:
    before = _text(old)
    assert _text(patched(old, changes.changes(old, new))) == _text(new)
    assert _text(old) == before


@given(st.lists(JSON, max_size=3), st.integers(0, 70), st.integers(0, 70), st.lists(JSON, max_size=3))
def test_of_a_long_list_what_comes_at_its_end_is_told_alone(
    ends: list[Any], old: int, new: int, more: list[Any]
) -> None:
    one, two = [*range(old), *ends], [*range(new), *more]
    said = changes.changes(one, two)
    assert _text(patched(one, said)) == _text(two)
    grown = changes.changes([*range(100)], [*range(101)])
    assert grown == [[[], 100, [100]]]


def test_the_pictures_that_are_told_by_their_changes_are_those_that_are_told_whole(tmp_path: Path) -> None:
    lookout = trajscope.Lookout(tmp_path)
    held: dict[str, Any] = {}
    lies: dict[str, desk.Picture] = {}
    moved = 0
    with begun(tmp_path / "run.jsonl", 80) as run:
        rounds = lookout.rounds()
        while not lookout.sights:
            next(rounds)
        (one,) = lookout.sights
        lookout.want(one)
        for i in range(80, 90):
            while not (lookout.sights[one].noted and lookout.sights[one].total == i):
                next(rounds)
            for name, spec in drawing.specs(lookout.frames(one), drawing.NAMES).items():
                made = desk.drawn(lies.get(name), spec, i)
                if made is None:
                    continue
                lies[name] = made
                if made.moved:
                    said = json.loads(made.moved)
                    assert held[name]["usermeta"]["version"] == said["from"]
                    held[name] = patched(held[name], said["changes"])
                    moved += 1
                else:
                    held[name] = json.loads(made.whole)
                assert held[name] == json.loads(made.whole)
            trial(run, i)
    assert moved >= 9  # the first picture, at every row
    assert len(lies["history"].moved) * 5 < len(lies["history"].whole)


def test_who_has_another_picture_than_the_one_before_is_told_the_whole() -> None:
    first = desk.drawn(None, _spec(1), 1)
    assert first
    second = desk.drawn(first, _spec(2), 2)
    assert second
    third = desk.drawn(second, _spec(3), 3)
    assert third
    assert desk.drawn(third, _spec(3), 4) is None
    client = stream.One(desk.Desk.__new__(desk.Desk), "run", "")
    told = [client._pictures({"history": x}) for x in (first, second, second, third)]
    assert [[m[0] for m in x] for x in told] == [["charts"], ["moved"], [], ["moved"]]
    late = stream.One(desk.Desk.__new__(desk.Desk), "run", "")
    assert [m[0] for m in late._pictures({"history": first})] == ["charts"]
    ((event, known, data),) = late._pictures({"history": third})
    assert (event, known, json.loads(data)) == ("charts", None, {"history": json.loads(third.whole)})


def test_a_change_that_is_as_long_as_the_picture_is_not_told() -> None:
    first = desk.drawn(None, {"usermeta": {}, "datasets": {"rows0": list(range(500))}}, 1)
    again = desk.drawn(first, {"usermeta": {}, "datasets": {"rows0": list(range(500, 0, -1))}}, 2)
    assert again
    assert again.moved == b""


@pytest.mark.parametrize("name", drawing.NAMES)
def test_the_parts_of_a_picture_are_named_by_their_order_and_not_by_what_is_in_them(tmp_path: Path, name: str) -> None:
    spec = drawing.specs(_frames(tmp_path), (name,))[name]
    text = json.dumps({k: v for k, v in spec.items() if k != "datasets"})
    assert list(spec.get("datasets", {})) == [f"rows{i}" for i in range(len(spec.get("datasets", {})))]
    assert "view_" not in text
    assert "data-" not in text
    for i in range(len(spec["datasets"])):
        assert f'{{"name": "rows{i}"}}' in text


def _frames(folder: Path) -> Any:
    """The frames of a run that has something for each picture."""
    if not (folder / "run.jsonl").exists():
        with begun(folder / "run.jsonl", 20, metrics=[{"name": "held", "role": "holdout", "goal": "minimize"}]) as run:
            run.trial({"lr": 0.01}, value=1.0, kept=True, metrics={"held": 2.0})
    lookout = trajscope.Lookout(folder)
    rounds = lookout.rounds()
    while not lookout.sights:
        next(rounds)
    (one,) = lookout.sights
    lookout.want(one)
    while not lookout.sights[one].noted:
        next(rounds)
    return lookout.frames(one)


def _spec(n: int) -> dict[str, Any]:
    return {"usermeta": {}, "mark": "point", "datasets": {"rows0": [{"seq": i} for i in range(100 + n)]}}


def _text(value: Any) -> str:
    """JSON that tells 1 from true and from 1.0, which Python holds to be equal."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("name", drawing.NAMES)
def test_a_picture_is_made_of_what_it_is_said_to_be_made_of_and_of_nothing_else(tmp_path: Path, name: str) -> None:
    asked: set[str] = set()
    frames = _frames(tmp_path)

    class Asked:
        def __getattr__(self, field: str) -> Any:
            asked.add(field)
            return getattr(frames, field)

    assert drawing.specs(Asked(), (name,))
    # Which picture is drawn at all is asked of the holdouts, and how many trials there are of the trials.
    asked -= {"holdouts", "trials"} - set(drawing._MADE_OF[name])
    assert asked == set(drawing._MADE_OF[name])
    made_of = drawing.inputs(frames, name)
    assert drawing.same(made_of, drawing.inputs(_frames(tmp_path), name))
    assert not drawing.same(None, made_of)
    for i, x in enumerate(made_of):
        other = x.clear() if hasattr(x, "clear") else "another"
        assert not drawing.same(made_of, (*made_of[:i], other, *made_of[i + 1 :])), drawing._MADE_OF[name][i]
