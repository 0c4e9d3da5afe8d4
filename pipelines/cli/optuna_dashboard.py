"""``dashboard.py --optuna``: optuna-dashboard on the record of a run."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from pipelines.cli.dashboard import HOST, not_to_be_had
from pipelines.study.runs import open_run


class ReadOnly(JournalFileBackend):
    """A journal that its search alone writes."""

    def append_logs(self, logs: Iterable[dict[str, Any]]) -> None:
        """Raises ``PermissionError``: what optuna-dashboard offers to change or to delete is the
        record of a run."""
        raise PermissionError("the record of a run is not changed")


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...

    def get_stderr(self) -> StringIO:
        return StringIO()


def show_in_optuna(folder: Path, port: int) -> int:
    """Serve optuna-dashboard until Ctrl-C, and print its address. Returns the exit code.

    It shows finished trials alone, and asks for no token: whoever uses this machine can look.

    Raises ``ValueError`` for what is no run, where optuna-dashboard is not installed, and for a
    port that cannot be had.
    """
    journal = open_run(folder.expanduser()).files.journal
    try:
        from optuna_dashboard import wsgi
    except ImportError:
        raise ValueError("`optuna` needs optuna-dashboard: pip install optuna-dashboard") from None
    app = wsgi(JournalStorage(ReadOnly(str(journal))))
    try:
        server = make_server(HOST, port, app, handler_class=_Silent)
    except OSError as error:
        raise ValueError(not_to_be_had(port, error)) from None
    with server, suppress(KeyboardInterrupt):
        print(f"optuna    http://{HOST}:{server.server_port}/dashboard/", flush=True)
        server.serve_forever()
    return 0
