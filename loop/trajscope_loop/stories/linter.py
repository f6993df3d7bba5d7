"""The linter in the loop: a constant is rewritten between save and run. Rails off, then on.

The figures are those of a night that was reported (40 experiments, 9 kept, 28 discarded, 3 crashed; loss -5.9 %, memory
44 to 17 GB; nothing kept after the 29th; six minutes each). The training is a table that was made to give them; the
process that rewrites the file, git, the children and the watchman are real.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from trajscope import analyze, open_run
from trajscope.integrity import Watchman
from trajscope_loop import printed
from trajscope_loop.edit import set_constants
from trajscope_loop.errors import LoopError
from trajscope_loop.stories import formatter

PACE_S = 360.0  # of one experiment where it was reported
CONSTANT, MEANT, RAN = "SCALAR_LR", 0.5, 0.3
PATIENCE_S = 10.0  # for a process that works within milliseconds
METRICS = ("val_bpb", "memory_gb")
GAIN = 0.99686
# What each constant is at the start, where it is best, and what that does to loss and memory.
KNOBS: dict[str, tuple[float, float, float, float]] = {
    "BATCH": (128, 64, 0.965, 0.5455),
    "WIDTH": (768, 640, GAIN, 0.7083),
    "DEPTH": (8, 9, GAIN, 1.0),
    "MATRIX_LR": (0.04, 0.045, GAIN, 1.0),
    "EMBEDDING_LR": (0.6, 0.5, GAIN, 1.0),
    "WARMDOWN": (0.5, 0.6, GAIN, 1.0),
    "WEIGHT_DECAY": (0.2, 0.15, GAIN, 1.0),
    "BETA": (0.95, 0.97, GAIN, 1.0),
    "FINAL_LR": (0.0, 0.05, GAIN, 1.0),
}
EXPERIMENTS: tuple[tuple[str, float], ...] = (
    *(("BATCH", 64), ("BATCH", 32), ("WIDTH", 640), ("WIDTH", 512), ("BATCH", 1024), ("DEPTH", 9), ("DEPTH", 12)),
    *(("DEPTH", 6), ("MATRIX_LR", 0.045), ("MATRIX_LR", 0.06), ("MATRIX_LR", 0.03), ("EMBEDDING_LR", 0.5)),
    *(("EMBEDDING_LR", 0.8), ("EMBEDDING_LR", 0.3), ("WIDTH", 700), ("WARMDOWN", 0.6), ("WARMDOWN", 0.8)),
    *(("WIDTH", 8192), ("WARMDOWN", 0.3), ("WEIGHT_DECAY", 0.15), ("WEIGHT_DECAY", 0.3), ("WEIGHT_DECAY", 0.1)),
    *(("BATCH", 48), ("BETA", 0.97), ("BETA", 0.99), ("BETA", 0.9), ("DEPTH", 10), ("MATRIX_LR", 0.05)),
    *(("FINAL_LR", 0.05), (CONSTANT, 0.55), (CONSTANT, 0.6), (CONSTANT, 0.65), ("BATCH", 2048), (CONSTANT, 0.7)),
    *((CONSTANT, 0.45), (CONSTANT, 0.4), (CONSTANT, 0.8), (CONSTANT, 0.62), ("FINAL_LR", 0.1), ("WIDTH", 600)),
)
TRAIN = """\
# A training in miniature: what it would score stands in a table, and at 0.62 the first constant is best.
SCALAR_LR = 0.5
{constants}
TABLE = {table}

loss, memory = 0.9979 * (1 + 0.02 * abs(SCALAR_LR - 0.62)), 44.0
for name, (start, best, gain, less) in TABLE.items():
    value = globals()[name]
    loss *= gain if value == best else 1.0 if value == start else 1.003
    memory *= less if value == best else value / start if name in ("BATCH", "WIDTH") else 1.0
if memory > 80:
    raise MemoryError(f"{{memory:.0f}} GB")
print(f"---\\nval_bpb: {{loss:.6f}}\\nmemory_gb: {{memory:.1f}}")
"""


class Night(NamedTuple):
    """What a loop without rails has to tell in the morning."""

    rows: tuple[tuple[str, float, float, str, str], ...]  # commit, loss, memory, status, description
    committed: frozenset[str]  # what the commits say of the constant
    ran: str  # what the file on the disk says of it

    def counted(self, status: str) -> int:
        """How many experiments ended so; the baseline is none."""
        return sum(row[3] == status for row in self.rows[1:])

    @property
    def best(self) -> tuple[float, float]:
        """Loss and memory of what was kept last."""
        kept = [row for row in self.rows if row[3] == "keep"]
        return kept[-1][1], kept[-1][2]


class Told(NamedTuple):
    """Both halves, and what the first one cost."""

    night: Night
    caught: str  # the sentence at the first trial
    status: str  # what `trajscope analyze` says of the run that was stopped there
    ran: int  # trainings that were paid for, with rails
    price: str  # the sentence after all forty, had they only been watched


def play(folder: Path, say: Callable[[str], object] = print) -> Told:
    """Both halves in a new folder, told as they happen."""
    say("rails off: save, commit, run, keep what is lower")
    night = off(folder / "off", say)
    loss, memory = night.best
    first = night.rows[0]
    say(
        f"  {len(night.rows) - 1} experiments: {night.counted('keep')} kept, {night.counted('discard')} discarded, "
        f"{night.counted('crash')} crashed; loss {loss / first[1] - 1:+.1%}, memory {first[2]:.0f} -> {memory:.0f} GB"
    )
    said = ", ".join(sorted(night.committed))
    say(f"  every diff looks right: the commits say {CONSTANT} = {said}; the file that ran says {night.ran}")
    say("rails on: the same loop and the same linter, and integrity watches")
    caught, status, ran = on(folder / "on")
    say(f"  {status}: {caught}")
    price = priced(folder / "price")
    say(f"  had nobody been stopped: {price}")
    return Told(night, caught, status, ran, price)


def off(folder: Path, say: Callable[[str], object] = lambda _: None) -> Night:
    """The loop as it stood in the field: nothing looks at what ran, so nothing of it is recorded anywhere."""
    script, standing = begun(folder)
    rows = []
    with linter(script) as rewritten:
        best: float | None = None
        for n, (name, value) in enumerate((("baseline", 0.0), *EXPERIMENTS)):
            candidate = standing if n == 0 else set_constants(standing, {name: value}, script.name)
            _save(script, candidate)
            _commit(folder, candidate, f"{name} = {value:g}")
            rewritten()  # whoever commits looks at the diff meanwhile; it is right
            done = subprocess.run([sys.executable, "-IS", script.name], cwd=folder, capture_output=True, check=False)
            found = printed.read(done.stdout.decode(), "lines", METRICS) if done.returncode == 0 else {}
            loss, memory = found.get("val_bpb", 0.0), found.get("memory_gb", 0.0)
            keeps = bool(found) and (best is None or loss < best)
            commit = _git(folder, "rev-parse", "--short=7", "HEAD")
            rows.append(
                (commit, loss, memory, "keep" if keeps else "discard" if found else "crash", f"{name} = {value:g}")
            )
            if keeps:
                best, standing = loss, candidate
            else:
                _git(folder, "reset", "--quiet", "--soft", "HEAD~1")
        ran = _said(script.read_bytes())
    head = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
    (folder / "results.tsv").write_text(head + "".join(f"{c}\t{v:.6f}\t{m:.1f}\t{s}\t{d}\n" for c, v, m, s, d in rows))
    history = _git(folder, "log", "--patch", "--format=", "--", script.name)
    committed = frozenset(re.findall(rf"^\+{CONSTANT} = (\S+)", history, re.MULTILINE))
    return Night(tuple(rows), committed, ran)


def on(folder: Path) -> tuple[str, str, int]:
    """The same with three lines more: what it says, what the run is, and how many trainings were paid for."""
    script, standing = begun(folder)
    watchman = Watchman(folder, editable=[script.name])
    ran = 0
    with (
        linter(script) as rewritten,
        open_run(folder / "run.jsonl", metric="val_bpb", base=watchman.config, files=watchman.snapshot.files) as run,
    ):
        for name, value in EXPERIMENTS:
            saved = set_constants(standing, {name: value}, script.name)
            _save(script, saved)
            _commit(folder, saved, f"{name} = {value:g}")
            rewritten()
            with watchman.trial({name: value}, files={script.name: saved}) as trial:
                if trial.launching().level.name == "PASS" and not trial.drift:
                    trial.run(script.name, capture_output=True)
                    ran += 1
            run.trial({name: value}, value=None, kept=False, wall_s=trial.wall_s, **trial.fields())
            if watchman.tampering is not None:
                break
    found: dict[str, Any] = analyze(folder / "run.jsonl")[0]
    drifted = watchman.tampering
    if drifted is None:
        raise LoopError(f"{script}: was rewritten and nobody saw it: a fault of the watchman")
    return drifted.sentence, str(found["verdict"]["word"]), ran


def priced(folder: Path) -> str:
    """What the night would have cost, had the same forty been watched and none been stopped, at the reported pace."""
    script, standing = begun(folder)
    seconds = count(step=PACE_S)
    watchman = Watchman(folder, editable=[script.name], clock=lambda: next(seconds))
    with linter(script) as rewritten:
        for name, value in EXPERIMENTS:
            saved = set_constants(standing, {name: value}, script.name)
            _save(script, saved)
            rewritten()
            with watchman.trial({name: value}, files={script.name: saved}):
                pass
    if watchman.tampering is None:
        raise LoopError(f"{script}: was rewritten {len(EXPERIMENTS)} times and nobody saw it: a fault of the watchman")
    return watchman.tampering.sentence


def begun(folder: Path) -> tuple[Path, bytes]:
    """A repository with one training script."""
    folder.mkdir(parents=True)
    script = folder / "train.py"
    constants = "\n".join(f"{name} = {start}" for name, (start, *_) in KNOBS.items())
    script.write_text(TRAIN.format(constants=constants, table=KNOBS))
    _git(folder, "init", "--quiet")
    _git(folder, "add", script.name)
    _git(folder, "commit", "--quiet", "--message", "begin")
    return script, script.read_bytes()


@contextlib.contextmanager
def linter(script: Path) -> Iterator[Callable[[], None]]:
    """The background process, while the block lasts; the function waits until it has done its work on the last save."""
    with subprocess.Popen(
        [sys.executable, "-IS", formatter.__file__, str(script), CONSTANT, str(RAN)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        out = process.stdout

        def rewritten() -> None:
            while _said(script.read_bytes()) != str(RAN):
                if not select.select([out], [], [], PATIENCE_S)[0] or not os.read(out.fileno(), 4096):
                    raise LoopError(f"{script}: the story's linter ended; look at what it said")

        try:
            yield rewritten
        finally:
            process.stdin.close()
            out.read()


def _save(script: Path, text: bytes) -> None:
    """As editors save: whole."""
    beside = script.with_name(f"{script.name}.new")
    beside.write_bytes(text)
    beside.replace(script)


def _said(text: bytes) -> str:
    return text.partition(f"{CONSTANT} = ".encode())[2].partition(b"\n")[0].decode()


def _commit(folder: Path, text: bytes, message: str) -> None:
    """Commit what was saved, as a loop does that is quicker than the linter."""
    oid = _git(folder, "hash-object", "-w", "--stdin", data=text.decode())
    _git(folder, "update-index", "--cacheinfo", f"100644,{oid},train.py")
    _git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def _git(folder: Path, *words: str, data: str = "") -> str:
    """Git as the loop in the field calls it, with a name of its own and nobody's hooks."""
    settings: Sequence[str] = ("user.name=loop", "user.email=loop@trajscope.invalid", "commit.gpgSign=false")
    settings = (*settings, "core.hooksPath=/dev/null", "gc.auto=0")
    command = ["git", *(x for one in settings for x in ("-c", one)), *words]
    try:
        done = subprocess.run(command, cwd=folder, input=data, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LoopError("the story needs git; install it") from None
    if done.returncode:
        raise LoopError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
