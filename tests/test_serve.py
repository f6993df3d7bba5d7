"""The live page over the wire: what it tells of runs, that no trial is lost or told twice, and whom it lets in.

Planted and seen to fail: a client that is told again what it knew, or goes on where another run stands; a Host that is
not looked at; a token that every answer is; a cookie that is the token; text that is not escaped; a header left out; a
count that is told before what belongs to it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from clirun import AMNESIAC, error
from reportfield import EVIL, hostile
from servefield import ROOT, Served, begun, command, environment, trial

import trajscope
from trajscope_dashboards import cli, stream
from trajscope_dashboards.desk import Desk
from trajscope_dashboards.guard import Guard

pytestmark = pytest.mark.needs_module("starlette", "uvicorn")
TOKEN = "a-token-of-32-letters-0123456789"  # noqa: S105  # of the tests
EVERYWHERE = "0.0.0.0"  # noqa: S104  # that is what is asked for


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    """One server for all that only asks, and the folder that it serves."""
    tmp = tmp_path_factory.mktemp("served")
    runs = tmp / "runs"
    (runs / "night").mkdir(parents=True)
    (runs / "night" / "amnesiac.jsonl").write_bytes(AMNESIAC.read_bytes())
    (runs / "night" / "amnesiac.menu.json").write_bytes(AMNESIAC.with_name("amnesiac.menu.json").read_bytes())
    hostile(runs / "hostile.jsonl")
    with Served(tmp, runs) as served:
        yield served, runs
        code, said = served.end()
        assert (code, said) == (130, "")


def test_every_run_stands_there_with_its_word_and_what_watch_says_of_it(place: tuple[Served, Path]) -> None:
    served, runs = place
    served.run("night/amnesiac.jsonl")
    found = {r["name"]: r for r in served.ask("/api/runs").json["runs"]}
    amnesiac = found["night/amnesiac.jsonl"]
    (doc,) = trajscope.analyze(runs / "night" / "amnesiac.jsonl")
    assert amnesiac["watch"]["word"] == doc["verdict"]["word"] == "FLAILING"
    jsonschema.validate(amnesiac["watch"], json.loads((ROOT / "docs" / "schema" / "watch.schema.json").read_text()))
    for part in ("baseline", "coverage", "pairs", "plateau", "best", "nulls", "cost", "metric"):
        own = {k: v for k, v in amnesiac[part].items() if k in doc[part] and not isinstance(v, dict)}
        assert own
        assert own == pytest.approx({k: doc[part][k] for k in own}), part
    page = served.ask("/").body.decode()
    assert "FLAILING" in page
    assert f"/runs/{amnesiac['id']}" in page


def test_one_run_answers_with_its_trials_its_pictures_its_analysis_and_a_trial_in_full(
    place: tuple[Served, Path],
) -> None:
    served, _ = place
    run = served.run("night/amnesiac.jsonl")
    said = served.ask(f"/api/runs/{run}/rows?most=3").json
    assert (said["total"], [r["seq"] for r in said["rows"]]) == (50, [48, 49, 50])
    (before,) = [r for r in served.ask(f"/api/runs/{run}/rows").json["rows"] if r["seq"] == 45]
    assert (before["status"], before["pair"], before["k"], before["first"]) == ("kept", "d_model=768", 7, 4)
    assert served.ask(f"/api/runs/{run}/analysis").json["best"]["seq"] == 45
    spec = served.ask(f"/api/runs/{run}/charts").json["history"]
    assert spec["usermeta"]["question"] == "What happened, trial by trial?"
    assert served.ask(f"/runs/{run}/history.svg").body.startswith(b"<svg")
    full = served.ask(f"/api/runs/{run}/trials/45").json
    assert any("d_model" in line for line in full["text"])
    assert served.ask(f"/api/runs/{run}/trials/51").status == 404
    assert "10.8534" in served.ask(f"/runs/{run}/trials/45").body.decode()


def test_no_trial_is_lost_and_none_is_told_twice_by_who_comes_back(place: tuple[Served, Path]) -> None:
    served, runs = place
    with begun(runs / "back.jsonl", 5) as run:
        here = f"/api/runs/{served.run('back.jsonl')}/events"
        with served.events(here) as first:
            heard = first.next("reset")
            seqs = [r["seq"] for r in heard.data["rows"]]
            trial(run, 5)
            while len(seqs) < 6:
                heard = first.next("rows")
                seqs += [r["seq"] for r in heard.data["rows"]]
        for i in range(6, 9):
            trial(run, i)
        with served.events(here, Last_Event_ID=heard.id) as second:
            trial(run, 9)
            while len(seqs) < 10:
                heard = second.next("rows", "reset")
                assert heard.name == "rows"
                seqs += [r["seq"] for r in heard.data["rows"]]
        with served.events(f"{here}?last={heard.id}") as third:
            third.next("run")
            trial(run, 10)
            seqs += [r["seq"] for r in third.next("rows", "reset").data["rows"]]
    assert seqs == [t.seq for t in trajscope.read(runs / "back.jsonl") if isinstance(t, trajscope.Trial)]


@pytest.mark.parametrize("known", ["", "x", "0:0", "ffffffff.1.0.1:3", ":", "1:-1", "9" * 60, "a:" + "9" * 15])
def test_who_comes_back_with_what_is_not_known_here_begins_anew(place: tuple[Served, Path], known: str) -> None:
    served, _ = place
    run = served.run("night/amnesiac.jsonl")
    with served.events(f"/api/runs/{run}/events", Last_Event_ID=known) as heard:
        first = heard.next("rows", "reset")
    assert first.name == "reset"
    assert len(first.data["rows"]) == 50


def test_a_run_that_is_replaced_cut_or_deleted_begins_anew_and_says_so(place: tuple[Served, Path]) -> None:
    served, runs = place
    path = runs / "turns.jsonl"
    begun(path, 5).close()
    run = served.run("turns.jsonl")
    with served.events(f"/api/runs/{run}/events") as heard:
        assert heard.next("reset").data["total"] == 5
        course = heard.last.partition(":")[0]
        begun(runs / "other.jsonl.part", 3, run_id="another").close()
        (runs / "other.jsonl.part").replace(path)
        again = heard.next("reset")
        while again.data["total"] != 3:
            again = heard.next("reset")
        assert again.id.partition(":")[0] != course
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
        while heard.next("reset").data["total"] != 2:
            pass
        path.unlink()
        while not any("deleted" in x for x in heard.next("run").data["watch"]["notices"]):
            pass
    assert served.process.poll() is None


def test_runs_appear_and_what_cannot_be_read_is_named(place: tuple[Served, Path]) -> None:
    served, runs = place
    with served.events("/api/events") as heard:
        heard.next("reset")
        with begun(runs / "appears.jsonl", 1) as run:
            while not any(r["name"] == "appears.jsonl" for r in heard.next("runs").data["runs"]):
                pass
            trial(run, 1)
            while not any(r["watch"]["trials"] == 2 for r in heard.next("runs").data["runs"]):
                pass
        (runs / "settings").mkdir()
        (runs / "settings" / "trajscope.toml").write_text("[alarm]\n")
        begun(runs / "settings" / "bad.jsonl", 1).close()
        begun(runs / "settings" / "worse.jsonl", 1).close()
        begun(runs / "later.jsonl", 1).close()
        while not any("alarm" in x for x in heard.next("runs").data["troubles"]):
            pass


def test_fifty_clients_hear_of_a_row_and_the_file_is_open_once(place: tuple[Served, Path]) -> None:
    served, runs = place
    path = runs / "many.jsonl"
    with begun(path, 2) as run:
        here = f"/api/runs/{served.run('many.jsonl')}/events"
        clients = [served.events(here) for _ in range(50)]
        for one in clients:
            assert one.next("reset").data["total"] == 2
        trial(run, 2)
        for one in clients:
            assert [r["seq"] for r in one.next("rows").data["rows"]] == [4]
        links = (Path("/proc") / str(served.process.pid) / "fd").iterdir()
        held = [x for x in links if x.is_symlink() and str(x.readlink()) == str(path)]
        for one in clients:
            one.close()
    assert len(held) == 1


def test_more_clients_than_may_stay_are_refused_in_one_line_and_others_still_served(
    place: tuple[Served, Path],
) -> None:
    served, _ = place
    clients = [served.events("/api/events") for _ in range(201)]
    statuses = [c.answer.status for c in clients]
    assert statuses.count(503) >= 1
    refused = clients[statuses.index(503)].answer.read().decode()
    assert refused.count("\n") == 1
    assert served.ask("/api/runs").status == 200
    for one in clients:
        one.close()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:80", 200), ("127.0.0.1:9", 200), ("[::1]:80", 200), ("127.8.8.8", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost.evil.example", 421), ("10.0.0.1", 421),
        ("", 421), ("[::1", 421), ("localhost:x", 421), ("a@localhost:80@evil", 421), ("0x7f.1", 421),
    ],
)  # fmt: skip
def test_only_a_host_that_was_meant_is_answered(place: tuple[Served, Path], host: str, status: int) -> None:
    served, _ = place
    for path in ("/", "/api/runs", "/page.js"):
        assert served.ask(path, Host=host).status == status


def test_a_request_with_two_hosts_or_none_is_refused(place: tuple[Served, Path]) -> None:
    served, _ = place
    for hosts in ("", "Host: localhost\r\nHost: evil.example\r\n"):
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as s:
            s.sendall(f"GET /api/runs HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
            assert s.makefile("rb").readline().split()[1] == b"400"


def test_no_address_leads_to_a_file(place: tuple[Served, Path]) -> None:
    served, runs = place
    run = served.run("night/amnesiac.jsonl")
    (runs.parent / "secret").write_text("the secret")
    for path in (
        "/../secret", "/runs/../../secret", "/runs/..%2f..%2fsecret", "/runs/%2e%2e/%2e%2e/secret", "//secret",
        f"/runs/{run}/../../../secret", f"/runs/{run}/..%2f..%2fsecret.svg", f"/runs/{run}/%2fetc%2fpasswd.svg",
        f"/api/runs/{run}/trials/..%2f..%2fsecret", f"/api/runs/{runs.parent}/secret", "/page.css/../../secret",
        "/runs/night%2famnesiac.jsonl", f"/runs/{run}%00", "/runs/..%5c..%5csecret", "/api/runs/secret/rows",
    ):  # fmt: skip
        said = served.ask(path)
        assert said.status == 404, path
        assert b"secret" not in said.body
        assert said.body.count(b"\n") == 1


def test_a_path_in_a_record_is_not_followed(place: tuple[Served, Path]) -> None:
    served, runs = place
    (runs.parent / "secret").write_text("the secret")
    with begun(runs / "paths.jsonl") as run:
        paths = ["../secret", str(runs.parent / "secret"), "file:///etc/passwd"]
        for i in range(len(paths)):
            trial(run, i)
    lines = (runs / "paths.jsonl").read_bytes().splitlines()
    for i, path in enumerate(paths):
        line = json.loads(lines[2 + i])
        lines[2 + i] = json.dumps({**line, "diff": {"blob": path}, "note": {"blob": path}, "file": path}).encode()
    (runs / "paths2.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    here = served.run("paths2.jsonl")
    for seq in (2, 3, 4):
        said = served.ask(f"/api/runs/{here}/trials/{seq}")
        assert said.status == 200
        assert b"the secret" not in said.body
        assert b"root:" not in said.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_the_page_is_only_read(place: tuple[Served, Path], method: str) -> None:
    served, _ = place
    said = served.ask("/api/runs", method, b"x" if method == "POST" else None)
    assert (said.status, said.headers["allow"]) == (405, "GET, HEAD")


def test_what_is_too_long_is_refused(place: tuple[Served, Path]) -> None:
    served, _ = place
    assert served.ask("/" + "x" * 3000).status == 414
    assert served.ask("/api/runs", X="x" * 20_000).status in (400, 431)
    assert served.ask("/api/runs").status == 200


@pytest.mark.parametrize(
    "path", ["/", "/api/runs", "/nowhere", "/page.js", "/draw.js", "/api/events", "/runs/x", "/api/runs/x/events"]
)
def test_every_answer_carries_what_keeps_a_browser_from_being_misled(place: tuple[Served, Path], path: str) -> None:
    served, _ = place
    with served.events(path) as said:
        headers = {k.lower(): v for k, v in said.answer.getheaders()}
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert not [k for k in headers if k.startswith("access-control") or k == "server"]


def test_nothing_of_a_hostile_run_stands_in_a_page_as_markup(place: tuple[Served, Path]) -> None:
    served, _ = place
    run = served.run("hostile.jsonl")
    for path in ("/", f"/runs/{run}", f"/runs/{run}/trials/5"):
        body = served.ask(path).body.decode().lower()
        # As text some of it stands there, with its brackets escaped.
        assert "window.ran" in body or path == "/"
        for mark in ("<script>", "<img src=x", "<svg onload", "</title></", "<a href='javascript"):
            assert mark not in body, (path, mark)


def test_the_token_is_asked_for_and_told_to_nobody(tmp_path: Path) -> None:
    begun(tmp_path / "run.jsonl", 2).close()
    with Served(tmp_path, tmp_path, "--host", EVERYWHERE, TRAJSCOPE_TOKEN=TOKEN) as served:
        for wrong in ("", "Bearer", "Bearer x", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN):
            said = served.ask("/api/runs", Authorization=wrong)
            assert (said.status, said.body.count(b"\n")) == (401, 1), wrong
        assert served.ask("/api/events").status == 401
        assert served.ask("/api/runs", Authorization=f"Bearer {TOKEN}").status == 200
        assert served.ask("/api/runs", Authorization=f"Bearer {TOKEN}", Host="evil.example").status == 421
        form = served.ask("/", Accept="text/html")
        assert (form.status, b'type="password"' in form.body) == (401, True)
        assert served.ask("/enter", "POST", b"token=wrong").status == 401
        assert served.ask("/enter", "POST", b"token=" + b"x" * 10_000).status == 413
        entered = served.ask("/enter", "POST", f"token={TOKEN}".encode())
        kept = entered.headers["set-cookie"]
        assert (entered.status, entered.headers["location"]) == (303, "/")
        assert "HttpOnly" in kept
        assert "SameSite=Strict" in kept
        assert TOKEN not in kept
        cookie = kept.partition(";")[0]
        assert served.ask("/", Cookie=f"other=1; {cookie}").status == 200
        assert served.ask("/", Cookie=f"{cookie}0").status == 401
        assert served.ask("/", Cookie="trajscope=").status == 401
        code, rest = served.end()
    assert (code, TOKEN in served.said + rest) == (130, False)


@pytest.mark.parametrize("host", [EVERYWHERE, "::"])
def test_beyond_this_machine_there_is_no_serving_without_a_token(tmp_path: Path, host: str) -> None:
    begun(tmp_path / "run.jsonl").close()
    said = error(_run(tmp_path, str(tmp_path), "--host", host, "--port", "0"))
    assert said.startswith(f"{host}: others than this machine could read the page; set $TRAJSCOPE_TOKEN")
    short = error(_run(tmp_path, str(tmp_path), "--host", host, "--port", "0", **{cli.TOKEN: "short"}))
    assert short.startswith("the token must have 16 plain letters or more")


def test_what_cannot_be_served_is_said_in_one_line(tmp_path: Path) -> None:
    assert error(_run(tmp_path, str(tmp_path / "nowhere"))).startswith(f"{tmp_path}/nowhere: cannot be read")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert error(_run(tmp_path, str(tmp_path), "--port", port)).startswith(f"127.0.0.1:{port}: cannot be listened")
    assert "cannot be read" in error(_run(tmp_path, str(tmp_path), "--token-file", str(tmp_path / "none")))


def test_the_flags_that_say_what_a_file_does_not_are_those_of_the_other_commands(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    head = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
    lines = (
        "aaaaaa1\t1.0\t7.0\tkeep\tbaseline\n",
        "aaaaaa2\t0.9\t6.0\tkeep\tLR 0.1\n",
        "aaaaaa3\t0.8\t5.0\tkeep\tLR 0.2\n",
    )
    (runs / "table.tsv").write_text(head + "".join(lines))
    (runs / "mine.tsv").write_text("step\tlr\tother\n1\t0.1\t7.0\n2\t0.2\t6.0\n")
    (tmp_path / "knobs.json").write_text('{"knobs": {"lr": {"type": "float", "range": [0, 1]}}}')
    (tmp_path / "map.toml").write_text('metric = "other"\ngoal = "minimize"\nknobs = ["lr"]\n')
    said = []
    for name, *flags in (
        ("table.tsv", "--metric", "memory_gb", "--goal", "maximize"),
        ("mine.tsv", "--map", str(tmp_path / "map.toml"), "--history", "5"),
    ):
        with Served(tmp_path, runs / name, *flags, "--menu", str(tmp_path / "knobs.json")) as served:
            run = served.ask(f"/api/runs/{served.run(name)}").json
            said.append((run["metric"]["name"], run["metric"]["goal"], run["coverage"]["knobs_total"]))
    assert said == [("memory_gb", "maximize", 1), ("other", "minimize", 1)]
    (runs / "mine.map.toml").write_text((tmp_path / "map.toml").read_text())
    with Served(tmp_path, runs) as served:
        served.run("mine.tsv")
        code, heard = served.end()
    assert (code, heard.count("lies beside")) == (130, 1)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--goal", "up"), "neither minimize nor maximize"),
        (("--menu", "a", "--menu-from", "b"), "say one"),
        (("--menu", "nowhere.json"), "nowhere.json"),
        (("--map", "nowhere.toml"), "nowhere.toml"),
        (("--repo", "nowhere"), "is no folder"),
        (("--reader", "nothing"), "nothing"),
    ],
)
def test_what_is_wrong_with_a_flag_is_said_before_anything_is_served(
    tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    assert said in error(_run(tmp_path, str(tmp_path), *flags, "--port", "0"))


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(trajscope.TrajscopeError, match=r"needs uvicorn; pip install 'trajscope\[web\]'"):
        cli.serve(Path())


def test_a_server_that_was_killed_knows_the_runs_by_the_same_ids_and_begins_anew(tmp_path: Path) -> None:
    begun(tmp_path / "run.jsonl", 4).close()
    with Served(tmp_path, tmp_path) as served:
        run = served.run("run.jsonl")
        with served.events(f"/api/runs/{run}/events") as heard:
            known = heard.next("reset").id
            served.end(signal.SIGKILL)
            with pytest.raises((EOFError, ConnectionError)):
                list(iter(heard.next, None))
        with Served(tmp_path, tmp_path, port=served.port) as again:
            assert again.run("run.jsonl") == run
            with again.events(f"/api/runs/{run}/events", Last_Event_ID=known) as heard:
                assert heard.next("rows", "reset").name == "reset"


def test_who_takes_nothing_gets_the_newest_state_and_not_all_that_was(tmp_path: Path) -> None:
    async def told() -> list[list[tuple[str, Any]]]:
        desk, sent = Desk(trajscope.Lookout(tmp_path)), []
        desk.begin(asyncio.get_running_loop())
        while not desk.posts:
            await desk.news(desk.count)
        run = next(iter(desk.posts))
        taken, goes_on = asyncio.Event(), asyncio.Event()

        async def send(data: bytes) -> None:
            parts = [dict(x.split(": ", 1) for x in e.splitlines() if ": " in x) for e in data.decode().split("\n\n")]
            found = [(e["event"], json.loads(e["data"])) for e in parts if e.get("event") in ("reset", "rows", "run")]
            if found:
                sent.append(found)
            if any(name == "reset" for name, _ in found):
                taken.set()
                await goes_on.wait()

        going = asyncio.ensure_future(stream.serve(desk, stream.One(desk, run, ""), send))
        await taken.wait()
        for i in range(4, 304):
            trial(writer, i)
            if i % 10 == 0:
                while desk.posts[run].sight.total < i:
                    await desk.news(desk.count)
        while desk.posts[run].sight.total < 304:
            await desk.news(desk.count)
        goes_on.set()
        while not any(name == "rows" for found in sent for name, _ in found):
            await desk.news(desk.count)
            await asyncio.sleep(0)
        desk.end()
        await going
        return sent

    with begun(tmp_path / "run.jsonl", 4) as writer:
        sent = asyncio.run(told())
    reset = next(i for i, found in enumerate(sent) if found[0][0] == "reset")
    after = dict(sent[reset + 1])
    assert [r["seq"] for r in after["rows"]["rows"]] == list(range(6, 306))
    assert after["run"]["watch"]["trials"] == 304


def test_who_has_seen_a_count_has_seen_all_that_belongs_to_it(tmp_path: Path) -> None:
    # A client may look at any moment: between any two steps of putting something on the desk, too.
    begun(tmp_path / "run.jsonl", 2).close()
    seen: list[tuple[int, int]] = []

    class Looked(Desk):
        def __setattr__(self, name: str, value: object) -> None:
            object.__setattr__(self, name, value)
            if name in ("count", "posts") and "count" in vars(self) and "posts" in vars(self):
                seen.append((self.count, max((p.at for p in self.posts.values()), default=0)))

    desk = Looked(trajscope.Lookout(tmp_path))
    for changed in desk.lookout.rounds():
        desk._post(changed)
        break
    assert seen[-1] == (1, 1)
    assert all(count <= at for count, at in seen)


def test_our_own_fault_is_one_line_on_both_sides(capfd: pytest.CaptureFixture[str]) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("what nobody may see")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": f"/{EVIL}", "raw_path": b"/", "query_string": b"",
             "headers": [(b"host", b"localhost")]}  # fmt: skip
    asyncio.run(Guard(broken, None, frozenset(), b"")(scope, receive, send))
    assert (sent[0]["status"], sent[1]["body"]) == (500, b"trajscope itself failed (ZeroDivisionError)\n")
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err


def _run(tmp: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command(), "serve", *words], env=environment(tmp, **env), capture_output=True, text=True, timeout=50,
        check=False,
    )  # fmt: skip
