"""The form of a domain: what is declared wrongly is said before anything runs, and a candidate is what was asked for.

Planted and seen to fail: an unknown key passed over, a menu's default unlike the code's, a knob set inside a diff,
a holdout's numbers among those of the degenerates, data prepared twice.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trajscope import TrajscopeError
from trajscope_loop import declaration, domain
from trajscope_loop.declaration import BUILT_IN
from trajscope_loop.domain import FolderDomain
from trajscope_loop.domains import perturbation
from trajscope_loop.errors import DomainError
from trajscope_loop.seams import Domain
from trajscope_loop.tree import plant

PLACE = BUILT_IN / "perturbation"


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """A copy of the perturbation domain in which one file was edited."""

    def edit(name: str, old: str, new: str) -> Path:
        place = tmp_path / "mine"
        shutil.copytree(PLACE, place, dirs_exist_ok=True)
        text = (place / name).read_text("utf-8")
        assert old in text
        (place / name).write_text(text.replace(old, new, 1), "utf-8")
        return place

    return edit


def test_the_built_in_domain_is_what_the_seams_ask_for() -> None:
    found: Domain = domain.load("perturbation")
    assert "perturbation" in declaration.built_in()
    assert dict(found.base) == dict(perturbation.BASE)
    assert [(m["name"], m["role"]) for m in found.metrics] == [
        ("pearson_deg", "primary"),
        ("direction_acc", "guard"),
        ("response_ratio", "guard"),
        ("pds", "diagnostic"),
        ("holdout_pds", "holdout"),
        ("pearson_specific", "diagnostic"),
        ("mse_top20_deg", "diagnostic"),
    ]
    assert found.gate.n == 5
    assert found.menu is not None
    assert {k.family for k in found.menu.knobs.values()} == {
        *("capacity", "optimiser", "regularisation", "objective", "output")
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        ("domain.toml", "seeds = 5", "seed = 5", r"domain.toml: `seed` is unknown; did you mean seeds\?$"),
        ("domain.toml", "train =", "trian =", r"`run.trian` is unknown; did you mean train\?$"),
        ("domain.toml", "floor = 0.70", "flor = 0.70", r"`gate.guards.flor` is unknown; did you mean floor\?$"),
        ("domain.toml", "floor = 0.70\n", "", "guard 'direction_acc' needs a floor or a ceiling"),
        ("domain.toml", 'kind = "correlation"', "", "pearson_deg says no kind"),
        ("domain.toml", "within = [-1.0, 1.0]", "", "within"),
        ("domain.toml", "seeds = 5", "seeds = true", "`seeds` is True; it is a int"),
        ("domain.toml", "seeds = 5", "seeds = 0", "`seeds` is 0; give a whole number above 0"),
        ("domain.toml", "timeout_s = 60", "timeout_s = -1", "give a number of seconds above 0"),
        ("domain.toml", 'judge = "judge.py"', "", "says no `judge`"),
        (
            "domain.toml",
            'frozen = ["prepare.py", "judge.py"]',
            'frozen = ["prepare.py"]',
            "run.judge is judge.py, which",
        ),
        ("domain.toml", 'editable = ["train.py"]', 'editable = ["judge.py", "train.py"]', "both editable and frozen"),
        ("domain.toml", 'editable = ["train.py"]', 'editable = ["../train.py"]', "no path below the workspace"),
        ("domain.toml", "[edits]", '[env]\nOPENAI_API_KEY = "x"', "looks like a key; training is given none"),
        ("domain.toml", 'role = "diagnostic"', 'role = "guard"', "needs a goal .* and a role"),
        ("domain.toml", "[run]", "[run", "cannot be read"),
        (
            "menu.json",
            '"default": 32',
            '"default": 64',
            "knob hidden has the default 64 and HIDDEN is 32; make them one",
        ),
        ("menu.json", '"blend"', '"blind"', "no editable file states BLIND"),
        ("train.py", "HIDDEN = 32", "HIDDEN = 33", "HIDDEN is 33, which knob hidden does not take"),
        ("train.py", "HIDDEN = 32", "HIDDEN = int(32)", "no editable file states HIDDEN"),
    ],
)
def test_what_is_declared_wrongly_is_said_before_anything_runs(
    edited: Callable[[str, str, str], Path], name: str, old: str, new: str, why: str
) -> None:
    place = edited(name, old, new)
    with pytest.raises(TrajscopeError, match=why):
        domain.load(place)


def test_a_folder_without_a_declaration_names_the_domains_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        DomainError, match=r"domain.toml: there is none; name a folder that holds one, or one of .*pert"
    ):
        domain.load(tmp_path / "nothing")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> tuple[FolderDomain, Path]:
    """The domain with a campaign's folder whose data are prepared."""
    found, folder = domain.load("perturbation"), tmp_path_factory.mktemp("campaign")
    found.hashes(folder)
    return found, folder


def test_data_are_prepared_once_and_are_the_same_everywhere(
    campaign: tuple[FolderDomain, Path], tmp_path: Path
) -> None:
    found, folder = campaign
    before = {p: p.stat().st_mtime_ns for p in (folder / "data").rglob("*") if p.is_file()}
    assert found.hashes(folder) == found.hashes(tmp_path)
    assert {p: p.stat().st_mtime_ns for p in (folder / "data").rglob("*") if p.is_file()} == before


def test_data_and_evaluator_are_hashed_as_they_are_now(
    campaign: tuple[FolderDomain, Path], edited: Callable[[str, str, str], Path], tmp_path: Path
) -> None:
    found, folder = campaign
    copy = tmp_path / "campaign"
    shutil.copytree(folder, copy)
    (copy / "data/truth/visible.npy").write_bytes(b"kinder")
    assert found.hashes(copy)["data"] != found.hashes(folder)["data"]
    assert found.hashes(copy)["evaluator"] == found.hashes(folder)["evaluator"]
    place = edited("judge.py", "TOP = 20", "TOP = 1")
    assert domain.load(place).hashes(folder)["evaluator"] != found.hashes(folder)["evaluator"]


def test_data_that_were_changed_behind_their_times_are_other_data(tmp_path: Path) -> None:
    found = domain.load("perturbation")
    found.hashes(tmp_path)
    time.sleep(0.2)  # what was written just now is read again anyway
    first = found.hashes(tmp_path)
    assert found.hashes(tmp_path) == first
    victim = max((tmp_path / "data" / "given").iterdir(), key=lambda p: p.stat().st_size)
    was = victim.stat()
    victim.chmod(0o600)
    with victim.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    os.utime(victim, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert (victim.stat().st_size, victim.stat().st_mtime_ns) == (was.st_size, was.st_mtime_ns)
    assert found.hashes(tmp_path)["data"] != first["data"]


def test_predictors_that_ignore_their_input_score_what_the_domain_says_and_nothing_of_a_holdout(
    campaign: tuple[FolderDomain, Path],
) -> None:
    found, folder = campaign
    known = perturbation.degenerates()
    assert found.degenerates(folder) == {
        name: pytest.approx({k: v for k, v in scores.items() if not k.startswith("holdout_")})
        for name, scores in known.items()
    }


def test_a_candidate_is_the_recorded_parent_with_its_changes_and_nothing_else(
    campaign: tuple[FolderDomain, Path], tmp_path: Path
) -> None:
    found, _ = campaign
    ws = found.workspace(tmp_path)
    (ws.root / "train.py").write_bytes(b"rewritten")  # the folder is not the parent
    parent = ws.standing()
    made = found.tree(parent, {"hidden": 64, "noise_weight": True}, None)
    text = parent.files["train.py"].decode()
    assert made.files["train.py"].decode() == text.replace("HIDDEN = 32", "HIDDEN = 64").replace(
        "NOISE_WEIGHT = False", "NOISE_WEIGHT = True"
    )
    assert found.tree(made, {"hidden": 32, "noise_weight": False}, None) == parent


def _diff(old: str, new: str, parent: bytes) -> str:
    line = parent.decode().splitlines().index(old) + 1
    return f"--- a/train.py\n+++ b/train.py\n@@ -{line} +{line} @@\n-{old}\n+{new}\n"


def test_code_may_be_edited_and_a_knob_may_not_change_inside_the_edit(campaign: tuple[FolderDomain, Path]) -> None:
    found, _ = campaign
    parent = plant(found._start)
    source = parent.files["train.py"]
    edit = _diff("BATCH = 128  # cells of one training step", "BATCH = 64", source)
    assert b"BATCH = 64\n" in found.tree(parent, {}, edit).files["train.py"]
    both = found.tree(parent, {"lr": 0.05}, edit).files["train.py"]
    assert b"BATCH = 64\n" in both
    assert b"LR = 0.05 " in both
    hidden = _diff("HIDDEN = 32  # width of the one layer", "HIDDEN = 128", source)
    with pytest.raises(DomainError, match="the edit sets HIDDEN to 128; a knob of the menu is proposed as a change"):
        found.tree(parent, {}, hidden)
    with pytest.raises(DomainError, match="the edit cannot be made"):
        found.tree(parent, {}, edit.replace("-BATCH = 128", "-BATCH = 32"))


def test_a_knob_that_is_none_is_refused_by_name(campaign: tuple[FolderDomain, Path]) -> None:
    found, _ = campaign
    with pytest.raises(DomainError, match=r"perturbation has no knob hiden; did you mean hidden\?"):
        found.tree(plant(found._start), {"hiden": 8}, None)


def test_a_job_holds_plain_values_and_every_byte_it_needs(campaign: tuple[FolderDomain, Path]) -> None:
    import pickle

    found, folder = campaign
    job = found.job(folder, plant(found._start), found.base, 3, "k")
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301  # our own bytes
    assert sorted(job["files"]) == ["judge.py", "prepare.py", "train.py"]
    assert sorted(job["data_shas"])[:2] == ["given/change.npy", "given/features.npy"]
    assert {n.partition("/")[0] for n in job["data_shas"]} == {"given", "truth"}
    assert job["wanted"] == dict(found.base)
    assert job["constants"]["gene_wd"] == "GENE_WD"
