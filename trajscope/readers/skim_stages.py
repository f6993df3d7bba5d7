"""Skims stage rows, line by line as their own reader has it."""

from __future__ import annotations

from typing import Any

from trajscope.batch import Move
from trajscope.readers.fields import finite
from trajscope.readers.skim import Tried, tokens
from trajscope.readers.stages import Stages, status_of
from trajscope.trial import Line


class LeanStages(Stages):
    """A file of stage rows, read as `Stages` reads it but for what a rail does not need."""

    def _trial(self, line: Line, row: Any, faults: tuple[str, ...]) -> Any:
        p = row.proposal
        move = self._move(p.knob, bytes(p.new_value), bytes(row.candidate_cfg)) if p else Move()
        return Tried(
            line.seq,
            status_of(row.stage, row.decision),
            move.pair,
            row.iter,
            finite(row.value),
            move.base,
            move.config,
            None,
            finite(row.iter_wall_s),
            tokens(row.tokens_in, row.tokens_out),
            None,
            faults[0] if faults else None,
        )
