"""Whether the record can be believed: composition of keeps, claims against data, files and settings that drifted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajscope import nulls, stats
from trajscope.fold import Unknown
from trajscope.review import Part, Review
from trajscope.run import Run
from trajscope.trial import COMPARED

MIN_COMPARED = 8  # trials below which a lopsided baseline cannot be told


def uniform_knobs(run: Run, v: Mapping[str, Any]) -> float | Unknown:
    """Knobs that a walker drawing them uniformly would have touched."""
    known = run.header.menu
    if known is None:
        return Unknown("no menu is known; give one with --menu")
    return stats.uniform_distinct(len(known.knobs), run.tally.c)


def memory(run: Run, v: Mapping[str, Any]) -> dict[str, Any] | Unknown:
    """How far back the proposer seems to look."""
    return nulls.memory(run)


def audit(run: Run, v: Mapping[str, Any]) -> dict[str, Any]:
    """What the record says of itself, held against its own rows."""
    t = run.tally
    claims = Unknown("no trial says whether it is a new best")
    return {
        "keeps_not_composing": _composing(run),
        "new_best_mismatches": run.evidence("claimed_best").seqs if t.claims else claims,
        "baseline_bias.p": _bias(run),
        "seed_ineffective": t.seed_ineffective
        if t.seed_ineffective is not None
        else Unknown("no configuration was run twice with the same recorded seed and first step"),
        "counts_reconcile": _reconcile(run, v),
    }


def _bias(run: Run) -> float | Unknown:
    better, compared = run.tally.beats_baseline
    if compared < MIN_COMPARED:
        return Unknown(f"too few trials to compare it with: {compared}, and {MIN_COMPARED} are needed")
    return stats.binomial_two_sided(better, compared)


def _reconcile(run: Run, v: Mapping[str, Any]) -> bool | Unknown:
    counts = run.tally.end_counts
    if not counts:
        return Unknown("the file has no closing line with counts")
    return all(v[f"status.{name}"] == n for name, n in counts.items())


def cost(run: Run, v: Mapping[str, Any]) -> float | Unknown:
    """Time spent on trials that were not what was proposed."""
    t = run.tally
    if t.drifted:
        return t.drift_wall_s if t.drift_wall_s is not None else Unknown("no drifted trial records its time")
    return 0.0 if _verified(run) else Unknown("nothing is recorded that would show it")


def integrity(run: Run, v: Mapping[str, Any]) -> dict[str, Any]:
    """Whether what ran is what was proposed."""
    t = run.tally
    drifted = [{"path": p, "knob": k, "proposed": a, "ran": b, "from_seq": s} for p, k, a, b, s in t.drift]
    if t.break_count:
        status: Any = "chain_broken"
    elif t.drifted:
        status = "drifted"
    elif _verified(run):
        status = "verified"
    elif run.header.chained:
        status = Unknown(f"the chain holds, but {t.e - t.fingerprinted} of {t.e} evaluated trials have no fingerprints")
    else:
        status = Unknown("neither a hash chain nor fingerprints")
    return {"status": status, "drifted": drifted}


def _composing(run: Run) -> list[int] | Unknown:
    t = run.tally
    if t.keep_count and not t.placed:
        return Unknown("which configuration each trial changed is not recorded")
    if t.keep_count and t.provenance.keys() and t.provenance.keys() <= COMPARED:
        return Unknown("what each trial changed was found by comparing it with the last keep")
    return run.evidence("not_composing").seqs


def _verified(run: Run) -> bool:
    t = run.tally
    return run.header.chained and not t.break_count and not t.drifted and 0 < t.e <= t.fingerprinted


REVIEWS = (
    Review(
        "nulls.uniform_knobs_expected",
        "Knobs that a walker drawing them uniformly would have touched.",
        uniform_knobs,
        "knobs",
    ),
    Review(
        "nulls.memory",
        "How far back the proposer seems to look (exploratory).",
        memory,
        slow=True,
        parts=(
            Part("window", "Distance at which repeats are most clearly avoided.", "trials"),
            Part("lags", "For each lag: repeats within it, expected in random order, and p of so few."),
            Part("leak", "Share of all repeats that fall inside that window."),
        ),
    ),
    Review(
        "audit",
        "What the record says of itself, held against its own rows.",
        audit,
        parts=(
            Part("keeps_not_composing", "Keeps (seq) that are missing from the base of what came next."),
            Part("new_best_mismatches", "Trials (seq) whose own claim to be a new best is wrong."),
            Part(
                "baseline_bias.p",
                "P of so lopsided a share of trials beating the baseline, if it were typical (two-sided).",
            ),
            Part("seed_ineffective", "Whether the same configuration and seed began differently."),
            Part("counts_reconcile", "Whether the closing counts equal the rows."),
        ),
    ),
    Review("cost.tampered_wall_s", "Time spent from the first trial that was not what was proposed.", cost, "s"),
    Review(
        "integrity",
        "Whether what ran is what was proposed.",
        integrity,
        parts=(
            Part("status", "verified, drifted or chain_broken."),
            Part("drifted", "What drifted: path or knob, proposed, ran, and since which trial (seq)."),
        ),
    ),
)
