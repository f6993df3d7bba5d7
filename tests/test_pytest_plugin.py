"""The pytest plugin, in a pytest of its own: what is insufficient fails, and a skipped gate has failed.

Planted and seen to fail: an insufficient answer that passes, a report that stays skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import corpusfield as field
import pytest
from clirun import AMNESIAC, ROOT

from trajscope.pytest_plugin import assert_diverse

HEAD = "import pytest\nfrom trajscope.pytest_plugin import assert_diverse\n"


def run(folder: Path, body: str) -> tuple[int, str]:
    """The exit code and output of pytest on these tests, with the plugin and no other configuration."""
    (folder / "test_own.py").write_text(HEAD + body)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--strict-markers", "-p", "no:cacheprovider"]
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    env = plain | {"PYTHONPATH": str(ROOT), "PYTEST_PLUGINS": "trajscope.pytest_plugin"}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # it may be installed, and would stand there twice
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=50, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_diverse_corpus_passes_and_the_answer_comes_back(tmp_path: Path) -> None:
    found = assert_diverse(*field.write(tmp_path, field.clean()))
    assert (found.outcome, found.rows["all"]) == ("pass", 300)


def test_one_that_fails_says_each_check_and_what_to_do() -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        assert_diverse(AMNESIAC, split="at:42")
    said = str(caught.value)
    assert "may not be distilled (policy default, split after iteration 42)" in said
    assert "fail: keep_labels must be >= 8: 8 keeps over 3 labels; those of train over 1" in said
    assert "insufficient: power must be >= 43" in said
    assert "do: collect, do not reweight" in said


def test_one_that_is_too_small_fails_too(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="cannot be judged, which is no pass"):
        assert_diverse(*field.write(tmp_path, [field.Plan([("k00", 1)], frozenset())]))


def test_a_gate_that_cannot_be_asked_has_failed(tmp_path: Path) -> None:
    for run_, policy in (("gone.jsonl", "default"), (AMNESIAC, "defualt")):
        with pytest.raises(pytest.fail.Exception, match="could not be asked"):
            assert_diverse(run_, policy=policy)


@pytest.mark.parametrize(
    "body",
    [
        f"@pytest.mark.skip(reason='later')\ndef test_gate():\n    assert_diverse({str(AMNESIAC)!r})\n",
        f"@pytest.mark.xfail\ndef test_gate():\n    assert_diverse({str(AMNESIAC)!r})\n",
        "def test_gate():\n    pytest.skip('no corpus yet')\n    assert_diverse('x')\n",
        "@pytest.mark.corpus_gate\n@pytest.mark.skipif(True, reason='slow')\ndef test_gate():\n    pass\n",
        "@pytest.fixture\ndef runs():\n    pytest.skip('none')\n\n\ndef test_gate(runs):\n    assert_diverse(runs)\n",
    ],
)
def test_a_gate_that_is_skipped_or_expected_to_fail_has_failed(tmp_path: Path, body: str) -> None:
    code, out = run(tmp_path, body)
    assert code == 1, out
    assert "1 failed" in out or "1 error" in out  # an error where it was skipped before it began
    assert "a corpus gate that does not run is a failure" in out


def test_other_tests_may_be_skipped(tmp_path: Path) -> None:
    code, out = run(tmp_path, "@pytest.mark.skip\ndef test_other():\n    pass\n\n\ndef test_more():\n    pass\n")
    assert (code, "1 passed, 1 skipped" in out) == (0, True), out


def test_the_plugin_is_an_entry_point_of_the_package() -> None:
    import tomllib

    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    assert points["pytest11"] == {"trajscope": "trajscope.pytest_plugin"}


def test_the_hook_calls_the_command_for_all_files_at_once() -> None:
    said = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    assert "entry: trajscope gate\n" in said
    assert "require_serial: true" in said
