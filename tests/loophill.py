"""A small folder domain and a proposer without a model, for campaigns that are run and killed as real processes.

python loophill.py run DOMAIN -o DIR ...     the verbs of `trajscope loop`, from a checkout
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from trajscope_loop.seams import Said, View

TRAIN = """\
import json, os, random
X = 1.0
Y = 0
A = 0.0
B = 0.0
C = 0.0
rng = random.Random(f"{X} {Y} {os.environ['SEED']}")
score = 0.7 - 0.05 * abs(X - 6) - 0.03 * abs(Y - 3) + rng.gauss(0, 0.004)
out = os.environ["OUT"]
with open(f"{out}/answer.json", "w") as file:
    rank = 0.9 - 0.02 * abs(X - 6) + rng.gauss(0, 0.004)
    json.dump({"score": score, "spread": 1 + rng.gauss(0, 0.02), "rank": rank}, file)
with open(f"{out}/first_step", "w") as file:
    file.write(str(rng.random()))
"""
JUDGE = """\
import json

def judge(out, truth):
    said = json.loads((out / "answer.json").read_text())
    return {"metrics": {k: said[k] for k in ("score", "spread")}, "holdout": {"rank": said["rank"]}}

def degenerates(given, truth):
    return {"mean": {"metrics": {"score": 0.3, "spread": 0.0}}}
"""
DOMAIN = """\
name = "hill"
editable = ["train.py"]
frozen = ["judge.py"]
menu = "menu.json"
seeds = 5
timeout_s = 60
[run]
train = "train.py"
judge = "judge.py"
[metric]
name = "score"
goal = "maximize"
within = [-10, 10]
kind = "correlation"
[[gate.guards]]
metric = "spread"
within = [0, 10]
floor = 0.5
kind = "diversity"
[[gate.margins]]
metric = "spread"
least = 0.3
within = [0, 10]
[gate.holdout]
metric = "rank"
goal = "maximize"
within = [-10, 10]
kind = "rank"
[gate.speed]
plausible_ceiling = 5.0
"""
MENU = {
    "knobs": {
        "x": {"type": "float", "range": [0.0, 10.0], "default": 1.0, "family": "one"},
        "y": {"type": "int", "range": [0, 20], "default": 0, "family": "two"},
        **{k: {"type": "float", "range": [0.0, 1.0], "default": 0.0, "family": "idle"} for k in "abc"},
    }
}


def hill(place: Path) -> Path:
    """The domain, written into a folder."""
    place.mkdir()
    (place / "domain.toml").write_text(DOMAIN)
    (place / "train.py").write_text(TRAIN)
    (place / "judge.py").write_text(JUDGE)
    (place / "menu.json").write_text(json.dumps(MENU))
    return place


class Walker:
    """Draws a knob and a value, by trial and attempt, so that every life of a campaign is told the same."""

    history: int | None = 0
    denies = False
    offers = False

    def header(self) -> dict[str, Any]:
        return {"kind": "walker"}

    def propose(self, view: View) -> Said:
        rng = Random(view.turn)
        knob = rng.choice("xxyabc")
        value = rng.randrange(21) if knob == "y" else round(rng.uniform(0, 10 if knob == "x" else 1), 2)
        return Said({"knob": knob, "value": value}, "")


if __name__ == "__main__":
    from trajscope_loop.cli import loop

    loop()
