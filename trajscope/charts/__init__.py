"""Pictures of a run: is the gain real, what was never tried, is it going in circles, how much of the best is luck.

Each is a function of frames and knows neither where the rows came from nor where the picture goes. Every margin is a
number, so that no name, however long, pushes anything out of the picture.
"""

from trajscope.charts.best import INKS, best_so_far
from trajscope.charts.knobs import CROSS, KNOBS_DRAWN, knob_coverage
from trajscope.charts.repeats import WINDOWS_DRAWN, repeat_rate
from trajscope.charts.theme import ACCENT, FONT, GREY, INK, MUTED, PALE, WIDTH

__all__ = [
    "ACCENT", "CROSS", "FONT", "GREY", "INK", "INKS", "KNOBS_DRAWN", "MUTED", "PALE", "WIDTH", "WINDOWS_DRAWN",
    "best_so_far", "knob_coverage", "repeat_rate",
]  # fmt: skip
