"""What every test may ask for: programs and modules that a machine may lack.

`@pytest.mark.needs_program("tmux")` and `@pytest.mark.needs_module("torch")` skip with a reason where the thing is
missing, and fail instead when REQUIRE_ALL=1: on the machine that decides, nothing is left out in silence.
"""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

# One thread for a product of small matrices: where test processes share the cores, several wait for each other, and a
# training takes ten times as long. It is read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# How long drawing an example takes says more of the machine than of the test; pytest's own limit stands in any case.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

pytest_plugins = ("pytester",)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line("markers", "needs_program(name, ...): skip where a program is missing; REQUIRE_ALL=1 fails")
    config.addinivalue_line("markers", "ray: starts a local Ray cluster, which takes seconds and hundreds of megabytes")
    config.addinivalue_line("markers", "needs_module(name, ...): skip where a module is missing; REQUIRE_ALL=1 fails")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail before the test starts."""
    missing = [f"program {name}" for name in _marked(item, "needs_program") if shutil.which(name) is None]
    missing += [f"module {name}" for name in _marked(item, "needs_module") if find_spec(name) is None]
    if not missing:
        return
    reason = f"not on this machine: {', '.join(missing)}"
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"{reason} (REQUIRE_ALL=1 allows no skip)", pytrace=False)
    pytest.skip(reason)


def _marked(item: pytest.Item, marker: str) -> list[str]:
    return [str(name) for mark in item.iter_markers(marker) for name in mark.args]
