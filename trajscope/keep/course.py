"""The course of one decision: the steps in their order, what still has to be measured, and what is remembered of it.

First failure wins. Whoever stops half-way has aborted: while something is needed the word is ABORT.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence

from msgspec.structs import replace

from trajscope.keep import arms, bounds, holdout, judge, speed
from trajscope.keep.arms import Arm, Seeds
from trajscope.keep.decision import Decision, Need, Pause, Stage, Word
from trajscope.keep.evidence import Result
from trajscope.keep.finding import Finding, abort, passed
from trajscope.keep.ran import Ran, diff, integrity, name
from trajscope.keep.settings import GateSettings
from trajscope.keep.state import Anchor, Incumbent, Pending, State, Test
from trajscope.verdict import Level, Verdict

MOST = 20  # keeps that a pause shows
MOST_DIFF = 20_000  # letters of a diff that a pause shows


def screen(settings: GateSettings, state: State, seeds: Seeds, ran: Ran) -> Decision:
    """Steps 0 to 6 on a candidate's first seeds. One that was left undecided is forgotten, but for its test."""
    if state.pause is not None:
        why = f"nothing is decided until a person acknowledges: {state.pause.reason}"
        return Decision("ABORT", why, (*without(settings), Verdict("keep.pause", Level.FAIL, why)), {})
    arm, valid = judge.validity(settings, seeds)
    found = [integrity(settings, state, ran, arm)]
    state.used.update(r.seed for r in arm)
    if state.ladder is not None and (leak := holdout.leaks(settings, state.ladder, ran.shown)):
        found.append(leak)
    found.append(valid)
    for step in (bounds.guards, bounds.margins):
        if not _word(found):
            found.append(step(settings, state, arm))
    judged = () if valid.word else arm
    p = Pending(what="confirm", seeds=(), config=name(ran.effective), diff=diff(ran), screen=judged)
    if not _word(found):
        found += _compare(settings, state, p, arm, state.incumbent.arm, settings.alpha)
    return _go_on(settings, state, p, found)


def more(settings: GateSettings, state: State, seeds: Seeds) -> Decision:
    """What was asked for: the candidate or the incumbent on fresh seeds, or the holdout."""
    p = state.pending
    assert p is not None
    return {"confirm": _confirm, "incumbent": _incumbent, "holdout": _holdout}[p.what](settings, state, p, seeds)


def give_up(settings: GateSettings, state: State, why: str) -> Decision:
    """Abort the candidate that waits, since what it waits for cannot be had."""
    p = state.pending
    assert p is not None
    return _go_on(settings, state, p, [abort(f"keep.{p.what}", why)])


def without(settings: GateSettings) -> tuple[Verdict, ...]:
    """What the gate goes without, and why: said in every decision."""
    return tuple(
        Verdict("keep.without", Level.WARN, f"without {part}: {reason}")
        for part, reason in sorted(settings.without.items())
    )


def fresh(settings: GateSettings, state: State) -> tuple[int, ...]:
    """Seeds that nothing was measured on."""
    return tuple(itertools.islice((i for i in itertools.count() if i not in state.used), settings.n))


def _confirm(settings: GateSettings, state: State, p: Pending, seeds: Seeds) -> Decision:
    """Step 7, first half: the candidate on fresh seeds, guards and margins once more."""
    arm, valid = judge.validity(settings, seeds, used=state.used)
    state.used.update(r.seed for r in arm)
    found = [valid]
    for step in (bounds.guards, bounds.margins):
        if not _word(found):
            found.append(step(settings, state, arm))
    p = p if valid.word else replace(p, confirm=arm)
    return _go_on(settings, state, p, found, "confirm")


def _incumbent(settings: GateSettings, state: State, p: Pending, seeds: Seeds) -> Decision:
    """Step 6, second half: the incumbent once more, so that no candidate profits from its unlucky first draw."""
    arm, valid = judge.validity(settings, seeds, used=state.used - {r.seed for r in p.confirm or ()})
    state.used.update(r.seed for r in arm)
    p = p if valid.word else replace(p, again=arm)
    return _go_on(settings, state, p, [valid], "incumbent")


def _holdout(settings: GateSettings, state: State, p: Pending, seeds: Seeds) -> Decision:
    """Step 8: one bit."""
    h, ladder = settings.holdout, state.ladder
    assert h is not None
    assert ladder is not None
    arm, faults = arms.read(seeds, {h.metric: h.within}, h.metric)
    wanted = {r.seed for r in p.confirm or p.screen}
    if not faults and {r.seed for r in arm} != wanted:
        faults = ["it was measured on other seeds than were asked for"]
    if faults:
        # Its values must not be told, so neither is what was wrong with them.
        why = f"it could not be judged: {len(faults)} of {len(wanted)} seeds at fault"
        return _go_on(settings, state, p, [abort(holdout.RULE, why)])
    found, state.ladder = holdout.bit(h, ladder, arm)
    sealed = {h.metric: arms.mean(arm, h.metric), "seeds": {str(r.seed): r.metrics[h.metric] for r in arm}}
    decision = _go_on(settings, state, replace(p, asked=True), [found])
    return decision._replace(holdout_pass=found.word is None, sealed=sealed)


def _go_on(settings: GateSettings, state: State, p: Pending, found: Sequence[Finding], stage: str = "") -> Decision:
    """What comes after these findings: the end, or the next thing that is missing."""
    end = next((i for i, f in enumerate(found, 1) if f.word is not None), None)
    found = found[:end]  # first failure wins
    prefix = f"{stage}." if stage else ""
    said = [f.verdict._replace(rule=f"keep.{stage}") if stage else f.verdict for f in found]
    numbers = {f"{prefix}{k}": v for f in found for k, v in f.numbers.items()}
    p = replace(p, verdicts=(*p.verdicts, *said), numbers={**p.numbers, **numbers})
    word = _word(found)
    return _next(settings, state, p) if word is None else _close(settings, state, p, word)


def _next(settings: GateSettings, state: State, p: Pending) -> Decision:
    """Ask for the next thing that is missing, or decide."""
    if p.confirm is None and "confirmation" not in settings.without:
        return _ask(settings, state, p, "confirm", fresh(settings, state))
    if p.again is None and "incumbent" not in settings.without:
        seeds = tuple(r.seed for r in p.confirm) if p.confirm else fresh(settings, state)
        return _ask(settings, state, p, "incumbent", seeds)
    if not p.compared and (p.confirm or p.again):
        new, old = p.confirm or p.screen, p.again or state.incumbent.arm
        found = _compare(settings, state, p, new, old, settings.confirm_alpha)
        return _go_on(settings, state, replace(p, compared=True), found, "confirm")
    if settings.holdout is None or state.ladder is None or p.asked:
        return _keep(settings, state, p)
    if spent := holdout.spent(settings.holdout, state.ladder):
        return _go_on(settings, state, p, [spent])
    # Counted when it is asked for: an answer that got lost may have been seen.
    state.ladder = replace(state.ladder, queries=state.ladder.queries + 1)
    return _ask(settings, state, p, "holdout", tuple(r.seed for r in p.confirm or p.screen))


def _compare(settings: GateSettings, state: State, p: Pending, new: Arm, old: Arm, alpha: float) -> list[Finding]:
    """Steps 4 to 6 on two arms; the first comparison of a candidate is a line of the ledger."""
    result, collapsed, tested = judge.better(settings, state, new, old, alpha)
    found = [tested]
    if result is None:
        return found
    if not p.confirm and not p.again:
        found.insert(0, _count(state, p.config, result, alpha))
    if not tested.word:
        found.append(judge.enough(settings, state, result, new, old))
    if collapsed and not _word(found) and (why := _unwatched(settings)):
        found.append(abort(judge.TEST, f"{tested.verdict.reason}; withheld: {why}"))
    return found


def _count(state: State, config: str | None, result: Result, alpha: float) -> Finding:
    """Step 6: one more test, and how many false keeps so many tests let expect."""
    if config is not None:
        state.tried[config] = state.tried.get(config, 0) + 1
    n, spent = len(state.ledger) + 1, (state.ledger[-1].alpha_spent if state.ledger else 0.0) + alpha
    state.ledger.append(
        Test(n=n, config=config, test=result.test, delta=result.delta, p=result.p, alpha=alpha, alpha_spent=spent)
    )
    why = f"test {n} of this campaign; of so many at most {spent:.3g} pass by chance before they are confirmed"
    return passed("keep.multiplicity", why, tests=n, alpha_spent=spent)


def _unwatched(settings: GateSettings) -> str | None:
    """Why a collapse of the seed spread cannot be looked into."""
    if settings.holdout is None:
        return "no holdout can say whether the model still works"
    if not any(g.kind == "diversity" for g in settings.guards):
        return "no diversity guard can say whether the model still looks at its input"
    return None


def _ask(settings: GateSettings, state: State, p: Pending, what: Stage, seeds: tuple[int, ...]) -> Decision:
    p = state.pending = replace(p, what=what, seeds=seeds)
    config = state.incumbent.config if what == "incumbent" else p.config
    shown = ", ".join(map(str, seeds))
    why = f"undecided: {_ASKED[what]} on seeds {shown}"
    return Decision(
        "ABORT",
        why,
        (*without(settings), *p.verdicts, Verdict(f"keep.{what}", Level.UNKNOWN, why)),
        p.numbers,
        _deltas(settings, state, p),
        Need(what, config, seeds),
    )


_ASKED = {
    "confirm": "measure the candidate once more",
    "incumbent": "measure the incumbent once more",
    "holdout": "measure the candidate's holdout",
}


def _close(settings: GateSettings, state: State, p: Pending, word: Word) -> Decision:
    """The candidate is not kept."""
    deltas = _deltas(settings, state, p)
    state.pending = None
    if p.again:
        state.incumbent = Incumbent(state.incumbent.config, (*state.incumbent.arm, *p.again))
    if word == "REVERT":
        state.straight = 0
        state.best.append(state.value(settings))
    last = p.verdicts[-1]
    why = f"{last.rule.removeprefix('keep.')}: {last.reason}"
    return Decision(word, why, (*without(settings), *p.verdicts), p.numbers, deltas)


def _keep(settings: GateSettings, state: State, p: Pending) -> Decision:
    """The candidate is the new incumbent, and may be the reason to pause."""
    arm, deltas = p.confirm or p.screen, _deltas(settings, state, p)
    numbers = {**p.numbers, "effect": p.numbers["confirm.effect" if p.compared else "effect"], "seeds": len(arm)}
    for g in settings.guards:
        before, now = state.anchors[g.metric], arms.mean(arm, g.metric)
        state.anchors[g.metric] = Anchor(before.start, max(before.best, now, key=lambda v: g.sign * v))
    state.pending, state.incumbent = None, Incumbent(p.config, arm)
    state.best.append(state.value(settings))
    state.straight, state.keeps = state.straight + 1, state.keeps + 1
    gaps = {m.metric: numbers[f"margin.{m.metric}"] for m in settings.margins}
    shown = p.diff if len(p.diff) <= MOST_DIFF else f"{p.diff[:MOST_DIFF]}\n... {len(p.diff) - MOST_DIFF} letters more"
    kept = {"config": p.config, "diff": shown, "effect": numbers["effect"], "deltas": deltas, "gaps": gaps}
    kept |= {"value": state.value(settings), "holdout_pass": True if p.asked else None}
    state.since, state.since_total = [*state.since, kept][-MOST:], state.since_total + 1
    said = (
        f"{settings.primary.name} is {numbers['effect']:.4g} better on {len(arm)} {'fresh ' if p.confirm else ''}seeds"
    )
    why = "; ".join([said, *(v.reason for v in without(settings))])
    verdicts = (*without(settings), *p.verdicts)
    if alarm := speed.alarm(settings, state):
        value = state.value(settings)
        state.pause = Pause(
            rule=speed.RULE, reason=alarm, nonce=secrets.token_hex(4), value=value, bundle=speed.bundle(state)
        )
        verdicts = (*verdicts, Verdict(speed.RULE, Level.WARN, f"paused for a person: {alarm}"))
    return Decision("KEEP", why, verdicts, numbers, deltas, pause=state.pause)


def _deltas(settings: GateSettings, state: State, p: Pending) -> dict[str, dict[str, float]]:
    """What every declared metric moved, against the incumbent it was compared with and against the baseline."""
    new, old = p.confirm or p.screen, p.again or state.incumbent.arm
    if not new:
        return {}
    references = {"incumbent": old, "baseline": state.baseline}
    return {m: {k: arms.mean(new, m) - arms.mean(a, m) for k, a in references.items()} for m in settings.ranges}


def _word(found: Sequence[Finding]) -> Word | None:
    """The word of the first finding that has one."""
    return next((f.word for f in found if f.word is not None), None)
