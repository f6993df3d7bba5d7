"""Pictures of a run: is the gain real, what was never tried, is it going in circles, how much of the best is luck.

Each is a function of frames and knows neither where the rows came from nor where the picture goes. Every margin is a
number, so that no name, however long, pushes anything out of the picture. Beside them stands what a page needs to show
them: markup that escapes, the engine that draws, and the script that puts a picture into its place.
"""

from trajscope.charts import engine
from trajscope.charts.believed import AGAIN, BASE, CLAIMED, believed
from trajscope.charts.best import INKS, best_so_far
from trajscope.charts.history import LANES, history
from trajscope.charts.holdout import holdout
from trajscope.charts.knobs import CROSS, KNOBS_DRAWN, knob_coverage
from trajscope.charts.markup import Html, joined, tag
from trajscope.charts.repeats import WINDOWS_DRAWN, repeat_rate
from trajscope.charts.theme import ACCENT, FONT, GREY, INK, MUTED, PALE, WIDTH, bare
from trajscope.charts.tiles import tile_map
from trajscope.charts.walkers import walkers

__all__ = [
    "ACCENT", "AGAIN", "BASE", "CLAIMED", "CROSS", "FONT", "GREY", "INK", "INKS", "KNOBS_DRAWN", "LANES", "MUTED",
    "PALE", "WIDTH", "WINDOWS_DRAWN", "Html", "bare", "believed", "best_so_far", "engine", "history", "holdout",
    "joined", "knob_coverage", "repeat_rate", "tag", "tile_map", "walkers",
]  # fmt: skip
