"""Places: where an edit may stand. Knows paths and globs, never what is written in a file."""

from __future__ import annotations

import re
import sys
from functools import lru_cache

from trajscope.diffs import Edited

# What changes how things are run, wherever it stands; besides it everything whose name begins with a dot.
_SURFACE = frozenset(
    "conftest.py sitecustomize.py usercustomize.py setup.py setup.cfg pyproject.toml pytest.ini tox.ini noxfile.py "
    "makefile gnumakefile justfile rakefile taskfile.yml cmakelists.txt dockerfile containerfile docker-compose.yml "
    "docker-compose.yaml compose.yml compose.yaml package.json package-lock.json pipfile pipfile.lock uv.lock "
    "poetry.lock environment.yml environment.yaml crontab jenkinsfile procfile vagrantfile claude.md agents.md "
    "gemini.md mcp.json trajscope.toml site-packages node_modules __pycache__".split()
)
_SURFACE_ENDS = (
    *(".pth", ".egg-link", ".so", ".pyd", ".dll", ".dylib", ".exe", ".pyc", ".pyo", ".whl", ".ipynb", ".service"),
    *(".sh", ".bash", ".zsh", ".fish", ".bat", ".cmd", ".ps1", ".mk", ".menu.json", ".coverage.json", ".holdout.jsonl"),
)
_REQUIREMENTS = re.compile(r"(?:requirements|constraints).*\.(?:txt|in)\Z")
_HIDDEN_BY = frozenset(sys.stdlib_module_names) | {"numpy", "torch", "trajscope"}


def odd(path: str) -> str | None:
    """What is wrong with a path as such, if anything."""
    parts = path.split("/")
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:", path):
        return "is not below the root"
    if "\\" in path or not (path.isascii() and path.isprintable()):
        return "has letters that file systems read differently"
    if any(not part or part != part.strip() or part.endswith(".") for part in parts):
        return "is not written plainly"
    if any(part.casefold() in (".git", "git~1") for part in parts):
        return "lies in git's own folder"
    return None


def surface(path: str, edit: Edited) -> str | None:
    """Why a file changes how things are run, if it does."""
    parts = path.casefold().split("/")
    name = parts[-1]
    by_name = any(part in _SURFACE or part.startswith(".") for part in parts) or name.startswith("dockerfile")
    if by_name or name.endswith(_SURFACE_ENDS) or _REQUIREMENTS.match(name):
        return "changes how things are run"
    stem = name.removesuffix(".py").removesuffix(".pyw")
    module = parts[-2] if stem == "__init__" and len(parts) > 1 else stem
    if edit.old != edit.new and stem != name and module in _HIDDEN_BY:
        return f"would hide the module {module} from all others"
    return None


@lru_cache(256)
def glob(pattern: str) -> re.Pattern[str]:
    """A glob as a pattern, whatever the case: `*` stays within a folder, `**` does not."""
    out = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.compile(out.replace(r"\?", "[^/]") + r"\Z", re.IGNORECASE)


def within(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path is one of these, to the letter and its case."""
    return any(re.fullmatch(glob(p).pattern, path) for p in patterns)
