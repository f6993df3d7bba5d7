"""Any server that speaks OpenAI's chat completions, through its SDK: OpenAI itself, NIM, vLLM, Ollama.

Servers differ in how an answer's shape is asked for. `format = "auto"` asks for a JSON schema, and where the server
refuses that, for a JSON object, then for plain text; rails judge the answer in any case.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers import keys
from trajscope_loop.proposers.deadline import Heard
from trajscope_loop.proposers.model import Answer, Model, count, installed, one_of, terms
from trajscope_loop.proposers.prices import Tokens
from trajscope_loop.proposers.prompt import Prompt

KEY = "OPENAI_API_KEY"
HOME = "https://api.openai.com/v1"
FORMATS = ("auto", "json_schema", "guided_json", "json_object", "plain")
_AUTO = ("json_schema", "json_object", "plain")
_UNKNOWN = (400, 415, 422, 501)  # what servers answer to a format that they do not know
_OURS = frozenset(("model", "messages", "response_format", "stream", "n"))


class Compatible(Model):
    """Asks a model behind an OpenAI-compatible address; without a key where none is named for it."""

    kind = "openai"

    def __init__(
        self,
        *,
        model: str,
        k: int | str | None = "all",
        denies: bool = False,
        offers: bool = False,
        temperature: float | None = None,
        format: str = "auto",
        max_tokens: int = 16_000,
        timeout_s: float = 300.0,
        max_retries: int = 4,
        prices: Mapping[str, Any] | None = None,
        base_url: str | None = None,
        key_env: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        installed("openai")
        named = os.environ.get("OPENAI_BASE_URL")
        url = base_url or named or HOME
        agreed = terms(
            model=model,
            base_url=keys.address(url, "the openai proposer"),
            k=k,
            denies=denies,
            offers=offers,
            temperature=temperature,
            max_tokens=max_tokens,
            timeout_s=timeout_s,
            max_retries=max_retries,
            own=prices,
        )
        self.format = one_of("format", format, FORMATS)
        self.extra = _extra(extra_body)
        self._takes: str | None = None  # the format that the server took
        own = KEY if base_url is None and (named is None or os.environ.get(KEY)) else None
        super().__init__(agreed, None if key_env == keys.NONE else key_env or own)

    def more(self) -> dict[str, Any]:
        """How the shape of an answer is asked for, and what else is sent."""
        return {"format": self.format, "extra_body": self.extra or None}

    def load(self) -> None:
        """Import the SDK."""
        import openai  # noqa: F401  # so that the question finds it there

    async def ask(self, prompt: Prompt, shape: Mapping[str, Any], key: str, heard: Heard) -> Answer:
        """One completion, in the first format that the server takes; every retry is the SDK's."""
        from openai import APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient

        t = self.terms
        hooks = {"response": [heard.take]}
        formats = (self._takes,) if self._takes else _AUTO if self.format == "auto" else (self.format,)
        first: APIStatusError | None = None
        async with AsyncOpenAI(
            api_key=key,
            base_url=t.base_url,
            timeout=t.timeout_s,
            max_retries=t.max_retries,
            http_client=DefaultAsyncHttpxClient(event_hooks=hooks),
        ) as client:
            call: Any = client.chat.completions.create  # the messages are plain tables
            for one in formats:
                try:
                    said = await call(**self._body(prompt, shape, one))
                except APIStatusError as error:
                    first = first or error
                    if error.status_code not in _UNKNOWN:
                        raise
                    continue
                self._takes = one
                return _answer(said, t.max_tokens)
        assert first is not None
        raise first  # what it said to the format that was asked for first names the trouble best

    def _body(self, prompt: Prompt, shape: Mapping[str, Any], format: str) -> dict[str, Any]:
        t = self.terms
        # OpenAI's own models refuse the old name; many other servers know no other.
        limit = "max_completion_tokens" if t.base_url == HOME else "max_tokens"
        out: dict[str, Any] = {
            "model": t.model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            limit: t.max_tokens,
        }
        extra = dict(self.extra)
        if t.temperature is not None:
            out["temperature"] = t.temperature
        if format == "json_schema":
            named = {"name": "proposal", "strict": True, "schema": dict(shape)}
            out["response_format"] = {"type": "json_schema", "json_schema": named}
        elif format == "json_object":
            out["response_format"] = {"type": "json_object"}
        elif format == "guided_json":
            extra["guided_json"] = dict(shape)
        return out | ({"extra_body": extra} if extra else {})


def _extra(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What else is sent; it is recorded, so that nothing in it may be a key."""
    out = dict(given or {})
    if odd := sorted(_OURS & out.keys()):
        raise ProposerError(f"extra_body may not hold {odd[0]}; it is set by the proposer")
    try:
        text = json.dumps(out, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ProposerError("extra_body is not JSON; give a table of plain values") from None
    if keys.redacted(text, sentence=True) != text:
        raise ProposerError(
            "extra_body holds a key, and it is recorded; put the key into the environment, named by key_env"
        )
    return out


def _answer(said: Any, most: int) -> Answer:
    """What the completion holds; the SDK hands on what a server sends, whatever it is."""
    choices = getattr(said, "choices", None)
    if not isinstance(choices, list):
        raise ProposerError("the server's answer is no completion; check base_url")
    message = getattr(choices[0], "message", None) if choices else None
    content, declined = getattr(message, "content", None), getattr(message, "refusal", None)
    text = content if isinstance(content, str) else ""
    reason = getattr(choices[0], "finish_reason", None) if choices else "an answer without choices"
    stopped = None
    if declined:
        stopped = f"declined by the model: {declined}"
    elif reason == "length":
        stopped = f"cut off after max_tokens, {most}"
    elif reason not in ("stop", None):
        stopped = f"stopped by {reason}"
    model = getattr(said, "model", None)
    request = getattr(said, "_request_id", None) or getattr(said, "id", None)
    return Answer(text, stopped, model if isinstance(model, str) else None, _tokens(said), request)


def _tokens(said: Any) -> Tokens:
    usage = getattr(said, "usage", None)
    prompt, output = count(getattr(usage, "prompt_tokens", None)), count(getattr(usage, "completion_tokens", None))
    cached = count(getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)) or 0
    if prompt is None:
        return Tokens(None, output)
    return Tokens(max(prompt - cached, 0), output, min(cached, prompt))
