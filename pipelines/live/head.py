"""The server on the head of a cluster: ``python -m pipelines.live.head``.

It is started before Ray, which gets its address with ``--proxy-server-url``, and outlives all
searches. It shows the runs in the home directory, where `ray submit` puts them, and in the folders
that searches on this machine have noted.
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
    """The folders of runs that exist now."""
    found = [folder for folder in (Path.home() / "runs", *noted_runs()) if folder.is_dir()]
    return list(dict.fromkeys(found))


async def serve() -> None:
    """Answer requests until the process is ended. A request needs the token if `ray start` will ask
    for one. Raises ``TokenError`` if that token is missing."""
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
    except ValueError as error:  # a token is needed and missing
        sys.exit(f"error: {error}")
