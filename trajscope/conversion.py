"""Conversion: any readable file written again as trajscope's own format, saying what could not be carried over.

A file that is trajscope's own already is copied byte for byte: a new hash chain would hide that the old one is broken.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from trajscope import pipeline, sources
from trajscope.blobs import beside
from trajscope.columns import Row
from trajscope.errors import RecordError, SourceError
from trajscope.pair import canon
from trajscope.readers import Source, find, get
from trajscope.run import Run
from trajscope.trial import Break, End, Event, Header, Item, Measure, Seed, Trial, Unreadable

if TYPE_CHECKING:
    from trajscope.writer import RunWriter

OURS = "native"
UNPROPOSED = ("blocked", "proposer_error", "other")  # statuses that may come without a proposal
Progress = Callable[[int], None] | None


class Written(NamedTuple):
    """One file that was written."""

    path: Path
    trials: int
    losses: list[str]  # what the contract would not take as it was, with its line
    copied: bool = False  # it was our own format already


def convert(source: Source, out: Path, reader: str | None = None, progress: Progress = None) -> list[Written]:
    """Write every run of a file as a native file of its own: `out`, then `out-2` and so on; all of them or none."""
    _free(out)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            draft = Path(folder) / out.name
            made = _copy(source, draft, reader, progress) or _write(source, draft, reader, progress)
            for w in made:
                _free(out.with_name(w.path.name))
            for w in made:
                for part in (beside(w.path, ".blobs"), w.path):  # the run last: it names its blobs
                    if part.exists():
                        part.rename(out.with_name(part.name))
    except OSError as e:
        raise SourceError(f"{out}: cannot be written ({e.strerror}); name another file with -o") from None
    return [w._replace(path=out.with_name(w.path.name)) for w in made]


def _free(out: Path) -> None:
    for path in (out, beside(out, ".blobs")):
        if path.exists() or path.is_symlink():
            raise SourceError(f"{path}: exists already and is not overwritten; remove it, or name another file with -o")


def _copy(source: Source, out: Path, reader: str | None, progress: Progress) -> list[Written]:
    """The file itself where it is ours; nothing where it is not."""
    if str(source.path) == "-":
        return []
    head = next(sources.read(source.path), b"")
    kind = get(reader) if reader else find(source.path, head[: sources.HEAD], source.layout)
    if kind.name != OURS:
        return []
    trials = sum(run.tally.trials for run in pipeline.read(source, reader).runs)
    with out.open("wb") as f:
        f.writelines(sources.read(source.path, progress))
        os.fsync(f.fileno())
    if (blobs := beside(source.path, ".blobs")).is_dir():
        shutil.copytree(blobs, beside(out, ".blobs"))
    return [Written(out, trials, [], copied=True)]


def _write(source: Source, out: Path, reader: str | None, progress: Progress) -> list[Written]:
    outs: dict[int, _Out] = {}

    def sink(run: Run, item: Item, _row: Row | None) -> None:
        if isinstance(item, Header):
            path = out if not outs else out.with_name(f"{out.stem}-{len(outs) + 1}{out.suffix}")
            outs[id(run)] = _Out(path, run, source.path)
        else:
            outs[id(run)].take(item)

    try:
        pipeline.read(source, reader, sink=sink, progress=progress)
        for o in outs.values():
            o.finish()
    finally:
        for o in outs.values():
            o.writer.close()
    for o in outs.values():
        with o.path.open("rb") as f:
            os.fsync(f.fileno())
    return [Written(o.path, o.trials, o.losses) for o in outs.values()]


class _Out:
    """One run on its way into a native file."""

    def __init__(self, path: Path, run: Run, name: str) -> None:
        from trajscope.writer import open_run

        self.path, self.run, self.name = path, run, name
        self.header = h = run.header
        self.losses: list[str] = []
        self.trials = 0
        self.seen: Counter[str] = Counter()  # trials by the status they came with
        self.end: End | None = None
        self.last, self.numbered = 0, False  # the label of the trial before, and whether it was given here
        if h.metric is None or h.goal is None:
            raise SourceError(f"{name}: the run's {_missing(h)} not known; give {_flags(h)}")
        try:
            self.writer: RunWriter = open_run(
                path, metric=_known(name=h.metric, goal=h.goal, unit=h.unit), fsync=False, **_about(h)
            )
        except RecordError as e:
            raise SourceError(f"{name}: cannot be a run of our format: it {_why(e)}") from None
        if h.menu is not None and not h.menu.declared:
            self.losses.append("its menu was guessed and not declared; it is left out")
        if h.baseline is not None:
            self.writer.measure("baseline", value=h.baseline, ended=None)

    def take(self, item: Item) -> None:
        """One item, in the order of the file."""
        if isinstance(item, Trial):
            self.trials += 1
            self.seen[item.status] += 1
            self._trial(item)
        elif isinstance(item, Measure):
            self.writer.measure(
                item.what,
                value=item.value,
                name=item.name,
                seeds=[_seed(s) for s in item.seeds] or None,
                config_hash=self._hash(item.config),
                ended=None,
                metrics=item.metrics and dict(item.metrics),
            )
        elif isinstance(item, Unreadable):
            self._lose(item.seq, item.why)
            self.writer.event("repair", line=item.seq + 1, why=item.why)
        elif isinstance(item, Break):
            raise SourceError(f"{self.name}:{item.seq + 1}: the hash chain is broken, and a copy would hide that")
        elif isinstance(item, Event):
            kind, said = (item.kind, {}) if item.kind in _kinds() else ("claim", {"what": item.kind})
            self.writer.event(kind, **said, time=_time(item.time_ms), said=dict(item.data))
        elif isinstance(item, End):
            # Written when all is, since lines may follow it; its counts are then those of the rows.
            self.end = item
            if any(self.seen[status] != n for status, n in item.counts.items()):
                self._lose(item.seq, f"its closing counts {dict(item.counts)} are not those of its rows")

    def finish(self) -> None:
        """The last line, where the run said that it was over."""
        counted = self.run.counted_seqs
        for keep in (self.run.tally.keeps[i] for i in self.run.tally.pending):
            if counted and keep.seq < counted[-1]:
                self._lose(keep.seq, "it does not tell whether this keep was built upon; the new file does")
        if self.end is not None:
            self.writer.end(self.end.reason or "finished")

    def _trial(self, t: Trial) -> None:
        for fault in t.faults:
            self._lose(t.seq, fault)
        status, code, value = t.status, t.reason_code, t.value
        if status == "other" and not t.raw_status:  # our own format takes it only with the word that it stands for
            # An aborted trial with a value counts as evaluated, and this one did not: its value is in its metrics.
            status, code, value = "aborted", code or "other", None
            self._lose(t.seq, "a status that the format does not have; it became aborted")
        if self.header.base is not None and t.config is None and status not in UNPROPOSED:
            self._lose(t.seq, "which configuration ran is not recorded; it is read as a change of the incumbent")
        if not t.noop and t.base is not None and (t.base == t.config or self._stood(t)):
            self._lose(t.seq, "what it proposed already stood in its base; it is read as a no-op")
        if t.holdout is not None:
            self._lose(
                t.seq, "its holdout bit stands without the values that it commits to, and cannot be carried over"
            )
        if t.noop and t.drift:
            self._lose(t.seq, "what ran instead of its proposal stood already; it is read as a change, not as a no-op")
        fields = self._fields(t) | {"reason_code": code, "value": value}
        try:
            self.writer.trial(status=status, **fields)
        except RecordError as e:
            try:
                self.writer.trial(status="ineligible", **fields | {"reason_code": f"was {status}"})
                self._lose(t.seq, f"{_why(e)}; it became ineligible")
            except RecordError:
                self.trials -= 1
                held = {k: v for k, v in fields.items() if v not in (None, [])}
                self.writer.event("claim", what="trial", status=status, said=held)
                self._lose(t.seq, f"{_why(e)}; it became an event")

    def _fields(self, t: Trial) -> dict[str, Any]:
        """Everything of a trial but its status."""
        cost = _known(wall_s=t.wall_s, tokens_in=t.tokens_in, tokens_out=t.tokens_out, usd=t.usd)
        ran = {d.knob: d.ran for d in t.drift if d.knob is not None}
        files = [d for d in t.drift if d.path is not None]
        metrics = dict(t.metrics or {})
        if t.status == "other" and not t.raw_status and t.value is not None:
            metrics.setdefault(str(self.header.metric), t.value)
        seeds = [_seed(s) for s in t.seeds]
        if not seeds and t.seed is not None and t.value is not None and t.status != "other":
            one = Seed(t.seed, t.value, first_step=t.first_step, metrics={str(self.header.metric): t.value})
            seeds = [_seed(one)]
        return {
            "changes": [(c.knob, c.value) for c in t.pair.changes] if t.pair else None,
            "provenance": t.provenance if t.pair is not None and t.provenance != "native" else None,
            "confidence": t.confidence,
            "raw_status": t.raw_status,
            "intent": t.intent,
            **self._refused(t),
            "metrics": metrics or None,
            "seeds": seeds or None,
            "base_hash": self._hash(t.base),
            "config_hash": self._hash(t.config),
            "effective": ran or None,
            "fingerprints": {
                "propose": {d.path: str(d.proposed) for d in files},
                "run": {d.path: str(d.ran) for d in files},
            }
            if files
            else None,
            "cost": cost or None,
            "diff": t.diff,
            "iter": self._iter(t),
            "ended": None,
            "time": _time(t.time_ms),
            "new_best": t.claimed_best,
            "converted_line": t.seq + 1,
        }

    def _stood(self, t: Trial) -> bool:
        """Whether the base of the run has already what is proposed, as where something else ran than was proposed."""
        h = self.header
        if h.base is None or t.pair is None or t.base != h.base_id:
            return False
        change = h.menu.change if h.menu else canon
        return all(c.knob in h.base and change(c.knob, h.base[c.knob]).text == c.text for c in t.pair.changes)

    def _iter(self, t: Trial) -> int:
        """Its label; the format demands one, so a trial without is numbered on."""
        if t.iter is not None and self.numbered:
            self._lose(t.seq, "a trial before it has no iter and was numbered, and so their order may look broken")
        self.numbered = t.iter is None
        self.last = t.iter if t.iter is not None else self.last + 1
        return self.last

    def _refused(self, t: Trial) -> dict[str, Any]:
        """The refused attempts before the one that ran; a blocked trial ends with one that a rule refused too."""
        rules = list(t.refused)
        verdict = _verdict(rules.pop()) if t.status == "blocked" and rules else None
        if len(rules) != len(t.refused_pairs):
            self._lose(t.seq, f"{len(rules)} refused attempts and {len(t.refused_pairs)} proposals of theirs")
        attempts = [
            {"changes": [(c.knob, c.value) for c in p.changes], "verdict": _verdict(rule)}
            for rule, p in zip(rules, t.refused_pairs, strict=False)
        ]
        if t.pair is None and verdict is None and t.status in UNPROPOSED:
            attempts += [{"changes": []}] * (t.attempts - len(attempts))  # they proposed nothing, and were attempts
        return {"verdict": verdict, "attempts": attempts}

    def _hash(self, identity: str | None) -> str | None:
        """A foreign identity of a configuration as a hash; that of the base is the hash in the header."""
        if identity is None:
            return None
        base = self.writer.header.get("base")
        if identity == self.header.base_id and isinstance(base, dict):
            return str(base["hash"])
        return hashlib.sha256(identity.encode()).hexdigest()[:16]

    def _lose(self, seq: int, what: str) -> None:
        self.losses.append(f"line {seq + 1}: {what}")


def _about(h: Header) -> dict[str, Any]:
    """What the header of a native file takes of a foreign one; nothing that it does not say."""
    known = {k: h.about[k] for k in ("proposer", "seeds", "files") if k in h.about}
    if h.history is not None:
        known["proposer"] = {**known.get("proposer", {}), "history": h.history}
    return known | _known(
        software=h.about.get("software", {}),  # not that of the conversion
        run_id=h.run_id,
        campaign=h.campaign,
        domain=h.domain,
        menu=h.menu.to_json() if h.menu is not None and h.menu.declared else None,
        base=h.base,
        metrics=[
            _known(name=m.name, role=m.role, goal=m.goal, floor=m.floor, ceiling=m.ceiling, anchor=m.anchor)
            for m in h.metrics
        ]
        or None,
        settings_hash=h.settings,
        unguarded_because=h.unguarded_because,
        has_keeps=None if h.has_keeps else False,
        branching=h.branching or None,
        guesses=list(h.guesses) or None,
        # The header must say when it was started, and a foreign one may not know: then this says what time that is.
        converted={"started": "the time of the conversion"},
    )


def _missing(h: Header) -> str:
    missing = [what for what, value in (("metric", h.metric), ("direction", h.goal)) if value is None]
    return " and ".join(missing) + (" is" if len(missing) == 1 else " are")


def _flags(h: Header) -> str:
    return " and ".join(flag for flag, value in (("--metric", h.metric), ("--goal", h.goal)) if value is None)


def _known(**fields: Any) -> dict[str, Any]:
    return {k: v for k, v in fields.items() if v is not None}


def _seed(s: Seed) -> Mapping[str, Any]:
    return _known(
        seed=s.seed,
        status=s.status,
        metrics=dict(s.metrics),
        wall_s=s.wall_s,
        first_step=s.first_step,
        error=s.error,
        code_sha=s.code_sha,
        effective_config_sha=s.config_sha,
        data_sha=s.data_sha,
        predictions_sha=s.predictions_sha,
    )


def _verdict(rule: str) -> dict[str, Any]:
    return {"rule": rule, "level": "FAIL", "reason": "refused"}


def _kinds() -> frozenset[str]:
    from trajscope.record import models

    return frozenset(get_args(models.Kind))


def _why(e: RecordError) -> str:
    """What the contract said, without the place in a draft that nobody will see."""
    said = str(e).partition("not written: ")[2] or str(e)
    return said.partition(": ")[2] or said


def _time(ms: int | None) -> str | None:
    """A foreign time without a zone, as it stood in its file."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
