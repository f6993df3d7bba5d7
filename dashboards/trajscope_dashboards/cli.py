"""Serve the runs of a folder as a live page.

`trajscope serve`: binds to this machine alone unless told otherwise, and then asks for a token.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from trajscope import Asked, Lookout, TrajscopeError, sourced

PORT = 8642
TOKEN = "TRAJSCOPE_TOKEN"  # noqa: S105  # the name of the variable, not what is in it
MOST_HEADER = 16_384  # bytes of the head of a request
MOST_OPEN = 400  # connections
GRACE_S = 2
NOTHING = Asked()


@sourced
def serve(
    path: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="A run, or a folder in which runs may appear.")],
    *,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; beyond this machine a token is needed.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="The port; 0 takes a free one.", min=0, max=65535)
    ] = PORT,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help=f"A file with the token. [default: ${TOKEN}]")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="A name the page may be called by, besides addresses; repeatable."),
    ] = None,
    asked: Asked = NOTHING,
) -> None:
    """Serve the runs of a folder as a live page: each with its verdict word, one with its charts as its rows land.

    Example: trajscope serve runs/
    """
    missing = [x for x in ("starlette", "uvicorn") if find_spec(x) is None]
    if missing:
        raise TrajscopeError(f"trajscope serve needs {' and '.join(missing)}; pip install 'trajscope[web]'")
    secret = _secret(token_file)
    listening = _listening(host, port, secret is not None)
    lookout = Lookout(path, asked, warn=_warn)
    with listening:
        _run(lookout, listening, secret, frozenset(x.lower() for x in name or ()), host)


def schemas() -> dict[str, dict[str, Any]]:
    """What the page answers to programs, for `trajscope schema`."""
    from trajscope_dashboards import shapes

    return shapes.schemas()


@cache
def _warn(said: str) -> None:
    # Once: what is said of a file is looked up whenever the file is opened again.
    print(f"trajscope: {said}", file=sys.stderr, flush=True)


def _run(lookout: Lookout, listening: socket.socket, secret: str | None, names: frozenset[str], host: str) -> None:
    import uvicorn

    from trajscope_dashboards.desk import Desk
    from trajscope_dashboards.guard import Token
    from trajscope_dashboards.web import Web

    desk = Desk(lookout)
    own = names if _address(host) else names | {host.lower()}
    app = Web(desk).app(Token(secret) if secret is not None else None, own)

    class Server(uvicorn.Server):
        """Lets those go who stay, before it waits for everybody to leave."""

        def handle_exit(self, sig: int, frame: Any) -> None:
            """Somebody ends it."""
            desk.end()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        app, log_level="critical", access_log=False, server_header=False, ws="none", http="h11", lifespan="on",
        proxy_headers=False, h11_max_incomplete_event_size=MOST_HEADER, limit_concurrency=MOST_OPEN,
        timeout_graceful_shutdown=GRACE_S, timeout_keep_alive=15,
    )  # fmt: skip
    shown, at = listening.getsockname()[:2]
    print(f"http://{f'[{shown}]' if ':' in shown else shown}:{at}/  (Ctrl-C ends it)", flush=True)
    Server(config).run(sockets=[listening])


def _secret(file: Path | None) -> str | None:
    """The token that was named, if one was; never from the command line, where everybody on the machine can read it."""
    if file is None:
        return os.environ.get(TOKEN) or None
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "no UTF-8"
        raise TrajscopeError(f"{file}: the token cannot be read ({why}); name another file") from None


def _listening(host: str, port: int, guarded: bool) -> socket.socket:
    """The socket that is listened at; beyond this machine only under a token."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as e:
        raise TrajscopeError(f"{host}: no such address ({e.strerror or e}); see --host") from None
    if not guarded and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise TrajscopeError(
            f"{host}: others than this machine could read the page; set ${TOKEN} or name a --token-file first"
        )
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
    except OSError as e:
        found.close()
        raise TrajscopeError(f"{host}:{port}: cannot be listened at ({e.strerror}); name another --port") from None
    return found


def _address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
