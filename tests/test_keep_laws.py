"""Laws of the keep gate: nothing that is no number is kept, worse is never better, and order says nothing.

Planted and seen to fail: a guard compared with `not value < floor`, seeds paired by position, `None` read as 0.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keepcase import World, ran

from trajscope import keep

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, float("nan"), float("inf"), float("-inf"), "0.9", True, False, [], {}, 10**400]
)
STAGES = ("first", "confirm", "incumbent", "holdout")


def _course(world: World, spoil: Any, stage: str) -> keep.Decision:
    """A candidate that deserves to be kept, with one arm of its course spoilt."""
    gate = world.gate()
    good = world.measure({"score": 0.7}, {"score": 0.6})

    def measure(need: keep.Need) -> Any:
        found = good(need)
        return spoil(found) if need.what == stage else found

    first = world.arm(gate.seeds, score=0.7)
    return gate.decide(spoil(first) if stage == "first" else first, ran(), measure=measure)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in nested plain values."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _put(value: Any, path: tuple[Any, ...], junk: object) -> Any:
    out = copy.deepcopy(value)
    here = out
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = junk
    return out


@pytest.mark.parametrize("stage", STAGES)
def test_without_a_fault_the_candidate_is_kept(stage: str) -> None:
    assert _course(World(3), lambda arm: arm, stage).kept


@given(st.sampled_from(STAGES), JUNK, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_nothing_that_is_no_number_is_ever_kept_wherever_it_stands(
    stage: str, junk: object, rng: random.Random
) -> None:
    def spoil(arm: Any) -> Any:
        return _put(arm, rng.choice(list(_places(arm))), junk)

    decision = _course(World(3), spoil, stage)
    assert decision.word == "ABORT"


@given(st.sampled_from(STAGES), st.one_of(JUNK, st.just(()), st.just(b""), st.just(object())))
def test_no_arm_at_all_is_ever_kept(stage: str, junk: object) -> None:
    assert _course(World(3), lambda arm: junk, stage).word == "ABORT"


@given(st.sampled_from(["proposed", "effective", "parent", "hashes", "seen", "shown"]), JUNK)
def test_nothing_but_what_is_known_of_the_run_is_kept(field: str, junk: object) -> None:
    world = World(3)
    gate = world.gate()
    measure = world.measure({"score": 0.7}, {"score": 0.6})
    decision = gate.decide(world.arm(gate.seeds, score=0.7), ran(**{field: junk}), measure=measure)
    harmless = field == "shown" and junk in ("0.9", [])  # texts that hold no value of the holdout
    assert decision.kept == harmless


@given(
    st.sampled_from(["response", "direction"]),
    st.floats(0.001, 2),
    st.integers(0, 4),
    st.sampled_from([0.6, 0.64, 0.7]),
)
def test_a_guard_made_worse_turns_no_other_word_into_a_keep(metric: str, worse: float, at: int, score: float) -> None:
    def lowered(arm: Any) -> Any:
        arm[at]["metrics"][metric] = max(0.0, arm[at]["metrics"][metric] - worse)
        return arm

    before = _course_of(score, lambda arm: arm)
    after = _course_of(score, lowered)
    assert before.kept or not after.kept


def _course_of(score: float, change: Any) -> keep.Decision:
    world = World(4)
    gate = world.gate()
    good = world.measure({"score": score}, {"score": 0.6})
    return gate.decide(change(world.arm(gate.seeds, score=score)), ran(), measure=good)


@given(st.permutations(range(5)), st.sampled_from([0.6, 0.7]))
def test_the_order_of_the_seeds_says_nothing(order: list[int], score: float) -> None:
    def shuffled(arm: Any) -> Any:
        return [arm[i] for i in order] if isinstance(arm, list) else {k: arm[k] for k in [[*arm][i] for i in order]}

    def decided(change: Any) -> keep.Decision:
        world = World(6)
        gate = world.gate()
        good = world.measure({"score": score}, {"score": 0.6})
        return gate.decide(change(world.arm(gate.seeds, score=score)), ran(), measure=lambda need: change(good(need)))

    assert decided(shuffled) == decided(lambda arm: arm)


@given(st.floats(0, 0.4), st.floats(0, 0.4))
def test_a_better_score_is_kept_wherever_a_worse_one_is(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert _course_of(0.5 + high, lambda x: x).kept or not _course_of(0.5 + low, lambda x: x).kept


@given(st.lists(st.sampled_from([0.6, 0.75, 0.9]), max_size=4))
@settings(max_examples=25)
def test_a_gate_resumed_after_every_step_decides_the_same(scores: list[float]) -> None:
    def campaign(*, resumed: bool) -> list[keep.Decision]:
        world, out = World(8), []
        gate = world.gate()
        parent: dict[str, float] = {"lr": 0.1}
        config: dict[str, float]
        at = 0.6
        for n, score in enumerate(scores):
            config = {"lr": 1 + n}
            decision = gate.decide(world.arm(gate.seeds, score=score), ran(config, parent))
            while decision.needs:
                if resumed:
                    gate = keep.Gate.resume(gate.settings, gate.state())
                decision = gate.more(world.measure({"score": score}, {"score": at})(decision.needs))
            if decision.kept:
                parent, at = config, score
            out.append(decision._replace(pause=None, verdicts=()))
        return out

    assert campaign(resumed=True) == campaign(resumed=False)
