"""What a trial's lines hold: its seeds, what the gate said, what ran, what it cost. Plain values, ready to be written.

Decides one thing: a keep without its diff, its deltas and all of its seeds is none.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from trajscope.keep import Decision
from trajscope_loop.asking import Ended, plain
from trajscope_loop.memory import Turn
from trajscope_loop.seams import Result, Tree

ERROR = 2_000  # letters of what a seed died of
MOST_SHOWN = 20  # texts of refused attempts that are kept
# Which failure names a trial whose seeds failed in several ways.
WORST = ("tampered", "oom", "timeout", "import", "nan", "crashed")
SEED = ("seed", "status", "metrics", "wall_s", "code_sha", "effective_config_sha", "data_sha", "predictions_sha")


def seed(result: Result, hidden: Collection[str] = ()) -> dict[str, Any]:
    """A seed as its line tells it: nothing of the holdout, and no number that is none."""
    out = {k: result.get(k) for k in (*SEED, "first_step", "host")} | {"error": (result.get("error") or "")[-ERROR:]}
    out["metrics"] = {k: v for k, v in result["metrics"].items() if _finite(v) and k not in hidden}
    return {k: v for k, v in out.items() if v is not None and v != ""}


def failure(results: Sequence[Result]) -> str | None:
    """The name of what went wrong with the seeds, where something did."""
    found = {r["status"] for r in results}
    return next((s for s in WORST if s in found), None)


def means(results: Sequence[Result], hidden: Collection[str] = ()) -> dict[str, float]:
    """Every metric that all seeds report, as its mean; none where a seed did not end well."""
    names = set.intersection(*(set(r["metrics"]) for r in results)) - set(hidden) if results else set()
    if any(r["status"] != "ok" for r in results):
        return {}
    found = {n: [r["metrics"][n] for r in results] for n in sorted(names)}
    return {n: math.fsum(v) / len(v) for n, v in found.items() if all(map(_finite, v))}


def agreed(results: Sequence[Result], what: str) -> Any:
    """What all seeds say of themselves; None where one says nothing or another thing."""
    said = [r.get(what) for r in results]
    return said[0] if said and all(s == said[0] for s in said) else None


def diff(old: Tree, new: Tree) -> str:
    """What the candidate changes in its parent, as a unified diff of the files themselves."""
    parts = []
    for name in sorted({*old.files, *new.files}):
        a, b = (
            t.files.get(name, b"").decode("utf-8", "backslashreplace").splitlines(keepends=True) for t in (old, new)
        )
        found = difflib.unified_diff(a, b, f"a/{name}", f"b/{name}")
        parts += [x if x.endswith("\n") else f"{x}\n\\ No newline at end of file\n" for x in found]
    return "".join(parts)


def measured(what: str, results: Sequence[Result], hidden: Collection[str], **more: Any) -> dict[str, Any]:
    """The line of an evaluation that is no trial."""
    failed = failure(results)
    return {
        "call": "measure",
        "what": what,
        "seeds": [seed(r, hidden) for r in results],
        "metrics": means(results, hidden) or None,
        "wall_s": round(math.fsum(r["wall_s"] for r in results), 4),
        **({"reason_code": failed} if failed else {}),
        **more,
    }


def unproposed(turn: Turn, ended: Ended) -> dict[str, Any]:
    """The line of a trial that ran nothing."""
    said = {"call": "trial", "status": ended.outcome, "reason_code": ended.reason_code, "value": None, "why": ended.why}
    return said | _said(turn, 0.0, None)


def judged(
    turn: Turn,
    decision: Decision | None,
    results: Sequence[Result],
    *,
    primary: str,
    hidden: Collection[str],
    change: str,
    seconds: float,
    usd: float | None,
    **names: Any,
) -> dict[str, Any]:
    """The line of a trial that was to run. Without a decision nothing was measured that could be judged."""
    out: dict[str, Any] = {"call": "trial", "status": "aborted", **_said(turn, seconds, usd)}
    verdicts = list(turn.watched.get("verdicts", ()))
    why = turn.tampered or turn.withheld or ""
    if decision is not None:
        said = decision.record()
        verdicts = [*map(plain, said.pop("verdicts")), *verdicts]
        out |= said
        why = why or decision.reason
    failed = failure(results)
    if turn.tampered is not None:
        out |= {"status": "aborted", "reason_code": "tampered"}
    elif failed is not None and out["status"] != "kept":
        out |= {"status": "aborted" if failed == "tampered" else "crashed", "reason_code": failed}
    elif out["status"] == "kept" and (lack := _lacks(change, out, results)):
        out |= {"status": "aborted", "reason_code": "evidence"}
        why = f"not kept, because {lack}"
    found = means(results, hidden)
    return out | {
        "value": found.get(primary),
        "seeds": [seed(r, hidden) for r in results] or None,
        "metrics": found or None,
        "verdicts": verdicts,
        "diff": change or None,
        **{k: v for k, v in turn.watched.items() if k in ("fingerprints", "effective")},
        **names,
        "why": why,
    }


def seconds(stages: Sequence[Sequence[Result]]) -> float:
    """The least that these measurements took: of each the longest seed, as if all seeds had run at once."""
    return math.fsum(max((r["wall_s"] for r in stage), default=0.0) for stage in stages)


def usd(stages: Sequence[Sequence[Result]]) -> float | None:
    """What these measurements cost in money, where an executor says so."""
    found = [r["usd"] for stage in stages for r in stage if r.get("usd") is not None]
    return math.fsum(found) if found else None


def told(line: Mapping[str, Any], label: str, before: float | None) -> str:
    """One line for whoever looks on."""
    value, cost = line.get("value"), line.get("cost") or {}
    moved = f" ({value - before:+.4g})" if value is not None and before is not None else ""
    number = "-" if value is None else f"{value:.6g}{moved}"
    refused = sum(1 for a in line["attempts"] if (a.get("verdict") or {}).get("level") in ("FAIL", "UNKNOWN"))
    more = f", {refused} refused" if refused else ""
    why = line.get("reason_code") or ("" if line["status"] == "kept" else str(line.get("why", "")))
    seeds = f"{len(line.get('seeds') or ())} seeds, {cost.get('wall_s', 0):.1f} s{more}"
    return f"{line['iter']:5}  {line['status']:<9} {label or '-':<32} {number:<22} {seeds}  {why}"[:240].rstrip()


def _lacks(change: str, line: Mapping[str, Any], results: Sequence[Result]) -> str | None:
    """What a keep cannot be without."""
    if not change.strip():
        return "it has no diff: nothing says what was kept"
    if not line.get("deltas"):
        return "it has no deltas: nothing says what it moved"
    if not results:
        return "it has no seeds"
    return None


def _said(turn: Turn, seconds: float, usd: float | None) -> dict[str, Any]:
    """What every trial says: its attempts, what the proposer saw, what it cost."""
    cost = {k: v for k, v in turn.cost.items() if v is not None}
    if usd is not None or "usd" in cost:
        cost["usd"] = (usd or 0.0) + (cost.get("usd") or 0.0)
    for name in ("tokens_in", "tokens_out", "tokens_cached"):
        if name in cost:
            cost[name] = int(cost[name])
    texts = [t for t in turn.shown if t]
    shown = {f"shown_{i}": text for i, text in enumerate(texts[:-1][:MOST_SHOWN], 1)}
    return {
        "iter": turn.iter,
        "started": turn.started,
        "attempts": turn.attempts,
        "cost": {"wall_s": round(seconds, 4), **cost},
        **({"shown": texts[-1]} if texts else {}),
        **shown,
    }


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
