"""cluster.yaml says what Ray's launcher understands, and what the README promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from pipelines.search.cluster import nodes_of_config
from pipelines.search.resources import Node, check_fit, slots_on

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    return config


def test_ray_accepts_it(config: dict[str, Any]) -> None:
    validate_config(prepare_config(config))


def test_the_head_takes_no_trials_and_gpu_workers_scale_from_none(config: dict[str, Any]) -> None:
    types = config["available_node_types"]
    assert types[config["head_node_type"]]["resources"]["CPU"] == 0
    (workers,) = (t for name, t in types.items() if name != config["head_node_type"])
    assert workers["min_workers"] == 0
    assert workers["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}


def test_every_node_installs_this_project_with_the_pinned_versions(config: dict[str, Any]) -> None:
    (remote,) = config["file_mounts"]
    assert any(
        re.search(rf"-c \S*{Path(remote).name}/constraints.txt -e", command)
        for command in config["setup_commands"]
    )


def test_nodes_that_the_autoscaler_may_add_count_for_a_trial() -> None:
    filled_in = {
        "head_node_type": "head",
        "max_workers": 3,
        "available_node_types": {
            "head": {"resources": {"CPU": 0}},
            "gpu": {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 2},
            "cpu": {"resources": {"CPU": 8}, "max_workers": 2},
        },
    }
    nodes = nodes_of_config(filled_in)
    assert nodes == [Node("head", 0, 0), *[Node("gpu", 4, 1)] * 2, Node("cpu", 8, 0)]
    check_fit(nodes, 1, 0.25)
    assert sum(slots_on(node, 1, 0.25) for node in nodes) == 8
    with pytest.raises(ValueError, match="gpu has 4 CPUs and 1 GPUs"):
        check_fit(nodes, 1, 2)
