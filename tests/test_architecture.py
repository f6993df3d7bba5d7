"""Who may import whom, drawn with `ast` from the files and held to the rows of docs/architecture.md.

Knows nothing of what the modules do. The checker is a function of a folder, so that planted faults can be seen to fire.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A module imports only from rows above its own. A package (readers, cli) counts as one module.
ROWS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("alarms", "verdict", "pair", "chain", "constraint", "blobs", "columns", "upgrade", "diffs", "readable"),
    ("knob", "edits", "literals", "shape"),
    ("menu", "leaves"),
    ("trial",),
    ("batch", "lines", "expr", "tally", "layout", "unfold"),
    ("fold", "sources", "unfolding", "record", "stats", "integrity", "watermark", "wake", "notify", "maps", "recover"),
    ("readers", "writer", "ground", "scores", "metrics", "keep", "tail", "settings", "inference"),
    ("keeps", "beyond", "doubts"),
    ("run",),
    ("bulk",),
    ("pipeline", "nulls", "rules", "store"),
    ("review", "cache", "conversion", "rails", "said", "explain"),
    ("analysis", "past"),
    ("live", "corpus"),
    ("fleet", "replay", "sidecar", "staircase"),
    ("charts",),
    ("figures", "frames"),
    ("report", "watch"),
    ("lookout",),
    ("public", "testing"),
    ("cli", "pytest_plugin"),
    ("__init__",),
    ("__main__",),
)
ROW_OF = {module: row for row, modules in enumerate(ROWS) for module in modules}

# Modules that loop and dashboards may import besides the names in trajscope.__all__.
PUBLIC_MODULES = frozenset({"charts", "testing", "rails", "keep", "integrity"})
GUESTS = {"trajscope_loop": "loop/trajscope_loop", "trajscope_dashboards": "dashboards/trajscope_dashboards"}

_TIDY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]["flake8-tidy-imports"]
# pydantic costs 40 ms and a rail must start fast, so it is banned as well; ruff cannot except just one module from it.
HEAVY = frozenset(_TIDY["banned-module-level-imports"]) | {"pydantic"}
# Widgets are subclasses, so the screen's own folder imports textual; ruff holds the rest of `watch` to the ban.
HEAVY_ALLOWED = {"record": frozenset({"pydantic"}), "watch": frozenset({"textual"})}


class Import(NamedTuple):
    """One import statement's target: `module`, and `name` when it was `from module import name`."""

    line: int
    module: str
    name: str | None
    at_top: bool  # runs when the module is imported: not in a function, not under TYPE_CHECKING


def imports(tree: ast.Module, package: str) -> Iterator[Import]:
    """Every import of a module, relative ones resolved against `package`, import_module("...") included."""
    todo: list[tuple[ast.AST, bool]] = [(tree, True)]
    while todo:
        node, at_top = todo.pop()
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, None, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                module = ".".join([*parents, module] if module else parents)
            yield from (Import(node.lineno, module, alias.name, at_top) for alias in node.names)
        elif isinstance(node, ast.Call) and _callee(node) in {"import_module", "__import__"} and node.args:
            target = node.args[0]
            if isinstance(target, ast.Constant) and isinstance(target.value, str):
                yield Import(node.lineno, target.value, None, at_top)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            at_top = False
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += [(child, False) for child in node.body] + [(child, at_top) for child in node.orelse]
        else:
            todo += [(child, at_top) for child in ast.iter_child_nodes(node)]


def _callee(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def faults(root: Path) -> list[str]:
    """Every import under `root` that the architecture forbids, as `path:line: what is wrong`."""
    found = [fault for path in _modules(root / "trajscope") for fault in _core_faults(root, path)]
    public = public_names(root)
    for guest, folder in GUESTS.items():
        found += [fault for path in _modules(root / folder) for fault in _guest_faults(root, path, guest, public)]
    return found


def public_names(root: Path) -> frozenset[str]:
    """What `trajscope.__all__` lists, read without importing it; nothing where there is no such list yet."""
    border = root / "trajscope" / "__init__.py"
    for node in ast.parse(border.read_text("utf-8")).body if border.exists() else ():
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__" and isinstance(node, ast.Assign | ast.AnnAssign):
            return frozenset(ast.literal_eval(node.value) if node.value else ())
    return frozenset()


def _modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _core_faults(root: Path, path: Path) -> Iterator[str]:
    where = path.relative_to(root)
    parts = where.with_suffix("").parts[1:]
    module = parts[0]
    if module not in ROW_OF:
        yield f"{where}:1: {module} stands in no row; place it in ROWS of tests/test_architecture.py"
        return
    for found in imports(ast.parse(path.read_text("utf-8")), ".".join(["trajscope", *parts[:-1]])):
        top = found.module.partition(".")[0]
        at = f"{where}:{found.line}: {module}"
        if top in GUESTS:
            yield f"{at} imports {top}; trajscope knows neither loop nor dashboards"
        elif top in HEAVY - HEAVY_ALLOWED.get(module, frozenset()) and found.at_top:
            yield f"{at} imports {top} at module top; import it inside the function that needs it"
        elif top == "trajscope":
            target = _target(root, found)
            if target not in ROW_OF:
                yield f"{at} imports {target}, which stands in no row of tests/test_architecture.py"
            elif target != module and ROW_OF[target] >= ROW_OF[module]:
                yield f"{at} (row {ROW_OF[module]}) imports {target} (row {ROW_OF[target]}); only from rows above"


def _target(root: Path, found: Import) -> str:
    """The module of trajscope that an import reaches: `from trajscope import x` is module x, or else a public name."""
    rest = found.module.split(".")[1:]
    if rest:
        return rest[0]
    core = root / "trajscope"
    if found.name and ((core / f"{found.name}.py").exists() or (core / found.name).is_dir()):
        return found.name
    return "__init__"


def _guest_faults(root: Path, path: Path, guest: str, public: frozenset[str]) -> Iterator[str]:
    where = path.relative_to(root)
    package = ".".join(where.with_suffix("").parts[1:-1])
    tree = ast.parse(path.read_text("utf-8"))
    for found in imports(tree, package):
        top, _, rest = found.module.partition(".")
        at = f"{where}:{found.line}"
        if top in GUESTS and top != guest:
            yield f"{at}: imports {top}; neither may know the other"
        elif top == "trajscope":
            reached = rest.partition(".")[0] or found.name
            if reached and reached not in PUBLIC_MODULES and (rest or reached not in public):
                yield f"{at}: imports trajscope.{reached}, which trajscope.__all__ does not list"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr in public | PUBLIC_MODULES:
            continue
        if isinstance(node.value, ast.Name) and node.value.id == "trajscope":
            yield f"{where}:{node.lineno}: uses trajscope.{node.attr}, which trajscope.__all__ does not list"


def test_every_import_of_the_house_keeps_to_the_rows() -> None:
    found = faults(ROOT)
    assert not found, "\n".join(found)


def test_no_module_stands_in_two_rows() -> None:
    assert len(ROW_OF) == sum(len(row) for row in ROWS)


def test_the_architecture_page_shows_the_same_rows() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", page, re.MULTILINE)
    assert [(int(row), set(re.findall(r"`(\w+)`", modules))) for row, modules in rows] == [
        (row, set(modules)) for row, modules in enumerate(ROWS)
    ]


def test_importing_every_module_loads_nothing_heavy() -> None:
    # The static check sees only our own statements; this sees what they pull in.
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in _modules(ROOT / "trajscope")
        # testing and the plugin are for use under pytest and may load what it loads; the screen is loaded to be seen
        if path.stem not in {"__main__", "pytest_plugin"} and path.parent.name not in {"testing", "screen"}
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(*sorted({set(HEAVY - {'pydantic'})!r} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


# Planted faults: the files of a tree, and what the checker must say about it (no word: nothing).
PLANTED = {
    "an import from a row above is fine": ({"trajscope/menu.py": "from trajscope.pair import pair_of\n"}, []),
    "an import from a row below": (
        {"trajscope/pair.py": '"""A."""\n\nfrom trajscope.store import Store\n'},
        ["trajscope/pair.py:3: pair (row) imports store (row); only from rows above"],
    ),
    "an import from a row below, the module as a name": (
        {"trajscope/pair.py": "from trajscope import menu\n", "trajscope/menu.py": ""},
        ["trajscope/pair.py:1: pair (row) imports menu (row); only from rows above"],
    ),
    "an import within a row": (
        {"trajscope/rules.py": "import trajscope.store\n"},
        ["trajscope/rules.py:1: rules (row) imports store (row); only from rows above"],
    ),
    "an import from a row below, hidden in a function": (
        {"trajscope/lines.py": "def f():\n    from trajscope.run import Run\n"},
        ["trajscope/lines.py:2: lines (row) imports run (row); only from rows above"],
    ),
    "an import from a row below, for a type only": (
        {"trajscope/fold.py": "if TYPE_CHECKING:\n    from trajscope.metrics import Metric\n"},
        ["trajscope/fold.py:2: fold (row) imports metrics (row); only from rows above"],
    ),
    "a relative import from a row below": (
        {"trajscope/readers/native.py": "from ..charts import staircase\n"},
        ["trajscope/readers/native.py:1: readers (row) imports charts (row); only from rows above"],
    ),
    "an import from a row below, through importlib": (
        {"trajscope/run.py": 'import importlib\nimportlib.import_module("trajscope.cli")\n'},
        ["trajscope/run.py:2: run (row) imports cli (row); only from rows above"],
    ),
    "a public name used from inside": (
        {"trajscope/cli/main.py": "from trajscope import open_run\n"},
        ["trajscope/cli/main.py:1: cli (row) imports __init__ (row); only from rows above"],
    ),
    "modules of one package know each other": (
        {"trajscope/readers/native.py": "from trajscope.readers.base import Reader\nfrom . import base\n"},
        [],
    ),
    "the core imports the loop": (
        {"trajscope/cli/main.py": "def f():\n    import trajscope_loop.campaign\n"},
        ["trajscope/cli/main.py:2: cli imports trajscope_loop; trajscope knows neither loop nor dashboards"],
    ),
    "a module in no row": (
        {"trajscope/oracle.py": ""},
        ["trajscope/oracle.py:1: oracle stands in no row; place it in ROWS of tests/test_architecture.py"],
    ),
    "an import of a module in no row": (
        {"trajscope/run.py": "from trajscope.oracle import ask\n"},
        ["trajscope/run.py:1: run imports oracle, which stands in no row of tests/test_architecture.py"],
    ),
    "a heavy import at the top": (
        {"trajscope/stats.py": "try:\n    import scipy.stats\nexcept ImportError:\n    pass\n"},
        ["trajscope/stats.py:2: stats imports scipy at module top; import it inside the function that needs it"],
    ),
    "a heavy import in a class body runs at the top too": (
        {"trajscope/menu.py": "class Menu:\n    from pydantic import BaseModel\n"},
        ["trajscope/menu.py:2: menu imports pydantic at module top; import it inside the function that needs it"],
    ),
    "heavy imports where they are allowed": (
        {
            "trajscope/record.py": "from pydantic import BaseModel\n",
            "trajscope/charts.py": "if TYPE_CHECKING:\n    import altair\ndef f():\n    import altair\n",
        },
        [],
    ),
    "a guest imports a private module": (
        {"loop/trajscope_loop/campaign.py": "from trajscope.writer import Writer\n"},
        ["loop/trajscope_loop/campaign.py:1: imports trajscope.writer, which trajscope.__all__ does not list"],
    ),
    "a guest imports a name that is not public": (
        {
            "trajscope/__init__.py": '__all__ = ["open_run"]\n',
            "loop/trajscope_loop/campaign.py": "from trajscope import open_run, Secret\n",
        },
        ["loop/trajscope_loop/campaign.py:1: imports trajscope.Secret, which trajscope.__all__ does not list"],
    ),
    "a guest uses a name that is not public": (
        {
            "trajscope/__init__.py": '__all__: tuple[str, ...] = ("open_run",)\n',
            "dashboards/trajscope_dashboards/page.py": "import trajscope\ntrajscope.open_run\ntrajscope.store\n",
        },
        ["dashboards/trajscope_dashboards/page.py:3: uses trajscope.store, which trajscope.__all__ does not list"],
    ),
    "a guest draws with the charts": (
        {"dashboards/trajscope_dashboards/page.py": "from trajscope.charts import x\nfrom trajscope import charts\n"},
        [],
    ),
    "guests import each other": (
        {
            "loop/trajscope_loop/campaign.py": "import trajscope_dashboards.page\n",
            "dashboards/trajscope_dashboards/page.py": "from trajscope_loop import campaign\n",
        },
        [
            "loop/trajscope_loop/campaign.py:1: imports trajscope_dashboards; neither may know the other",
            "dashboards/trajscope_dashboards/page.py:1: imports trajscope_loop; neither may know the other",
        ],
    ),
}


@pytest.mark.parametrize(("files", "said"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_fault_is_found_at_its_line(files: dict[str, str], said: list[str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    assert [re.sub(r"\(row \d+\)", "(row)", fault) for fault in faults(tmp_path)] == said
