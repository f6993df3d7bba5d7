"""The judge: which cases reach their skill, and what is wrong with the files that no score shows.

A query that triggers nothing, or two skills alike, counts as missed and is never left out. What is found in the files
is compared with the files of the start: a case that passed must pass, a passage that asks or confirms must stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from trajscope.integrity import removed_passages

FLOOR = 0.085  # a score below it triggers nothing; set by hand, so that small talk does not
TIE = 1e-6
ALIKE = 0.35  # two descriptions that share more are one scope; at the start the nearest two share .19
TOOLS = "allowed-tools"

_LINK = re.compile(r"\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?[^)\n]*\)")
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?:\.{0,2}/)?(?:skills|references)/[\w./-]+(?:#[\w-]+)?")
_FENCED = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.*?)[ \t]*#*$", re.MULTILINE)
_SKILL = re.compile(r"\b(?:the|use|see|run) `([a-z][a-z0-9-]*)` skill\b|\bskill `([a-z][a-z0-9-]*)`", re.IGNORECASE)

Skills = Mapping[str, Mapping[str, Any]]  # as route.py reads them, by path
Routes = Mapping[str, Sequence[Mapping[str, float]]]


class Finding(NamedTuple):
    """One thing that is wrong with a file, and where."""

    kind: str  # malformed, dead_reference, lost_tool, overlap, case_lost, passage_lost
    path: str
    why: str


def judge(out: Path, truth: Path) -> dict[str, dict[str, float]]:
    """The metrics of the visible cases, and of the holdout that of another kind."""
    routes, skills = (_left(out / f"{name}.json") for name in ("routes", "skills"))
    return scores(skills, routes, json.loads((truth / "truth.json").read_text("utf-8")))


def degenerates(given: Path, truth: Path) -> dict[str, dict[str, dict[str, float]]]:
    """What folders score that were never thought about; the gate must stop each of them."""
    return thoughtless(json.loads((truth / "truth.json").read_text("utf-8")))


def thoughtless(known: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """The scores of empty files, of descriptions that hold every word, and of one that takes every query."""
    start: Skills = known["start"]
    first = min(start)
    every = " ".join(s["front"]["description"] for s in start.values())
    empty = {path: {"front": None, "body": "", "text": ""} for path in start}
    stuffed = {p: {**s, "front": {**s["front"], "name": "x", "description": every}} for p, s in start.items()}
    routed = {
        "empty": (empty, dict.fromkeys(start, 0.0)),
        "every_word": (stuffed, dict.fromkeys(start, 1.0)),
        "one_for_all": (empty, {**dict.fromkeys(start, 0.0), first: 1.0}),
    }
    return {name: scores(s, {q: [answer] for q in known["wanted"]}, known) for name, (s, answer) in routed.items()}


def scores(skills: Skills, routes: Routes, known: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Every metric of a folder of skills."""
    wanted: Mapping[str, str | None] = known["wanted"]
    if missing := sorted(set(wanted) - routes.keys()):
        raise ValueError(f"{missing[0]} was not routed; every case is")
    seen = [q for q in wanted if q.startswith("visible/")]
    plain = [q for q in seen if "/plain/" in q]
    hidden = [q for q in wanted if q.startswith("holdout/") and wanted[q] is not None]
    found = findings(skills, routes, known)
    count = {kind: float(sum(f.kind == kind for f in found)) for kind in KINDS}
    words = sum(len(s["text"].split()) for s in skills.values())
    return {
        "metrics": {
            "triggered": _mean([_mean([chosen(s) == wanted[q] for s in routes[q]]) for q in seen]),
            "fixed": _mean([chosen(routes[q][0]) == wanted[q] for q in seen]),
            "plain": _mean([chosen(routes[q][0]) == wanted[q] for q in plain]),
            "findings": sum(count[kind] for kind in KINDS if kind not in ("case_lost", "passage_lost")),
            **count,
            "words": float(words),
        },
        "holdout": {"holdout_rank": _mean([_rank(routes[q][0], wanted[q]) for q in hidden])},
    }


def chosen(scores: Mapping[str, float]) -> str | None:
    """The skill that a query triggers; none where nothing is near, or two are alike."""
    best = max(scores.values(), default=0.0)
    first = [path for path, score in scores.items() if score >= best - TIE]
    return first[0] if best >= FLOOR and len(first) == 1 else None


def _rank(scores: Mapping[str, float], right: str | None) -> float:
    """One over the place of the right skill; who shares a place has the last of it, and nothing in common is none."""
    own = scores.get(right or "", 0.0)
    return 1 / sum(score >= own - TIE for score in scores.values()) if own > 0 else 0.0


# --- what is wrong with the files ----------------------------------------------------------------------------------


def findings(skills: Skills, routes: Routes, known: Mapping[str, Any]) -> list[Finding]:
    """Everything that is wrong with a folder of skills, or worse than at its start."""
    out: list[Finding] = []
    for path, skill in sorted(skills.items()):
        if faults := malformed(path, skill):
            out += faults
        else:
            out += [*dead_references(path, skill, skills, known), *lost_tools(path, skill, known)]
    out += overlaps(skills)
    out += lost_cases(routes, known)
    for path, skill in sorted(known["start"].items()):
        now = skills[path]["text"] if path in skills else ""
        for gone in removed_passages(skill["text"], now):
            instead = f", now: {gone.now}" if gone.now else ""
            out.append(Finding("passage_lost", path, f"line {gone.line} {gone.kind}: {gone.text}{instead}"))
    return out


def malformed(path: str, skill: Mapping[str, Any]) -> list[Finding]:
    """Settings that are missing, or say another name than the file."""
    front = skill["front"]
    if front is None:
        return [Finding("malformed", path, "has no settings between two lines of --- at its top")]
    out = [Finding("malformed", path, f"says no {key}") for key in ("name", "description") if not front.get(key)]
    if front.get("name") and front["name"] != PurePosixPath(path).stem:
        out.append(Finding("malformed", path, f"calls itself {front['name']}"))
    return out


def dead_references(path: str, skill: Mapping[str, Any], skills: Skills, known: Mapping[str, Any]) -> list[Finding]:
    """Files, headings, skills and tools that are named and do not exist. Addresses on the web are not looked at."""
    body = _FENCED.sub("", skill["body"])
    anchors = {**known["anchors"], **{p: headings(s["body"]) for p, s in skills.items()}}
    named = [*_LINK.findall(body), *(t for c in _CODE.findall(body) for t in _PATH.findall(c))]
    named += _listed(skill["front"].get("references", ""))
    dead = []
    for target in dict.fromkeys(named):
        file, _, anchor = target.partition("#")
        file = file.removeprefix("./").removeprefix("../") or path
        if "://" in target or target.startswith("mailto:"):
            continue
        if file not in anchors:
            dead.append(f"{target}: there is no such file")
        elif anchor and anchor not in anchors[file]:
            dead.append(f"{target}: {file} has no such heading")
    names = {PurePosixPath(p).stem for p in skills}
    dead += [f"{n}: there is no such skill" for pair in _SKILL.findall(body) for n in pair if n and n not in names]
    dead += [f"{tool}: there is no such tool" for tool in tools(skill) if tool not in known["tools"]]
    return [Finding("dead_reference", path, why) for why in dead]


def lost_tools(path: str, skill: Mapping[str, Any], known: Mapping[str, Any]) -> list[Finding]:
    """Tools that the text tells to use, or that its cases need, and that it is not allowed."""
    have = tools(skill)
    used = [c for c in _CODE.findall(skill["body"]) if c in known["tools"]]
    lost = {t: "the text uses it" for t in used if t not in have}
    lost |= {t: "its cases need it" for t in known["needs"].get(path, ()) if t not in have and t not in lost}
    return [Finding("lost_tool", path, f"{tool} is not allowed any more, and {why}") for tool, why in lost.items()]


def overlaps(skills: Skills) -> list[Finding]:
    """Pairs of descriptions that say the same: which of the two is triggered is chance."""
    said = {p: _words(s["front"].get("description", "")) for p, s in sorted(skills.items()) if s["front"]}
    return [
        Finding("overlap", b, f"its description is that of {a} ({share:.0%} of the words)")
        for a, b in combinations(said, 2)
        if (share := _shared(said[a], said[b])) > ALIKE
    ]


def lost_cases(routes: Routes, known: Mapping[str, Any]) -> list[Finding]:
    """Fixed cases that passed at the start and do not now."""
    out = []
    for case in known["passing"]:
        found, right = chosen(routes[case][0]), known["wanted"][case]
        if found != right:
            said = known["queries"][case]
            out.append(Finding("case_lost", right or "", f"{said!r} triggers {found or 'nothing'}"))
    return out


KINDS = ("malformed", "dead_reference", "lost_tool", "overlap", "case_lost", "passage_lost")


def headings(body: str) -> list[str]:
    """The anchors of a text, as a link names them; a second heading of the same words has a number."""
    out: list[str] = []
    for title in _HEADING.findall(_FENCED.sub("", body)):
        plain = re.sub(r"[^\w\- ]", "", title.casefold()).replace(" ", "-")
        again = sum(a == plain or re.fullmatch(re.escape(plain) + r"-\d+", a) is not None for a in out)
        out.append(f"{plain}-{again}" if again else plain)
    return out


def tools(skill: Mapping[str, Any]) -> list[str]:
    """The tools that a skill is allowed, without what each may be used for."""
    return [t.partition("(")[0].strip() for t in _listed((skill["front"] or {}).get(TOOLS, ""))]


def _listed(value: str) -> list[str]:
    return [v for v in re.split(r"[\s,\[\]\"']+(?![^(]*\))", value) if v]


def _words(text: str) -> frozenset[str]:
    return frozenset(w for w in re.findall(r"[a-z0-9]+", text.casefold()) if len(w) > 2) - {"and", "the", "for"}


def _shared(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _left(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"{path.name} was not written; route.py writes it")
    return json.loads(path.read_text("utf-8"))
