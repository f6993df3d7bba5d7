"""Reads ShinkaEvolve: the programs of its database. What is not correct has crashed, whatever it scored.

The first generation is the program that all others come from; its copies on other islands are no trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from trajscope.readers.fields import mapping, text
from trajscope.readers.lineage import Programs, epoch_ms, number, numbers, whole
from trajscope.trial import Event, Goal, Item, Line

SCORE = "combined_score"
_COSTS = ("api_costs", "embed_cost", "novelty_cost", "meta_cost")


class Shinka(Programs):
    """The programs of one evolution."""

    name: ClassVar[str] = "shinka"
    about: ClassVar[str] = "the database of ShinkaEvolve (evolution_db.sqlite)"

    def _lacks(self, obj: Mapping[str, Any]) -> str | None:
        return None if "id" in obj and "correct" in obj else "no program: it has no id, or not whether it is correct"

    def _measures(self, obj: Mapping[str, Any]) -> tuple[str | None, Goal | None]:
        return SCORE, "maximize"

    def _item(self, line: Line, obj: Mapping[str, Any]) -> Item:
        about = mapping(obj.get("metadata"))
        made = self._born(obj.get("id"), obj.get("parent_id"), obj.get("code"), obj.get("language"))
        if about.get("_is_island_copy") is True:
            return Event(seq=line.seq, kind="claim", data={"what": "island copy", "id": str(obj.get("id"))})
        metrics = numbers(obj.get("public_metrics"), obj.get("private_metrics"))
        score = number(obj.get(SCORE))
        value = score if self._metric == SCORE else metrics.get(self._metric or "")
        crashed = obj.get("correct") not in (1, True)
        if obj.get("parent_id") is None and obj.get("generation") == 0 and not self._based:
            return self._baseline(
                line, None if crashed else value, obj.get("code"), obj.get("language"), metrics=metrics or None
            )
        costs = [c for c in map(number, (about.get(k) for k in _COSTS)) if c is not None]
        return self._trial(
            line,
            made,
            "crashed" if crashed else "reverted",
            value,
            crashed=crashed,
            raw="incorrect" if crashed else None,
            reason=None if not crashed else text(about.get("error_type")),
            iter=whole(obj.get("generation")),
            wall_s=number(about.get("compute_time")),
            usd=sum(costs) if costs else None,
            time_ms=epoch_ms(obj.get("timestamp")),
            metrics=metrics or None,
        )
