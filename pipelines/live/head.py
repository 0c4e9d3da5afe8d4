"""The server on the head of a cluster: ``python -m pipelines.live.head``.

It is started before Ray, whose ``--proxy-server-url`` names it, and outlives all searches. It shows
the runs in the home directory, where `ray submit` has them, and wherever else searches of the
cluster that run on this machine have theirs.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from pipelines.cluster.searches import noted_runs
from pipelines.live.serve import HOST, NICENESS

PORT = 8269  # as in cluster.yaml, cluster-onprem.yaml and deploy/raycluster.yaml


def roots() -> list[Path]:
    """The folders of runs that there are now."""
    found = [folder for folder in (Path.home() / "runs", *noted_runs()) if folder.is_dir()]
    return list(dict.fromkeys(found))


async def serve() -> None:
    """Answer until the process is ended, to whoever has the token, where `ray start` will ask for
    one. Raises ``TokenError`` where it is missing."""
    from aiohttp import web

    from pipelines.cluster.address import use_token
    from pipelines.cluster.token import ray_token
    from pipelines.live.app import make_app
    from pipelines.live.door import Door

    use_token()
    runner = web.AppRunner(make_app(roots, Door(ray_token())), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, PORT).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.nice(NICENESS)
    try:
        asyncio.run(serve())
    except ValueError as error:  # no token where one is asked for
        sys.exit(f"error: {error}")
