"""Conversion: any readable file written again as trajscope's own format, saying what could not be carried over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trajscope import pipeline
from trajscope.columns import Row
from trajscope.errors import RecordError, SourceError
from trajscope.readers import Source
from trajscope.run import Run
from trajscope.trial import End, Event, Header, Item, Measure, Trial, Unreadable

if TYPE_CHECKING:
    from trajscope.writer import RunWriter


class Written(NamedTuple):
    """One file that was written."""

    path: Path
    trials: int
    losses: list[str]  # what the contract would not take as it was, with its line


class _Out:
    """One run on its way into a native file."""

    def __init__(self, path: Path, run: Run) -> None:
        from trajscope.writer import open_run

        h = run.header
        if h.metric is None or h.goal is None:
            missing = "metric" if h.metric is None else "direction"
            raise SourceError(f"{path}: the run's {missing} is not known; give --metric and --goal")
        self.base = h.base
        self.losses: list[str] = []
        self.trials = 0
        unit = {"unit": h.unit} if h.unit else {}
        self.writer: RunWriter = open_run(
            path,
            metric={"name": h.metric, "goal": h.goal, **unit},
            goal=h.goal,
            run_id=h.run_id,
            campaign=h.campaign,
            base=h.base,
            fsync=False,
            started=h.about.get("started"),
        )
        if h.baseline is not None:
            self.writer.measure("baseline", value=h.baseline)

    def take(self, item: Item) -> None:
        """One item, in the order of the file."""
        if isinstance(item, Trial):
            self.trials += 1
            try:
                self._trial(item, item.status)
            except RecordError as e:
                # A keep without a number is no keep by the contract; the row stays, and says so.
                self.losses.append(f"line {item.seq + 1}: {item.status} became ineligible ({e})")
                self._trial(item, "ineligible", f"was {item.status}")
        elif isinstance(item, Measure):
            self.writer.measure(item.what, value=item.value, name=item.name)
        elif isinstance(item, Unreadable):
            self.losses.append(f"line {item.seq + 1}: {item.why}")
            self.writer.event("repair", line=item.seq + 1, why=item.why)
        elif isinstance(item, Event):
            data = {k: v for k, v in item.data.items() if k not in ("kind", "what", "time")}
            self.writer.event("claim", what=item.kind, time=_time(item.time_ms), **data)
        elif isinstance(item, End):
            self.writer.end(item.reason or "finished")

    def _trial(self, t: Trial, status: str, code: str | None = None) -> None:
        if status == "other":
            status, code = "aborted", "other"
        own = {c.knob for c in t.pair.changes} if t.pair else set()
        base = None
        if self.base is not None and t.moved is not None:
            base = {**self.base, **{c.knob: c.value for c in t.moved.changes if c.knob not in own}}
        cost = {"wall_s": t.wall_s, "tokens_in": t.tokens_in, "tokens_out": t.tokens_out, "usd": t.usd}
        self.writer.trial(
            [(c.knob, c.value) for c in t.pair.changes] if t.pair else None,
            status=status,
            reason_code=code or t.reason_code,
            value=t.value,
            intent=t.intent,
            metrics=dict(t.metrics) if t.metrics else None,
            verdict={"rule": t.refused[-1], "level": "FAIL", "reason": "refused"}
            if status == "blocked" and t.refused
            else None,
            base_config=base,
            base_hash=None if base else t.base or None,
            config_hash=None if base else t.config or None,
            cost={k: v for k, v in cost.items() if v is not None} or None,
            iter=t.iter,
            ended=None,
            time=_time(t.time_ms),
            new_best=t.claimed_best,
            converted_line=t.seq + 1,
        )


def convert(
    source: Source, out: Path, reader: str | None = None, progress: Callable[[int], None] | None = None
) -> list[Written]:
    """Write every run of a file as a native file of its own: `out`, then `out-2` and so on."""
    outs: dict[int, _Out] = {}
    paths: list[Path] = []

    def sink(run: Run, item: Item, _row: Row | None) -> None:
        if isinstance(item, Header):
            path = out if not outs else out.with_name(f"{out.stem}-{len(outs) + 1}{out.suffix}")
            outs[id(run)] = _Out(path, run)
            paths.append(path)
        else:
            outs[id(run)].take(item)

    try:
        pipeline.read(source, reader, sink=sink, progress=progress)
    finally:
        for o in outs.values():
            o.writer.close()
    return [Written(p, o.trials, o.losses) for p, o in zip(paths, outs.values(), strict=True)]


def _time(ms: int | None) -> str | None:
    """A foreign time without a zone, as it stood in its file."""
    return (
        datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") if ms else None
    )
