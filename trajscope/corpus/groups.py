"""Groups: which evaluations are of one configuration, in one run and across the runs of a campaign.

Most configurations are evaluated once, and the trial that did it says all there is. Only the others are held.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from trajscope.corpus.counts import array_of, at, key
from trajscope.run import Run
from trajscope.tally import ConfigTally

_MANY = 1 << 20  # evaluated trials that are counted at once


class Group(NamedTuple):
    """The evaluations of one configuration."""

    n: int
    mean: float
    flipped: bool  # kept once and reverted once


class Groups(NamedTuple):
    """Configurations by the sorted keys of their names. One that is not here was evaluated by one trial alone."""

    keys: array[int]
    ns: array[int]
    means: array[float]
    flipped: array[int]

    def find(self, config: str) -> Group | None:
        """The evaluations of a configuration, if there were several."""
        i = at(self.keys, key(config)) if self.keys else -1
        return Group(self.ns[i], self.means[i], bool(self.flipped[i])) if i >= 0 else None


NONE = Groups(array("Q"), array("I"), array("d"), array("B"))


class Met(NamedTuple):
    """A configuration that several runs of one campaign evaluated."""

    number: int  # among all of them
    groups: Sequence[tuple[int, float]]  # how often each run did, and the mean of that


class Elsewhere:
    """Configurations that several runs of one campaign evaluated, numbered."""

    def __init__(self) -> None:
        self._runs: dict[str, list[tuple[int, Groups]]] = {}
        self._of: dict[int, _Shared] = {}  # by the number of a run
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, number: int, run: Run) -> None:
        """One more run, if it can share any: only a configuration that has a hash of its own is the same elsewhere."""
        if run.header.base_id and run.header.campaign:
            self._runs.setdefault(run.header.campaign, []).append((number, _groups(run.scores.configs)))

    def close(self) -> None:
        """All runs were added: what only one of them evaluated is let go."""
        while self._runs:
            _, runs = self._runs.popitem()
            if len(runs) > 1:
                shared = _shared([groups for _, groups in runs], self._size)
                self._size += len(shared.keys)
                self._of.update((number, shared) for number, _ in runs)

    def find(self, run: int, config: str | None) -> Met | None:
        """A configuration of a run, if another run of its campaign evaluated it too."""
        shared = self._of.get(run)
        if shared is None or config is None:
            return None
        i = at(shared.keys, key(config))
        if i < 0:
            return None
        found = slice(shared.starts[i], shared.starts[i + 1])
        return Met(shared.first + i, list(zip(shared.ns[found], shared.means[found], strict=True)))


class _Shared(NamedTuple):
    """What several runs of one campaign evaluated: sorted keys, and where the groups of each begin."""

    first: int  # number of the first key
    keys: array[int]
    starts: array[int]
    ns: array[int]
    means: array[float]


def several(run: Run) -> Groups:
    """The configurations of a run that one trial alone does not tell of."""
    import numpy as np

    configs = run.scores.configs
    if not configs:
        return NONE
    trials, valued = np.zeros(len(configs), dtype=np.int64), np.zeros(len(configs), dtype=np.int64)
    ids, scores = run.scores.score_configs, run.scores.scores
    for i in range(0, len(ids), _MANY):
        part, has = np.array(ids[i : i + _MANY]), ~np.isnan(np.array(scores[i : i + _MANY]))
        trials += np.bincount(part[part >= 0], minlength=len(configs))
        valued += np.bincount(part[(part >= 0) & has], minlength=len(configs))
    told = zip(configs, trials.tolist(), valued.tolist(), strict=True)
    return _groups([c for c, k, n in told if k > 1 or (k and c.n != n)])


def _groups(configs: Sequence[ConfigTally]) -> Groups:
    import numpy as np

    if not configs:
        return NONE
    keys = np.fromiter((key(c.label) for c in configs), np.uint64, len(configs))
    order = np.argsort(keys)
    return Groups(
        array_of("Q", keys[order]),
        array_of("I", np.fromiter((c.n for c in configs), np.uint32, len(configs))[order]),
        array_of("d", np.fromiter((c.mean for c in configs), np.float64, len(configs))[order]),
        array_of("B", np.fromiter((c.kept > 0 and c.reverted > 0 for c in configs), np.uint8, len(configs))[order]),
    )


def _shared(runs: Sequence[Groups], first: int) -> _Shared:
    """What at least two of these runs hold, each configuration with its groups in the order of the runs."""
    import numpy as np

    keys = np.concatenate([np.array(x.keys, dtype=np.uint64) for x in runs])
    order = np.argsort(keys, kind="stable")  # of equals, the run that came first
    keys = keys[order]
    same = keys[1:] == keys[:-1]
    twice = np.zeros(len(keys), dtype=bool)
    twice[1:] |= same
    twice[:-1] |= same
    order, keys = order[twice], keys[twice]
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    return _Shared(
        first,
        array_of("Q", keys[begins]),
        array_of("q", np.append(begins, len(keys))),
        array_of("I", np.concatenate([np.array(x.ns, dtype=np.uint32) for x in runs])[order]),
        array_of("d", np.concatenate([np.array(x.means) for x in runs])[order]),
    )
