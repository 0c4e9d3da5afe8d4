"""The pages on the head of a cluster: which runs they show, and what a search prints about them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import ray

from pipelines.cli.watching import cluster_line
from pipelines.cluster.machines import Cluster
from pipelines.cluster.searches import note_runs, noted_runs
from pipelines.live import head
from pipelines.live.addresses import HOME, OPEN
from pipelines.live.app import _door_page


class Node:
    """Ray's description of a node on this machine."""

    def __init__(self, session: Path) -> None:
        self._session = session

    def get_session_dir_path(self) -> str:
        return str(self._session)


def test_the_head_shows_what_searches_have_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = tmp_path / "ray" / "session_1"
    session.mkdir(parents=True)
    (tmp_path / "ray" / "session_latest").symlink_to(session)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert head.roots() == []
    folders = [tmp_path / "home" / "runs", tmp_path / "b", tmp_path / "a"]
    for folder in folders:
        folder.mkdir(parents=True)
    assert head.roots() == folders[:1]
    monkeypatch.setattr(ray._private.worker, "_global_node", Node(session))
    for folder in [*folders[1:], *folders, tmp_path / "not there"]:
        note_runs(folder)
    assert set(noted_runs()) == {*folders, tmp_path / "not there"}
    assert head.roots()[0] == folders[0]
    assert set(head.roots()) == set(folders)


@pytest.mark.parametrize(("token", "status"), [("5ca1ab1e", 401), (None, 200)])
def test_who_has_no_token_sees_no_run_where_ray_start_will_ask_for_one(
    tmp_path: Path, token: str | None, status: int
) -> None:
    if token is not None:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text(token)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = f"import asyncio; from pipelines.live import head; head.PORT = {port}; "
    environment = {name: v for name, v in os.environ.items() if not name.startswith("RAY_AUTH")}
    process = subprocess.Popen(
        [sys.executable, "-c", f"{start}asyncio.run(head.serve())"],
        env={**environment, "HOME": str(tmp_path)},
    )
    try:
        assert _answer(port) == status
    finally:
        process.kill()
        process.wait()


def _answer(port: int) -> int:
    """The status of the list of runs, requested without a token."""
    end = time.monotonic() + 60
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", HOME)
            return connection.getresponse().status
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.05)
        finally:
            connection.close()


@contextmanager
def dashboard(page: str) -> Iterator[str]:
    """A dashboard that has only the address OPEN, with ``page``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == OPEN else 404)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_search_says_where_the_pages_of_its_cluster_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = "it asks for the token: ray get-auth-token"
    with dashboard(_door_page(True)) as address:
        cluster = Cluster(address, started_here=False)
        assert cluster_line(cluster) == f"dashboard {address}{OPEN} ({asks})"
        monkeypatch.setattr(Cluster, "launched", True)
        port = address.rpartition(":")[2]
        where = f"http://localhost:{port}{OPEN}, after `ray dashboard CLUSTER.yaml`"
        assert cluster_line(cluster) == f"dashboard {where} ({asks})"
    monkeypatch.setattr(Cluster, "launched", False)
    with dashboard("<title>Ray</title>") as address:
        assert cluster_line(Cluster(address, False)) == f"dashboard {address} ({asks})"
    assert cluster_line(Cluster(address, False)) == f"dashboard {address} ({asks})"
