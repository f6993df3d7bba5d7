"""Reckons the figures of a sample by brute force: `reckon.py` writes each expected.json, `--check` compares.

Plain loops over plain rows, quadratic wherever that is clearer; what a page of definitions leaves open is left out
(README.md lists it). Knows nothing of the product.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from itertools import pairwise as neighbours
from pathlib import Path
from typing import Any

from ground import config_key, coverage, near
from rows import STATUSES, Row, label, read
from suspicion import suspicion

HERE = Path(__file__).parent
Z = 1.6448536269514722  # one-sided 5%
WINDOW = 10
BY_HAND = frozenset(("pi", "configs", "events"))  # formats of others, counted by a person: README.md
FEW = 3  # degrees of freedom below which it is a matter of taste whether the noise is known
ORDER = (
    *("by", "metric", "baseline", "trials", "evaluated", "status", "lines", "coverage", "pairs", "rail", "dominance"),
    *("diversity", "best", "first_keep", "plateau", "noise", "nulls", "audit", "cost", "verdict", "beside"),
    "detectors",
)


def reckon(path: Path) -> Row:
    """Every figure that follows from the file and the definitions, nested as `analyze --json` nests them."""
    run = read(path)
    rows, knobs, sign = run["rows"], run["knobs"], 1.0 if run["goal"] == "maximize" else -1.0
    for r in rows:
        r["label"] = label(r["changes"], knobs) if r["changes"] else None
        r["under"] = config_key(r["base"], knobs)
        r["key"] = config_key(r["config"], knobs) or f"{r['under']}|{r['label']}"
        r["good"] = None if r["value"] is None else sign * r["value"]  # bigger is better from here on
    evaluated = [
        r
        for r in rows
        if r["status"] in ("kept", "reverted", "ineligible") or (r["status"] == "aborted" and r["good"] is not None)
    ]
    ideas = [r for r in evaluated if r["intent"] != "replicate"]
    home = config_key(run["base"], knobs)
    start = [sign * v for v in run["baseline"]]
    baseline = sum(run["baseline"]) / len(start) if start else None
    one_each = all(len(r["changes"]) == 1 for r in ideas)
    out: Row = {
        "by": "sample_runs/reckon.py",
        "metric": {"name": run["metric"], "goal": run["goal"]},
        "baseline": {"value": baseline},
        "trials": len(rows),
        "evaluated": len(evaluated),
        "status": {s: sum(r["status"] == s for r in rows) for s in STATUSES},
        "lines": {"unreadable": 0} if run["torn"] else {"total": run["lines"], "unreadable": 0, "torn": 0},
        "pairs": pairs(ideas, evaluated, knobs),
        "dominance": dominance(ideas, knobs),
        "diversity": {
            "pairs": diversity([r["label"] for r in ideas]),
            "keeps": diversity([r["label"] for r in ideas if r["status"] == "kept"]),
            **({"knobs": diversity([r["changes"][0][0] for r in ideas])} if one_each else {}),
        },
        "first_keep": next((i for i, r in enumerate(evaluated, 1) if r["status"] == "kept"), None),
        "cost": cost(rows, ideas),
        "beside": {},
    }
    if any(a["rule"] for r in rows for a in r["attempts"]):
        refused = [a for r in rows for a in r["attempts"] if a["level"] in ("FAIL", "UNKNOWN")]
        by_rule = dict(Counter(a["rule"] for a in refused))
        out["rail"] = {"attempts": sum(len(r["attempts"]) for r in rows), "refused": len(refused), "by_rule": by_rule}
    out["coverage"] = coverage(rows, evaluated, ideas, run, out)
    seeded = run["seeded"]
    noise = pooled(evaluated, start, home)
    out["plateau"] = plateau(evaluated, start, home, noise[0])
    out["audit"] = audit(evaluated, start, run)
    known = all(r["config"] is not None for r in ideas)
    if seeded:  # what seeds say about noise is no matter of these definitions
        del out["plateau"]["length"], out["plateau"]["beyond_noise"]
    else:
        out["noise"] = {"flip_flops": flip_flops(evaluated)} if known else {}
        if noise[1] == 0:
            out["noise"]["sd"] = None
        elif noise[1] < FEW:
            del out["plateau"]["length"], out["plateau"]["beyond_noise"]
        else:
            out["noise"] |= {"sd": noise[0], "df": noise[1]}
            if start and noise[0] is not None:
                out["noise"]["unconfirmed_keeps"] = unconfirmed(evaluated, start, home, noise[0])
    best = best_kept(evaluated, baseline, sign, seeded)
    if best:
        out["best"] = best
    if not known:  # what ran is unknown, so is whether it ran before
        del out["pairs"]["contextual_repeats"], out["pairs"]["revisits"], out["pairs"]["no_ops"]
    if not any(r["good"] is not None for r in evaluated):
        del out["plateau"]
    word = verdict_word(run, rows, out)
    if word:
        out["verdict"] = {"word": word}
    out["detectors"] = suspicion(path)
    return {k: out[k] for k in ORDER if out.get(k) not in (None, {}) or k == "first_keep"}


def by_config(evaluated: list[Row]) -> dict[str, list[Row]]:
    """The evaluations of each configuration, in order."""
    groups: dict[str, list[Row]] = {}
    for r in evaluated:
        groups.setdefault(r["key"], []).append(r)
    return groups


def repeats_of(ideas: list[Row]) -> list[bool]:
    """Whether each idea's pair came before."""
    return [any(e["label"] == r["label"] for e in ideas[:i]) for i, r in enumerate(ideas)]


def pairs(ideas: list[Row], evaluated: list[Row], knobs: dict[str, Any]) -> Row:
    """Repeats of every kind; `expected` is a rate, from every order of the same ideas being equally likely."""
    n, again = len(ideas), repeats_of(ideas)
    times = Counter(r["label"] for r in ideas)
    f1, f2 = (sum(c == k for c in times.values()) for k in (1, 2))
    contextual = [any(e["key"] == r["key"] for e in evaluated[: evaluated.index(r)]) for r in ideas]
    windows = []
    for a in range(0, n, WINDOW):
        part = again[a : a + WINDOW]
        expected = len(part) - (new_among(times, n, a + len(part)) - new_among(times, n, a))
        windows.append(
            {
                "first": ideas[a]["seq"],
                "last": ideas[a + len(part) - 1]["seq"],
                "n": len(part),
                "rate": sum(part) / len(part),
                "expected": expected / len(part),
            }
        )
    return {
        "unique": len(times),
        "repeats": sum(again),
        "repeat_rate": sum(again) / n if n else None,
        **({"trailing_rate": sum(again[-WINDOW:]) / WINDOW} if n >= WINDOW else {}),
        "windows": windows,
        "contextual_repeats": sum(contextual),
        "near_repeats": sum(near(r, ideas[:i], knobs) for i, r in enumerate(ideas) if not again[i]),
        "revisits": sum(a and not c for a, c in zip(again, contextual, strict=True)),
        "replicates": len(evaluated) - n,
        "no_ops": [r["seq"] for r in ideas if r["base"] is not None and r["key"] == r["under"]],
        "singletons": f1,
        "good_turing": f1 / n if n else None,
        "chao1": None if n < 20 or f1 == n else len(times) + (n - 1) / n * f1 * (f1 - 1) / (2 * (f2 + 1)),
    }


def new_among(times: Counter[str], n: int, t: int) -> float:
    """How many different pairs the first t of n shuffled ideas are expected to hold."""
    return sum(1 - math.comb(n - c, t) / math.comb(n, t) for c in times.values())


def dominance(ideas: list[Row], knobs: dict[str, Any]) -> Row:
    """The commonest pair of the proposals and of the keeps, the first seen where several tie."""
    out: Row = {}
    for name, some in (("proposed", ideas), ("kept", [r for r in ideas if r["status"] == "kept"])):
        if some:
            top, n = Counter(r["label"] for r in some).most_common(1)[0]
            out[name] = {"pair": top, "n": n, "share": n / len(some)}
    if ideas and knobs and all(len(r["changes"]) == 1 and "family" in knobs.get(r["changes"][0][0], {}) for r in ideas):
        family, n = Counter(knobs[r["changes"][0][0]]["family"] for r in ideas).most_common(1)[0]
        out["family"] = {"name": family, "share": n / len(ideas)}
    return out


def diversity(names: list[str]) -> Row:
    """Hill numbers of some names; a sample of none has no diversity, not zero."""
    n = len(names)
    counts = Counter(names).values()
    shannon = -sum(c / n * math.log(c / n) for c in counts) if n else None
    return {
        "shannon": None if shannon is None else shannon + 0.0,
        "effective": None if shannon is None else math.exp(shannon),
        "simpson_effective": 1 / sum((c / n) ** 2 for c in counts) if n else None,
    }


def flip_flops(evaluated: list[Row]) -> list[Row]:
    """Configurations that were both kept and reverted."""
    out = []
    for group in by_config(evaluated).values():
        kept, reverted = (sum(r["status"] == s for r in group) for s in ("kept", "reverted"))
        if kept and reverted:
            out.append({"pair": group[0]["label"], "kept": kept, "reverted": reverted})
    return out


def pooled(evaluated: list[Row], start: list[float], home: str | None) -> tuple[float | None, int]:
    """The pooled sd within configurations, the baseline being one more evaluation of its own."""
    squares, df = 0.0, 0
    groups = {k: [r["good"] for r in g if r["good"] is not None] for k, g in by_config(evaluated).items()}
    groups[str(home)] = start + groups.get(str(home), [])
    for values in groups.values():
        if len(values) > 1:
            mean = math.fsum(values) / len(values)
            squares += math.fsum((v - mean) ** 2 for v in values)
            df += len(values) - 1
    return (math.sqrt(squares / df) if df else None), df


def plateau(evaluated: list[Row], start: list[float], home: str | None, sd: float | None) -> Row:
    """How long since the last best, by each of its names."""
    best = sum(start) / len(start) if start else -math.inf
    last, keep, run, longest = 0, 0, 0, (0, 0)  # 1-based; longest = (length, end)
    for i, r in enumerate(evaluated, 1):
        keep = i if r["status"] == "kept" else keep
        run += 1
        if r["good"] is not None and r["status"] in ("kept", "reverted") and r["good"] > best:
            best, last, run = r["good"], i, 0
        longest = (run, i) if run > longest[0] else longest
    out: Row = {"since_best": len(evaluated) - last}
    if keep:
        out["since_keep"] = len(evaluated) - keep
    if longest[0]:
        first, end = evaluated[longest[1] - longest[0]], evaluated[longest[1] - 1]
        out["longest"] = {"first": first["seq"], "last": end["seq"], "length": longest[0]}
    beyond = None
    if sd is not None and start:
        seen: dict[str, list[float]] = {str(home): list(start)}
        incumbent, since = str(home), 0
        for i, r in enumerate(evaluated, 1):
            if r["good"] is None or r["status"] not in ("kept", "reverted"):
                continue
            mine = seen.setdefault(r["key"], [])
            mine.append(r["good"])
            theirs = seen[incumbent]
            lead = sum(mine) / len(mine) - sum(theirs) / len(theirs)
            if r["key"] != incumbent and lead > Z * sd * math.sqrt(1 / len(mine) + 1 / len(theirs)):
                incumbent, since = r["key"], i
        beyond = len(evaluated) - since
    if start or sd is None:
        out["length"] = out["beyond_noise"] = beyond
    return out


def unconfirmed(evaluated: list[Row], start: list[float], home: str | None, sd: float) -> list[int]:
    """Keeps that the other evaluations of their configuration do not bear out, or that have none."""
    found = []
    for r in evaluated:
        if r["status"] != "kept":
            continue
        others = [e["good"] for e in evaluated if e is not r and e["key"] == r["key"] and e["good"] is not None]
        under = [e["good"] for e in evaluated if e["key"] == r["under"] and e["good"] is not None]
        against = (
            under
            if r["under"] != home and under
            else start + [e["good"] for e in evaluated if e["key"] == home and e["good"] is not None]
        )
        bound = Z * sd * math.sqrt(1 / len(against) + 1 / len(others)) if others else math.inf
        if not others or sum(others) / len(others) - sum(against) / len(against) <= bound:
            found.append(r["seq"])
    return found


def best_kept(evaluated: list[Row], baseline: float | None, sign: float, seeded: bool) -> Row | None:
    """The best kept trial, the first of equals; shrunk only where its configuration was evaluated more than once."""
    kept = [r for r in evaluated if r["status"] == "kept" and r["good"] is not None]
    if not kept:
        return None
    top = max(kept, key=lambda r: float(r["good"]))
    out = {"seq": top["seq"], "iter": top["iter"], "value": top["value"]}
    if baseline is not None:
        gain = sign * (top["value"] - baseline)
        out |= {"gain": gain, "gain_fraction": gain / abs(baseline)}
    same = [r["value"] for r in evaluated if r["key"] == top["key"] and r["value"] is not None]
    if len(same) > 1 and not seeded:
        out["shrunk"] = sum(same) / len(same)
        if baseline is not None:
            out["shrunk_gain"] = sign * (out["shrunk"] - baseline)
    return out


def audit(evaluated: list[Row], start: list[float], run: Row) -> Row:
    """What the log says of itself, against what follows from its rows."""
    best = sum(start) / len(start) if start else -math.inf
    mismatches = []
    for r in evaluated:
        new = r["good"] is not None and r["good"] > best
        best = r["good"] if new else best
        if r["new_best"] is not None and r["new_best"] != new:
            mismatches.append(r["seq"])
    out: Row = {"new_best_mismatches": mismatches} if any(r["new_best"] is not None for r in evaluated) else {}
    if run["counts"] is not None:
        held = Counter(r["status"] for r in run["rows"])
        out["counts_reconcile"] = all(held[s] == n for s, n in run["counts"].items())
    if any(r["base"] for r in evaluated):
        out["keeps_not_composing"] = [
            a["seq"]
            for a, b in neighbours(evaluated)
            if a["status"] == "kept" and any(b["base"][k] != v for k, v in a["changes"])
        ]
    fixed = len({r["under"] for r in evaluated}) <= 1
    if fixed and start and any(r["base"] for r in evaluated):
        values = [r["good"] for r in evaluated if r["good"] is not None]
        above = sum(v > start[0] for v in values)
        if len(values) >= 10 and start[0] not in values:
            tail = sum(math.comb(len(values), k) for k in range(max(above, len(values) - above), len(values) + 1))
            out["baseline_bias"] = {"p": min(1.0, 2 * tail / 2 ** len(values))}
    told: dict[tuple[str, int], list[float]] = {}
    for r in evaluated:
        for seed, step in r["first_steps"].items():
            told.setdefault((r["key"], seed), []).append(step)
    if told:  # null where no configuration ran a seed twice: then nobody knows
        twice = [steps for steps in told.values() if len(steps) > 1]
        out["seed_ineffective"] = any(len(set(steps)) > 1 for steps in twice) if twice else None
    return out


def cost(rows: list[Row], ideas: list[Row]) -> Row:
    """What was spent, and on what."""
    wall = [r["wall"] for r in rows if r["wall"] is not None]
    again = math.fsum(r["wall"] or 0 for r, seen in zip(ideas, repeats_of(ideas), strict=True) if seen)
    out: Row = {}
    if wall:
        out = {"wall_s": math.fsum(wall)}
        if ideas:
            out["repeat_wall_s"] = again
        if ideas and len(ideas) == len(rows):
            out["repeat_share"] = again / math.fsum(wall)
    if any(r["drifted"] for r in rows):
        out["tampered_wall_s"] = math.fsum(r["wall"] or 0 for r in rows if r["drifted"])
    for name in ("tokens_in", "tokens_out", "usd"):
        if any(r.get(name) is not None for r in rows):
            out[name] = sum(r.get(name) or 0 for r in rows)
    return out


def verdict_word(run: Row, rows: list[Row], out: Row) -> str | None:
    """The word where one of its certain rules speaks; nothing where it takes more than counting."""
    if not run["chain"] or any(r["drifted"] for r in rows):
        return "TAMPERED"
    if run["open_guard"] and out["status"]["kept"]:
        return "SUSPECT"
    dry = out.get("plateau", {}).get("beyond_noise")
    novelty = out["pairs"]["good_turing"]
    flails = dry is not None and dry >= max(15, 0.3 * out["evaluated"]) and novelty is not None and novelty < 0.2
    return "FLAILING" if flails else None


def rounded(x: Any) -> Any:
    """Six significant digits of every float, so that the last bits of a sum are nobody's business."""
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list):
        return [rounded(v) for v in x]
    return float(f"{x:.6g}") if isinstance(x, float) else x


def main(arguments: list[str]) -> int:
    """Write every expected.json, or with `--check` name those that differ."""
    wrong = 0
    for path in sorted(HERE.glob("*/*.jsonl")):
        if path.parent.name in BY_HAND:
            continue
        text = json.dumps(rounded(reckon(path)), indent=1) + "\n"
        to = path.with_name(path.stem + ".expected.json")
        if arguments == ["--check"]:
            if not to.exists() or to.read_text() != text:
                print(f"{to}: differs from what reckon.py reckons; run sample_runs/reckon.py", file=sys.stderr)
                wrong += 1
        else:
            to.write_text(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
