"""Is it exploring? Plateaus, repeats, dominance, coverage."""

from __future__ import annotations

from trajscope import stats
from trajscope.fold import Unknown
from trajscope.rules.wording import SHOWN, Answer, Values, are, count, lacking, percent
from trajscope.run import Run
from trajscope.tally import LATEST
from trajscope.verdict import Level

ALPHA = 0.01  # of blind walkers that a rule which compares with one may ever accuse

MIN_TRIALS = 8  # counted trials below which nothing is said of exploration
DRY, DRY_SHARE = 15, 0.3  # a plateau beyond noise this long, and this share of the run, is dry
NEW_SHARE = 0.2  # fewer new pairs than this is going in circles
REPEATS_FAIL, REPEATS_WARN, REPEATS_FROM = 0.8, 0.5, 20  # of the last ten, from this many trials on
TOP_FAIL, TOP_WARN = 0.5, 0.3  # one pair's share of counted trials
EXHAUSTED = "; the menu is exhausted: every cell of it was tried, so widen it or stop"
WORDED = "hash"  # what pairs are read from of which the words alone are known
WORDED_MOST = 0.5  # share of the proposals; beyond, nobody can tell whether they are new
COVERED_FAIL, COVERED_FROM = 0.25, 3.0  # share of knobs touched after this many trials per knob
KEPT_FAIL, KEPT_FAIL_FROM = 0.5, 8  # one pair's share of so many keeps
KEPT_WARN, KEPT_WARN_FROM = 0.3, 4
FAMILY_FAIL, FAMILY_WARN = 0.75, 0.5  # one family's share of what was changed


def flailing(run: Run, v: Values) -> Answer:
    """No best beyond noise for long, and hardly anything new is tried."""
    new, dry, n = v["pairs.good_turing"], v["plateau.beyond_noise"], run.tally.c
    if isinstance(new, Unknown) or n < MIN_TRIALS:
        return Level.UNKNOWN, f"{_few(n)} to say whether it explores", []
    bound = _long(run)
    circling = new < NEW_SHARE
    if not circling and (mute := _worded(run)):
        return Level.UNKNOWN, f"whether it explores cannot be told: {mute}", []
    if not circling:
        return Level.PASS, f"{percent(new)} of proposals are still new (bound {percent(NEW_SHARE)})", []
    if isinstance(dry, Unknown):
        return (
            Level.UNKNOWN,
            f"only {percent(new)} of proposals are still new, and whether the best still moves is not known: {dry.why}",
            [],
        )
    said = f"no best beyond noise for {dry} of {run.tally.e} trials (bound {bound:g})"
    said += f", and only {percent(new)} of proposals are still new"
    if dry < bound:
        return Level.PASS, f"{count(dry, 'trial')} since the last best beyond noise (bound {bound:g})", []
    seqs = _since(run, run.tally.c - dry)
    return (Level.WARN, said + EXHAUSTED, seqs) if exhausted(v) else (Level.FAIL, said, seqs)


def _worded(run: Run) -> str | None:
    """Why proposals that look new need not be: most are known by their words alone, and words are easily new."""
    found = run.ground.tally.sources.get(WORDED)
    if found is None or found.n <= WORDED_MOST * run.tally.c:
        return None
    known = f"{found.n} of {count(run.tally.c, 'proposal')} {are(found.n)} known by words alone"
    return f"{known}, and new words are no new idea (--repo, --map)"


def _long(run: Run) -> float:
    """Trials without a best beyond noise from which a plateau is long."""
    return max(DRY, DRY_SHARE * run.tally.e) if run.alarms.plateau is None else float(run.alarms.plateau)


def _since(run: Run, c: int) -> list[int]:
    """The counted trials after so many, as many as one looks at."""
    at = max(0, c)
    return run.counted_seqs[at : at + SHOWN].tolist()


def dry_search(run: Run, v: Values) -> Answer:
    """New pairs are still tried, and none is better: a plateau of which `flailing` does not speak."""
    dry, new = v["plateau.beyond_noise"], v["pairs.good_turing"]
    if isinstance(dry, Unknown):
        return lacking(dry.why)
    bound = _long(run)
    said = f"{count(dry, 'trial')} since the last best beyond noise (bound {bound:g})"
    if dry < bound:
        return Level.PASS, said, []
    circling = not isinstance(new, Unknown) and new < NEW_SHARE and run.tally.c >= MIN_TRIALS
    if circling and "flailing" not in run.alarms.off:
        return Level.PASS, f"no search that is dry: of its {count(dry, 'trial')} without a best flailing speaks", []
    if not isinstance(new, Unknown) and not circling:
        said += f", though {percent(new)} of proposals are still new"
    seqs = _since(run, run.tally.c - dry)
    return (Level.WARN if run.alarms.plateau is None else Level.FAIL), said, seqs


def exhausted(v: Values) -> bool:
    """Whether every cell of the menu was tried, so that nobody could do otherwise than repeat."""
    touched, total = v["coverage.cells.touched"], v["coverage.cells.total"]
    return not isinstance(touched, Unknown) and not isinstance(total, Unknown) and touched >= total > 0


def repeats(run: Run, v: Values) -> Answer:
    """Most of the latest proposals were tried before."""
    rate, n = v["pairs.trailing_rate"], run.tally.c
    if isinstance(rate, Unknown):
        return Level.UNKNOWN, f"repeats cannot be judged: {rate.why}", []
    said = f"{round(rate * 10)} of the last 10 proposals had been tried before"
    recent = [s for s, f in zip(run.counted_seqs[-10:], run.repeats[-10:], strict=True) if f]
    fail = REPEATS_FAIL if run.alarms.repeats is None else run.alarms.repeats
    warn = min(REPEATS_WARN, fail)
    if rate >= fail and n >= REPEATS_FROM:
        if exhausted(v):
            return Level.WARN, f"{said}{EXHAUSTED}", recent
        return Level.FAIL, f"{said} (bound {percent(fail)})", recent
    if rate >= warn:
        return Level.WARN, f"{said} (bound {percent(warn)})", recent
    if mute := _worded(run):
        return Level.UNKNOWN, f"repeats cannot be judged: {mute}", []
    return Level.PASS, f"{said} (bound {percent(warn)})", []


def excess(run: Run, v: Values) -> Answer:
    """More repeats than a walker would make that draws cells of the menu blindly."""
    more, n = v["pairs.excess_repeats"], run.tally.c
    if isinstance(more, Unknown):
        return lacking(more.why)
    if n < MIN_TRIALS:
        return lacking(_few(n))
    cells, repeated = v["coverage.cells.total"], v["pairs.repeats"]
    p, bound = stats.few_met(cells, n, v["pairs.unique"]), stats.spent(ALPHA, n)
    level = Level.FAIL if p < bound and n >= REPEATS_FROM else Level.WARN if p < ALPHA else Level.PASS
    said = f"{repeated} of {n} proposals had been tried before, where a blind walker over {cells:,} cells repeats "
    said += f"{repeated - more:.1f} (p<{p:.1g}, bound {ALPHA if level is Level.WARN else bound:.1g})"
    return level, said, _repeated(run) if level else []


def _repeated(run: Run) -> list[int]:
    """The latest repeats, as many as one looks at."""
    return [s for s, f in zip(run.counted_seqs[-LATEST:], run.repeats[-LATEST:], strict=True) if f][-SHOWN:]


def dominance(run: Run, v: Values) -> Answer:
    """One pair takes most proposals."""
    share, n = v["dominance.proposed.share"], run.tally.c
    if isinstance(share, Unknown) or n < MIN_TRIALS:
        return Level.UNKNOWN, f"{_few(n)} to judge dominance", []
    said = f"{v['dominance.proposed.pair']} took {v['dominance.proposed.n']} of {n} proposals"
    level = Level.FAIL if share >= TOP_FAIL and n >= REPEATS_FROM else Level.WARN if share >= TOP_WARN else Level.PASS
    seqs = _ends(run, v["dominance.proposed.pair"]) if level else []
    return level, f"{said} (bound {percent(TOP_FAIL if level is Level.FAIL else TOP_WARN)})", seqs


def _ends(run: Run, label: str) -> list[int]:
    """The first and the latest counted trial of a pair."""
    p = run.tally.pairs[label]
    return sorted({p.first, run.counted_seqs[p.last - 1]}) if p.n else []


def kept_dominance(run: Run, v: Values) -> Answer:
    """One pair takes most keeps."""
    share, n = v["dominance.kept.share"], v["dominance.kept.n"]
    if isinstance(share, Unknown) or not n:
        return lacking("no keep names what it changed")
    keeps = round(n / share)
    if keeps < KEPT_WARN_FROM:
        return lacking(f"{count(keeps, 'keep')} {are(keeps)} too few (< {KEPT_WARN_FROM})")
    label = v["dominance.kept.pair"]
    level = Level.FAIL if share >= KEPT_FAIL and keeps >= KEPT_FAIL_FROM else Level.WARN
    level = level if share >= KEPT_WARN else Level.PASS
    number = run.tally.pairs[label].id
    seqs = [k.seq for k in run.tally.keeps[-LATEST:] if k.pair == number] if level else []
    bound = KEPT_FAIL if level is Level.FAIL else KEPT_WARN
    return level, f"{label} took {n} of {count(keeps, 'keep')} (bound {percent(bound)})", seqs


def family_dominance(run: Run, v: Values) -> Answer:
    """One family takes most of what was changed, more than its part of the menu explains."""
    known, c = run.header.menu, run.tally.c
    if known is None:
        return lacking("no menu is known, so no family's part of it")
    if c < MIN_TRIALS:
        return lacking(_few(c))
    sizes: dict[str, int] = {}
    for k in known.knobs.values():
        sizes[k.family] = sizes.get(k.family, 0) + 1
    if len(sizes) < 2:
        return lacking("all knobs of the menu are of one family")
    # A trial that changes several knobs counts once in each of their families, so shares are of all these counts.
    counted = {name: f["counted"] for name, f in v["coverage.by_family"].items()}
    total, top = sum(counted.values()), max(counted, key=lambda name: counted[name])
    share, part = counted[top] / total, sizes.get(top, 0) / len(known.knobs)
    p, bound = stats.binomial_bound(counted[top], total, part), stats.spent(ALPHA, c)
    said = f"{top} took {percent(share)} of {count(total, 'change')} and holds {percent(part)} of the knobs"
    level = Level.PASS
    if share >= FAMILY_FAIL and p < bound and c >= REPEATS_FROM:
        level = Level.FAIL
    elif share >= FAMILY_WARN and p < ALPHA:
        level = Level.WARN
    at = percent(FAMILY_FAIL if level is Level.FAIL else FAMILY_WARN)
    return level, f"{said} (bound {at}; p<{p:.1g}, bound {bound if level is Level.FAIL else ALPHA:.1g})", []


def coverage(run: Run, v: Values) -> Answer:
    """Knobs stay untouched though there was time for all of them."""
    total, touched = v["coverage.knobs_total"], v["coverage.knobs_touched"]
    if isinstance(total, Unknown) or isinstance(touched, Unknown):
        why = "no menu is known" if isinstance(total, Unknown) else touched.why
        return Level.UNKNOWN, f"coverage cannot be judged: {why}", []
    left = ", ".join(v["coverage.untouched"][:8])
    said = f"{touched} of {total} knobs were touched" + (f"; never: {left}" if left else "")
    enough = run.tally.c >= COVERED_FROM * total
    if enough and touched / total < COVERED_FAIL:
        return Level.FAIL, f"{said} (bound {percent(COVERED_FAIL)} of them)", []
    return (Level.WARN if enough and touched < total else Level.PASS), said, []


def stuck(run: Run, v: Values) -> Answer:
    """Nothing new of the menu is entered for long, though there is some, and a blind walker would have met it."""
    t = run.tally
    what, touched, total, last = "cell", v["coverage.cells.touched"], v["coverage.cells.total"], t.new_cell_c
    if isinstance(total, Unknown):
        what, touched, total, last = "knob", v["coverage.knobs_touched"], v["coverage.knobs_total"], t.new_knob_c
    if isinstance(total, Unknown) or isinstance(touched, Unknown):
        return lacking(total.why if isinstance(total, Unknown) else touched.why)
    left, since = total - touched, t.c - last
    if left <= 0:
        return Level.PASS, f"all {count(total, what)} of the menu were tried", []
    bound = max(DRY, DRY_SHARE * t.c)
    p, least = (1 - left / total) ** since, stats.spent(ALPHA, touched + 1)
    said = f"no new {what} in the last {count(since, 'trial')} (bound {bound:g}), though {left:,} of {total:,} are "
    level = Level.PASS if since < bound or p >= ALPHA else Level.FAIL if p < least else Level.WARN
    at = least if level is Level.FAIL else ALPHA
    said += f"untried: a blind walker misses them with p={p:.1g} (bound {at:.2g})"
    return level, said, _since(run, last) if level else []


def _few(n: int) -> str:
    return f"{count(n, 'counted trial')} {are(n)} too few (< {MIN_TRIALS})"
