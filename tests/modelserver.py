"""A real HTTP server on the loopback that answers as a model's provider would, or fails as one does.

Replies are taken from a list in order, the last one again and again; every request is noted with the moment it came.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """One answer; `way` says how it goes out: whole, byte by byte, broken off in its middle, or never."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = {}
    way: str = "whole"


class Asked(NamedTuple):
    """One request as it came."""

    at: float
    path: str
    headers: dict[str, str]
    body: Any


class Server:
    """What was asked, and what is answered."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[Asked] = []
        self.over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {k.lower(): v for k, v in handler.headers.items()}
        self.asked.append(Asked(time.monotonic(), handler.path, headers, json.loads(raw)))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if callable(reply.body):
            reply = reply._replace(body=reply.body(self.asked[-1]))
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        if reply.way == "never":
            self.over.wait(20)
            return
        handler.send_response(reply.status)
        sent = {"content-type": "application/json", "content-length": str(len(body)), **reply.headers}
        for name, value in sent.items():
            handler.send_header(name, value)
        handler.end_headers()
        try:
            if reply.way == "slow":
                for byte in body:
                    handler.wfile.write(bytes([byte]))
                    handler.wfile.flush()
                    if self.over.wait(0.05):
                        return
            elif reply.way == "broken":
                handler.wfile.write(body[: len(body) // 2])
                handler.wfile.flush()
                # A reset, not an end: what a dying proxy sends.
                handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                handler.close_connection = True
                handler.connection.close()
            else:
                handler.wfile.write(body)
        except OSError:
            handler.close_connection = True  # the other side gave up, as it should


@contextmanager
def serving(*replies: Reply) -> Iterator[Server]:
    """A server with these replies."""
    server = Server(*replies)
    try:
        yield server
    finally:
        server.close()


def closed_port() -> int:
    """A port of the loopback where nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def message(text: str, stop: str = "end_turn", *, usage: Any = None, **more: Any) -> dict[str, Any]:
    """A message as Anthropic's API sends it."""
    used = {"input_tokens": 100, "output_tokens": 40, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": text}],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": used if usage is None else usage,
        **more,
    }


def completion(text: str | None, finish: str | None = "stop", *, usage: Any = None, **said: Any) -> dict[str, Any]:
    """A completion as OpenAI's API sends it."""
    used = {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140}
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **said}, "finish_reason": finish}
    out = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "small", "choices": [choice]}
    return out | {"usage": used if usage is None else usage}


def error(message: str, kind: str = "error") -> dict[str, Any]:
    """An error as both APIs send it, near enough."""
    return {"type": "error", "error": {"type": kind, "message": message}}
