"""The pytest plugin: `assert_diverse` holds runs against a corpus policy inside anybody's tests.

What cannot be told fails like what is wrong. A gate that is skipped, or expected to fail, is reported as failed: a gate
that does not run is no gate.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from trajscope.corpus import Gate

MARK = "corpus_gate"
CALLS = "assert_diverse"


def assert_diverse(*runs: str | Path, policy: str | Path = "default", **said: Any) -> Gate:
    """Fail unless these runs may be distilled, and answer with the gate. The rest is as for `trajscope.gate`."""
    __tracebackhide__ = True
    from trajscope.errors import TrajscopeError
    from trajscope.public import gate

    try:
        found = gate(*runs, policy=policy, **said)
    except TrajscopeError as e:
        pytest.fail(f"the corpus gate could not be asked: {e}", pytrace=False)
    if not found.passed:
        pytest.fail(told(found), pytrace=False)
    return found


def told(found: Gate) -> str:
    """Why a corpus may not be distilled, one line per check."""
    word = "may not be distilled" if found.outcome == "fail" else "cannot be judged, which is no pass"
    lines = [f"{', '.join(found.files)} {word} (policy {found.policy}, {found.split_in_words})"]
    for outcome in ("fail", "insufficient"):
        lines += [f"  {outcome}: {c.name} must be {c.bound}: {c.reason}" for c in found.of(outcome)]
    return "\n".join([*lines, *(f"  do: {x}" for x in found.remedies)])


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"{MARK}: holds a corpus against a policy; where it does not run it has failed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A gate that was skipped has failed."""
    report = yield
    if report.outcome == "skipped" and _is_gate(item):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
        report.outcome = "failed"
        report.longrepr = f"a corpus gate that does not run is a failure; {why or 'it was skipped'}"
        if hasattr(report, "wasxfail"):
            del report.wasxfail
    return report


def _is_gate(item: pytest.Item) -> bool:
    """Whether a test is marked as a gate, or calls one by name."""
    if item.get_closest_marker(MARK) is not None:
        return True
    code = getattr(getattr(item, "function", None), "__code__", None)
    return code is not None and CALLS in code.co_names
