"""Claude, through Anthropic's SDK: structured output, a cached beginning, the SDK's own retries.

The answer is taken as text, not parsed by the SDK, so that what was said is known where it is no proposal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers import keys
from trajscope_loop.proposers.deadline import Heard
from trajscope_loop.proposers.model import Answer, Model, count, installed, one_of, terms
from trajscope_loop.proposers.prices import Tokens
from trajscope_loop.proposers.prompt import Prompt

KEY = "ANTHROPIC_API_KEY"
HOME = "https://api.anthropic.com"
WHOLE = ("end_turn", "stop_sequence")
CACHES = ("5m", "1h", "off")
EFFORTS = ("low", "medium", "high", "xhigh", "max")


class Claude(Model):
    """Asks a Claude model. Of a server that is named by `base_url` no key is told but the one that `key_env` names."""

    kind = "anthropic"

    def __init__(
        self,
        *,
        model: str,
        k: int | str | None = "all",
        denies: bool = False,
        offers: bool = False,
        temperature: float | None = None,
        effort: str | None = None,
        cache: str = "5m",
        max_tokens: int = 16_000,
        timeout_s: float = 300.0,
        max_retries: int = 4,
        prices: Mapping[str, Any] | None = None,
        base_url: str | None = None,
        key_env: str | None = None,
    ) -> None:
        installed("anthropic")
        url = base_url or os.environ.get("ANTHROPIC_BASE_URL") or HOME
        agreed = terms(
            model=model,
            base_url=keys.address(url, "the anthropic proposer"),
            k=k,
            denies=denies,
            offers=offers,
            temperature=temperature,
            max_tokens=max_tokens,
            timeout_s=timeout_s,
            max_retries=max_retries,
            own=prices,
        )
        self.cache = one_of("cache", cache, CACHES)
        self.effort = None if effort is None else one_of("effort", effort, EFFORTS)
        super().__init__(agreed, key_env or (KEY if base_url is None else None))

    def more(self) -> dict[str, Any]:
        """How it is cached, and how hard it thinks."""
        return {"cache": self.cache, "effort": self.effort}

    def load(self) -> None:
        """Import the SDK."""
        import anthropic  # noqa: F401  # so that the question finds it there

    async def ask(self, prompt: Prompt, shape: Mapping[str, Any], key: str, heard: Heard) -> Answer:
        """One message; every retry is the SDK's."""
        from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

        t = self.terms
        output: dict[str, Any] = {"format": {"type": "json_schema", "schema": dict(shape)}}
        if self.effort is not None:
            output["effort"] = self.effort
        hooks = {"response": [heard.take]}
        async with AsyncAnthropic(
            api_key=key,
            base_url=t.base_url,
            timeout=t.timeout_s,
            max_retries=t.max_retries,
            http_client=DefaultAsyncHttpxClient(event_hooks=hooks),
        ) as client:
            call: Any = client.messages.create  # the blocks are plain tables
            said = await call(
                model=t.model,
                max_tokens=t.max_tokens,
                system=[self._kept({"type": "text", "text": prompt.system})],
                messages=[{"role": "user", "content": self._blocks(prompt)}],
                output_config=output,
                # The SDK has no such parameter any more, and newer models refuse it; then the question fails.
                extra_body=None if t.temperature is None else {"temperature": t.temperature},
            )
        return _answer(said, t.max_tokens)

    def _blocks(self, prompt: Prompt) -> list[dict[str, Any]]:
        """The user's text in blocks; the last piece that will not change ends what is cached."""
        out = [{"type": "text", "text": piece} for piece in (*prompt.past, prompt.now)]
        if prompt.settled:
            out[prompt.settled - 1] = self._kept(out[prompt.settled - 1])
        return out

    def _kept(self, block: dict[str, Any]) -> dict[str, Any]:
        if self.cache == "off":
            return block
        control = {"type": "ephemeral"} if self.cache == "5m" else {"type": "ephemeral", "ttl": self.cache}
        return block | {"cache_control": control}


def _answer(said: Any, most: int) -> Answer:
    """What the message holds; the SDK hands on what a server sends, whatever it is."""
    content = getattr(said, "content", None)
    if not isinstance(content, list):
        raise ProposerError("the server's answer is no message; check base_url")
    text = "".join(str(b.text) for b in content if getattr(b, "type", None) == "text" and isinstance(b.text, str))
    reason = getattr(said, "stop_reason", None)
    stopped = None
    if reason == "max_tokens":
        stopped = f"cut off after max_tokens, {most}"
    elif reason == "refusal":
        details = getattr(said, "stop_details", None)
        why = getattr(details, "explanation", None) or getattr(details, "category", None)
        stopped = f"declined by the model{f': {why}' if why else ''}"
    elif reason not in WHOLE:
        stopped = f"stopped by {reason}"
    request = getattr(said, "_request_id", None) or getattr(said, "id", None)
    model = getattr(said, "model", None)
    return Answer(text, stopped, model if isinstance(model, str) else None, _tokens(said), request)


def _tokens(said: Any) -> Tokens:
    usage = getattr(said, "usage", None)
    fresh, output = count(getattr(usage, "input_tokens", None)), count(getattr(usage, "output_tokens", None))
    read = count(getattr(usage, "cache_read_input_tokens", None)) or 0
    written = count(getattr(usage, "cache_creation_input_tokens", None)) or 0
    hour = count(getattr(getattr(usage, "cache_creation", None), "ephemeral_1h_input_tokens", None)) or 0
    return Tokens(fresh, output, read, max(written - hour, 0), hour)
