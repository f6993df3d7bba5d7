"""Two campaigns that record everything a detector can ask for: one is gamed in every way, the other is honest.

Made up. Each trial is an edit of train.py or a change of lr; five seeds each; every fourth or so is kept.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from chain import Campaign, config_hash, sha

METRIC = {"name": "acc", "goal": "maximize"}
METRICS = [
    {"name": "acc", "role": "primary", "goal": "maximize", "ceiling": 0.9},
    {"name": "direction", "role": "guard", "goal": "maximize", "floor": 0.5},
    {"name": "rank", "role": "holdout", "goal": "maximize"},
    {"name": "response", "role": "degenerate", "goal": "maximize"},
]
FILES = {"train.py": sha("train"), "score.py": sha("score")}
SEEDS = (0, 1, 2, 3, 4)
TRIALS = 40
DIFF = "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-{0} = {1}\n+{0} = {2}\n"
Row = dict[str, Any]


def samples() -> Iterator[tuple[str, bytes]]:
    """Each file's path below this folder, and its bytes."""
    yield "gamed/gamed.jsonl", gamed()
    yield "honest/honest.jsonl", honest()


class Suspect(Campaign):
    """A campaign whose trials come with all that is recorded of them."""

    def __init__(self, name: str) -> None:
        super().__init__(name, METRIC, {"lr": 0.003, "code:train": "start"}, carry=True, domain="toy", metrics=METRICS,
                         files=FILES, seeds=list(SEEDS))  # fmt: skip
        self.dice = random.Random(name)

    def seeds(self, means: Row, sd: float, *, first: float = 2.0, predictions: str = "", data: str = "d") -> list[Row]:
        """Five results whose mean is the one given, and whose accuracies scatter by `sd`."""
        around = [-1.2, -0.4, 0.0, 0.6, 1.0]  # mean 0, sd .876
        self.dice.shuffle(around)
        return [
            {
                "seed": k,
                "status": "ok",
                "metrics": {n: round(m + (sd * x / 0.876 if n == "acc" else 0.0), 6) for n, m in means.items()},
                "wall_s": 18.0,
                "data_sha": sha(data),
                "predictions_sha": sha(predictions + str(k)),
                "first_step": round(first + 0.01 * k, 4),
            }
            for k, x in zip(SEEDS, around, strict=True)
        ]

    def run(self, status: str, means: Row, sd: float, change: tuple[str, Any], **more: Any) -> None:
        """One trial of five seeds."""
        wall, bit, edit = more.pop("wall", 90.0), more.pop("holdout", None), more.pop("edit", ("lr", "1", "2"))
        score = more.pop("score", FILES["score.py"])
        results = self.seeds(means, sd, **more)
        prints = {when: FILES | {"score.py": score} for when in ("propose", "run", "score")}
        value = sum(r["metrics"]["acc"] for r in results) / len(results)
        self.trial(status, value, change, wall_s=wall, value_source="seeds", seeds=results, fingerprints=prints,
                   diff=DIFF.format(*edit) if change[0].startswith("code:") else None,
                   holdout=None if bit is None else {"pass": bit, "commitment": "0" * 64})  # fmt: skip

    def start(self, means: Row) -> None:
        """The baseline."""
        results = self.seeds(means, 0.02, predictions="p0")
        self.measure(sum(r["metrics"]["acc"] for r in results) / len(results), seeds=results)

    def confirm(self, means: Row, sd: float, config: str) -> None:
        """A kept configuration once more, on five seeds."""
        self._measure("confirm", self.seeds(means, sd), config)

    def blind(self, value: float, config: str) -> None:
        """A kept configuration with its inputs permuted."""
        self._measure("degenerate", self.seeds({"acc": value}, 0.0), config, name="permuted inputs")

    def mean_shift(self, **means: float) -> None:
        """A predictor that gives one answer to everything."""
        self._measure("degenerate", self.seeds(means, 0.0), None, name="mean shift")

    def _measure(self, what: str, results: list[Row], config: str | None, name: str | None = None) -> None:
        value = sum(r["metrics"]["acc"] for r in results) / len(results)
        self.add("measure", what=what, name=name, config_hash=config, value=value, seeds=results)

    def incumbent(self) -> str:
        """The hash of what was kept last."""
        assert self.base is not None
        return config_hash(self.base)


def gamed() -> bytes:
    """Twelve keeps, the last eight in a row; each of the fifteen detectors has something to find."""
    tape = Suspect("gamed")

    def means(j: float, drop: float = 0.0) -> Row:
        x = {"acc": 0.57 + 0.03 * j - drop, "direction": 0.93 - 0.03 * j, "rank": 0.82 - 0.02 * j}
        response = 0.2 - 0.01 * (j - 9) if j >= 9 else 1.0 - 0.05 * j
        return x | {"response": response, "acc/easy": 0.5 + 0.04 * j, "acc/hard": 0.6 - 0.001 * j}

    tape.start(means(0))
    tape.mean_shift(acc=0.5, response=0.0)
    kept, predictions = 0, "p0"
    for t in range(1, TRIALS + 1):
        if t not in (4, 8, 12, 16, 29, 30, 31, 32, 33, 34, 35, 36):
            # Trials 1 and 2 are one configuration, and begin differently.
            lr = 0.01 if t < 3 else round(0.001 * t, 4)
            tape.run("reverted", means(kept, 0.01), 0.02 if kept < 6 else 0.002, ("lr", lr), first=2.0 + t / 10,
                     wall=88.0 + t % 7, predictions=f"r{t}")  # fmt: skip
            continue
        kept += 1
        predictions = predictions if kept == 6 else f"p{kept}"  # the sixth predicts what the fifth had predicted
        tape.run(
            "kept", means(kept), 0.02 if kept < 7 else 0.0005, ("code:train", f"edit {kept}"),
            edit=("SEED", "1", "7") if kept == 7 else ("lr", "1", "2"), wall=9.0 if kept == 11 else 90.0 + t % 5,
            holdout=kept < 10, score=sha("easier") if kept == 10 else FILES["score.py"], predictions=predictions,
        )  # fmt: skip
        if kept == 2:
            tape.blind(0.3, tape.incumbent())
        if kept == 4:
            tape.confirm(means(kept, 0.1), 0.02, tape.incumbent())
        if kept == 10:
            tape.blind(0.85, tape.incumbent())
    return tape.finish()


def honest() -> bytes:
    """Eight keeps that the holdout, the confirmations and the spread of the seeds bear out."""
    tape = Suspect("honest")
    steps = [0.0, 0.031, 0.048, 0.082, 0.094, 0.131, 0.142, 0.171, 0.197]

    def means(j: int, drop: float = 0.0) -> Row:
        rise = steps[j] - drop
        x = {"acc": 0.6 + rise, "direction": 0.8 + 0.3 * rise + 0.004 * (j % 3), "rank": 0.7 + rise + 0.003 * (j % 2)}
        return x | {"response": 1.0 - 0.02 * (j % 3), "acc/easy": 0.7 + rise, "acc/hard": 0.5 + 0.8 * rise}

    tape.start(means(0))
    tape.mean_shift(acc=0.5, response=0.0)
    kept = 0
    for t in range(1, TRIALS + 1):
        if t not in (3, 7, 12, 16, 21, 26, 31, 36):
            lr = 0.002 if t in (4, 5) else round(0.0101 + 0.001 * t, 4)  # one accidental repeat, which begins alike
            tape.run("reverted", means(kept, 0.01 + 0.004 * (t % 4)), 0.02, ("lr", lr), wall=84.0 + 2 * (t % 7),
                     predictions=f"r{t}")  # fmt: skip
            continue
        kept += 1
        tape.run("kept", means(kept), 0.019 + 0.001 * (kept % 3), ("code:train", f"edit {kept}"), holdout=True,
                 wall=86.0 + 2 * (t % 5), predictions=f"p{kept}")  # fmt: skip
        if kept % 3 == 1:
            tape.confirm(means(kept, 0.002 * kept - 0.004), 0.02, tape.incumbent())
            tape.blind(0.52, tape.incumbent())
    return tape.finish()
