"""Counts how many sentences of told.tsv are read as a person reads them: `python tests/count_told.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from trajscope.recover import described

TOLD = Path(__file__).parent / "told.tsv"


def rows() -> list[list[str]]:
    """The sentences, each with the pair that a person names in it, `-` where there is none."""
    return [line.split("\t") for line in TOLD.read_text("utf-8").splitlines() if line.strip()]


def label(text: str) -> str:
    """What is read in a text, as a label."""
    found = described(text)
    return found.pair.label if found else "-"


def counts() -> tuple[int, int, int, int]:
    """How many sentences there are, how many name a pair, how many are read, and how many of these rightly."""
    named = [(label(text), wanted) for text, wanted in rows()]
    read = [(got, wanted) for got, wanted in named if got != "-"]
    return len(named), sum(wanted != "-" for _, wanted in named), len(read), sum(a == b for a, b in read)


def sentence() -> str:
    """The counts in the words of docs/recovery.md."""
    return "Of {} sentences {} name a pair; {} are read, {} of them rightly".format(*counts())


if __name__ == "__main__":
    sys.stdout.write(f"{sentence()}\n")
