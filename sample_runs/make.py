"""Makes every sample run byte for byte: `make.py` writes them, `make.py --check` fails where the disk differs.

Standard library only. What the figures of a sample are is reckon.py's business.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import shapes
import stories
import suspects

HERE = Path(__file__).parent


def samples() -> Iterator[tuple[str, bytes]]:
    """Each file's path below this folder, and its bytes."""
    yield "amnesiac/amnesiac.jsonl", stories.amnesiac()
    yield "amnesiac/amnesiac.menu.json", (json.dumps(stories.AMNESIAC_MENU, indent=1) + "\n").encode()
    yield "gamer/gamer.jsonl", stories.gamer()
    yield "linter/linter.jsonl", stories.linter()
    yield from shapes.samples()
    yield from suspects.samples()


def main(arguments: list[str]) -> int:
    """Write the samples, or with `--check` name those that differ."""
    wrong = 0
    for name, body in samples():
        path = HERE / name
        if arguments == ["--check"]:
            if not path.exists() or path.read_bytes() != body:
                print(f"{path}: differs from what make.py makes; run sample_runs/make.py", file=sys.stderr)
                wrong += 1
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
