"""How a domain is declared: every key of `domain.toml` known, of its type, and worth something.

Knows the form, not the files that it names.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from trajscope.keep import GateSettings, Guard, Holdout, Margin, Metric, Speed
from trajscope.rails import Protected
from trajscope_loop.crashes import secret
from trajscope_loop.errors import DomainError
from trajscope_loop.tree import plant

FILE = "domain.toml"
BUILT_IN = Path(__file__).with_name("domains")

CODE = "codeedit"  # the kind of a domain that is a repository

_TOP: Mapping[str, type | tuple[type, ...]] = {
    "kind": str,
    "repo": dict,
    "prints": dict,
    "name": str,
    "editable": list,
    "frozen": list,
    "menu": str,
    "program": str,
    "seeds": int,
    "timeout_s": (int, float),
    "memory_mb": int,
    "run": dict,
    "env": dict,
    "edits": dict,
    "metric": dict,
    "metrics": list,
    "gate": dict,
}
_RUN: Mapping[str, type | tuple[type, ...]] = {"prepare": str, "train": str, "command": list, "judge": str}
_REPO: Mapping[str, type | tuple[type, ...]] = {"path": str, "commit": str, "outside": list}
_PRINTS: Mapping[str, type | tuple[type, ...]] = {"form": str, "patterns": dict, "memory": str}
_EDITS: Mapping[str, type | tuple[type, ...]] = {"permits": list, "secret": list, "protected": list}
_METRIC: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "goal": str,
    "unit": str,
    "within": list,
    "kind": str,
}
_MORE: Mapping[str, type | tuple[type, ...]] = {"name": str, "role": str, "goal": str, "unit": str}
_ROLES = ("monitor", "diagnostic")
_GATE = {"guards": Guard, "margins": Margin, "holdout": Holdout, "speed": Speed}


def built_in() -> list[str]:
    """The names of the domains that come with the loop as folders."""
    return sorted(p.parent.name for p in BUILT_IN.glob(f"*/{FILE}"))


def tables(path: Path) -> dict[str, Any]:
    """What a declaration says, every key known and of its type."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        have = ", ".join(built_in())
        raise DomainError(f"{path}: there is none; name a folder that holds one, or one of {have}") from None
    except (OSError, ValueError) as error:
        raise DomainError(f"{path}: cannot be read ({error}); correct it") from None
    _known(raw, _TOP, path, "")
    _kind(raw, path)
    for name in ("name", "editable", "run", "metric", "gate"):
        if not raw.get(name):
            raise DomainError(f"{path}: says no `{name}`; docs/domains.md shows a whole one")
    tables = (("run", _RUN), ("edits", _EDITS), ("metric", _METRIC), ("repo", _REPO), ("prints", _PRINTS))
    for table, keys in tables:
        _known(raw.get(table, {}), keys, path, f"{table}.")
    for more in raw.get("metrics", []):
        if not isinstance(more, dict):
            raise DomainError(f"{path}: `metrics` is a list of tables; write [[metrics]]")
        _known(more, _MORE, path, "metrics.")
    _known_fields(raw["gate"], [f for f in GateSettings.__struct_fields__ if f not in ("primary", "n")], path, "gate.")
    for name, kind in _GATE.items():
        held = raw["gate"].get(name, [])
        for one in held if isinstance(held, list) else [held]:
            if not isinstance(one, dict):
                raise DomainError(f"{path}: `gate.{name}` is no table; write [gate.{name}] or [[gate.{name}]]")
            _known_fields(one, kind.__struct_fields__, path, f"gate.{name}.")
    return raw


def _kind(raw: Mapping[str, Any], path: Path) -> None:
    """A folder, or a repository with what belongs to one."""
    if raw.get("kind", "folder") not in ("folder", CODE):
        raise DomainError(f"{path}: `kind` is {raw['kind']!r}; it is {CODE}, or left out for a folder of its own")
    if raw.get("kind") != CODE and (odd := next((t for t in ("repo", "prints") if t in raw), None)):
        raise DomainError(f'{path}: [{odd}] belongs to a repository; say kind = "{CODE}", or drop it')


def gate(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The keep gate of a declaration, as `trajscope.keep.declared` reads it."""
    primary = {k: v for k, v in raw["metric"].items() if k in Metric.__struct_fields__}
    return {"primary": primary, **raw["gate"]}


def protected(raw: Mapping[str, Any], files: Collection[str], at: Path) -> tuple[Protected, ...]:
    """The passages of editable files that only a person may change."""
    out = []
    for one in raw["edits"].get("protected", ()):
        if not isinstance(one, dict):
            raise DomainError(f"{at}: `edits.protected` is a list of tables; write [[edits.protected]]")
        _known_fields(one, Protected._fields, at, "edits.protected.")
        for key, value in one.items():
            kind = int if key in ("first", "last") else str
            if type(value) is not kind:
                raise DomainError(f"{at}: `edits.protected.{key}` is {value!r}; it is a {kind.__name__}")
        if one.get("path") not in files:
            raise DomainError(f"{at}: `edits.protected.path` is {one.get('path')!r}, which is not editable")
        found = Protected(**{"reason": "", **one})
        if fault := found.fault():
            raise DomainError(f"{at}: `edits.protected`: {found.path} {fault}")
        out.append(found)
    return tuple(out)


def steps(raw: Mapping[str, Any], files: Collection[str], frozen: Collection[str], at: Path) -> dict[str, Any]:
    """What is run: one of a Python script and any program, and the judge, of files that are declared."""
    run: dict[str, Any] = dict(raw["run"])
    if ("train" in run) == ("command" in run):
        raise DomainError(f"{at}: [run] says `train` (a Python script) or `command` (any program), one of them")
    if "judge" not in run:
        raise DomainError(f"{at}: [run] says no `judge`; without one nobody scores what training predicts")
    for name in ("prepare", "judge"):
        if name in run and run[name] not in frozen:
            raise DomainError(f"{at}: run.{name} is {run[name]}, which is not frozen; add it to `frozen`")
    if "train" in run and run["train"] not in files:
        raise DomainError(f"{at}: run.train is {run['train']}, which is not declared; add it to `editable`")
    if "command" in run and not (run["command"] and all(isinstance(x, str) for x in run["command"])):
        raise DomainError(f"{at}: run.command is a list of texts, the program first")
    return run


def metrics(raw: Mapping[str, Any], gate: GateSettings, at: Path) -> list[dict[str, Any]]:
    """Every metric with its role: those that the gate looks at, and those that are only told."""
    primary = {k: raw["metric"][k] for k in ("name", "goal", "unit") if k in raw["metric"]}
    out: list[dict[str, Any]] = [{**primary, "role": "primary"}]
    for g in gate.guards:
        goal = "maximize" if g.sign > 0 else "minimize"
        out.append({"name": g.metric, "role": "guard", "goal": goal, g.side: g.bound})
    guarded = {m["name"] for m in out}
    out += [{"name": m.metric, "role": "diagnostic", "goal": m.goal} for m in gate.margins if m.metric not in guarded]
    if gate.holdout:
        out.append({"name": gate.holdout.metric, "role": "holdout", "goal": gate.holdout.goal})
    for more in raw.get("metrics", []):
        name = more.get("name")
        if more.get("role") not in _ROLES or more.get("goal") not in ("minimize", "maximize"):
            raise DomainError(
                f"{at}: metric {name!r} needs a goal (minimize, maximize) and a role ({', '.join(_ROLES)}); guards, "
                "margins and the holdout stand in [gate]"
            )
        if not name or name in {m["name"] for m in out}:
            raise DomainError(f"{at}: metric {name!r} has no name of its own")
        out.append(dict(more))
    return out


def _known(table: object, keys: Mapping[str, type | tuple[type, ...]], path: Path, above: str) -> None:
    assert isinstance(table, dict)
    _known_fields(table, list(keys), path, above)
    for key, value in table.items():
        if not isinstance(value, keys[key]) or isinstance(value, bool):
            kinds = keys[key] if isinstance(keys[key], tuple) else (keys[key],)
            words = " or ".join({"str": "text", "dict": "table"}.get(k.__name__, k.__name__) for k in kinds)  # type: ignore[union-attr]  # a tuple by now
            raise DomainError(f"{path}: `{above}{key}` is {value!r}; it is a {words}")


def _known_fields(table: Mapping[str, Any], keys: Collection[str], path: Path, above: str) -> None:
    for key in table:
        if key not in keys:
            raise DomainError(f"{path}: `{above}{key}` is unknown{nearest(key, list(keys))}")


def nearest(name: str, known: Sequence[str]) -> str:
    """What to add to an error about an unknown name: the nearest that is known, or all."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else f"; there are {', '.join(known)}"


def names(found: object, what: str, at: Path) -> tuple[str, ...]:
    """A list of plain paths, each once."""
    if not isinstance(found, list) or not all(isinstance(x, str) and x for x in found) or len(set(found)) < len(found):
        raise DomainError(f"{at}: `{what}` is a list of paths, each once")
    plant({str(x): b"" for x in found})
    if odd := next((x for x in found if set(x) & set("*?[")), None):
        raise DomainError(f"{at}: `{what}` holds the pattern {odd}; name the files")
    return tuple(found)


def whole(value: object, what: str, at: Path) -> int:
    """A whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise DomainError(f"{at}: `{what}` is {value!r}; give a whole number above 0")
    return value


def above(value: object, what: str, at: Path) -> float:
    """A number of seconds above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e7:
        raise DomainError(f"{at}: `{what}` is {value!r}; give a number of seconds above 0")
    return float(value)


def environment(found: Mapping[str, Any], at: Path) -> dict[str, str]:
    """What training gets of an environment, which is no key."""
    for name, value in found.items():
        if not isinstance(value, str):
            raise DomainError(f"{at}: `env.{name}` is {value!r}; the environment holds texts")
        if secret(name):
            raise DomainError(f"{at}: `env.{name}` looks like a key; training is given none")
    return dict(found)
