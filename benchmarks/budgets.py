"""Budgets: what is measured, beside what, and what it must reach. Each answers with a section of the results."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks import corpus, generate, live, loop, loop_executors, loop_git, report, serve, tables
from benchmarks import fleet as fleets
from benchmarks import rails as railed
from benchmarks.measure import ROOT, Contender, python, take_turns
from benchmarks.ours import figures
from benchmarks.section import Budget, Section

SAMPLE = ROOT / "sample_runs" / "amnesiac" / "amnesiac.jsonl"
FLEET = (100, 100_000)  # runs, trials each
SMALL_ROUNDS, LARGE_ROUNDS = 7, 3
COLD_TRIALS = 10_000
_ASKED = (("ask", "scan"), ("check",), ("past",), ("near",), ("set",))
LOOKUPS = (("thirteen", 10_000), ("one", 10_000), ("thirteen", 1_000_000), ("one", 1_000_000), ("one", 2_000_000))


def file(rows: int, rounds: int | None) -> Section:
    """One long file, against the ways to get the same figures."""
    path = generate.cached(rows)
    size = path.stat().st_size
    ours = Contender("trajscope, the headline figures", python("benchmarks.ours", "headline", path))
    full = Contender(
        "trajscope analyze --json --no-cache", _trajscope("analyze", path, "--json", "--no-cache"), read=figures
    )
    script = Contender("json.loads, Counter, sets", python("benchmarks.rivals", "script", path))
    rivals = [
        Contender("DuckDB read_ndjson, one aggregate", python("benchmarks.rivals", "duckdb", path)),
        Contender("polars scan_ndjson", python("benchmarks.rivals", "polars", path)),
    ]
    with tempfile.TemporaryDirectory(dir=generate.folder()) as home:
        again = Contender(
            "trajscope analyze --json, a second time",
            _trajscope("analyze", path, "--json"),
            {"XDG_CACHE_HOME": home},
            figures,
        )
        first = [again, ours, full, script, *rivals]  # the unmeasured run of the first fills its cache
        take_turns(first, rounds or LARGE_ROUNDS)
    _agree([ours, full, again, script, *rivals])
    shown = [ours, full, again, script, *rivals]
    held = [(ours, 6, 20, "the script's CPU over ours, headline figures"), (full, 3, 10, "the same, everything")]
    return Section(
        f"One file of {size / 1e9:.2g} GB, {rows:,} trials",
        "All give the same number of evaluated trials, keeps, knobs, different pairs and repeats and the same best, "
        "or this page would not have been written. trajscope, the script and polars also agree on repeat rates by "
        "window, the top pair's count and the first keep. The second time is read from the cache.",
        (
            "",
            "CPU s (min / median / max)",
            "us a trial",
            "GB a CPU s",
            "script's CPU over its own",
            "peak MB",
            "wall s",
        ),
        [
            (
                c.name,
                _three(c.spread("cpu_s"), 2),
                f"{c.spread('cpu_s').middle / rows * 1e6:.2f}",
                f"{size / 1e9 / c.spread('cpu_s').middle:.2f}",
                _three(script.times(c), 1),
                f"{c.spread('peak_mb').most:,.0f}",
                f"{c.spread('wall_s').middle:.2f}",
            )
            for c in shown
        ],
        [
            *(Budget(what, script.times(c).middle, must, "x", aim, more_is_better=True) for c, must, aim, what in held),
            Budget("peak memory, headline figures", ours.spread("peak_mb").most, 500, "MB"),
            Budget("peak memory, everything", full.spread("peak_mb").most, 500, "MB"),
        ],
    )


def cold(rows: int, rounds: int | None) -> Section:
    """Commands in a cold process on fifty trials, where imports are the whole cost."""
    path = SAMPLE if SAMPLE.exists() else generate.cached(50)
    with tempfile.TemporaryDirectory() as out:
        analyze = Contender("trajscope analyze --json, 50 trials", _trajscope("analyze", path, "--json"))
        figured = Contender("the same with three figures", _trajscope("analyze", path, "--json", "--figures", out))
        helped = Contender("trajscope --help", _trajscope("--help"))
        script = Contender("json.loads, Counter, sets, no figures", python("benchmarks.rivals", "script", path))
        bare = Contender("python -c pass", [sys.executable, "-c", "pass"])
        shown = [analyze, figured, helped, script, bare]
        take_turns(shown, rounds or SMALL_ROUNDS)
    return Section(
        "A cold process",
        f"The sample run `{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}`. The script and the "
        "bare interpreter are for scale.",
        ("", "CPU ms (min / median / max)", "peak MB", "wall ms"),
        [
            (
                c.name,
                _three(c.spread("cpu_s"), 0, 1000),
                f"{c.spread('peak_mb').most:,.0f}",
                f"{c.spread('wall_s').middle * 1000:.0f}",
            )
            for c in shown
        ],
        [
            Budget("analyze of 50 trials", analyze.spread("cpu_s").middle, 0.5, "s CPU"),
            Budget("with three figures", figured.spread("cpu_s").middle, 2, "s CPU"),
            Budget("--help", helped.spread("cpu_s").middle, 0.15, "s CPU"),
        ],
    )


def push(rows: int, rounds: int | None) -> Section:
    """What one more trial costs, early and late, and what it costs to stop and go on."""
    path = generate.cached(rows)
    run = Contender("live", python("benchmarks.ours", "live", path))
    take_turns([run], rounds or LARGE_ROUNDS, warm=False)
    said: list[dict[str, float]] = [s.answer for s in run.samples]
    middle = {k: median(s[k] for s in said) for k in said[0]}
    flat = median(s["us_at_end"] / min(s["us_at_50"], s["us_at_10k"]) for s in said)
    names = {
        "us_at_50": "one push, all metrics stepped, mean of the first 50 (us)",
        "us_at_10k": "the same at 10,000",
        "us_at_end": f"the same at {int(middle['trials']):,}",
        "snapshot_s": "snapshot there (s)",
        "restore_s": "restore there (s)",
        "snapshot_mb": "snapshot (MB)",
    }
    return Section(
        "One more trial of a live run",
        "CPU of `Run.push` in process, without reading the line. The first 50 hold every pair's first meeting.",
        ("", "median", *(f"round {i + 1}" for i in range(len(said)))),
        [(title, f"{middle[k]:.2f}", *(f"{s[k]:.2f}" for s in said)) for k, title in names.items()],
        [Budget("a push at the end over the cheaper of the first 50 and 10,000: flat", flat, 1.5, "x")],
    )


def fleet(rows: int, rounds: int | None) -> Section:
    """Ten million trials of finished runs, from the cache."""
    runs, each = FLEET
    folder, home = fleets.cached(runs, each)
    env = {"XDG_CACHE_HOME": str(home)}
    ours = Contender(
        "trajscope fleet --headline --json", _trajscope("fleet", folder, "--headline", "--json"), env, _counted
    )
    polars = Contender("polars, streaming, fewer figures", python("benchmarks.rivals", "parquet", home / "trajscope"))
    take_turns([ours, polars], rounds or SMALL_ROUNDS)
    if ours.answer != polars.answer:
        raise SystemExit(f"fleet counts {ours.answer} trials, polars {polars.answer}")
    return Section(
        f"{runs * each:,} trials of {runs} finished runs",
        f"From the cache that `analyze` and `fleet` leave behind ({fleets.CAMPAIGNS} different campaigns, repeated).",
        ("", "CPU s (min / median / max)", "CPU over ours", "peak MB", "wall s (min / median / max)"),
        [
            (
                c.name,
                _three(c.spread("cpu_s"), 2),
                _three(c.times(ours), 2),
                f"{c.spread('peak_mb').most:,.0f}",
                _three(c.spread("wall_s"), 2),
            )
            for c in (ours, polars)
        ],
        [
            Budget("headline metrics from Parquet", ours.spread("cpu_s").middle, 2, "s CPU", 0.6),
            Budget("peak memory", ours.spread("peak_mb").most, 1000, "MB"),
        ],
    )


def rails(rows: int, rounds: int | None) -> Section:
    """One more question to the rails: in a process of its own, and among very many."""
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}  # set, every module would be compiled again each time
    cold = Contender(f"rail check against {COLD_TRIALS:,} native trials", railed.cold(COLD_TRIALS), env=compiled)
    floor = Contender("python -c 'import msgspec'", [sys.executable, "-c", "import msgspec"])
    bare = Contender("python -S -c pass", [sys.executable, "-S", "-c", "pass"])
    take_turns([cold, floor, bare], rounds or SMALL_ROUNDS)
    asked = {
        (kind, pairs): Contender(
            f"{pairs:,} pairs, {'thirteen knobs' if kind == 'thirteen' else 'one continuous knob'}",
            python("benchmarks.rails", "lookup", kind, pairs),
        )
        for kind, pairs in LOOKUPS
    }
    scan = Contender("DuckDB, a scan of 1,000,000 labels", python("benchmarks.rails", "duckdb", 1_000_000))
    take_turns([*asked.values(), scan], 1, warm=False)
    said = {c.name: c.samples[0].answer for c in (*asked.values(), scan)}
    table = [
        *((name + (", SQLite" if a.get("on_disk") else ""), *_lookups(a)) for name, a in said.items()),
        *(
            (f"{c.name}: {_three(c.spread('cpu_s'), 0, 1000)} ms CPU", *[""] * 5, f"{c.spread('peak_mb').most:,.0f}")
            for c in (cold, floor, bare)
        ),
    ]
    most = [asked[kind, 1_000_000].samples[0].answer for kind in ("thirteen", "one")]
    return Section(
        "One more question to the rails",
        "Hits, misses and near repeats in equal parts: `ask` is the whole chain from a mapping on, `check` the repeat "
        "rail in it, `past` and `near` the lookups under that, `set` a plain Python set of the labels asked. "
        "Microseconds, p50 / p99, of wall time, so a busy machine shows in the p99. The cold rows are CPU of whole "
        "processes (min / median / max).",
        ("", "ask", "check", "past", "near", "set", "peak MB"),
        table,
        [
            Budget("a cold check against 10,000 trials", cold.spread("cpu_s").middle, 0.15, "s CPU"),
            Budget("the whole chain at 1,000,000 pairs, p99", max(a["ask_p99"] for a in most), 50, "us"),
            Budget("the lookup itself there, p99", max(a["past_p99"] for a in most), 50, "us", 5),
        ],
    )


Bench = Callable[[int, int | None], Section]
BENCHES: dict[str, tuple[Bench, ...]] = {
    "cold": (cold,),
    "rails": (rails,),
    "live": (live.latency, live.growth, push, live.hour, live.quiet),
    "fleet": (fleet,),
    "file": (file,),
    "corpus": (corpus.section,),
    "report": (report.section,),
    "table": (tables.section,),
    "loop": (loop.section, loop_executors.section, loop_git.section),
    "serve": (serve.page,),
}


def _lookups(said: dict[str, float]) -> list[str]:
    """p50 and p99 of each kind of question, and the memory."""
    asked = []
    for names in _ASKED:
        found = next((n for n in names if f"{n}_p50" in said), None)
        asked.append(f"{said[f'{found}_p50']:,.2f} / {said[f'{found}_p99']:,.2f}" if found else "")
    return [*asked, f"{said['peak_mb']:,.0f}" if "peak_mb" in said else ""]


def _trajscope(*args: object) -> list[str]:
    return python("trajscope.cli", *args)


def _three(spread: tuple[float, float, float], digits: int, times: float = 1.0) -> str:
    return " / ".join(f"{x * times:,.{digits}f}" for x in spread)


def _counted(docs: Sequence[Any]) -> int:
    return sum(d["pairs"]["unique"] + d["pairs"]["repeats"] for d in docs)


def _agree(contenders: Sequence[Contender]) -> None:
    """Every figure that two of them give is the same."""
    known: dict[str, tuple[Any, str]] = {}
    for c in contenders:
        for name, value in c.answer.items():
            first, who = known.setdefault(name, (value, c.name))
            if first != value:
                texts = [json.dumps(x)[:200] for x in (first, value)]
                raise SystemExit(f"{name}: {who} says {texts[0]}, {c.name} says {texts[1]}")
