"""Reads OpenEvolve: the programs of its checkpoints, as `unfold` tells them, and the lines of its evolution trace.

A program that migrated to another island is a copy that nobody evaluated again: an event, not a trial.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from trajscope.pair import canon, pair
from trajscope.readers.fields import head_objects, mapping, text, unfolded
from trajscope.readers.lineage import Programs, epoch_ms, numbers, whole
from trajscope.recover import described
from trajscope.recover.code import Program, identity
from trajscope.recover.found import Found
from trajscope.trial import Event, Goal, Header, Item, Line

SCORE = "combined_score"
ERROR = "error"
SURVIVORS = "a checkpoint holds what survived: programs that were thrown out of the population are in no figure"


class OpenEvolve(Programs):
    """The programs of one evolution."""

    name: ClassVar[str] = "openevolve"
    about: ClassVar[str] = "OpenEvolve: a checkpoint, the folder of its checkpoints, or evolution_trace.jsonl"

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether it was unfolded from checkpoints, or holds lines of a trace."""
        return super().sniff(head) or any(_is_trace(o) for o in head_objects(head))

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line."""
        for item in super().feed(line):
            yield item
            if isinstance(item, Header) and unfolded(line.data, self.name):
                yield Event(seq=line.seq, kind="claim", data={"what": "survivors", "why": SURVIVORS})

    def _lacks(self, obj: Mapping[str, Any]) -> str | None:
        if _is_trace(obj) or ("id" in obj and isinstance(obj.get("metrics"), dict)):
            return None
        return "no program: it has no id or no metrics"

    def _measures(self, obj: Mapping[str, Any]) -> tuple[str | None, Goal | None]:
        """The combined score where there is one; it maximises whatever it scores."""
        if "unfolded" in obj:
            names = obj.get("metrics")
            named = [str(n) for n in names] if isinstance(names, list) else []
        else:
            named = list(numbers(obj.get("parent_metrics"), obj.get("child_metrics"), obj.get("metrics")))
        named = [n for n in named if n != ERROR]
        if SCORE in named or not named:
            return SCORE, "maximize"
        if len(named) == 1:
            return named[0], "maximize"
        if self._source.metric is None:
            have = ", ".join(named[:12])
            self._said.append(f"no {SCORE}, and {len(named)} metrics that may be meant: {have}; name one with --metric")
        return None, None

    def _item(self, line: Line, obj: Mapping[str, Any]) -> Item:
        if _is_trace(obj):
            return self._traced(line, obj)
        inner = mapping(obj.get("metadata"))
        if inner.get("migrant") is True:
            self._born(obj.get("id"), None, obj.get("code"), obj.get("language"))
            return Event(seq=line.seq, kind="claim", data={"what": "migration", "id": str(obj.get("id"))})
        made = self._born(obj.get("id"), obj.get("parent_id"), obj.get("code"), obj.get("language"))
        if obj.get("parent_id") is None and not self._based:
            metrics = numbers(obj.get("metrics"))
            value = metrics.get(self._metric or "")
            return self._baseline(line, value, obj.get("code"), obj.get("language"), metrics=metrics or None)
        return self._evaluated(line, obj, made, obj.get("metrics"), iter=whole(obj.get("iteration_found")))

    def _traced(self, line: Line, obj: Mapping[str, Any]) -> Item:
        language = mapping(obj.get("metadata")).get("language")
        before, after = obj.get("parent_code"), obj.get("child_code")
        parent, child = obj.get("parent_id"), obj.get("child_id")
        if isinstance(before, str):
            self._born(parent, None, before, language)
        made = self._born(child, parent, after, language)
        if made is None and (found := _told(obj)) is not None:
            made = Program(str(child), None if parent is None else str(parent), found)
        return self._evaluated(line, obj, made, obj.get("child_metrics"), iter=whole(obj.get("iteration")))

    def _evaluated(self, line: Line, obj: Mapping[str, Any], made: Program | None, scored: object, **more: Any) -> Item:
        metrics = numbers(scored)
        value = metrics.get(self._metric or "")
        has = mapping(scored)
        why = has.get(ERROR)
        crashed = bool(isinstance(why, str) and why) or (value is None and (ERROR in has or not metrics))
        nan = value is None and isinstance(has.get(self._metric or ""), float)
        return self._trial(
            line,
            made,
            "crashed" if crashed else "reverted",
            value,
            crashed=crashed,
            raw=None,
            reason="timeout" if crashed and has.get("timeout") is True else "nan" if nan and not crashed else None,
            time_ms=epoch_ms(obj.get("timestamp")),
            metrics={k: v for k, v in metrics.items() if k != ERROR} or None,
            **more,
        )


def _is_trace(obj: Mapping[str, Any]) -> bool:
    return "child_id" in obj and isinstance(obj.get("child_metrics"), dict) and "parent_id" in obj


def _told(obj: Mapping[str, Any]) -> Found | None:
    """What a line of a trace without code says of the change: its diff by its hash, else its description."""
    if diff := text(obj.get("code_diff")):
        return Found(pair((canon("code:program", identity(diff, "diff")),)), "diff", 0.5)
    words = text(obj.get("child_changes_description"))
    return described(words) if words else None
