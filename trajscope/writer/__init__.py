"""Writes a native run file: `open_run(...)`, then one `trial(...)` per iteration.

    with open_run("run.jsonl", metric="val_loss") as run:
        run.trial({"lr": 1e-3}, value=0.42, kept=True)

Decides nothing: what is kept is the caller's word, and a keep without evidence is refused. A `with` block that ends
well writes an `end` line; one that ends in an exception writes none. Long texts and holdout values go beside the file.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from trajscope import menu as menus
from trajscope.blobs import MAX_INLINE, beside, write_blob
from trajscope.chain import Chain
from trajscope.errors import RecordError
from trajscope.lines import MAX_LINE
from trajscope.verdict import Verdict
from trajscope.writer import resume as earlier
from trajscope.writer import shorthand
from trajscope.writer.append import AppendFile
from trajscope.writer.shorthand import Changes, Fields, Seeds

if TYPE_CHECKING:
    from trajscope.record import Record, Trial, Unknown

NOT_RUN = ("blocked", "proposer_error")  # a trial of these has no configuration of its own


def open_run(
    path: str | os.PathLike[str],
    *,
    metric: str | Mapping[str, object],
    goal: str = "minimize",
    run_id: str | None = None,
    campaign: str | None = None,
    menu: Mapping[str, object] | None = None,
    base: Mapping[str, object] | None = None,
    resume: bool = False,
    fsync: bool = True,
    holdout_path: str | os.PathLike[str] | None = None,
    now: Callable[[], datetime] | None = None,
    **header: object,
) -> RunWriter:
    """Start a run file, or go on with one (`resume`; a file that is not there yet is started).

    `base` is the configuration the run starts from, knob by knob. `header` takes the other fields of the run line.
    """
    file = AppendFile(path, fsync=fsync)
    try:
        if file.found and not resume:
            raise RecordError(f"{file.path}: is not empty; pass resume=True to go on with it, or name a new file")
        fields = shorthand.header(metric, goal, base, header)
        fields |= {"run_id": run_id, "menu": menu} | ({} if campaign is None else {"campaign": campaign})
        hidden = Path(holdout_path or beside(file.path, ".holdout.jsonl"))
        return RunWriter(file, fields, hidden, now or (lambda: datetime.now(UTC)))
    except BaseException:
        file.close()
        raise


class RunWriter:
    """One open run file. Threads may share it; another process may not."""

    def __init__(self, file: AppendFile, fields: Fields, holdout_path: Path, now: Callable[[], datetime]) -> None:
        self.path = file.path
        self.header: Fields = {}
        self.counts: Counter[str] = Counter()
        self._file = file
        self._holdout_path = holdout_path
        self._now = now
        self._turn = threading.RLock()
        self._iter = 0
        self._metric = str(fields["metric"]["name"])  # type: ignore[index]  # shorthand.header made it a dict
        self._menu = menus.parse(fields["menu"], f"{self.path}: menu") if fields["menu"] is not None else None
        self._config: Fields | None = None  # the incumbent's; None where it is not known
        self._ended = False
        self.followers: list[Callable[[bool], None]] = []  # called after each line, and with True when it closes
        self._start(fields)

    def trial(
        self,
        changes: Changes = None,
        *,
        value: object = None,
        kept: bool | None = None,
        status: str | None = None,
        reason_code: str | None = None,
        seeds: Seeds = None,
        metrics: Mapping[str, object] | None = None,
        deltas: Mapping[str, Mapping[str, object]] | None = None,
        reason: str | None = None,
        intent: str | None = None,
        verdict: Verdict | Mapping[str, object] | None = None,
        attempts: Iterable[Mapping[str, object]] = (),
        verdicts: Iterable[Verdict | Mapping[str, object]] | None = None,
        diff: str | None = None,
        parent: str | None = None,
        base_config: Mapping[str, object] | None = None,
        base_hash: str | None = None,
        config_hash: str | None = None,
        cost: Mapping[str, object] | None = None,
        wall_s: float | None = None,
        holdout: Mapping[str, object] | None = None,
        holdout_pass: bool | None = None,
        **extra: object,
    ) -> int:
        """Write one trial and return its seq once it is durable. `attempts` are the refused ones before `changes`.

        `kept` is short for status kept or reverted. `base_config` is what `changes` were applied to, where that is not
        the incumbent. `extra` takes the other fields of a trial, and fields of your own.
        """
        from trajscope.record import finite, has_nan, plain

        now = {"changes": shorthand.changes(changes), "reason": reason, "intent": intent, "verdict": verdict}
        tried = [shorthand.attempt(a) for a in attempts]
        if any(now.values()):
            tried.append(shorthand.attempt(now))
        results = shorthand.seeds(seeds, self._metric)
        value, source = shorthand.value(value, results, self._metric)
        measured = {"value": value, "metrics": metrics, "deltas": deltas, "seeds": results}
        fields: Fields = {
            "status": shorthand.status(status, kept=kept),
            "reason_code": "nan" if reason_code is None and has_nan(measured) else reason_code,
            "attempts": tried,
            "parent": parent,
            "verdicts": None if verdicts is None else [shorthand.verdict(v) for v in verdicts],
            "value_source": None if has_nan(value) else source,
            **cast("Fields", finite({**measured, "cost": shorthand.cost(cost, wall_s)})),
            **self._texts({"diff": diff or None, **extra}),
        }
        with self._turn:
            config = self._config if base_config is None else cast("Fields", plain(base_config, "base_config"))
            if config is not None:
                base_hash = base_hash or self._hash(config, parent)
                ran = {} if fields["status"] in NOT_RUN else shorthand.applied(tried)
                if config_hash is None and ran:
                    config_hash = self._hash(self._changed(config, ran), parent)
            fields |= {"base_hash": base_hash, "config_hash": config_hash}
            fields.setdefault("iter", self._iter + 1)
            fields.setdefault("ended", self._time())
            if holdout is not None or holdout_pass is not None:
                fields["holdout"] = self._seal(fields, holdout, passed=holdout_pass)
            seq, trial = self._write("trial", fields)
            self._learn(cast("Trial", trial), config)
            return seq

    def measure(
        self,
        what: str,
        *,
        value: object = None,
        name: str | None = None,
        seeds: Seeds = None,
        config_hash: str | None = None,
        **extra: object,
    ) -> int:
        """Write an evaluation that is no trial: baseline, incumbent, degenerate or confirm."""
        from trajscope.record import finite, has_nan

        results = shorthand.seeds(seeds, self._metric)
        value, _ = shorthand.value(value, results, self._metric)
        measured = {"value": value, "seeds": results}
        with self._turn:
            if config_hash is None and what == "baseline" and isinstance(base := self.header.get("base"), dict):
                config_hash = str(base["hash"])
            if config_hash is None and what == "incumbent" and self._config is not None:
                config_hash = self._hash(self._config)
            fields: Fields = {"what": what, "name": name, "config_hash": config_hash, "ended": self._time()}
            if has_nan(measured):
                fields["reason_code"] = "nan"
            return self._write("measure", fields | cast("Fields", finite(measured)) | extra)[0]

    def event(self, kind: str, **data: object) -> int:
        """Write that something happened to the run; texts over 2 KB in `data` become blobs."""
        with self._turn:
            return self._write("event", self._event(kind, data))[0]

    def end(self, reason: str = "finished") -> int:
        """Write that the run ended on purpose. Nothing more can be written until it is resumed."""
        with self._turn:
            fields = {"ended": self._time(), "reason": reason, "counts": dict(self.counts)}
            seq, _ = self._write("end", fields)
            self._ended = True
            return seq

    def close(self) -> None:
        """Let go of the file without a word: a run closed without `end` reads as interrupted."""
        with self._turn:
            followers, self.followers = self.followers, []
            for follow in followers if self._file.ours else ():
                follow(True)
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        try:
            if kind is None and not self._ended:
                self.end()
        finally:
            self.close()

    def _write(self, kind: str, fields: Mapping[str, object]) -> tuple[int, Record]:
        """Append one line, and return its seq and the record it holds."""
        if self._ended:
            raise RecordError(f"{self.path}: the run has ended; open it again with resume=True to go on")
        chain = self._file.tail.chain
        record, line = self._line(kind, fields, chain)
        self._file.append(line)
        for follow in self.followers:
            follow(False)
        return chain.seq, record

    def _line(self, kind: str, fields: Mapping[str, object], chain: Chain) -> tuple[Record, bytes]:
        from trajscope.record import dump, make, plain

        head = {"v": 1, "type": kind, "seq": chain.seq, "prev": chain.prev}
        try:
            if taken := head.keys() & fields.keys():
                raise RecordError(f"{', '.join(sorted(taken))} is the writer's own to fill in; leave it out")
            held = shorthand.known(fields, keep="value" if kind == "trial" else "")
            record = make(cast("Fields", plain(head | held, kind)))
            line = dump(record, metric=self._metric)
            if len(line) > MAX_LINE:
                raise RecordError(f"a line of {len(line):,} bytes is over the limit of {MAX_LINE:,}; keep it in a file")
        except RecordError as error:
            raise RecordError(f"{self.path}:{chain.seq + 1}: not written: {error}") from None
        return record, line

    def _start(self, fields: Fields) -> None:
        """Write the header, or take up the file that is there."""
        fields["started"] = self._time()
        if self._file.found:
            self._resume(fields)
            return
        fields["run_id"] = fields["run_id"] or _new_id(self._now())
        self._take(self._write("run", fields)[1], fields)
        self._file.sync_name()

    def _resume(self, fields: Fields) -> None:
        last: Record | Unknown | None = None
        for last in earlier.checked(self._file):
            self._take(last, fields)
        if (torn := self._file.torn()) and earlier.fits(torn, self._file.tail.chain):
            from trajscope.record import load

            self._file.finish(torn)
            last = load(torn)
            self._take(last, fields)
            self.event("repair", newline=True)
        elif torn:
            self._repair(torn, fields)
        done = last is not None and getattr(last, "type", None) == "end"
        self.event("resume", ended=done, software=fields["software"])

    def _repair(self, torn: bytes, fields: Fields) -> None:
        """Put a repair event that holds them in the place of torn bytes, and a header before it if that was torn."""
        chain, lines = self._file.tail.chain, []
        if not self.header:
            if not earlier.could_be_header(torn):
                raise RecordError(f"{self.path}:1: is not the header of a run; name another file")
            header, line = self._line("run", {**fields, "run_id": fields["run_id"] or _new_id(self._now())}, chain)
            self._take(header, fields)
            lines, chain = [line], chain.after(line)
        _, event = self._line("event", self._event("repair", earlier.kept_bytes(torn)), chain)
        self._file.mend([*lines, event])

    def _take(self, record: Record | Unknown, fields: Fields) -> None:
        """Learn what a line of the file says of the run; the first must be the header these fields would give."""
        from trajscope.record import RunHeader, Trial

        if self.header:
            if isinstance(record, Trial):
                self._learn(record, self._config)
            return
        if not isinstance(record, RunHeader):
            why = getattr(record, "why", "is not the header of a run")
            raise RecordError(f"{self.path}:1: {why}; name another file")
        self.header = record.model_dump(exclude_unset=True, by_alias=True)
        wanted, _ = self._line("run", {**fields, "run_id": fields["run_id"] or record.run_id}, Chain())
        earlier.compare(self.path, self.header, wanted.model_dump(exclude_unset=True, by_alias=True))
        self._config = record.base.config if record.base else None

    def _learn(self, trial: Trial, config: Fields | None) -> None:
        """What a trial changes in what is known of the run; the same whether just written or read again."""
        self.counts[trial.status] += 1
        self._iter = max(self._iter, trial.iter or 0)
        if trial.status == "kept":
            ran = trial.ran
            new = (
                None if config is None or ran is None else self._changed(config, {c.knob: c.value for c in ran.changes})
            )
            # A hash that is not ours says that the incumbent is something we cannot name.
            same = new is not None and trial.config_hash == self._hash(new, trial.parent)
            self._config = new if same else None

    def _changed(self, config: Fields, ran: Fields) -> Fields:
        """The configuration after these changes, under the names and values the menu knows them by."""
        if self._menu is None:
            return config | ran
        return config | {c.knob: c.value for c in (self._menu.change(k, v) for k, v in ran.items())}

    def _hash(self, config: Mapping[str, object], parent: str | None = None) -> str:
        return shorthand.config_hash(config, self.header, parent)

    def _event(self, kind: str, data: Fields) -> Fields:
        return {"kind": kind, "at": self._time(), "data": self._texts(data)}

    def _texts(self, fields: Fields) -> Fields:
        """These fields with every long text moved beside the run."""
        from trajscope.record import plain

        out = dict(fields)
        for name, x in fields.items():
            if not isinstance(x, str) or len(text := str(plain(x, name))) * 4 <= MAX_INLINE:
                continue
            try:
                if len(text.encode()) > MAX_INLINE:
                    out[name] = {"blob": write_blob(self.path, text)}
            except OSError as error:
                raise RecordError(
                    f"{self.path}: not written: the {name} could not be stored beside it ({error.strerror}); free space"
                ) from error
        return out

    def _seal(self, fields: Fields, values: Mapping[str, object] | None, *, passed: bool | None) -> Fields:
        """Put holdout values away and return what the trial may tell of them."""
        from trajscope.record import finite, plain
        from trajscope.writer.holdout import seal

        chain = self._file.tail.chain
        if values is None or passed is None:
            raise RecordError(f"{self.path}: a holdout needs its values and its bit; pass holdout= and holdout_pass=")
        held = cast("Fields", plain(finite(values), "holdout"))
        if passed and None in held.values():
            raise RecordError(
                f"{self.path}: a holdout passed on a value that is missing or not finite: unknown is no pass"
            )
        # A trial that will be refused must not leave its values behind.
        self._line("trial", {**fields, "holdout": {"pass": passed, "commitment": "0" * 64}}, chain)
        try:
            committed = seal(self._holdout_path, chain.seq, held, fsync=self._file.fsync)
        except OSError as error:
            raise RecordError(
                f"{self._holdout_path}: the holdout was not written ({error.strerror}); free space or fix its rights"
            ) from error
        return {"pass": passed, "commitment": committed}

    def _time(self) -> str:
        from trajscope.record import utc

        return utc(self._now())


def _new_id(now: datetime) -> str:
    """Sorts by time, and differs between two runs of one second."""
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
