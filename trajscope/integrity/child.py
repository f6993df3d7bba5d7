"""Runs a Python script from a private copy, each byte hashed before it is executed. Started by its path, not imported.

    python child.py MANIFEST SHA256 SCRIPT [ARGUMENT...]

Needs nothing but the standard library: the interpreter that trains may know no trajscope. It ends with exit code 97 and
executes nothing where a file is not what was hashed. When the script ends it leaves what it checked, and the constants
of the script as they stood then, for a parent to read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from importlib.abc import SourceLoader
from importlib.machinery import SOURCE_SUFFIXES, FileFinder
from types import CodeType, ModuleType
from typing import Any

REFUSED = 97


class Checked:
    """The files that a manifest names, read once each and held to their hashes."""

    def __init__(self, root: str, files: dict[str, str]) -> None:
        self.root = root
        self.files = files
        self.seen: dict[str, str] = {}

    def read(self, path: str) -> bytes:
        """The bytes of a file of the copy, if they are the ones that were hashed."""
        name = os.path.relpath(path, self.root).replace(os.sep, "/")
        with open(path, "rb") as file:
            data = file.read()
        self.seen[name] = found = hashlib.sha256(data).hexdigest()
        if found != self.files.get(name):
            refuse(f"{name} is not what was hashed ({found[:12]}, not {self.files.get(name, 'declared')[:12]})")
        return data

    def all(self) -> dict[str, str]:
        """The hash of every file of the copy, as it is now."""
        out = {}
        for name in self.files:
            digest = hashlib.sha256()
            try:
                with open(os.path.join(self.root, name), "rb") as file:
                    for chunk in iter(lambda: file.read(1 << 20), b""):
                        digest.update(chunk)
                out[name] = digest.hexdigest()
            except OSError:
                out[name] = "missing"
        return out


def refuse(why: str) -> None:
    """Say why nothing more is executed, and leave at once: the script may catch every exception."""
    sys.stderr.write(f"trajscope: not run: {why}\n")
    sys.stderr.flush()
    os._exit(REFUSED)


def loader(checked: Checked) -> type[SourceLoader]:
    """A loader of modules that compiles only bytes that were checked, and no cached bytecode."""

    class Loader(SourceLoader):
        def __init__(self, fullname: str, path: str) -> None:
            self.name, self.path = fullname, path

        def get_filename(self, fullname: str) -> str:
            return self.path

        def get_data(self, path: str) -> bytes:
            return checked.read(path)

        def get_code(self, fullname: str) -> CodeType:
            return compile(checked.read(self.path), self.path, "exec", dont_inherit=True)

    return Loader


def install(checked: Checked) -> None:
    """Let every import from the copy go through the check."""
    kind = loader(checked)

    def hook(path: str) -> FileFinder:
        if path != checked.root and not path.startswith(checked.root + os.sep):
            raise ImportError
        return FileFinder(path, (kind, SOURCE_SUFFIXES))

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


def elsewhere(path: str, origin: str) -> bool:
    """Whether modules may come from this entry of `sys.path`: not from the folder that was copied, nor a vague one."""
    if not os.path.isabs(path):
        return False
    place = os.path.realpath(path)
    ours = place == origin or place.startswith(origin + os.sep)
    return not ours or place.startswith(os.path.realpath(sys.prefix) + os.sep)  # an environment may stand inside it


def plain(value: Any) -> bool:
    """Whether a value can be told as JSON and comes back the same."""
    if isinstance(value, (list, tuple)):
        return all(map(plain, value))
    if isinstance(value, dict):
        return all(isinstance(k, str) and plain(v) for k, v in value.items())
    return value is None or isinstance(value, (bool, str, int)) or (isinstance(value, float) and value - value == 0)


def leave(place: str, body: dict[str, Any]) -> None:
    """Write what is to be told, whole or not at all."""
    temporary = f"{place}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as out:
        json.dump(body, out)
    os.replace(temporary, place)


def main() -> None:
    """Check, run, check again, and tell."""
    with open(sys.argv[1], "rb") as file:
        text = file.read()
    if hashlib.sha256(text).hexdigest() != sys.argv[2]:
        refuse("its list of files was changed")
    manifest = json.loads(text)
    root, script = manifest["root"], sys.argv[3]
    checked = Checked(root, manifest["files"])
    start = checked.all()
    for name, found in start.items():
        if found != manifest["files"][name]:
            refuse(f"{name} is not what was hashed ({found[:12]}, not {manifest['files'][name][:12]})")
    path = os.path.join(root, script)
    code = compile(checked.read(path), path, "exec", dont_inherit=True)
    body: dict[str, Any] = {"start": start}
    leave(manifest["tells"], body)
    sys.argv[:] = [path, *sys.argv[4:]]
    sys.path[:] = [os.path.dirname(path), *(p for p in sys.path[1:] if elsewhere(p, manifest["origin"]))]
    sys.dont_write_bytecode = True
    install(checked)
    main_module = ModuleType("__main__")
    main_module.__dict__.update(__file__=path, __builtins__=__builtins__, __spec__=None)
    sys.modules["__main__"] = main_module
    try:
        exec(code, main_module.__dict__)  # noqa: S102  # the one thing it is for, and only what was hashed
    finally:
        ours = [k for k in manifest["constants"] if k in main_module.__dict__ and plain(main_module.__dict__[k])]
        body |= {"end": checked.all(), "executed": checked.seen}
        leave(manifest["tells"], body | {"constants": {k: main_module.__dict__[k] for k in ours}})


if __name__ == "__main__":
    main()
