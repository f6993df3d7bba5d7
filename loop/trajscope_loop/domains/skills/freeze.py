"""Writes `start.json`: the skill files as they are now, which every rewrite is compared with.

    python freeze.py

Run it once before a campaign, and look at what changed: what the files ask and confirm now is what will be guarded.
"""

from __future__ import annotations

import json
from pathlib import Path


def frozen(place: Path) -> str:
    """The text of `start.json` for the skill files of a folder."""
    texts = {p.relative_to(place).as_posix(): p.read_text("utf-8") for p in sorted((place / "skills").glob("*.md"))}
    return json.dumps(texts, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    here = Path(__file__).parent
    (here / "start.json").write_text(frozen(here), "utf-8")
