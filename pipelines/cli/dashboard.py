"""``dashboard.py``: the pages of a folder of runs, without Ray."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
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
    root = runs.expanduser().absolute()
    if not root.is_dir():
        raise ValueError(f"'{runs}' is not a folder: give the folder of runs")
    if RunFiles(root).journal.is_file():  # a single run: show all runs of its folder
        root = root.parent
    door = Door.own()
    app = make_app(lambda: [root], door, optuna=has_optuna_dashboard())
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(app, port, partial(_say, door)))
    return 0


def _say(door: Door, address: str) -> None:
    print(f"dashboard {door.link(address)}", flush=True)


def not_to_be_had(port: int, error: OSError) -> str:
    """Why the server cannot listen on ``port``."""
    return f"`port={port}`: {os.strerror(error.errno or 0).lower()}; 0 takes a free one"


async def _serve(app: web.Application, port: int, started: Callable[[str], None]) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise ValueError(not_to_be_had(port, error)) from None
    started(f"http://{HOST}:{runner.addresses[0][1]}")
    await asyncio.Event().wait()
