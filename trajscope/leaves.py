"""Leaves: what each value of the analysis looks like in JSON. What each means is said where it is counted."""

from __future__ import annotations

from collections.abc import Mapping

from trajscope.shape import COUNT, NUMBER, TEXT, TRUTH, VERDICT, Shape, listed, mapped, null_or, one_of, record

_COUNTS = """
    trials evaluated first_keep? lines.total lines.unreadable lines.torn
    status.kept status.reverted status.blocked status.crashed status.aborted status.ineligible status.proposer_error
    status.other
    baseline.n? best.seq?
    coverage.knobs_touched? coverage.knobs_kept? coverage.knobs_proposed? coverage.knobs_total? coverage.cells.touched?
    coverage.cells.total? coverage.pairwise.touched? coverage.pairwise.total?
    pairs.unique pairs.repeats pairs.contextual_repeats? pairs.near_repeats pairs.revisits? pairs.replicates
    pairs.singletons
    rail.refused? rail.attempts? dominance.proposed.n? dominance.kept.n?
    plateau.since_best? plateau.since_keep? plateau.length? plateau.beyond_noise? plateau.longest.length?
    plateau.longest.first? plateau.longest.last?
    noise.df? nulls.memory.window? cost.tokens_in? cost.tokens_out?
"""
_NUMBERS = """
    baseline.value? best.value? best.gain? best.gain_fraction? best.shrunk? best.shrunk_gain?
    coverage.fraction? coverage.per_knob_mean? coverage.cells.fraction?
    pairs.repeat_rate? pairs.good_turing? pairs.chao1? pairs.trailing_rate? pairs.excess_repeats?
    dominance.proposed.share? dominance.kept.share? dominance.family.share?
    diversity.pairs.shannon? diversity.pairs.effective? diversity.pairs.simpson_effective?
    diversity.pairs.simpson_unbiased?
    diversity.keeps.shannon? diversity.keeps.effective? diversity.keeps.simpson_effective?
    diversity.keeps.simpson_unbiased?
    diversity.knobs.shannon? diversity.knobs.effective? diversity.knobs.simpson_effective?
    diversity.knobs.simpson_unbiased?
    noise.sd? noise.min_detectable? nulls.memory.leak? nulls.uniform_knobs_expected? audit.baseline_bias.p?
    cost.wall_s? cost.usd? cost.repeat_wall_s? cost.repeat_share? cost.tampered_wall_s?
"""
_TEXTS = """
    file format run_id campaign? metric.name? coverage.source coverage.cells.rule?
    dominance.proposed.pair? dominance.kept.pair? dominance.family.name? best.shrunk_method? verdict.sentence
"""
_SEQS = listed(COUNT)


def _named(text: str, kind: Shape) -> dict[str, Shape]:
    return {path.rstrip("?"): null_or(kind) if path.endswith("?") else kind for path in text.split()}


LEAVES: Mapping[str, Shape] = {
    **_named(_COUNTS, COUNT),
    **_named(_NUMBERS, NUMBER),
    **_named(_TEXTS, TEXT),
    "metric.goal": null_or(one_of(("minimize", "maximize"))),
    "baseline.source": null_or(one_of(("header", "measured"))),
    "best.iter": null_or({"type": "integer"}),
    "coverage.untouched": null_or(listed(TEXT)),
    "coverage.outside": _SEQS,
    "coverage.by_knob": mapped(
        record(
            {
                "family": TEXT,
                **dict.fromkeys(("proposed", "evaluated", "counted", "kept"), COUNT),
                **dict.fromkeys(("cells", "cells_total"), null_or(COUNT)),
                "in_menu": TRUTH,
            }
        )
    ),
    "coverage.by_family": mapped(
        record({**dict.fromkeys(("knobs", "touched", "counted"), COUNT), "share": null_or(NUMBER)})
    ),
    "pairs.windows": listed(
        record({**dict.fromkeys(("first", "last", "n"), COUNT), **dict.fromkeys(("rate", "expected"), NUMBER)})
    ),
    "pairs.no_ops": null_or(_SEQS),
    "pairs.provenance": mapped(COUNT),
    "pairs.by_provenance": mapped(
        record(
            {
                **dict.fromkeys(("n", "unique", "repeats"), COUNT),
                "repeat_rate": NUMBER,
                "knobs_touched": COUNT,
                "confidence": null_or(NUMBER),
            }
        )
    ),
    "pairs.visible": record(dict.fromkeys(("window", "n"), null_or(COUNT))),
    "rail.by_rule": mapped(COUNT),
    "contributions": null_or(listed(record({"seq": COUNT, "gain": null_or(NUMBER), "also": mapped(NUMBER)}))),
    "noise.sources": null_or(mapped(COUNT)),
    "noise.flip_flops": null_or(listed(record({"pair": TEXT, "kept": COUNT, "reverted": COUNT}))),
    "noise.unconfirmed_keeps": null_or(_SEQS),
    "nulls.memory.lags": null_or(listed(record({"lag": COUNT, "observed": COUNT, "expected": NUMBER, "p": NUMBER}))),
    "audit.keeps_not_composing": null_or(_SEQS),
    "audit.new_best_mismatches": null_or(_SEQS),
    "audit.seed_ineffective": null_or(TRUTH),
    "audit.counts_reconcile": null_or(TRUTH),
    "integrity.status": null_or(one_of(("verified", "drifted", "chain_broken"))),
    # `proposed` and `ran` are whatever the record holds: a hash of a file, or a setting of any kind.
    "integrity.drifted": listed(
        record({"path": null_or(TEXT), "knob": null_or(TEXT), "proposed": {}, "ran": {}, "from_seq": COUNT})
    ),
    "alarms.bounds": mapped(NUMBER),
    "alarms.off": listed(TEXT),
    "verdict.word": one_of(("TAMPERED", "SUSPECT", "STALLED", "FLAILING", "UNKNOWN", "RESEARCHING")),
    "verdicts": listed(VERDICT),
    "unknown": mapped(TEXT),
}
