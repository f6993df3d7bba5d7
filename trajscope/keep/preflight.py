"""Before anything is paid for: whether the baseline can be judged, and whether the guards catch what is bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from trajscope.errors import GateError, GuardVacuousError
from trajscope.keep import arms, bounds, evidence, holdout, judge
from trajscope.keep.arms import Arm, Seeds
from trajscope.keep.finding import passed
from trajscope.keep.ran import Config, name
from trajscope.keep.settings import GateSettings, number, text
from trajscope.keep.state import Anchor, Incumbent, Ladder, State
from trajscope.verdict import Level, Verdict

RULE = "keep.preflight"
LEAST_PAIRS = 10  # that show a pairing valid

Values = Seeds | Mapping[str, float]  # of a degenerate predictor: its seeds, or its metrics where it has no seeds


class Start(NamedTuple):
    """What a campaign begins with."""

    baseline: Seeds
    degenerates: Mapping[str, Values] | None
    config: Config | None
    hashes: Mapping[str, str] | None
    replicates: Mapping[str, Seeds] | None
    pairing: tuple[Seeds, Seeds] | None
    history: Sequence[float]
    holdout: Seeds | None


def begin(settings: GateSettings, start: Start) -> tuple[State, tuple[Verdict, ...]]:
    """The state of a campaign that may begin, with what was checked; a GateError where it may not."""
    arm, finding = judge.validity(settings, start.baseline)
    if finding.word:
        raise GateError(f"the baseline cannot be judged: {finding.verdict.reason}")
    primary = settings.primary.name
    if not evidence.pooled([arms.values(arm, primary)]).ss > 0:
        raise GateError(f"{primary} is the same on all {len(arm)} seeds of the baseline; noise that is 0 tests nothing")
    replicates = {n: arms.values(_arm(settings, n, g, [primary]), primary) for n, g in (start.replicates or {}).items()}
    differences = _pairing(settings, start.pairing)
    degenerates = {n: _means(settings, n, g) for n, g in (start.degenerates or {}).items()}
    used = {r.seed for r in arm}
    state = State(
        settings=settings.hash,
        test=_test(settings, replicates, differences),
        hashes=_hashes(settings, start.hashes),
        baseline=arm,
        replicates=replicates,
        differences=differences,
        degenerates={n: d for n, (d, _) in degenerates.items()},
        incumbent=Incumbent(_config(settings, start.config), arm),
        anchors={g.metric: Anchor(arms.mean(arm, g.metric), arms.mean(arm, g.metric)) for g in settings.guards},
        ladder=_ladder(settings, start.holdout),
        history=tuple(number(h, "a finished campaign's rate") for h in start.history),
        used=used,
        best=[arms.mean(arm, primary)],
    )
    said = [finding.verdict, *_guards(settings, arm, {n: a for n, (_, a) in degenerates.items()})]
    if settings.margins and not degenerates:
        raise GateError("a margin needs degenerate predictors to be above; measure one that ignores its input")
    return state, tuple(said)


def _guards(settings: GateSettings, baseline: Arm, degenerates: Mapping[str, Arm]) -> list[Verdict]:
    """Whether every guard moves, and each degenerate predictor is refused by one of them."""
    if not settings.guards:
        return []
    if not degenerates:
        raise GateError("guards are tried on degenerate predictors, and none was measured; measure one")
    for g in settings.guards:
        found = {arms.mean(a, g.metric) for a in (baseline, *degenerates.values())}
        if len(found) == 1:
            names = " and ".join(degenerates)
            raise GuardVacuousError(
                f"guard {g.metric} is {found.pop():g} for the baseline and for {names}: it cannot move"
            )
    said = []
    for who, arm in degenerates.items():
        caught = [why for g in settings.guards if (why := bounds.broken(g, arm))]
        if not caught:
            seen = ", ".join(f"{g.metric} {arms.mean(arm, g.metric):.4g} ({g.side} {g.bound})" for g in settings.guards)
            raise GuardVacuousError(f"every guard lets {who} pass: {seen}; tighten one, or add one that catches it")
        said.append(passed(RULE, f"{who} is caught: {caught[0]}").verdict)
    said += [
        Verdict(RULE, Level.WARN, f"the baseline itself is refused: {why}")
        for g in settings.guards
        if (why := bounds.broken(g, baseline))
    ]
    return said


def _means(settings: GateSettings, who: str, given: Values) -> tuple[dict[str, float], Arm]:
    wanted = sorted({g.metric for g in settings.guards} | {m.metric for m in settings.margins})
    plain = isinstance(given, Mapping) and all(isinstance(k, str) for k in given)
    arm = _arm(settings, who, {0: given} if plain else given, wanted)
    return {m: arms.mean(arm, m) for m in wanted}, arm


def _arm(settings: GateSettings, who: str, given: object, wanted: Sequence[str]) -> Arm:
    arm, faults = arms.read(given, {m: settings.ranges[m] for m in wanted}, settings.primary.name)
    if faults or not arm:
        raise GateError(f"{who} cannot be judged: {faults[0] if faults else 'it has no seeds'}")
    return arm


def _pairing(settings: GateSettings, given: tuple[Seeds, Seeds] | None) -> list[float]:
    if given is None:
        return []
    primary = settings.primary.name
    a, b = ({r.seed: r.metrics[primary] for r in _arm(settings, "the pairing", g, [primary])} for g in given)
    shared = sorted(a.keys() & b.keys())
    if len(shared) < LEAST_PAIRS:
        raise GateError(f"the pairing shares {len(shared)} seeds; {LEAST_PAIRS} show whether seeds control the noise")
    r = evidence.correlation([a[s] for s in shared], [b[s] for s in shared])
    if not r > 0:
        raise GateError(f"the pairing is not valid: over {len(shared)} shared seeds the correlation is {r:.2f}")
    return [settings.sign * (a[s] - b[s]) for s in shared]


def _test(
    settings: GateSettings, replicates: Mapping[str, list[float]], differences: list[float]
) -> Literal["welch", "moderated", "paired"]:
    """The one test of the campaign: it is chosen here, and never replaced by another."""
    pool = evidence.pooled(list(replicates.values()))
    if settings.test == "paired" and not differences:
        raise GateError(f"a paired test needs a pairing shown valid on {LEAST_PAIRS} shared seeds; hand over pairing=")
    if settings.test == "moderated" and not pool.ss > 0:
        raise GateError("a moderated test needs replicates of another configuration that vary; hand over replicates=")
    if settings.test == "auto":
        return "moderated" if pool.ss > 0 else "welch"
    return settings.test


def _hashes(settings: GateSettings, given: Mapping[str, str] | None) -> dict[str, str] | None:
    if "integrity" in settings.without:
        return None
    if not given or not all(map(text, given.values())):
        raise GateError(
            "the hashes of evaluator and data are missing; hand over hashes={'evaluator': ..., 'data': ...}"
        )
    return dict(given)


def _config(settings: GateSettings, given: Config | None) -> str | None:
    found = name(given)
    if found is None and "integrity" not in settings.without:
        raise GateError("the baseline's configuration is not known; hand it over as config=, whole or as its hash")
    return found


def _ladder(settings: GateSettings, given: Seeds | None) -> Ladder | None:
    if settings.holdout is None:
        return None
    h = settings.holdout
    arm, faults = arms.read(given, {h.metric: h.within}, h.metric)
    if why := "; ".join(faults[:1]) or arms.too_few(arm, settings.n):
        raise GateError(f"the baseline's holdout cannot be judged: {why}")
    return holdout.begin(h, arm)
