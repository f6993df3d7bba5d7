"""The linter in the loop: nobody notices without rails, and with them the first trial is stopped, named and priced."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajscope_loop.stories import linter

pytestmark = pytest.mark.needs_program("git")


@pytest.mark.timeout(120)
def test_the_night_is_as_reported_and_its_first_trial_is_caught(tmp_path: Path) -> None:
    said: list[str] = []
    told = linter.play(tmp_path, lambda text: said.append(str(text)))
    night = told.night
    assert [night.counted(s) for s in ("keep", "discard", "crash")] == [9, 28, 3]
    loss, memory = night.best
    assert loss / night.rows[0][1] - 1 == pytest.approx(-0.059, abs=0.0005)
    assert (round(night.rows[0][2]), round(memory)) == (44, 17)
    assert [r[3] for r in night.rows[30:39]] == ["discard"] * 3 + ["crash"] + ["discard"] * 5  # experiments 30 to 38
    # Nothing shows it: what was kept says what was meant, no file of the night names what ran.
    assert night.committed == {"0.5"}
    assert night.ran == "0.3"
    assert not any(
        "0.3" in line for line in (tmp_path / "off/results.tsv").read_text().splitlines() if "SCALAR" in line
    )
    assert told.status == "TAMPERED"
    assert told.ran == 0
    assert told.caught.startswith("SCALAR_LR: proposed 0.5, ran 0.3 (train.py), since trial 1: 1 trial and ")
    assert told.price == (
        "SCALAR_LR: proposed 0.5, ran 0.3 (train.py), since trial 1: 40 trials and 4.0 h were not what was proposed"
    )
