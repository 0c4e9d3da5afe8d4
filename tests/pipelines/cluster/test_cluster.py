"""If a cluster cannot be joined, one line says so within seconds."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
import ray
import yaml
from ray._private import services
from ray._private.utils import check_version_info
from ray.core.generated.gcs_service_pb2_grpc import (
    NodeInfoGcsServiceServicer,
    add_NodeInfoGcsServiceServicer_to_server,
)

from pipelines import run
from pipelines.cli.command import main
from pipelines.cluster import address, machines
from pipelines.cluster import connect as cluster
from pipelines.cluster.address import ClusterError, TokenError, knock
from pipelines.cluster.kuberay import WORKERS
from pipelines.cluster.machines import Cluster, is_alive, slot_counter
from pipelines.cluster.resources import TrialResources, check_fit


class RefusesTokens(NodeInfoGcsServiceServicer):
    def CheckAlive(self, request: object, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")


@pytest.fixture
def guarded() -> Iterator[str]:
    """The address of a cluster whose token differs from ours."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    add_NodeInfoGcsServiceServicer_to_server(RefusesTokens(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("typed", ["somewhere", "host:", "host:port", ":"])
def test_what_is_no_address_is_named(typed: str) -> None:
    with pytest.raises(ClusterError, match=f"'{typed}' is not auto, local or HOST:PORT$"):
        knock(typed)


def test_an_address_of_ray_client_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(run.app, ["--address", "ray://127.0.0.1:10001"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --address ray://127.0.0.1:10001: Ray Client cannot run a")
    assert "use `ray submit` or `ray job submit`" in error
    assert error.count("\n") == 1


def test_the_address_for_jobs_is_no_address_of_a_cluster() -> None:
    with pytest.raises(
        ClusterError, match=r"^`address` http://127\.0\.0\.1:1: this is for `ray job`"
    ):
        knock("http://127.0.0.1:1")


@pytest.mark.parametrize("typed", [None, "auto"])
@pytest.mark.parametrize(
    ("set_to", "says"),
    [
        ("127.0.0.1:1", r"^no Ray cluster at RAY_ADDRESS 127\.0\.0\.1:1: "),
        ("http://127.0.0.1:1", r"^RAY_ADDRESS http://127\.0\.0\.1:1: this is for `ray job`"),
        (
            "auto",
            r"(^|^RAY_ADDRESS is auto, but )no Ray cluster runs on this machine",
        ),
    ],
)
def test_the_variable_is_named_if_it_gave_the_address(
    typed: str | None, set_to: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", set_to)
    monkeypatch.setattr(services, "find_gcs_addresses", list)
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _: None)
    with pytest.raises(ClusterError, match=says):
        cluster._find(typed)


def test_a_note_of_a_ray_that_was_killed_is_passed_over_if_the_variable_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "")
    monkeypatch.setattr(services, "find_gcs_addresses", list)
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _: "127.0.0.1:1")
    assert cluster._find(None) is None


def test_a_port_where_nothing_listens_refuses() -> None:
    with pytest.raises(ClusterError, match=r"no Ray cluster at `address` 127.0.0.1:1:"):
        knock("127.0.0.1:1")


def test_an_ipv6_address_is_given_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def refuse(place: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(place)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(ClusterError, match=r"no Ray cluster at `address` \[::1\]:6379: refused"):
        knock("[::1]:6379")
    assert asked == [("::1", 6379)]


def test_what_is_not_ray_is_given_up(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "PATIENCE", 0.5)
    with pytest.raises(ClusterError, match=f"`address` {silent}"):
        knock(silent)


def test_a_refused_token_says_what_to_do(guarded: str) -> None:
    with pytest.raises(TokenError, match=r"refuses the token.*auth_token"):
        knock(guarded)


def test_a_cluster_that_refuses_us_is_not_replaced_by_a_local_one(
    guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "get_ray_address_from_environment", lambda *_: guarded)
    with pytest.raises(TokenError, match=r"refuses the token: .*; `address=local` starts Ray"):
        cluster._find(None)
    with pytest.raises(TokenError, match=r"RAY_AUTH_MODE=token$"):
        cluster._find("auto")


def test_versions_that_differ_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        there = {"ray_version": "2.59.0", "python_version": "3.11.7"}
        check_version_info(there, "node 10.0.0.1")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster, "_find", lambda _: "10.0.0.2:6379")
    monkeypatch.setattr(cluster, "init", refuse)
    with pytest.raises(ClusterError) as raised:
        cluster._join("10.0.0.2:6379", None)
    told = str(raised.value)
    assert told.startswith("the Ray cluster at 10.0.0.2:6379 cannot be joined: Version mismatch")
    assert "Ray: 2.59.0" in told
    assert f"Ray: {ray.__version__}" in told
    assert "\n" not in told


def test_a_token_that_cannot_be_read_is_one_line(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("RAY_AUTH_TOKEN_PATH is set but file cannot be opened. Long advice.")

    monkeypatch.setattr(address, "maybe_enable_token_auth_if_token_available", fail)
    with pytest.raises(TokenError, match="no token for Ray: RAY_AUTH_TOKEN_PATH is set") as raised:
        knock(guarded)
    assert "Long advice" not in str(raised.value)


LAUNCHED = """
provider: {type: local, head_ip: 10.0.0.1, worker_ips: [10.0.0.2, 10.0.0.3]}
head_node_type: local.cluster.node
max_workers: 2
available_node_types: {local.cluster.node: {resources: {}, node_config: {}, max_workers: 2}}
"""


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The YAML file of a cluster of one's own machines, of which the second has not joined."""

    def node(last: int, alive: bool = True) -> dict[str, object]:
        return {
            "NodeManagerHostname": f"w{last}",
            "NodeManagerAddress": f"10.0.0.{last}",
            "Alive": alive,
            "Resources": {"CPU": 2.0},
        }

    file = tmp_path / "ray_bootstrap_config.yaml"
    file.write_text(LAUNCHED)
    monkeypatch.setattr(machines, "launched_with", lambda: yaml.safe_load(file.read_text()))
    monkeypatch.setattr(ray, "nodes", lambda: [node(1), node(2), node(3, alive=False)])
    return file


def test_machines_of_ones_own_count_as_they_join(launched: Path) -> None:
    joined = Cluster("", started_here=False)
    assert [n.name for n in joined.nodes_at_most()] == ["w1", "w2"]
    assert joined.machines_to_come() == ["10.0.0.3"]
    assert joined.may_grow()
    alone = Cluster("", started_here=True)  # Ray started here: the file belongs to another cluster
    assert alone.machines_to_come() == []
    assert not alone.may_grow()


def test_machines_that_are_given_by_name_are_found(
    launched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(name: str) -> str:
        if name == "unknown":
            raise socket.gaierror(-2, "Name or service not known")
        return {"one": "10.0.0.2", "two": "10.0.0.3"}[name]

    monkeypatch.setattr(socket, "gethostbyname", look_up)
    for named, to_come in (("[one, two]", ["two"]), ("[one, unknown]", ["unknown"])):
        launched.write_text(LAUNCHED.replace("[10.0.0.2, 10.0.0.3]", named))
        assert Cluster("", started_here=False).machines_to_come() == to_come


def test_no_more_machines_are_to_come_than_the_most_workers(launched: Path) -> None:
    launched.write_text(LAUNCHED.replace("max_workers: 2\n", "max_workers: 1\n"))
    assert Cluster("", started_here=False).machines_to_come() == []


@pytest.fixture
def on_kubernetes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The nodes of a KubeRay cluster, as Ray lists them: a head without trials, and no worker."""
    nodes: list[dict[str, object]] = [
        {
            "NodeManagerHostname": "head",
            "Alive": True,
            "Resources": {"node:__internal_head__": 1.0},
        }
    ]
    monkeypatch.setattr(machines, "launched_with", lambda: None)
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    return nodes


def test_the_workers_that_kubernetes_may_add_count(
    on_kubernetes: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        WORKERS,
        """[{"group": "spot", "cpus": 4, "gpus": 1, "most": 2},
            {"group": "on-demand", "cpus": 4, "gpus": 1, "most": 0}]""",
    )
    joined, trial = Cluster("", started_here=False), TrialResources(1, 0.25)
    check_fit(joined.nodes_at_most(), trial)
    assert [n.name for n in joined.nodes_at_most()] == ["head", "spot", "spot"]
    assert slot_counter(joined, trial)() == 8
    assert joined.may_grow()
    assert joined.machines_to_come() == []
    worker = {"NodeManagerHostname": "w", "Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}}
    on_kubernetes += [worker, worker]
    assert slot_counter(joined, trial)() == 8
    assert not joined.may_grow()
    alone = Cluster("", started_here=True)  # Ray started here, in the head's pod
    assert len(alone.nodes_at_most()) == 3


@pytest.mark.parametrize(
    "given",
    [
        "4",
        "4 workers",
        '{"cpus": 4}',
        '[{"group": "a", "cpus": 4, "gpus": 1}]',
        '[{"group": "a", "cpus": 4, "gpus": 1, "most": "many"}]',
        '[{"group": "a", "cpus": 4, "gpus": 1, "most": -1}]',
        '[{"group": "a", "cpus": 4, "gpus": 1, "most": 1},\n 2]',
    ],
)
def test_workers_that_cannot_be_read_are_one_line(
    given: str, on_kubernetes: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKERS, given)
    with pytest.raises(ClusterError, match=r"^RANGEFINDER_WORKERS is .*, not a list") as raised:
        Cluster("", started_here=False).may_grow()
    assert "\n" not in str(raised.value)


def test_a_machine_that_has_crashed_is_not_alive_although_ray_has_not_noticed_yet(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, port = silent.partition(":")
    node = {"Alive": True, "NodeManagerAddress": host, "NodeManagerPort": int(port)}
    monkeypatch.setattr(ray, "nodes", lambda: [node])
    assert is_alive(host)
    assert not is_alive("10.0.0.1")
    with socket.socket() as free:
        free.bind((host, 0))
        node["NodeManagerPort"] = free.getsockname()[1]
    assert not is_alive(host)
