"""What is heard after every trial: rules that have begun to fail, the gate that wants to be looked at.

Each is written down once, and may be a reason to pause. What is not one is overridden in writing, never in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from trajscope.keep import Gate
from trajscope_loop import pause
from trajscope_loop.asking import plain
from trajscope_loop.memory import State
from trajscope_loop.plan import Plan

if TYPE_CHECKING:
    from trajscope import Live, RunWriter

WORDS = ("TAMPERED", "SUSPECT", "FLAILING")  # rules that make a run one of these are alarms


class Alarms:
    """The alarms of one campaign. `heard` are the events that an earlier life wrote of the trial that is settled."""

    def __init__(
        self,
        plan: Plan,
        state: State,
        *,
        run: RunWriter,
        live: Live,
        time: Callable[[], str],
        heard: set[tuple[str, str | None]],
    ) -> None:
        self.live = live
        self._plan, self._state, self._run, self._time, self._heard = plan, state, run, time, heard

    def hear(self, gate: Gate) -> None:
        """Take in the trial that was recorded last."""
        while self.live.step().items:
            pass
        failing = self.live.failing(WORDS)
        loud = {v.rule for v in self.live.failing(self._plan.pauses)}
        for verdict in failing:
            if verdict.rule not in self._state.failing:
                said = plain(verdict)
                self._event("alarm", **said)
                if verdict.rule in loud:
                    self.pause("alarm", f"{verdict.rule}: {verdict.reason}", gate, {"alarm": said})
        self._state.failing = [v.rule for v in failing]
        self._of_gate(gate)
        self._heard = set()

    def pause(self, kind: Any, why: str, gate: Gate, more: Mapping[str, Any], **own: Any) -> None:
        """Pause for a person. Of several reasons the gate's stands: until it is lifted the gate decides nothing."""
        if self._state.pause is None or kind == "gate":
            found = pause.bundle(gate.state(), **more)
            self._state.pause = pause.made(kind, why, found, self._time(), **own)
            self._event("pause", rule=kind, why=why, bundle=found)

    def _of_gate(self, gate: Gate) -> None:
        held = gate.pause
        if held is None:
            return
        if "gate" in self._plan.pauses:
            self.pause("gate", held.reason, gate, {}, nonce=held.nonce, value=held.value)
            return
        primary, sign = gate.settings.primary, gate.settings.sign
        said = "the plan: the gate may not pause this campaign"
        self._event("override", rule=held.rule, why=held.reason, by=said)
        best = primary.within[1] if sign > 0 else primary.within[0]
        gate.ack(by="the plan", at=self._time(), nonce=held.nonce, up_to=best)
        self._state.gate = gate.state()

    def _event(self, kind: str, **data: Any) -> None:
        if (kind, data.get("rule")) not in self._heard:
            self._run.event(kind, **data)
