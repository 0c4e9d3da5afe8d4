"""Waiting for on-premises machines that join after `ray up` has ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pipelines.cli import launch, training
from pipelines.cli.connection import Address
from pipelines.cli.launch import show_plan
from pipelines.cluster import workers
from pipelines.cluster.machines import Cluster, why_none_runs
from pipelines.cluster.resources import Node, TrialResources
from pipelines.cluster.workers import await_machines
from pipelines.study.prepare import prepare
from tests.pipelines.running import spec_of, study_of

HEAD = Node("head", 0, 0)
WORKER = Node("w1", 4, 1)


class Joining(Cluster):
    """On-premises machines: each look finds that one more has joined."""

    def __init__(self, *to_come: Node) -> None:
        super().__init__("", started_here=False)
        self._there, self._to_come = [HEAD], list(to_come)

    def nodes(self) -> list[Node]:
        found = list(self._there)
        self._there += self._to_come[:1]
        del self._to_come[:1]
        return found

    def nodes_at_most(self, trial: TrialResources | None = None) -> list[Node]:
        return self.nodes()

    def machines_to_come(self) -> list[str]:
        return [node.name for node in self._to_come]


class Absent(Joining):
    """Only the first machine joins; all others are switched off."""

    def machines_to_come(self) -> list[str]:
        return [*super().machines_to_come(), "10.0.0.9"]


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_PAUSE", 0.0)
    monkeypatch.setattr(workers, "PATIENCE", 0.1)
    monkeypatch.setattr(workers, "FOR_THE_REST", 0.1)


def test_the_plan_of_a_search_waits_for_the_first_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(tmp_path / "run", None, gpus_per_trial=1, storage=str(tmp_path))
    cluster = Joining(WORKER)
    show_plan(study, lambda: cluster, Console(width=200), None)
    told = capsys.readouterr().out
    assert told.index("waiting   for the first of the machines") < told.index(
        "1 at once on 2 nodes"
    )


@pytest.mark.parametrize("storage", [None, "/shared"])
def test_the_plan_says_first_that_machines_must_share_the_runs_unless_a_storage_is_given(
    storage: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(tmp_path / "run", None, gpus_per_trial=1, storage=storage)
    cluster = Joining(WORKER)
    show_plan(study, lambda: cluster, Console(width=300), None)
    note = f"note      without --storage, all machines must share the folder {tmp_path}"
    assert capsys.readouterr().out.startswith(note) == (storage is None)


class Growing(Joining):
    """A head without trials, to which an autoscaler may add four workers."""

    def nodes_at_most(self, trial: TrialResources | None = None) -> list[Node]:
        return [HEAD, *[WORKER] * 4]


def test_the_plan_counts_the_workers_that_may_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(tmp_path / "run", None)
    show_plan(study, Growing, Console(width=200), None)
    resources, hint = (
        line
        for line in capsys.readouterr().out.splitlines()
        if "a trial, " in line or "GPUs would idle" in line
    )
    assert resources.endswith(
        "16 at once on up to 5 nodes of 16 CPUs and 4 GPUs in all; "
        "now 1 node of 0 CPUs and 0 GPUs in all"
    )
    assert "--gpus-per-trial 1/4" in hint


def test_the_plan_of_shares_to_be_measured_does_not_need_a_worker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = prepare(spec_of(gpus_per_trial="auto", runs_dir=tmp_path))
    launch._ready(study, Growing, Console(width=200), dry_run=True)
    told = capsys.readouterr().out
    assert "share     can be measured only once a worker runs: planned with a whole GPU" in told
    assert "1 CPU and 1 GPU a trial, 4 at once on up to 5 nodes" in told


@pytest.mark.parametrize("wanted", [TrialResources(1, 0.25), TrialResources(4, 1)])
def test_what_fits_is_waited_for(wanted: TrialResources) -> None:
    said: list[str] = []
    cluster = Joining(Node("small", 0.5, 0), WORKER)
    await_machines(cluster, wanted, said.append)
    assert WORKER in cluster.nodes()
    assert len(said) == 1


def test_what_fits_on_no_machine_is_not_waited_for_long() -> None:
    cluster = Absent(WORKER)
    await_machines(cluster, TrialResources(8), lambda line: None)
    assert cluster.nodes() == [HEAD, WORKER]


def test_that_no_machine_joins_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^no worker joined within .*: `ray monitor`"):
        await_machines(Absent(), TrialResources(1), lambda line: None)


@pytest.mark.parametrize("launched", [True, False])
def test_nobody_waits_where_a_node_holds_a_trial_or_no_machine_is_to_come(launched: bool) -> None:
    said: list[Any] = []
    cluster = Absent() if launched else Joining()
    cluster._there.append(WORKER)
    await_machines(cluster, TrialResources(1 if launched else 8), said.append)
    assert said == []


def test_why_no_trial_runs() -> None:
    cluster, trial = Joining(WORKER), TrialResources(1)
    assert why_none_runs(cluster, trial).startswith("for a node that can hold a trial: ")
    starting = "no trial runs: processes are still starting, or other work uses the cluster"
    assert why_none_runs(cluster, trial).startswith(starting)
    cluster.started_here = True
    assert why_none_runs(cluster, trial) == ""


@pytest.mark.parametrize(
    ("cluster", "first"), [(Joining(WORKER), "of the machines"), (Growing(), "worker")]
)
def test_trainings_of_evaluate_and_export_wait_too(
    cluster: Joining,
    first: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:

    @contextmanager
    def connecting(*_: object, **__: object) -> Iterator[Any]:
        yield lambda: cluster

    def join(cluster: Joining, trial: TrialResources) -> None:
        cluster._there.append(WORKER)

    monkeypatch.setattr(workers, "_await_first", join)
    monkeypatch.setattr(training, "check_address", lambda address: None)
    monkeypatch.setattr(training, "connecting", connecting)
    run: Any = SimpleNamespace(spec=spec_of(gpus_per_trial="1/4"))
    with training.for_training(run, Address(address="auto"), Console(width=200)) as check:
        check()
    assert capsys.readouterr().out.startswith(f"waiting   for the first {first}")
