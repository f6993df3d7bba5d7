"""Run: what each kind of item does to the rows, the tally and the columns that look back, by hand."""

from __future__ import annotations

from typing import Any

import pytest
from law_strategies import BASE, analyzed, made, menu

from trajscope import tally
from trajscope.columns import DERIVED_VERSION, Row
from trajscope.metrics import METRICS
from trajscope.pair import canon, config_hash, pair
from trajscope.run import LAGS, Run
from trajscope.trial import CODE, STATUSES, Break, Drift, End, Event, Header, Item, Measure, Seed, Trial, Unreadable


def head(**more: Any) -> Header:
    return Header(**{"run_id": "r", "metric": "loss", "goal": "minimize", **more})


def run_of(header: Header, *trials: dict[str, Any]) -> tuple[Run, list[Row]]:
    run = Run(header, METRICS)
    rows = []
    for seq, x in enumerate(trials, 1):
        knob, value = x.pop("set", ("a", 1))
        change = header.menu.change(knob, value) if header.menu else canon(knob, value)
        rows.append(run.push(Trial(**{"seq": seq, "at": 10 * seq, "status": "reverted", "pair": pair((change,)), **x})))
    return run, rows


def column(rows: list[Row], name: str) -> list[Any]:
    return [getattr(r, name) for r in rows]


def test_occurrences_gaps_and_counts_by_hand() -> None:
    values = [1, 2, 1, 1, 3, 2]
    _, rows = run_of(head(), *({"set": ("a", v), "value": 1.0} for v in values))
    assert column(rows, "k") == [1, 1, 2, 3, 1, 2]
    assert column(rows, "gap") == [None, None, 2, 1, None, 4]
    assert column(rows, "knob_k") == [1, 2, 3, 4, 5, 6]
    assert column(rows, "pair") == [0, 1, 0, 0, 2, 1]
    assert column(rows, "e") == column(rows, "c") == [1, 2, 3, 4, 5, 6]


def test_what_was_not_evaluated_counts_nothing() -> None:
    statuses = ["blocked", "crashed", "proposer_error", "aborted", "other", "ineligible", "kept", "reverted"]
    run, rows = run_of(head(), *({"status": s} for s in statuses))
    assert column(rows, "evaluated") == [False] * 5 + [True] * 3
    assert column(rows, "k") == [0] * 5 + [1, 2, 3]
    assert column(rows, "pair") == [0] * 8, "but its pair has a name"
    assert run.ground.pairs[0].proposed == 8
    assert run.ground.pairs[0].evaluated == 3


def test_an_aborted_trial_was_evaluated_if_it_has_a_value() -> None:
    _, rows = run_of(head(), {"status": "aborted", "value": 0.0}, {"status": "aborted"})
    assert column(rows, "evaluated") == [True, False]
    assert rows[0].new_best


def test_a_status_that_nobody_knows_is_other() -> None:
    run, (row,) = run_of(head(), {"status": "pondering"})
    assert STATUSES[row.status] == "other"
    assert run.states["status.other"] == 1


def test_the_running_best_by_hand() -> None:
    values = [2.0, 0.5, 0.5, None, 0.4, 9.0]
    statuses = ["reverted", "reverted", "kept", "kept", "ineligible", "kept"]
    run, rows = run_of(head(baseline=1.0), *({"value": v, "status": s} for v, s in zip(values, statuses, strict=True)))
    assert column(rows, "best") == [1.0, 0.5, 0.5, 0.5, 0.5, 0.5], "the baseline is best until something beats it"
    assert column(rows, "best_kept") == [None, None, 0.5, 0.5, 0.5, 0.5]
    assert column(rows, "new_best") == [False, True, False, False, False, False], "a tie is no new best"
    assert column(rows, "since_best") == [1, 0, 1, 2, 3, 4]
    assert column(rows, "since_keep") == [1, 2, 0, 0, 1, 0]
    assert column(rows, "eligible") == [True, True, True, False, False, True]
    assert run.tally.longest == [4, 3, 6]


def test_higher_may_be_better() -> None:
    _, rows = run_of(head(goal="maximize", baseline=1.0), {"value": 0.9}, {"value": 1.5}, {"value": 1.2})
    assert column(rows, "best") == [1.0, 1.5, 1.5]


def test_without_a_goal_nothing_is_best() -> None:
    run, rows = run_of(head(goal=None, baseline=1.0), {"value": 0.9}, {"value": 0.1})
    assert column(rows, "best") == [None, None]
    assert column(rows, "eligible") == [False, False]
    doc = analyzed(run)
    assert doc["plateau"]["since_best"] is None
    assert "--goal" in doc["unknown"]["plateau.since_best"]


def test_a_declared_replicate_feeds_the_noise_and_nothing_else() -> None:
    place = {"base": "b", "config": "c"}
    again = {"value": 1.2, "intent": "replicate", **place}
    run, rows = run_of(head(), {"value": 1.0, **place}, again, {"value": 1.4, **place})
    assert column(rows, "k") == [1, 0, 2]
    assert column(rows, "c") == [1, 1, 2]
    assert rows[2].gap == 1, "the distance is counted in counted trials"
    assert run.tally.noise_df == {"replicate": 1, "repeat": 1}
    assert run.tally.noise_ss == pytest.approx(0.04 * 2)  # 1.0 1.2 1.4 about 1.2


def test_a_revisit_is_a_known_pair_in_a_new_configuration() -> None:
    _, rows = run_of(head(), {"config": "x"}, {"config": "x"}, {"config": "y"}, {"config": "y"}, {"config": None})
    assert column(rows, "context_k") == [1, 2, 1, 2, 0]
    assert column(rows, "revisit") == [False, False, True, False, False]


def test_only_what_was_evaluated_touches_ground() -> None:
    known = head(menu=menu(), base=BASE)
    run, rows = run_of(
        known,
        {"set": ("b", 0.9), "status": "blocked"},
        {"set": ("b", 0.9), "status": "crashed"},
        {"set": ("b", 0.9)},
        {"set": ("b", 0.91)},  # the same bin
        {"set": ("a", 1), "noop": True},  # a no-op touches its knob, but no cell
        {"set": ("d", "u")},  # nor does an exact default
        {"set": ("z", 1)},  # and what the menu does not hold is no ground at all
    )
    assert column(rows, "new_proposed_knobs") == [1, 0, 0, 0, 1, 1, 0]
    assert column(rows, "new_knobs") == [0, 0, 1, 0, 1, 1, 0]
    assert column(rows, "new_cells") == [0, 0, 1, 0, 0, 0, 0]
    assert run.evidence("outside").seqs == [7]


def test_what_a_rail_refused_was_proposed() -> None:
    known = head(menu=menu(), base=BASE)
    refused = (known.menu.pair({"b": 0.9}),)  # type: ignore[union-attr]  # it has a menu
    run, rows = run_of(known, {"set": ("a", 2), "refused": ("repeat",), "refused_pairs": refused, "attempts": 2})
    assert (rows[0].new_proposed_knobs, rows[0].new_knobs, rows[0].refused, rows[0].attempts) == (2, 1, 1, 2)
    assert run.tally.rules == {"repeat": 1}
    assert run.tally.knobs["b"].proposed
    assert not run.tally.knobs["b"].evaluated


def test_near_is_within_two_percent_on_the_same_base() -> None:
    known = head(menu=menu(), base=BASE)
    at = [("b", 0.9, "x"), ("b", 0.92, "x"), ("b", 0.95, "x"), ("b", 0.9, "y"), ("b", 0.93, "y"), ("b", 0.911, "y")]
    _, rows = run_of(known, *({"set": (k, v), "base": base, "config": f"{v}{base}"} for k, v, base in at))
    # 0.9 again on y is no new pair; 0.93 is near 0.95 and 0.92, but those stand on x.
    assert column(rows, "near") == [False, True, False, False, False, True]


def test_drift_stays_and_its_time_is_counted_from_there() -> None:
    drift = (Drift(None, "a", 2, 3),)
    trials: list[dict[str, Any]] = [
        {"wall_s": 5.0},
        {"wall_s": 7.0, "drift": drift},
        {"wall_s": None},
        {"wall_s": 1.0, "drift": drift},
    ]
    run, rows = run_of(head(), *trials)
    assert column(rows, "drifted") == [False, True, True, True]
    assert run.tally.drift == [(None, "a", 2, 3, 2)], "the same drift is told once, from where it began"
    assert run.tally.drift_wall_s == 8.0
    assert run.evidence("drift").seqs == [2, 4]


def test_items_that_are_no_trials_make_no_rows() -> None:
    run = Run(head(base_id="b"), METRICS)
    others: list[Item] = [
        Measure(seq=1, what="baseline", value=2.0, config="b"),
        Measure(seq=2, what="baseline", value=None, config="b"),
        Measure(seq=3, what="confirm", value=1.0, config="c"),
        Event(seq=4, kind="pause"),
        Unreadable(seq=5, at=0, why="not JSON"),
        Unreadable(seq=6, at=0, why="not JSON", torn=True),
        Break(seq=7, why="differs"),
        End(seq=8, counts={"kept": 2}),
    ]
    assert [run.take(x) for x in others] == [None] * len(others)
    t = run.tally
    assert (t.trials, t.baseline, t.ended, t.end_counts, t.break_count) == (0, [2.0], True, {"kept": 2}, 1)
    assert {k: e.seqs for k, e in t.evidence.items()} == {
        "measure:baseline": [1, 2], "measure:confirm": [3], "event:pause": [4], "unreadable": [5], "torn": [6],
    }  # fmt: skip


def test_a_confirming_measure_is_one_more_evaluation_of_its_configuration() -> None:
    run, _ = run_of(head(), {"value": 1.0, "config": "c"})
    run.take(Measure(seq=9, what="confirm", value=1.2, config="c"))
    assert run.tally.noise_df == {"measure": 1}
    assert run.scores.configs[0].mean == pytest.approx(1.1)


def test_lists_of_evidence_are_capped_and_their_totals_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tally", "run", "keeps"):
        monkeypatch.setattr(f"trajscope.{module}.MOST", 2)
    run = made(*[("a", 1, "kept", 1.0)] * 5, *[Unreadable(seq=i, at=0, why="x") for i in range(5)], claimed_best=True)
    assert (run.evidence("noop").n, run.evidence("noop").seqs) == (5, [1, 2])
    assert (run.tally.keep_count, len(run.tally.keeps)) == (5, 2)
    assert (run.evidence("unreadable").n, len(run.tally.unread)) == (5, 2)
    assert tally.MOST == 2


def test_gaps_beyond_the_longest_lag_are_not_told_apart() -> None:
    run, _ = run_of(head(), {"set": ("a", 0)}, *({"set": ("a", i)} for i in range(1, LAGS + 1)), {"set": ("a", 0)},
                    {"set": ("a", 0)})  # fmt: skip
    assert run.tally.lags == {1: 1}


def test_one_seed_twice_must_begin_alike() -> None:
    def begins(*first: float) -> bool | None:
        run, _ = run_of(head(), *({"config": "c", "seed": 0, "first_step": f} for f in first))
        return run.tally.seed_ineffective

    assert begins(11.0) is None
    assert begins(11.0, 11.0005) is False  # numerics alone: within 1e-4
    assert begins(11.0, 11.002) is True
    assert begins(11.0, 11.002, 11.0) is True, "once seen, it stays"


def test_the_seeds_of_trials_are_held_against_each_other() -> None:
    def seeds(*firsts: float) -> tuple[Seed, ...]:
        return tuple(Seed(i, 1.0, first_step=f) for i, f in enumerate(firsts))

    run, _ = run_of(head(), {"config": "c", "seeds": seeds(1.0, 2.0)}, {"config": "c", "seeds": seeds(1.0, 2.0)})
    assert run.tally.seed_ineffective is False
    run, _ = run_of(head(), {"config": "c", "seeds": seeds(1.0, 2.0)}, {"config": "c", "seeds": seeds(1.0, 2.5)})
    assert run.tally.seed_ineffective is True


def test_a_snapshot_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = made(("a", 2, "kept", 1.0)).snapshot()
    monkeypatch.setattr("trajscope.run.DERIVED_VERSION", DERIVED_VERSION + 1)
    with pytest.raises(ValueError, match=f"version {DERIVED_VERSION}, this one is {DERIVED_VERSION + 1}"):
        made().restore(snapshot)


def test_a_snapshot_holds_every_value_that_a_knob_may_have() -> None:
    odd: list[Any] = [None, True, "é\x00", 1.5, -(2**62), [1, ["x", None]], {"k": [1.5]}, float("nan"), ""]
    run = made(*(("z", v, "reverted", 1.0) for v in odd))
    again = made()
    again.restore(run.snapshot())
    assert analyzed(again) == analyzed(run)
    assert [p.pair.label for p in again.ground.pairs] == [p.pair.label for p in run.ground.pairs]


def test_a_restored_run_goes_on_with_the_numbers_of_pairs_and_configurations() -> None:
    rows: list[Any] = [("z", i % 4, "reverted", 1.0 + i) for i in range(12)]
    run = made(*rows[:7])
    again = made()
    again.restore(run.snapshot())
    home = config_hash(BASE)
    for seq in range(8, 13):
        p = pair((canon("z", seq % 5),))
        t = Trial(
            seq=seq, at=0, status="kept", value=0.5, pair=p, base=home, config=config_hash({**BASE, "z": seq % 5})
        )
        assert again.push(t) == run.push(t)


def test_every_status_has_a_code_and_other_is_the_last() -> None:
    assert [STATUSES[CODE[s]] for s in STATUSES] == list(STATUSES)
    assert STATUSES[-1] == "other"


def test_a_pair_that_was_a_no_op_first_reaches_its_cell_when_it_is_one_no_more() -> None:
    known = head(menu=menu(), base=BASE)
    _, rows = run_of(known, {"set": ("b", 0.9), "noop": True}, {"set": ("b", 0.9)}, {"set": ("b", 0.9)})
    assert column(rows, "new_knobs") == [1, 0, 0]
    assert column(rows, "new_cells") == [0, 1, 0]
