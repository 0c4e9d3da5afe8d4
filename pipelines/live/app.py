"""The server's answers. They reach a browser through Ray's dashboard, which sends every request
here first. If the answer here is 404, the dashboard answers the request itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from pipelines.live import metrics_tab
from pipelines.live.addresses import (
    ALIVE,
    ENTER,
    GRAFANA_HEALTH,
    HOME,
    METRICS,
    NEWS,
    OPEN,
    OPTUNA,
    PROMETHEUS_HEALTH,
    RUN,
)
from pipelines.live.door import KEY_HEADER, RAY_COOKIE, Door
from pipelines.live.gone import Gone

if TYPE_CHECKING:
    from pipelines.live.pages import Pages

_ASKS = {
    True: "Enter the token that `ray get-auth-token` prints on the machine that searches.",
    False: "Open the whole link that the command has printed, including the part after #.",
}
# Not an HTTP redirect: Ray's dashboard would follow it itself.
_ONWARD = (
    '<!DOCTYPE html><meta http-equiv="refresh" content="0; url={address}">'
    '<title>optuna-dashboard</title><a href="{address}">optuna-dashboard</a>'
)
_REFUSED = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">'
    '<meta name="viewport" content="width=device-width"><meta name="color-scheme" '
    'content="light dark"><title>Rangefinder</title><p style="font: 16px system-ui; '
    'overflow-wrap: anywhere">{why} <a href="{address}">{address}</a>'
)


def make_app(
    roots: Callable[[], Sequence[Path]], door: Door, *, optuna: bool = False
) -> web.Application:
    """Serves the runs in ``roots``, which is called for each request. Everything except the page at
    the door needs the token. ``optuna`` says that the browser is on this machine and
    optuna-dashboard is installed: then the page of a run links to it."""
    answers = _Answers(roots, door, optuna)
    app = web.Application(middlewares=[_guard(door), _told])
    tab = (
        (GRAFANA_HEALTH, _grafana),
        (PROMETHEUS_HEALTH, _prometheus),
        (METRICS + "/d/{rest:.*}", answers.list_page),
        (METRICS + "/d-solo/{rest:.*}", _small),
    )
    for path, handler in (
        *(tab if metrics_tab.is_ours() else ()),
        (OPEN, answers.open_),
        (ENTER, answers.enter),
        (ALIVE, _alive),
        (HOME, answers.list_page),
        (f"{HOME}/", answers.list_page),
        (HOME + "/plotly-{version}.js", _plotly),
        (NEWS, answers.list_news),
        (RUN + "/{path:.+}", answers.run_page),
        (NEWS + "/{path:.+}", answers.run_news),
        *([(OPTUNA + "/{path:.+}", answers.optuna_page)] if optuna else []),
    ):
        app.router.add_get(path, handler)
    return app


def _guard(door: Door) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in (OPEN, ENTER) or door.admits(request.headers, request.cookies):
            return await handler(request)
        return _refused(request, 401, "The token is missing: open", OPEN)

    return guard


class _Answers:
    """The answers about the runs in ``roots``, and those at the door."""

    def __init__(self, roots: Callable[[], Sequence[Path]], door: Door, optuna: bool) -> None:
        self._roots, self._door, self._optuna = roots, door, optuna

    @cached_property
    def _pages(self) -> Pages:
        from pipelines.live.pages import Pages  # takes seconds; Ray's dashboard should not wait

        return Pages(self._roots, optuna=self._optuna)

    async def open_(self, request: web.Request) -> web.Response:
        return _html(_door_page(self._door.cookie == RAY_COOKIE))

    async def enter(self, request: web.Request) -> web.Response:
        if not self._door.opens_with(request.headers.get(KEY_HEADER, "")):
            return web.Response(status=403, text="That key is no longer valid")
        headers = {"Set-Cookie": self._door.set_cookie(), "Cache-Control": "no-store"}
        return web.Response(text="open", headers=headers)

    async def list_page(self, request: web.Request) -> web.Response:
        return _html(await asyncio.to_thread(lambda: self._pages.list_page()))

    async def list_news(self, request: web.Request) -> web.Response:
        return _json(await asyncio.to_thread(lambda: self._pages.list_news(_seen(request))))

    async def run_page(self, request: web.Request) -> web.Response:
        path = _path(request)
        return _html(await asyncio.to_thread(lambda: self._pages.run_page(path)))

    async def run_news(self, request: web.Request) -> web.Response:
        path = _path(request)
        return _json(await asyncio.to_thread(lambda: self._pages.run_news(path, _seen(request))))

    async def optuna_page(self, request: web.Request) -> web.Response:
        path = _path(request)
        address = await asyncio.to_thread(lambda: self._pages.optuna_address(path))
        return _html(_ONWARD.format(address=escape(address)))


async def _alive(request: web.Request) -> web.Response:
    return web.Response(text="rangefinder")


async def _plotly(request: web.Request) -> web.Response:
    from pipelines.live import plotly_file

    if request.path != plotly_file.ADDRESS:
        raise Gone("the server has another version of Plotly now: reload the page")
    zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    body = await asyncio.to_thread(plotly_file.packed if zipped else plotly_file.plain)
    headers = {**plotly_file.HEADERS, **({"Content-Encoding": "gzip"} if zipped else {})}
    return web.Response(body=body, content_type="text/javascript", headers=headers)


async def _grafana(request: web.Request) -> web.Response:
    return web.json_response(metrics_tab.grafana_health())


async def _prometheus(request: web.Request) -> web.Response:
    return web.json_response(metrics_tab.prometheus_health())


async def _small(request: web.Request) -> web.Response:
    return _html(metrics_tab.SMALL)


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors are shown on the page, because nobody reads a log of this server."""
    try:
        return await handler(request)
    except Gone as error:
        # After a 404, Ray would answer the request itself.
        return _refused(request, 410, f"{error}. All runs:", HOME)
    except web.HTTPException:
        raise
    except Exception as error:
        return web.Response(status=500, text=_sound(f"{type(error).__name__}: {error}"))


def _refused(request: web.Request, status: int, why: str, address: str) -> web.Response:
    """A refusal: a sentence that ends with an address, which is a link on a page."""
    if "text/html" not in request.headers.get("Accept", ""):
        return web.Response(status=status, text=_sound(f"{why} {address}"))
    response = _html(_REFUSED.format(why=escape(why), address=escape(address)))
    response.set_status(status)
    return response


def _path(request: web.Request) -> str:
    """The path of the run that is asked for. Bytes that are not UTF-8 become surrogates, as in file
    names in Python: see :func:`pipelines.live.addresses.quoted`."""
    _, _, _, path = request.rel_url.raw_path.split("/", 3)  # below RUN, NEWS or OPTUNA
    return unquote(path, errors="surrogateescape")


def _sound(text: str) -> str:
    """``text`` as it can be sent: the name of a folder may not be valid UTF-8."""
    return text.encode(errors="replace").decode()


def _seen(request: web.Request) -> int:
    seen = request.query.get("seen", "")
    return int(seen) if seen.isdecimal() else 0


def _html(text: str) -> web.Response:
    headers = {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "SAMEORIGIN",
    }
    return web.Response(text=_sound(text), content_type="text/html", headers=headers)


def _json(text: str) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(text=text, content_type="application/json", headers=headers)


def _door_page(behind_ray: bool) -> str:
    text = Path(__file__).with_name("open.html").read_text()
    for name, value in (
        ("ENTER", ENTER),
        ("KEY_HEADER", KEY_HEADER),
        ("ALIVE", ALIVE),
        ("HOME", HOME),
        ("ASKS", _ASKS[behind_ray]),
        ("BEHIND_RAY", str(behind_ray).lower()),
    ):
        text = text.replace(name, value)
    return text
