"""How to watch a search while it runs: pages inside Ray's dashboard, and its address."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from rich.console import Console

from pipelines.cli.options import to_type
from pipelines.cli.text import is_terminal, print_plain
from pipelines.cluster.machines import Cluster
from pipelines.cluster.searches import note_runs
from pipelines.cluster.token import ray_token
from pipelines.live.addresses import OPEN
from pipelines.live.door import Door
from pipelines.live.process import ServerError, serving

_PATIENCE = 3.0  # seconds for the dashboard of a cluster to answer


class Watching:
    """Serves the pages of the runs in ``runs`` to whoever searches on this machine."""

    def __init__(self, console: Console, runs: Path) -> None:
        self._console = console
        self._runs = runs
        self._door = Door(ray_token(), key=secrets.token_urlsafe(16))
        self._served = False

    def open(self, cluster: Cluster) -> None:
        """Start the dashboard that was left for later, in the background and with the pages inside.
        If the cluster was running before, tell the pages on its head about these runs."""
        if not cluster.started_here:
            note_runs(self._runs)
        cluster.open_dashboard(self._opened, self._pages)

    @contextmanager
    def _pages(self) -> Iterator[str]:
        try:
            with serving([self._runs], token=self._door.token, key=self._door.key) as address:
                self._served = True
                yield address
        except ServerError as error:  # the dashboard is useful without the pages too
            print_plain(self._console, f"pages     none: {error}")
            yield ""

    def _opened(self, address: str) -> None:
        if not address:
            pages = f"`{to_type('dashboard')}` shows the pages"
            print_plain(self._console, f"dashboard none: Ray's has not started; {pages}")
        elif not self._served:
            print_plain(self._console, dashboard_line(address))
        elif is_terminal(self._console):
            print_plain(self._console, f"dashboard {self._door.link(address)}")
        else:  # a file, which must not hold the key
            print_plain(self._console, dashboard_line(f"{address}{OPEN}"))


def dashboard_line(address: str) -> str:
    """The dashboard's address, and how to log in."""
    return f"dashboard {address} (it asks for the token: ray get-auth-token)"


def cluster_line(cluster: Cluster) -> str:
    """The same for a cluster that was running before. It has none of our pages if somebody started
    its Ray without them."""
    place = OPEN if _has_pages(cluster.dashboard) else ""
    if not cluster.launched:
        return dashboard_line(f"{cluster.dashboard}{place}")
    port = cluster.dashboard.rpartition(":")[2]
    return dashboard_line(f"http://localhost:{port}{place}, after `ray dashboard CLUSTER.yaml`")


def _has_pages(dashboard: str) -> bool:
    try:
        direct = build_opener(ProxyHandler({}))
        with direct.open(f"{dashboard}{OPEN}", timeout=_PATIENCE) as answer:
            return b"<title>Rangefinder</title>" in answer.read()
    except OSError:
        return False
