"""Who may ask: the Host that was meant, a token where others than this machine may come, and nothing but reading.

Everything passes here, so that what goes out carries the same headers, and a fault is one line on both sides.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from trajscope import TrajscopeError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "trajscope"
ENTER = "/enter"  # where the form with the token goes
LEAST_TOKEN = 16  # letters
MOST_BODY = 4096
MOST_URL = 2048
MOST_HEADERS = 16_384
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Token:
    """A secret that lets in. It is never kept or compared as it is."""

    def __init__(self, secret: str) -> None:
        if len(secret) < LEAST_TOKEN or not secret.isascii() or not secret.isprintable():
            raise TrajscopeError(
                f"the token must have {LEAST_TOKEN} plain letters or more; make one with `openssl rand -hex 32`"
            )
        self._hash = _hash(secret)

    @property
    def cookie(self) -> str:
        """What a browser keeps instead: it lets in as the token does, and does not tell it."""
        return _hash(f"trajscope cookie {self._hash}")

    def opens(self, given: str) -> bool:
        """Whether this is it, in a time that does not tell how much of it was right."""
        return hmac.compare_digest(_hash(given), self._hash)

    def lets(self, headers: dict[bytes, bytes]) -> bool:
        """Whether a request carries it, in its header or in the cookie."""
        scheme, _, given = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer":
            return self.opens(given.strip())
        try:
            held = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
        except CookieError:
            return False
        return held is not None and hmac.compare_digest(held.value.encode(), self.cookie.encode())


class Guard:
    """Stands before an application. `names` are hosts that it may be called by besides addresses."""

    def __init__(self, app: App, token: Token | None, names: frozenset[str], form: bytes) -> None:
        self._app = app
        self._token = token
        self._names = names | {"localhost"}
        self._form = form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            return
        answer = _Answer(send)
        try:
            await self._ask(scope, receive, answer)
        except Exception as e:  # noqa: BLE001  # the outermost surface: it says so in one line, here and there
            said = str(e) if isinstance(e, TrajscopeError) else f"trajscope itself failed ({type(e).__name__})"
            print(f"trajscope: {scope['path'][:200]!r}: {type(e).__name__}: {e}", file=sys.stderr, flush=True)
            if not answer.begun:
                await answer.line(500, said)

    async def _ask(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADERS:
            await answer.line(431, f"more than {MOST_HEADERS} bytes of headers")
            return
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name == b"host" and name in headers:
                await answer.line(400, "two Host headers; send one")
                return
            headers[name] = value
        if not self._meant(headers.get(b"host", b"").decode("latin-1")):
            await answer.line(421, "this name is not one that the page is served under; see --name")
            return
        if len(scope["raw_path"]) + len(scope["query_string"]) > MOST_URL:
            await answer.line(414, f"the address is longer than {MOST_URL} letters")
            return
        enters = self._token is not None and scope["path"] == ENTER
        if scope["method"] not in (("POST",) if enters else ("GET", "HEAD")):
            await answer.line(405, "this page is only read", ((b"allow", b"POST" if enters else b"GET, HEAD"),))
            return
        if enters:
            await self._enter(receive, answer)
            return
        if self._token is not None and not self._token.lets(headers):
            wants_page = b"text/html" in headers.get(b"accept", b"")
            if not wants_page or scope["path"].startswith("/api/"):
                challenge = ((b"www-authenticate", b"Bearer"),)
                await answer.line(401, "a token is needed, as `Authorization: Bearer TOKEN`", challenge)
                return
            await answer.whole(401, self._form, b"text/html; charset=utf-8")
            return
        await self._app(scope, receive, answer)

    def _meant(self, host: str) -> bool:
        """Whether the Host is ours. A page elsewhere can make its own name lead here, but not an address."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
            urlsplit(f"//{host}").port  # noqa: B018  # raises where it is no number
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            found = ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
        return self._token is not None or found.is_loopback

    async def _enter(self, receive: Receive, answer: _Answer) -> None:
        assert self._token is not None
        body = b""
        while True:
            part = await receive()
            if part["type"] != "http.request":
                return
            body += part.get("body", b"")
            if len(body) > MOST_BODY:
                await answer.line(413, f"more than {MOST_BODY} bytes")
                return
            if not part.get("more_body"):
                break
        given = parse_qs(body.decode("latin-1"), max_num_fields=4).get("token", [""])[0]
        if not self._token.opens(given):
            await answer.whole(401, self._form, b"text/html; charset=utf-8")
            return
        kept = f"{COOKIE}={self._token.cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"
        await answer.line(303, "entered", ((b"location", b"/"), (b"set-cookie", kept.encode())))


class _Answer:
    """Sends an answer, with the headers that all of them carry."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            own = dict(message.get("headers", ()))
            own.setdefault(b"cache-control", b"no-store")
            message = {**message, "headers": [*own.items(), *HEADERS]}
        await self._send(message)

    async def line(self, status: int, said: str, more: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """One line of text."""
        await self.whole(status, f"{said}\n".encode(), b"text/plain; charset=utf-8", more)

    async def whole(self, status: int, body: bytes, kind: bytes, more: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """All of an answer at once."""
        length = str(len(body)).encode()
        headers = [(b"content-type", kind), (b"content-length", length), *more]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
