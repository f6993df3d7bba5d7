"""Tells somebody who is not looking: what the rules say of watched runs, when it changes, and when they fall silent.

What stood in a file before it was watched is told as it stands, once it was read; a file that is still read is no news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trajscope.notify import AGAIN_S, Alarms, Courier, Sink
from trajscope.readable import duration
from trajscope.verdict import Level
from trajscope.watch.panel import Panel

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
        trials = panel.rows.trials
        for message in (
            *alarms.hear(panel.verdicts, panel.at_s, trials),
            *alarms.silent(silence(panel), panel.at_s, trials),
        ):
            self.courier.tell(message)

    def close(self) -> None:
        """Deliver what waits."""
        self.courier.close()


def silence(panel: Panel) -> str:
    """How long nothing was heard of a run that should go on; empty where that is no reason to speak."""
    f = panel.fresh
    if f.state == "gone":
        return "its file is gone"
    if f.state != "stalled":
        return ""
    usual = f"usual {duration(f.usual_s)}" if f.usual_s is not None else "what is usual is not known"
    return f"no row for {duration(f.age_s)} ({usual}, bound {duration(f.bound_s)})"
