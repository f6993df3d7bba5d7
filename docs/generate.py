"""Rewrites what the documentation takes from the code: the metric reference, the schemas, the README's blocks.

`python docs/generate.py` writes, `--check` names what is stale and fails.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 100
SAMPLE = "sample_runs/amnesiac/amnesiac.jsonl"
RECORDER = """import trajscope

with trajscope.open_run("run.jsonl", metric="val_loss", goal="minimize") as run:
    for lr in (1e-3, 3e-4, 1e-4):
        loss = train(lr)
        run.trial({"lr": lr}, value=loss, kept=loss < best)
        best = min(best, loss)
"""
FOLDERS = ("trajscope", "loop/trajscope_loop", "dashboards/trajscope_dashboards", "benchmarks", "sample_runs", "docs")
# Files of the tree that hold no docstring.
PLAIN = {
    "docs/architecture.md": "words, file contract, rows, laws",
    "docs/cli.md": "every command with its output",
    "docs/corpus.md": "a corpus to learn from: its tables, what is dropped and why, its manifest",
    "docs/domains.md": "a domain of one's own: its form, what its judge guarantees, where it runs",
    "docs/gate.md": "may this be distilled: every check, its bounds, its reason",
    "docs/field_study.md": "what public runs look like through this instrument, and what their files cannot say",
    "docs/format.md": "the file contract, for writers in any language",
    "docs/report.md": "the offline report: how it is read, what is in the file, how it is verified",
    "docs/formats.md": "other people's formats: how each is recognised, what it says, what it leaves open",
    "docs/watch.md": "the live screen: how it is read, its keys, what it says without a terminal",
    "docs/serve.md": "the live page: how it is read, who may look, its JSON and its events",
    "docs/metrics.md": "every number: what it means, its unit",
    "docs/models.md": "proposers with a model behind them, and any program as one",
    "docs/proposers.md": "proposers without a model, and what a longer history costs and buys",
    "docs/operating_characteristics.md": "how often the gate and the alarms are right",
    "sample_runs/README.md": "small runs, and how their expected numbers were worked out",
    "constraints.txt": "versions our own installs hold to",
    "Makefile": "the two commands",
    ".ci/run": "what continuous integration runs",
}


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated file with the text it should have."""
    from trajscope.cli import about

    yield ROOT / "docs/metrics.md", metrics()
    for name, schema in about.known().items():
        yield ROOT / f"docs/schema/{name}.schema.json", json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    gate = ROOT / "docs/gate.md"
    yield gate, _replaced(gate.read_text("utf-8"), "bounds", bounds())
    readme = (ROOT / "README.md").read_text("utf-8")
    for block, text in (("analyze", page()), ("record", f"```python\n{RECORDER}```"), ("tree", f"```\n{tree()}```")):
        readme = _replaced(readme, block, text)
    yield ROOT / "README.md", readme


def _replaced(page: str, block: str, text: str) -> str:
    head, rest = page.split(f"<!-- {block} -->\n")
    tail = rest.split(f"<!-- /{block} -->")[1]
    return f"{head}<!-- {block} -->\n{text}\n<!-- /{block} -->{tail}"


def bounds() -> str:
    """What each shipped policy asks of a corpus, one line per check."""
    from msgspec import to_builtins

    from trajscope.corpus.policy import SHIPPED, load

    policies = [to_builtins(load(name)[1]) for name in SHIPPED]
    lines = [f"| check | {' | '.join(f'`{n}`' for n in SHIPPED)} |", "|---|---|---|---|"]
    for check in policies[0]:
        cells = [", ".join(_bound(k, v) for k, v in p[check].items()) for p in policies]
        lines.append(f"| `{check}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _bound(key: str, value: object) -> str:
    said = " ".join(map(str, value)) or "nothing" if isinstance(value, list | tuple) else value
    return f"{key} {said}"


def metrics() -> str:
    """The metric reference: plain values first, then one table for each group."""
    from trajscope import analysis, rules
    from trajscope.tally import LATEST

    lines = [
        "# Every number",
        "",
        "What `trajscope analyze --json` prints, one line per run. Generated from the code by `make docs`.",
        "",
        "A value that cannot be known is `null`, and its reason stands in `unknown` under its path: never 0, never",
        "left out. Trials are named by `seq`, the number of their line in the file from 0. *Evaluated* trials",
        "were scored; *counted* trials are those of them that name what they changed and are no declared replicate.",
        "",
    ]
    section = ""
    for key in sorted(analysis.glossary(), key=lambda k: "." in k.path):
        top = key.path.split(".")[0] if "." in key.path else "At the top"
        if top != section:
            lines += ["", f"## {top}", "", "| path | meaning | unit |", "|---|---|---|"]
            section = top
        lines.append(f"| `{key.path}` | {key.doc.replace('|', '/')} | {key.unit} |")
    lines += [
        "",
        "## The rules behind the verdict",
        "",
        "A run's word is the first that applies: TAMPERED, SUSPECT, STALLED (live only), FLAILING, UNKNOWN,",
        "RESEARCHING. A rule at FAIL makes the word in its row; one without stands under *what to distrust*.",
        "",
        "Where data is missing a rule answers WARN with a reason that begins `not evaluable: ` and names what is",
        "missing: never a pass, and never the word. Rules that test a trend (`divergence`, `guard_margin`,",
        "`variance_collapse`, `predictions`, `confirmation`) look once more with every keep and spend their alpha",
        "over the looks, `alpha / (k (k + 1))` at the k-th, so that however many keeps give no more false alarms",
        "than one test.",
        f"They look back over {LATEST} keeps; what one keep is enough to show is never forgotten. None of these bounds",
        "is proof: a SUSPECT run is one to look into.",
        "",
        "| rule | detector | holds when | needs | a FAIL makes the run |",
        "|---|---|---|---|---|",
        *(f"| `{r.name}` | {r.detector or ''} | {r.doc} | {r.needs} | {r.word or ''} |" for r in rules.RULES),
        f"| `{rules.SILENCE}` | | A sign of life comes as often as it usually does. | a clock: live only | STALLED |",
    ]
    return "\n".join(lines) + "\n"


def page() -> str:
    """What `analyze` prints on the sample that the README shows."""
    from trajscope import analysis, menu, pipeline
    from trajscope.cli.page import page as drawn
    from trajscope.readers import Source

    path = ROOT / SAMPLE
    beside = pipeline.menu_beside(path)
    said = Source(str(path), menu=menu.load(beside) if beside else None)
    doc = {**analysis.of_file(said)[0], "file": SAMPLE}
    return f"```\n$ trajscope analyze {SAMPLE}\n{drawn(doc, WIDTH)}\n```"


def tree() -> str:
    """One line per module: its path, and the first line of its docstring. A package has one line."""
    rows = []
    for folder in (
        "trajscope",
        "loop/trajscope_loop",
        "dashboards/trajscope_dashboards",
        "benchmarks",
        "sample_runs",
        "docs",
    ):
        for path in sorted((ROOT / folder).glob("*")):
            if path.suffix == ".py" and path.stem not in ("__init__", "__main__"):
                rows.append((path.relative_to(ROOT).as_posix(), first_line(path)))
            elif (path / "__init__.py").is_file():
                rows.append((path.relative_to(ROOT).as_posix() + "/", first_line(path / "__init__.py")))
        if (init := ROOT / folder / "__init__.py").is_file() and folder != "trajscope":
            rows.append((folder + "/", first_line(init)))
    rows += [(name, text) for name, text in PLAIN.items() if (ROOT / name).is_file()]
    wide = max(len(name) for name, _ in rows)
    return "".join(f"{name:<{wide}}  {text}\n" for name, text in rows)


def first_line(path: Path) -> str:
    """The first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").rstrip(".")


def stale() -> list[str]:
    """The generated files that are not what the code says."""
    return [
        path.relative_to(ROOT).as_posix()
        for path, text in pages()
        if not path.is_file() or path.read_text("utf-8") != text
    ]


def main() -> None:
    """Write or check."""
    if "--check" in sys.argv:
        found = stale()
        sys.exit(f"stale: {', '.join(found)}; run `make docs`" if found else 0)
    for path, text in pages():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
