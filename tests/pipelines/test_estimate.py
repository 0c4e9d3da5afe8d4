"""What a dry run says of time and cost."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipelines import run
from pipelines.cli.command import main
from pipelines.cluster.connect import Cluster
from pipelines.plan.estimate import Estimate, estimate_lines, seconds_of_an_epoch
from search_spaces import SPACES
from trainables.data.datasets import load
from trainables.networks import NETWORKS

FOUND = Estimate(
    trials=40, epochs=30, epoch_seconds=6.0, at_once=8, on_a_node=4, where="here on a CPU"
)


def test_time_is_shared_by_the_trials_that_run_at_once() -> None:
    assert FOUND.seconds == 40 * 30 * 6 / 8
    assert FOUND.node_hours == 40 * 30 * 6 / 4 / 3600


def test_the_cost_is_that_of_the_nodes_hours() -> None:
    time, cost = estimate_lines(FOUND, node_price=0.5)
    assert "at most 15m00s" in time
    assert "(measured here on a CPU)" in time
    assert "at most 0.25: 0.5 hours of a node with 4 trials at once, at 0.5 an hour" in cost
    assert list(estimate_lines(FOUND, None)) == [time]


def test_an_epoch_of_all_folds_is_measured_and_threads_stay_as_they_were() -> None:
    data, threads = load("digits"), torch.get_num_threads()
    configs = SPACES["mlp"].try_first
    one, kind = seconds_of_an_epoch(NETWORKS["mlp"], configs, (data,), 1, 0)
    three, _ = seconds_of_an_epoch(NETWORKS["mlp"], configs, (data,) * 3, 1, 0)
    assert kind == "CPU"
    assert 0 < one < three
    assert torch.get_num_threads() == threads


def test_a_dry_run_estimates_and_starts_nothing(
    cluster: Cluster, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run.app, ["--dry-run", "--node-price", "0.5", "--trials", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (time,) = (line for line in lines if line.startswith("estimate"))
    assert "8 trials of 30 epochs" in time
    assert "2 at once" in time
    assert any(line.startswith("cost") and "at 0.5 an hour" in line for line in lines)
    assert list(elsewhere.iterdir()) == []


def test_a_price_without_a_dry_run_is_refused(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run.app, ["--node-price", "0.5"]) == 2
    assert "--node-price 0.5 is for --dry-run" in capsys.readouterr().err
