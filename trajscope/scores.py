"""Scores: the running best, plateaus and the noise pool of one run. Knows nothing of pairs or menus."""

from __future__ import annotations

from array import array
from typing import Any

from trajscope.tally import MOST, START_DF, ConfigTally, Tally
from trajscope.trial import Header, Seed, Trial

SAME_START = 1e-4  # relative difference of first steps that numerics alone may make
_BASE = "\x00baseline"  # the baseline's group where the base configuration has no identity
_NAN = float("nan")


class Scores:
    """Values of one run; its state is the run's tally and one entry per evaluated trial."""

    def __init__(self, header: Header, tally: Tally) -> None:
        self.tally = tally
        self.sign = {"maximize": 1.0, "minimize": -1.0}.get(header.goal or "", 0.0)
        self.has_keeps = header.has_keeps
        self.base_id = header.base_id if header.base_id is not None else _BASE
        self.configs: list[ConfigTally] = sorted(tally.configs.values(), key=lambda c: c.id)
        self.scores = array("d")  # higher is better; NaN where there is none
        self.score_configs = array("l")
        self.changed: set[int] | None = None  # configurations that were told more since doubts were last asked for

    @property
    def arrays(self) -> tuple[array[Any], ...]:
        """What is kept per evaluated trial."""
        return self.scores, self.score_configs

    @property
    def base(self) -> ConfigTally | None:
        """The baseline's group: declared and measured baselines, and the no-ops that replicate them."""
        return self.tally.configs.get(self.base_id)

    def meet(self, label: str, pair: int = -1) -> ConfigTally:
        """The group of a configuration, known or new."""
        found = self.tally.configs.get(label)
        if found is None:
            found = self.tally.configs[label] = ConfigTally(len(self.configs), label)
            self.configs.append(found)
        if found.pair < 0:
            found.pair = pair
        return found

    def score(  # noqa: C901, PLR0912  # as Run.push
        self, t: Trial, config: ConfigTally | None, *, eligible: bool, kept: bool, source: str
    ) -> bool:
        """One evaluated trial; answers whether it is a new strict best."""
        s = self.tally
        new_best = False
        if eligible and t.value is not None:
            score = t.value * self.sign
            if s.best is None or score > s.best:
                new_best = True
                s.best = score
            if (kept or not self.has_keeps) and (s.best_kept is None or score > s.best_kept):
                s.best_kept, s.best_kept_seq, s.best_kept_iter = score, t.seq, t.iter
                s.best_kept_config = config.id if config is not None else -1
            if s.baseline_mean is not None:
                beats = s.beats_baseline
                beats[0] += score > self.sign * s.baseline_mean
                beats[1] += 1
            if config is not None:
                self.noise(config, t.value, source)
            self.scores.append(score)
        else:
            self.scores.append(_NAN)
        if config is not None:  # a verdict flips whatever the values were
            config.kept += kept
            config.reverted += t.status == "reverted"
            if self.changed is not None:
                self.changed.add(config.id)
        self.score_configs.append(config.id if config is not None else -1)
        if kept:
            s.since_keep = 0
        else:
            s.since_keep += 1
        if new_best:
            s.since_best, s.dry_first = 0, -1
        else:
            s.since_best += 1
            if s.dry_first < 0:
                s.dry_first = t.seq
            if s.since_best > s.longest[0]:
                s.longest = [s.since_best, s.dry_first, t.seq]
        if t.seeds:
            self._seeds(t, config)
        elif t.first_step is not None and config is not None and t.seed is not None:
            self.first_step(config, t.seed, t.first_step, config.k)
        return new_best

    def noise(self, group: ConfigTally, value: float, source: str) -> None:
        """One more evaluation of a configuration: from the second on it tells of the noise."""
        grown = group.add(value)
        if self.changed is not None:
            self.changed.add(group.id)
        if group.n > 1:
            s = self.tally
            s.noise_ss += grown
            s.noise_df[source] = s.noise_df.get(source, 0) + 1

    def baseline(self, value: float, source: str, config: str | None = None) -> None:
        """One evaluation of the baseline."""
        s = self.tally
        s.baseline.append(value)
        s.baseline_mean, s.baseline_source = sum(s.baseline) / len(s.baseline), source
        self.noise(self.meet(config if config is not None else self.base_id), value, "baseline")
        if self.sign and (s.best is None or value * self.sign > s.best):
            s.best = value * self.sign

    def seeds(self, seeds: tuple[Seed, ...], seq: int) -> tuple[float, int]:
        """How single seeds scatter, and whether each still runs on its data: squared deviations, and their number."""
        s = self.tally
        values = [x.value for x in seeds if x.status == "ok" and x.value is not None]
        mean = sum(values) / len(values) if values else 0.0
        squares = sum((v - mean) ** 2 for v in values)
        if len(values) > 1 and s.start_df < START_DF:
            s.start_ss += squares
            s.start_df += len(values) - 1
        moved = False
        for x in seeds:
            if x.data_sha is not None and len(s.data_shas) < MOST:
                moved = moved or s.data_shas.setdefault(x.seed or 0, x.data_sha) != x.data_sha
        if moved:
            s.witness("data", seq)
        return squares, len(values)

    def _seeds(self, t: Trial, config: ConfigTally | None) -> None:
        squares, n = self.seeds(t.seeds, t.seq)
        if n > 1:
            # The noise of a mean over n seeds is that of one seed over the square root of n.
            self.tally.seed_ss += squares / n
            self.tally.seed_df += n - 1
        if config is not None:
            for x in t.seeds:
                if x.first_step is not None and x.seed is not None:
                    self.first_step(config, x.seed, x.first_step, config.k)

    def first_step(self, config: ConfigTally, seed: int, first: float, k: int) -> None:
        """The same configuration and seed must begin alike the k-th time; if not, the seed does nothing."""
        if config.first_seed is None:
            config.first_seed, config.first_step = seed, first
            return
        before = config.first_step
        if seed != config.first_seed:
            if config.more_steps is None:
                config.more_steps = {}
            before = config.more_steps.setdefault(seed, first)
        if k > 1:
            differs = abs(before - first) > SAME_START * max(abs(before), abs(first))
            self.tally.seed_ineffective = bool(self.tally.seed_ineffective) or differs
