"""Tables with a row per experiment: every reader keeps the contract, and every quirk of a real file is survived.

Planted and seen to fail, each under the test that is for it: a quote taken off that nobody closed, letters of a tab
left as they are, the first of two possible statuses taken, cells told apart without a known status, the 0 of a crash
kept, a promoted proxy taken for a keep, a run that goes on under another metric, an unknown word that is kept, a
preamble that is not read, a baseline that is only known by its text.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tablerows import COLUMNS, cut, events, headers, measures, read, told, trials, tsv, unread

from trajscope import analysis, conversion, sources
from trajscope.errors import ForeignError
from trajscope.layout import Layout
from trajscope.readers import Source, find
from trajscope.readers.blackboard import Blackboard
from trajscope.readers.campaign import Campaign
from trajscope.readers.codex import Codex
from trajscope.readers.grid import Shape, fitted, split
from trajscope.readers.knobs import Knobs
from trajscope.readers.statuses import Statuses
from trajscope.readers.table import Table
from trajscope.testing import GARBAGE, NOBODYS, ReaderContract, plain
from trajscope.trial import STATUSES, Event, Header

SAMPLES = Path(__file__).resolve().parents[1] / "sample_runs"


# --- the contract -----------------------------------------------------------------------------------------------


class TestTable(ReaderContract):
    reader = Table
    sample = SAMPLES / "table/results.tsv"
    more = (SAMPLES / "table/quoted.csv",)
    silent = frozenset({0})


class TestTableWithoutAHeader(ReaderContract):
    reader = Table
    sample = b"HEAD\t1.5\t11.2\tkeep\tLR 0.1 to 0.2\na1b2c3d\t1.4\t11.2\tdiscard\tLR 0.2 to 0.4\n"


class TestCodex(ReaderContract):
    reader = Codex
    sample = SAMPLES / "codex/results.tsv"
    silent = frozenset(range(5))


class TestBlackboard(ReaderContract):
    reader = Blackboard
    sample = SAMPLES / "blackboard/results.tsv"
    silent = frozenset({0})


class TestKnobs(ReaderContract):
    reader = Knobs
    sample = SAMPLES / "knobs/changes.tsv"
    more = (SAMPLES / "knobs/grid.tsv",)
    silent = frozenset({0})


class TestCampaign(ReaderContract):
    reader = Campaign
    sample = SAMPLES / "campaign/campaign.tsv"
    silent = frozenset({0})


class TestCampaignOfRecords(ReaderContract):
    reader = Campaign
    sample = (
        b'{"experiment_id":"baseline","iteration":0,"status":"keep","description":"Baseline","metrics":{"auroc":0.6},'
        b'"num_seeds_success":5,"num_seeds_total":5,"p_values":{},"effect_sizes":{},"timestamp":1767225600}\n'
        b'{"experiment_id":"iter_0001","iteration":1,"status":"revert","description":"depth 5 -> 6",'
        b'"metrics":{"auroc":0.59},"num_seeds_success":5,"num_seeds_total":5,"p_values":{"auroc":0.4},"timestamp":1}\n'
    )


# --- which reader -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "row", "name"),
    [
        ("commit\tval_bpb\tmemory_gb\tstatus\tdescription", "a1b2c3d\t1\t2\tkeep\tx", "table"),
        ("description\tstatus\tval_loss\tcommit", "x\tkeep\t1\ta1b2c3d", "table"),
        ("HEAD\t1.5\t11.2\tkeep\tx", "HEAD\t1.6\t11.2\tdiscard\tx", "table"),
        ("id;score;status;note", "1;2;keep;x", "table"),
        ("| commit | accuracy | status |", "| a | 1 | keep |", "table"),
        ("experiment,val_bpb,compressed_bytes,status,timestamp", "a,1,2,success,2026-01-01", "table"),
        ("timestamp\tcommit\ttoffoli\tclifford\tqubits\tops\tcorrect\tnotes", "1\ta\t5\t6\t7\t8\tOK\tx", "table"),
        ("iteration\tcommit\tmetric\tdelta\tguard\tstatus\tdescription", "0\ta\t1\t0\t-\tbaseline\tx", "codex"),
        ("exp_id\tparent_exp\tdepth\tpath\tstatus\tval_bpb", "001\t000\t1\t000/001\tkeep\t1", "blackboard"),
        ("experiment\tparam_changed\told_value\tnew_value\tscore\tstatus", "1\tLR\t1\t2\t3\tkeep", "knobs"),
        ("iteration\tn_walkers\tdirection\twidth\tslice_fn\tn_expand\tmetric\tdelta\tdecision\tnote",
         "1\t8\tde\t1.5\tx\t3\t0.1\t0\tkeep\tx", "knobs"),
        ("iteration\texperiment_id\tstatus\tdescription\tdecision_reason\tmetrics_json", "0\tb\tkeep\tx\ty\t{}",
         "campaign"),
    ],
)  # fmt: skip
def test_a_table_is_known_by_its_columns(head: str, row: str, name: str) -> None:
    for end in ("\n", "\r\n"):
        assert find("x", f"{head}{end}{row}{end}".encode()).name == name
        assert find("x", f"\ufeff{head}{end}{row}{end}".encode()).name == name


@pytest.mark.parametrize(
    ("head", "name"), [(COLUMNS, "table"), (("exp_id", "parent_exp", "status", "val_bpb"), "blackboard")]
)
def test_a_header_that_stands_alone_is_known_already(head: tuple[str, ...], name: str) -> None:
    for end in ("\n", ""):
        assert find("x", ("\t".join(head) + end).encode()).name == name


@pytest.mark.parametrize(
    "data",
    [
        *NOBODYS,
        b"id,status,description,priority\n1,open,broken door,2\n2,closed,window,1\n",  # a list of tickets
        b"name,address,city\nA,B,C\n",
        b"The loss, then the status, and the commit.\n",
        b"x,y,z\n1,2,3\n",
        b"date\topen\thigh\tlow\tclose\n2026-01-01\t1\t2\t0\t1\n",
        b"import os, sys, json\nstatus = 1, 2\n",
    ],
)
def test_a_table_of_something_else_is_nobodys(data: bytes) -> None:
    assert not any(kind.sniff(data) for kind in (Table, Codex, Blackboard, Knobs, Campaign))


# --- the quirks of real files -------------------------------------------------------------------------------------

BASE = ("baseline", "1.1", "11", "keep", "baseline")


def test_separators_that_echo_left_as_letters_are_separators() -> None:
    rows = [BASE, r"a1\t1.0\t11\tkeep\tLR 1 to 2", ("a2", "1.2", "11", "discard", r"a path C:\temp")]
    assert told(read(tsv(*rows))) == [("kept", 1.0), ("reverted", 1.2)]
    whole = tsv(*rows).replace(b"\t", b"\\t")
    assert told(read(whole)) == [("kept", 1.0), ("reverted", 1.2)]


def test_a_newline_inside_a_text_spoils_one_line_and_not_the_table() -> None:
    items = read(
        tsv(
            BASE,
            ("a1", "1.0", "11", "keep", "does:"),
            "import os",
            "",
            "   ",
            '"""Text',
            ("a2", "1.2", "11", "discard", "x"),
        )
    )
    assert told(items) == [("kept", 1.0), ("reverted", 1.2)]
    assert [u.seq for u in unread(items)] == [3, 6]
    assert [(e.kind, e.seq) for e in events(items)] == [("blank", 5)]
    assert "belongs to the row before (line 3)" in unread(items)[0].why


def test_a_traceback_is_no_row() -> None:
    spilled = ["Traceback (most recent call last):", '  File "x.py", line 3, in <module>', "    f(a)", "ValueError: no"]
    items = read(tsv(BASE, *spilled, ("a2", "1.2", "11", "discard", "x")))
    assert [u.why for u in unread(items)] == ["a line of a Python traceback"] * 4
    assert told(items) == [("reverted", 1.2)]


def test_a_table_of_nothing_but_a_traceback_is_a_run_without_trials() -> None:
    data = b"B\tH\tnum_warps\tlatency_us\nTraceback (most recent call last):\nValueError: no\n"
    items = read(data)
    assert [type(x).__name__ for x in items] == ["Header", "Unreadable", "Unreadable"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"says ""this"" and that"', 'says "this" and that'),
        ('a "word" in it', 'a "word" in it'),
        ('"only at its beginning', '"only at its beginning'),
        ('""', ""),
        ('"', '"'),
    ],
)
def test_quotes_are_taken_off_a_cell_that_begins_and_ends_with_one(cell: str, text: str) -> None:
    assert split(f"a\t{cell}", "\t") == ["a", text]
    if cell.count('"') % 2 == 0:
        items = read(tsv(BASE, ("a1", "1.0", "11", "keep", cell)))
        assert told(items) == [("kept", 1.0)]


def test_a_quoted_cell_may_hold_separators_and_newlines() -> None:
    data = b'id,score,status,note\r\n1,0.5,keep,"one, two"\r\n2,0.4,revert,"a\r\nb, ""c"""\r\n3,0.6,keep,x\r\n'
    items = read(data)
    assert told(items) == [("kept", 0.5), ("reverted", 0.4), ("kept", 0.6)]
    assert (unread(items), [e.kind for e in events(items)]) == ([], ["part"])


def test_a_quote_that_is_never_closed_costs_one_row() -> None:
    items = read(b'id,score,status,note\n1,0.5,keep,"open\n2,0.4,revert,x\n3,0.6,keep,y\n')
    assert told(items) == [("reverted", 0.4), ("kept", 0.6)]
    assert trials(items)[0].faults == ("the row that begins in line 2 never ends",)


SQUASHED = "a1\tsome text</hypothesis> -0.1 {} {} 11 x"
WIDE = ("id", "hypothesis", "expected", "status", "val_bpb", "memory_gb", "notes")


def test_cells_that_were_run_together_are_told_apart_where_it_is_certain() -> None:
    base = ("b", "baseline", "", "keep", "1.1", "11", "")
    sure = read(tsv(base, SQUASHED.format("discard", "1.2"), head=WIDE))
    assert told(sure) == [("reverted", 1.2)]
    assert "run together" in trials(sure)[0].faults[0]
    for status, value in (("discard", "worse"), ("text", "1.2"), ("", "")):
        items = read(tsv(base, SQUASHED.format(status, value), head=WIDE))
        assert (told(items), len(unread(items))) == ([], 1)


def test_a_row_wider_than_its_header_is_put_right_where_its_text_is_last() -> None:
    items = read(tsv(BASE, ("a1", "1.0", "11", "keep", "one", "two", "three")))
    assert (told(items), trials(items)[0].faults) == ([("kept", 1.0)], ())


def test_a_row_that_slipped_by_one_cell_is_read_by_its_status() -> None:
    items = read(tsv(BASE, ("a1", "1.0", "1.1", "11", "discard", "x"), ("a2", "1.0", "-", "-", "odd", "x")))
    assert told(items) == [("reverted", None), ("other", 1.0)]
    assert trials(items)[0].faults[0] == "has 6 cells under 5 columns"


def test_a_row_narrower_than_its_header_loses_what_it_lacks() -> None:
    items = read(tsv(BASE, ("a1", "1.0", "11", "keep"), ("a2", "1.2", "discard", "no memory"), ("a3", "1.2")))
    assert told(items) == [("kept", 1.0), ("reverted", None)]
    assert "read by where its status stands" in trials(items)[1].faults[0]
    assert [u.seq for u in unread(items)] == [4]


def test_a_row_in_which_two_cells_may_be_the_status_is_no_row() -> None:
    shape = Shape(5, 3, 1, 4)
    assert "two of its cells" in str(fitted("a\t1\tdiscard\tfailed", "\t", shape, lambda c: Statuses().of(c).known))


def test_new_columns_in_the_middle_of_a_file_are_the_same_run_while_the_metric_is() -> None:
    more = ("commit", "val_bpb", "memory_gb", "mfu", "status", "description")
    items = read(tsv(BASE, ("a1", "1.0", "11", "keep", "x"), more, ("a2", "0.9", "11", "50", "keep", "y")))
    assert [h.run_id for h in headers(items)] == ["results"]
    assert told(items) == [("kept", 1.0), ("kept", 0.9)]
    other = ("commit", "val_acc", "status", "description")
    items = read(tsv(BASE, ("a1", "1.0", "11", "keep", "x"), other, ("a2", "0.9", "keep", "y")))
    assert [(h.run_id, h.metric, h.goal) for h in headers(items)] == [
        ("results", "val_bpb", "minimize"),
        ("results-2", "val_acc", "maximize"),
    ]


def test_a_header_that_comes_again_says_nothing() -> None:
    items = read(tsv(BASE, COLUMNS, ("a1", "1.0", "11", "keep", "x"), COLUMNS))
    assert (len(headers(items)), told(items), unread(items)) == (1, [("kept", 1.0)], [])


def test_a_file_without_a_header_is_read_by_what_its_cells_hold() -> None:
    items = read(b"HEAD\t10.5\tkeep\tx\tmore\nHEAD\t11.5\tdiscard\ty\tmore\n")
    assert (headers(items)[0].metric, headers(items)[0].goal) == ("metric", None)
    assert told(items) == [("kept", 10.5), ("reverted", 11.5)]
    assert "the file has no header" in headers(items)[0].guesses[0]
    assert "--goal" in " ".join(headers(items)[0].guesses)


def test_line_ends_may_be_mixed() -> None:
    data = (
        tsv(BASE, ("a1", "1.0", "11", "keep", "x"))
        + tsv(("a2", "1.2", "11", "discard", "y"), end="\r\n")[len(tsv()) + 1 :]
    )
    assert b"\r\n" in data
    assert told(read(data)) == [("kept", 1.0), ("reverted", 1.2)]


@pytest.mark.parametrize("cell", ["", "-", "\u2014", "N/A", "n_a", "NaN", "null", "None", "FAILED", "pending", "?"])
def test_a_missing_metric_is_missing_however_it_is_spelled(cell: str) -> None:
    items = read(tsv(BASE, ("a1", cell, "11", "keep", "x"), ("a2", cell, "11", "crash", "y")))
    assert told(items) == [("kept", None), ("crashed", None)]
    assert trials(items)[0].faults == ("has no val_bpb",)


@pytest.mark.parametrize("zero", ["0", "0.000000", "0.0"])
def test_the_zero_of_a_crash_is_no_value(zero: str) -> None:
    items = read(
        tsv(BASE, ("a1", zero, "0.0", "crash", "x"), ("a2", zero, "11", "discard", "y"), ("a3", zero, "1", "keep", "z"))
    )
    assert told(items) == [("crashed", None), ("reverted", None), ("kept", 0.0)]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("84.50%", 84.5), ("-9.9%", -9.9), ("+0.0003", 0.0003), ("8\u00a2", 8.0), ("$3", 3.0), ("1.1x", 1.1),
        ("\u22122.5", -2.5), ("1,234.5", 1234.5), ("1e-4", 1e-4), ("3 of 4", None), ("better", None), ("1.2.3", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_spell_them(cell: str, value: float | None) -> None:
    assert told(read(tsv(BASE, ("a1", cell, "11", "keep", "x")))) == [("kept", value)]


WORDS = {
    "kept": ("keep", "KEEP", "kept", "KEPT", "accepted", "ACCEPT", "promote", "keep-candidate", "NEW CHAMPION (v2)"),
    "reverted": ("discard", "DISCARD", "revert", "reverted_worse", "REJECTED(x)", "archive", "incubate", "\u2717 drop"),
    "ineligible": ("disqualified", "size_blocked", "size-blocked", "SIZE BLOCKED", "eval_budget_overrun", "pruned"),
    "blocked": ("policy_reject",),
    "aborted": ("harness_abort",),
    "proposer_error": ("llm_error",),
    "crashed": ("crash", "FAIL", "failed", "ERROR", "preflight_crash", "server_failed", "benchmark_failed", "oom"),
    "other": ("pending", "planned", "started", "WIP", "INFO", "STALE", "TRANSFER", "FINAL", "note", "anchor", "refine"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "said"), [(s, w) for s, words in WORDS.items() for w in words])
def test_a_status_is_known_by_how_it_begins_and_its_word_is_kept(status: str, said: str) -> None:
    t = trials(read(tsv(BASE, ("a1", "1.0", "11", said, "x"))))[0]
    assert (t.status, t.raw_status) == (status, said)


@given(st.text(max_size=20))
def test_a_word_that_nobody_knows_is_never_a_keep(word: str) -> None:
    said = Statuses().of(word)
    keeps = (
        "keep",
        "kept",
        "accept",
        "promot",
        "champion",
        "new champion",
        "new_champion",
        "new_best",
        "adopt",
        "support",
    )
    if said.status == "kept":
        assert said.known
        plain_word = word.casefold().replace("-", "_").replace(" ", "_").lstrip("_")
        assert any(k.replace(" ", "_") in plain_word for k in keeps) or "new" in plain_word
    assert said.known or said.status == "other"


@pytest.mark.parametrize("word", ["unkept", "not kept", "no keep", "random", "okra", "nano", "outdated", "7"])
def test_a_word_that_only_resembles_a_keep_is_none(word: str) -> None:
    assert Statuses().of(word).status != "kept"
    assert trials(read(tsv(BASE, ("a1", "1.0", "11", word, "x"))))[0].status != "kept"


@pytest.mark.parametrize("word", ["nanfoo", "okay_but", "runaway", "oompa"])
def test_a_short_beginning_inside_of_a_longer_word_is_none(word: str) -> None:
    assert Statuses().of(word) == ("other", False)


def test_the_longest_beginning_that_fits_wins() -> None:
    words = Statuses({"kept": ("good",), "reverted": ("good but slow",), "other": ("goo",)})
    assert [words.of(w).status for w in ("good enough", "good, but", "good but slower", "goods")] == [
        "kept",
        "kept",
        "reverted",
        "kept",
    ]


def test_a_keep_after_a_first_row_without_a_verdict_is_said_to_be_late() -> None:
    (header,), found = headers(items := read(tsv(*((f"a{n}", f"1.{n}", "11", w, "x") for n, w in LATE)))), trials(items)
    assert header.has_keeps is False
    assert [t.status for t in found] == ["reverted", "kept", "other", "kept"]
    assert [bool(t.faults) for t in found] == [False, True, True, False], "it is said once; then `ok` is no verdict"
    assert "what was kept is not known" in found[1].faults[0]


LATE = ((1, "ok"), (2, "keep"), (3, "ok"), (4, "keep"))


def test_where_rows_name_their_parents_the_search_branches() -> None:
    head = ("exp_id", "parent_exp", "hypothesis", "status", "val_bpb")
    (with_parents,) = headers(read(tsv(("000", "", "baseline", "baseline", "1.1"), head=head)))
    (without,) = headers(read(tsv(BASE)))
    assert (with_parents.branching, without.branching) == (True, False)


def test_ids_may_repeat() -> None:
    items = read(tsv(BASE, *(("a1", str(n), "11", "discard", f"LR {n}") for n in range(2, 5))))
    assert [t.seq for t in trials(items)] == [2, 3, 4]
    assert [t.config for t in trials(items)] == [None, None, None]


def test_a_name_of_a_lineage_that_comes_again_stands_for_nothing() -> None:
    head = ("exp_id", "parent_exp", "hypothesis", "status", "val_bpb")
    items = read(
        tsv(
            ("000", "", "baseline", "baseline", "1.1"),
            ("001", "000", "x", "keep", "1.0"),
            ("001", "001", "y", "discard", "1.2"),
            head=head,
        )
    )
    assert [(t.config, t.base) for t in trials(items)] == [("001", "000"), (None, "001")]


def test_of_several_objectives_without_a_first_none_is_taken() -> None:
    head = ("commit", "performance", "accessibility", "seo", "status", "description")
    data = tsv(("a0", "59", "85", "61", "keep", "baseline"), ("a1", "60", "85", "92", "keep", "x"), head=head)
    items = read(data)
    assert (headers(items)[0].metric, len(measures(items))) == (None, 1)
    said = " ".join(headers(items)[0].guesses)
    assert "performance, accessibility, seo" in said
    assert "--metric" in said
    named = read(data, metric="seo", goal="maximize")
    assert (headers(named)[0].metric, told(named)) == ("seo", [("kept", 92.0)])
    assert headers(named)[0].guesses == ()


def test_of_two_that_could_be_the_metric_the_first_is_taken_and_that_is_said_once() -> None:
    head = ("commit", "accuracy", "adjusted_score", "latency_s", "status", "description")
    rows = [(f"a{n}", "0.5", "0.4", "3", "discard", "x") for n in range(3)]
    items = read(tsv(*rows, head=head))
    assert [len(t.faults) for t in trials(items)] == [0, 0, 0]
    (said,) = headers(items)[0].guesses
    assert "accuracy is taken as the metric, the first among adjusted_score" in said
    assert trials(items)[0].metrics == {"adjusted_score": 0.4, "latency_s": 3.0}


def test_what_stood_before_a_change_is_not_what_it_is_judged_by() -> None:
    head = ("commit", "metric_before", "metric_after", "delta", "status", "description")
    items = read(
        tsv(
            ("none", "5", "6", "1", "keep", "x"),
            ("none", "0", "0", "0", "rejected", "unread"),
            ("none", "6", "0", "-6", "rejected", "y"),
            head=head,
        )
    )
    assert headers(items)[0].metric == "metric_after"
    assert told(items) == [("kept", 6.0), ("blocked", None), ("reverted", 0.0)]


def test_a_right_result_is_not_for_that_a_kept_one() -> None:
    head = ("experiment", "throughput_tflops", "correctness", "description")
    items = read(
        tsv(
            ("0", "10", "PASS", "baseline"),
            ("1", "12", "PASS", "x"),
            ("2", "11", "REVERT", "y"),
            ("3", "0", "FAIL", "z"),
            ("4", "13", "KEEP", "w"),
            head=head,
        )
    )
    assert told(items) == [("other", 12.0), ("reverted", 11.0), ("crashed", None), ("kept", 13.0)]
    assert "no verdict" in " ".join(headers(items)[0].guesses)


def test_a_run_of_nothing_but_zeros_or_failures_is_a_run() -> None:
    items = read(tsv(*((f"a{n}", "0", "0", "crash", "x") for n in range(4))))
    assert told(items) == [("crashed", None)] * 4


def test_letters_of_any_alphabet_stand() -> None:
    items = read(tsv(BASE, ("a1", "1.0", "11", "keep", "\u5b66\u4e60\u7387 0.1 \u2192 0.2 \u2014 \\!")))
    assert told(items) == [("kept", 1.0)]


def test_bytes_that_are_no_text_do_not_lose_a_row() -> None:
    items = read(tsv(BASE) + b"a1\t1.0\t11\tkeep\t\xff\xfe\na2\t1.2\x00\t11\tdiscard\tx\n\x00\x00\x00\n")
    assert told(items) == [("kept", 1.0), ("reverted", 1.2)]
    assert trials(items)[1].faults == ("holds NUL bytes",)
    assert len(unread(items)) == 1


def test_a_vertical_line_may_separate_and_frame() -> None:
    data = b"| commit | accuracy | status |\n|---|:-:|---|\n| a1 | 0.5 | keep |\n| a2 | 0.4 | drop |\n"
    assert told(read(data)) == [("kept", 0.5), ("reverted", 0.4)]


def test_a_column_of_yes_and_no_is_a_verdict() -> None:
    items = read(b"iteration,val_loss,kept,change\n1,0.5,True,x\n2,0.6,False,y\n3,0.4,maybe,z\n")
    assert told(items) == [("kept", 0.5), ("reverted", 0.6), ("other", 0.4)]


@pytest.mark.parametrize(
    ("name", "text", "measured"),
    [
        ("baseline", "as it was", True), ("a1", "Baseline run", True), ("a1", "[p1] baseline: all defaults", True),
        ("a1", "worse than baseline", False), ("a1", "beats the baseline", False), ("a1", "LR 1 to 2", False),
    ],
)  # fmt: skip
def test_the_first_row_is_a_measure_where_it_calls_itself_a_baseline(name: str, text: str, measured: bool) -> None:
    items = read(tsv((name, "1.1", "11", "keep", text), ("a2", "1.0", "11", "keep", "x")))
    assert (len(measures(items)), len(trials(items))) == ((1, 1) if measured else (0, 2))


def test_a_later_row_that_calls_itself_a_baseline_is_a_trial() -> None:
    items = read(tsv(BASE, ("a2", "1.0", "11", "keep", "baseline again")))
    assert (len(measures(items)), told(items)) == (1, [("kept", 1.0)])


def test_a_crash_before_anything_else_has_no_value_either() -> None:
    assert told(read(tsv(("a1", "0.000000", "0.0", "crash", "x"), BASE))) == [("crashed", None)]


def test_a_commit_of_digits_is_no_iteration() -> None:
    items = read(tsv(BASE, ("1234567", "1.0", "11", "keep", "x"), ("007", "1.2", "11", "discard", "y")))
    assert [t.iter for t in trials(items)] == [None, 7]


# --- formats with a meaning of their own ---------------------------------------------------------------------------


def test_the_direction_of_a_preamble_holds_and_a_failed_guard_is_said() -> None:
    items = read((SAMPLES / "codex/results.tsv").read_bytes())
    header = headers(items)[0]
    assert (header.metric, header.goal) == ("metric", "maximize")
    assert header.about["metric"] == "requests served"
    assert [t.faults for t in trials(items) if t.status == "kept"] == [(), ("was kept, and its guard says 'fail'",)]


def test_another_preamble_in_the_middle_begins_another_run() -> None:
    data = (SAMPLES / "codex/results.tsv").read_bytes()
    items = read(data + data.replace(b"higher", b"lower"))
    assert [h.goal for h in headers(items)] == ["maximize", "minimize"]


def test_a_blackboard_says_what_was_built_on_what() -> None:
    items = read((SAMPLES / "blackboard/results.tsv").read_bytes())
    assert measures(items)[0].config == "000"
    assert [(t.config, t.base, t.based) for t in trials(items)][:2] == [("001", "000", True), ("002", "001", True)]
    assert Counter(t.status for t in trials(items))["ineligible"] == 2


def test_the_column_after_the_status_of_a_blackboard_is_its_metric() -> None:
    data = (SAMPLES / "blackboard/results.tsv").read_bytes().replace(b"val_bpb", b"core_metric")
    header = headers(read(data))[0]
    assert (header.metric, header.goal) == ("core_metric", None)


def test_columns_of_a_change_are_its_pair() -> None:
    items = read((SAMPLES / "knobs/changes.tsv").read_bytes())
    assert [(t.pair.label if t.pair else None, t.provenance) for t in trials(items)] == [
        ("MIN_SPREAD=5", "native"),
        ("MIN_SCORE=0.35", "native"),
        ("MIN_SPREAD=7", "native"),
        ("MIN_SPREAD=7", "native"),
    ]
    assert measures(items)[0].value is None  # its row slipped, and either of two cells could be the metric


HARD = ("iteration", "n_walkers", "width", "slice_fn", "metric", "delta", "decision", "note")


def test_columns_that_are_knobs_give_what_changed_since_the_last_keep() -> None:
    rows = (
        ("0", "8", "1.5", "a", "0.5", "0", "keep", "baseline"),
        ("1", "16", "1.5", "a", "0.4", "-", "keep", "x"),
        ("2", "16", "2.0", "b", "0.6", "-", "discard", "y"),
        ("3", "16", "1.5", "a", "0.41", "-", "discard", "again"),
    )
    items = read(tsv(*rows, head=HARD))
    assert [t.pair.label if t.pair else None for t in trials(items)][:2] == ["n_walkers=16", "slice_fn=b + width=2"]
    assert [t.provenance for t in trials(items)][:2] == ["column", "column"]
    assert [t.noop for t in trials(items)] == [False, False, True]


def test_knobs_beside_a_commit_are_only_some_of_what_ran() -> None:
    head = ("head_commit", "val_fvu", "k", "architecture", "tier", "decision", "description")
    rows = (
        ("a0", "0.5", "128", "topk", "full", "keep", "x"),
        ("a1", "0.4", "128", "topk", "proxy", "promote", "LR 1 -> 2"),
        ("a2", "0.4", "64", "topk", "full", "discard", "y"),
    )
    found = trials(read(tsv(*rows, head=head)))
    assert [t.status for t in found] == ["kept", "other", "reverted"]
    assert [(t.config, t.noop) for t in found] == [(None, None)] * 3
    assert [t.provenance for t in found[1:]] == ["text", "column"]


def test_a_grid_has_no_verdicts_and_proposes_whole_configurations() -> None:
    items = read((SAMPLES / "knobs/grid.tsv").read_bytes())
    assert headers(items)[0].has_keeps is False
    assert [len(t.pair.changes) if t.pair else 0 for t in trials(items)] == [5, 5, 5]
    assert {t.status for t in trials(items)} == {"reverted"}


def test_a_campaign_is_read_alike_as_a_table_and_as_records() -> None:
    table = read((SAMPLES / "campaign/campaign.tsv").read_bytes())
    assert (headers(table)[0].metric, headers(table)[0].goal) == ("pearson_deg", "maximize")
    assert [(t.iter, t.status, t.value) for t in trials(table)] == [
        (1, "kept", 0.25),
        (2, "reverted", 0.24),
        (3, "crashed", None),
    ]
    first = trials(table)[0].metrics or {}
    assert (first["seeds_ok"], first["p.pearson_deg"], first["effect.pearson_deg"]) == (5, 0.01, 1.5)
    records = read(TestCampaignOfRecords.sample)
    assert (headers(records)[0].metric, told(records)) == ("auroc", [("reverted", 0.59)])
    assert (trials(records)[0].metrics or {})["seeds"] == 5


def test_the_records_of_a_campaign_are_read_out_of_their_document_as_it_grows(tmp_path: Path) -> None:
    records = [json.loads(line) for line in TestCampaignOfRecords.sample.splitlines()]
    path, found = tmp_path / "campaign.json", []
    for n in (1, 2):
        path.write_text(json.dumps(records[:n], indent=2))
        found.append(b"".join(sources.read(path)))
    assert found[1].startswith(found[0])
    (doc,) = analysis.of_file(Source(str(path)))
    assert (doc["format"], doc["trials"], doc["baseline"]["value"]) == ("campaign", 1, 0.6)


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*/*.[tc]sv")), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_converted_table_says_what_the_table_said(sample: Path, tmp_path: Path) -> None:
    native = tmp_path / "run.jsonl"
    conversion.convert(Source(str(sample)), native)
    (before,), (after,) = analysis.of_file(Source(str(sample))), analysis.of_file(Source(str(native)))
    assert after["status"] == before["status"]
    for part in ("trials", "evaluated", "metric"):
        assert after[part] == before[part]
    assert after["baseline"]["value"] == before["baseline"]["value"]
    assert after["best"]["value"] == before["best"]["value"]
    for part in ("unique", "repeats", "singletons"):
        assert after["pairs"][part] == before["pairs"][part]
    assert after["verdict"]["word"] == before["verdict"]["word"]


# --- a map ---------------------------------------------------------------------------------------------------------


def test_a_map_opens_a_table_that_nobody_knows() -> None:
    data = b"w\tq\tz\nfoo\t1\tgood\nbar\t2\tbad\n"
    with pytest.raises(ForeignError):
        find("x", data)
    layout = Layout(metric="q", goal="minimize", status="z", statuses={"kept": ("good",), "reverted": ("bad",)})
    assert told(read(data, layout=layout)) == [("kept", 1.0), ("reverted", 2.0)]
    bare = Layout(header=("w", "q", "z"), metric="q", goal="minimize", status="z", statuses={"kept": ("good",)})
    assert told(read(data.partition(b"\n")[2], layout=bare)) == [("kept", 1.0), ("other", 2.0)]


def test_a_map_of_what_was_found_reads_the_same() -> None:
    for sample in sorted(SAMPLES.glob("*/*.[tc]sv")):
        data = sample.read_bytes()
        kind = find(sample, data)
        reader = kind(Source("results.tsv"))
        items = [x for line in cut(data) for x in reader.feed(line)]
        layout = reader.layout  # type: ignore[attr-defined]  # readers of tables have one
        assert layout.reader == kind.name
        again = read(data, layout=layout)
        first = [(t.status, t.value, t.pair, t.config) for t in trials(items)]
        assert [(t.status, t.value, t.pair, t.config) for t in trials(again)] == first, sample


def test_a_map_that_names_a_column_that_is_not_there_says_so() -> None:
    items = read(tsv(BASE, ("a1", "1", "2", "keep", "x")), layout=Layout(metric="val_bbp", status="status"))
    assert "the map names val_bbp, and there is no such column (have: commit, val_bpb" in headers(items)[0].guesses[0]


# --- laws ----------------------------------------------------------------------------------------------------------

SPELLINGS = (
    "",
    "a1",
    "HEAD",
    "0",
    "1.5",
    "-",
    "keep",
    "KEEP",
    "discard",
    "crash",
    "x -> y",
    '"',
    '"q"',
    "\\t",
    "#",
    "status",
)
CELL = st.sampled_from(SPELLINGS)
ROW = st.lists(CELL, min_size=0, max_size=8).map("\t".join)
TABLES = st.tuples(
    st.permutations(COLUMNS).flatmap(lambda c: st.integers(2, 5).map(lambda n: c[:n])), st.lists(ROW, max_size=8)
)


@given(TABLES)
def test_a_table_with_any_columns_keeps_nothing_that_no_row_calls_kept(table: tuple[list[str], list[str]]) -> None:
    head, rows = table
    data = ("\t".join(head) + "\n" + "\n".join(rows) + "\n").encode()
    items = read(data, Table)
    lines = data.decode().split("\n")
    for t in trials(items):
        assert t.status in STATUSES
        if t.status == "kept":  # a quoted cell may have gone on over lines, of which an event tells
            ended = [x.seq for x in items if not isinstance(x, Header | Event) and x.seq < t.seq]
            assert "keep" in "\n".join(lines[max(ended, default=0) + 1 : t.seq + 1]).casefold()
    if "keep" not in data.decode().casefold():
        assert all(t.status != "kept" for t in trials(items))


@given(
    st.binary(max_size=300),
    st.sampled_from([1, 2, 3, 7, 64]),
    st.sampled_from([Table, Codex, Blackboard, Knobs, Campaign]),
)
def test_any_bytes_in_any_pieces_give_the_same_and_never_raise(tail: bytes, size: int, kind: type[Any]) -> None:
    data = tsv(BASE) + tail
    one, two = kind(Source("x")), kind(Source("x"))
    whole = plain(x for line in cut(data) for x in one.feed(line))
    assert plain(x for line in cut(data, size) for x in two.feed(line)) == whole


@given(
    st.lists(st.sampled_from([*GARBAGE[:8], b"a1\t1\t2\tkeep\tx", b"\t", b'a\t1\t2\tkeep\t"open', b"#"]), max_size=8)
)
def test_every_line_is_told_of_or_is_silent_by_its_nature(lines: list[bytes]) -> None:
    reader = Table(Source("x"))
    list(reader.feed(cut(tsv())[0]))
    for n, data in enumerate(lines, 1):
        items = list(reader.feed(cut(data)[0]._replace(seq=n))) if cut(data) else [None]
        assert items or data.startswith(b"#")
        assert all(x is None or isinstance(x, Header) or x.seq == n for x in items)
