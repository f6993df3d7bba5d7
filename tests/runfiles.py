"""What the tests of the writer share: a run whose clock stands still, its rows held to the contract, a process."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from trajscope import record
from trajscope.chain import first_break
from trajscope.writer import RunWriter, open_run

ROOT = Path(__file__).resolve().parents[1]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def start(path: Path, **more: Any) -> RunWriter:
    """A run on `path` whose clock stands still; not synced, since no test pulls the plug."""
    said: dict[str, Any] = {"metric": "loss", "fsync": False, "now": lambda: NOON}
    return open_run(path, **said | more)


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, each of which must be whole, known and chained."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    lines = data.splitlines()
    assert first_break(lines) is None
    for line in lines:
        assert not isinstance(record.load(line), record.Unknown), line
    return [json.loads(line) for line in lines]


def python(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=50, check=False)


calls = st.lists(
    st.one_of(
        st.tuples(
            st.just("trial"),
            st.fixed_dictionaries(
                {"changes": st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), min_size=1)},
                optional={
                    "reason": st.text(max_size=3),
                    "metrics": st.dictionaries(st.just("acc"), st.floats()),
                    "wall_s": st.floats(0, 9),
                    "note": st.text(max_size=3),
                },
            )
            .flatmap(lambda kw: st.tuples(st.just(kw), st.booleans(), st.floats(0, 1) | st.just(float("nan"))))
            .map(lambda t: t[0] | {"value": t[2], "kept": t[1] and t[2] == t[2]}),
        ),
        st.tuples(st.just("event"), st.just({"kind": "alarm", "text": "plateau"})),
        st.tuples(st.just("measure"), st.just({"what": "incumbent", "value": 1})),
    ),
    max_size=4,
)


def play(run: RunWriter, script: list[tuple[str, dict[str, Any]]]) -> list[int]:
    return [getattr(run, verb)(**kw) for verb, kw in script]
