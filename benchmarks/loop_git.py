"""Loop on git: what keep and revert cost by a worktree, per iteration. `python -m benchmarks.loop_git [N]`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.section import Budget, Section
from trajscope_loop.git import Worktree
from trajscope_loop.repository import Repository
from trajscope_loop.tree import plant

FILES, ITERATIONS = 300, 20


def iterations(n: int = ITERATIONS) -> dict[str, float]:
    """Milliseconds of a discarded and of a kept iteration, in a repository of 300 files."""
    with tempfile.TemporaryDirectory() as place:
        repo = Path(place) / "repo"
        repo.mkdir()
        for i in range(FILES):
            (repo / f"m{i % 20}").mkdir(exist_ok=True)
            (repo / f"m{i % 20}" / f"f{i}.py").write_text(f"X = {i}\n" * 50)
        (repo / "train.py").write_text("LR = 0\n")
        said = ("-c", "user.name=b", "-c", "user.email=b@example.org")
        for words in (("init", "-q"), ("add", "."), (*said, "commit", "-qm", "begin")):
            subprocess.run(["git", *words], cwd=repo, check=True)
        (folder := Path(place) / "night").mkdir()
        work = Worktree(folder, Repository(repo), "HEAD", lambda name: name == "train.py")
        work.restore()
        parent = work.keep(work.standing(), "start")
        out: dict[str, list[float]] = {"discard_ms": [], "keep_ms": []}
        for i in range(2 * n):
            tree = plant({"train.py": b"LR = %d\n" % (i + 1)})
            began = time.perf_counter()
            work.save(tree, parent)
            if i % 2:
                parent = work.keep(tree, str(i))
            work.restore()
            out["keep_ms" if i % 2 else "discard_ms"].append((time.perf_counter() - began) * 1000)
        return {name: round(median(found), 1) for name, found in out.items()}


def section(_rows: int, rounds: int | None = None) -> Section:
    """What it costs, as a section of the results."""
    said = iterations()
    each = (3 * said["discard_ms"] + said["keep_ms"]) / 4
    return Section(
        "Keep and revert in git",
        f"Wall time of a worktree of {FILES + 1} files: save a candidate, keep it or not, restore and verify. An "
        "iteration here is three discards to one keep.",
        ("", "ms"),
        [
            ("discarded", f"{said['discard_ms']:.0f}"),
            ("kept", f"{said['keep_ms']:.0f}"),
            ("an iteration", f"{each:.0f}"),
        ],
        [Budget("keep and revert in git, an iteration", each, 80, "ms")],
    )


if __name__ == "__main__":
    print(json.dumps(iterations(*map(int, sys.argv[1:2]))))
