"""A domain is a folder: `domain.toml` declares it, its files are it. Read here, held to its form, made measurable.

    found = load("perturbation")        # one that comes with the loop
    found = load("my/domain")           # one's own

docs/domains.md explains the form. What is declared wrongly is a DomainError that names file, key and remedy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trajscope import Menu, TrajscopeError, load_menu
from trajscope.integrity import constants
from trajscope.keep import GateSettings, declared
from trajscope.rails import Edits, applied
from trajscope_loop import data, declaration
from trajscope_loop.bench import judge_of, numbers
from trajscope_loop.declaration import BUILT_IN, FILE
from trajscope_loop.edit import set_constants
from trajscope_loop.errors import DomainError
from trajscope_loop.seams import Config, Job, Tree
from trajscope_loop.tree import Folder, digest, plant, sha256
from trajscope_loop.untouched import Untouched

SEEDS, TIMEOUT_S = 5, 600.0

CODE = "code:"  # before the name of a knob that is an edit of code
_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*\Z")


def load(where: str | Path) -> FolderDomain:
    """The domain of this name, or of this folder."""
    place = Path(where)
    if not (place / FILE).is_file() and isinstance(where, str) and (BUILT_IN / where / FILE).is_file():
        place = BUILT_IN / where
    raw = declaration.tables(place / FILE)
    if raw.get("kind") == declaration.CODE:
        from trajscope_loop.domains.codeedit import CodeDomain

        return CodeDomain(place, raw)
    return FolderDomain(place, raw)


class FolderDomain:
    """A domain in a folder; `seams.Domain` says what each part is for."""

    def __init__(self, place: Path, raw: Mapping[str, Any]) -> None:
        self.place, self._raw, at = place, raw, place / FILE
        self.name: str = raw["name"]
        self.editable: Sequence[str] = declaration.names(raw["editable"], "editable", at)
        self.frozen: Sequence[str] = declaration.names(raw.get("frozen", []), "frozen", at)
        if both := sorted(set(self.editable) & set(self.frozen)):
            raise DomainError(f"{at}: {both[0]} is both editable and frozen; keep one")
        self.seeds = declaration.whole(raw.get("seeds", SEEDS), "seeds", at)
        self.timeout_s = declaration.above(raw.get("timeout_s", TIMEOUT_S), "timeout_s", at)
        self.memory_mb = declaration.whole(raw["memory_mb"], "memory_mb", at) if "memory_mb" in raw else None
        self.env = declaration.environment(raw.get("env", {}), at)
        self._run = declaration.steps(raw, (*self.editable, *self.frozen), self.frozen, at)
        self._start = {n: self._read(n) for n in self.editable}
        self._frozen = {n: self._read(n) for n in self.frozen}
        self._untouched: dict[str, Untouched[str]] = {}  # by the folder of the campaign
        self.program = self._beside(raw["program"]).decode("utf-8", "replace") if "program" in raw else ""
        self.menu: Menu | None = load_menu(place / raw["menu"]) if "menu" in raw else None
        self.constants = {k: self._constant(k) for k in self.menu.knobs} if self.menu else {}
        self.base: Config = self._base(at)
        self.gate: GateSettings = declared({**declaration.gate(raw), "n": self.seeds})
        self.metric: Mapping[str, Any] = {k: raw["metric"][k] for k in ("name", "goal", "unit") if k in raw["metric"]}
        self.metrics: Sequence[Mapping[str, Any]] = declaration.metrics(raw, self.gate, at)
        self.edits: Edits | None = self._edits(at)

    def workspace(self, folder: Path) -> Folder:
        """The agent's files in a campaign's folder, made there the first time."""
        found = Folder(folder, plant(self._start))
        self._rooted(found.root)
        return found

    def hashes(self, folder: Path) -> dict[str, str]:
        """Evaluator and data as they are now, on the disk; data are prepared here the first time."""
        self._shas(folder)
        evaluator = {n: sha256(self._read(n)) for n in self.frozen}
        known = self._untouched.setdefault(str(folder), Untouched(folder))
        return {"evaluator": digest(evaluator)[:16], "data": data.now(folder / "data", known)[:16]}

    def tree(self, parent: Tree, changes: Config, diff: str | None) -> Tree:
        """The candidate: the recorded parent with these changes; DomainError where they cannot be made."""
        files = dict(parent.files)
        before = self._said(files)
        if named := [k for k in changes if k.startswith(CODE)]:
            if diff is None:
                raise DomainError(f"{named[0]} is an edit of code and brings no diff; send the edit as `git diff`")
            changes = {k: v for k, v in changes.items() if k not in named}  # what they name is what the diff says
        if diff is not None:
            if self.edits is None:
                raise DomainError(f"{self.name}: its code may not be edited; propose changes of the menu")
            files = self._edited(files, diff)
        knobs = {k: self._knob(k) for k in changes}
        by_file: dict[str, dict[str, object]] = {}
        for knob, value in changes.items():
            constant = self.constants[knobs[knob]]
            by_file.setdefault(self._holder(files, constant), {})[constant] = value
        for name, values in by_file.items():
            files[name] = set_constants(files[name], values, name)
        if diff is not None:
            meant = {**before, **{self.constants[knobs[k]]: v for k, v in changes.items()}}
            now = self._said(files)
            if odd := next((c for c in meant if c not in now or now[c] != meant[c]), None):
                raise DomainError(
                    f"the edit sets {odd} to {now.get(odd, 'nothing that is certain')}; a knob of the menu is proposed "
                    "as a change, not inside a diff"
                )
        return plant(files)

    def job(self, folder: Path, tree: Tree, config: Config, seed: int, key: str) -> Job:
        """What an executor is given to measure one seed of a tree."""
        if missing := sorted(self._start.keys() - tree.files.keys()):
            raise DomainError(f"the candidate lacks {missing[0]}; an editable file may be changed, not taken away")
        files = {**tree.files, **self._frozen}
        train = self._run.get("train")
        return Job(
            key=key,
            seed=seed,
            files=files,
            shas={n: sha256(d) for n, d in files.items()},
            editable=sorted(tree.files),
            command=[train] if train else list(self._run["command"]),
            python=train is not None,
            prepare=self._run.get("prepare"),
            data=str((folder / "data").resolve()),
            data_shas=self._shas(folder),
            judge=self._run["judge"],
            wanted={k: config[k] for k in self.constants if k in config},
            constants=dict(self.constants),
            timeout_s=self.timeout_s,
            memory_mb=self.memory_mb,
            env=dict(self.env),
        )

    def degenerates(self, folder: Path) -> dict[str, dict[str, float]]:
        """What predictors score that ignore their input, measured by the judge; nothing of a holdout is in it."""
        name = self._run["judge"]
        judge = judge_of(self._frozen[name], name)
        known = getattr(judge, "degenerates", None)
        if known is None:
            return {}
        self._shas(folder)
        try:
            found = known(folder / "data" / "given", folder / "data" / "truth")
            return {str(k): numbers(v["metrics"], "metrics") for k, v in found.items()}
        except Exception as error:  # noqa: BLE001  # whatever a judge stumbles over
            raise DomainError(f"{name}: degenerates(given, truth) failed ({type(error).__name__}: {error})") from None

    # --- how the declaration is read ------------------------------------------------------------------------------

    def _shas(self, folder: Path) -> dict[str, str]:
        """What the data hash to, prepared once for a campaign."""
        place = folder / "data"
        found = data.known(place)
        if found is None:
            found = data.prepare(place, self._run.get("prepare"), self._frozen, env=self.env, memory_mb=self.memory_mb)
        return found

    def _read(self, name: str) -> bytes:
        """The bytes of a declared file."""
        return self._beside(name)

    def _beside(self, name: str) -> bytes:
        try:
            return (self.place / name).read_bytes()
        except OSError as error:
            raise DomainError(f"{self.place / name}: cannot be read ({error.strerror}); {FILE} names it") from None

    def _constant(self, knob: str) -> str:
        """The constant that says a knob: an alias in upper case, or else the knob's own name in upper case."""
        assert self.menu is not None
        named = next((a for a in self.menu.knobs[knob].aliases if _CONSTANT.match(a)), None)
        found = named or re.sub(r"\W", "_", knob).upper()
        if not _CONSTANT.match(found):
            raise DomainError(f"{self.place / self._raw['menu']}: no constant can be called {knob!r}; give it an alias")
        return found

    def _base(self, at: Path) -> dict[str, Any]:
        """The configuration that the editable files state, which the menu's defaults must agree with."""
        assert self.menu is None or self.constants
        out: dict[str, Any] = {}
        for knob, constant in self.constants.items():
            assert self.menu is not None
            stated = constants(self._start[self._holder(self._start, constant)])
            change = self.menu.change(knob, stated.get(constant))
            spec = self.menu.knobs[knob]
            if constant not in stated or change.objection:
                raise DomainError(f"{at}: {constant} is {change.text}, which knob {knob} does not take; correct one")
            if spec.has_default and self.menu.change(knob, spec.default).text != change.text:
                raise DomainError(
                    f"{at}: knob {knob} has the default {spec.default!r} and {constant} is {change.text}; make them one"
                )
            out[knob] = change.value
        return out

    def _holder(self, files: Mapping[str, bytes], constant: str) -> str:
        """The one editable file that states a constant."""
        have = [n for n in sorted(files) if n.endswith(".py") and re.search(rb"\b%s\b" % constant.encode(), files[n])]
        stating = [n for n in have if constant in constants(files[n])]
        if len(stating) != 1:
            where = " and ".join(stating) or "no editable file"
            raise DomainError(f"{where} states {constant}; one editable Python file states each knob, as a plain value")
        return stating[0]

    def _said(self, files: Mapping[str, bytes]) -> dict[str, object]:
        """What the files say of every knob's constant."""
        found = [constants(d) for n, d in files.items() if n.endswith(".py")]
        return {c: said[c] for c in self.constants.values() for said in found if c in said}

    def _knob(self, name: str) -> str:
        found = self.menu.find(name) if self.menu else None
        if found is None:
            raise DomainError(f"{self.name} has no knob {name}{declaration.nearest(name, list(self.constants))}")
        return found.name

    def _edited(self, files: Mapping[str, bytes], diff: str) -> dict[str, bytes]:
        try:
            texts = {n: d.decode("utf-8") for n, d in files.items()}
            return {n: t.encode() for n, t in applied(diff, texts).items()}
        except (TrajscopeError, ValueError) as error:
            raise DomainError(f"the edit cannot be made: {error}") from None

    def _rooted(self, root: Path) -> None:
        """Diffs are judged against the files that they are for, so that rails can say what comes out."""
        if self.edits is not None:
            self.edits = rooted(self.edits, root)

    def _edits(self, at: Path) -> Edits | None:
        if "edits" not in self._raw:
            return None
        said = self._raw["edits"]
        secret = (*self.frozen, "truth/", *said.get("secret", ()))
        return Edits(
            allowed=tuple(self.editable),
            protected=declaration.protected(self._raw, self.editable, at),
            secret=secret,
            permits=tuple(said.get("permits", ())),
        )


def rooted(edits: Edits, root: Path) -> Edits:
    """Edits that are held to the files of a folder."""
    return replace(edits, root=root)
