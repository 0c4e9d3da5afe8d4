"""``dashboard.py``: the pages of a folder of runs, without Ray."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from pipelines.live.app import make_app
from pipelines.live.door import Door
from pipelines.record.files import RunFiles
from pipelines.results.extras import has_optuna_dashboard

HOST = "127.0.0.1"


def show_runs(runs: Path, port: int) -> int:
    """Serve the runs in ``runs`` until Ctrl-C, and print the link. Returns the exit code.

    Raises ``ValueError`` if ``runs`` is not a folder, or if the port cannot be used.
    """
    if not runs.expanduser().is_dir():
        raise ValueError(f"'{runs}' is not a folder: give the folder of runs")
    root = runs.expanduser().resolve()  # addresses contain its name, which must not be ".."
    if RunFiles(root).journal.is_file():  # a single run: show all runs of its folder
        root = root.parent
    with _listening(port) as own, suppress(KeyboardInterrupt):
        door = Door.own(own.getsockname()[1])
        app = make_app(lambda: [root], door, optuna=has_optuna_dashboard())
        asyncio.run(_serve(app, own, door))
    return 0


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise ValueError(not_to_be_had(port, error)) from None


def not_to_be_had(port: int, error: OSError) -> str:
    """Why the server cannot listen on ``port``."""
    return f"`port={port}`: {os.strerror(error.errno or 0).lower()}; 0 takes a free one"


async def _serve(app: web.Application, own: socket.socket, door: Door) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, own).start()
    print(f"dashboard {door.link(f'http://{HOST}:{own.getsockname()[1]}')}", flush=True)
    await asyncio.Event().wait()
