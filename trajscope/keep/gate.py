"""The gate as a loop holds it: started once, asked after every evaluation, resumed from plain values.

Runs nothing and writes nothing: what has to be measured it asks for, and what it remembers is the caller's to store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trajscope.errors import GateError
from trajscope.keep import course, preflight, speed, state
from trajscope.keep.arms import Seeds
from trajscope.keep.decision import Decision, Need, Pause
from trajscope.keep.preflight import Start, Values
from trajscope.keep.ran import Config, Ran
from trajscope.keep.settings import GateSettings, number, text
from trajscope.keep.state import Ack, State, Test
from trajscope.verdict import Verdict


class Gate:
    """The decision after every evaluation of one campaign."""

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self._state: State | None = None

    @classmethod
    def resume(cls, settings: GateSettings, plain: object) -> Gate:
        """The gate as it was when `state()` gave these plain values."""
        gate = cls(settings)
        gate._state = state.load(plain, settings)
        return gate

    def start(
        self,
        *,
        baseline: Seeds,
        degenerates: Mapping[str, Values] | None = None,
        config: Config | None = None,
        hashes: Mapping[str, str] | None = None,
        holdout: Seeds | None = None,
        replicates: Mapping[str, Seeds] | None = None,
        pairing: tuple[Seeds, Seeds] | None = None,
        history: Sequence[float] = (),
    ) -> tuple[Verdict, ...]:
        """Begin a campaign, or raise a GateError; says what was checked.

        `replicates` are further seeds of other configurations, which tell the noise; `history` the rates of finished
        campaigns (`gate.rate`); `holdout` what the baseline scores there.
        """
        if self._state is not None:
            raise GateError("this campaign has begun; make a new Gate for a new one")
        given = Start(baseline, degenerates, config, hashes, replicates, pairing, history, holdout)
        self._state, said = preflight.begin(self.settings, given)
        return (*course.without(self.settings), *said)

    def state(self) -> dict[str, Any]:
        """Everything the gate remembers, as plain JSON values; keep it where the proposer cannot read."""
        return state.dump(self._now)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds to run the next candidate on: fresh ones, or the incumbent's where the test is paired."""
        if self._now.test == "paired":
            return tuple(r.seed for r in self._now.incumbent.arm)
        return course.fresh(self.settings, self._now)

    @property
    def pause(self) -> Pause | None:
        """Why nothing is decided until a person has looked."""
        return self._now.pause

    @property
    def ledger(self) -> tuple[Test, ...]:
        """Every test that was made, in order."""
        return tuple(self._now.ledger)

    @property
    def rate(self) -> float:
        """How fast this campaign has gained, as the `history` of later ones takes it."""
        return speed.of_campaign(self.settings, self._now)

    def decide(
        self, seeds: Seeds, ran: Ran | None = None, *, measure: Callable[[Need], Seeds] | None = None
    ) -> Decision:
        """Judge a candidate: to the end with `measure`, else go on with `more` while the decision needs something."""
        decision = course.screen(self.settings, self._now, seeds, ran or Ran())
        while measure is not None and decision.needs is not None:
            try:
                given = measure(decision.needs)
            except Exception as error:  # noqa: BLE001  # what could not be measured is not kept
                why = f"could not be measured ({type(error).__name__}: {error})"
                return course.give_up(self.settings, self._now, why)
            decision = self.more(given)
        return decision

    def more(self, seeds: Seeds) -> Decision:
        """Go on with what the last decision needed."""
        if self._now.pending is None:
            raise GateError("nothing is waited for; call decide with a candidate")
        return course.more(self.settings, self._now, seeds)

    def ack(self, *, by: str, at: str, nonce: str, up_to: float) -> None:
        """A person has looked at the pause, and lets the campaign go on up to a value of the primary."""
        pause = self._now.pause
        if pause is None:
            raise GateError("nothing is paused")
        if not text(by) or not text(at):
            raise GateError("an acknowledgement says who looked, and when")
        if nonce != pause.nonce:
            raise GateError("the nonce is not the one this pause was shown with; read it where the pause is reported")
        if self.settings.sign * number(up_to, "up_to") < self.settings.sign * pause.value:
            raise GateError(f"up to {up_to:g} covers nothing: the campaign stands at {pause.value:g}")
        self._now.acks.append(Ack(by=by, at=at, nonce=nonce, up_to=float(up_to)))
        self._now.pause, self._now.since, self._now.since_total = None, [], 0

    @property
    def _now(self) -> State:
        if self._state is None:
            raise GateError("the gate was not started; call start with a baseline, or resume")
        return self._state
