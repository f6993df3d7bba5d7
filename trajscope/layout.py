"""Layout: what the columns of a foreign file mean. A reader finds one by itself; whoever knows better writes one.

The same words serve the reader, `--map map.toml` and `formats --explain`. Knows no file and no line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from trajscope.trial import Goal

Delimiter = Literal["tab", "comma", "semicolon", "pipe"]


class Layout(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Column by what it is for; in files of JSON lines a dotted path. None: not there, or left to the reader."""

    reader: str | None = None  # the format, by its name
    delimiter: Delimiter | None = None
    header: tuple[str, ...] | None = None  # the names, where no line of the file holds them
    id: str | None = None  # what its writer calls a trial: a number, a commit, a label; it may repeat
    commit: str | None = None
    parent: str | None = None  # the id of the trial that this one was built on
    metric: str | None = None
    goal: Goal | None = None
    metrics: tuple[str, ...] = ()  # other numbers that were measured
    status: str | None = None
    statuses: Mapping[str, tuple[str, ...]] = {}  # our status, and the words or beginnings of words that mean it
    baseline: tuple[str, ...] = ()  # what an id, status or description says where the row is a baseline
    description: str | None = None
    knob: str | None = None  # a proposal in columns of its own
    value: str | None = None
    old_value: str | None = None
    config: str | None = None  # the whole configuration that ran, as one object
    knobs: tuple[str, ...] = ()  # columns that are a knob each
    time: str | None = None
    wall_s: str | None = None
    tokens_in: str | None = None
    tokens_out: str | None = None
    usd: str | None = None
    seed: str | None = None


def over(found: Layout, said: Layout | None) -> Layout:
    """What a reader found, and over it what somebody said."""
    if said is None:
        return found
    own = {f: v for f in said.__struct_fields__ if (v := getattr(said, f)) not in (None, (), {})}
    return Layout(**{f: own.get(f, getattr(found, f)) for f in found.__struct_fields__})
