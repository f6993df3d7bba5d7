"""The self-test: plants what the brakes are for, asks the installed command, and demands the refusals.

Demands as well that what is right passes: brakes that refuse everything prove nothing. Works in a folder of its own,
which is gone afterwards; a loop that holds its run's file hands in its writer, and the result is recorded there.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from trajscope import menu as menus
from trajscope.chain import parsed
from trajscope.errors import GateError, MenuError, RecordError
from trajscope.knob import Knob
from trajscope.menu import Menu
from trajscope.pair import Change, Neighbours, pair
from trajscope.rails.asking import ask_command, installed
from trajscope.rails.chain import Rails
from trajscope.rails.history import History
from trajscope.verdict import Level, Verdict
from trajscope.writer import RunWriter, open_run

TIMEOUT_S = 30.0
_MENU = {
    "knobs": {
        "lr": {"type": "float", "range": [0.0001, 0.1], "default": 0.001},
        "depth": {"type": "int", "range": [1, 16], "default": 4},
    }
}
_WRITERS_OWN = ("v", "type", "seq", "prev", "started", "software")  # of a header: filled in when a run is taken up
_GUARD = "direction_acc"
_NO_THRESHOLDS: Mapping[str, Mapping[str, object]] = {
    "missing": {},
    "null": {"floor": None},
    "NaN": {"floor": float("nan")},
    "a text": {"floor": "0.5"},
}


class Plant(NamedTuple):
    """One thing that was planted, what was demanded, and what came."""

    name: str
    wanted: Literal["refused", "passed"]
    held: bool
    said: str


class Selftest(NamedTuple):
    """All plants, when they were planted, and the command that was asked."""

    at: str
    command: str
    plants: tuple[Plant, ...]

    @property
    def passed(self) -> bool:
        """Whether every plant was answered as demanded."""
        return all(p.held for p in self.plants)

    def data(self) -> dict[str, Any]:
        """What is recorded of it."""
        plants = [p._asdict() for p in self.plants]
        return {"at": self.at, "passed": self.passed, "command": self.command, "plants": plants}


def selftest(
    run: RunWriter | None = None,
    *,
    menu: Menu | None = None,
    command: Sequence[str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Selftest:
    """Plant, ask, and record the result in `run` as an event of kind `selftest`.

    A brake that cannot even be asked is a plant that did not hold, not an exception.
    """
    known = menu or menus.parse(_MENU)
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with TemporaryDirectory(prefix="trajscope-selftest-") as folder:
        field = _Field(Path(folder), known, command, timeout_s)
        plants = tuple(plant for name, group in _GROUPS.items() for plant in _planted(name, group, field))
    plants = tuple(p._replace(said=p.said.replace(f"{folder}/", "")) for p in plants)
    found = Selftest(at, " ".join(field.words), plants)
    if run is not None:
        run.event("selftest", **found.data())
    return found


def record(path: str | os.PathLike[str], found: Selftest) -> int:
    """Write the result into a run that nobody is writing, and return its seq; a run that had ended has ended again.

    Raises LockedError where its loop is at it: that one calls `selftest` with its own writer.
    """
    header, last = _ends(Path(path))
    said = {k: v for k, v in header.items() if k not in _WRITERS_OWN}
    base = said.pop("base", None)
    run = open_run(path, resume=True, base=base.get("config") if isinstance(base, dict) else None, **said)
    try:
        seq = run.event("selftest", **found.data())
        if last.get("type") == "end":
            run.end(str(last.get("reason") or "finished"))
        return seq
    finally:
        run.close()


def _ends(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first and the last whole line of a run file."""
    last = b""
    with path.open("rb") as file:
        first = last = file.readline()
        for line in file:
            last = line if line.endswith(b"\n") else last
    header = parsed(first)
    if header is None or header.get("type") != "run" or "metric" not in header:
        raise RecordError(f"{path}:1: is not the header of a run; a self-test is recorded in a native run file")
    return header, parsed(last) or {}


class _Field:
    """A folder with a small run in it, and the command that is asked about it."""

    def __init__(self, folder: Path, menu: Menu, command: Sequence[str] | None, timeout_s: float) -> None:
        self.folder, self.timeout_s, self._command = folder, timeout_s, command
        self.known = menu
        try:
            self.words = tuple(command or installed())
        except FileNotFoundError:  # then every plant that asks it says so
            self.words = ("trajscope",)
        self.base, self.tried, self.fresh = _proposals(menu)
        self.menu, self.run = folder / "menu.json", folder / "run.jsonl"
        self.menu.write_text(json.dumps(menu.to_json()), "utf-8")
        with open_run(self.run, metric="loss", menu=menu.to_json(), base=self.base, fsync=False) as run:
            run.trial({self.tried.knob: self.tried.value}, value=1.0, kept=False, wall_s=1.0)

    def ask(self, knob: str, value: object, runs: Sequence[Path]) -> Verdict:
        """What the command says to a proposal."""
        return ask_command(
            {"knob": knob, "value": value},
            menu=self.menu,
            runs=runs,
            base=self.base,
            timeout_s=self.timeout_s,
            command=self._command,
        )

    def integrity(self, *words: str) -> tuple[int, str]:
        """The exit code of `integrity`, and the gravest thing it said."""
        command = [*self.words, "integrity", *words, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, timeout=self.timeout_s, check=False, text=True
        )
        said = parsed(done.stdout.encode()) or {}
        verdicts = said.get("verdicts")
        if isinstance(verdicts, list) and verdicts:
            return done.returncode, str(max(verdicts, key=lambda v: Level[v["level"]])["reason"])
        return (
            done.returncode,
            f"{said['files']} file is in it" if "files" in said else done.stderr.strip() or "nothing",
        )


def _planted(name: str, group: Callable[[_Field], Iterator[Plant]], field: _Field) -> Iterator[Plant]:
    """The plants of a group; where one cannot even be planted, that is what is told."""
    try:
        yield from group(field)
    except Exception as e:  # noqa: BLE001  # whatever is broken here is what the self-test is to find
        yield Plant(name, "refused", False, f"could not be asked ({type(e).__name__}: {e})")


def _rails(field: _Field) -> Iterator[Plant]:
    """Proposals to the command, in a process of its own."""
    tried, fresh, here = field.tried, field.fresh, [field.run]
    yield _refused("a pair that was tried before", field.ask(tried.knob, tried.value, here), "repeat")
    yield _passed("a pair that was not", field.ask(fresh.knob, fresh.value, here))
    yield _refused("a knob that is not on the menu", field.ask("unheard_of", 1, here), "menu")
    yield _refused("a proposal without a word of history", field.ask(fresh.knob, fresh.value, []), "usage")
    gone = field.folder / "gone.jsonl"
    yield _refused("a history that is gone", field.ask(fresh.knob, fresh.value, [field.run, gone]), "history")


def _own(field: _Field) -> Iterator[Plant]:
    """The first two to the chain in this process, which is what a loop in Python asks."""
    rails = Rails(field.known, History.of([field.run], field.known), base=field.base)
    tried, fresh = ({"knob": c.knob, "value": c.value} for c in (field.tried, field.fresh))
    yield _refused("a pair that was tried before, asked in this process", rails.check(tried), "repeat")
    yield _passed("a pair that was not, asked in this process", rails.check(fresh))


def _files(field: _Field) -> Iterator[Plant]:
    """Files that are declared, by the command as well."""
    code = field.folder / "train.py"
    code.write_text("SCALAR_LR = 0.5\n", "utf-8")
    yield _tried("a snapshot of a file", "passed", 0, field.integrity("snapshot", *_SNAPSHOT))
    yield _tried("a file that is as it was", "passed", 0, field.integrity("check", "train.json"))
    code.write_text("SCALAR_LR = 0.3\n", "utf-8")
    yield _tried("a file that drifted", "refused", 1, field.integrity("check", "train.json"))


_SNAPSHOT = (".", "--editable", "train.py", "--output", "train.json")


def _tried(name: str, wanted: Literal["refused", "passed"], code: int, answer: tuple[int, str]) -> Plant:
    got, said = answer
    return Plant(name, wanted, got == code, said if got == code else f"ended with {got}, not {code}: {said}")


def _guards(field: _Field) -> Iterator[Plant]:
    """Guards of a keep gate, as its settings are read from a file."""
    for kind, threshold in _NO_THRESHOLDS.items():
        said = _gate(threshold)
        name = f"a guard whose threshold is {kind}"
        yield Plant(name, "refused", said is not None, said or "was taken for a gate, and would have guarded nothing")
    said = _gate({"floor": 0.5})
    yield Plant("a guard with its threshold", "passed", said is None, said or "is a gate")


def _gate(threshold: Mapping[str, object]) -> str | None:
    """Why a gate with this guard is refused; None where it is not."""
    from trajscope.keep.settings import declared

    guard = {"metric": _GUARD, "within": [0, 1], **threshold}
    primary = {"name": "loss", "goal": "minimize", "within": [0, 100]}
    try:
        declared(
            {"primary": primary, "guards": [guard], "without": dict.fromkeys(("margins", "holdout"), "a self-test")}
        )
    except GateError as e:
        return str(e)
    return None


_GROUPS: Mapping[str, Callable[[_Field], Iterator[Plant]]] = {
    "proposals, asked by the command": _rails,
    "proposals, asked in this process": _own,
    "files that are declared": _files,
    "guards of a keep gate": _guards,
}


def _refused(name: str, said: Verdict, rule: str) -> Plant:
    held = said.level > Level.WARN and said.rule == rule
    return Plant(name, "refused", held, _said(said) if held else f"{_said(said)}, where {rule} had to refuse it")


def _passed(name: str, said: Verdict) -> Plant:
    return Plant(name, "passed", said.level <= Level.WARN, _said(said))


def _said(v: Verdict) -> str:
    return f"{v.rule}: {v.reason}"


def _proposals(menu: Menu) -> tuple[dict[str, object], Change, Change]:
    """A base, and two changes of it that the menu allows and that are not near each other."""
    config = {name: knob.default if knob.has_default else _values(knob)[0] for name, knob in menu.knobs.items()}
    base = {name: menu.change(name, value).value for name, value in config.items()}
    seen = Neighbours()
    found: list[Change] = []
    for name, value in ((n, v) for n, knob in menu.knobs.items() for v in _values(knob)):
        change = menu.change(name, value)
        fits = change.objection is None and change.text != menu.change(name, base[name]).text
        if fits and not menu.broken({**base, name: change.value}) and not seen.near(pair((change,))):
            seen.add(pair((change,)))
            found.append(change)
    if len(found) < 2:
        raise MenuError(f"{menu.source}: has no room for two different proposals; run the self-test without --menu")
    return base, found[0], found[-1]


def _values(knob: Knob) -> list[object]:
    """Some values that a knob may take."""
    if knob.choices:
        return list(knob.choices)
    if knob.range is not None:
        low, high = knob.range
        return [low, high] if knob.type == "float" else [int(low), int(high)]
    free: dict[str, list[object]] = {"bool": [False, True], "list": [[], [1]], "int": [1, 2], "float": [1.0, 2.0]}
    return free.get(knob.type, ["a", "b"])
