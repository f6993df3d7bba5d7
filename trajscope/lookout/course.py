"""The course of one run: of every trial the few values that pictures are made of, and the latest trials in full.

Whole from the first trial on, some fifty bytes for each. Begins anew with every run, as the file's own reading does.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from trajscope.columns import Row
from trajscope.readable import clean, short
from trajscope.report.tiles import Grid
from trajscope.run import Run
from trajscope.shape import COUNT, NUMBER, TEXT, WHOLE, Shape, listed, null_or, one_of, record, told
from trajscope.tally import ConfigTally
from trajscope.trial import STATUSES, Header, Item, Measure, Trial
from trajscope.watch.seen import listed_rows

if TYPE_CHECKING:
    import polars as pl

LATEST = 2000  # trials that are held in full
MOST_VISITS = 2000  # of trials to tiles
OTHER_MEASURES = frozenset(("degenerate", "baseline"))  # that say nothing of the configuration that they name
LONGEST = 160  # letters of a pair
FLAGS = ("kept", "new_best", "noop", "near", "revisit", "replicate", "drifted", "evaluated")
Line = dict[str, Any]


class Course:
    """What is noted of the run that goes on. Its `take` is a sink, `take_columns` takes many trials at once."""

    def __init__(self) -> None:
        self.begun = 0  # runs that began
        self._begin(None)

    def _begin(self, run: Run | None) -> None:
        self.total = 0
        self._run = run
        self._lines: deque[Line] = deque(maxlen=LATEST)
        self._seq, self._at, self._pair, self._c = array("q"), array("q"), array("q"), array("q")
        self._value, self._kept, self._repeat = array("d"), bytearray(), bytearray()
        self._evaluated = bytearray()
        self._measures: list[tuple[int, str, float]] = []  # seq, configuration, value
        self._holdout = next((m.name for m in run.header.metrics if m.role == "holdout"), None) if run else None
        self.holdouts: list[tuple[int, float, float]] = []  # seq, value and holdout of keeps
        self._sealed: list[bool] = []  # of other keeps, the one bit that may be known
        self._skimmed = 0  # trials of which only columns were seen, without their other metrics
        self._reach = [(0, 0, 0)]  # counted trials, and the knobs and cells that had been reached by then
        self._grid: Grid | None = Grid(run.header.menu) if run else None

    def take(self, run: Run, item: Item, row: Row | None) -> None:
        """One item that a run has taken, with its row where it was a trial."""
        if isinstance(item, Header) or run is not self._run:
            self.begun += 1
            self._begin(run)
        if row is not None:
            self._trial(run, row)
        if isinstance(item, Trial) and item.status == "kept":
            self._held_out(item)
        elif isinstance(item, Measure) and item.what not in OTHER_MEASURES and item.config and item.value is not None:
            self._measures.append((item.seq, item.config, item.value))

    def _held_out(self, t: Trial) -> None:
        other = (t.metrics or {}).get(self._holdout) if self._holdout else None
        if isinstance(other, float | int) and isinstance(t.value, float | int):
            self.holdouts.append((t.seq, t.value, other))
        elif t.holdout is not None:
            self._sealed.append(t.holdout)

    def take_columns(self, run: Run, columns: Mapping[str, Any]) -> None:
        """Many trials in columns, as a bulk lane has them."""
        if run is not self._run:
            self.begun += 1
            self._begin(run)
        self._skimmed += len(columns["seq"])
        for row in listed_rows(columns, len(columns["seq"])):
            self._trial(run, row)

    def lines(self) -> tuple[Line, ...]:
        """The latest trials, oldest first."""
        return tuple(self._lines)

    def place(self, seq: int) -> int | None:
        """The byte where the line of a trial begins; None where there is no such trial."""
        from bisect import bisect_left

        i = bisect_left(self._seq, seq)
        return self._at[i] if i < len(self._seq) and self._seq[i] == seq else None

    def evaluated(self) -> pl.DataFrame:
        """The evaluated trials: seq, value, kept, repeat, pair."""
        import numpy as np
        import polars as pl

        shown = np.frombuffer(bytes(self._evaluated), np.bool_)

        def of(values: array[Any] | bytearray, kind: Any) -> Any:
            return np.frombuffer(bytes(values), kind)[shown]

        pairs = pl.Series(of(self._pair, np.int64))
        names = pl.Series(
            [clean(p.pair.label[:LONGEST]) for p in self._run.ground.pairs] if self._run else [], dtype=pl.String
        )
        known = pl.select(pl.when(pairs >= 0).then(pairs)).to_series()
        return pl.DataFrame(
            {
                "seq": of(self._seq, np.int64),
                "value": pl.Series(of(self._value, np.float64), nan_to_null=True),
                "kept": of(self._kept, np.bool_),
                "repeat": of(self._repeat, np.bool_),
                "pair": names.gather(known) if len(names) else pl.Series([None] * len(pairs), dtype=pl.String),
            }
        )

    @property
    def no_holdout(self) -> str | None:
        """Why there is nothing to draw of a holdout; None where there is."""
        if self.holdouts:
            return None
        if self._sealed:
            return (
                f"Of its holdout only one bit per keep is known: {sum(self._sealed):,} of {len(self._sealed):,} held."
            )
        if self._holdout is None:
            return "No holdout: nothing says whether the gain holds beyond the data it was chosen on."
        if self._skimmed:
            return "The holdout of so long a file is not read here; the report has it."
        return "A holdout is declared, and no keep has a value of it."

    def of_config(self, config: ConfigTally | None) -> list[tuple[int, float]]:
        """Every value that a configuration scored, its measures included: (seq, value)."""
        if config is None or self._run is None:
            return []
        import numpy as np

        scores, configs = self._run.scores.arrays
        shown = np.frombuffer(bytes(self._evaluated), np.bool_)
        mine = (np.asarray(configs) == config.id) & ~np.isnan(np.asarray(scores))
        seqs, values = np.asarray(self._seq)[shown][mine], np.asarray(self._value)[shown][mine]
        found = [(int(seq), float(value)) for seq, value in zip(seqs, values, strict=True)]
        return sorted([*found, *((seq, value) for seq, label, value in self._measures if label == config.label)])

    def visits(self) -> list[tuple[str, int, int]]:
        """Which tile each trial was on: knob, place, seq; of a long run not all."""
        return self._grid.visits(MOST_VISITS) if self._grid else []

    def tiles(self) -> list[dict[str, Any]]:
        """Every knob by its values, and what was tried of them."""
        return self._grid.tiles() if self._grid else []

    def reach(self) -> list[tuple[int, int, int]]:
        """Knobs and cells touched after each counted trial that reached something new, and now."""
        last = self._reach[-1]
        return [*self._reach, (self._c[-1] if self._c else 0, last[1], last[2])]

    def _trial(self, run: Run, row: Row) -> None:
        assert self._grid is not None
        self.total += 1
        self._seq.append(row.seq)
        self._at.append(row.at)
        self._pair.append(row.pair)
        self._c.append(row.c)
        self._value.append(float("nan") if row.value is None else row.value)
        self._kept.append(row.kept)
        self._repeat.append(row.k > 1)
        self._evaluated.append(row.evaluated)
        if row.new_knobs or row.new_cells:
            _, knobs, cells = self._reach[-1]
            self._reach.append((row.c, knobs + row.new_knobs, cells + row.new_cells))
        if row.pair >= 0:
            self._grid.add(run.ground.pairs[row.pair].pair, row, row.value)
        self._lines.append(line(run, row))


def line(run: Run, row: Row) -> Line:
    """One trial as programs read it, by the names that SQL has for them; the status and the signs in words."""
    pair = run.ground.pairs[row.pair] if row.pair >= 0 else None
    return {
        "seq": row.seq,
        "iter": row.iter,
        "status": STATUSES[row.status],
        "pair": short(pair.pair.label[: LONGEST + 1], LONGEST) if pair else None,
        "k": row.k,
        "first": pair.first if pair and row.k > 1 else None,
        "value": row.value,
        "best_kept": row.best_kept,
        "wall_s": row.wall_s,
        "time_ms": row.time_ms,
        "refused": row.refused,
        "signs": [name for name in FLAGS if getattr(row, name)],
    }


def shape_of_line() -> Shape:
    """What `line` looks like as JSON."""
    many, number = null_or(COUNT), null_or(NUMBER)
    return record(
        {
            "seq": COUNT,
            "iter": null_or(WHOLE),
            "status": one_of(STATUSES),
            "pair": null_or(TEXT),
            "k": told(COUNT, "The how-manieth time of its pair; 0 when not counted."),
            "first": told(many, "The trial that had its pair first, where that is another one."),
            "value": number,
            "best_kept": told(number, "The best kept value so far."),
            "wall_s": number,
            "time_ms": null_or(WHOLE),
            "refused": told(COUNT, "Attempts that a rail refused."),
            "signs": listed(one_of(FLAGS)),
        }
    )


def after(lines: tuple[Line, ...], total: int, known: int) -> tuple[Line, ...] | None:
    """The trials that came after the first `known` of `total`; None where some of them are not held any more."""
    new = total - known
    return None if new > len(lines) or new < 0 else tuple(islice(lines, len(lines) - new, None))
