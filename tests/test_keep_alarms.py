"""Too good, too fast; the holdout's ladder and its leaks: when a person must look, and what must not be told.

Planted and seen to fail: a streak that an abort ends, a limit without its cap, an error that counts as quiet, a leak
searched for in the first text only.
"""

from __future__ import annotations

import itertools
import math
from statistics import fmean
from typing import Any

import pytest
from keepcase import HOLDOUT, SETTINGS, World, ran
from scipy import stats as reference

from trajscope import keep
from trajscope.errors import GateError
from trajscope.keep import holdout, speed
from trajscope.keep.arms import read
from trajscope.keep.state import Ladder

ACK: dict[str, Any] = {"by": "Ada", "at": "2026-03-01T08:10:00Z"}


class Campaign:
    """Candidates, each on top of what was kept; the noise is small, so that what is better is found to be."""

    def __init__(self, settings: dict[str, Any] | None = None, sd: float = 0.005, **start: Any) -> None:
        self.world, self.sd = World(7), sd
        n = range((settings or {}).get("n", 5))
        given = {"baseline": self.world.arm(n, sd=sd), "holdout": self.world.holdout(n)}
        self.gate = self.world.gate(settings, **{**given, **start})
        self.at, self.config, self.n = 0.6, {"lr": 0.1}, itertools.count(1)

    def step(self, gain: float = 0.05) -> keep.Decision:
        """One candidate that is better by this much."""
        score, config = self.at + gain, {"lr": 0.1 + next(self.n)}
        measure = self.world.measure({"score": score, "sd": self.sd}, {"score": self.at, "sd": self.sd})
        arm = self.world.arm(self.gate.seeds, score=score, sd=self.sd)
        decision = self.gate.decide(arm, ran(config, self.config), measure=measure)
        if decision.kept:
            self.at, self.config = score, config
        return decision


CAPPED = {"speed": keep.Speed(plausible_ceiling=0.99)}
STEADY = [50.0] * 5


def test_six_keeps_in_a_row_are_a_pause_and_an_abort_ends_no_row() -> None:
    campaign = Campaign(CAPPED)
    for _ in range(5):
        assert campaign.step().pause is None
    broken = campaign.world.arm(range(2))
    assert campaign.gate.decide(broken, ran({"lr": -1}, campaign.config)).word == "ABORT"
    sixth = campaign.step()
    assert sixth.kept
    assert sixth.pause is not None
    assert sixth.pause.reason == "6 keeps in a row; at a keep rate of .2, 6 are expected .005 times in 100 decisions"
    assert sixth.verdicts[-1].reason.startswith("paused for a person: 6 keeps in a row")


def test_a_revert_ends_the_row() -> None:
    campaign = Campaign(CAPPED)
    for gain in (0.04, 0.04, 0.04, 0.04, 0.04, 0, 0.04):
        assert campaign.step(gain).pause is None


def test_a_pause_shows_what_a_person_decides_on() -> None:
    campaign = Campaign({"speed": keep.Speed(plausible_ceiling=0.68)})
    first, second = campaign.step(), campaign.step()
    assert first.pause is None
    assert second.pause is not None
    assert second.pause.reason.endswith("is better than the plausible ceiling of 0.68")
    assert (second.pause.bundle["of"], second.pause.bundle["straight"]) == (2, 2)
    shown = second.pause.bundle["keeps"][1]
    assert shown["diff"] == "lr: 1.1 -> 2.1"
    assert shown["holdout_pass"] is True
    assert shown["gaps"]["response"] == pytest.approx(1.2, abs=0.01)
    assert shown["deltas"] == second.deltas
    assert shown["effect"] == second.numbers["effect"]


def test_while_it_is_paused_nothing_is_decided_and_nothing_is_counted() -> None:
    campaign = Campaign({"speed": keep.Speed(plausible_ceiling=0.62)})
    assert campaign.step().pause is not None
    before = campaign.gate.state()
    decision = campaign.step()
    assert (decision.word, decision.needs) == ("ABORT", None)
    assert decision.reason.startswith("nothing is decided until a person acknowledges: score 0.6")
    assert campaign.gate.state() == before


def test_only_a_person_who_read_it_lifts_a_pause_and_only_up_to_a_value() -> None:
    campaign = Campaign({"speed": keep.Speed(plausible_ceiling=0.62)})
    pause = campaign.step().pause
    assert pause is not None
    lift = campaign.gate.ack
    for change, said in (
        ({"nonce": "0" * 8}, "the nonce is not the one"),
        ({"by": " "}, "says who looked, and when"),
        ({"at": ""}, "says who looked, and when"),
        ({"up_to": math.nan}, "up_to is nan"),
        ({"up_to": True}, "up_to is True"),
        ({"up_to": 0.5}, r"up to 0\.5 covers nothing: the campaign stands at 0\.6"),
    ):
        with pytest.raises(GateError, match=said):
            lift(**{**ACK, "nonce": pause.nonce, "up_to": 0.72, **change})
    lift(**ACK, nonce=pause.nonce, up_to=0.72)
    assert campaign.gate.state()["acks"][0]["by"] == "Ada"
    with pytest.raises(GateError, match="nothing is paused"):
        lift(**ACK, nonce=pause.nonce, up_to=0.72)
    assert campaign.step(0.04).pause is None  # .69
    again = campaign.step(0.06).pause  # .75
    assert again is not None
    assert len(again.bundle["keeps"]) == 2  # since somebody looked


def test_a_known_value_that_is_beaten_is_a_pause() -> None:
    campaign = Campaign({"speed": keep.Speed(plausible_ceiling=0.9, references={"the mean-shift predictor": 0.63})})
    pause = campaign.step().pause
    assert pause is not None
    assert pause.reason.endswith(" is better than the mean-shift predictor (0.63)")


def test_without_history_or_cap_a_large_gain_is_a_pause() -> None:
    campaign = Campaign({"speed": keep.Speed()})
    pause = campaign.step(0.2).pause
    assert pause is not None
    assert pause.reason.startswith("uncalibrated (0 finished campaigns, 5 needed, and neither max_gain_per_window nor")
    assert "is beyond 4 sd sqrt 2 = " in pause.reason


def test_without_history_or_cap_the_fifth_keep_is_a_pause() -> None:
    # Eighty seeds find a gain of one standard deviation; five of those stay below 4 sqrt 2 = 5.66 of them.
    campaign = Campaign({"speed": keep.Speed(), "n": 80}, sd=0.02)
    for _ in range(4):
        decision = campaign.step(0.02)
        assert (decision.kept, decision.pause) == (True, None)
    pause = campaign.step(0.02).pause
    assert pause is not None
    assert pause.reason.endswith("neither max_gain_per_window nor plausible_ceiling): 5 keeps")


def test_more_than_the_declared_gain_in_a_window_is_a_pause() -> None:
    campaign = Campaign({"speed": keep.Speed(max_gain_per_window=0.12)})
    assert campaign.step().pause is None
    assert campaign.step().pause is None
    pause = campaign.step().pause
    assert pause is not None
    assert pause.reason.endswith(" was gained within 12 decisions; 0.12 is declared as the most")


def test_the_rate_is_the_most_gained_in_one_window_in_units_of_noise() -> None:
    # 14 points: +1 at each of the first two steps, +3 at the last; windows of 12 reach back 12 decisions.
    best = [0.0, 1, *[2.0] * 11, 5.0]
    assert keep.rate(best, 0.5) == (5.0 - 1.0) / 0.5
    assert keep.rate([3.0], 0.5) == 0
    assert keep.rate([], 0.5) == 0


def test_a_campaigns_rate_counts_in_the_larger_of_noise_and_least_effect() -> None:
    campaign = Campaign({**CAPPED, "min_effect": 0.02})
    assert campaign.gate.rate == 0
    first, second = campaign.step(), campaign.step()
    start, now = (
        fmean(r["metrics"]["score"] for r in arm)
        for arm in (campaign.gate.state()["baseline"], campaign.gate.state()["incumbent"]["arm"])
    )
    assert (first.kept, second.kept) == (True, True)
    assert campaign.gate.rate == pytest.approx((now - start) / 0.02)


def test_the_prediction_limit_is_that_of_log_normal_campaigns_capped() -> None:
    close = [10.0, 10.1, 10.2, 9.9, 9.8, 10.0]
    logs = [math.log(h) for h in close]
    mean = sum(logs) / 6
    sd = math.sqrt(sum((x - mean) ** 2 for x in logs) / 5)
    by_hand = math.exp(mean + reference.t.ppf(0.99, 5) * sd * math.sqrt(1 + 1 / 6))
    assert speed.prediction_limit(close) == pytest.approx(by_hand)
    assert speed.prediction_limit([1.0, 3.0, 9.0, 2.0, 5.0]) == 13.5  # 1.5 times the fastest, far below exp(4.1 sd)


@pytest.mark.parametrize(
    ("history", "said"),
    [
        ([0.5] * 5, "from 5 finished campaigns at most 0.5 is expected"),
        ([0.5] * 19, "gains faster than all but 5.0% of 19 finished campaigns"),
        ([900.0, *[0.5] * 18], None),
        ([50.0] * 5, None),
        ([50.0] * 19, None),
    ],
)
def test_a_gain_is_compared_with_the_finished_campaigns(history: list[float], said: str | None) -> None:
    pause = Campaign({"speed": keep.Speed()}, history=history).step(0.1).pause
    assert (pause is None) == (said is None)
    if pause is not None and said is not None:
        assert said in pause.reason


def test_an_error_while_asking_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> float:
        raise ZeroDivisionError("noise of 0")

    monkeypatch.setattr(speed, "rate", broken)
    pause = Campaign(CAPPED).step().pause
    assert pause is not None
    assert pause.reason == "how fast this campaign gains could not be judged (ZeroDivisionError: noise of 0)"


# The ladder.
def _arm(*values: float) -> Any:
    return read(dict(enumerate(values)), {"pds": (0, 1)}, "pds")[0]


def test_only_a_clear_gain_moves_what_is_compared_with() -> None:
    # Baseline .4 .5 .6: mean .5, sd .1, se .0577; eta one se; tolerance t(.95, 2 df) = 2.920 times sqrt 2 se: .2384
    ladder = holdout.begin(HOLDOUT, _arm(0.4, 0.5, 0.6))
    assert ladder.eta == pytest.approx(0.05774, abs=1e-5)
    assert ladder.tolerance == pytest.approx(0.2384, abs=1e-4)
    for at, passes, released in ((0.54, True, 0.5), (0.57, True, 0.57), (0.34, True, 0.57), (0.33, False, 0.57)):
        found, ladder = holdout.bit(HOLDOUT, ladder, _arm(at, at, at))
        assert (found.word is None) == passes
        assert ladder.released == pytest.approx(released)


def test_small_steps_down_end_at_the_tolerance_and_not_at_the_last_keep() -> None:
    ladder = holdout.begin(HOLDOUT, _arm(0.4, 0.5, 0.6))
    bits = []
    for at in (0.42, 0.34, 0.28, 0.24, 0.20):
        found, ladder = holdout.bit(HOLDOUT, ladder, _arm(at, at, at))
        bits.append(found.word is None)
    assert bits == [True, True, True, False, False]


def test_a_candidate_cannot_widen_its_own_tolerance() -> None:
    ladder = holdout.begin(HOLDOUT, _arm(0.4, 0.5, 0.6))
    found, _ = holdout.bit(HOLDOUT, ladder, _arm(0.0, 0.1, 0.6))
    assert found.word == "REVERT"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("nothing here", None),
        ("loss 0.512346", 1),
        ("step 1\nloss 0.51234", None),  # five digits alone are met by chance
        ("step 1\npds: 0.512", 2),
        ("PDS=51.2%", 1),
        ("pds about 0.51", None),
        ("the answer is 51.23456 percent", 1),
        ("-0.5123457", 1),
        ("5.123456e-1", 1),
        ("hash 0x512345, version 1.0.5123456", None),
        ("pds 0.640", None),
    ],
)
def test_a_value_of_the_holdout_in_a_text_is_a_leak(text: str, line: int | None) -> None:
    settings = keep.GateSettings(**SETTINGS)
    found = holdout.leaks(settings, Ladder(0.9, 0.1, 0.1, (0.512345678, 0.9)), ("harmless", text))
    assert (found is None) == (line is None)
    if found is not None:
        assert found.verdict.reason.endswith(f"(text 2, line {line}); replace the holdout")


def test_a_leak_aborts_before_anything_else_is_asked() -> None:
    world = World(9)
    measured = world.holdout()
    gate = world.gate(holdout=measured)
    shown = (f"best so far 0.7\nheld out: {measured[3]!r}",)
    decision = gate.decide(world.arm(gate.seeds, score=0.7), ran(shown=shown))
    assert decision.word == "ABORT"
    assert decision.reason == (
        "leaks: a value of the holdout was shown to the proposer (text 1, line 2); replace the holdout"
    )
    assert gate.ledger == ()


def test_texts_that_were_not_handed_over_cannot_be_searched() -> None:
    world = World(9)
    gate = world.gate()
    assert gate.decide(world.arm(gate.seeds, score=0.7), ran(shown=None)).reason.startswith("leaks: the texts shown")
    gate = world.gate({"without": {"leaks": "the proposer sees no text of ours"}})
    assert gate.decide(world.arm(gate.seeds, score=0.7), ran(shown=None)).needs
