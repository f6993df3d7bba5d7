"""Writes the tables of docs/field_study.md and docs/formats.md about public files, and measures them anew.

    python docs/field_study.py                     rewrite the tables from the figures that are committed
    python docs/field_study.py --measure FOLDER    read the files with trajscope first (docs/field_study.json)
    python docs/field_study.py --check             fail where a table is stale or a sentence has lost its number

Counted figures come from tests/real_expected.json, which tests/count_real.py writes without trajscope; those marked †
from trajscope itself, through its public names.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
EXPECTED = DOCS.parent / "tests" / "real_expected.json"
MEASURED = DOCS / "field_study.json"
CARRIED = {
    "verdict": "what was decided",
    "goal": "which way is better",
    "time": "when",
    "knobs": "what was changed, in fields",
    "lineage": "what it was built on",
    "seeds": "more than one seed",
}
LICENCES = {
    "Cklaus1/autokernel5090": "MIT",
    "Djordje-Stojanovic/TrainRTX5070": "MIT (its README)",
    "Shopify/liquid": "MIT",
    "Shopify/rubydex": "MIT",
    "dlmastery/autoresearch-uci": "MIT",
    "duanzhaol/sparsify": "MIT",
    "karpathy/autoresearch": "MIT (its README), pull requests by their contributors",
    "manavsehgal/ai-field-notes": "Apache-2.0",
    "miolini/autoresearch-macos": "MIT (its README)",
    "openai/parameter-golf": "MIT",
    "trevin-creator/autoresearch-mlx": "MIT",
}
# Why a comparison of all rows of one file says little, by the file.
MIXED = {
    "Cklaus1+autokernel5090/results.tsv": "18 kinds of kernel and of serving share the column of the metric",
    "Cklaus1+autokernel5090/sglang_results.tsv": "two models, two aims: one request at a time, and many",
    "dlmastery+autoresearch-uci/beijing_pm25~autoresearch_results~experiment_log.jsonl": "39 rows predict six hours "
    "ahead, a harder task; knobs are the paths of its nested configuration, single columns of its data among them",
    "duanzhaol+sparsify/campaign-0322~results.tsv": "proxies and full runs; a keep is the best of its sparsity",
    "karpathy+autoresearch/pr442~results_all.tsv": "phases that each begin anew",
    "karpathy+autoresearch/pr71~multi-ralph~results.tsv": "the baseline ran alone, the others beside each other",
}
# Menus that lie beside the files: the study's coverage needs a denominator.
MENUS = {"manavsehgal+ai-field-notes/trajectory.jsonl": "menu_13.json"}
FEWEST = 10  # trials of a file in the table of runs
Facts = dict[str, Any]


def repository(name: str) -> str:
    """The repository that a file is from: the folder says it with a plus."""
    return name.split("/", maxsplit=1)[0].replace("+", "/", 1)


def place(name: str) -> str:
    """The path in its repository: the file's name says it with tildes, and names the pull request first."""
    first, *rest = name.split("/")[1].split("~")
    if first.startswith("pr") and first[2:].isdigit():
        return f"`{'/'.join(rest)}` of pull request {first[2:]}"
    if first.startswith("exp-"):
        return f"`{'/'.join(rest)}` of branch {first.replace('-', '/')}"
    return f"`{'/'.join((first, *rest))}`"


def measure(folder: Path) -> dict[str, Facts | None]:
    """What trajscope says of each file; None where no reader claims it yet."""
    import trajscope

    found: dict[str, Facts | None] = {}
    for name, counted in json.loads(EXPECTED.read_text("utf-8")).items():
        try:
            menu = trajscope.load_menu(folder / MENUS[name]) if name in MENUS else None
            docs = trajscope.analyze(folder / name, reader=counted["asked"], menu=menu, quick=True)
        except trajscope.TrajscopeError:
            found[name] = None
            continue
        doc = max(docs, key=lambda d: d["trials"])  # of a file with several runs the longest
        found[name] = {
            "format": doc["format"],
            "runs": len(docs),
            "coverage": {k: doc["coverage"][k] for k in ("knobs_touched", "knobs_total", "source")},
            "pairs": {k: doc["pairs"][k] for k in ("unique", "repeats", "repeat_rate", "provenance")},
            "plateau": {k: doc["plateau"][k] for k in ("since_best", "beyond_noise")},
            "noise_sd": doc["noise"]["sd"],
            "word": doc["verdict"]["word"],
        }
    return found


def row(*texts: object) -> str:
    """A row of a table."""
    return f"| {' | '.join('' if t is None else str(t) for t in texts)} |"


def header(*names: str) -> list[str]:
    """The head of a table."""
    return [row(*names), f"|{'---|' * len(names)}"]


def runs(counted: dict[str, Facts], measured: dict[str, Facts | None]) -> Iterator[str]:
    """The runs long enough to say something of."""
    yield from header(
        "run", "trials", "kept", "crashed", "not eligible", "keeps no better", "discards better", "longest dry",
        "knobs", "tried before", "dry beyond noise †",
    )  # fmt: skip
    notes = []
    for name, f in counted.items():
        c, m = f["course"], measured.get(name)
        if f["trials"] < FEWEST or not c or not any(f[s] for s in ("kept", "reverted")):
            continue
        mark = ""
        if name in MIXED:
            notes.append(MIXED[name])
            mark = f" ({len(notes)})"
        yield row(
            f"{repository(name)}, {place(name)}{mark}",
            f["trials"],
            f["kept"] if f["verdicts"] else "-",
            f["crashed"],
            f["ineligible"] + f["blocked"],
            c.get("keeps_not_better", "-"),
            c.get("discarded_better", "-"),
            c["longest_dry"],
            *ground(f, m),
            "?" if not m or m["plateau"]["beyond_noise"] is None else m["plateau"]["beyond_noise"],
        )
    yield ""
    yield " ".join(f"({n}) {note}." for n, note in enumerate(notes, 1))


def ground(f: Facts, m: Facts | None) -> tuple[str, str]:
    """How many knobs were touched, and how many evaluated trials named a change that had been tried."""
    p = f["pairs"]
    knobs, before = str(p.get("knobs", "?")), "?"
    if "repeats" in p:
        before = f"{p['repeats']} of {p['n']}"
    elif p.get("same_text"):
        before = f"{p['same_text']} or more"
    # Where most changes are known by their words alone, repeats are those of equal words.
    if m and m["pairs"]["repeats"] is not None and 2 * known(m).get("hash", 0) < sum(known(m).values()):
        touched, total = m["coverage"]["knobs_touched"], m["coverage"]["knobs_total"]
        knobs = f"{touched} of {total} †" if total else f"{touched} †"
        before = f"{m['pairs']['repeats']} of {m['pairs']['unique'] + m['pairs']['repeats']} †"
    return knobs, before


def known(m: Facts) -> dict[str, int]:
    """Where the pairs of a file were read from, without what did not occur."""
    return {k: n for k, n in (m["pairs"]["provenance"] or {}).items() if n}


def noise(counted: dict[str, Facts]) -> Iterator[str]:
    """Where a file lets one say how much of a gain is luck."""
    yield from header("run", "what is known", "its size", "keeps that gained", "of them within it")
    for name, f in counted.items():
        c = f["course"]
        where = f"{repository(name)}, {place(name)}"
        if "seed_change" in c:
            yield row(
                where, "one row changes the seed and nothing else", c["seed_change"], c["keeps_that_gained"],
                f"{c['gains_below_seed_change']}, with {c['their_share']:.0%} of the gain",
            )  # fmt: skip
        if "bound" in c:
            what = f"{c['replicate_df']} degrees of freedom of repeats, sd {c['replicate_sd']}"
            yield row(where, what, c["bound"], c["keeps_that_gained"], c["gains_below_noise"])


def carried(counted: dict[str, Facts]) -> Iterator[str]:
    """What the files say of themselves."""
    yield from header("a file says", f"of {len(counted)}")
    for key, text in CARRIED.items():
        yield row(text, sum(key in f["carries"] for f in counted.values()))


def sources(counted: dict[str, Facts]) -> Iterator[str]:
    """The repositories, with their licences."""
    yield from header("repository", "licence", "files")
    for repo, licence in LICENCES.items():
        files = [place(n) for n in counted if repository(n) == repo]
        yield row(f"[{repo}](https://github.com/{repo})", licence, ", ".join(files))


def files(counted: dict[str, Facts], measured: dict[str, Facts | None]) -> Iterator[str]:
    """Every file: the reader that is meant for it, what it holds, where its pairs come from."""
    yield from header("file", "format", "lines", "trials", "unreadable", "baseline", "pairs †")
    for name, f in counted.items():
        m = measured.get(name)
        pairs = "no reader yet" if not m else ", ".join(f"{k} {n}" for k, n in known(m).items()) or "none"
        yield row(
            f"{repository(name)}, {place(name)}",
            f"`{m['format'] if m else f['readers'][0]}`{', when asked' if f['asked'] else ''}",
            f["lines"] if f["lines"] is not None else "-",
            f["trials"],
            f["unreadable"],
            "yes" if f["baseline"] else "no",
            pairs,
        )


def sentences(counted: dict[str, Facts], measured: dict[str, Facts | None]) -> Iterator[str]:
    """Passages of the article with the numbers they must hold; a figure that changes makes the text false."""
    all_ = counted.values()

    def of(part: str) -> Facts:
        return next(f for name, f in counted.items() if part in name)

    total = {s: sum(f[s] for f in all_) for s in ("trials", "kept", "reverted", "crashed")}
    whole = [f for f in all_ if {"verdict", "goal", "knobs", "time"} <= set(f["carries"])]
    yield f"{len(counted)} files of {len(LICENCES)} repositories"
    yield f"{total['trials']:,} trials, {total['kept']} of them kept, {total['reverted']} reverted"
    yield f"{total['crashed']} crashed"
    yield f"{of('mar8')['pairs']['same_text']} of {of('mar8')['trials']} descriptions"
    yield f"{sum(f['unreadable'] for f in all_)} lines"
    yield f"Of the {len(counted)} files {('none', 'one', 'two', 'three')[len(whole)]} says all four"
    mar8, uci = of("mar8")["course"], of("experiment_log")["course"]
    yield f"{mar8['gains_below_seed_change']} of the {mar8['keeps_that_gained']} keeps gained less than that"
    yield f"{mar8['their_share']:.0%} of the gain"
    yield f"{uci['gains_below_seed_change']} of its {uci['keeps_that_gained']} keeps"
    core, amnesiac = of("core_discovery")["course"], of("notes/trajectory")["course"]
    yield f"standard deviation of {core['replicate_sd']}"
    yield f"{amnesiac['gains_below_noise']} of the {amnesiac['keeps_that_gained']} keeps that were a new best"
    gate = of("cifar")["facts"]
    yield f"all {gate['passed']} rows that passed"
    yield f"{gate['failed_by_less_than_two_errors']} of the {of('cifar')['ineligible']} that failed"
    yield f"{of('pr442')['course']['keeps_not_better']} of {of('pr442')['kept']} keeps"
    yield f"{of('campaign-0322')['course']['keeps_not_better']} of {of('campaign-0322')['kept']}"
    yield f"{of('liquid')['course']['keeps_not_better']} of {of('liquid')['kept']}"
    yield f"{of('campaign-0322')['course']['same_value']} evaluated rows"
    yield f"{uci['same_value']} rows"
    yield f"{of('pr246')['facts']['rows_with_210.43']} rows"
    yield f"{of('notes/trajectory')['pairs']['repeats']} of {of('notes/trajectory')['pairs']['n']}"
    yield f"{of('core_discovery')['pairs']['repeats']} of {of('core_discovery')['pairs']['n']}"
    yield f"{of('mar8')['pairs']['repeats']} of {of('mar8')['pairs']['n']}"
    yield f"{of('pr442')['pairs']['repeats']} of {of('pr442')['pairs']['n']}"
    yield f"{mar8['longest_dry']} of {of('mar8')['trials']}"
    suspect = [m for m in measured.values() if m and m["word"] == "SUSPECT"]
    yield f"trajscope calls {('none', 'one', 'two', 'three')[len(suspect)]} of these runs suspect"
    yield f"{of('pr577')['blocked']} of its {of('pr577')['trials']} rows"


def pages() -> dict[Path, str]:
    """The pages with their tables as the figures have them."""
    counted = json.loads(EXPECTED.read_text("utf-8"))
    measured = json.loads(MEASURED.read_text("utf-8"))
    tables = {
        "field_study.md": {
            "runs": runs(counted, measured),
            "noise": noise(counted),
            "carried": carried(counted),
            "sources": sources(counted),
        },
        "formats.md": {"files": files(counted, measured)},
    }
    found = {}
    for page, blocks in tables.items():
        text = (DOCS / page).read_text("utf-8")
        for name, block in blocks.items():
            head, rest = text.split(f"<!-- {name} -->\n")
            tail = rest.split(f"<!-- /{name} -->")[1]
            body = "\n".join(block)
            text = f"{head}<!-- {name} -->\n{body}\n<!-- /{name} -->{tail}"
        found[DOCS / page] = text
    return found


def stale() -> list[str]:
    """What is not as the figures have it: tables, and sentences of the article."""
    found = [f"table in {path.name}" for path, text in pages().items() if path.read_text("utf-8") != text]
    article = " ".join((DOCS / "field_study.md").read_text("utf-8").split())
    figures = (json.loads(path.read_text("utf-8")) for path in (EXPECTED, MEASURED))
    return found + [f"no {s!r} in field_study.md" for s in sentences(*figures) if s not in article]


def main() -> None:
    """Measure, write or check."""
    parse = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parse.add_argument("--measure", metavar="FOLDER", type=Path)
    parse.add_argument("--check", action="store_true")
    args = parse.parse_args()
    if args.check:
        sys.exit("\n".join(stale()) or 0)
    if args.measure:
        rows = (f"{json.dumps(k)}: {json.dumps(v)}" for k, v in measure(args.measure).items())
        MEASURED.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")
    for path, text in pages().items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
