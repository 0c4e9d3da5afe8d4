"""The server as a process of its own: ``python -m pipelines.live.serve``.

The process that starts the server writes a line of JSON, :class:`Orders`, to its standard input and
reads a line with the port. The server ends when its standard input ends: when the other process has
closed it or has ended, in whatever way.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
NICENESS = 10  # counts only within its session; not more, because somebody waits for a page


@dataclass(frozen=True)
class Orders:
    """What the server is told: the folders of runs, and the token and the key of its door."""

    roots: list[str]
    token: str
    key: str


async def serve(orders: Orders) -> None:
    """Answer requests until the standard input ends."""
    from aiohttp import web

    from pipelines.live.app import make_app
    from pipelines.live.door import Door
    from pipelines.results.extras import has_optuna_dashboard

    roots = [Path(root) for root in orders.roots]
    door = Door(orders.token, key=orders.key)
    app = make_app(lambda: roots, door, optuna=has_optuna_dashboard())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    ((_, port, *_),) = runner.addresses
    print(port, flush=True)
    os.nice(NICENESS)
    with Path(os.devnull).open("w") as nowhere:  # nobody reads the output from now on
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve as the line on the standard input says."""
    orders = Orders(**json.loads(sys.stdin.readline()))
    asyncio.run(serve(orders))
    os._exit(0)  # does not wait for a page that is still being made


if __name__ == "__main__":
    main()
