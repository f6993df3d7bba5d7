"""Command: any program proposes. What it may know comes on stdin, its proposal is what it prints.

With `edits` it works on a copy of the files that may be edited, as a coding agent does, and the diff is taken by us.
The program gets the variables that are named for it and no key besides. No sandbox: it may read what its user can.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from trajscope_loop import confine
from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers import keys, rewrite
from trajscope_loop.proposers.model import count, money, number, one_of, seen
from trajscope_loop.proposers.prompt import built
from trajscope_loop.seams import Said, View

PASSED = "PATH HOME USER LOGNAME SHELL LANG LC_ALL LC_CTYPE TERM TZ TMPDIR SSL_CERT_FILE SSL_CERT_DIR".split()
INPUTS = ("json", "prompt")
MOST = 600_000  # bytes kept of either end of an output: more than a proposal may have
SAID = 600  # letters of an error output that a sentence quotes
JUNK = ("__pycache__", "node_modules")
WORK = """\
You work in a copy of the files that may be edited. Change them as you see fit; whatever differs when you are done is
your proposal, so leave nothing behind that is no part of it. Do not run the campaign. End by printing one JSON object
and nothing else: {"reason": TEXT}, which says in one or two sentences what you expect and why."""
_TOLD = ("proposal", "model", "tokens_in", "tokens_out", "tokens_cached", "usd", "request")


class Command:
    """Runs a program for each proposal; when that is over, nothing of it is left running."""

    def __init__(
        self,
        *,
        command: str | Sequence[str],
        k: int | str | None = "all",
        denies: bool = False,
        offers: bool = False,
        edits: bool = False,
        beside: str | None = None,
        stdin: str = "json",
        env: Sequence[str] = (),
        timeout_s: float = 600.0,
    ) -> None:
        self.command = _words(command)
        self.history, self.denies, self.offers = seen(k), bool(denies), bool(offers)
        self.edits, self.stdin = bool(edits), one_of("stdin", stdin, INPUTS)
        self.timeout_s = float(number("timeout_s", timeout_s, 0.01, 86_400))
        if isinstance(env, str) or any(not n or "=" in n for n in map(str, env)):
            raise ProposerError('env names variables and holds no values; write env = ["ANTHROPIC_API_KEY"]')
        self.env = tuple(env)
        for name in self.env:
            keys.found(name, "the command proposer")
        if beside is not None and not self.edits:
            raise ProposerError("beside goes with edits: it is what the program sees beside the files it edits")
        if beside is not None and not Path(beside).is_dir():
            raise ProposerError(f"{beside}: is no folder; name one by beside, or leave it out")
        self.beside = None if beside is None else Path(beside).resolve()

    def header(self) -> dict[str, Any]:
        """What is run, and what it is shown; of its environment the names."""
        return {
            "kind": "command",
            "model": None,
            "command": self.command,
            "history": "all" if self.history is None else self.history,
            "denies": self.denies,
            "offers": self.offers,
            "temperature": None,
            "edits": self.edits,
            "beside": None if self.beside is None else str(self.beside),
            "stdin": self.stdin,
            "env": list(self.env),
            "timeout_s": self.timeout_s,
        }

    def propose(self, view: View) -> Said:
        """What the program proposes, or a ProposerError in one line."""
        if self.edits and not view.files:
            raise ProposerError("command: the domain lets no code be edited; leave edits out, or declare what may be")
        shown = self._shown(view)
        began = perf_counter()
        with tempfile.TemporaryDirectory(prefix="proposal-") as name:
            place, said = Path(name) / "files", Path(name) / "stdin"
            place.mkdir()
            if self.edits:
                self._lay_out(place, view)
            before = _texts(place)
            said.write_text(shown, "utf-8")
            ended = self._run(said, place if self.edits else Path.cwd())
            after = _texts(place)
        given = [os.environ[n].strip() for n in self.env if n in os.environ]
        out = keys.redacted(ended.out.decode("utf-8", "replace"), given).strip()
        self._check(ended, out, given)
        told = _told(out)
        proposal = told.get("proposal", out)
        if self.edits:
            old, new = ({n: keys.redacted(t, given) for n, t in texts.items()} for texts in (before, after))
            proposal = _edited(proposal, old, new)
        return Said(
            proposal,
            shown,
            model=str(told["model"]) if told.get("model") else None,
            tokens_in=count(told.get("tokens_in")),
            tokens_out=count(told.get("tokens_out")),
            tokens_cached=count(told.get("tokens_cached")),
            usd=money(told.get("usd")),
            wall_s=perf_counter() - began,
            request=str(told["request"]) if told.get("request") else None,
        )

    def _shown(self, view: View) -> str:
        """What the program reads."""
        prompt = built(view, whole=self.history is None, rules=WORK if self.edits else None)
        if self.stdin == "prompt":
            return f"{prompt.system}\n\n{prompt.user}"
        out = view._asdict()
        out["menu"] = None if view.menu is None else view.menu.to_json()
        out["base"], out["files"] = dict(view.base), dict(view.files)
        out["past"] = [{**p._asdict(), "metrics": dict(p.metrics)} for p in view.past]
        out["refusals"] = [
            {"proposal": label, "rule": v.rule, "reason": v.reason, "alternatives": list(v.alternatives)}
            for v, label in zip(view.refusals, view.refused, strict=True)
        ]
        del out["refused"]
        return keys.redacted(json.dumps({**out, "prompt": f"{prompt.system}\n\n{prompt.user}"}, default=str))

    def _lay_out(self, place: Path, view: View) -> None:
        """The files that may be edited, as they stand, in what lies beside them."""
        if self.beside is not None:
            shutil.copytree(self.beside, place, symlinks=True, dirs_exist_ok=True, ignore=_ignored)
        for name, text in view.files.items():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)  # a link would lead out of the copy
            file.write_bytes(text.encode("utf-8"))

    def _run(self, said: Path, cwd: Path) -> confine.Ended:
        env = {n: os.environ[n] for n in (*PASSED, *self.env) if n in os.environ}
        with said.open("rb") as stdin:
            return confine.run(self.command, cwd=cwd, env=env, timeout_s=self.timeout_s, stdin=stdin, shown=MOST)

    def _check(self, ended: confine.Ended, out: str, given: Sequence[str]) -> None:
        """Refuse what a program that failed has printed."""
        words = keys.redacted(ended.err.decode("utf-8", "replace"), given, sentence=True)
        line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
        err = f": {line[-SAID:]}" if line else ", and its error output is empty"
        name = Path(self.command[0]).name
        if ended.timed_out:
            raise ProposerError(f"command ({name}): was not done within {self.timeout_s:g} s and was ended{err}")
        if ended.code != 0:
            how = "ended in a way nobody saw" if ended.code is None else f"ended with {ended.code}"
            raise ProposerError(f"command ({name}): {how}{err}")
        if not out and not self.edits:
            raise ProposerError(f"command ({name}): printed no proposal{err}")


def _words(command: str | Sequence[str]) -> list[str]:
    """The command as words; a program that is named by a path is found from wherever it is run."""
    try:
        words = shlex.split(command) if isinstance(command, str) else list(map(str, command))
    except ValueError as error:
        raise ProposerError(f"command cannot be taken apart ({error}); write it as a list of words") from None
    if not words or any("\0" in w for w in words):
        raise ProposerError("command is empty or holds what is no word; write the program and its arguments")
    if any(keys.redacted(w, sentence=True) != w for w in words):
        raise ProposerError("command holds a key, and it is recorded; put the key into the environment, named by env")
    if os.sep in words[0]:
        words[0] = str(Path(words[0]).absolute())
    if shutil.which(words[0]) is None:
        raise ProposerError(f"command: {words[0]} is no program that can be run; install it, or correct its name")
    return words


def _told(out: str) -> dict[str, Any]:
    """What a program says beside its proposal, if it wraps it: model, tokens, money."""
    try:
        found = json.loads(out)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and "proposal" in found and found.keys() <= set(_TOLD) else {}


def _edited(said: object, before: Mapping[str, str], after: Mapping[str, str]) -> object:
    """The proposal that the changed files are; the reason is what the program printed."""
    change = rewrite.diff(before, after)
    if not change:
        return f"(no file was changed) {said if isinstance(said, str) else json.dumps(said)}"
    found = said
    if isinstance(said, str):
        try:
            found = json.loads(said)
        except (ValueError, RecursionError):
            found = {"reason": said[-1_000:]} if said else {}
    return rewrite.coded(found if isinstance(found, dict) else {"reason": str(said)[:1_000]}, change)


def _texts(place: Path) -> dict[str, str]:
    """Every file of a folder as text. A link is told by its target; what no editor of code leaves is passed over."""
    out = {}
    for path in _files(place):
        name = path.relative_to(place).as_posix()
        if path.is_symlink():
            out[name] = f"link to {path.readlink()}\n"
        else:
            out[name] = path.read_bytes().decode("utf-8", "backslashreplace")
    return out


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _ignored(str(folder), [path.name]):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.is_symlink() or path.is_file():
            yield path


def _ignored(folder: str, names: list[str]) -> set[str]:
    """Hidden files and folders, and what programs leave behind by themselves."""
    return {n for n in names if n.startswith(".") or n in JUNK or n.endswith(".pyc")}
