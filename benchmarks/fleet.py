"""Fleet: a folder of finished runs whose rows are in the cache, without reading tens of gigabytes of JSON first.

A few campaigns are read for good, each into its Parquet; every further run is a short file of its own that is told to
have been read as one of them. What is measured, rows from Parquet, is the same.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks import generate
from trajscope import cache, menu, pipeline
from trajscope.readers import Source
from trajscope.store import Store

CAMPAIGNS = 4  # different ones, read for good
STUB = 20  # lines of the short files


def cached(runs: int, rows: int) -> tuple[Path, Path]:
    """The folder of the runs and the cache home that knows them, made if they are not there yet."""
    home = generate.folder() / f"fleet-{runs}x{rows}-v{generate.VERSION}-{pipeline_version()}"
    folder = home / "runs"
    if not (home / "made").exists():
        shutil.rmtree(home, ignore_errors=True)
        folder.mkdir(parents=True)
        _make(home, folder, runs, rows)
        (home / "made").touch()
    return folder, home


def pipeline_version() -> str:
    """What makes cached rows stale."""
    from trajscope.columns import DERIVED_VERSION

    return f"d{DERIVED_VERSION}"


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
        kinds.append((f"campaign-{i}", whole.read_bytes().split(b"\n")[:STUB]))
        whole.unlink()
    for i in range(runs):
        kind, lines = kinds[i % len(kinds)]
        path = folder / f"run-{i:03}.jsonl"
        path.write_bytes(b"\n".join(lines) + b"\n" * (i + 1))  # blank lines make each file one of its own
        name = cache.key(Source(str(path)), None)
        for made, copy in ((cache.rows(kind), cache.rows(name or "")), *_snapshots(kind, name or "")):
            os.link(made, copy)
    for kind, _ in kinds:
        for left in cache.folder().glob(f"{kind}.*"):
            left.unlink()


def _snapshots(kind: str, name: str) -> list[tuple[Path, Path]]:
    return [(cache.folder() / f"{kind}.run", cache.folder() / f"{name}.run")]
