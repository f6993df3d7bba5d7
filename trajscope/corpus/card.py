"""Card: the README of a corpus, for who must decide whether to train on it. All of it follows from the manifest.

What comes from runs is a stranger's text: it stands in code spans, without anything that Markdown or HTML would act on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trajscope.corpus.rows import LEFT_OUT, REASONS, TABLES, Table
from trajscope.corpus.tables import SIDES
from trajscope.readable import number, plural, short

WORDS = {
    "pass": "The gate passed it. That predicts, it does not prove: no bound has a measured miss rate.",
    "fail": "**The gate says FAIL: something is wrong with what is there.**",
    "insufficient": "**The gate says INSUFFICIENT: too little is there to know, and that is no pass.**",
}
LETTERS = 80  # of a stranger's text
_SIGNS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "¦", "[": "&#91;", "`": "'", "*": "\\*", "_": "\\_"}


def card(m: Mapping[str, Any]) -> str:
    """The card as Markdown, with the head that dataset hubs read."""
    parts = [
        _head(m),
        "# A corpus of research trials",
        _what(m),
        "## May it be trained on?",
        _gate(m),
        "## What it must not be used for",
        "\n".join(f"* {x}" for x in _never(m)),
        "## What is in it",
        _tables(m),
        "## What was dropped",
        _dropped(m),
        "## How it was split",
        _split(m),
        "## What it teaches most",
        _labels(m),
        "## Weights",
        _weights(m),
        "## Columns",
        _COLUMNS,
        "## What it was made of",
        _inputs(m),
        "## How to check it",
        _CHECK,
    ]
    return "\n\n".join(parts) + "\n"


def _head(m: Mapping[str, Any]) -> str:
    """Which files are what, as hubs of datasets read it. Names of files are ours, never a stranger's."""
    lines = ["---", "configs:"]
    for table, said in _tables_of(m):
        there = [side for side in SIDES if said[side]["rows"]]
        if there:
            lines += [f"- config_name: {table}", "  data_files:"]
            lines += [f"  - split: {side}\n    path: parquet/{table}-{side}-*.parquet" for side in there]
    return "\n".join([*lines, "---"]) if len(lines) > 2 else "---\nconfigs: []\n---"


def _tables_of(m: Mapping[str, Any]) -> list[tuple[Table, Mapping[str, Any]]]:
    """The tables in the order in which they are told: a manifest that was read has its own."""
    return [(table, m["tables"][table]) for table in TABLES]


def _what(m: Mapping[str, Any]) -> str:
    trials, runs = m["trials"], sum(len(x["runs"]) for x in m["inputs"])
    metrics = sorted({str(r["metric"]) for x in m["inputs"] for r in x["runs"]})
    return (
        f"What {plural(runs, 'run')} of autonomous research proposed, and what came of it: {trials['all']:,} trials, "
        f"of which {trials['train']:,} are here to learn from and {trials['test']:,} to test with. "
        f"Metric{'' if len(metrics) == 1 else 's'}: {', '.join(map(_code, metrics[:8]))}. Made by trajscope "
        f"{m['made_with']['trajscope'] or '(a checkout)'}."
    )


def _gate(m: Mapping[str, Any]) -> str:
    g = m["gate"]
    lines = [WORDS[g["outcome"]]]
    if m["accepted"] is not None:
        lines.append(f"It was built all the same. The reason given: {_code(m['accepted'], 400)}")
    name = _code(m["policy"]["name"])
    lines.append(f"Policy {name}; {g['split']['name']}. Every check, with its rows, is in the manifest.")
    checks = [c for outcome in ("fail", "insufficient", "pass") for c in g["checks"] if c["outcome"] == outcome]
    rows = [(c["outcome"], c["name"], number(c["value"], 3), _plain(c["bound"]), _plain(_reason(c))) for c in checks]
    lines.append(_grid(("", "check", "is", "must be", "why"), rows))
    if g["remedies"]:
        lines.append("What to do about it:\n\n" + "\n".join(f"* {_plain(x)}" for x in g["remedies"]))
    return "\n\n".join(lines)


def _reason(check: Mapping[str, Any]) -> str:
    return f"{check['reason']}; {check['note']}" if check["note"] else str(check["reason"])


def _never(m: Mapping[str, Any]) -> Iterator[str]:
    test, kind = m["trials"]["test"], m["split"]["kind"]
    runs = [r for x in m["inputs"] for r in x["runs"]]
    if m["gate"]["outcome"] != "pass":
        yield "Training a model that anybody will rely on: the gate did not let it pass."
    if test < 2:
        yield "Evaluation: there is no test side to speak of."
    else:
        yield (
            f"Claims finer than its test side: {plural(test, 'row')} know a rate to ±{0.98 / math.sqrt(test):.2f}. "
            "Compare a student with the train side's own frequencies and with chance before it is believed."
        )
    yield {
        "campaign": "Claims about other domains: the test side is other campaigns of the same kinds.",
        "labels": "Claims that a student remembers well: no label of the test side is in train, it asks for novelty.",
        "stratified": "Claims of novelty: labels of the test side are in train too, it measures recall.",
        "tail": "Claims of novelty: what comes late may repeat what came early; see `overlap` in the table above.",
        "at": "Claims of novelty: what comes late may repeat what came early; see `overlap` in the table above.",
    }[kind]
    campaigns = len({r["campaign"] for r in runs})
    if campaigns < 2:
        yield "Anything beyond its one campaign: what it holds may be a habit of that campaign."
    yield "Learning from `sft` alone what works: it holds what was kept, and no failure. `outcomes` holds both."
    yield "Causal claims: a row says what scored after a change, not what the change did on another base."
    if any(not r["ended"] for r in runs):
        yield "A last word: not every run says that it ended."


def _tables(m: Mapping[str, Any]) -> str:
    rows = [
        (f"`{table}`", _count(said["train"]["rows"]), _count(said["test"]["rows"]), TABLES[table])
        for table, said in _tables_of(m)
    ]
    lines = [_grid(("table", "train", "test", "holds"), rows)]
    for table, said in _tables_of(m):
        if not any(said[side]["rows"] for side in SIDES):
            lines.append(f"**There is no `{table}`**: {_why_none(said)}.")
    left = [
        (f"`{table}`", f"`{why}`", *(_count(said[side]["left_out"].get(why, 0)) for side in SIDES), LEFT_OUT[why])
        for table, said in _tables_of(m)
        for why in sorted({*said["train"]["left_out"], *said["test"]["left_out"]})
    ]
    if left:
        lines += [
            "Examples that are no row of a table (of `pairs`: kept ones that are in no pair):",
            _grid(("table", "why", "train", "test", ""), left),
        ]
    lines.append(
        "Each table stands as JSON lines (`TABLE-SIDE.jsonl`) and, row for row the same, as Parquet "
        "(`parquet/TABLE-SIDE-NNNNN.parquet`). A side without rows has no file."
    )
    return "\n\n".join(lines)


def _why_none(said: Mapping[str, Any]) -> str:
    found: dict[str, int] = {}
    for side in SIDES:
        for why, n in said[side]["left_out"].items():
            found[why] = found.get(why, 0) + n
    parts = [f"{n:,} left out because {LEFT_OUT[why]}" for why, n in sorted(found.items(), key=lambda x: -x[1])]
    return "; ".join(parts) or "nothing was kept"


def _dropped(m: Mapping[str, Any]) -> str:
    t = m["trials"]
    most = sorted(t["dropped"].items(), key=lambda x: (-x[1], x[0]))
    rows = [(f"`{why}`", _count(n), REASONS[why]) for why, n in most]
    gone = sum(t["dropped"].values())
    said = f"Of {t['all']:,} trials {gone:,} are dropped; {t['train']:,} + {t['test']:,} + {gone:,} = {t['all']:,}."
    unread = sum(r["unreadable"] for x in m["inputs"] for r in x["runs"])
    more = f" Besides, {plural(unread, 'line')} of the inputs could not be read." if unread else ""
    return said + more + ("\n\n" + _grid(("why", "trials", ""), rows) if rows else "")


def _split(m: Mapping[str, Any]) -> str:
    v = m["verdicts"]
    held = "; ".join(f"{side}: {v[side]['kept']:,} kept, {v[side]['reverted']:,} reverted" for side in SIDES)
    return f"`{m['split']['kind']}`: {m['split']['name']}. By hashes of names, never by chance. {held}."


def _labels(m: Mapping[str, Any]) -> str:
    labels = m["labels"]
    rows = [(_code(x["label"]), _count(x["rows"])) for x in labels["most"]]
    said = f"{plural(labels['different'], 'different label')} after dropping; the most frequent:"
    return f"{said}\n\n{_grid(('label', 'rows'), rows)}"


def _weights(m: Mapping[str, Any]) -> str:
    s = m["settings"]
    rows = [
        (
            f"`{t}`",
            _count(w["rows"]),
            _count(w["labels"]),
            f"{w['effective_labels']:.2f}",
            f"{w['weighted_labels']:.2f}",
            f"{w['effective_rows']:.1f}",
            f"{w['largest']:.1%}",
        )
        for t, w in ((t, m["weights"][t]) for t in TABLES if t in m["weights"])
    ]
    said = (
        f"Rows of the train side carry `weight`: n^(a-1) for a label of n rows with a = {s['balance']:g}, no label "
        f"above {s['cap']:.0%} of the whole unless there are too few; they add up to the number of rows. "
        "Test rows weigh 1. Weights cannot make kinds that do not occur. Effective rows are (sum w)^2 / sum w^2."
    )
    head = ("table", "rows", "labels", "effective labels", "the same weighted", "effective rows", "largest label")
    return said + ("\n\n" + _grid(head, rows) if rows else "\n\nThe train side has no rows, so nothing is weighted.")


def _inputs(m: Mapping[str, Any]) -> str:
    rows = [
        (
            _code(x["name"]),
            f"`{x['sha256'][:16]}`",
            *(_code(r[k] or "?") for k in ("run_id", "campaign")),
            _count(r["trials"]),
        )
        for x in m["inputs"]
        for r in x["runs"]
    ]
    most = 50
    more = f"\n\nand {len(rows) - most:,} more, in the manifest." if len(rows) > most else ""
    said = "In this order, which is by when they began, their name and their hash, however they were named."
    return f"{said}\n\n{_grid(('file', 'sha256 begins', 'run', 'campaign', 'trials'), rows[:most])}{more}"


_COLUMNS = """\
* `messages` (and `prompt` of `pairs`): the prompt word for word as it was recorded when the proposer saw it;
  `prompt_sha256` is the hash of that text. A prompt that was not recorded is null in `outcomes`, and such a trial is
  in no other table.
* `target`, the assistant's message: what was proposed, as it was recorded.
* `value`: of this trial alone; `mean`, `replicates`: over all evaluations of its configuration, repeats and
  confirmations included.
* `against`: what spoke against keeping it, as the loop recorded it: a high value that broke a guard is no success.
* `condition`: the outcome as a sentence with `against` in it, to be put where your template wants it. The prompt does
  not hold it.
* `base`, `changes`: knobs with canonical values as JSON texts; `base` is null where it is not known.
* `flipped`: the configuration was kept once and reverted once. Such rows are in no pair.
* `margin`: by how much the kept mean is better, in the metric's unit; `margin_in_noise`: over its standard error, null
  where no noise is known.
* `same_prompt`: the rejected answer was given to the very prompt of the pair. Where false, it was given to another
  prompt on the same base."""
_CHECK = """\
`trajscope corpus verify DIR [RUN...]` compares every file with `manifest.json`, and the runs with the hashes they had.
The hash of the manifest itself was printed when this was built: whoever changes files can change the manifest too."""


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _count(n: int) -> str:
    return f"{n:,}"


def _code(text: object, most: int = LETTERS) -> str:
    """A stranger's text in a code span that it cannot leave, inside a table or not."""
    said = short(text, most).replace("`", "'").replace("|", "¦").strip()
    return f"`{said or '?'}`"


def _plain(text: str) -> str:
    """A sentence of the gate: ours, with labels of strangers in it."""
    said = short(text, 400)
    for sign, word in _SIGNS.items():
        said = said.replace(sign, word)
    return said
