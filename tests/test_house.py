"""What must be true of the whole repository, whatever the modules do: what is shipped, said and never said."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = {"trajscope", "trajscope_loop", "trajscope_dashboards"}
MOST_LINES = 400

# What a build leaves behind; only asked where git cannot say what is ours (an unpacked source distribution).
MADE = {".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", "__pycache__", "dist", "demo-out"}

# Put together here, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(rb"(?<![\w.-])/(?:" + b"|".join([b"root", b"home", b"work"]) + rb")/")


def written() -> list[Path]:
    """Every file of the project, without what a user keeps beside it."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    found = (path for path in sorted(ROOT.rglob("*")) if path.is_file())
    return [path for path in found if not MADE.intersection(path.relative_to(ROOT).parts)]


def machine_paths(text: bytes) -> list[int]:
    """The numbers of the lines that name a place on somebody's machine."""
    return [number for number, line in enumerate(text.splitlines(), 1) if MACHINE_PATH.search(line)]


MODULES = [path for path in written() if path.suffix == ".py"]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = [f"{path.relative_to(ROOT)}:{line}" for path in written() for line in machine_paths(path.read_bytes())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("see /{}/x/notes.md", [1]),
        ('path = "/{}/x"', [1]),
        ("file:///{}/x", [1]),
        ("https://example.org/{}/x", []),
        ("sample_runs/{}/x.jsonl", []),
        ("/{}", []),
    ],
)
@pytest.mark.parametrize("folder", ["root", "home", "work"])
def test_a_path_of_a_machine_is_found_and_a_relative_one_is_not(line: str, lines: list[int], folder: str) -> None:
    assert machine_paths(line.format(folder).encode()) == lines


def test_every_module_says_what_it_is_for() -> None:
    assert [
        str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(ast.parse(path.read_bytes()))
    ] == []


def test_no_module_is_longer_than_one_can_hold_in_mind() -> None:
    # A test module is read one test at a time, so only what is shipped or run is held to this.
    modules = [path for path in MODULES if not path.is_relative_to(ROOT / "tests")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in modules}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


@pytest.mark.needs_module("hatchling", "editables")
def test_the_wheel_holds_three_packages_and_the_license(tmp_path: Path) -> None:
    names = _build(tmp_path, "standard").namelist()
    info = f"trajscope-{PROJECT['version']}.dist-info"
    data = f"trajscope-{PROJECT['version']}.data"
    assert {name.partition("/")[0] for name in names} == PACKAGES | {info, data}
    # The demo's run, and nothing else, is laid beside the packages.
    shared = {name.removeprefix(f"{data}/data/share/trajscope/") for name in names if name.startswith(data)}
    assert shared == {"amnesiac/amnesiac.jsonl", "amnesiac/amnesiac.menu.json"}
    assert f"{info}/licenses/LICENSE" in names
    assert "trajscope/py.typed" in names
    assert [name for name in names if name.endswith((".pyc", ".pyo"))] == []
    shipped = {path.relative_to(ROOT / "trajscope") for path in MODULES if path.is_relative_to(ROOT / "trajscope")}
    assert {f"trajscope/{path.as_posix()}" for path in shipped} <= set(names)


@pytest.mark.needs_module("hatchling", "editables")
def test_an_editable_install_exposes_the_same_three_packages_and_no_folder(tmp_path: Path) -> None:
    wheel = _build(tmp_path, "editable")
    hooks = {name: wheel.read(name).decode() for name in wheel.namelist() if not name.startswith("trajscope-")}
    assert set(re.findall(r"map_module\('(\w+)'", "".join(hooks.values()))) == PACKAGES
    # A bare path in a .pth file would make every folder of the checkout importable.
    assert [line for name in hooks if name.endswith(".pth") for line in hooks[name].splitlines() if "/" in line] == []


def test_the_publication_metadata_leaves_torch_to_the_user_and_constraints_pick_it_for_us() -> None:
    assert PROJECT["optional-dependencies"]["torch"] == ["torch>=2.4"]
    assert "\ntorch==2.13.0\n" in (ROOT / "constraints.txt").read_text("utf-8")


def test_every_core_dependency_has_a_floor_and_a_lid() -> None:
    assert [need for need in PROJECT["dependencies"] if not re.fullmatch(r"[a-z-]+>=[\d.]+,<\d+", need)] == []


def test_every_exception_from_the_linter_carries_its_reason() -> None:
    lint = (
        (ROOT / "pyproject.toml").read_text("utf-8").partition("[tool.ruff.lint]")[2].partition("[tool.ruff.format]")[0]
    )
    exceptions = [line for line in lint.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]
    assert exceptions
    assert [line for line in exceptions if not re.search(r"# \S", line)] == []


def test_every_make_target_that_one_would_type_is_in_the_help() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE)) == set(phony[1].split())


def test_make_refuses_the_same_pythons_as_the_package() -> None:
    bounds = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"])
    assert bounds
    assert f"(3, {bounds[1]}) <= sys.version_info < (3, {bounds[2]})" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("marker", ['needs_program("no-such-program")', 'needs_module("no_such_module")'])
@pytest.mark.parametrize(("require_all", "outcome"), [("", "skipped"), ("0", "skipped"), ("1", "errors")])
def test_a_missing_need_skips_with_its_reason_and_fails_when_all_is_required(
    marker: str, require_all: str, outcome: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUIRE_ALL", require_all)
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    pytester.makepyfile(f"import pytest\n@pytest.mark.{marker}\ndef test_it(): pass\n")
    ran = pytester.runpytest_inprocess("-ra", "--strict-markers", "-p", "no:cacheprovider", "-p", "no:xdist")
    ran.assert_outcomes(**{outcome: 1})
    ran.stdout.fnmatch_lines(["*not on this machine: * no?such?*"])


def _build(folder: Path, version: str) -> zipfile.ZipFile:
    from hatchling.builders.wheel import WheelBuilder

    return zipfile.ZipFile(next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=[version])))
