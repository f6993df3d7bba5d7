"""Row: a trial with everything that looks back already computed, so that every metric is a plain aggregate.

Its fields are the columns of DuckDB, Parquet and polars alike. A derived column is causal: once pushed, never changed.
"""

from __future__ import annotations

from typing import NamedTuple

DERIVED_VERSION = 7  # changes when a derived column changes its meaning; cached Parquet of another version is rebuilt


class Row(NamedTuple):
    """One trial in columns. The order is the order of `SQL_TYPES`."""

    seq: int
    at: int
    iter: int | None
    status: int  # index into trial.STATUSES
    evaluated: bool  # it was scored, whatever came out
    counted: bool  # evaluated, and no declared replicate: what `pairs.*` looks at
    kept: bool
    e: int  # how many trials were evaluated up to here
    c: int  # how many were counted up to here
    pair: int  # number of the pair in the run; -1 without a proposal
    k: int  # counted occurrences of the pair up to here, this one included; 0 when not counted
    gap: int | None  # counted trials since the pair was last counted
    kept_k: int  # occurrences of the pair among keeps, this one included; 0 when not kept
    knob_k: int  # counted occurrences of its knob (or knobs) up to here; 0 when not counted
    context_k: int  # counted occurrences of the whole configuration; 0 when unknown or not counted
    new_knobs: int  # menu knobs that no evaluated trial before it had touched
    new_kept_knobs: int
    new_proposed_knobs: int
    new_cells: int  # menu cells likewise
    near: bool
    revisit: bool
    replicate: bool
    noop: bool
    eligible: bool  # evaluated, allowed to be best, with a finite value
    value: float | None
    best: float | None  # best eligible value so far, the baseline included
    best_kept: float | None
    new_best: bool
    since_best: int  # evaluated trials since the last strict best
    since_keep: int  # evaluated trials since the last keep
    attempts: int
    refused: int
    wall_s: float | None
    tokens_in: int | None
    tokens_out: int | None
    usd: float | None
    time_ms: int | None
    drifted: bool  # this trial or one before it ran otherwise than proposed


SQL_TYPES = {
    "seq": "BIGINT",
    "at": "BIGINT",
    "iter": "BIGINT",
    "status": "TINYINT",
    "evaluated": "BOOLEAN",
    "counted": "BOOLEAN",
    "kept": "BOOLEAN",
    "e": "INTEGER",
    "c": "INTEGER",
    "pair": "INTEGER",
    "k": "INTEGER",
    "gap": "INTEGER",
    "kept_k": "INTEGER",
    "knob_k": "INTEGER",
    "context_k": "INTEGER",
    "new_knobs": "SMALLINT",
    "new_kept_knobs": "SMALLINT",
    "new_proposed_knobs": "SMALLINT",
    "new_cells": "SMALLINT",
    "near": "BOOLEAN",
    "revisit": "BOOLEAN",
    "replicate": "BOOLEAN",
    "noop": "BOOLEAN",
    "eligible": "BOOLEAN",
    "value": "DOUBLE",
    "best": "DOUBLE",
    "best_kept": "DOUBLE",
    "new_best": "BOOLEAN",
    "since_best": "INTEGER",
    "since_keep": "INTEGER",
    "attempts": "INTEGER",
    "refused": "INTEGER",
    "wall_s": "DOUBLE",
    "tokens_in": "BIGINT",
    "tokens_out": "BIGINT",
    "usd": "DOUBLE",
    "time_ms": "BIGINT",
    "drifted": "BOOLEAN",
}
