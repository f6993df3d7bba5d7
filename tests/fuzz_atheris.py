"""Hours of coverage-guided bytes for the readers: `uv run --group fuzz python tests/fuzz_atheris.py [CORPUS]`.

Not collected by pytest. What it finds becomes an `@example` in test_fuzz.py. The first byte picks the reader.
"""

from __future__ import annotations

import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["trajscope"]):
    from test_fuzz import survives

READERS = (None, "native", "stages")


def one(data: bytes) -> None:
    """One input: whatever `survives` asserts must hold."""
    if data:
        survives(data[1:], READERS[data[0] % len(READERS)])


def main(argv: list[str]) -> None:
    """Run until stopped."""
    fuzz: Any = atheris
    fuzz.Setup(argv, one)
    fuzz.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
