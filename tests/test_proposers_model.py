"""Proposers with a model behind them, against a real server: what they send, and make of answers and failures."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from modelserver import Reply, Server, closed_port, completion, error, message, serving
from proposalview import REFUSAL, menu, past, view

from trajscope import open_run
from trajscope.rails import Edits, History, Rails
from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers import make
from trajscope_loop.proposers.claude import Claude
from trajscope_loop.proposers.command import Command
from trajscope_loop.proposers.compatible import Compatible
from trajscope_loop.seams import Proposer

KEY = "sk-test-7b1e5f0c9d2a4e8896"
SAID = '{"reason": "smaller steps", "changes": [{"knob": "lr", "value": 0.05}], "intent": null}'
pytestmark = pytest.mark.needs_module("anthropic", "openai")
BOTH = pytest.mark.parametrize("kind", ["anthropic", "openai"])


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """The SDKs, which take seconds to import, before anybody measures time."""
    import anthropic  # noqa: F401
    import openai  # noqa: F401


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment, and no address that a developer may have set."""
    for name in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODEL_API_KEY", KEY)


def proposer(kind: str, at: Server | str, **options: Any) -> Proposer:
    root = at if isinstance(at, str) else at.root
    given = {"model": "claude-sonnet-5-5" if kind == "anthropic" else "small", "max_retries": 0, "timeout_s": 20.0}
    url = root if kind == "anthropic" else f"{root}/v1"
    return make(kind, **{**given, "base_url": url, "key_env": "MODEL_API_KEY", **options})


def answered(kind: str, text: str, stop: str | None = None, **more: Any) -> dict[str, Any]:
    if kind == "anthropic":
        return message(text, {"cut": "max_tokens"}.get(stop or "", stop or "end_turn"), **more)
    return completion(text, {"cut": "length"}.get(stop or "", stop or "stop"), **more)


def texts(body: Any) -> tuple[str, str]:
    """System and user text of a request, as the server got them."""
    if "system" in body:
        return "".join(b["text"] for b in body["system"]), "".join(b["text"] for b in body["messages"][0]["content"])
    system, user = body["messages"]
    return system["content"], user["content"]


def refused(said: object) -> str:
    """Why rails refuse it; empty where they let it pass."""
    answer = Rails(menu(), History.none(menu()), base={"lr": 0.1, "act": "relu"}).ask(said)
    return "" if answer.passed else answer.verdict.reason


# --- an answer ------------------------------------------------------------------------------------------------------


@BOTH
def test_an_answer_is_a_proposal_that_rails_let_pass(kind: str) -> None:
    with serving(Reply(200, answered(kind, SAID))) as server:
        said = proposer(kind, server).propose(view())
    assert said.proposal == SAID
    assert refused(said.proposal) == ""
    assert (said.tokens_in, said.tokens_out, said.tokens_cached) == (100, 40, 0)
    assert 0 < said.wall_s < 20
    assert said.model == ("claude-sonnet-5-5" if kind == "anthropic" else "small")


@BOTH
def test_what_is_recorded_as_shown_is_what_the_server_got(kind: str) -> None:
    seen = view(
        past=past(25), trials=25, denied=("lr=0.5",), untried=("act=gelu",), refusals=(REFUSAL,), refused=("lr=0.5",)
    )
    with serving(Reply(200, answered(kind, SAID))) as server:
        said = proposer(kind, server).propose(seen)
    system, user = texts(server.asked[0].body)
    assert said.shown == f"[system]\n{system}\n\n[user]\n{user}"
    for part in ("Make the loss small.", '"choices":["relu","gelu"]', "the goal is to minimize"):
        assert part in system
    for part in (
        "1. lr=0.001: reverted, 0.999, mem 2 (no gain)",
        "25. lr=0.025",
        "It scores 0.875.",
        "lr=0.5 was tried in trial 3",
    ):
        assert part in user
    assert "Instead: act=gelu." in user
    assert "Not tried yet, among others: act=gelu" in user


@BOTH
def test_the_answers_shape_is_asked_for_by_a_schema_that_names_the_knobs(kind: str) -> None:
    with serving(Reply(200, answered(kind, SAID))) as server:
        proposer(kind, server).propose(view())
    body = server.asked[0].body
    if kind == "anthropic":
        assert body["output_config"]["format"]["type"] == "json_schema"
        schema = body["output_config"]["format"]["schema"]
    else:
        assert body["response_format"]["type"] == "json_schema"
        schema = body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["reason", "changes", "intent"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["changes"]["items"]["properties"]["knob"] == {"type": "string", "enum": ["lr", "act"]}


@BOTH
def test_a_temperature_is_sent_where_one_is_given_and_told_in_the_header(kind: str) -> None:
    with serving(Reply(200, answered(kind, SAID))) as server:
        warm, plain = proposer(kind, server, temperature=0.7), proposer(kind, server)
        warm.propose(view())
        plain.propose(view())
    assert server.asked[0].body["temperature"] == 0.7
    assert "temperature" not in server.asked[1].body
    assert warm.header()["temperature"] == 0.7
    assert plain.header()["temperature"] is None


def test_what_never_changes_is_marked_to_be_cached_and_stays_the_same() -> None:
    with serving(Reply(200, message(SAID))) as server:
        asks = proposer("anthropic", server, cache="1h")
        asks.propose(view(past=past(25), trials=25))
        asks.propose(view(past=past(39), trials=39, best=0.5))
    kept: list[list[str]] = []
    for asked in server.asked:
        blocks = [*asked.body["system"], *asked.body["messages"][0]["content"]]
        marked = [i for i, b in enumerate(blocks) if "cache_control" in b]
        assert marked == [0, 1]  # the system text, and the first twenty trials
        assert blocks[0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
        kept.append([b["text"] for b in blocks[:2]])
    assert kept[0] == kept[1]


@pytest.mark.parametrize(("options", "marks"), [({"cache": "off"}, []), ({"k": 25}, [0])])
def test_nothing_is_marked_that_will_not_stay(options: dict[str, Any], marks: list[int]) -> None:
    with serving(Reply(200, message(SAID))) as server:
        proposer("anthropic", server, **options).propose(view(past=past(25), trials=60))
    body = server.asked[0].body
    blocks = [*body["system"], *body["messages"][0]["content"]]
    assert [i for i, b in enumerate(blocks) if "cache_control" in b] == marks


def test_tokens_of_the_cache_are_counted_and_priced_apart() -> None:
    usage = {
        "input_tokens": 1_000,
        "output_tokens": 500,
        "cache_read_input_tokens": 10_000,
        "cache_creation_input_tokens": 3_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 2_000, "ephemeral_1h_input_tokens": 1_000},
    }
    with serving(Reply(200, message(SAID, usage=usage), {"request-id": "req_77"})) as server:
        said = proposer("anthropic", server).propose(view())
    assert (said.tokens_in, said.tokens_out, said.tokens_cached) == (14_000, 500, 10_000)
    # sonnet 5.5 per million: 2 in, 10 out, .10 read, 2.50 written for 5 minutes, 4 for an hour
    # .002 + .005 + .001 + .005 + .004
    assert said.usd == pytest.approx(0.017)
    assert said.request == "req_77"


def test_prices_of_the_plan_count_where_the_model_is_on_no_list() -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}}
    with serving(Reply(200, completion(SAID, usage=usage))) as server:
        unknown = proposer("openai", server).propose(view())
        priced = proposer("openai", server, prices={"input": 1.0, "output": 4.0, "cache_read": 0.5}).propose(view())
        halved = proposer("openai", server, prices={"input": 1.0, "output": 4.0}).propose(view())
    assert unknown.usd is None
    assert priced.usd == pytest.approx((600 * 1.0 + 400 * 0.5 + 100 * 4.0) / 1e6)
    assert halved.usd is None  # what a cached token costs is not said
    assert (priced.tokens_in, priced.tokens_cached) == (1_000, 400)


@BOTH
def test_an_answer_that_does_not_count_its_tokens_has_no_price(kind: str) -> None:
    with serving(Reply(200, answered(kind, SAID, usage={}))) as server:
        said = proposer(kind, server, prices={"input": 1, "output": 1}).propose(view())
    assert (said.tokens_in, said.tokens_out, said.usd) == (None, None, None)


# --- an answer that is none: rails refuse it, and it is paid for ----------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("text", "stop", "why"),
    [
        (SAID[:40], "cut", "cut off after max_tokens"),
        (SAID, "cut", "cut off after max_tokens"),
        ("", None, "is empty"),
        ("I would try a smaller rate.", None, "is prose"),
        ('{"changes": [{"knob": "lr"', None, "is not JSON"),
        (f"```json\n{SAID}\n```", None, "code fence"),
        ('{"knobs": {"lr": 1}}', None, "which nothing asks for"),
        ('{"reason": "?", "changes": [{"knob": "nose", "value": 1}], "intent": null}', None, "nose"),
    ],
)
def test_what_is_no_proposal_is_refused_by_rails_and_counted(kind: str, text: str, stop: str | None, why: str) -> None:
    with serving(Reply(200, answered(kind, text, stop))) as server:
        said = proposer(kind, server).propose(view())
    assert why in refused(said.proposal)
    assert text in str(said.proposal)
    assert said.tokens_out == 40


def test_a_model_that_declines_is_heard_even_where_it_had_begun_an_answer() -> None:
    declined = message(SAID, "refusal", stop_details={"type": "refusal", "category": "bio", "explanation": "not this"})
    with serving(Reply(200, declined), Reply(200, completion(None, refusal="not that"))) as server:
        first = proposer("anthropic", server).propose(view()).proposal
        second = proposer("openai", server).propose(view()).proposal
    assert "declined by the model: not this" in refused(first)
    assert "declined by the model: not that" in refused(second)


@pytest.mark.parametrize("finish", ["content_filter", "tool_calls"])
def test_a_completion_that_was_stopped_is_no_proposal(finish: str) -> None:
    with serving(Reply(200, completion(SAID, finish)), Reply(200, completion(SAID) | {"choices": []})) as server:
        asks = proposer("openai", server)
        assert f"stopped by {finish}" in refused(asks.propose(view()).proposal)
        assert "stopped by an answer without choices" in refused(asks.propose(view()).proposal)


# --- no answer: one line, and no key in it --------------------------------------------------------------------------


def failed(asks: Proposer) -> ProposerError:
    with pytest.raises(ProposerError) as caught:
        asks.propose(view())
    error = caught.value
    assert "\n" not in str(error)
    assert error.__context__ is None  # an SDK's exception holds the request, and that its key
    assert error.__cause__ is None
    return error


@BOTH
@pytest.mark.parametrize("status", [429, 529])
def test_a_server_that_is_too_busy_is_asked_again_when_it_says(kind: str, status: int) -> None:
    busy = Reply(status, error("slow down"), {"retry-after": "1"})
    with serving(busy, Reply(200, answered(kind, SAID))) as server:
        said = proposer(kind, server, max_retries=2).propose(view())
    assert said.proposal == SAID
    first, second = server.asked
    assert second.at - first.at >= 1.0  # by itself the SDK would have waited half a second at most
    assert said.wall_s >= 1.0


@BOTH
def test_retries_end(kind: str) -> None:
    busy = Reply(529, error("overloaded"), {"retry-after-ms": "10"})
    with serving(busy) as server:
        told = str(failed(proposer(kind, server, max_retries=2)))
    assert len(server.asked) == 3
    assert "refused with 529: overloaded" in told
    assert "try again later" in told


@BOTH
def test_a_wait_that_is_longer_than_the_deadline_ends_with_it(kind: str) -> None:
    with serving(Reply(429, error("tomorrow"), {"retry-after": "30"})) as server:
        began = time.monotonic()
        told = str(failed(proposer(kind, server, max_retries=2, timeout_s=0.6)))
    assert time.monotonic() - began < 5
    assert "no whole answer within 0.6 s (answer 1 was 429, which asked to wait 30 s)" in told


@BOTH
@pytest.mark.parametrize("way", ["slow", "never"])
def test_a_server_that_dribbles_or_is_silent_is_given_up_in_time(kind: str, way: str) -> None:
    with serving(Reply(200, answered(kind, SAID), way=way)) as server:
        began = time.monotonic()
        told = str(failed(proposer(kind, server, timeout_s=0.6)))
        assert time.monotonic() - began < 5
    assert "within 0.6 s" in told or "fell silent" in told


@BOTH
def test_a_connection_that_breaks_in_the_middle_is_tried_again_and_then_told(kind: str) -> None:
    broken = Reply(200, answered(kind, SAID), way="broken")
    with serving(broken, Reply(200, answered(kind, SAID))) as server:
        assert proposer(kind, server, max_retries=1).propose(view()).proposal == SAID
        assert len(server.asked) == 2
    with serving(broken) as server:
        assert "broke off" in str(failed(proposer(kind, server)))


@BOTH
def test_no_server_is_told_in_a_line(kind: str) -> None:
    told = str(failed(proposer(kind, f"http://127.0.0.1:{closed_port()}")))
    assert "cannot be reached" in told
    assert "check base_url" in told


@BOTH
@pytest.mark.parametrize(
    ("status", "remedy"),
    [(400, "the option that it names"), (401, "the key in MODEL_API_KEY"), (404, "model and base_url"), (413, "by k")],
)
def test_a_refusal_of_the_server_says_what_to_do(kind: str, status: int, remedy: str) -> None:
    with serving(Reply(status, error("no such thing"))) as server:
        told = str(failed(proposer(kind, server, format="plain") if kind == "openai" else proposer(kind, server)))
    assert f"refused with {status}: no such thing" in told
    assert remedy in told


@BOTH
@pytest.mark.parametrize(
    "body", [b"<html>proxy</html>", {"weather": "fine"}, [1, 2], b"{", {"content": "text", "choices": "text"}]
)
def test_what_is_no_message_at_all_is_an_error(kind: str, body: Any) -> None:
    with serving(Reply(200, body, {"content-type": "application/json"})) as server:
        failed(proposer(kind, server))
    with serving(Reply(200, body, {"content-type": "text/html"})) as server:
        failed(proposer(kind, server))


# --- formats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("takes", "tries"), [("json_schema", 1), ("json_object", 2), (None, 3)])
def test_a_server_that_knows_no_schema_is_asked_more_plainly_and_only_once(takes: str | None, tries: int) -> None:
    refusals = [Reply(400, error("response_format is not supported"))] * (tries - 1)
    with serving(*refusals, Reply(200, completion(SAID))) as server:
        asks = proposer("openai", server)
        asks.propose(view())
        asks.propose(view())
    kinds = [a.body.get("response_format", {}).get("type") for a in server.asked]
    assert kinds == [*["json_schema", "json_object", None][:tries], takes]


def test_where_no_format_helps_the_first_refusal_is_told_and_nothing_is_remembered() -> None:
    with serving(Reply(400, error("context is too long")), Reply(400, error("no"))) as server:
        asks = proposer("openai", server)
        assert "context is too long" in str(failed(asks))
        assert len(server.asked) == 3
        failed(asks)
    assert server.asked[3].body["response_format"]["type"] == "json_schema"


def test_a_format_that_was_asked_for_is_the_only_one() -> None:
    with serving(Reply(200, completion(SAID))) as server:
        proposer("openai", server, format="guided_json", extra_body={"top_k": 5}).propose(view())
        proposer("openai", server, format="plain").propose(view())
    guided, plain = (a.body for a in server.asked)
    assert guided["guided_json"]["required"] == ["reason", "changes", "intent"]
    assert guided["top_k"] == 5
    assert "response_format" not in guided
    assert "response_format" not in plain
    assert guided["max_tokens"] == 16_000


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_of_the_provider_is_told_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with serving(Reply(200, completion(SAID)), Reply(200, message(SAID))) as server:
        make("openai", model="small", base_url=f"{server.root}/v1").propose(view())
        make("anthropic", model="small", base_url=server.root).propose(view())
    assert [a.headers["authorization"] for a in server.asked] == ["Bearer none"] * 2
    assert KEY not in json.dumps([a.headers for a in server.asked])


def test_an_address_of_the_environment_gets_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Reply(200, completion(SAID))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.root}/v1")
        asks = make("openai", model="small", max_retries=0)
        asks.propose(view())
        monkeypatch.delenv("OPENAI_API_KEY")
        make("openai", model="small", max_retries=0).propose(view())
    assert [a.headers["authorization"] for a in server.asked] == [f"Bearer {KEY}", "Bearer none"]


@BOTH
def test_without_a_key_there_is_no_proposer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{kind.upper()}_API_KEY"
    monkeypatch.delenv(name, raising=False)
    with pytest.raises(ProposerError, match=f"holds no {name}; export it"):
        make(kind, model="x")


@BOTH
def test_a_key_is_found_nowhere_whatever_servers_do(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    echo = json.dumps({"reason": f"my key is {KEY}", "changes": [{"knob": "lr", "value": 0.05}], "intent": None})
    replies = [
        Reply(200, answered(kind, echo)),
        Reply(401, error(f"Incorrect API key provided: {KEY}")),
        Reply(500, {"authorization": f"Bearer {KEY}"}),
        Reply(403, f"<html>Authorization: Bearer {KEY}</html>".encode(), {"content-type": "text/html"}),
    ]
    with serving(*replies) as server:
        asks = proposer(kind, server)
        told = [str(asks.header()), repr(asks), repr(vars(asks))]
        said = asks.propose(view(program=f"Use {KEY} to get in."))
        told += [repr(said), repr(failed(asks)), repr(failed(asks)), repr(failed(asks))]
        for asked in server.asked:
            assert KEY in asked.headers["authorization"]
            assert KEY not in json.dumps(asked.body)
    with open_run(
        tmp_path / "run.jsonl", metric="loss", goal="minimize", menu=menu().to_json(), proposer=asks.header()
    ) as run:
        attempts = [{"changes": [{"knob": "lr", "value": 0.05}], "said": str(said.proposal)}]
        run.trial(status="reverted", value=0.5, shown=said.shown * 50, attempts=attempts)
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) >= 2  # the run, and what was shown as a blob
    for path in files:
        assert KEY.encode() not in opened(path)
    out, err = capfd.readouterr()
    assert KEY not in "".join([*told, out, err])
    assert "[redacted]" in told[3]


def opened(path: Path) -> bytes:
    """The bytes of a file, unpacked where they are packed."""
    import gzip
    import zlib

    raw = path.read_bytes()
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            return unpack(raw)
        except (OSError, zlib.error):
            continue
    return raw


def test_a_key_that_stands_in_code_is_quoted_to_nobody() -> None:
    files = {"train.py": f"KEY = '{KEY}'\nLR = 1\n"}
    edit = {"file": "train.py", "old": "LR = 1", "new": "LR = 2"}
    answer = json.dumps({"reason": "r", "changes": [], "edits": [edit], "intent": None})
    with serving(Reply(200, completion(answer))) as server:
        said = proposer("openai", server).propose(view(files=files))
    assert isinstance(said.proposal, dict)
    assert "+LR = 2" in said.proposal["diff"]
    assert KEY not in said.proposal["diff"] + said.shown
    assert "does not read as the diff says" in refused_edit(said.proposal, files)


def refused_edit(said: object, files: dict[str, str]) -> str:
    """Why rails refuse an edit of these files."""
    with tempfile.TemporaryDirectory() as tree:
        for name, text in files.items():
            (Path(tree) / name).write_text(text)
        return Rails(None, History.none(None), base={}, edits=Edits(("train.py",), root=tree)).ask(said).verdict.reason


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"model": ""}, "model names none"),
        ({"k": -1}, "k is -1"),
        ({"k": "some"}, "k is 'some'"),
        ({"temperature": 3}, "temperature is 3"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"max_retries": 1.5}, "max_retries is 1.5"),
        ({"prices": {"input": 1}}, "prices: output is None"),
        ({"prices": {"input": 1, "output": -1}}, "prices: output is -1"),
        ({"prices": {"in": 1, "output": 1}}, "prices: nothing is called 'in'"),
        ({"base_url": "http://me:secret@host/v1"}, "base_url may hold no user"),
        ({"base_url": "ftp://host"}, "base_url is no address"),
        ({"base_url": "http://host:port"}, "base_url is no address"),
        ({"api_key": "x"}, "has no option api_key"),
        ({"key_env": "NO_SUCH_KEY"}, "holds no NO_SUCH_KEY"),
    ],
)
@BOTH
def test_what_is_asked_for_wrongly_is_refused_at_once(kind: str, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ProposerError) as caught:
        proposer(kind, "http://127.0.0.1:1", **options)
    assert why in str(caught.value)
    assert "secret" not in str(caught.value)


def test_options_of_one_kind_are_checked_as_well() -> None:
    for kind, options, why in (
        ("anthropic", {"cache": "2h"}, "cache is '2h'"),
        ("anthropic", {"effort": "much"}, "effort is 'much'"),
        ("openai", {"format": "xml"}, "format is 'xml'"),
        ("openai", {"extra_body": {"model": "y"}}, "may not hold model"),
        ("openai", {"extra_body": {"x": KEY}}, "holds a key"),
        ("openai", {"extra_body": {"x": {1}}}, "is not JSON"),
    ):
        with pytest.raises(ProposerError, match=why):
            proposer(kind, "http://127.0.0.1:1", **options)


@BOTH
def test_the_header_says_on_which_terms(kind: str) -> None:
    head = proposer(kind, "http://127.0.0.1:9/", k=5, denies=True, offers=True).header()
    assert (head["kind"], head["history"], head["denies"], head["offers"]) == (kind, 5, True, True)
    assert head["base_url"].startswith("http://127.0.0.1:9")
    assert head["key"] == "MODEL_API_KEY"
    assert json.loads(json.dumps(head)) == head
    assert (head["prices"] is None) == (kind == "openai")


# --- the page -------------------------------------------------------------------------------------------------------

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "models.md").read_text("utf-8")


def test_every_block_of_the_page_prints_what_stands_under_it() -> None:
    seen = view(past=past(2), trials=2, untried=("act=gelu",))
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```python") == 3
    with serving(Reply(401, error(f"no such key: {KEY}"))) as server:
        names = {"view": seen, "make": make, "refusing": f"{server.root}/v1"}
        for code, printed in blocks:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, "docs/models.md", "exec"), names)  # noqa: S102  # our own text
            assert out.getvalue() == printed


@pytest.mark.parametrize("kind", [Claude, Compatible, Command])
def test_every_option_stands_on_the_page_with_its_default(kind: type) -> None:
    for name, option in inspect.signature(kind).parameters.items():
        row = next((line for line in PAGE.splitlines() if line.startswith(f"| `{name}`")), None)
        assert row is not None, name
        default = option.default
        if default is not inspect.Parameter.empty and default not in (None, (), False):
            assert (f"{default:g}" if isinstance(default, float) else str(default)) in row, name
