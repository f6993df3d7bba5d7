"""Optuna's JournalStorage: a log of operations, several for each trial, told as the trials that came to an end.

The lines are those of `unfold.optuna`, so that a study reads alike from either storage. It is a file of lines, and yet
unfolded: which parameters there are is known only from operations that come later, and studies may be interleaved.
An operation that cannot be read is handed on as it is, to be counted; a last line without its end is still written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trajscope.errors import SourceError
from trajscope.unfold.document import line
from trajscope.unfold.optuna import NAMES, OVER, head, meant, merged, spelt

MOST = 1 << 30  # bytes of a log
CREATE_STUDY, DELETE_STUDY, STUDY_SYSTEM, CREATE_TRIAL, PARAM, STATE, USER = 0, 1, 3, 4, 5, 6, 8
_STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_DIRECTIONS = ("not_set", "minimize", "maximize")


class _Study:
    def __init__(self, name: str, directions: list[str]) -> None:
        self.name, self.directions = name, directions
        self.names: object = None
        self.params: dict[str, Any] = {}
        self.trials = 0
        self.lines: list[bytes] = []  # of ended trials and of what could not be read, in order


class _Trial:
    def __init__(self, study: _Study, number: int, started: object) -> None:
        self.study, self.number, self.started = study, number, started
        self.drawn: dict[str, object] = {}
        self.drawn_from: dict[str, dict[str, Any]] = {}
        self.attrs: dict[str, Any] = {}
        self.over = False


def unfold(path: Path) -> Iterator[bytes]:
    """The trials of each study, one study after the other."""
    log = _Log()
    try:
        with path.open("rb") as f:
            total = 0
            for data in f:
                total += len(data)
                if total > MOST:
                    raise SourceError(f"{path}: is a log of over {MOST:,} bytes; export its trials as JSON lines")
                if data.endswith(b"\n") and data.strip():
                    log.take(data)
    except OSError as e:
        raise SourceError(f"{path}: cannot be read ({e.strerror}); check the path") from None
    for study in log.studies:
        if study is not None and study.lines:
            yield head(study.name, study.directions, study.names, study.params)
            yield from study.lines
    yield from log.lost


def watched(path: Path) -> list[Path]:
    """The log."""
    return [path]


class _Log:
    """The studies and trials as the operations so far leave them."""

    def __init__(self) -> None:
        self.studies: list[_Study | None] = []
        self.trials: list[_Trial] = []
        self.lost: list[bytes] = []  # what belongs to no study

    def take(self, data: bytes) -> None:
        """One operation; one that makes no sense is kept as it is."""
        try:
            op = json.loads(data)
            self._do(op, op["op_code"])
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            now = next((s for s in reversed(self.studies) if s is not None and s.lines), None)
            (now.lines if now is not None else self.lost).append(data)

    def _do(self, op: dict[str, Any], code: int) -> None:
        if code == CREATE_STUDY:
            directions = [_DIRECTIONS[d] for d in op["directions"]]
            if not any(s is not None and s.name == op["study_name"] for s in self.studies):
                self.studies.append(_Study(str(op["study_name"]), directions))
        elif code == DELETE_STUDY:
            self.studies[op["study_id"]] = None
        elif code == STUDY_SYSTEM:
            study = self.studies[op["study_id"]]
            if study is not None and NAMES in op["system_attr"]:
                study.names = op["system_attr"][NAMES]
        elif code == CREATE_TRIAL:
            self._created(op)
        elif code in (PARAM, STATE, USER):
            trial = self.trials[op["trial_id"]]
            if trial.over:
                return  # Optuna refuses it as well: of two workers the first one won
            if code == PARAM:
                self._drew(trial, op["param_name"], op["distribution"], op["param_value_internal"])
            elif code == USER:
                trial.attrs |= op["user_attr"]
            else:
                self._ended(trial, op)

    def _created(self, op: dict[str, Any]) -> None:
        study = self.studies[op["study_id"]]
        if study is None:
            raise KeyError(op["study_id"])
        trial = _Trial(study, study.trials, op.get("datetime_start"))
        study.trials += 1
        self.trials.append(trial)
        if "state" not in op:
            return
        for name, text in (op.get("distributions") or {}).items():
            trial.drawn_from[name] = spelt(text)
            trial.drawn[name] = meant(op["params"][name], trial.drawn_from[name])
        trial.attrs |= op.get("user_attrs") or {}
        self._ended(trial, op)

    @staticmethod
    def _drew(trial: _Trial, name: str, text: object, stored: object) -> None:
        trial.drawn_from[name] = spelt(text)
        trial.drawn[name] = meant(stored, trial.drawn_from[name])

    @staticmethod
    def _ended(trial: _Trial, op: dict[str, Any]) -> None:
        state = _STATES[op["state"]]
        if state not in OVER:
            trial.started = op.get("datetime_start") or trial.started
            return
        trial.over = True
        values = op.get("values")
        if values is None and op.get("value") is not None:
            values = [op["value"]]
        for name, distribution in trial.drawn_from.items():
            merged(trial.study.params, name, distribution)
        trial.study.lines.append(
            line(
                {
                    "number": trial.number,
                    "state": state,
                    "start": trial.started,
                    "complete": op.get("datetime_complete"),
                    "values": values or [],
                    "params": trial.drawn,
                    "attrs": trial.attrs,
                }
            )
        )
