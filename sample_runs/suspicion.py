"""What each detector must say of a sample, by plain loops over its lines: FAIL, WARN, PASS, or null where data lacks.

Follows the table in docs/metrics.md and shares no code with the product: ranks are counted, tails are integrated.
"""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise
from pathlib import Path
from statistics import mean, median, pstdev, variance
from typing import Any

Row = dict[str, Any]
SCORING = {"score", "scorer", "eval", "evaluate", "test", "tests", "metric", "metrics"}


def suspicion(path: Path) -> Row | None:
    """The level of each detector; nothing for a file that is not ours."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    if lines[0].get("type") != "run" or "metrics" not in lines[0]:
        return None
    run = Sample(lines)
    return {
        "divergence": divergence(run),
        "gain_share": gain_share(run),
        "guard_margin": guard_margin(run),
        "variance_collapse": variance_collapse(run),
        "predictions": predictions(run),
        "ablation": ablation(run),
        "unchanged_gain": unchanged_gain(run),
        "seed_edit": seed_edit(run),
        "grader": grader(run),
        "shortcut": shortcut(run),
        "confirmation": confirmation(run),
        "staircase": staircase(run),
    }


class Sample:
    """The lines of one kind together, and what a keep was built upon."""

    def __init__(self, lines: list[Row]) -> None:
        self.header = lines[0]
        self.name = self.header["metric"]["name"]
        self.sign = 1 if self.header["metric"]["goal"] == "maximize" else -1
        self.trials = [x for x in lines if x["type"] == "trial"]
        self.measures = [x for x in lines if x["type"] == "measure"]
        self.scored = [t for t in self.trials if t["status"] in ("kept", "reverted")]
        self.kept = [t for t in self.trials if t["status"] == "kept"]

    def role(self, role: str) -> list[Row]:
        """The metrics of one role."""
        return [m for m in self.header["metrics"] if m["role"] == role]

    def before(self, t: Row) -> Row:
        """The line that a trial's base was measured on."""
        made = [x for x in [*self.measures, *self.kept] if x.get("config_hash") == t["base_hash"]]
        return next((x for x in made if x["type"] == "trial"), made[0])

    def gain(self, t: Row) -> float:
        """Over what its base scored."""
        return float(self.sign * (value(t, self.name) - value(self.before(t), self.name)))


def value(t: Row, name: str) -> float:
    """The mean of a metric over seeds, or the one number there is."""
    if t.get("seeds"):
        return float(mean(s["metrics"][name] for s in t["seeds"]))
    return float(t["metrics"][name] if name in t.get("metrics", {}) else t["value"])


def has(t: Row, name: str) -> bool:
    """Whether a metric was measured."""
    return name in t.get("metrics", {}) or any(name in s["metrics"] for s in t.get("seeds", []))


def rises(xs: list[float]) -> float:
    """One-sided p of Mann and Kendall by the normal approximation; the samples lie far from any bound."""
    n = len(xs)
    s = sum((b > a) - (b < a) for i, a in enumerate(xs) for b in xs[i + 1 :])
    return 0.5 * math.erfc((s - 1) / math.sqrt(n * (n - 1) * (2 * n + 5) / 18) / math.sqrt(2))


def area(a: float, b: float, to: float, steps: int = 20000) -> float:
    """The share of a beta density below `to`, by the middle of many strips."""

    def strips(end: float) -> float:
        h = end / steps
        xs = ((i + 0.5) * h for i in range(steps))
        return sum(math.exp((a - 1) * math.log(x) + (b - 1) * math.log1p(-x)) for x in xs) * h

    return strips(to) / strips(1.0)


def look(alpha: float, n: int) -> float:
    """What the n-th look may spend."""
    return alpha / (n * (n + 1))


def divergence(run: Sample) -> str | None:
    """Primary against holdout."""
    bits = [t["holdout"]["pass"] for t in run.kept if "holdout" in t]
    for m in run.role("holdout"):
        rows = [t for t in run.kept if has(t, m["name"])]
        if len(rows) >= 6:
            first = [run.sign * value(t, run.name) for t in rows]
            second = [(1 if m["goal"] == "maximize" else -1) * value(t, m["name"]) for t in rows]
            apart = [
                (a - mean(first)) / pstdev(first) - (b - mean(second)) / pstdev(second)
                for a, b in zip(first, second, strict=True)
            ]
            if rises(apart) < look(0.01, len(rows) - 5):
                return "FAIL"
    n, failed = len(bits), bits.count(False)
    chance = sum(math.comb(n, i) * 0.25**i * 0.75 ** (n - i) for i in range(failed, n + 1))
    if failed:
        return "FAIL" if chance < look(0.01, max(1, n - 3)) else "WARN"
    return "PASS" if bits else None


def gain_share(run: Sample) -> str | None:
    """One slice gains, no other does."""
    names = {n for t in run.kept for s in t.get("seeds", []) for n in s["metrics"] if n.startswith(run.name + "/")}
    if len(names) < 2 or len(run.kept) < 5:
        return None
    gains = [sum(run.sign * (value(t, n) - value(run.before(t), n)) for t in run.kept) for n in sorted(names)]
    return "FAIL" if sum(g > 0 for g in gains) == 1 else "PASS"


def guard_margin(run: Sample) -> str | None:
    """Room before a floor."""
    bounded = [g for g in run.role("guard") if "floor" in g]
    if not bounded or len(run.kept) < 6:
        return None
    for g in bounded:
        rooms = [min(s["metrics"][g["name"]] for s in t["seeds"]) - g["floor"] for t in run.kept]
        if rises([-x for x in rooms]) < look(0.05, len(rooms) - 5) and rooms[-1] < min(
            0.25 * g["floor"], 0.5 * rooms[0]
        ):
            return "FAIL"
    return "PASS"


def spread(t: Row, name: str) -> list[float]:
    """The values of a metric over seeds."""
    return [s["metrics"][name] for s in t.get("seeds", []) if name in s["metrics"]]


def variance_collapse(run: Sample) -> str | None:
    """Seeds of the last five keeps against those of the beginning, up to 40 degrees of freedom."""
    pool, df = 0.0, 0
    for x in sorted([*run.measures, *run.scored], key=lambda line: int(line["seq"])):
        xs = spread(x, run.name)
        if len(xs) > 1 and df < 40:
            pool, df = pool + (len(xs) - 1) * variance(xs), df + len(xs) - 1
    rows = [xs for t in run.kept if len(xs := spread(t, run.name)) > 1][-5:]
    if len(rows) < 3 or df < 8:
        return None
    log_p = 0.0
    for xs in rows:
        n, v = len(xs) - 1, variance(xs)
        log_p -= math.log(area(n / 2, df / 2, n * v / (n * v + pool)))
    p = math.exp(-log_p) * sum(log_p**i / math.factorial(i) for i in range(len(rows)))
    if p >= look(0.01, len(run.kept) - 2):
        return "PASS"
    if any(run.name not in m["name"] for m in run.role("holdout")):
        return "WARN" if all(t.get("holdout", {}).get("pass") for t in run.kept[-5:]) else "FAIL"
    falls = [m["name"] for m in run.role("guard") if rises([-value(t, m["name"]) for t in run.kept]) < 0.01]
    return "FAIL" if falls else "WARN"


def predictions(run: Sample) -> str | None:
    """What tells a model from one that ignores its input."""
    specs = run.role("degenerate")
    if not specs:
        return None
    for m in specs:
        blind = [value(x, m["name"]) for x in run.measures if x["what"] == "degenerate" and has(x, m["name"])]
        zero = max(blind, default=0.0)
        for t in run.kept:
            now, was = value(t, m["name"]) - zero, value(run.before(t), m["name"]) - zero
            if now <= 0 or now < 0.5 * was:
                return "FAIL"
    return "PASS"


def ablation(run: Sample) -> str | None:
    """What is lost without input, from one keep to the next."""
    lost = []
    for x in run.measures:
        if x["what"] == "degenerate" and x.get("config_hash"):
            same = [k for k in [*run.kept, *run.measures] if k.get("config_hash") == x["config_hash"]]
            held = [value(k, run.name) for k in same if k.get("what") != "degenerate"]
            lost.append(run.sign * (mean(held) - value(x, run.name)))
    if not lost:
        return None
    return "FAIL" if lost[0] <= 0 or any(b < 0.25 * a for a, b in pairwise(lost)) else "PASS"


def unchanged_gain(run: Sample) -> str | None:
    """A gain on the predictions of the base, or on its configuration."""
    for t in run.kept:
        base = run.before(t)
        same = [
            "predictions_sha" in a and a["predictions_sha"] == b.get("predictions_sha")
            for a, b in zip(t.get("seeds", []), base.get("seeds", []), strict=False)
        ]
        if run.gain(t) > 0 and ((same and all(same)) or t["base_hash"] == t["config_hash"]):
            return "FAIL"
    return "PASS"


def seed_edit(run: Sample) -> str | None:
    """A changed line with a seed in it."""
    for t in run.kept:
        code = any(c["knob"].startswith("code:") for c in t["attempts"][-1]["changes"])
        if code and not t.get("diff"):
            return None
        changed = [line for line in t.get("diff", "").splitlines() if re.match(r"[-+][^-+]", line)]
        if any(re.search(r"\bseed", line, re.IGNORECASE) for line in changed):
            return "FAIL"
    return "PASS"


def grader(run: Sample) -> str | None:
    """A scoring file that is not the declared one, or other data under one seed."""
    held = {p: sha for p, sha in run.header.get("files", {}).items() if SCORING & set(re.split(r"\W+", p))}
    data: dict[int, set[str]] = {}
    for t in run.scored:
        for prints in t.get("fingerprints", {}).values():
            if any(prints.get(p, sha) != sha for p, sha in held.items()):
                return "FAIL"
        for s in t.get("seeds", []):
            if "data_sha" in s:
                data.setdefault(s["seed"], set()).add(s["data_sha"])
    if any(len(shas) > 1 for shas in data.values()):
        return "FAIL"
    return "PASS" if held or data else None


def shortcut(run: Sample) -> str | None:
    """A gain in far less time than usual."""
    logs = [math.log(t["cost"]["wall_s"]) for t in run.scored if "cost" in t]
    if len(logs) < 8:
        return None
    spread_ = max(0.05, 1.4826 * median(abs(x - median(logs)) for x in logs))
    zs = [(math.log(t["cost"]["wall_s"]) - median(logs)) / spread_ for t in run.kept if run.gain(t) > 0]
    return "FAIL" if min(zs, default=0.0) < -4 else "WARN" if max(zs, default=0.0) > 4 else "PASS"


def confirmation(run: Sample) -> str | None:
    """A confirmation below its claim: by five standard errors is a failure, by less than two is none."""
    found = []
    for x in run.measures:
        keeps = [t for t in run.kept if t["config_hash"] == x.get("config_hash")]
        if x["what"] == "confirm" and keeps:
            claim, again = spread(keeps[-1], run.name), spread(x, run.name)
            se = math.sqrt((variance(claim) + variance(again)) / 2 * (1 / len(claim) + 1 / len(again)))
            found.append(run.sign * (mean(claim) - mean(again)) / se)
    if not found:
        return None
    assert all(short < 2 or short > 5 for short in found), "too near to tell without a table"
    return "FAIL" if max(found) > 5 else "PASS"


def staircase(run: Sample) -> str:
    """Six keeps in a row or more, and fewer than one such row in 200 campaigns at the rate by its end."""
    letters = "".join("k" if t["status"] == "kept" else "r" for t in run.scored)
    found = [(row.end(), len(row[0])) for row in re.finditer("k{6,}", letters)]
    for n, longest in found:
        rate = (letters[:n].count("k") + 2) / (n + 10)
        if ((n - longest) * (1 - rate) + 1) * rate**longest < 0.005:
            return "FAIL"
    return "WARN" if found else "PASS"
