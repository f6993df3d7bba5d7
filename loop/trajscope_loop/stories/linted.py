"""The linter in the loop as a story of `trajscope demo`: both halves beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from trajscope_loop.stories import Say, Told, linter


class Off(TypedDict):
    """The night without rails."""

    trials: int
    kept: int
    committed: str
    ran: str | None


class On(TypedDict):
    """The same with them: trials that ran, what the run is called, what was caught, and what it would have cost."""

    ran: int
    status: str
    caught: str
    price: str


class Figures(TypedDict):
    """Both."""

    off: Off
    on: On


FIGURES = Figures


def tell(folder: Path, say: Say, *, night: bool = False) -> Told:
    """Forty experiments with a linter behind the loop's back, then the same watched."""
    found = linter.play(folder, say)
    first, (loss, _) = found.night.rows[0], found.night.best
    committed, tried = ", ".join(sorted(found.night.committed)), len(found.night.rows) - 1
    return Told(
        "The linter in the loop: did what was proposed run?",
        ("", "rails off", "rails on"),
        (
            ("trainings paid for", str(tried), str(found.ran)),
            ("kept", str(found.night.counted("keep")), "0"),
            ("loss", f"{loss / first[1] - 1:+.1%}", "-"),
            (f"{linter.CONSTANT} as committed, as it ran", f"{committed}, {found.night.ran}", "seen to differ"),
            ("what the run is called", "nothing was recorded", found.status),
        ),
        (f"Caught: {found.caught}", f"Had nobody been stopped: {found.price}"),
        Figures(
            off=Off(trials=tried, kept=found.night.counted("keep"), committed=committed, ran=found.night.ran),
            on=On(ran=found.ran, status=found.status, caught=found.caught, price=found.price),
        ),
    )
