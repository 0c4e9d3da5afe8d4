"""A search or a comparison whose Ray dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.command import FAILURE
from tests.pipelines.cli.processes import ROOT, RUN, left_with, until, wait_for


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "name"), [("gcs_server", "control store"), ("raylet", "raylet")]
)
def test_a_search_whose_ray_dies_says_so_at_once(elsewhere: Path, program: str, name: str) -> None:
    options = ["--trials", "1000", "--scheduler", "none", "--max-epochs", "3", "--name", "it"]
    with subprocess.Popen(
        [*RUN, *options, "--address", "local", "--no-dashboard"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RANGEFINDER_TEST": str(elsewhere)},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("new best"):
                break
        end(program, elsewhere)
        _, errors = process.communicate(timeout=30)  # Ray itself would take a minute
    assert process.returncode == FAILURE
    said, advice = errors.splitlines()
    assert said.startswith(f"error: Ray's {name} has died: ")
    assert advice.endswith("--resume runs/it --address local")
    wait_for(lambda: not left_with("RANGEFINDER_TEST", str(elsewhere)))


@pytest.mark.slow
def test_a_search_in_a_joined_cluster_whose_raylet_dies_says_so_at_once(elsewhere: Path) -> None:
    start = "import ray; print('at', ray.init('local').address_info['gcs_address']); input()"
    marked = {**os.environ, "RANGEFINDER_TEST": str(elsewhere)}
    options = ["--trials", "1000", "--scheduler", "none", "--max-epochs", "3", "--name", "it"]
    with subprocess.Popen(
        [sys.executable, "-uc", start],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=marked,
    ) as ray_of_another:
        address = until(ray_of_another, "at").split()[-1]
        with subprocess.Popen(
            [*RUN, *options, "--address", address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=marked,
        ) as process:
            until(process, "new best")
            end("raylet", elsewhere)
            _, errors = process.communicate(timeout=30)
        for pid in left_with("RANGEFINDER_TEST", str(elsewhere)):
            os.kill(pid, signal.SIGKILL)
    assert process.returncode == FAILURE
    said, advice = errors.splitlines()
    assert said.startswith("error: Ray's raylet has died: ")
    assert advice.endswith(f"--resume runs/it --address {address}")


@pytest.mark.slow
def test_a_comparison_whose_ray_dies_says_so_and_goes_on_later(elsewhere: Path) -> None:
    # Long enough for Ray to die in the middle of the second cell.
    command = [sys.executable, str(ROOT / "pipelines" / "compare.py"), "--algos", "random"]
    command += [
        "--seeds",
        "1",
        "--trials",
        "40",
        "--max-epochs",
        "3",
        "--name",
        "both",
        "--no-portfolio",
    ]
    command += ["--address", "local", "--no-dashboard"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RANGEFINDER_TEST": str(elsewhere)},
    ) as process:
        until(process, "1/2")
        second = Path("runs/both/random-x2-0/events.jsonl")
        wait_for(lambda: second.is_file() and "reported" in second.read_text())
        end("raylet", elsewhere)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == FAILURE
    (said,) = errors.splitlines()
    assert said.startswith("error: Ray's raylet has died: ")
    assert said.endswith("; type the same command to go on")
    wait_for(lambda: not left_with("RANGEFINDER_TEST", str(elsewhere)))
    again = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert re.findall(r"^\d/2", again.stdout, re.MULTILINE) == ["2/2"]


def end(program: str, elsewhere: Path) -> None:
    """Kill the process of Ray that runs ``program``."""
    processes = left_with("RANGEFINDER_TEST", str(elsewhere))
    (pid,) = [p for p in processes if Path(f"/proc/{p}/comm").read_text().strip() == program]
    os.kill(pid, signal.SIGKILL)
