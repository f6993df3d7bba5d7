"""Which rewrites of skills stay: those that lose nothing and gain something, and, for the story, those that look so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trajscope import Level, Verdict
from trajscope.keep import GateSettings, declared
from trajscope_loop import declaration
from trajscope_loop.seams import Result

LOSES = ("malformed", "dead_reference", "lost_tool", "overlap", "case_lost", "passage_lost")
CLOSE = 1e-9
DRAWN = 0.005  # what the draw of misspellings alone moves `triggered` by: its sd over seeds is .006 at the start

GATE: GateSettings = declared(declaration.gate(declaration.tables(Path(__file__).with_name("domain.toml"))))


def improves(before: Sequence[Result], after: Sequence[Result]) -> Verdict:
    """Whether a rewrite breaks no guard on any seed, is found no worse, and is found better or is shorter.

    The fixed cases are held to strictly: the router draws nothing, and a difference is the rewrite's own doing. The
    misspellings are a sample, so that one or two of them lost say nothing of the next draw.
    """
    for result in after:
        for guard in GATE.guards:
            value = result["metrics"].get(guard.metric)
            if value is None:
                return Verdict("skills.unknown", Level.UNKNOWN, f"seed {result['seed']} says no {guard.metric}")
            assert guard.bound is not None
            if guard.sign * (value - guard.bound) < 0:
                lost = [f"{name} {n:g}" for name in LOSES if (n := result["metrics"].get(name, 0.0))]
                return Verdict("skills.loses", Level.FAIL, f"it loses something: {', '.join(lost)}")
    if "holdout_rank" in after[0]["holdout"] and _mean(after, _hidden) < _mean(before, _hidden) - CLOSE:
        return Verdict("skills.holdout", Level.FAIL, "other phrasings of the same tasks find it worse")
    return _better(before, after, {"triggered": DRAWN, "fixed": CLOSE})


def looks_better(before: Sequence[Result], after: Sequence[Result]) -> Verdict:
    """Whether a worker who tries the plain queries and counts the words would call it an improvement. No guard."""
    return _better(before, after, {"plain": CLOSE})


def _better(before: Sequence[Result], after: Sequence[Result], least: Mapping[str, float]) -> Verdict:
    gains = {name: _mean(after, _metric(name)) - _mean(before, _metric(name)) for name in least}
    words = _mean(after, _metric("words")) - _mean(before, _metric("words"))
    told = ", ".join(f"{name} {gain:+.3f}" for name, gain in gains.items()) + f", words {words:+.0f}"
    if any(gains[name] < -bound for name, bound in least.items()):
        return Verdict("skills.worse", Level.FAIL, f"it is found worse ({told})")
    if words >= 0 and all(gains[name] <= bound for name, bound in least.items()):
        return Verdict("skills.idle", Level.FAIL, f"it is neither found better nor shorter ({told})")
    return Verdict("skills.better", Level.PASS, told)


def _hidden(result: Result) -> float:
    return result["holdout"]["holdout_rank"]


def _metric(name: str) -> Callable[[Result], float]:
    return lambda result: result["metrics"][name]


def _mean(results: Sequence[Result], of: Callable[[Result], float]) -> float:
    return sum(map(of, results)) / len(results)
