"""Specimens: a few lines of each format that is no file of lines, as it is unfolded. Knows no reader."""

from __future__ import annotations

from typing import Any


def unfolded() -> dict[str, tuple[dict[str, Any], ...]]:
    """What the formats that are no files of lines unfold into."""
    rate = {"name": "FloatDistribution", "attributes": {"step": None, "low": 1e-5, "high": 0.1, "log": True}}
    kind = {"name": "CategoricalDistribution", "attributes": {"choices": ["relu", None, 3]}}
    times = {"start": "2026-01-01 12:00:00.000001", "complete": "2026-01-01 12:00:10"}
    optuna: tuple[dict[str, Any], ...] = (
        {"unfolded": "optuna", "study": "night", "directions": ["minimize"], "names": None,
         "params": {"lr": rate, "act": kind}},
        {"number": 0, "state": "COMPLETE", **times, "values": [0.5], "params": {"lr": 0.01, "act": None},
         "attrs": {"memory": 2.5, "note": "words"}},
        {"number": 2, "state": "PRUNED", **times, "values": [], "params": {"lr": 0.02, "act": 3}, "attrs": {}},
        {"number": 1, "state": "FAIL", **times, "values": [], "params": {}, "attrs": {"why": {"a": [1]}}},
    )  # fmt: skip
    first, second = "LR = 0.1\n\n\ndef step(x):\n    return x - LR\n", "LR = 0.2\n\n\ndef step(x):\n    return x - LR\n"
    aide: tuple[dict[str, Any], ...] = (
        {"unfolded": "aide", "version": "2", "maximize": True, "metric": None},
        {"code": first, "plan": "a draft", "step": 0, "id": "a", "ctime": 1767268800.5, "exec_time": 2.5,
         "exc_type": None, "metric": {"value": 0.5, "maximize": True}, "is_buggy": False, "parent": None},
        {"code": second, "plan": "faster", "step": 1, "id": "b", "ctime": 1767268810.5, "exec_time": 2.0,
         "exc_type": "ValueError", "metric": {"value": None, "maximize": None}, "is_buggy": True, "parent": "a"},
    )  # fmt: skip
    openevolve: tuple[dict[str, Any], ...] = (
        {"unfolded": "openevolve", "metrics": ["combined_score", "speed"]},
        {"id": "a", "code": first, "language": "python", "parent_id": None, "generation": 0, "timestamp": 1767268800.5,
         "iteration_found": 0, "metrics": {"combined_score": 0.5, "speed": 3.0}, "metadata": {"island": 0}},
        {"id": "b", "code": second, "language": "python", "parent_id": "a", "generation": 1,
         "timestamp": 1767268810.5, "iteration_found": 1, "metrics": {"combined_score": 0.6}, "metadata": {}},
        {"id": "c", "code": first, "language": "python", "parent_id": "a", "generation": 1,
         "timestamp": 1767268820.5, "iteration_found": 2, "metrics": {"error": 0.0, "timeout": True}},
    )  # fmt: skip
    shinka: tuple[dict[str, Any], ...] = (
        {"unfolded": "shinka"},
        {"id": "a", "code": first, "language": "python", "parent_id": None, "generation": 0,
         "timestamp": 1767268800.5, "combined_score": 0.5, "public_metrics": {"speed": 3.0}, "private_metrics": {},
         "text_feedback": "", "correct": 1, "metadata": {"compute_time": 2.0}},
        {"id": "b", "code": second, "language": "python", "parent_id": "a", "generation": 1,
         "timestamp": 1767268810.5, "combined_score": 0.6, "public_metrics": {}, "private_metrics": {},
         "text_feedback": "", "correct": 1, "metadata": {"compute_time": 2.0, "api_costs": 0.01}},
        {"id": "c", "code": first, "language": "python", "parent_id": "b", "generation": 2,
         "timestamp": 1767268820.5, "combined_score": 0.0, "public_metrics": {}, "private_metrics": {},
         "text_feedback": "wrong", "correct": 0, "metadata": {}},
    )  # fmt: skip
    return {"optuna": optuna, "aide": aide, "openevolve": openevolve, "shinka": shinka}
