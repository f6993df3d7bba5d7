"""results.tsv, as loops on a repository keep it: `commit <metric> memory_gb status description`, a row per experiment.

Written from the lines of the run file and nothing else, whole, so that after a kill it says again what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from trajscope_loop.memory import put

STATUS = {"kept": "keep", "reverted": "discard", "crashed": "crash", "aborted": "crash"}
SHORT = 7


class Results:
    """The table of one campaign. `commits` tells the commit of every tree that was kept, `memory` the metric in MB."""

    def __init__(
        self, path: Path, *, metric: str, memory: str | None, commits: Callable[[], Mapping[str, str]]
    ) -> None:
        self.path, self._metric, self._memory, self._commits = path, metric, memory, commits
        self._rows: list[str] = []

    def begin(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write what the run file says by now."""
        commits = self._commits()
        self._rows = [f"commit\t{self._metric}\tmemory_gb\tstatus\tdescription"]
        for line in lines:
            self._take(line, commits)
        self._write()

    def add(self, lines: Iterable[Mapping[str, Any]], commit: str) -> None:
        """The lines of one more trial, after which this commit stands."""
        for line in lines:
            self._take(line, {str(line.get("tree")): commit})
        self._write()

    def _take(self, line: Mapping[str, Any], commits: Mapping[str, str]) -> None:
        """A baseline or an experiment that was run; what was refused before it ran is no experiment here."""
        if line.get("what") == "baseline":
            row = ["baseline", *self._numbers(line), "keep", "baseline"]
        elif line.get("status") in STATUS:
            status = STATUS[line["status"]]
            kept = commits.get(str(line.get("tree"))) if status == "keep" else None
            numbers = ("0.000000", "0.0") if status == "crash" else self._numbers(line)
            row = [(kept or str(line.get("parent") or "-"))[:SHORT], *numbers, status, _described(line)]
        else:
            return
        self._rows.append("\t".join(row))

    def _numbers(self, line: Mapping[str, Any]) -> tuple[str, str]:
        metrics = line.get("metrics") or {}
        memory = metrics.get(self._memory) if self._memory else None
        return _number(metrics.get(self._metric)), "" if memory is None else f"{memory / 1024:.1f}"

    def _write(self) -> None:
        put(self.path, ("\n".join(self._rows) + "\n").encode(), sync=False)
        self.path.chmod(0o644)


def of(
    domain: object, folder: Path, workspace: object, lines: Iterable[Mapping[str, Any]]
) -> Callable[[Iterable[Mapping[str, Any]], str], None]:
    """Where further lines go: into the table of a domain that has one, with these in it already; else nowhere."""
    make = getattr(domain, "results", None)
    if make is None:
        return lambda _lines, _commit: None
    table: Results = make(folder, workspace)
    table.begin(lines)
    return table.add


def _number(value: float | None) -> str:
    """Six digits as is the custom, and more where a small number would turn into the 0 that means a crash."""
    if value is None:
        return ""
    text = f"{value:.6f}"
    return text if float(text) or not value else f"{value:.6g}"


def _described(line: Mapping[str, Any]) -> str:
    """What was tried, in one cell."""
    ran = (line.get("attempts") or [{}])[-1]
    changes = ", ".join(
        c["knob"] if c["knob"].startswith("code:") else f"{c['knob']}={c['value']}" for c in ran.get("changes", ())
    )
    said = ": ".join(x for x in (changes, ran.get("reason")) if x)
    return " ".join(f"{said or line.get('why') or '-'}".split())[:200]
