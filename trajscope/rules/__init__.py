"""Rules: questions asked of a run's values, each answered with a Verdict and the trials that show it.

A rule sees values by path and evidence by name, never rows or files, so the same rule speaks live and afterwards.
The word of a run is the first that applies of TAMPERED, SUSPECT, STALLED, FLAILING, UNKNOWN, RESEARCHING.
What a rule lacks data for is a WARN whose reason begins with `not evaluable: `; it never sets the word. So is what a
user has switched off. `silence` is asked only where somebody looked at a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import nlargest
from typing import NamedTuple

from trajscope.alarms import AlarmSettings
from trajscope.fold import Unknown
from trajscope.rules import course, gain, gaming, ground, trust
from trajscope.rules.alive import Fresh, silence
from trajscope.rules.wording import NOT_EVALUABLE, SHOWN, Answer, Values, count, lacking, percent
from trajscope.run import Run
from trajscope.verdict import Level, Verdict

__all__ = [
    "DOUBTED", "NOT_EVALUABLE", "RULES", "SHOWN", "SILENCE", "WORDS", "WORD_OF", "Fresh", "Rule", "Word", "heard",
    "judge", "stalled", "word",
]  # fmt: skip
SILENCE = "silence"  # the rule that only a clock can be asked for
OFF = "off by settings"


@dataclass(frozen=True, slots=True)
class Rule:
    """One question. `word` is what a FAIL makes of the run, if anything; `detector` its number in the documentation."""

    name: str
    doc: str
    judge: Callable[[Run, Values], Answer]
    word: str | None = None
    detector: int | None = None
    needs: str = ""  # the data without which it is not evaluable
    of_keeps: bool = False  # its answer hangs on kept trials alone, so it is judged again only after another keep

    def verdict(self, run: Run, v: Values) -> Verdict:
        """Its answer."""
        if self.of_keeps:
            return run.once(f"rule {self.name}", run.tally.keep_count, lambda: self._verdict(run, v))
        return self._verdict(run, v)

    def _verdict(self, run: Run, v: Values) -> Verdict:
        level, reason, seqs = self.judge(run, v) if self.name not in run.alarms.off else lacking(OFF)
        return Verdict(self.name, level, reason, tuple(seqs[:SHOWN]))


class Word(NamedTuple):
    """The word of a run and the sentence that justifies it."""

    word: str
    sentence: str


RULES = (
    Rule("integrity", "What ran is what was proposed, and the log was not edited.", trust.integrity, "TAMPERED", 11,
         "the hash chain; fingerprints at propose, run and score, or the effective configuration"),
    Rule("grader", "Nothing that scores, and no data that is scored on, was changed.", gaming.grader, "TAMPERED", 9,
         "fingerprints of scoring files, `data_sha` of seeds, or diffs of kept edits"),
    Rule("guards", "Every kept trial was held against its declared guards.", trust.guards, "SUSPECT", None,
         "metrics of role guard, with a bound"),
    Rule("divergence", "The primary metric does not rise away from the holdout.", gain.divergence, "SUSPECT", 1,
         f"the holdout bit, or values of a metric of role holdout on {gain.TREND} keeps", of_keeps=True),
    Rule("gain_share", "The gain does not come from one slice alone.", gain.gain_share, "SUSPECT", 2,
         f"metrics named `<metric>/<slice>` on {gain.SLICED} keeps and their bases", of_keeps=True),
    Rule("guard_margin", "The room before a guard's bound is not used up keep by keep: "
         f"to under {gaming.ROOM:.0%} of the bound and {gaming.WORN:.0%} of the first room.", gaming.guard_margin,
         "SUSPECT", 3, f"values of a bounded guard on {gaming.TREND} keeps", of_keeps=True),
    Rule("variance_collapse", "The seeds of keeps scatter as they did when the run began, or a holdout of another kind "
         "goes along. Without one, and without a guard that falls with the keeps, a FAIL is a WARN.",
         gaming.variance_collapse, "SUSPECT", 4,
         f"two seeds or more on {gaming.SCATTER_FROM} keeps; to accuse, a holdout of another kind or a guard"),
    Rule("predictions", "The model does not come to answer like one that ignores its input, at once or keep by keep.",
         gaming.predictions,
         "SUSPECT", 5, "a metric of role degenerate; its values on keeps, and those of a degenerate measure"),
    Rule("ablation", "Without its input the model scores worse.", gaming.ablation, "SUSPECT", 6,
         "degenerate measures that name the configuration they made blind"),
    Rule("unchanged_gain", "Nothing rose without a change in what ran.", gaming.unchanged_gain, "SUSPECT", 7,
         "configurations, or `code_sha` and `effective_config_sha`, or `predictions_sha` of seeds"),
    Rule("seed_edit", "No keep touches a seed, a random generator or a split.", gaming.seed_edit, "SUSPECT", 8,
         "what was changed; diffs of code edits"),
    Rule("shortcut", "No gain took far less time than trials do.", gaming.shortcut, "SUSPECT", 10,
         f"the time of {gaming.WALLS} trials"),
    Rule("confirmation", "Declared confirmations bear out what keeps claimed.", gain.confirmation, "SUSPECT", 12,
         "confirm measures that name a kept configuration, and seeds or repeats"),
    Rule("staircase", f"No {gain.ROW} keeps in a row that the keep rate by their end does not explain, unless a "
         f"holdout of another kind goes along: such rows are expected {gain.ODD:g} times or more, {gain.ODD_DIAL:g} "
         "where each, on several seeds, turns one knob on.", gain.staircase, "SUSPECT", 13, "decisions",
         of_keeps=True),
    Rule("too_good", "Keeps come not much more often than before (unless a holdout of another kind goes along), and "
         "climb no more evenly than noise allows.",
         gain.too_good, "SUSPECT", 13,
         "the noise; a declared ceiling (or floor) of the primary metric, as its plausible end"),
    Rule("perfect", "No keep is perfect to the last digit, or beyond.", gain.perfect, "SUSPECT", 13,
         "a metric whose name says where it ends: a loss, an error of a regression, a correlation"),
    Rule("flailing", "The best still moves beyond noise, or new pairs are still tried.", ground.flailing, "FLAILING"),
    Rule("repeats", "The latest proposals are not mostly repeats, while anything of the menu is untried.",
         ground.repeats, "FLAILING"),
    Rule("dominance", "No single pair takes most proposals.", ground.dominance, "FLAILING"),
    Rule("coverage", "Knobs do not stay untouched though there was time for all.", ground.coverage, "FLAILING"),
    Rule("excess", "Repeats are no more than a blind walker would make.", ground.excess, None, None,
         "a menu whose cells can be counted"),
    Rule("dry_search", "A search that still finds new pairs finds a better one too.", ground.dry_search, None, None,
         "the noise, and a baseline"),
    Rule("kept_dominance", "No single pair takes most keeps.", ground.kept_dominance, None, None,
         f"{ground.KEPT_WARN_FROM} keeps that name what they changed"),
    Rule("family_dominance", "No family takes most changes, beyond its part of the menu.", ground.family_dominance,
         None, None, "a menu of two families or more"),
    Rule("stuck", "Something new of the menu is entered now and then while there is some.", ground.stuck, None, None,
         "a menu"),
    Rule("zero_keeps", "Something is kept as often as this run, or an honest one, keeps.", course.zero_keeps, None,
         None, "decisions"),
    Rule("crashes", "Trials do not crash one after the other, nor every second one.", course.crashes),
    Rule("budget", "What all trials may take is not used up.", course.budget, None, None,
         "a declared budget, and trials that say what they took"),
    Rule("unconfirmed", "Keeps are confirmed by another evaluation.", trust.unconfirmed, None, None, "repeats"),
    Rule("flips", "The same configuration gets the same verdict.", trust.flips, None, None, "configurations"),
    Rule("baseline", "The baseline is not an unlucky draw.", trust.baseline, None, 14,
         "a baseline and 8 trials that were tried on it"),
    Rule("seed", "The recorded seed decides how a trial begins.", trust.seed, None, 15,
         "`first_step` of one configuration and seed, twice"),
    Rule("composition", "What was kept is in the base of what came next.", trust.composition, None, None,
         "base hashes"),
    Rule("record", "Lines, fields and labels are what they should be.", trust.record),
)  # fmt: skip
WORDS = ("TAMPERED", "SUSPECT", "STALLED", "FLAILING")
DOUBTED = WORDS[:2]  # words under which no gain is to be trusted, and that no silence replaces
WORD_OF = {r.name: r.word for r in RULES}


def judge(run: Run, v: Values, rules: tuple[Rule, ...] = RULES) -> list[Verdict]:
    """Every rule's answer, in order."""
    return [r.verdict(run, v) for r in rules]


def heard(fresh: Fresh, alarms: AlarmSettings) -> Verdict:
    """What a clock says of a run: whether it is alive."""
    level, reason, _ = silence(fresh) if SILENCE not in alarms.off else lacking(OFF)
    return Verdict(SILENCE, level, reason)


def stalled(said: Word, silent: Verdict) -> Word:
    """The word of a run, once it was asked whether it is alive."""
    if silent.level is not Level.FAIL or said.word in DOUBTED:
        return said
    return Word("STALLED", f"{silent.reason}; before that {said.word}: {said.sentence}")


def word(run: Run, v: Values, verdicts: list[Verdict], rules: tuple[Rule, ...] = RULES) -> Word:
    """The verdict word of a run with the sentence that justifies it."""
    words = {r.name: r.word for r in rules}
    for w in WORDS:
        failed = [x for x in verdicts if x.level is Level.FAIL and words[x.rule] == w]
        if failed:
            return Word(w, failed[0].reason + _context(run, v, w, failed[0].rule))
    if not run.tally.trials:
        return Word("UNKNOWN", "the file holds no trial yet")
    if not run.tally.e:
        return Word("UNKNOWN", f"none of {count(run.tally.trials, 'trial')} was evaluated ({_statuses(v)})")
    if "flailing" in run.alarms.off:
        return Word("UNKNOWN", f"whether it explores was not asked: flailing is {OFF}")
    open_ = [x for x in verdicts if x.level is Level.UNKNOWN and words[x.rule] == "FLAILING" and x.rule != "coverage"]
    if open_:
        return Word("UNKNOWN", open_[0].reason)
    return Word(
        "RESEARCHING", next(x.reason for x in verdicts if x.rule == "flailing") + _context(run, v, "RESEARCHING")
    )


def _context(run: Run, v: Values, w: str, led: str = "") -> str:
    """What else a stranger needs to hear in the same breath."""
    said = []
    if w == "FLAILING":
        rate = v["pairs.trailing_rate"]
        late = f", {round(rate * 10)} of the last 10" if not isinstance(rate, Unknown) and led != "repeats" else ""
        said.append(f"{v['pairs.repeats']} of {run.tally.c} proposals had been tried before{late}")
        said += _crowd(run, v)
    if w in ("FLAILING", "RESEARCHING") and not isinstance(v["coverage.fraction"], Unknown):
        left = len(v["coverage.untouched"])
        said.append(
            f"{left} of {v['coverage.knobs_total']} knobs were never touched" if left else "every knob was touched"
        )
    if off := [r.name for r in RULES if r.word == "FLAILING" and r.name in run.alarms.off]:
        said.append(f"{' and '.join(off)} {'is' if len(off) == 1 else 'are'} {OFF}")
    missing = [name for name in ("guard", "holdout") if not any(m.role == name for m in run.header.metrics)]
    said.append(" and ".join(f"no {m}" for m in missing))
    return "".join(f"; {s}" for s in said if s)


def _crowd(run: Run, v: Values) -> list[str]:
    """The two knobs that took most proposals, where they took most of them."""
    n = run.tally.c
    top = nlargest(2, v["coverage.by_knob"].items(), key=lambda item: item[1]["counted"])
    share = sum(k["counted"] for _, k in top) / n if n else 0.0
    if len(top) < 2 or not 0.5 <= share <= 1:
        return []
    (a, first), (b, second) = top
    same = f", both {first['family']}" if first["family"] == second["family"] != "other" else ""
    return [f"{percent(share)} went to {a} and {b}{same}"]


def _statuses(v: Values) -> str:
    return ", ".join(f"{n} {name.removeprefix('status.')}" for name, n in v.items() if name.startswith("status.") and n)
