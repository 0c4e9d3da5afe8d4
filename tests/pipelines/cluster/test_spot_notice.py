"""The notice of a spot interruption, as the metadata of an instance gives it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipelines import spot_notice
from pipelines.cluster import notice

NOTICE = '{"action": "terminate", "time": "2026-09-18T08:22:00Z"}'


class Metadata(BaseHTTPRequestHandler):
    """Version 2 of the service: nothing without a token. The server's ``answer`` is the notice."""

    def do_PUT(self) -> None:
        lives = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        self._say("token" if self.path == "/latest/api/token" and lives else "")

    def do_GET(self) -> None:
        asked = self.path == "/latest/meta-data/spot/instance-action"
        allowed = self.headers.get("X-aws-ec2-metadata-token") == "token"
        self._say(vars(self.server)["answer"] if asked and allowed else "")

    def _say(self, text: str) -> None:
        self.send_response(200 if text else 404)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Metadata)
    vars(server)["answer"] = ""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/latest"
    monkeypatch.setattr(spot_notice, "METADATA", address)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_nothing_until_there_is_a_notice(metadata: HTTPServer) -> None:
    assert spot_notice.look() == ""
    vars(metadata)["answer"] = NOTICE
    assert spot_notice.look() == "terminate at 2026-09-18T08:22:00Z"


def test_a_notice_and_a_shutdown_are_passed_on_to_trials_and_to_ray(
    metadata: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers: dict[int, Any] = {}
    drained: list[tuple[str, ...]] = []
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(subprocess, "run", lambda command, check: drained.append(command))
    monkeypatch.setattr(notice, "_path", lambda: tmp_path / "notice")
    vars(metadata)["answer"] = NOTICE
    assert spot_notice.main() == 0
    assert notice.is_given()
    notice.take_back()
    with pytest.raises(SystemExit):
        handlers[signal.SIGTERM](signal.SIGTERM, None)
    assert notice.is_given()
    assert [command[:2] for command in drained] == [("ray", "drain-node")] * 2
    assert [(command[-3], command[-1]) for command in drained] == [
        ("spot interruption: terminate at 2026-09-18T08:22:00Z", "120"),
        ("shutdown", "10"),
    ]


def test_a_notice_of_a_machine_that_is_there_still_counts_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice, "_path", lambda: tmp_path / "notice")
    notice.give("test")
    assert notice.is_given()
    hour_ago = time.time() - 3600
    os.utime(tmp_path / "notice", (hour_ago, hour_ago))
    assert not notice.is_given()


def test_a_notice_is_of_one_user(monkeypatch: pytest.MonkeyPatch) -> None:
    notice.give("test")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not notice.is_given()
    monkeypatch.undo()
    notice.take_back()


@pytest.mark.parametrize("answer", ["[]", "soon", '{"action": "stop"}'])
def test_what_is_no_notice_is_none(metadata: HTTPServer, answer: str) -> None:
    vars(metadata)["answer"] = answer
    assert spot_notice.look() == ""


def test_a_machine_without_metadata_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spot_notice, "METADATA", "http://127.0.0.1:1/latest")
    assert spot_notice.look() == ""


def test_an_answer_that_is_not_http_is_no_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(spot_notice, "METADATA", f"http://127.0.0.1:{port}/latest")

        def answer() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(b"nothing that HTTP knows\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert spot_notice.look() == ""
        thread.join()
