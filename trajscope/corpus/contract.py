"""The manifest of a corpus as JSON Schema: what stands in it for whoever learns from the folder, or asks about it."""

from __future__ import annotations

from typing import Any, get_args

from msgspec import json

from trajscope import shape
from trajscope.corpus import gating, manifest
from trajscope.corpus.examples import DROPS
from trajscope.corpus.policy import Policy
from trajscope.corpus.rows import TABLES
from trajscope.corpus.tables import SIDES, Weights
from trajscope.shape import COUNT, NUMBER, SHA256, TEXT, Shape, listed, mapped, null_or, record, told
from trajscope.trial import Goal

GOAL = null_or(shape.one_of(get_args(Goal)))


def schema() -> Shape:
    """The JSON Schema of `manifest.json`."""
    print_ = {"bytes": COUNT, "sha256": SHA256}
    parts = {
        "inputs": told(listed(_input(print_)), "The runs that it was made of."),
        "made_with": record({"trajscope": null_or(TEXT), "polars": null_or(TEXT)}),
        "policy": record({"name": TEXT, "thresholds": _policy()}),
        "gate": told(gating.answer(but=("files", "sft")), "The gate's answer; its files stand among the inputs."),
        "accepted": told(null_or(TEXT), "Why it was built although the gate refused; null where it did not."),
        "settings": record(
            {"split": TEXT, "embargo": null_or(COUNT), "balance": NUMBER, "cap": told(NUMBER, "Of one label's weight.")}
        ),
        "split": record({"kind": TEXT, "name": TEXT, "embargo": null_or(COUNT)}),
        "trials": trials(),
        "verdicts": told(_sides(record({"kept": COUNT, "reverted": COUNT})), "Of the rows on each side."),
        "labels": record({"different": COUNT, "most": listed(record({"label": TEXT, "rows": COUNT}))}),
        "tables": record(dict.fromkeys(TABLES, _sides(record({"rows": COUNT, "left_out": mapped(COUNT)})))),
        "weights": mapped(record(dict.fromkeys(Weights._fields, NUMBER)), TABLES),
        "files": mapped(record({"rows": null_or(COUNT), **print_})),
    }
    return shape.document("The manifest of a corpus, `manifest.json`", parts, number=manifest.SCHEMA)


def trials() -> Shape:
    """The schema of what became of the trials, as the manifest and `corpus build --json` tell it."""
    dropped = told(mapped(COUNT), f"By why: {', '.join(DROPS)} and others that the manual names.")
    return record({"all": COUNT, **dict.fromkeys(SIDES, COUNT), "dropped": dropped})


def _input(print_: dict[str, Shape]) -> Shape:
    run = {
        "run_id": TEXT,
        "campaign": null_or(TEXT),
        "metric": null_or(TEXT),
        "goal": GOAL,
        "trials": COUNT,
        "unreadable": told(COUNT, "Lines that hold no record."),
        "ended": told(shape.TRUTH, "Whether it said that it had ended."),
    }
    said = {
        "metric": null_or(TEXT),
        "goal": GOAL,
        "history": null_or(COUNT),
        "reader": null_or(TEXT),
        "map_sha256": told(SHA256, "Only where a map was said."),
        "menu_sha256": told(SHA256, "Only where a menu was said."),
    }
    return record(
        {
            "name": told(TEXT, "The file's name without its folder."),
            **print_,
            "said": told(record(said, maybe=("map_sha256", "menu_sha256")), "What was said about the file."),
            "runs": listed(record(run)),
        }
    )


def _sides(part: Shape) -> Shape:
    return record(dict.fromkeys(SIDES, part))


def _policy() -> Shape:
    """Every threshold, as the policies themselves are held to."""
    found: dict[str, Any] = json.schema(Policy)
    policy: Shape = _open(found["$defs"]["Policy"], found["$defs"])
    return policy


def _open(part: Any, inner: dict[str, Any]) -> Any:
    """A part with what it refers to in its place."""
    if isinstance(part, list):
        return [_open(x, inner) for x in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _open(inner[part["$ref"].rpartition("/")[2]], inner)
    return {k: _open(v, inner) for k, v in part.items()}
