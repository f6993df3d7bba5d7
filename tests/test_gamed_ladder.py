"""The metric gamer, played again with real trainings: seven edits that pull the answer to the mean shift.

A gate that only asks whether the score is significantly better keeps all seven, and the model it ends with ignores its
input. Ours, declared as the domain declares it, must stop before that, and must not stop who really improves the model.
Planted and seen to fail: see each test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, NamedTuple

import msgspec
import pytest
from scipy import stats
from trainings import Seeds, trained

from trajscope import Level, TrajscopeError, analysis, config_hash, keep, rules
from trajscope.metrics import METRICS
from trajscope.pair import canon, pair
from trajscope.run import Run
from trajscope.trial import Header, Measure, MetricSpec, Seed, Trial
from trajscope_loop.domains import perturbation

pytestmark = pytest.mark.timeout(240)  # real trainings: seconds on a quiet machine, minutes on one that is shared

LADDER = tuple({"blend": b} for b in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0))
HONEST = (
    *({"gene_wd": 1.0}, {"gene_wd": 3.0}, {"hidden": 16}, {"gene_wd": 10.0}, {"lr": 0.03}, {"gene_wd": 20.0}),
    *({"wd": 5.0}, {"gene_wd": 40.0}, {"noise_weight": True}),
)
LOOSE = ("margins", "holdout", "confirmation", "incumbent", "variance")
HIDDEN = "holdout_"
HASHES = {"evaluator": "perturbation", "data": str(perturbation.DATA_SEED)}


class Path(NamedTuple):
    """Where a gate let a series of edits go."""

    words: tuple[str, ...]
    reasons: tuple[str, ...]
    config: Mapping[str, Any]
    paused: str | None

    @property
    def kept(self) -> int:
        return self.words.count("KEEP")

    def ends(self, metric: str) -> float:
        """The mean over five seeds of what stands in the end."""
        return fmean(s[metric] for s in trained(self.config).values())


def open_gate(edits: Iterable[Mapping[str, Any]]) -> Path:
    """Welch's test below .05 and Cohen's d above .3, as published, with the guard left unset: so there is no guard."""
    config: dict[str, Any] = {}
    words = []
    for edit in edits:
        old, new = ([s["pearson_deg"] for s in trained(c).values()] for c in (config, {**config, **edit}))
        d = (fmean(new) - fmean(old)) / ((stats.tvar(old) + stats.tvar(new)) / 2) ** 0.5
        better = stats.ttest_ind(new, old, equal_var=False).pvalue < 0.05 and d > 0.3
        words.append("KEEP" if better else "REVERT")
        config |= edit if better else {}
    return Path(tuple(words), (), config, None)


def settings(**changed: Any) -> keep.GateSettings:
    """The gate as the domain declares it, everything else at its default."""
    return msgspec.structs.replace(keep.declared({**perturbation.GATE}), **changed)


def ours(
    edits: Iterable[Mapping[str, Any]], declared: keep.GateSettings | None = None, *, careless: bool = False
) -> Path:
    """The gate of trajscope in charge of the same edits, with whatever it asks for really trained.

    It ends where the gate asks for a person; a careless one waves everything through.
    """
    declared = declared or settings()
    gate = keep.Gate(declared)
    config: dict[str, Any] = {}
    gate.start(
        baseline=shown(trained(config, range(declared.n))),
        degenerates={name: visible(scores) for name, scores in perturbation.degenerates().items()},
        config=whole(config),
        hashes=HASHES,
        holdout=held(trained(config, range(declared.n))) if declared.holdout else None,
    )
    words, reasons = [], []
    for edit in edits:
        if gate.pause is not None:
            if not careless:
                break
            gate.ack(by="somebody", at="2026-01-01T03:00:00.000Z", nonce=gate.pause.nonce, up_to=1.0)
        proposed = {**config, **edit}

        def measure(need: keep.Need, standing: Mapping[str, Any] = config, new: Mapping[str, Any] = proposed) -> Any:
            if need.what == "holdout":
                return held(trained(new, need.seeds))
            return shown(trained(standing if need.what == "incumbent" else new, need.seeds))

        ran = keep.Ran(
            proposed=whole(proposed),
            effective=whole(proposed),
            parent=whole(config),
            hashes=HASHES,
            seen=0,
            shown=(),
        )
        decision = gate.decide(shown(trained(proposed, gate.seeds)), ran, measure=measure)
        words.append(decision.word)
        reasons.append(decision.reason)
        config = proposed if decision.kept else config
    return Path(tuple(words), tuple(reasons), config, gate.pause.reason if gate.pause else None)


def whole(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**perturbation.BASE, **config}


def visible(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if not name.startswith(HIDDEN)}


def shown(seeds: Seeds) -> list[dict[str, Any]]:
    """Seed results without the holdout."""
    return [
        {"seed": seed, "status": "ok", "metrics": visible(scores), "first_step": scores["first_loss"]}
        for seed, scores in seeds.items()
    ]


def held(seeds: Seeds) -> list[dict[str, Any]]:
    """Seed results of the holdout alone."""
    name = perturbation.GATE["holdout"]["metric"]
    return [{"seed": seed, "status": "ok", "metrics": {name: scores[name]}} for seed, scores in seeds.items()]


def test_the_open_gate_keeps_all_seven_and_ends_with_a_dead_model() -> None:
    path = open_gate(LADDER)
    assert path.kept == 7
    assert path.ends("pearson_deg") == pytest.approx(0.861, abs=0.001)
    assert path.ends("response_ratio") == pytest.approx(0, abs=1e-9)


def test_ours_asks_for_a_person_within_two_keeps() -> None:
    path = ours(LADDER)
    assert path.paused is not None
    assert path.paused.startswith("uncalibrated (0 finished campaigns")
    assert 1 <= path.kept <= 2
    assert path.ends("response_ratio") > 1.5


def test_ours_refuses_before_the_model_dies_even_with_a_person_who_waves_everything_through() -> None:
    path = ours(LADDER, careless=True)
    assert path.words[-1] == "REVERT"
    assert path.reasons[-1].startswith("guards: ")
    assert path.ends("response_ratio") > 0.5
    assert path.ends("direction_acc") > 0.7


@pytest.mark.parametrize("alone", ["direction_acc", "response_ratio", "margins", "holdout"])
def test_each_declared_check_alone_refuses_the_dead_model(alone: str) -> None:
    s = settings()
    guards = tuple(g for g in s.guards if g.metric == alone)
    others = {"guards": not guards, "margins": alone != "margins", "holdout": alone != "holdout", "variance": True}
    declared = settings(
        guards=guards,
        margins=() if others["margins"] else s.margins,
        holdout=None if others["holdout"] else s.holdout,
        without=dict.fromkeys((part for part, gone in others.items() if gone), "to see another one alone"),
    )
    path = ours([{"blend": 1.0}], declared)
    assert path.words == ("REVERT",)
    assert alone in path.reasons[0]


def test_a_gate_with_loosened_guards_stops_at_the_sixth_straight_keep() -> None:
    s = settings()
    declared = settings(
        guards=tuple(msgspec.structs.replace(g, floor=low) for g, low in zip(s.guards, (0.0, 0.001), strict=True)),
        margins=(),
        holdout=None,
        n=8,  # with five seeds one of the six steps is lost in the noise, and with it the row of keeps
        alpha=0.05,
        speed=keep.Speed(plausible_ceiling=1.0),  # so that only the staircase is left to speak
        without=dict.fromkeys(LOOSE, "somebody found the gate too strict"),
    )
    path = ours([{"blend": b} for b in (0.15, 0.3, 0.42, 0.52, 0.62, 0.75, 1.0)], declared)
    assert path.words == ("KEEP",) * 6  # the seventh, which kills the model, is never asked
    assert path.paused is not None
    assert path.paused.startswith("6 keeps in a row")
    assert path.ends("response_ratio") > 0.5


def test_guards_loosened_to_nothing_are_an_error_before_anything_is_trained() -> None:
    nothing = tuple(msgspec.structs.replace(g, floor=0.0) for g in settings().guards)
    with pytest.raises(TrajscopeError, match="lets zero_effect pass"):
        ours(LADDER, settings(guards=nothing))


def test_one_innocent_edit_that_kills_the_model_is_refused_and_the_open_gate_keeps_it() -> None:
    edit = [{"wd": 160.0}]
    assert open_gate(edit).words == ("KEEP",)
    path = ours(edit)
    assert path.words == ("REVERT",)
    assert path.reasons[0].startswith("guards: ")


def test_who_really_improves_the_model_gets_the_keeps() -> None:
    path = ours(HONEST, careless=True)
    assert path.kept >= 3
    assert path.ends("pearson_deg") > 0.88
    assert path.ends("response_ratio") > 1
    assert path.ends("holdout_pds") > 0.92
    assert path.ends("pearson_specific") > 0.4  # more than twice the start's .205


# --- what the rules say of a file that somebody else's loop left behind -----------------------------------------------


def told(edits: Iterable[Mapping[str, Any]]) -> dict[str, Level]:
    """Each rule's word on the campaign that the open gate makes of these edits, everything recorded."""
    guards = tuple(MetricSpec(g["metric"], "guard", "maximize", floor=g["floor"]) for g in perturbation.GATE["guards"])
    head = Header(
        run_id="open",
        metric="pearson_deg",
        goal="maximize",
        base=whole({}),
        base_id=config_hash(whole({})),
        metrics=(*guards, MetricSpec("holdout_pds", "holdout", "maximize")),
    )
    played = Run(head, METRICS)
    first = results({})
    played.take(Measure(seq=1, what="baseline", value=score(first), config=head.base_id, seeds=first))
    config: dict[str, Any] = {}
    for seq, (edit, word) in enumerate(zip(edits, open_gate(edits).words, strict=True), 2):
        proposed = {**config, **edit}
        seeds = results(proposed)
        played.take(
            Trial(
                seq=seq,
                at=seq,
                status="kept" if word == "KEEP" else "reverted",
                pair=pair(canon(knob, value) for knob, value in edit.items()),
                value=score(seeds),
                base=config_hash(whole(config)),
                based=True,
                config=config_hash(whole(proposed)),
                seeds=seeds,
                metrics={name: fmean(s.metrics[name] for s in seeds) for name in seeds[0].metrics},
            )
        )
        config = proposed if word == "KEEP" else config
    return {v.rule: v.level for v in rules.judge(played, analysis.values(played, quick=True))}


def results(config: Mapping[str, Any]) -> tuple[Seed, ...]:
    return tuple(
        Seed(seed, scores["pearson_deg"], first_step=scores["first_loss"], metrics=scores)
        for seed, scores in trained(config).items()
    )


def score(seeds: tuple[Seed, ...]) -> float:
    return fmean(s.metrics["pearson_deg"] for s in seeds)


def test_the_detectors_speak_of_the_ladder_that_the_open_gate_climbed_and_not_of_the_honest_path() -> None:
    alarms = ("guards", "divergence", "guard_margin", "variance_collapse", "staircase")
    gamed, honest = told(LADDER), told(HONEST)
    assert [gamed[name] for name in alarms] == [Level.FAIL] * len(alarms)
    assert Level.FAIL not in honest.values()
