"""Rows: what a corpus holds of each example, and which two of them make a preference.

Texts stand as they were recorded or not at all: a prompt that nobody wrote down is never made up. Values of knobs are
canonical JSON texts, so that every row has the same columns whatever the menu.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from trajscope.corpus.examples import DROPS, Example, Examples
from trajscope.errors import SourceError

Table = Literal["outcomes", "sft", "pairs"]
TABLES: Mapping[Table, str] = {
    "outcomes": "every example with what came of it; with the prompt where it was recorded",
    "sft": "kept examples as chat, each with the prompt that the proposer saw and what it answered",
    "pairs": "a kept and a reverted answer to the same base, with the difference of their means",
}
# Why an example that stays is no row of a table.
LEFT_OUT = {
    "not_kept": "it was not kept",
    "no_prompt": "its prompt was not recorded",
    "prompt_lost": "its prompt is named and cannot be read, or was changed",
    "no_target": "what the proposer said was not recorded",
    "no_value": "it has no value, or its run no goal, so nothing says which answer was better",
    "flipped": "its configuration was kept once and reverted once",
    "no_base": "what it changed is not recorded",
    "no_rival": "nothing that can be compared was reverted on its base, among the nearest",
    "not_better": "over all evaluations it is no better than what was reverted",
}
# Why a trial is in no table, beside what marks it whatever the corpus.
HERE = {
    "outside_menu": "the menu forbids it, so it is illegal for the student too",
    "repeat_elsewhere": "another run of its campaign tried the same configuration; the first stands for all",
    "left_out": "it stands too near the boundary in time for either side",
}
REASONS = {**DROPS, **HERE}
RIVALS = 4  # reverted answers that one kept answer is held against: the nearest before it, then those after it
BASES = 256  # of a run, the latest, whose answers wait for one another
LARGEST = (1 << 63) - 1  # whole numbers that a column holds


class Row(NamedTuple):
    """One row of a table, the weight still to come."""

    label: int  # number of the label that its weight hangs on
    fields: dict[str, Any]


class Shown(NamedTuple):
    """An example with the texts that could be read of it."""

    e: Example
    prompt: str | None
    lost: bool  # a prompt is named and is not there
    mean: float | None  # over all evaluations of its configuration in the campaign
    replicates: int


def messages(prompt: str) -> list[dict[str, str]]:
    """A recorded prompt as chat messages. Put together again they are the prompt to the letter."""
    head, between = "[system]\n", "\n\n[user]\n"
    system, found, user = prompt.removeprefix(head).partition(between)
    if prompt.startswith(head) and found and system:
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return [{"role": "user", "content": prompt}]


class Facts:
    """What rows say of the run that an example is from: asked once for a run."""

    def __init__(self, examples: Examples) -> None:
        self._runs = examples.runs

    def better(self, e: Example, mean: float | None, than: float | None) -> float | None:
        """By how much a mean is better than another, in units of the metric."""
        sign = self._runs[e.run].sign
        if mean is None or than is None or not sign or not math.isfinite(mean) or not math.isfinite(than):
            return None
        return sign * (mean - than)

    def outcome(self, s: Shown) -> Row:
        """An example with what came of it."""
        e, header = s.e, self._runs[s.e.run].header
        over = self.better(e, s.mean, self._runs[e.run].baseline)
        seen = messages(s.prompt) if s.prompt is not None else None
        fields = {
            **self._named(s),
            "against": e.against,
            "base": _knobs(e.standing),
            "base_id": e.base,
            "changes": [{"knob": c.knob, "value": c.text} for c in e.pair.changes] if e.pair is not None else [],
            "condition": _condition(e, header.metric, header.goal, s.mean, s.replicates, over),
            "flipped": e.flipped,
            "goal": header.goal,
            "kept": e.kept,
            "messages": seen,
            "over_baseline": over,
            "status": e.status,
            "target": e.said,
        }
        return Row(e.place, fields)

    def chat(self, s: Shown) -> Row | str:
        """A kept example as chat, or why it is none."""
        if not s.e.kept:
            return "not_kept"
        if why := _untold(s):
            return why
        said = [*messages(s.prompt or ""), {"role": "assistant", "content": s.e.said or ""}]
        return Row(s.e.place, {**self._named(s), "decision": s.e.status, "messages": said})

    def preference(self, chosen: Shown, rejected: Shown) -> Row | None:
        """Two answers to one base; None where the kept one is no better."""
        a, b = chosen.e, rejected.e
        margin = self.better(a, chosen.mean, rejected.mean)
        if margin is None or margin <= 0 or chosen.prompt is None:
            return None
        noise = self._runs[a.run].noise
        spread = noise * math.sqrt(1 / max(1, chosen.replicates) + 1 / max(1, rejected.replicates)) if noise else None
        header = self._runs[a.run].header
        fields = {
            "base": _knobs(a.standing),
            "base_id": a.base,
            "campaign": a.campaign,
            "chosen": [{"role": "assistant", "content": a.said}],
            "chosen_label": a.label,
            "chosen_mean": chosen.mean,
            "chosen_replicates": chosen.replicates,
            "chosen_seq": a.seq,
            "goal": header.goal,
            "margin": margin,
            "margin_in_noise": margin / spread if spread else None,
            "metric": header.metric,
            "prompt": messages(chosen.prompt),
            "prompt_sha256": a.prompt.hash if a.prompt is not None else None,
            "rejected": [{"role": "assistant", "content": b.said}],
            "rejected_label": b.label,
            "rejected_mean": rejected.mean,
            "rejected_replicates": rejected.replicates,
            "rejected_seq": b.seq,
            "run": a.run,
            "run_id": a.run_id,
            "same_prompt": a.prompt is not None and b.prompt is not None and a.prompt.hash == b.prompt.hash,
        }
        return Row(a.place, fields)

    def _named(self, s: Shown) -> dict[str, Any]:
        """What every row of one example says."""
        e = s.e
        return {
            "campaign": e.campaign,
            "iter": e.iter if e.iter is not None and abs(e.iter) <= LARGEST else None,
            "label": e.label,
            "mean": s.mean,
            "metric": self._runs[e.run].header.metric,
            "prompt_sha256": e.prompt.hash if s.prompt is not None and e.prompt is not None else None,
            "replicates": s.replicates,
            "run": e.run,
            "run_id": e.run_id,
            "seq": e.seq,
            "value": e.value,
        }


class _Base:
    """Answers to one base that wait for one another."""

    def __init__(self) -> None:
        self.reverted: list[Shown] = []  # the latest, without their prompts' texts
        self.kept: list[tuple[Shown, int, int]] = []  # with how many rows each has made, and how many it was held with


class Pairing:
    """Preferences among the examples of one side, in the order in which they come; holds few of them at a time."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._run = -1
        self._bases: OrderedDict[str, _Base] = OrderedDict()

    def take(self, s: Shown) -> Iterator[Row | str]:
        """The rows that one more example makes, or why a kept one makes none."""
        if s.e.run != self._run:
            yield from self.close()
            self._run = s.e.run
        why = self._why_not(s)
        if why is not None:
            if s.e.kept:
                yield why
            return
        key = _base_key(s.e)
        assert key is not None  # else there was a reason
        base = self._bases.setdefault(key, _Base())
        self._bases.move_to_end(key)
        # Prompts of rivals are never shown, and those of kept ones are read again: only their names wait here.
        if s.e.kept:
            yield from self._kept(base, s)
        else:
            yield from self._reverted(base, s)
        if len(self._bases) > BASES:
            yield from _alone(self._bases.popitem(last=False)[1])

    def close(self) -> Iterator[str]:
        """Why those that still wait make no row: no more examples come."""
        for base in self._bases.values():
            yield from _alone(base)
        self._bases.clear()

    def _why_not(self, s: Shown) -> str | None:
        why = _untold(s) if s.e.kept else "no_target" if s.e.said is None else None
        if why is not None:
            return why
        if self._facts.better(s.e, s.mean, s.mean) is None:
            return "no_value"
        if s.e.flipped:
            return "flipped"
        return "no_base" if _base_key(s.e) is None else None

    def _kept(self, base: _Base, s: Shown) -> Iterator[Row | str]:
        rows = [row for rival in base.reverted if (row := self._facts.preference(s, rival)) is not None]
        yield from rows
        held = len(base.reverted)
        if held < RIVALS:
            base.kept.append((s._replace(prompt=None), len(rows), held))
            if len(base.kept) > RIVALS:
                yield from _alone_one(base.kept.pop(0))
        elif not rows:
            yield "not_better"

    def _reverted(self, base: _Base, s: Shown) -> Iterator[Row | str]:
        left = []
        for chosen, made, held in base.kept:
            row = self._facts.preference(_again(chosen), s)
            if row is not None:
                yield row
            now = (chosen, made + (row is not None), held + 1)
            if now[2] < RIVALS:
                left.append(now)
            else:
                yield from _alone_one(now)
        base.kept = left
        base.reverted = [*base.reverted, s._replace(prompt=None)][-RIVALS:]


def shown(e: Example, mean: float | None, replicates: int) -> Shown:
    """An example with its prompt, where that was recorded and can be read."""
    if e.prompt is None:
        return Shown(e, None, False, mean, replicates)
    try:
        return Shown(e, e.prompt.read(), False, mean, replicates)
    except SourceError:
        return Shown(e, None, True, mean, replicates)


def _again(s: Shown) -> Shown:
    return shown(s.e, s.mean, s.replicates)


def _alone(base: _Base) -> Iterator[str]:
    for waiting in base.kept:
        yield from _alone_one(waiting)


def _alone_one(waiting: tuple[Shown, int, int]) -> Iterator[str]:
    _, made, held = waiting
    if not made:
        yield "not_better" if held else "no_rival"


def _untold(s: Shown) -> str | None:
    """Why there is no text to learn from."""
    if s.prompt is None:
        return "prompt_lost" if s.lost else "no_prompt"
    return "no_target" if s.e.said is None else None


def _base_key(e: Example) -> str | None:
    if e.base is not None:
        return e.base
    return json.dumps(e.standing, sort_keys=True) if e.standing is not None else None


def _knobs(standing: Mapping[str, str] | None) -> list[dict[str, str]] | None:
    return [{"knob": k, "value": standing[k]} for k in sorted(standing)] if standing is not None else None


def _condition(e: Example, metric: str | None, goal: str | None, mean: float | None, n: int, over: float | None) -> str:
    """What came of a proposal, as a sentence that a student can be asked with."""
    said = f"Outcome: {e.status}"
    said += f" ({e.against})" if e.against is not None else ""
    if mean is not None:
        said += f"; {metric or 'value'} {mean:.6g}"
        said += f" over {n} evaluations" if n > 1 else ""
    if over is not None and goal is not None:
        said += f", {abs(over):.3g} {'better' if over > 0 else 'worse'} than the baseline" if over else ", the baseline"
    return said + "."
