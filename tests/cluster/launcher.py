"""What the tests of real clusters do on a laptop and a head."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipelines.record.trials import FinishedTrial
from pipelines.study.runs import open_run
from tests.cluster.lan import ROOT, Lan

# Small networks and short trials: all hosts share the cores of one machine.
SEARCH = (
    "--address auto --algo optuna --data digits --scheduler none --fix n_layers=1 "
    "--range width_1=16..32 --cpus-per-trial 0.25 --gpus-per-trial 1/4"
)
_WATCH = """
import sys, time, ray
ray.init("auto", logging_level="CRITICAL")
seen = open(sys.argv[1], "w", buffering=1)
while True:
    total, free = ray.cluster_resources(), ray.available_resources()
    alive = sum(node["Alive"] for node in ray.nodes())
    print(time.time(), alive, total.get("GPU", 0), free.get("GPU", 0), file=seen)
    time.sleep(0.5)
"""


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Waits for ``condition``. Raises ``TimeoutError`` with ``what`` if it takes too long."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(1)


def edit_yaml(lan: Lan, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """The shipped YAML file, with the values that a user has to fill in."""
    config = yaml.safe_load((ROOT / name).read_text())
    change(config)
    (lan.folder / "project" / name).write_text(yaml.safe_dump(config))


def laptop(lan: Lan, command: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder on the laptop."""
    return lan.on(
        "laptop", f"cd ~/project && export PYTHONPATH=$PYTHONPATH:$PWD && {command}", timeout
    )


def ray_up(lan: Lan, name: str) -> None:
    """`ray up`, with the token that docs/cluster.md tells the user to make first."""
    up = laptop(lan, f"ray get-auth-token --generate > /dev/null && ray up -y {name}")
    assert up.returncode == 0, up.stdout[-5000:]


def live_nodes(lan: Lan) -> int:
    script = 'import ray; ray.init("auto"); print("live", sum(n["Alive"] for n in ray.nodes()))'
    lines = lan.on("head", f"python -c '{script}'").stdout.splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("live ")), 0)


def watch(lan: Lan, head: str = "head") -> Path:
    """Follows the nodes and GPUs from now on. :func:`watched` reads the file."""
    (lan.shared / "watch.py").write_text(_WATCH)
    file = lan.shared / "watched"
    file.touch()
    file.chmod(0o666)
    lan.start(head, "python /mnt/shared/watch.py /mnt/shared/watched", lan.folder / "watch.log")
    return file


def watched(file: Path) -> list[tuple[float, int, float, float]]:
    """Samples of the time, live nodes, all GPUs and free GPUs."""
    rows = [line.split() for line in file.read_text().splitlines()]
    return [
        (float(t), int(n), float(g), float(f)) for t, n, g, f in (r for r in rows if len(r) == 4)
    ]


def fetched(lan: Lan, name: str, run: str) -> list[FinishedTrial]:
    """The trials of a run that was fetched to the laptop."""
    done = laptop(lan, f"python3 pipelines/fetch.py {name} {run}")
    assert done.returncode == 0, done.stdout
    return open_run(lan.folder / "project" / "runs" / run).finished
