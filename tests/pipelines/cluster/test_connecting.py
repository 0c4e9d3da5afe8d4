from __future__ import annotations

import ctypes
import gc
import signal
import threading

import pytest
import ray

from pipelines.cluster.address import ClusterError
from pipelines.cluster.connect import connect, connecting
from pipelines.cluster.machines import Cluster
from pipelines.cluster.quiet import init


def test_the_cluster_that_this_process_uses_stays_connected(cluster: Cluster) -> None:
    with connecting() as connected:
        assert {node.name for node in connected().nodes()} == {n.name for n in cluster.nodes()}
        assert not connected().started_here
    assert ray.is_initialized()


def test_the_address_is_kept_as_it_was_given(cluster: Cluster) -> None:
    given = ray.get_runtime_context().gcs_address
    for address in (given, None):
        with connecting(address) as connected:
            assert connected().address == address


def test_what_goes_wrong_is_raised_where_the_cluster_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with (
        connecting("127.0.0.1:1") as connected,
        pytest.raises(ClusterError, match=r"127\.0\.0\.1:1"),
    ):
        connected()


def test_a_signal_keeps_its_handler_while_ray_starts_in_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(**_: object) -> None:
        ctypes.CDLL(None).signal(int(signal.SIGTERM), ctypes.c_void_p(signal.SIG_IGN))

    heard: list[int] = []
    monkeypatch.setattr(ray, "init", start)
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        thread = threading.Thread(target=init)
        thread.start()
        thread.join()
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_no_thread_is_left_where_nobody_asked_for_the_cluster(cluster: Cluster) -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), connecting():
        _ = 1 / 0
    assert threading.active_count() <= before  # threads of earlier tests may end meanwhile
    assert ray.is_initialized()


def test_no_garbage_is_collected_while_ray_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    collects: list[bool] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(
        "pipelines.cluster.connect._join", lambda *_: Cluster("", started_here=True)
    )
    monkeypatch.setattr(ray, "shutdown", lambda: collects.append(gc.isenabled()))
    with connect():
        pass
    assert collects == [False]
    assert gc.isenabled()


def test_ray_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise OSError("AF_UNIX path length cannot exceed 107 bytes\nmore")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr("pipelines.cluster.connect.start", start)
    says = r"^Ray cannot be started here: AF_UNIX .* 107 bytes; set RAY_TMPDIR to another folder"
    with connecting("local") as connected, pytest.raises(ClusterError, match=says):
        connected()


def test_two_searches_at_once_do_not_share_the_ray_that_one_of_them_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(
        "pipelines.cluster.connect._join", lambda *_: Cluster("", started_here=True)
    )
    monkeypatch.setattr(ray, "shutdown", lambda: ended.append(True))
    says = "another search has connected this process to Ray: run one search after the other"
    with connecting() as first:
        first()
        with connecting() as second, pytest.raises(ClusterError, match=says):
            second()
        assert not ended
    with connecting() as third:  # one after the other
        third()
    assert len(ended) == 2


def test_two_searches_share_the_ray_that_was_there_before(cluster: Cluster) -> None:
    with connecting() as first, connecting() as second:
        assert not first().started_here
        assert not second().started_here
    assert ray.is_initialized()
