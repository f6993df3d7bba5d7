"""Telling somebody: once for each change, and through sinks that may fail; the HTTP ones against a real server."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope.errors import SettingsError
from trajscope.notify import Alarms, Courier, File, Message, Program, Terminal, Webhook, program, schema, sink
from trajscope.verdict import Level, Verdict

MESSAGE = Message("r/flailing", "firing", "FAIL", "r", "flailing", "46 trials <!channel> dry", 50, (1, 2))


class Server:
    """A real HTTP server on loopback: what it was sent, and what it answers next."""

    def __init__(self) -> None:
        outer = self
        self.got: list[tuple[str, dict[str, object]]] = []
        self.answers: list[int] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, json.loads(body)))
                code = outer.answers.pop(0) if outer.answers else 200
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    s = Server()
    yield s
    s.close()


def states(alarms: Alarms, levels: list[Level], *, every_s: float = 1.0) -> list[str]:
    """What is said as one rule takes these levels, one after the other."""
    out = []
    for n, level in enumerate(levels):
        out.append("+".join(m.state for m in alarms.hear([Verdict("x", level, "why")], n * every_s, n)))
    return out


def test_a_message_is_of_its_schema() -> None:
    asked = jsonschema.Draft202012Validator(schema())
    asked.validate(MESSAGE.to_json())
    for wrong in ({"level": "BAD"}, {"state": "over"}, {"trials": "50"}, {"more": 1}):
        assert not asked.is_valid(MESSAGE.to_json() | wrong)


def test_an_alarm_is_told_once_and_once_more_when_it_is_over() -> None:
    f, p = Level.FAIL, Level.PASS
    assert states(Alarms("r"), [p, f, f, f, p, p, f]) == ["", "firing", "", "", "resolved", "", "firing"]


def test_an_alarm_that_holds_is_told_again_after_a_while() -> None:
    assert states(Alarms("r", again_s=3), [Level.FAIL] * 8) == ["firing", "", "", "still", "", "", "still", ""]


def test_what_gets_worse_is_told_and_what_gets_better_but_not_good_is_not() -> None:
    w, u, f = Level.WARN, Level.UNKNOWN, Level.FAIL
    assert states(Alarms("r", least=w), [w, f, u, w, Level.PASS]) == ["firing", "firing", "", "", "resolved"]


def test_silence_is_told_in_its_own_words() -> None:
    alarms = Alarms("r")
    quiet = Verdict("silence", Level.FAIL, "nothing was heard for 20 min")
    assert [(m.state, m.rule) for m in alarms.hear([quiet], 0, 5)] == [("silent", "silence")]
    assert alarms.hear([quiet], 60, 5) == []
    assert [m.state for m in alarms.hear([quiet], 7200, 5)] == ["silent"], "and again where it lasts"
    assert [m.state for m in alarms.hear([quiet._replace(level=Level.PASS)], 7300, 6)] == ["resolved"]


@given(st.lists(st.sampled_from(list(Level)), max_size=40))
def test_the_last_word_said_is_the_last_word_there_is(levels: list[Level]) -> None:
    alarms = Alarms("r", again_s=1e9)
    last = "resolved"
    for n, level in enumerate(levels):
        for m in alarms.hear([Verdict("x", level, "why")], n, n):
            last = m.state
    standing = bool(levels) and levels[-1] is Level.FAIL
    assert (last == "firing") == standing


def test_a_webhook_gets_the_whole_message(server: Server) -> None:
    sink(server.url).send(MESSAGE)
    [(path, body)] = server.got
    assert path == "/hook"
    assert body == {"schema": 1, **MESSAGE._asdict(), "evidence": [1, 2]}


def test_slack_gets_a_text_that_calls_no_channel(server: Server) -> None:
    sink(f"slack+{server.url}").send(MESSAGE)
    [(_, body)] = server.got
    assert body == {"text": "ALARM r: flailing: 46 trials &lt;!channel&gt; dry"}


@pytest.mark.parametrize("code", [302, 400, 404, 429, 500, 503])
def test_any_answer_but_yes_is_a_failed_delivery(server: Server, code: int) -> None:
    server.answers = [code]
    with pytest.raises(OSError, match=str(code)):
        Webhook(server.url).send(MESSAGE)
    assert len(server.got) == 1  # and no redirect was followed


def test_a_server_that_is_not_there_is_a_failed_delivery_that_keeps_its_secret() -> None:
    with pytest.raises(OSError, match=r"127\.0\.0\.1: ") as e:
        Webhook("http://127.0.0.1:9/T000/secret", timeout_s=2).send(MESSAGE)
    assert "secret" not in str(e.value)


def test_a_delivery_that_fails_is_tried_again(server: Server) -> None:
    server.answers = [500, 503, 200]
    failed: list[str] = []
    courier = Courier([sink(server.url)], failed.append, pause_s=0)
    courier.tell(MESSAGE)
    courier.close()
    assert (len(server.got), failed) == (3, [])


def test_a_sink_that_never_works_is_reported_and_stops_no_other(server: Server, tmp_path: Path) -> None:
    server.answers = [500] * 99
    failed: list[str] = []
    out = tmp_path / "alarms.jsonl"
    courier = Courier([sink(server.url), sink(str(out))], failed.append, pause_s=0)
    courier.tell(MESSAGE)
    courier.tell(MESSAGE._replace(state="resolved"))
    courier.close()
    assert len(failed) == 2
    assert "not delivered after 3 tries (127.0.0.1 answered 500)" in failed[0]
    assert [json.loads(line)["state"] for line in out.read_text().splitlines()] == ["firing", "resolved"]


def test_a_slow_sink_holds_nobody_up_and_says_what_was_dropped() -> None:
    go = threading.Event()
    failed: list[str] = []
    sent: list[Message] = []

    class Slow:
        def send(self, message: Message) -> None:
            go.wait(20)
            sent.append(message)

    courier = Courier([Slow()], failed.append)
    for n in range(150):
        courier.tell(MESSAGE._replace(trials=n))
    go.set()
    courier.close()
    assert failed
    assert "a message was dropped" in failed[0]
    assert sent[-1].trials == 149
    assert len(sent) + len(failed) == 150


def test_a_program_gets_the_message_on_stdin_and_its_words_in_its_environment(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = "import os,sys; open(sys.argv[1],'w').write(os.environ['TRAJSCOPE_RULE']+' '+sys.stdin.read())"
    Program((sys.executable, "-c", script, str(out))).send(MESSAGE)
    rule, _, body = out.read_text().partition(" ")
    assert rule == "flailing"
    assert json.loads(body)["trials"] == 50


@pytest.mark.parametrize(
    ("script", "said"),
    [("import sys; sys.exit('no display')", "ended with 1: no display"), ("import time; time.sleep(60)", "took over")],
)
def test_a_program_that_fails_is_a_failed_delivery(script: str, said: str) -> None:
    with pytest.raises(OSError, match=said):
        Program((sys.executable, "-c", script), timeout_s=1 if "sleep" in script else 20).send(MESSAGE)


def test_a_program_that_is_not_there_is_a_failed_delivery() -> None:
    with pytest.raises(OSError, match="no-such-program"):
        program("no-such-program --now").send(MESSAGE)


def test_a_terminal_rings_only_for_what_is_new_and_obeys_no_file() -> None:
    out = io.StringIO()
    t = Terminal(bell=True, stream=out)
    t.send(MESSAGE._replace(text="\x1b[2Jgone\a"))
    t.send(MESSAGE._replace(state="resolved", text="fine"))
    assert out.getvalue() == "\aALARM r: flailing: \\x1b[2Jgone\\x07\nOVER r: flailing: fine\n"


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("bell", Terminal),
        ("terminal", Terminal),
        ("alarms.jsonl", File),
        ("https://example.org/x", Webhook),
        ("slack+https://example.org/x", Webhook),
    ],
)
def test_a_target_says_what_kind_of_sink_it_is(target: str, kind: type) -> None:
    assert isinstance(sink(target), kind)


def test_a_slack_address_is_known_by_its_host() -> None:
    found = sink("https://hooks.slack.com/services/T/B/x")
    assert isinstance(found, Webhook)
    assert found.slack


@pytest.mark.parametrize("target", ["ftp://example.org", "file:///etc/passwd", "https://"])
def test_a_target_that_cannot_be_notified_is_refused_at_once(target: str) -> None:
    with pytest.raises(SettingsError, match="cannot be notified"):
        sink(target)


@pytest.mark.parametrize("command", ["", "'unclosed"])
def test_a_command_that_is_none_is_refused_at_once(command: str) -> None:
    with pytest.raises(SettingsError, match="--exec"):
        program(command)
