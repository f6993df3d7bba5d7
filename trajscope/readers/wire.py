"""The fields of a native line that are read, as msgspec decodes them; the rest stays in the file.

Knows nothing of what they mean. `Raw` keeps a knob's value as it was spelled, so that identity is decided once.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

from trajscope.readers.fields import Whole


class ChangeFields(Struct, gc=False):
    """One knob and its value, as it was spelled."""

    knob: str
    value: Raw = Raw(b"null")


class VerdictFields(Struct, gc=False):
    """What a rail said."""

    rule: str = ""
    level: str = ""


class AttemptFields(Struct, gc=False):
    """One proposal."""

    changes: tuple[ChangeFields, ...] = ()
    knob: str | None = None
    value: Raw = Raw(b"null")
    intent: str | None = None
    verdict: VerdictFields | None = None


class SeedFields(Struct, gc=False):
    """One seed."""

    seed: Whole | None = None
    status: str = "ok"
    metrics: dict[str, float | None] = {}
    wall_s: float | None = None
    first_step: float | None = None
    error: str | None = None
    code_sha: str | None = None
    effective_config_sha: str | None = None
    data_sha: str | None = None
    predictions_sha: str | None = None


class CostFields(Struct, gc=False):
    """What a trial cost."""

    wall_s: float | None = None
    tokens_in: Whole | None = None
    tokens_out: Whole | None = None
    usd: float | None = None


class FingerprintsFields(Struct, gc=False):
    """Hashes of the declared files at each stage."""

    propose: dict[str, str] = {}
    run: dict[str, str] = {}
    score: dict[str, str] = {}


class HoldoutFields(Struct, gc=False, rename={"passed": "pass"}):
    """What a trial tells of the holdout."""

    passed: bool | None = None


class BlobFields(Struct, gc=False):
    """A long text that lies beside the run."""

    blob: str


class LineFields(Struct, gc=False):
    """The fields of any line that are read; the rest stays in the file."""

    v: int | None = None
    type: str | None = None
    seq: int | None = None
    prev: str | None = None
    iter: Whole | None = None
    status: str | None = None
    raw_status: str | None = None
    reason_code: str | None = None
    provenance: str | None = None
    confidence: float | None = None
    attempts: tuple[AttemptFields, ...] = ()
    base_hash: str | None = None
    config_hash: str | None = None
    parent: str | None = None
    value: float | None = None
    metrics: dict[str, float | None] | None = None
    seeds: tuple[SeedFields, ...] = ()
    effective: dict[str, Any] | None = None
    fingerprints: FingerprintsFields | None = None
    cost: CostFields | None = None
    diff: str | BlobFields | None = None
    holdout: HoldoutFields | None = None
    ended: str | None = None
    new_best: bool | None = None
