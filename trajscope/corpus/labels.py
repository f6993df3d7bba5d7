"""Labels: all that were counted in some runs, numbered, with the rows and keeps of each; their texts are let go."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from trajscope.corpus.counts import Index, Leaders, key
from trajscope.run import Run


class Labels:
    """All labels that were counted, numbered, with the rows and keeps of each."""

    def __init__(self) -> None:
        self.index = Index()
        self.rows, self.keeps, self.knobs = array("I"), array("I"), array("I")
        self.names: dict[str, int] = {}  # of knobs, and of knobs that were proposed together
        self._leaders = Leaders(1)

    def __len__(self) -> int:
        return len(self.index)

    def add(self, run: Run) -> None:
        """The labels of one more run."""
        for label, p in run.tally.pairs.items():
            if not p.n:
                continue
            i = self.index.place(key(label))
            if i == len(self.rows):
                self.rows.append(0)
                self.keeps.append(0)
                self.knobs.append(self.names.setdefault(p.pair.knob, len(self.names)))
            self.rows[i] += p.n
            self.keeps[i] += p.kept
            self._leaders.tell(i, self.rows[i], label)

    def find(self, label: str) -> int:
        """The number of a label; -1 where no row has it."""
        return self.index.find(key(label))

    def by_knob(self) -> Iterator[int]:
        """The numbers of all, by knob and then by key."""
        import numpy as np

        rank = np.empty(len(self.names), dtype=np.int64)
        rank[[self.names[name] for name in sorted(self.names)]] = np.arange(len(self.names))
        order = np.lexsort((np.array(self.index.keys, dtype=np.uint64), rank[np.array(self.knobs, dtype=np.int64)]))
        return map(int, order)

    @property
    def most(self) -> tuple[int, str, int] | None:
        """Number, name and rows of the most frequent one."""
        return next(iter(self._leaders.all()), None)
