"""Trials that share a GPU, which is only declared: what happens to a trial that needs more memory,
or that does not free it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import pipelines.study.run_study as running_a_study
from pipelines.cli.share_lines import share_lines
from pipelines.cluster.local_ray import LateDashboard
from pipelines.cluster.machines import Cluster
from pipelines.cluster.sharing import mps_by_node, no_cuda_on
from pipelines.record.files import RunFiles
from pipelines.record.journal import load_journal
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.attempts import Cause
from pipelines.tuner.sampling import algorithms
from pipelines.tuner.sampling.samplers import Sampler
from tests.pipelines.running import Witness, study
from trainables.data.datasets import TrialData
from trainables.device import mps


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[FinishedTrial]:
    """What the sampler is told."""
    learnt: list[FinishedTrial] = []

    def make_sampler(*given: Any, **named: Any) -> Sampler:
        sampler = algorithms.make_sampler(*given, **named)
        monkeypatch.setattr(sampler, "tell", learnt.append)
        return sampler

    monkeypatch.setattr(running_a_study, "make_sampler", make_sampler)
    return learnt


def memory_is_short(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    from ray import get_runtime_context

    gpus = get_runtime_context().get_assigned_resources().get("GPU", 0.0)
    if config["x"] > 0.5 and gpus < 0.5:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    yield {"val_loss": config["x"], "gpus": gpus}, None


@pytest.mark.slow
def test_a_trial_out_of_memory_gets_twice_the_share_once(
    cluster: Cluster, folder: Path, told: list[FinishedTrial]
) -> None:
    witness = Witness()
    study(
        cluster,
        folder,
        memory_is_short,
        witness,
        trials=4,
        seed=1,
        cpus_per_trial=0.25,
        gpus_per_trial=0.25,
    )
    trials = load_journal(RunFiles(folder).journal)
    assert len(trials) == 4
    assert {t.state for t in trials} == {State.COMPLETE}
    shares = {(t.gpus, t.metrics["gpus"], float(t.config["x"]) > 0.5) for t in trials}
    assert shares == {(0.25, 0.25, False), (0.5, 0.5, True)}
    assert {cause for cause, _ in witness.again} == {Cause.OUT_OF_MEMORY}
    assert [(t.config, t.value) for t in told] == [(t.config, t.config["x"]) for t in trials]


def test_trials_share_a_gpu_of_a_ray_whose_dashboard_starts_late(
    cluster: Cluster, folder: Path
) -> None:
    here = Cluster("", started_here=True, late_dashboard=LateDashboard({}))
    study(here, folder, memory_is_short, trials=2, cpus_per_trial=0.25, gpus_per_trial=0.5)
    assert [t.gpus for t in load_journal(RunFiles(folder).journal)] == [0.5, 0.5]


def test_that_trials_train_on_the_cpu_of_a_machine_with_a_gpu_is_said_once(
    cluster: Cluster, folder: Path
) -> None:
    here, witness = replace(cluster, without_cuda=set()), Witness()
    study(here, folder, memory_is_short, witness, trials=2, gpus_per_trial=0.5)
    works = torch.cuda.is_available()
    assert witness.warnings == ([] if works else [no_cuda_on("this machine")])


def memory_is_always_short(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    if config["x"] > 0.5:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    yield {"val_loss": config["x"]}, None


@pytest.mark.slow
def test_a_trial_that_never_fits_fails_and_has_no_score(
    cluster: Cluster, folder: Path, told: list[FinishedTrial]
) -> None:
    study(
        cluster,
        folder,
        memory_is_always_short,
        trials=4,
        seed=1,
        cpus_per_trial=0.25,
        gpus_per_trial=0.25,
        max_failures=3,
    )
    assert {(t.state, t.gpus) for t in told} == {(State.COMPLETE, 0.25), (State.FAIL, 0.5)}
    for trial in told:
        assert (trial.value is None) == (trial.state is State.FAIL)


def leaves_memory_taken(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    """Like a training that a global variable of its module keeps alive."""
    torch.cuda.is_initialized = lambda: True
    torch.cuda.empty_cache = lambda: None
    torch.cuda.memory_reserved = lambda device=None: 2**30
    yield {"val_loss": config["x"], "process": os.getpid()}, None


def test_a_process_that_leaves_memory_taken_gets_no_other_trial(
    cluster: Cluster, folder: Path
) -> None:
    witness = Witness()
    trials = study(cluster, folder, leaves_memory_taken, witness, trials=2, max_concurrent=1).trials
    assert [t.state for t in trials] == [State.COMPLETE] * 2
    assert len({t.metrics["process"] for t in trials}) == 2
    assert {cause for cause, _ in witness.again} == {Cause.MEMORY_HELD}
    assert {(t.machines_lost, t.failures) for t in trials} == {(0, 0)}


def test_mps_is_asked_for_on_nodes_with_gpus(cluster: Cluster) -> None:
    assert list(mps_by_node().values()) == [mps.is_running()]


@pytest.mark.parametrize(
    ("granted", "mps", "lines"),
    [
        (0.25, {}, ["25% of a GPU's memory, and of its processors where MPS runs"]),
        (0.25, {"a": True, "b": True}, ["memory, and 25% of its processors: MPS runs"]),
        (0.25, {"a": False}, ["memory; MPS does not run: trials on one GPU compute in turns"]),
        (0.25, {"a": True, "b": False}, ["MPS does not run on b: trials on one GPU"]),
        (0.5, {}, ["leave GPUs unused: each gets 0.5 of one", "50% of a GPU's memory"]),
        (1.0, {"a": True}, ["leave GPUs unused: each gets a GPU of its own"]),
    ],
)
def test_the_plan_says_what_a_share_is(
    granted: float, mps: dict[str, bool], lines: list[str]
) -> None:
    said = list(share_lines(0.25, granted, mps))
    assert len(said) == len(lines)
    for line, part in zip(said, lines, strict=True):
        assert part in line
