"""What a check answers with as one JSON line, whatever was checked: files, a corpus, a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trajscope import shape
from trajscope.verdict import Verdict, plain, worst

SCHEMA = 1


def judged(file: Path, found: Sequence[Verdict], **more: Any) -> dict[str, Any]:
    """The answer: what was asked about, its level, every verdict."""
    verdicts = [plain(v) for v in found]
    return {"schema": SCHEMA, "file": str(file), "level": worst(found).name, **more, "verdicts": verdicts}


def schema(command: str, **more: shape.Shape) -> shape.Shape:
    """The schema of what `trajscope COMMAND --json` answers with."""
    parts = {
        "file": shape.told(shape.TEXT, "What was asked about, as it was named."),
        "level": shape.told(shape.LEVEL, "The worst of the verdicts. Exit codes: PASS and WARN 0, FAIL 1, UNKNOWN 3."),
        **more,
        "verdicts": shape.listed(shape.VERDICT),
    }
    return shape.document(f"One answer, as `trajscope {command} --json` prints it", parts, number=SCHEMA)
