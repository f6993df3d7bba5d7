"""Counts public trajectory files by hand-written rules, one per file: what the readers are compared with.

    python tests/count_real.py FOLDER            print the table
    python tests/count_real.py FOLDER --write    and rewrite tests/real_expected.json

Imports nothing of trajscope and shares no code with it. A file's rule names every status word that its own column
holds (a new word is an error, not a guess), the line of its baseline and the columns that were looked at by eye; its
docstring says what was decided and why. Only figures are written down, nothing of the owners' text.

Line numbers are those of an editor, from 1. What all rules share:

* A row that calls itself a baseline is a measure where it is the first evaluated one; later ones are trials.
* A crash has no value, whatever its cell holds. An exact 0 of a trial that was kept is a value.
* Best: over kept trials; over evaluated ones where a file holds no verdict at all; the first of equals.
* Lines that are blank or hold spaces only are lines of the file and nothing else. Without a delimiter a line belongs to
  no record of a table.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "real_expected.json"
STATUSES = ("kept", "reverted", "crashed", "ineligible", "blocked", "proposer_error", "other")
EVALUATED = ("kept", "reverted", "ineligible")
LOWER, HIGHER = "minimize", "maximize"
DIGITS = 8  # of a value that two experiments do not share by chance
MISSING = {"", "-", "\u2014", "n/a", "na", "n_a", "nan", "null", "none", "tbd"}
# The spelling of a status column that most of the tables share.
KEEP_DISCARD_CRASH = {"keep": "kept", "discard": "reverted", "crash": "crashed"}


@dataclass(frozen=True)
class Try:
    """One row: where it stands, what its writer decided, what it scored."""

    line: int
    status: str
    values: dict[str, float | None]
    text: str = ""  # what it says of itself; only compared with other rows, never written down
    pair: tuple[str, ...] | None = None  # the change, where the file itself says it in fields


@dataclass
class Count:
    """What one file holds."""

    readers: tuple[str, ...]  # the first is the one that is meant; the others would be right as well
    goals: dict[str, str]  # of each column that may rightly be taken for the metric, the first one meant
    tries: list[Try]
    baseline: Try | None = None
    unreadable: int = 0
    verdicts: bool = True
    asked: str | None = None  # the reader that has to be named, because the file is no run
    no_metric: bool = False  # several objectives and no primary: naming one would be a guess
    carries: tuple[str, ...] = ()  # of: verdict goal knobs time seeds lineage
    pairs: str | None = None  # how the rows say what was changed, where it was counted here
    again: tuple[int, ...] | None = None  # lines whose knob and value an earlier evaluated trial had, read by eye
    seed_change: float | None = None  # what changing nothing but the seed was worth, where a row says so
    replicates: list[tuple[float, ...]] = field(default_factory=list)  # values of one change on one base
    facts: dict[str, float] = field(default_factory=dict)  # what only this file lets one count


Rule = Callable[[bytes], Count]
RULES: dict[str, Rule] = {}


def rule(path: str) -> Callable[[Rule], Rule]:
    """The rule of the file at this path below the folder."""

    def named(function: Rule) -> Rule:
        RULES[path] = function
        return function

    return named


# --- how the files are taken apart -----------------------------------------------------------------------------------


def lines(data: bytes) -> list[tuple[int, str]]:
    """Every line with content, without its line end, by its number in an editor."""
    cut = data.decode("utf-8").split("\n")
    return [(n, line.removesuffix("\r")) for n, line in enumerate(cut, 1) if line.removesuffix("\r")]


def number(text: str | None) -> float | None:
    """The number in a cell, None where it holds none."""
    if text is None or text.strip().lower() in MISSING:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def cells(line: str) -> list[str]:
    """The cells of a line of a table; quotes are taken off a cell that begins and ends with one."""
    return [c[1:-1].replace('""', '"') if len(c) > 1 and c[0] == c[-1] == '"' else c for c in line.split("\t")]


def table(data: bytes, *, head: int = 1) -> tuple[list[tuple[int, dict[str, str]]], list[tuple[int, str]]]:
    """Rows by column name, and the lines below the header that are none: they hold no delimiter at all."""
    rows, rest, names = [], [], [""]
    for n, line in lines(data):
        if n == head:
            names = line.split("\t")
        elif n > head and "\t" in line:
            rows.append((n, dict(zip(names, cells(line), strict=False))))
        elif n > head and line.strip():
            rest.append((n, line))
    return rows, rest


def objects(data: bytes) -> list[tuple[int, dict[str, Any]]]:
    """The JSON objects of a file, by line."""
    return [(n, json.loads(line)) for n, line in lines(data)]


def simple(
    data: bytes,
    goals: dict[str, str],
    *,
    words: dict[str, str] | None = None,
    status: str = "status",
    text: str = "description",
    baseline: int | None = None,
    head: int = 1,
    **more: Any,
) -> Count:
    """A table with a status column, whose words are all given."""
    rows, rest = table(data, head=head)
    words = words or KEEP_DISCARD_CRASH
    tries = []
    for n, row in rows:
        what = "baseline" if n == baseline else words[row[status]]
        values = {name: None if what == "crashed" else number(row[name]) for name in goals}
        tries.append(Try(n, what, values, row.get(text) or ""))
    more = {"readers": ("table",), "carries": ("verdict",), "unreadable": len(rest), **more}
    return split(Count(goals=goals, tries=tries, **more))


def split(count: Count) -> Count:
    """The baseline apart from the trials."""
    found = [t for t in count.tries if t.status == "baseline"]
    assert len(found) <= 1
    count.baseline = found[0] if found else None
    count.tries = [t for t in count.tries if t.status != "baseline"]
    return count


# --- karpathy/autoresearch and its forks: tables ---------------------------------------------------------------------


@rule("karpathy+autoresearch/exp-H100-mar8~results.tsv")
def mar8(data: bytes) -> Count:
    """Header commit val_bpb memory_gb status description; 126 rows, all of 5 cells, read by eye from first to last.

    Line 2 has `baseline` as commit and as description. `grep -c` on the status cell: 23 keep (that one included), 102
    discard, 1 crash (line 17, 0.000000). Line 16 changes the random seed and nothing else, on the base that line 15
    kept: 0.973104 became 0.973799. Ten rows set a knob to a value that it had been set to, on whatever base.
    """
    again = (110, 113, 114, 115, 116, 117, 121, 122, 125, 126)
    return simple(data, {"val_bpb": LOWER}, baseline=2, again=again, seed_change=0.973799 - 0.973104)


@rule("karpathy+autoresearch/pr158~results.tsv")
def pr158(data: bytes) -> Count:
    """The same header, 11 rows; line 2 begins with `baseline`; lines 6 and 7 crashed. No pair comes twice."""
    return simple(data, {"val_bpb": LOWER}, baseline=2, again=())


@rule("karpathy+autoresearch/pr246~results.tsv")
def pr246(data: bytes) -> Count:
    """No memory column, metric val_rmse, 39 rows, commits repeat. Line 2 is the baseline.

    The metric is 210.43 in twelve rows, whatever was changed (lines 12 to 22 and 24).
    Line 15 sets the two constants of line 11 to the same values; no other row names the values of an earlier one.
    """
    count = simple(data, {"val_rmse": LOWER}, baseline=2, again=(15,))
    count.facts = {"rows_with_210.43": sum(t.values["val_rmse"] == 210.43 for t in count.tries)}
    return count


@rule("karpathy+autoresearch/pr442~results_all.tsv")
def pr442(data: bytes) -> Count:
    """Columns ane_util_pct, ms_per_step and steps stand between metric and status; 55 rows of several phases.

    Line 2 says baseline behind a tag in brackets. Later phases begin anew (lines 18, 31, 40, 47), all of them `keep`,
    and climb the same ladder of ACCUM (2, 4, 6, 8, ...): 27 rows repeat a rung, under another optimiser or schedule.
    """
    again = (19, 20, 21, *range(31, 37), 38, *range(40, 57))
    return simple(data, {"val_loss": LOWER}, baseline=2, again=again)


@rule("karpathy+autoresearch/pr71~multi-ralph~results.tsv")
def pr71(data: bytes) -> Count:
    """20 rows of three agents at once, not in the order of their ids; line 2 is the baseline.

    Line 10 calls itself a (concurrent) baseline too and is `keep`; it is not the first, so it is a trial.
    """
    return simple(data, {"val_bpb": LOWER}, baseline=2)


@rule("karpathy+autoresearch/pr577~results.tsv")
def pr577(data: bytes) -> Count:
    r"""Header commit metric_before metric_after delta status description: 440 rows, 95 lines of spilled code.

    `awk -F'\t' '{print NF}' | sort | uniq -c`: 441 of 6 (the header is one), 96 of 1, 24 of 0. One of the 96 holds
    spaces only (line 537): it is as blank as the 24. A row says `rejected` or `crash`. Each rejected one has 0, 0 and 0
    as metric and delta, where a crash has counts from 15 to 7009, and speaks of a review: nothing was evaluated, so it
    is blocked, and 0 is no value. No name tells which way is better.
    """
    count = simple(data, {"metric_after": ""}, words={"rejected": "blocked", "crash": "crashed"})
    assert all(t.values["metric_after"] == 0 for t in count.tries if t.status == "blocked")
    count.tries = [Try(t.line, t.status, {"metric_after": None}, t.text) for t in count.tries]
    return count


@rule("karpathy+autoresearch/pr257~results-lighthouse.tsv")
def pr257(data: bytes) -> Count:
    """Four objectives (performance accessibility best_practices seo), none of them called primary; 22 rows.

    Line 2 is the baseline. To name one of the four is a guess; asked for, performance is better when higher.
    """
    names = ("performance", "accessibility", "best_practices", "seo")
    return simple(data, dict.fromkeys(names, HIGHER), baseline=2, no_metric=True)


@rule("karpathy+autoresearch/pr391~arbiter_results.tsv")
def pr391(data: bytes) -> Count:
    """Native knob columns param_changed, old_value, new_value; 7 rows, no number anywhere: both metric cells are prose.

    Line 2 has 10 cells under 9 names: a `-` too many before its metric moves the rest to the right, so that `baseline`
    stands under description. It is a baseline all the same. arb-004 is missing in the file.
    """
    rows, rest = table(data)
    words = {"keep": "kept", "discard": "reverted"}
    tries = []
    for n, row in rows:
        status = "baseline" if n == 2 else words[row["status"]]
        pair = None if n == 2 else (row["param_changed"], row["new_value"])
        assert number(row["metric_after"]) is None
        tries.append(Try(n, status, {"metric_after": None}, row["description"], pair))
    return split(
        Count(
            readers=("knobs", "table"),
            goals={"metric_after": ""},
            tries=tries,
            unreadable=len(rest),
            carries=("verdict", "knobs", "time"),
            pairs="native",
        )
    )


@rule("miolini+autoresearch-macos/results.tsv")
def macos(data: bytes) -> Count:
    """Metric val_rmse, 40 rows, line 2 the baseline. The last row is kept with 0.0000, and that is no crash.

    Its description says why: more features than the validation set has samples, fitted to that set. The file's best is
    therefore 0; that it is not to be believed is for a detector to say, not for a reader.
    """
    return simple(data, {"val_rmse": LOWER}, baseline=2)


@rule("trevin-creator+autoresearch-mlx/results.tsv")
def mlx(data: bytes) -> Count:
    """Columns accuracy adjusted_score cost_per_doc latency_s; 21 rows; `run` is a word for neither outcome: other.

    The only `keep` is line 2, and it calls itself a baseline: so nothing was kept. `grep -c`: 13 crash, 6 run, one
    discard. Which of the two scores decides is not said; the first one is meant.
    """
    words = {**KEEP_DISCARD_CRASH, "run": "other"}
    return simple(data, {"accuracy": HIGHER, "adjusted_score": HIGHER}, words=words, baseline=2)


@rule("Djordje-Stojanovic+TrainRTX5070/results.tsv")
def rtx5070(data: bytes) -> Count:
    """Nine number columns before status, 69 rows, line 2 the baseline; crashes have 0.000000 in every one of them."""
    return simple(data, {"val_bpb": LOWER}, baseline=2)


# --- openai/parameter-golf -------------------------------------------------------------------------------------------


@rule("openai+parameter-golf/agent_lab~experiments.tsv")
def agent_lab(data: bytes) -> Count:
    """exp_id date parent_commit commit hypothesis verdict primary_metric val_bpb memory_gb status notes; 35 rows.

    `verdict` says whether the hypothesis was right; `status` says what was done, so that is the verdict meant here.
    Line 2 is a note on the environment without metric, status `n/a`: other. Line 3 is the first evaluated row, and its
    hypothesis calls it a baseline. Line 7 does so too, later: a trial. primary_metric holds a name, not a number.
    """
    words = {"keep": "kept", "discard": "reverted", "n/a": "other"}
    return simple(
        data,
        {"val_bpb": LOWER},
        words=words,
        text="hypothesis",
        baseline=3,
        carries=("verdict", "time", "lineage"),
    )


@rule("openai+parameter-golf/autoevolve~results.tsv")
def autoevolve(data: bytes) -> Count:
    """Columns iteration timestamp val_bpb artifact_bytes status description reasoning; 22 rows, no value.

    `llm_error` (18): the call of the model failed, nothing was proposed: proposer_error. `crash` (4).
    """
    words = {"llm_error": "proposer_error", "crash": "crashed"}
    return simple(data, {"val_bpb": LOWER}, words=words, carries=("verdict", "time"))


@rule("openai+parameter-golf/autoresearch.jsonl")
def golf_pi(data: bytes) -> Count:
    """Six config lines (1, 3, 4, 5, 8, 10) and ten runs. All configs name val_bpb, lower: it is one run throughout.

    Line 2 is an analysis without evaluation: metric 0 with no other metric. The writer spells a missing metric 0, so it
    has no value, and is kept all the same. Line 6 is the first evaluated row and calls itself a baseline.
    """
    tries = []
    for n, o in objects(data):
        if o.get("type") == "config":
            assert (o["metricName"], o["bestDirection"]) == ("val_bpb", "lower")
            continue
        value = None if o["metric"] == 0 and not o["metrics"] else float(o["metric"])
        status = "baseline" if n == 6 else {"keep": "kept"}[o["status"]]
        tries.append(Try(n, status, {"val_bpb": value}, o["description"]))
    return split(Count(readers=("pi",), goals={"val_bpb": LOWER}, tries=tries, carries=("verdict", "goal", "time")))


@rule("openai+parameter-golf/autoresearch~core_discovery~history.jsonl")
def core_discovery(data: bytes) -> Count:
    """24 objects with kept, gate_reason and over_budget; no line of another kind.

    Lines 1 and 2: `error` says that nothing had been changed, no metric: blocked before evaluation. Lines 11 and 12:
    over_budget: ineligible. Line 3 is kept, says nothing of a baseline, and so is a trial. Five proposals stand there
    twice in a row, of models with the same number of parameters (lines 4/5, 11/12, 13/14, 15/16, 18/19).
    """
    tries = []
    for n, o in objects(data):
        if o.get("error"):
            status = "blocked"
        elif o["over_budget"]:
            status = "ineligible"
        else:
            status = "kept" if o["kept"] else "reverted"
        said = re.match(r"(?:Increase|Reduce) (\w+) from (\S+) to (\S+)", o["description"])
        pair = (said[1], said[3]) if said else None
        tries.append(Try(n, status, {"val_bpb": o["val_bpb"]}, o["description"], pair))
    at = {t.line: t for t in tries}
    twice = [(4, 5), (11, 12), (13, 14), (15, 16), (18, 19)]
    assert all(at[a].pair == at[b].pair is not None for a, b in twice)
    return Count(
        readers=("configs",),
        goals={"val_bpb": LOWER},
        tries=tries,
        carries=("verdict", "time"),
        pairs="text",
        replicates=[(at[a].values["val_bpb"] or 0.0, at[b].values["val_bpb"] or 0.0) for a, b in twice],
    )


@rule("openai+parameter-golf/autoresearch~results.jsonl")
def golf_env(data: bytes) -> Count:
    """27 objects: name, extra_env (the change), exit_code, metrics. No verdict: evaluated rows are reverted.

    Line 1 is called baseline. exit_code other than 0 is a crash: 13 rows, among them line 9, whose val_bpb was printed
    before it died, and line 16, whose val_bpb is the token NaN. val_bpb is meant; int8_bpb and int6_bpb are the same
    model after it was packed.
    """
    tries = []
    for n, o in objects(data):
        status = "baseline" if n == 1 else "crashed" if o["exit_code"] else "reverted"
        values = {name: None if status == "crashed" else o.get(name) for name in ("val_bpb", "int8_bpb", "int6_bpb")}
        pair = tuple(f"{k}={v}" for k, v in sorted(o["extra_env"].items()))
        tries.append(Try(n, status, values, o["name"], pair))
    return split(
        Count(
            readers=("configs",),
            goals={"val_bpb": LOWER, "int8_bpb": LOWER, "int6_bpb": LOWER},
            tries=tries,
            verdicts=False,
            carries=("knobs",),
            pairs="native",
        )
    )


# --- kernels and serving ---------------------------------------------------------------------------------------------


@rule("Cklaus1+autokernel5090/results.tsv")
def autokernel(data: bytes) -> Count:
    """What was decided stands in `correctness`; 126 rows of 18 kernel types, whose numbers share their columns.

    KEEP is kept, REVERT reverted, FAIL crashed, BLOCKED blocked. PASS says that the result was right and not that it
    was adopted: lines 7, 41 and 73 are PASS and their text says that they were reverted, and where the writer tells
    both apart (lines 76 to 86) the baseline, a variance test and an analysis are PASS and what was adopted is KEEP. So
    other, never kept. KILL and DEFERRED are unknown words: other. Line 2 is tagged baseline; so are line 38 and others
    later, which are trials. throughput_tflops holds tokens per second in the serving rows: 17425.7 (line 112, a PASS)
    is no kernel's throughput.
    """
    words = {
        "KEEP": "kept", "REVERT": "reverted", "FAIL": "crashed", "BLOCKED": "blocked",
        "PASS": "other", "KILL": "other", "DEFERRED": "other",
    }  # fmt: skip
    return simple(data, {"throughput_tflops": HIGHER}, words=words, status="correctness", baseline=2)


@rule("Cklaus1+autokernel5090/sglang_results.tsv")
def sglang(data: bytes) -> Count:
    """decode_tok_s batch32_tok_s accept_length status; 73 rows, two columns that could be the metric, the first meant.

    Line 2 is a baseline by tag and text; line 3 repeats its id (102) and is a trial. FAIL is a crash, also beside a
    number (lines 21 and 50). WIP and INFO: other. In lines 45 to 48 the batch figure stands in both columns.
    """
    words = {"KEEP": "kept", "REVERT": "reverted", "FAIL": "crashed", "WIP": "other", "INFO": "other"}
    return simple(data, {"decode_tok_s": HIGHER, "batch32_tok_s": HIGHER}, words=words, baseline=2)


@rule("Cklaus1+autokernel5090/profiling~autotune_results.tsv")
def autotune(data: bytes) -> Count:
    """A header (B H BLOCK_H num_warps num_stages latency_us) and eleven tracebacks of eleven lines. No row at all."""
    rows, rest = table(data)
    assert not rows
    return Count(
        readers=("table", "knobs"),
        goals={"latency_us": LOWER},
        tries=[],
        unreadable=len(rest),
        verdicts=False,
        carries=("knobs",),
    )


# --- pi-autoresearch -------------------------------------------------------------------------------------------------


def pi(data: bytes, name: str, baseline: int | None) -> Count:
    """One config line, then runs."""
    tries = []
    for n, o in objects(data)[1:]:
        status = "baseline" if n == baseline else KEEP_DISCARD_CRASH[o["status"]]
        value = None if status == "crashed" else float(o["metric"])
        tries.append(Try(n, status, {name: value}, o["description"]))
    return split(Count(readers=("pi",), goals={name: LOWER}, tries=tries, carries=("verdict", "goal", "time")))


@rule("Shopify+liquid/autoresearch.jsonl")
def liquid(data: bytes) -> Count:
    """29 runs, metric combined_µs. Line 2 begins with `Baseline`; lines 6, 7 and 21 crashed with 0.

    Lines 15 and 22 say that they confirm what was kept before them; they are `keep`, with a commit of their own.
    """
    count = pi(data, "combined_\u00b5s", 2)
    at = {t.line: t.values["combined_\u00b5s"] or 0.0 for t in count.tries}
    count.facts = {"first_confirmed_by": at[14] - at[15], "second_confirmed_by": at[20] - at[22]}
    return count


@rule("Shopify+rubydex/autoresearch.jsonl")
def rubydex(data: bytes) -> Count:
    """14 runs, metric resolve_s, all `keep`. run begins at 5 and repeats (5, 8, 9, 4, 5, ...): a label, not an order.

    The word baseline occurs in the fifth line only, in a remark on the machine's load: there is no baseline row.
    """
    return pi(data, "resolve_s", None)


# --- duanzhaol/sparsify ----------------------------------------------------------------------------------------------


@rule("duanzhaol+sparsify/research-results.tsv")
def sparsify_codex(data: bytes) -> Count:
    r"""13 lines of `# key: value`, a header in line 14, 56 rows. metric_direction: lower.

    Line 15 has status baseline. `refine` and `pivot` rows repeat the retained metric with delta 0 and describe a plan;
    nothing ran, so other. `awk -F'\t' 'NR>14{print $6}' | sort | uniq -c` gives the rest. One commit in every row.
    """
    words = {"baseline": "baseline", "keep": "kept", "discard": "reverted", "refine": "other", "pivot": "other"}
    return simple(
        data, {"metric": LOWER}, words=words, baseline=15, head=14, readers=("codex",), carries=("verdict", "goal")
    )


@rule("duanzhaol+sparsify/campaign-0322~results.tsv")
def sparsify_campaign(data: bytes) -> Count:
    """19 columns, 182 rows; the last 55 lines end in CR LF, the others in LF. status ok|crash, and decision beside it.

    `promote` hands a proxy on to a run at full size, which is the next row in all 35 cases and has its own decision: 30
    keep, 3 discard, 2 archive. So it is no keep: other. As a keep it would count every adopted change twice.
    `archive` (filed as no improvement) and `incubate` (an architecture set aside to grow) were not adopted: reverted.
    No row calls itself a baseline. k, architecture and expansion_factor are knobs in columns.
    """
    words = {
        "keep": "kept", "discard": "reverted", "archive": "reverted", "incubate": "reverted",
        "promote": "other", "crash": "crashed",
    }  # fmt: skip
    return simple(
        data,
        {"val_fvu": LOWER},
        words=words,
        status="decision",
        readers=("table", "knobs"),
        carries=("verdict", "knobs", "time"),
    )


# --- blackboards -----------------------------------------------------------------------------------------------------


@rule("manavsehgal+ai-field-notes/cifar~results.tsv")
def cifar(data: bytes) -> Count:
    """18 columns with parent_exp and baseline_exp; 98 rows. The metric stands first behind the status: train_s.

    Line 2 has status baseline. disqualified (accuracy below its gate): ineligible, and its train_s is empty while
    total_s is not. preflight_crash is a crash. delta_vs_best is negative in every keep: lower is better. The gate is
    an accuracy of 0.96; n_seeds is 10 wherever acc_std is given, so a mean has a standard error of acc_std / sqrt(10).
    """
    words = {"keep": "kept", "discard": "reverted", "disqualified": "ineligible", "preflight_crash": "crashed"}
    count = simple(
        data,
        {"train_s": LOWER},
        words=words,
        text="hypothesis",
        baseline=2,
        readers=("blackboard",),
        carries=("verdict", "time", "lineage", "seeds"),
    )
    over: list[float] = []  # standard errors above the gate
    under: list[float] = []  # and below it
    for _, row in table(data)[0]:
        if mean := number(row["accuracy"]):
            assert row["n_seeds"] == "10"
            errors = (mean - 0.96) / (float(row["acc_std"]) / 10**0.5)
            (under if row["status"] == "disqualified" else over).append(errors)
    assert all(x > 0 for x in over)
    count.facts = {
        "passed": len(over),
        "passed_by_less_than_one_error": sum(x < 1 for x in over),
        "failed_by_less_than_two_errors": sum(x > -2 for x in under),
    }
    return count


@rule("manavsehgal+ai-field-notes/pg_variant_single_agent~results.tsv")
def single_agent(data: bytes) -> Count:
    """The same with val_bpb and two budgets; 201 rows. Lines 21 and 35 have 7 cells: a tool call leaked into the text.

    Behind its closing tag or quote the other cells stand between spaces, in order: expected_delta, status, val_bpb, so
    both rows can be read, and are (discard 1.079424; size_blocked 1.081242). size_blocked and *_budget_overrun are
    ineligible, with or without a value. 1.068413 (line 167, size_blocked) is below the best.
    """
    words = {
        "baseline": "baseline", "keep": "kept", "discard": "reverted", "size_blocked": "ineligible",
        "eval_budget_overrun": "ineligible", "train_budget_overrun": "ineligible",
        "crash": "crashed", "preflight_crash": "crashed", "harness_abort": "crashed",
    }  # fmt: skip
    rows, rest = table(data)
    tries = []
    for n, row in rows:
        if len(row) == 7:
            tail = re.search(r" (-?[\d.]+) (\w+) ([\d.]+) ", row["hypothesis"])
            assert tail
            row |= {"status": tail[2], "val_bpb": tail[3]}
        status = words[row["status"]]
        tries.append(Try(n, status, {"val_bpb": number(row["val_bpb"])}, row["hypothesis"]))
    return split(
        Count(
            readers=("blackboard",),
            goals={"val_bpb": LOWER},
            tries=tries,
            unreadable=len(rest),
            carries=("verdict", "time", "lineage"),
        )
    )


# --- configurations and proposals in JSON lines ----------------------------------------------------------------------


def stages(data: bytes) -> Count:
    """A header line, trials with a proposal each, a closing line of counts."""
    found = objects(data)
    last = found[-1][1]
    tries = []
    for n, o in found[1:-1]:
        assert o["stage"] == "evaluated"
        status = {"keep": "kept", "revert": "reverted"}[o["decision"]]
        pair = (o["proposal"]["knob"], str(o["proposal"]["new_value"]))
        tries.append(Try(n, status, {"val_bpb": o["val_bpb"]}, "", pair))
    counts = Counter(t.status for t in tries)
    assert (last["accept_count"], last["revert_count"]) == (counts["kept"], counts["reverted"])
    count = Count(
        readers=("stages",),
        goals={"val_bpb": LOWER},
        tries=tries,
        carries=("verdict", "knobs", "time"),
        pairs="native",
    )
    count.baseline = Try(1, "baseline", {"val_bpb": found[0][1]["baseline_val_bpb"]})
    return count


@rule("manavsehgal+ai-field-notes/trajectory.jsonl")
def amnesiac(data: bytes) -> Count:
    """52 lines: header with the baseline, 50 evaluated trials, closing line; its own counts agree. Base never moves."""
    count = stages(data)
    groups: dict[Any, list[float]] = {}
    for t in count.tries:
        groups.setdefault(t.pair, []).append(t.values["val_bpb"] or 0.0)
    count.replicates = [tuple(g) for g in groups.values() if len(g) > 1]
    return count


@rule("manavsehgal+ai-field-notes/smoke_trajectory.jsonl")
def smoke(data: bytes) -> Count:
    """The same with three trials."""
    return stages(data)


@rule("manavsehgal+ai-field-notes/distill-architect~train.jsonl")
def distilled(data: bytes) -> Count:
    """42 objects iter, messages, decision, val_bpb: a training corpus made of the first 42 trials of trajectory.jsonl.

    Every value and decision is that of the trial with the same number; the proposal is the last message, as JSON. It is
    no run, so its reader has to be named.
    """
    tries = []
    for n, o in objects(data):
        proposal = json.loads(o["messages"][-1]["content"])
        status = {"keep": "kept", "revert": "reverted"}[o["decision"]]
        pair = (proposal["knob"], str(proposal["new_value"]))
        tries.append(Try(n, status, {"val_bpb": o["val_bpb"]}, "", pair))
    return Count(
        readers=("configs",),
        asked="configs",
        goals={"val_bpb": LOWER},
        tries=tries,
        carries=("verdict", "knobs"),
        pairs="native",
    )


@rule("dlmastery+autoresearch-uci/beijing_pm25~autoresearch_results~experiment_log.jsonl")
def uci(data: bytes) -> Count:
    """195 objects with a nested config, status KEEP or DISCARD, val_primary (rmse) and composite.

    composite is minus the rmse, less a penalty: higher is better, although config.composite.higher_is_better is false;
    that word is about the primary metric. Taken literally, it would make the worst row the best. Either metric gives
    the same best row. Line 1 calls itself a baseline. experiment_num 174 stands there twice. Line 44 changes the seed
    and nothing else on what line 30 kept. The test metric is written down in every row. Rows that say t+6 predict six
    hours ahead, a harder task with errors of 57 to 59 where the others have 22 to 25; none of them is kept.
    """
    tries = []
    for n, o in objects(data):
        status = "baseline" if n == 1 else {"KEEP": "kept", "DISCARD": "reverted"}[o["status"]]
        values = {"val_primary": o["val_primary"], "composite": o["composite"]}
        tries.append(Try(n, status, values, o["description"]))
    at = {t.line: t.values["val_primary"] or 0.0 for t in tries}
    return split(
        Count(
            readers=("configs",),
            goals={"val_primary": LOWER, "composite": HIGHER},
            tries=tries,
            carries=("verdict", "goal", "knobs", "time"),
            seed_change=abs(at[44] - at[30]),
            facts={"other_task": sum(" t+6 " in t.text for t in tries)},
        )
    )


@rule("karpathy+autoresearch/pr238~genetic_focused~results.jsonl")
def genetic(data: bytes) -> Count:
    """15 objects with params and results: no verdict, so evaluated rows are reverted and best is over all of them."""
    tries = [
        Try(
            n,
            "reverted",
            {"val_bpb": o["results"]["val_bpb"]},
            "",
            tuple(f"{k}={v}" for k, v in sorted(o["params"].items())),
        )
        for n, o in objects(data)
    ]
    return Count(
        readers=("configs",),
        goals={"val_bpb": LOWER},
        tries=tries,
        verdicts=False,
        carries=("knobs", "time"),
        pairs="native",
    )


@rule("karpathy+autoresearch/pr238~genetic_focused_20260312_200253~study.db")
def study(data: bytes) -> Count:
    """An Optuna study: one, MINIMIZE, 15 COMPLETE trials of 4 parameters; the same values as the table beside it.

    Read from a copy in memory. The lines are those of no file, so no line of the best is expected; here it is number.
    """
    db = sqlite3.connect(":memory:")
    db.deserialize(data)
    assert db.execute("select direction from study_directions").fetchall() == [("MINIMIZE",)]
    found = db.execute(
        "select trial_id, number, state, value, value_type"
        " from trials join trial_values using (trial_id) order by number"
    ).fetchall()
    assert {(state, kind) for _, _, state, _, kind in found} == {("COMPLETE", "FINITE")}
    tries = []
    for ident, n, _, value, _ in found:
        params = db.execute(
            "select param_name, param_value from trial_params where trial_id = ? order by param_name", (ident,)
        ).fetchall()
        tries.append(Try(n, "reverted", {"value": value}, "", tuple(f"{k}={v}" for k, v in params)))
    return Count(
        readers=("optuna",),
        goals={"value": LOWER},
        tries=tries,
        verdicts=False,
        carries=("goal", "knobs", "time"),
        pairs="native",
    )


# --- what is said of a file ------------------------------------------------------------------------------------------


def better(goal: str, a: float, b: float) -> bool:
    """Whether a beats b."""
    return a < b if goal == LOWER else a > b


def best(count: Count, name: str) -> tuple[float | None, int | None]:
    """The best value of a metric and its line."""
    goal = count.goals[name]
    mine = ("kept",) if count.verdicts else ("kept", "reverted")
    found: tuple[float | None, int | None] = (None, None)
    for t in count.tries:
        value = t.values[name]
        known = goal and t.status in mine and value is not None
        if known and (found[0] is None or better(goal, value or 0.0, found[0])):
            found = (value, t.line)
    return found


def dry(count: Count, name: str, start: float | None) -> int | None:
    """The longest stretch of evaluated trials without a strict best over everything eligible, the baseline included."""
    if not any(t.status in EVALUATED for t in count.tries):
        return None
    seen, now, longest = start, 0, 0
    for t in count.tries:
        if t.status in EVALUATED:
            now += 1
            value = t.values[name] if t.status != "ineligible" else None
            if value is not None and (seen is None or better(count.goals[name], value, seen)):
                seen, now = value, 0
            longest = max(longest, now)
    return longest


def decisions(count: Count, name: str, held: float | None) -> tuple[list[float], int, int]:
    """What each keep gained on the best kept so far, how many gained nothing, how many discards were better than it."""
    gains, worse, missed = [], 0, 0
    for t in count.tries:
        value = t.values[name]
        if value is None or t.status not in ("kept", "reverted"):
            continue
        ahead = held is None or better(count.goals[name], value, held)
        if t.status == "reverted":
            missed += ahead and held is not None
        elif ahead:
            gains += [abs(value - held)] if held is not None else []
            held = value
        else:
            worse += 1
    return gains, worse, missed


def course(count: Count) -> dict[str, Any]:
    """How the run went by its first metric; the baseline is what the first keep is held against.

    `same_value`: evaluated trials that scored what an earlier one did, to the last of eight digits or more.
    """
    name, goal = next(iter(count.goals.items()))
    if not goal or count.no_metric:
        return {}
    start = count.baseline.values.get(name) if count.baseline else None
    long = [
        v for t in count.tries if t.status in EVALUATED and (v := t.values[name]) is not None and digits(v) >= DIGITS
    ]
    about: dict[str, Any] = {"longest_dry": dry(count, name, start), "same_value": len(long) - len(set(long))}
    gains, worse, missed = decisions(count, name, start)
    if count.verdicts:
        about |= {"keeps_not_better": worse, "discarded_better": missed, "keeps_that_gained": len(gains)}
    if count.seed_change is not None:
        small = [gain for gain in gains if gain < count.seed_change]
        about |= {"seed_change": round(count.seed_change, 6), "gains_below_seed_change": len(small)}
        about["their_share"] = round(sum(small) / sum(gains), 3)
    if count.replicates:
        squares = sum(sum((x - sum(g) / len(g)) ** 2 for x in g) for g in count.replicates)
        df = sum(len(g) - 1 for g in count.replicates)
        about["replicate_sd"], about["replicate_df"] = float(f"{(squares / df) ** 0.5:.4g}"), df
        about["bound"] = float(f"{1.645 * (2 * squares / df) ** 0.5:.4g}")  # one against one, one-sided at 5%
        about["gains_below_noise"] = sum(gain <= about["bound"] for gain in gains)
    return about


def digits(value: float) -> int:
    """Significant digits that were written down."""
    return len(repr(abs(value)).replace(".", "").strip("0"))


def repeats(count: Count) -> dict[str, Any]:
    """Changes that were tried before: by the file's own fields where it has them, and by equal text."""
    about: dict[str, Any] = {}
    texts = [" ".join(t.text.casefold().split()) for t in count.tries if t.text]
    if texts:
        about["same_text"] = len(texts) - len(set(texts))
    if count.again is not None:
        evaluated = {t.line for t in count.tries if t.status in EVALUATED}
        assert set(count.again) <= evaluated
        about |= {"from": "eye", "repeats": len(count.again), "n": len(evaluated)}
    if count.pairs:
        found = [t.pair for t in count.tries if t.pair and t.status in EVALUATED]
        knobs = {part.partition("=")[0] for p in found for part in (p if "=" in p[0] else p[:1])}
        about |= {"from": count.pairs, "knobs": len(knobs), "unique": len(set(found)), "n": len(found)}
        about["repeats"] = len(found) - len(set(found))
    return about


def report(path: Path, data: bytes, count: Count) -> dict[str, Any]:
    """Everything that is written down of a file."""
    text = path.suffix != ".db"
    content = len(lines(data)) if text else None
    statuses = Counter(t.status for t in count.tries)
    assert set(statuses) <= set(STATUSES)
    names = list(count.goals)
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "readers": list(count.readers),
        "asked": count.asked,
        "lines": data.count(b"\n") if text else None,
        "content_lines": content,
        "blank_lines": data.count(b"\n") - content if content is not None else None,
        "unreadable": count.unreadable,
        "baseline": {"line": count.baseline.line, "value": count.baseline.values.get(names[0])}
        if count.baseline
        else None,
        "trials": len(count.tries),
        **{s: statuses[s] for s in STATUSES},
        "verdicts": count.verdicts,
        "metric_is_a_guess": count.no_metric,
        "metrics": {
            n: dict(zip(("goal", "best", "line"), (g or None, *best(count, n)), strict=True))
            for n, g in count.goals.items()
        },
        "carries": list(count.carries),
        "course": course(count),
        "pairs": repeats(count),
        "facts": count.facts,
    }


def counted(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every file of the folder that has a rule."""
    for name in sorted(RULES):
        path = folder / name
        if path.is_file():
            data = path.read_bytes()
            yield name, report(path, data, RULES[name](data))


def dumped(found: dict[str, Any]) -> str:
    """The text of real_expected.json: one file of the owners, one line."""
    rows = (f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items())
    return "{\n" + ",\n".join(rows) + "\n}\n"


def main() -> None:
    """Print the table; with --write, note the figures."""
    parse = argparse.ArgumentParser(description="Count public trajectory files by hand-written rules.")
    parse.add_argument("folder", nargs="?", default=os.environ.get("TRAJSCOPE_REAL"), help="or TRAJSCOPE_REAL")
    parse.add_argument("--write", action="store_true", help="rewrite tests/real_expected.json")
    args = parse.parse_args()
    if not args.folder or not Path(args.folder).is_dir():
        sys.exit("name the folder that holds the files, or set TRAJSCOPE_REAL")
    folder = Path(args.folder)
    found = dict(counted(folder))
    here = {p.relative_to(folder).as_posix() for p in folder.glob("*/*") if p.is_file()}
    say = sys.stdout.write
    say(f"{'file':<76}{'lines':>6}{'unrd':>5}{'trial':>6}{'kept':>5}{'rev':>5}{'crash':>6}{'inel':>5}{'blck':>5}")
    say(f"{'perr':>5}{'other':>6}  best (line)\n")
    for name, f in found.items():
        n = [f["lines"] or 0, f["unreadable"], f["trials"], *(f[s] for s in STATUSES)]
        wide = (6, 5, 6, 5, 5, 6, 5, 5, 5, 6)
        marks = "; ".join(f"{k} {m['best']} ({m['line']})" for k, m in f["metrics"].items())
        say(f"{name[-75:]:<76}{''.join(f'{x:>{w}}' for x, w in zip(n, wide, strict=True))}  {marks}\n")
    say(f"{len(found)} files; without a rule: {sorted(here - set(found)) or 'none'}\n")
    if args.write:
        EXPECTED.write_text(dumped(found), "utf-8")
        say(f"wrote {EXPECTED.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main()
