"""Build: a corpus in a folder of its own, whole or not at all, and the same bytes for the same runs.

The gate is asked first. Where it refuses nothing is written, unless somebody says why it should be; that stands in the
manifest and at the top of the card.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trajscope import pipeline
from trajscope.blobs import sync_folder
from trajscope.corpus import card, manifest
from trajscope.corpus import policy as policies
from trajscope.corpus.counts import Leaders
from trajscope.corpus.examples import Example, Examples
from trajscope.corpus.gating import Gate, asked
from trajscope.corpus.manifest import Print
from trajscope.corpus.rows import TABLES, Facts, Pairing, Row, Table, shown
from trajscope.corpus.split import Side, Split, plan
from trajscope.corpus.tables import CAP, SIDES, Waiting, Weights, Written
from trajscope.errors import CorpusError, RefusedError, SourceError
from trajscope.readers import Source

BALANCE = 0.5
MOST = 10  # labels that the card names


@dataclass(frozen=True, slots=True)
class Built:
    """A corpus that was written."""

    folder: Path
    sha256: str  # of the manifest, which holds the hashes of everything else
    manifest: Mapping[str, Any]
    gate: Gate

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each table, both sides."""
        return {name: sum(side["rows"] for side in said.values()) for name, said in self.manifest["tables"].items()}


class _Input(NamedTuple):
    """One file, and what it held before anything was read."""

    source: Source
    reader: str | None
    print: Print


def build(
    named: Sequence[tuple[Source, str | None]],
    out: str | Path,
    *,
    policy: str | Path = "default",
    split: str = "auto",
    embargo: int | None = None,
    accept: str | None = None,
    balance: float = BALANCE,
) -> Built:
    """Write a corpus into a new folder, where the gate lets it or `accept` says why it should be all the same."""
    folder = Path(out)
    _free(folder)
    if accept is not None and not accept.strip():
        raise CorpusError("--accept: the reason is empty; say why this is built although the gate refuses")
    if not 0 <= balance <= 1:
        raise CorpusError(f"--balance {balance:g}: is not between 0 (labels equal) and 1 (as they are)")
    name, thresholds = policies.load(policy)
    inputs = _in_order(named)
    examples = Examples([(x.source, x.reader) for x in inputs])
    answer = asked(examples, name, thresholds, split=split, embargo=embargo)
    if not answer.passed and accept is None:
        raise refused(answer, folder)
    how = plan(examples, split, embargo)
    with _folder(folder) as work, contextlib.closing(_Making(examples, how, work)) as made:
        made.walk()
        _unchanged(inputs)
        made.write(balance)
        said = {
            **_made_of(inputs, examples),
            "schema": manifest.SCHEMA,
            "made_with": {"trajscope": _version("trajscope"), "polars": _version("polars")},
            "policy": {"name": name, "thresholds": msgspec.to_builtins(thresholds)},
            "gate": _told(answer),
            "accepted": None if answer.passed or accept is None else accept.strip(),
            "settings": {"split": split, "embargo": embargo, "balance": balance, "cap": CAP},
            "split": {"kind": how.kind, "name": how.name, "embargo": how.embargo},
            **made.said(),
        }
        said["files"] = {w.name: {"rows": w.rows, "bytes": w.bytes, "sha256": w.sha256} for w in made.written}
        page = card.card(said).encode()
        _put(work / manifest.CARD, page)
        said["files"][manifest.CARD] = {"rows": None, **manifest.fingerprint(work / manifest.CARD)._asdict()}
        _put(work / manifest.NAME, manifest.text(said).encode())
        whole = manifest.fingerprint(work / manifest.NAME)
    return Built(folder, whole.sha256, said, answer)


def refused(answer: Gate, folder: Path) -> RefusedError:
    """What is raised where the gate does not let a corpus be built."""
    bad = [c.name for c in (*answer.of("fail"), *answer.of("insufficient"))]
    more = f" and {len(bad) - 4} more" if len(bad) > 4 else ""
    why = f"the gate says {answer.outcome} ({', '.join(bad[:4])}{more}; policy {answer.policy})"
    found = RefusedError(f"{folder}: not built, {why}; mend that, or give --accept REASON to have it on record")
    found.gate = answer
    return found


class _Making:
    """One walk over the examples into tables, each trial into its place or counted with why not."""

    def __init__(self, examples: Examples, how: Split, work: Path) -> None:
        self.examples, self.how, self.work = examples, how, work
        self.facts = Facts(examples)
        self.dropped: Counter[str] = Counter()
        self.sides: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()  # of the rows of each side
        self.trials = 0
        self.written: list[Written] = []
        self.weights: dict[str, Weights] = {}
        self._waiting = {(t, s): Waiting(work, t, s) for t in TABLES for s in SIDES}
        self._pairing = {s: Pairing(self.facts) for s in SIDES}
        self._met = bytearray(len(examples.elsewhere))  # configurations that several runs of a campaign evaluated
        self._labels = array("I", bytes(4 * len(examples.labels)))  # rows of each
        self._leaders = Leaders(MOST)

    def walk(self) -> None:
        """Every example once."""
        for e in self.examples:
            self.trials += 1
            side = self._place(e)
            if side is not None:
                self._take(e, side)
        for at, pairing in self._pairing.items():
            for row in pairing.close():
                self._add("pairs", at, row)
        if not self.sides:
            why = ", ".join(f"{n:,} {x}" for x, n in self.dropped.most_common(4))
            raise CorpusError(f"nothing is left to learn from of {self.trials:,} trials ({why or 'there are none'})")

    def write(self, balance: float) -> None:
        """The tables, the train side of each weighted."""
        for (table, side), rows in self._waiting.items():
            found = rows.weights(balance) if side == "train" else None
            if found is not None:
                self.weights[table] = found[1]
            self.written += rows.write(self.work, found[0] if found is not None else None)

    def close(self) -> None:
        """Nothing more comes; what could not be written is told already."""
        for rows in self._waiting.values():
            with contextlib.suppress(OSError):
                rows.close()

    def said(self) -> dict[str, Any]:
        """What was made of the trials, in numbers."""
        tables: dict[Table, dict[str, Any]] = {t: {} for t in TABLES}
        for (table, side), rows in self._waiting.items():
            tables[table][side] = {"rows": rows.rows, "left_out": dict(sorted(rows.left_out.items()))}
        return {
            "trials": {
                "all": self.trials,
                **{side: self.sides[side] for side in SIDES},
                "dropped": dict(sorted(self.dropped.items())),
            },
            "verdicts": {side: {v: self.verdicts[f"{side} {v}"] for v in ("kept", "reverted")} for side in SIDES},
            "labels": {
                "different": len(self._labels) - self._labels.count(0),
                "most": [{"label": label, "rows": n} for _, label, n in self._leaders.all()],
            },
            "tables": tables,
            "weights": {table: found._asdict() for table, found in self.weights.items()},
        }

    def _place(self, e: Example) -> Side | None:
        """Its side, or a reason to drop it that is counted."""
        why: str | None = e.drop or ("outside_menu" if e.outside else None)
        side: Side | None = None
        if why is None and (met := self.examples.elsewhere.find(e.run, e.config)) is not None:
            why = "repeat_elsewhere" if self._met[met.number] else None
            self._met[met.number] = True
        if why is None:
            side = self.how.side(e)
            why = "left_out" if side is None else None
        if why is not None:
            self.dropped[why] += 1
        return side

    def _take(self, e: Example, side: Side) -> None:
        self.sides[side] += 1
        self.verdicts[f"{side} {e.status}"] += 1
        self._labels[e.place] += 1
        self._leaders.tell(e.place, self._labels[e.place], e.label or "")
        s = shown(e, *self._mean(e))
        self._add("outcomes", side, self.facts.outcome(s))
        self._add("sft", side, self.facts.chat(s))
        for row in self._pairing[side].take(s):
            self._add("pairs", side, row)

    def _add(self, table: Table, side: str, row: Row | str) -> None:
        waiting = self._waiting[table, side]
        if isinstance(row, str):
            waiting.left_out[row] += 1
        else:
            waiting.add(row)

    def _mean(self, e: Example) -> tuple[float | None, int]:
        """The mean over every evaluation of its configuration, in all runs of the campaign."""
        met = self.examples.elsewhere.find(e.run, e.config)
        groups = [g for g in met.groups if g[0]] if met is not None else []
        n = sum(n for n, _ in groups)
        return (sum(mean * n for n, mean in groups) / n, n) if n else (e.mean, e.replicates)


def _in_order(named: Sequence[tuple[Source, str | None]]) -> list[_Input]:
    """The files by when their first run began, then its name, then their hash: however they were named."""
    found: dict[str, tuple[tuple[str, str, str], _Input]] = {}
    for source, reader in named:
        if source.path == "-" or Path(source.path).is_fifo():
            raise CorpusError(f"{source.path}: is a pipe, and a corpus is read more than once; save it into a file")
        now = manifest.fingerprint(source.path)
        if now.sha256 in found:
            other = found[now.sha256][1].source.path
            raise CorpusError(f"{source.path}: is the same as {other}; name it once, or its trials count twice")
        found[now.sha256] = (*_began(source, reader), now.sha256), _Input(source, reader, now)
    return [x for _, x in sorted(found.values(), key=lambda pair: pair[0])]


def _began(source: Source, reader: str | None) -> tuple[str, str]:
    """When the first run of a file began and what it is called; nothing where its first bytes do not tell."""
    try:
        run, _ = pipeline.header(source, reader)
    except SourceError:
        return "", ""  # what cannot be read at all says so when it is read
    began = run.header.about.get("started")
    return began if isinstance(began, str) else "", run.header.run_id


def _unchanged(inputs: Sequence[_Input]) -> None:
    for x in inputs:
        if manifest.fingerprint(x.source.path) != x.print:
            raise CorpusError(f"{x.source.path}: changed while it was read; wait until its run has ended, or copy it")


def _made_of(inputs: Sequence[_Input], examples: Examples) -> dict[str, Any]:
    """The inputs by name and hash, with what was said about them and what they hold. No path: those are the maker's."""
    out, at = [], 0
    for x in inputs:
        runs = []
        while at < len(examples.runs) and (run := examples.runs[at]).file == x.source.path:
            runs.append(
                {
                    "run_id": run.header.run_id,
                    "campaign": run.header.campaign,
                    "metric": run.header.metric,
                    "goal": run.header.goal,
                    "trials": run.trials,
                    "unreadable": run.unreadable,
                    "ended": run.ended,
                }
            )
            at += 1
        said = {"metric": x.source.metric, "goal": x.source.goal, "history": x.source.history, "reader": x.reader}
        menu = x.source.menu
        if x.source.layout is not None:
            said["map_sha256"] = manifest.text_hash(repr(msgspec.to_builtins(x.source.layout)))
        if menu is not None:
            knobs = sorted(repr(k) for k in menu.knobs.values())
            rules = tuple(
                (c.name, c.rule) for c in menu.constraints
            )  # what they are made to, Python calls otherwise each time
            said["menu_sha256"] = manifest.text_hash(repr((knobs, rules)))
        out.append({"name": Path(x.source.path).name, **x.print._asdict(), "said": said, "runs": runs})
    return {"inputs": out}


def _told(answer: Gate) -> dict[str, Any]:
    """The gate's answer; its files stand among the inputs."""
    return {k: v for k, v in answer.to_json().items() if k not in ("files", "sft")}


def _version(package: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def _free(folder: Path) -> None:
    if folder.is_symlink() or folder.exists():
        raise CorpusError(f"{folder}: exists already, and a corpus is never written over another; name a new folder")
    if not folder.parent.is_dir():
        raise CorpusError(f"{folder}: its parent is no folder; make {folder.parent} first")


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `folder` at the end, or is gone."""
    work = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        work.mkdir()
        yield work
        for inner in (x for x in work.iterdir() if x.is_dir()):
            sync_folder(inner)
        sync_folder(work)
        _free(folder)
        work.rename(folder)
        sync_folder(folder.parent)
    except OSError as e:
        if e.errno == errno.ENOSPC:
            e.filename = str(folder)
            raise
        raise CorpusError(f"{folder}: cannot be written ({e.strerror or e}); nothing was left behind") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put(path: Path, data: bytes) -> None:
    with path.open("xb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
