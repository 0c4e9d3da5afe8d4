"""optuna-dashboard, an optional extra, for the record of a run.

Its pages ask for absolute addresses (``/dashboard``, ``/api``), which Ray's dashboard would answer.
So each run gets a server with its own port, which only this machine can reach.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
from io import StringIO
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from pipelines.live.door import own_cookie

HOST = "127.0.0.1"
PAGE = "/dashboard/studies/0"  # a record holds one study
_ENTER = "/enter"

WSGIApp = Callable[..., Iterable[bytes]]


class ReadOnly(JournalFileBackend):
    """A journal that only its search may write."""

    def append_logs(self, logs: Iterable[dict[str, Any]]) -> None:
        """Raises ``PermissionError``: optuna-dashboard would change or delete the record of a
        run."""
        raise PermissionError("the record of a run cannot be changed")


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...

    def get_stderr(self) -> StringIO:
        return StringIO()


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def optuna_server(journal: Path, port: int, around: Callable[[WSGIApp], WSGIApp]) -> WSGIServer:
    """A server for the finished trials in ``journal``, which already listens. ``around`` wraps its
    app. Port 0 means any free port.

    Raises ``ImportError`` without optuna-dashboard, and ``OSError`` if the port is taken.
    """
    from optuna_dashboard import wsgi

    app = around(wsgi(JournalStorage(ReadOnly(str(journal)))))
    return make_server(HOST, port, app, server_class=_Threads, handler_class=_Silent)


class OptunaPages:
    """A server of optuna-dashboard for each run. It opens with a key, which the page of the run
    gives."""

    def __init__(self) -> None:
        self._addresses: dict[Path, str] = {}
        self._lock = threading.Lock()

    def address(self, journal: Path) -> str:
        """The address that opens optuna-dashboard for the record in ``journal``. Its server starts
        with the first call and ends with this process."""
        with self._lock:
            if journal not in self._addresses:
                key = secrets.token_urlsafe(16)
                server = optuna_server(journal, 0, lambda app: _behind(key, app))
                threading.Thread(target=server.serve_forever, daemon=True).start()
                port = server.server_port
                self._addresses[journal] = f"http://{HOST}:{port}{_ENTER}?key={key}"
            return self._addresses[journal]


def _behind(key: str, app: WSGIApp) -> WSGIApp:
    """``app``, but only for a browser that has sent ``key`` once."""

    def guarded(environ: dict[str, Any], respond: Callable[..., Any]) -> Iterable[bytes]:
        cookie = own_cookie(environ["SERVER_PORT"])
        if environ["PATH_INFO"] == _ENTER:
            brought = parse_qs(environ["QUERY_STRING"]).get("key", [""])[0]
            if secrets.compare_digest(brought.encode(), key.encode()):
                kept = f"{cookie}={key}; Path=/; HttpOnly; SameSite=Lax"
                respond("303 See Other", [("Location", PAGE), ("Set-Cookie", kept)])
                return []
        shown = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(cookie)
        if shown is None or not secrets.compare_digest(shown.value.encode(), key.encode()):
            respond("401 Unauthorized", [("Content-Type", "text/plain")])
            return [b"Open this from the page of the run."]
        return app(environ, respond)

    return guarded
