"""Tells somebody who is not looking: what the rules say of watched runs, when it changes, and when they fall silent.

What stood in a file before it was watched is told as it stands, once it was read; a file that is still read is no news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trajscope.notify import AGAIN_S, Alarms, Courier, Sink
from trajscope.verdict import Level
from trajscope.watch.panel import Panel, blind

QUIET = ("reading", "replay", "absent", "not begun")  # of a run in these states nothing is told


class Telling:
    """The alarms of each run, and the courier that carries them."""

    def __init__(
        self,
        sinks: Iterable[Sink],
        failed: Callable[[str], None],
        *,
        least: Level = Level.FAIL,
        again_s: float = AGAIN_S,
    ) -> None:
        self.courier = Courier(sinks, failed)
        self._least, self._again_s = least, again_s
        self._alarms: dict[str, Alarms] = {}

    def hear(self, panel: Panel) -> None:
        """What a run looks like now."""
        if panel.fresh.state in QUIET:
            return
        alarms = self._alarms.get(panel.path)
        if alarms is None:
            alarms = self._alarms[panel.path] = Alarms(panel.name, self._least, self._again_s)
        # What lacks its data says nothing new, neither that an alarm begins nor that it is over.
        told = [v for v in panel.verdicts if not blind(v)]
        for message in alarms.hear(told, panel.at_s, panel.rows.trials):
            self.courier.tell(message)

    def close(self) -> None:
        """Deliver what waits."""
        self.courier.close()
