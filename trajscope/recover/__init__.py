"""Recover: which (knob, value) a trial tried where its file does not record it, and how sure one may be of that.

Four sources, from the surest to the last: a whole configuration or knob columns against the last keep (`compared`), a
commit (`Repo`), what the trial was described as (`described`), and the words themselves (`hashed`). Nothing that is
read here is run, and no path of a record is followed.
"""

from trajscope.recover.configs import compared, flat
from trajscope.recover.found import Found, Missing
from trajscope.recover.repo import Repo
from trajscope.recover.texts import described, hashed

__all__ = ["Found", "Missing", "Repo", "compared", "described", "flat", "hashed"]
