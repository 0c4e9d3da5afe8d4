"""cluster.yaml and cluster-onprem.yaml say what Ray's launcher understands, and what the README and
docs/cluster.md promise. No AWS and no hosts: those are in test_aws.py, test_onprem.py, test_ec2.py.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from pipelines.cluster.machines import nodes_of_config, types_of_config
from pipelines.cluster.resources import Node, TrialResources, check_fit, slots_on
from pipelines.live.head import PORT

ROOT = Path(__file__).parent.parent.parent
FILES = ("cluster.yaml", "cluster-onprem.yaml")


def load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return config


@pytest.fixture(params=FILES)
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    return load(request.param)


def test_ray_accepts_it(config: dict[str, Any]) -> None:
    validate_config(prepare_config(config))


def test_every_part_of_the_project_reaches_every_node(config: dict[str, Any]) -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    needed = packages | {"pyproject.toml", "README.md", "constraints.txt"}
    mounted = {local for remote, local in config["file_mounts"].items() if "rangefinder" in remote}
    assert needed <= mounted
    assert all((ROOT / local).exists() for local in mounted)


def test_every_node_installs_the_pinned_versions(config: dict[str, Any]) -> None:
    pinned = "pip install -q -c ~/rangefinder/constraints.txt -e ~/rangefinder"
    installs = [command for command in config["setup_commands"] if command.startswith(pinned)]
    assert len(installs) == 1
    assert "\nray==" in (ROOT / "constraints.txt").read_text()


def test_every_node_has_the_token_and_asks_for_it(config: dict[str, Any]) -> None:
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert any("RAY_AUTH_MODE=token" in command for command in config["setup_commands"])


def test_every_node_has_our_line_in_its_login_once(config: dict[str, Any], tmp_path: Path) -> None:
    (command,) = (c for c in config["setup_commands"] if "~/.bashrc" in c)
    login = tmp_path / ".bashrc"
    login.write_text(". ~/other/venv/bin/activate\n")  # another environment's
    for _ in range(2):
        subprocess.run(["bash", "-c", command], env={"HOME": str(tmp_path)}, check=True)
    _, *ours = login.read_text().splitlines()
    assert ours == ["export RAY_AUTH_MODE=token; . ~/venv/bin/activate"]


def test_an_environment_that_was_made_without_pip_gets_it(
    config: dict[str, Any], tmp_path: Path
) -> None:
    """As after a first `ray up` on a machine without the package python3-venv."""
    (command,) = (c for c in config["setup_commands"] if "-m venv" in c)
    python3 = tmp_path / "python3"
    python3.write_text(
        "#!/bin/sh\nmkdir -p ~/venv/bin; touch ~/venv/bin/pip; chmod +x ~/venv/bin/pip\n"
    )
    python3.chmod(0o755)
    made = tmp_path / "venv" / "bin"
    made.mkdir(parents=True)
    (made / "python").symlink_to(sys.executable)
    environment = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    for _ in range(2):
        subprocess.run(["bash", "-c", command], env=environment, check=True)
        assert (made / "pip").is_file()
        python3.write_text("#!/bin/sh\nexit 1\n")  # the second time, nothing is made


def test_a_lost_node_is_noticed_soon(config: dict[str, Any]) -> None:
    (start,) = (c for c in config["head_start_ray_commands"] if "ray start" in c)
    for setting in ("period_ms=1000", "timeout_ms=3000", "failure_threshold=3"):
        assert f"RAY_health_check_{setting}" in start


def test_the_head_shows_searches_inside_rays_dashboard(config: dict[str, Any]) -> None:
    commands = config["head_start_ray_commands"]
    stop, pages, start = (c for c in commands if "live" in c or "ray start" in c)
    assert "python -m pipelines.live.head " in pages
    assert pages.endswith("&")
    assert f"--proxy-server-url=http://127.0.0.1:{PORT} " in start
    words = shlex.split(stop)
    pattern = words[words.index("-f") + 1]  # a second `ray up` must not find the port in use
    assert re.search(pattern, pages)
    assert not re.search(pattern, stop)


def test_gpu_workers_start_mps_before_ray(config: dict[str, Any]) -> None:
    commands = config["worker_start_ray_commands"]
    mps = next(i for i, c in enumerate(commands) if c.startswith("nvidia-cuda-mps-control -d"))
    assert mps < next(i for i, c in enumerate(commands) if "ray start" in c)


def test_workers_wait_for_the_notice_that_they_are_taken_away(config: dict[str, Any]) -> None:
    stop, start = (c for c in config["worker_start_ray_commands"] if "spot_notice" in c)
    script = re.search(r"~/rangefinder/(\S+\.py)", start)
    assert script is not None
    assert (ROOT / script[1]).is_file()
    assert start.endswith("&")
    words = shlex.split(stop, comments=True)
    assert "-KILL" in words  # SIGTERM is a notice: a restarted node would be drained
    pattern = words[words.index("-f") + 1]
    assert re.search(pattern, start)
    assert not re.search(pattern, stop)  # it would kill its own shell


def test_on_premises_all_machines_are_started_by_the_older_autoscaler() -> None:
    config = load("cluster-onprem.yaml")
    machines = len(config["provider"]["worker_ips"])
    assert config["min_workers"] == config["max_workers"] == machines
    (start,) = (c for c in config["head_start_ray_commands"] if "ray start" in c)
    assert "RAY_enable_autoscaler_v2=0 " in start
    assert "--num-cpus=0 --num-gpus=0" in start


def test_on_aws_the_head_takes_no_trials_and_spot_workers_scale_from_none() -> None:
    config = load("cluster.yaml")
    types = config["available_node_types"]
    assert types[config["head_node_type"]]["resources"] == {"CPU": 0, "GPU": 0}
    spot, on_demand = types["gpu_spot"], types["gpu_on_demand"]
    assert spot["min_workers"] == on_demand["min_workers"] == 0
    assert spot["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in on_demand["node_config"]
    assert config["idle_timeout_minutes"] <= 10


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
    check_fit(nodes, TrialResources(1, 0.25))
    assert sum(slots_on(node, TrialResources(1, 0.25)) for node in nodes) == 8
    with pytest.raises(ValueError, match="gpu has 4 CPUs and 1 GPUs"):
        check_fit(nodes, TrialResources(1, 2))


def test_a_trial_fits_if_any_type_that_may_start_holds_it() -> None:
    config = {
        "head_node_type": "head",
        "max_workers": 2,
        "available_node_types": {
            "head": {"resources": {"CPU": 0}},
            "cpu": {"resources": {"CPU": 8}, "max_workers": 2},
            "large": {"resources": {"CPU": 48, "GPU": 4}, "max_workers": 1},
            "never": {"resources": {"CPU": 96, "GPU": 8}, "max_workers": 0},
        },
    }
    types, trial = types_of_config(config), TrialResources(1, 2)
    assert types == [Node("head", 0, 0), Node("cpu", 8, 0), Node("large", 48, 4)]
    check_fit(types, trial)
    assert nodes_of_config(config, trial)[1:] == [Node("large", 48, 4), Node("cpu", 8, 0)]
    with pytest.raises(ValueError, match=r"fits on no node: .*; large has 48 CPUs and 4 GPUs$"):
        check_fit(types, TrialResources(1, 8))
    assert types_of_config({**config, "max_workers": 0}) == [Node("head", 0, 0)]


def test_on_aws_what_pythons_of_the_image_may_lack_is_installed() -> None:
    (command,) = (c for c in load("cluster.yaml")["setup_commands"] if "apt-get" in c)
    for module, package in (("ensurepip", "python3-venv"), ("python3-config", "python3-dev")):
        assert module in command.partition("||")[0]
        assert package in command.partition("||")[2]


def test_a_node_waits_until_its_own_updates_let_go_of_the_lock_of_apt(tmp_path: Path) -> None:
    (command,) = (c for c in load("cluster.yaml")["setup_commands"] if "apt-get" in c)
    stand_ins = {
        "which": "exit 1",
        "sleep": "exit 0",
        "sudo": f'echo "$*" >> {tmp_path}/log; test $(wc -l < {tmp_path}/log) -gt 3',
    }
    for name, line in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["bash", "-c", command], env={"PATH": path}, check=True)
    update, install = "apt-get update -q", "apt-get install -qy python3-venv python3-dev"
    assert (tmp_path / "log").read_text().splitlines() == [*[update] * 4, install]
