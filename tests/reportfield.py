"""What the tests of the report share: a report of a file, and a run that is hostile in every field of its lines."""

from __future__ import annotations

import json
from pathlib import Path

from runfiles import start

from trajscope import menu, pipeline, report
from trajscope.readers import Source

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_runs"
AMNESIAC = SAMPLES / "amnesiac" / "amnesiac.jsonl"
RUNS = '</script></style></title></textarea><script>window.RAN=1</script><img src=x onerror="window.RAN=2">'
EVIL = (
    f"{RUNS}<!--]]>\u2028\u2029\u202e\x00\x07\x1b[31m'\"`&lt;${{window.RAN=3}}<svg onload=window.RAN=4>"
    "<a href='javascript:window.RAN=5'>x</a>"
)
HUGE = EVIL + "long " * 20_000
DIFF = f"--- a/{RUNS}\n+++ b/x\n@@ -1,2 +1,2 @@\n-old {RUNS}\n+new {RUNS}\n same {'x' * 3000}\n"


def source(path: Path) -> Source:
    """A file as the command line reads it: with the menu that lies beside it."""
    beside = pipeline.menu_beside(path)
    return Source(str(path), menu=menu.load(beside) if beside else None)


def made(*paths: Path) -> report.Report:
    """The report of these files."""
    return report.build([(source(p), None) for p in paths])


def hostile(path: Path) -> Path:
    """A run file with something in every field that would run, close an element or fill the page."""
    knobs = {
        f"k{i}{EVIL}": {"type": "str", "choices": ["a", EVIL, f"b{i}"], "default": "a", "family": EVIL}
        for i in range(3)
    }
    spec = {"name": f"m{EVIL}", "goal": "minimize", "unit": EVIL}
    guard = {"name": f"g{EVIL}", "role": "guard", "goal": "maximize", "floor": 0.0}
    run = start(path, metric=spec, run_id=EVIL, campaign=EVIL, menu={"knobs": knobs}, base=dict.fromkeys(knobs, "a"),
                metrics=[{"name": spec["name"], "role": "primary", "goal": "minimize"}, guard])  # fmt: skip
    names = list(knobs)
    run.measure("baseline", value=10.0)
    run.measure("degenerate", name=EVIL, value=11.0)
    for i in range(14):
        seeds = [{"seed": 0, "status": "ok", "metrics": {str(spec["name"]): 10.0 - i % 5, str(guard["name"]): 1.0}}]
        run.trial(
            {names[i % 3]: EVIL if i % 2 else f"b{i % 3}"}, seeds=seeds, kept=i in (3, 9), reason=HUGE, diff=DIFF,
            wall_s=60.0, note=HUGE,
        )  # fmt: skip
    run.trial({"outside" + EVIL: HUGE}, status="crashed", reason_code="oom")
    run.event("override", reason=HUGE, who=EVIL)
    run.event("pause", why=EVIL)
    run.close()
    with path.open("ab") as f:
        f.write(EVIL.encode() + b"\xff\xfe\x00\n" + json.dumps({"type": EVIL, "x": EVIL}).encode() + b"\n")
    return path
