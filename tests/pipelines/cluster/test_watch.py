"""Whether the control store of a cluster is still there."""

from __future__ import annotations

import socket
import time

import pytest

import pipelines.cluster.watch as watching


def test_a_head_that_is_silent_for_long_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with socket.create_server(("127.0.0.1", 0)) as head:
        port = head.getsockname()[1]
        knocking = watching.Knocking(f"127.0.0.1:{port}")
        now = 100.0
        assert knocking.dead() == ""  # however long ago it was asked
    now = 102.0
    assert knocking.dead() == ""
    assert capsys.readouterr().err == ""
    now = 110.0
    assert knocking.dead() == ""
    assert knocking.dead() == ""
    where = f"the head of the cluster at 127.0.0.1:{port}"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"waiting   {where} does not answer: ")
    now = 151.0
    assert knocking.dead().startswith(f"{where} does not answer any more: ")
