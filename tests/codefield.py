"""A real repository of a user with everything that can be in the way, and what of it must never change."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

TRAIN = """\
import os
import random

import scale

LR = 0.5
DEPTH = 8
rng = random.Random(f"{LR} {DEPTH} {os.environ['SEED']}")
loss = 1.0 + (LR - 0.3) ** 2 + 0.01 * abs(DEPTH - 6) * scale.UNIT + rng.gauss(0, 0.001)
print("step 1 loss 9.9\\rstep 2 loss 1.1")
print("---")
print(f"val_bpb: {loss:.6f}")
print(f"peak_vram_mb: {1024.0 * DEPTH}")
print(f"depth: {DEPTH}")
"""
DOMAIN = """\
kind = "codeedit"
name = "tiny"
editable = ["train.py"]
seeds = 5
timeout_s = 30
[repo]
path = "{path}"
[run]
command = ["python", "train.py"]
[prints]
memory = "peak_vram_mb"
[edits]
[metric]
name = "val_bpb"
goal = "minimize"
within = [0.0, 10.0]
kind = "error"
[gate.without]
judge = "the script prints its own loss"
guards = "one number is all it prints"
margins = "nothing ignores its input here"
holdout = "there is no judge that could keep one"
fingerprints = "the script leaves no first step"
"""
HOOKS = ("pre-commit", "post-commit", "post-checkout", "reference-transaction", "post-index-change", "commit-msg")


def git(place: Path, *words: str, data: bytes = b"", check: bool = True) -> str:
    """Git as a user calls it, with nobody's settings."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "LC_ALL": "C"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@example.org"}
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *words],
        cwd=place,
        input=data,
        env=env,
        capture_output=True,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"git {' '.join(words)}: {done.stderr.decode()}")
    return done.stdout.decode(errors="surrogateescape").strip("\n")


def repository(place: Path) -> Path:
    """A clean repository with a training script, a module, an executable, a link and ignored files."""
    place.mkdir(parents=True)
    git(place, "init", "--quiet", "--initial-branch=main")
    files = {
        "train.py": TRAIN,
        "scale.py": "UNIT = 1.0\n",
        "notes/a file.txt": "one\r\ntwo\n",
        "run.sh": "#!/bin/sh\nexec python train.py\n",
        ".gitignore": "*.log\n__pycache__/\nscratch/\n",
        ".gitattributes": "*.txt text eol=crlf\n",
    }
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(text.encode())
    (place / "run.sh").chmod(0o755)
    (place / "latest").symlink_to("train.py")
    # As one finds them: line ends in the commit that a checkout would convert.
    git(place, "-c", "core.autocrlf=false", "add", "--all")
    oid = git(place, "hash-object", "-w", "--no-filters", "notes/a file.txt")
    git(place, "update-index", "--cacheinfo", f"100644,{oid},notes/a file.txt")
    git(place, "commit", "--quiet", "--message", "begin")
    return place


def crowded(place: Path) -> Path:
    """The same in the state in which users leave theirs: dirty, staged, stashed, hooked, signed, with a submodule."""
    other = repository(place.with_name(f"{place.name} other"))
    repository(place)
    git(place, "submodule", "--quiet", "add", str(other), "lib")
    git(place, "commit", "--quiet", "--message", "a submodule")
    (place / "scale.py").write_text("UNIT = 2.0\n")
    git(place, "stash", "--quiet")
    (place / "train.py").write_text(TRAIN.replace("LR = 0.5", "LR = 0.9"))
    (place / "scale.py").write_text("UNIT = 7.0\n")
    git(place, "add", "scale.py")
    (place / "untracked.py").write_text("UNIT = 8.0\n")
    for name in HOOKS:
        hook = place / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{place}/.git/hooked'\nexit 1\n")
        hook.chmod(0o755)
    for key, value in {
        "commit.gpgSign": "true",
        "gpg.program": "/bin/false",
        "core.autocrlf": "true",
        "branch.autoSetupMerge": "always",
        "filter.lfs.smudge": "false",
        "filter.lfs.required": "true",
    }.items():
        git(place, "config", key, value)
    return place


def owned(place: Path) -> dict[str, str]:
    """Everything that is the user's: checkout, index, HEAD, refs, stash, configuration, hooks, logs."""
    out = {}
    ours = ("objects", "worktrees", "refs/heads/trajscope", "logs/refs/heads/trajscope")
    for above, _, names in os.walk(place):
        for name in names:
            path = Path(above) / name
            where = path.relative_to(place).as_posix()
            if where.startswith(tuple(f".git/{x}/" for x in ours)):
                continue
            data = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            out[where] = hashlib.sha256(data).hexdigest()
    out["refs"] = "\n".join(
        line for line in git(place, "for-each-ref").splitlines() if "\trefs/heads/trajscope/" not in line
    )
    out["stash"] = git(place, "stash", "list")
    return out
