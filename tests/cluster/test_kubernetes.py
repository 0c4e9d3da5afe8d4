"""deploy/raycluster.yaml has the node groups of cluster.yaml. It is not run on Kubernetes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import (
    _derive_autoscaling_config_from_ray_cr as autoscaling_config,
)

from pipelines.cluster.kuberay import WORKERS, workers_at_most
from pipelines.cluster.machines import nodes_of_config
from pipelines.cluster.resources import Node
from pipelines.live.head import PORT

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "raycluster.yaml").read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayCluster")
    return manifest


@pytest.fixture(scope="module")
def spec(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]
    return spec


def test_it_has_the_node_groups_of_the_aws_cluster(spec: dict[str, Any]) -> None:
    aws = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    types = aws["available_node_types"]
    groups = {group["groupName"].replace("-", "_"): group for group in spec["workerGroupSpecs"]}
    assert set(groups) == set(types) - {aws["head_node_type"]}
    for name, group in groups.items():
        assert group["minReplicas"] == group["replicas"] == types[name]["min_workers"]
        assert group["maxReplicas"] == types[name]["max_workers"]
    idle = spec["autoscalerOptions"]["idleTimeoutSeconds"]
    assert idle == 60 * aws["idle_timeout_minutes"]


def test_it_runs_the_pinned_ray(spec: dict[str, Any]) -> None:
    pinned = re.search(r"^ray==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert spec["rayVersion"] == pinned[1]


def test_no_trial_lands_on_the_head_and_every_worker_has_one_gpu(spec: dict[str, Any]) -> None:
    parameters = spec["headGroupSpec"]["rayStartParams"]
    assert (parameters["num-cpus"], parameters["num-gpus"]) == ("0", "0")
    for group in spec["workerGroupSpecs"]:
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_the_head_knows_the_workers_that_rays_autoscaler_may_add(
    manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = manifest["spec"]["headGroupSpec"]["template"]["spec"]["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    groups = [group["groupName"] for group in manifest["spec"]["workerGroupSpecs"]]
    assert [group["group"] for group in json.loads(environment[WORKERS])] == groups
    monkeypatch.setenv(WORKERS, environment[WORKERS])
    placed = {**manifest["metadata"], "namespace": "default"}
    head, *workers = nodes_of_config(autoscaling_config({**manifest, "metadata": placed}))
    assert (head.cpus, head.gpus) == (0, 0)
    assert workers_at_most() == workers == [Node("gpu-spot", 4, 1)] * 4


def test_the_head_shows_searches_inside_rays_dashboard(spec: dict[str, Any]) -> None:
    head = spec["headGroupSpec"]
    assert head["rayStartParams"]["proxy-server-url"] == f"http://127.0.0.1:{PORT}"
    (container,) = head["template"]["spec"]["containers"]
    assert (
        "python -m pipelines.live.head"
        in container["lifecycle"]["postStart"]["exec"]["command"][-1]
    )


def test_kuberay_knows_the_autoscaler_that_ray_uses(spec: dict[str, Any]) -> None:
    """Only then it gives pods the restart policy without which idle ones stay."""
    assert spec["autoscalerOptions"]["version"] == "v2"
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        assert "restartPolicy" not in group["template"]["spec"]


def test_all_pods_run_one_image_and_ask_for_the_token(spec: dict[str, Any]) -> None:
    pods = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    assert len({pod["template"]["spec"]["containers"][0]["image"] for pod in pods}) == 1
    assert spec["authOptions"] == {"mode": "token"}


def test_the_image_holds_every_part_of_the_project() -> None:
    copied = re.findall(r"^COPY (.*) \S+$", (ROOT / "deploy" / "Dockerfile").read_text(), re.M)
    parts = {part for line in copied for part in line.split()}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert parts == packages | {"pyproject.toml", "README.md", "constraints.txt"}
