"""What the tests of the live page share: a real server in a process of its own, requests to it, and its events."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from runfiles import start

from trajscope.writer import RunWriter

ROOT = Path(__file__).resolve().parents[1]
MENU = {
    "knobs": {
        "lr": {"type": "float", "range": [1e-5, 1e-1], "scale": "log", "default": 1e-3},
        "depth": {"type": "int", "range": [1, 12], "default": 4},
        "wd": {"type": "float", "range": [0.0, 1.0], "default": 0.0},
    }
}
BASE = {"lr": 1e-3, "depth": 4, "wd": 0.0}
PATIENCE_S = 30.0


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Event(NamedTuple):
    """An event as the browser would hand it on."""

    name: str
    id: str
    data: Any


class Events:
    """A client that stays. `only` leaves out other events, pictures at least."""

    def __init__(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._connection.request("GET", path, headers=dict(headers))
        self.answer = self._connection.getresponse()
        self.last = ""

    def next(self, *names: str) -> Event:
        """The next event of these names, of whatever name without."""
        found = {"event": "", "data": ""}
        while True:
            line = self.answer.readline()
            if not line:
                raise EOFError("the server has gone")
            text = line.decode().rstrip("\n")
            if text:
                key, _, value = text.partition(": ")
                if key == "id":
                    self.last = value
                elif key in found:
                    found[key] = value
                continue
            if found["event"] and (not names or found["event"] in names):
                return Event(found["event"], self.last, json.loads(found["data"]))
            found = {"event": "", "data": ""}

    def close(self) -> None:
        self.answer.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Served:
    """The command in a process of its own, mounted as an installation mounts it."""

    def __init__(self, tmp: Path, path: Path, *options: str, port: int = 0, **env: str) -> None:
        self.tmp = tmp
        self.process = subprocess.Popen(
            [*command(), "serve", str(path), "--port", str(port), *options],
            env=environment(tmp, **env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        if not self.said:
            raise AssertionError(self.process.communicate()[1])
        self.url = self.said.split()[0]
        self.port = int(self.url.rstrip("/").rpartition(":")[2])

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Said:
        """One request, its path as it stands."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return Said(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def events(self, path: str, **headers: str) -> Events:
        """A client that stays."""
        return Events(self.port, path, {k.replace("_", "-"): v for k, v in headers.items()})

    def run(self, name: str) -> str:
        """The id of a run by the name of its file, once it was found."""
        with self.events("/api/events") as heard:
            while True:
                for r in heard.next().data["runs"]:
                    if r["name"] == name:
                        return str(r["id"])

    def end(self, how: int = signal.SIGINT) -> tuple[int, str]:
        """Its exit code, and all that it said besides the address."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out + err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)


def command() -> list[str]:
    return [sys.executable, "-m", "trajscope.cli"]


def environment(tmp: Path, **more: str) -> dict[str, str]:
    """A user without settings or cache, with our guests mounted."""
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    info = tmp / "installed" / "guests-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guests\nVersion: 1\n")
    lines = [f"[{g}]\n" + "".join(f"{n} = {v}\n" for n, v in found.items()) for g, found in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    places = [str(info.parent), str(ROOT), str(ROOT / "loop"), str(ROOT / "dashboards"), str(ROOT / "tests")]
    kept = {k: v for k, v in os.environ.items() if k != "TRAJSCOPE_TOKEN"}
    return kept | {
        "PYTHONPATH": os.pathsep.join(places), "XDG_CONFIG_HOME": str(tmp / "config"),
        "XDG_CACHE_HOME": str(tmp / "cache"), "PYTHONUTF8": "1", **more,
    }  # fmt: skip


def begun(path: Path, trials: int = 0, **more: Any) -> RunWriter:
    """A run that goes on."""
    run = start(path, metric={"name": "loss", "goal": "minimize"}, menu=MENU, base=BASE, **more)
    run.measure("baseline", value=2.0)
    for i in range(trials):
        trial(run, i)
    return run


def trial(run: RunWriter, i: int) -> None:
    """The i-th trial: depths over and over, nearly nothing kept."""
    value = 2.0 - 0.01 * (i % 7)
    run.trial({"depth": 1 + i % 12 if i % 4 else 2}, value=value, kept=i == 3, wall_s=10.0)


def patched(value: Any, changes: list[Any]) -> Any:
    """A value with its changes, as docs/serve.md says that a client does it; the value stays as it was."""
    for path, x, *more in changes:
        value = _put(value, path, x, more)
    return value


def _put(value: Any, path: list[Any], x: Any, more: list[Any]) -> Any:
    if not path:
        return [*value[:x], *more[0]] if more else x
    own = list(value) if isinstance(value, list) else dict(value)
    own[path[0]] = _put(own[path[0]], path[1:], x, more)
    return own
