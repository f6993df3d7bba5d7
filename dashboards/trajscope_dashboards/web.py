"""The addresses of the page: HTML for people, JSON for programs, events for whoever stays.

A run is named by an id that reading made; nothing in an address or a record leads to a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from trajscope import charts
from trajscope_dashboards import drawing, pages, stream
from trajscope_dashboards.desk import SCHEMA, Desk, Post, state
from trajscope_dashboards.guard import App, Guard, Receive, Scope, Send, Token

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MOST_STREAMS = 200  # clients that stay
FIRST_S = 10.0  # that somebody is held until the first trials of a run have been read
DRAWN_S = 20.0  # the same for a picture
MOST_ROWS = 2000
FILES = ("page.css", "page.js", "pictures.js")
Endpoint = Callable[["Request"], Awaitable["Response"]]


class Web:
    """Answers what may be asked of a desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.streams = 0
        self._engine: asyncio.Task[bytes] | None = None
        self._stills: dict[tuple[str, str], tuple[bytes, bytes]] = {}  # the latest spec of each, and its picture
        self._files = {name: _file(name).encode() for name in FILES}
        self._files["embed.js"] = charts.engine.embed().encode()

    def app(self, token: Token | None, names: frozenset[str] = frozenset()) -> App:
        """The application behind its guard."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        one = "/runs/{run:str}"
        routes = [
            Route("/", self.front),
            Route(one, self.of_run(self.run)),
            Route(one + "/trials/{seq:int}", self.of_run(self.trial_page)),
            Route(one + "/{name:str}.svg", self.of_run(self.still)),
            Route("/api/runs", self.runs),
            Route("/api/events", self.events),
            Route("/api" + one, self.of_run(self.run_json)),
            Route("/api" + one + "/events", self.of_run(self.events)),
            Route("/api" + one + "/rows", self.of_run(self.rows)),
            Route("/api" + one + "/charts", self.of_run(self.charts)),
            Route("/api" + one + "/analysis", self.of_run(self.analysis)),
            Route("/api" + one + "/trials/{seq:int}", self.of_run(self.trial)),
            Route("/draw.js", self.engine),
            Route("/page.css", partial(self.file, "page.css")),
            Route("/page.js", partial(self.file, "page.js")),
            Route("/pictures.js", partial(self.file, "pictures.js")),
            Route("/embed.js", partial(self.file, "embed.js")),
            Route("/favicon.ico", self.icon),
        ]
        inner = Starlette(routes=routes, lifespan=self._life, exception_handlers={404: _not_found, 405: _not_found})
        return Guard(inner, token, names, pages.enter().encode())

    @asynccontextmanager
    async def _life(self, _app: object) -> AsyncIterator[None]:
        self.desk.begin(asyncio.get_running_loop())
        self._engine = asyncio.ensure_future(asyncio.to_thread(_engine))  # may take a second
        await asyncio.to_thread(self.desk.ready.wait, FIRST_S)
        yield
        self.desk.end()

    def of_run(self, ask: Callable[[Request, Post], Awaitable[Response]]) -> Endpoint:
        """An answer about one run, which must be one of those that were found."""

        async def asked(request: Request) -> Response:
            post = self.desk.posts.get(request.path_params["run"])
            return _line(404, "there is no such run") if post is None else await ask(request, post)

        return asked

    # --- pages --------------------------------------------------------------------------------------------------

    async def front(self, request: Request) -> Response:
        """All runs; where one file is served, that."""
        from starlette.responses import RedirectResponse

        if self.desk.lookout.folder is None and len(self.desk.posts) == 1:
            return RedirectResponse(f"/runs/{next(iter(self.desk.posts))}", 303)
        return _html(pages.front(stream.everything(self.desk)))

    async def run(self, request: Request, post: Post) -> Response:
        """One run."""
        post = await self._noted(post)
        single = self.desk.lookout.folder is None
        return _html(
            pages.run(state(post), post.sight.lines[-pages.SHOWN :], post.sight.total, self.desk.fault, single=single)
        )

    async def trial_page(self, request: Request, post: Post) -> Response:
        """One trial, by an address of its own."""
        found = await self._trial(request, post)
        if found is None:
            return _html(pages.missing(state(post), request.path_params["seq"]), 404)
        row = next((x for x in post.sight.lines if x["seq"] == found["seq"]), None)
        return _html(pages.trial(state(post), found, row))

    async def still(self, request: Request, post: Post) -> Response:
        """A picture for a page without a script."""
        name = request.path_params["name"]
        if name not in drawing.NAMES:
            return _line(404, "there is no such picture")
        missing = name == "holdout" and (await self._noted(post)).sight.about["holdout"]
        drawn = None if missing else await self._drawn(post, name)
        if drawn is None:
            return _line(404, "there is nothing to draw yet")
        key = post.sight.id, name
        held = self._stills.get(key)
        if held is None or held[0] != drawn:
            held = self._stills[key] = drawn, await asyncio.to_thread(drawing.still, drawn)
            while len(self._stills) > 4 * stream.AT_ONCE:
                del self._stills[next(iter(self._stills))]
        return _response(held[1], "image/svg+xml")

    # --- programs -----------------------------------------------------------------------------------------------

    async def runs(self, request: Request) -> Response:
        """Every run."""
        return _json(stream.everything(self.desk))

    async def run_json(self, request: Request, post: Post) -> Response:
        """One run, without its trials."""
        return _json({**state(post), "fault": self.desk.fault})

    async def rows(self, request: Request, post: Post) -> Response:
        """The latest trials of a run."""
        post = await self._noted(post)
        asked = request.query_params.get("most", str(stream.AT_ONCE))
        if not asked.isdecimal() or len(asked) > 9:
            return _line(400, "most must be a number")
        most = min(int(asked), MOST_ROWS)
        s = post.sight
        return _json({"schema": SCHEMA, "total": s.total, "rows": s.lines[-most:] if most else []})

    async def charts(self, request: Request, post: Post) -> Response:
        """The pictures of a run, as Vega-Lite."""
        post = await self._noted(post)
        await self._drawn(post, drawing.FIRST)
        post = self.desk.posts.get(post.sight.id, post)
        return _json({name: msgspec.Raw(x.whole) for name, x in post.drawn.items()})

    async def analysis(self, request: Request, post: Post) -> Response:
        """What `analyze --json` says of the run now."""
        found = await asyncio.to_thread(self.desk.lookout.analysis, post.sight.id)
        return _line(404, "the run has not begun") if found is None else _json(found)

    async def trial(self, request: Request, post: Post) -> Response:
        """One trial in full."""
        found = await self._trial(request, post)
        return _line(404, "there is no such trial") if found is None else _json({"schema": SCHEMA, **found})

    async def events(self, request: Request, post: Post | None = None) -> Response:
        """What is new, as long as the client stays."""
        if self.streams >= MOST_STREAMS:
            return _line(503, f"{MOST_STREAMS} clients are listening already; close one")
        last = request.headers.get("last-event-id") or request.query_params.get("last", "")
        client = stream.All(self.desk, last) if post is None else stream.One(self.desk, post.sight.id, last)
        return _stream(self, client)

    # --- files of ours ------------------------------------------------------------------------------------------

    async def engine(self, request: Request) -> Response:
        """The script that draws."""
        assert self._engine is not None
        kept = {"cache-control": "max-age=3600"}
        return _response(await asyncio.shield(self._engine), "text/javascript", kept)

    async def file(self, name: str, request: Request) -> Response:
        """A file of this package."""
        return _response(self._files[name], "text/css" if name.endswith(".css") else "text/javascript")

    async def icon(self, request: Request) -> Response:
        """There is none."""
        return _response(b"", "image/x-icon", status=204)

    # --- how ----------------------------------------------------------------------------------------------------

    async def _noted(self, post: Post) -> Post:
        """The run once its trials are noted, or as it is when that takes long."""
        return await self._wait(post, lambda p: p.sight.noted, FIRST_S)

    async def _drawn(self, post: Post, name: str) -> bytes | None:
        found = await self._wait(post, lambda p: name in p.drawn or (p.sight.noted and not p.sight.total), DRAWN_S)
        return found.drawn[name].whole if name in found.drawn else None

    async def _wait(self, post: Post, until: Callable[[Post], bool], most_s: float) -> Post:
        run = post.sight.id
        self.desk.looked_at(run)
        try:
            async with asyncio.timeout(most_s):
                while not until(post) and not self.desk.over and self.desk.fault is None:
                    await self.desk.news(self.desk.count)
                    post = self.desk.posts.get(run, post)
        except TimeoutError:
            pass
        return post

    async def _trial(self, request: Request, post: Post) -> dict[str, Any] | None:
        await self._noted(post)
        seq = request.path_params["seq"]
        return await asyncio.to_thread(self.desk.lookout.trial, post.sight.id, seq)


def _stream(web: Web, client: stream.All | stream.One) -> Response:
    """An answer that goes on; it ends when the client leaves or takes nothing any more."""
    from starlette.responses import Response

    class Stream(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def more(data: bytes) -> None:
                await send({"type": "http.response.body", "body": data, "more_body": True})

            async def left() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass

            web.streams += 1
            try:
                headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                going = asyncio.ensure_future(stream.serve(web.desk, client, more))
                leaving = asyncio.ensure_future(left())
                await asyncio.wait((going, leaving), return_when=asyncio.FIRST_COMPLETED)
                for task in (going, leaving):
                    task.cancel()
                ended, _ = await asyncio.gather(going, leaving, return_exceptions=True)
                if ended is None:  # else it takes nothing any more, an ending neither
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
            finally:
                web.streams -= 1

    return Stream()


async def _not_found(request: Request, _e: Exception) -> Response:
    return _line(404, "there is nothing here")


def _line(status: int, said: str) -> Response:
    return _response(f"{said}\n".encode(), "text/plain", status=status)


def _html(text: str, status: int = 200) -> Response:
    return _response(text.encode(), "text/html", status=status)


def _json(value: Any) -> Response:
    return _response(msgspec.json.encode(value), "application/json")


def _response(body: bytes, kind: str, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    from starlette.responses import Response

    return Response(body, status, dict(headers or {}), kind)


def _engine() -> bytes:
    return charts.engine.bundle().encode()


def _file(name: str) -> str:
    return resources.files("trajscope_dashboards").joinpath(name).read_text("utf-8")
