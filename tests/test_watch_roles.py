"""Which part of the screen has which colour, in light and dark: looked at once, and compared since.

The pictures hold a letter for each role and no colours, so that a theme may choose others: what is compared is which
role stands where. Planted and seen to fail: a word in another role, two roles of one look.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from clirun import SAMPLES
from rich.style import Style
from textual.pilot import Pilot
from watchruns import NOON, header, sample, trial, write
from watchscreen import app_on, drive, press, text

from trajscope.watch.ink import Role, Span
from trajscope.watch.screen.app import Watch
from trajscope.watch.screen.paper import STYLES, Paper

LOOKED_AT = Path(__file__).parent / "screens"
LETTERS: dict[Role, str] = {
    "": ".",
    "bad": "B",
    "warn": "W",
    "good": "G",
    "dim": "d",
    "head": "H",
    "accent": "a",
    "best": "b",
    "band": "-",
    "key": "k",
}
FAINT = {"band": 1.5, "dim": 3.0}  # contrast with the ground; what is to be read at once has more
CLEAR = 4.5
Look = tuple[object, ...]


def look(style: Style | None) -> Look:
    """What a letter looks like, its ground aside."""
    return (None, False) if style is None else (style.color and style.color.get_truecolor().hex, bool(style.bold))


async def roles(app: Watch, pilot: Pilot[int]) -> dict[Look, Role]:
    """What each role looks like on this screen now. Lines of nothing but the roles are left on it."""
    paper = app.screen.query_one(Paper)
    paper.write([[Span("x", role)] for role in STYLES])
    await pilot.pause()
    strips = [paper.render_line(y) for y in range(len(STYLES))]
    return {look(next(iter(strip)).style): role for strip, role in zip(strips, STYLES, strict=True)}


def dump(app: Watch, known: Mapping[Look, Role]) -> str:
    """The letter of each place's role; on another ground, such as the row under the cursor has, `~`."""
    strips = list(app.screen._compositor.render_strips())[:-1]  # the last line is Textual's
    ground = next(iter(strips[0])).style
    lines = []
    for strip in strips:
        cells = ""
        for part in strip:
            here = part.style is None or ground is None or part.style.bgcolor == ground.bgcolor
            letter = LETTERS[known[look(part.style)]] if here and part.text.strip() else "~"
            cells += "".join(" " if c == " " else letter for c in part.text)
        lines.append(cells.rstrip())
    return "\n".join(lines) + "\n"


def contrast(a: str, b: str) -> float:
    """How well one colour can be read on another, as WCAG 2 counts it."""

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(a), light(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder of its own, so that nobody's bookmarks are touched."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("keys", [(), ("t",)], ids=["dark", "light"])
def test_roles_can_be_told_apart_and_read(keys: tuple[str, ...], tmp_path: Path) -> None:
    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, *keys)
        known = await roles(app, pilot)
        assert len(known) == len(STYLES)
        paper = app.screen.query_one(Paper)
        for y, role in enumerate(STYLES):
            style = next(iter(paper.render_line(y))).style
            assert style is not None
            assert style.color is not None
            assert style.bgcolor is not None
            seen = contrast(style.color.get_truecolor().hex, style.bgcolor.get_truecolor().hex)
            assert seen >= FAINT.get(role, CLEAR), f"{role} is too faint: {seen:.1f}"

    drive(app_on(write(tmp_path / "a.jsonl", header(), trial(1))), script)


def laid(name: str) -> tuple[list[Path], dict[str, Any]]:
    """The files of a picture in a folder here, as somebody would name them, and how they are looked at."""
    here = Path("runs")
    here.mkdir()
    path = here / "run.jsonl"
    if name == "several":
        for one in ("linter", "gamer", "amnesiac", "higher", "torn"):
            shutil.copy(sample(one), here)
            os.utime(here / f"{one}.jsonl", (NOON, NOON))
        return [], {"folder": here}
    ten = [
        trial(n, at_s=60.0 * n - 600, value=1.0 - n / 50, status="kept" if n % 4 == 1 else "reverted")
        for n in range(1, 11)
    ]
    lines: dict[str, list[Any]] = {
        "not_begun": [header()],
        "waiting": [
            header(),
            *ten,
            {"v": 1, "type": "event", "seq": 11, "kind": "pause", "data": {"reason": "too good"}},
        ],
        "silent": [header(), *ten],
        "cut": [header(), *ten],
    }
    if name in lines:
        write(path, *lines[name])
    else:
        shutil.copy(sample(name), path)
        if (beside := sample(name).with_name(f"{name}.menu.json")).is_file():
            shutil.copy(beside, here / "run.menu.json")
    os.utime(path, (NOON, NOON))
    return [path], {}


@pytest.mark.parametrize("name", ["amnesiac", "gamer", "linter", "not_begun", "waiting", "silent", "cut", "several"])
def test_every_role_stands_where_it_stood_when_somebody_looked(name: str) -> None:
    """Whoever changes the screen on purpose looks at the new picture, and deletes the old one to have it written."""
    paths, more = laid(name)
    found: list[str] = []

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        if name == "cut":
            write(paths[0], header())
            app.turn()
            await pilot.pause()
        said = "\n".join(text(app).splitlines()[:-1]) + "\n"
        for _ in ("dark", "light"):
            known = await roles(app, pilot)
            app.turn()
            await pilot.pause()
            found.append(said + "\n" + dump(app, known))
            await press(pilot, "t")

    drive(app_on(*paths, now=[NOON + 4000], **more), script, (100, 24))
    dark, light = found
    assert dark == light
    kept = LOOKED_AT / f"{name}_roles.txt"
    if not kept.exists():
        kept.write_text(dark, "utf-8")
        pytest.fail(f"there was no picture to compare with: look at {kept.relative_to(SAMPLES.parent)}")
    assert dark == kept.read_text("utf-8")


@pytest.mark.parametrize("name", ["linter", "waiting"])
def test_without_colour_only_weight_is_left_and_every_letter_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    paths, more = laid(name)
    said = (LOOKED_AT / f"{name}_roles.txt").read_text("utf-8").partition("\n\n")[0]

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        assert "\n".join(text(app).splitlines()[: len(said.splitlines())]) == said
        colours = {
            part.style.color.get_truecolor().hex
            for y in range(app.size.height)
            for part in app.screen._compositor.render_strips()[y]
            if part.style is not None and part.style.color is not None
        }
        assert {c for c in colours if not c[1:3] == c[3:5] == c[5:]} == set()

    drive(app_on(*paths, now=[NOON + 4000], **more), script, (100, 24))
