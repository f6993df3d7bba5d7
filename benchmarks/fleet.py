"""Fleet: a folder of finished runs whose rows are in the cache, without reading tens of gigabytes of JSON first.

A few campaigns are read for good, each into its Parquet; every run is then a file that begins like one of them, is
long enough to be worth caching without taking up the disk, and is said to be cached as that campaign's rows.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from benchmarks import generate
from trajscope import cache, menu, pipeline
from trajscope.columns import DERIVED_VERSION
from trajscope.readers import Source
from trajscope.store import Store

CAMPAIGNS = 4  # different ones, read for good
BEGINNING = 20  # lines of a campaign that its runs' files begin with


def cached(runs: int, rows: int) -> tuple[Path, Path]:
    """The folder of the runs and the cache home that knows them, made if they are not there yet."""
    made_by = hashlib.sha256(Path(__file__).read_bytes() + f"{generate.VERSION} {DERIVED_VERSION}".encode())
    home = generate.folder() / f"fleet-{runs}x{rows}-{made_by.hexdigest()[:8]}"
    folder = home / "runs"
    if not (home / "made").exists():
        shutil.rmtree(home, ignore_errors=True)
        folder.mkdir(parents=True)
        _make(home, folder, runs, rows)
        (home / "made").touch()
    return folder, home


def _make(home: Path, folder: Path, runs: int, rows: int) -> None:
    os.environ["XDG_CACHE_HOME"] = str(home)
    known = menu.parse(generate.MENU)
    kinds = []
    for i in range(min(CAMPAIGNS, runs)):
        whole = home / "whole.jsonl"
        generate.write(whole, rows, generate.SEED + i)
        store = Store()
        feed = pipeline.read(Source(str(whole), menu=known), sink=store.sink)
        cache.save(f"campaign-{i}", store, feed.runs[0])
        kinds.append((f"campaign-{i}", whole.read_bytes().split(b"\n")[:BEGINNING]))
        whole.unlink()
    for i in range(runs):
        kind, lines = kinds[i % len(kinds)]
        path = folder / f"run-{i:03}.jsonl"
        with path.open("wb") as f:
            f.write(b"\n".join(lines) + b"\n")
            f.truncate(cache.WORTH + i)  # a hole, and a length of its own
        name = cache.key(Source(str(path)), None)
        for ending in ("parquet", "run"):
            os.link(cache.folder() / f"{kind}.{ending}", cache.folder() / f"{name}.{ending}")
    for kind, _ in kinds:
        for left in cache.folder().glob(f"{kind}.*"):
            left.unlink()
