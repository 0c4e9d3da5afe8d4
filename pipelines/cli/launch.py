"""A prepared study on a cluster: the plan, the search, and what came out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from pipelines.cli.command import FAILURE, INTERRUPTED
from pipelines.cli.connection import Connection
from pipelines.cli.display import Display
from pipelines.cli.report import report_line
from pipelines.cli.share_lines import share_lines
from pipelines.cli.summary import estimate_lines, plan_lines, space_lines, summary_lines
from pipelines.cli.text import print_lines, print_plain
from pipelines.cluster.connect import LOCAL, Cluster, connect, local_node, slot_counter
from pipelines.cluster.measured_share import check_has_gpu
from pipelines.cluster.preflight import preflight
from pipelines.cluster.resources import Node, check_fit
from pipelines.cluster.sharing import gpu_counter, mps_by_node
from pipelines.study.auto_share import with_measured_share
from pipelines.study.estimate import estimate
from pipelines.study.finish import finish
from pipelines.study.repeats import Repeats, run_repeats
from pipelines.study.result import StudyResult
from pipelines.study.run_study import run_study
from pipelines.study.study import Study
from pipelines.tuner.algorithms import ALGORITHMS


def launch(study: Study, where: Connection, console: Console) -> StudyResult:
    """Connect, check that a trial fits, search, and print what came out.

    Raises ``ValueError`` before anything is started or written where the search cannot run.
    """
    with _ready(study, where, console) as (ready, cluster):
        with Display(console, ready.metric_name) as display:
            result = run_study(ready, cluster, display)
        finish(ready, result)
        repeats = _repeat(ready, cluster, result, console)
        print_lines(console, summary_lines(ready, result, cluster, repeats))
    print_plain(console, report_line(ready.folder))
    return result


def show_plan(study: Study, where: Connection, console: Console, node_price: float | None) -> None:
    """Print the plan of a search, its space, and an estimate of what it takes.

    Raises what :func:`launch` raises.
    """
    where = where.model_copy(update={"dashboard": False})
    with _ready(study, where, console, dry_run=True) as (ready, cluster):
        grid = ready.size is not None
        print_lines(console, space_lines(ready.space, ready.spec.search.levels if grid else None))
        if ready.network is None:
            print_plain(
                console,
                "estimate  none: how long an epoch of your own function takes is not known",
            )
            return
        at_once = min(_slots(ready, cluster), ready.trials)
        print_lines(console, estimate_lines(estimate(ready, cluster, at_once), node_price))


def exit_code(result: StudyResult) -> int:
    """Of a command that has searched."""
    if result.ended_by == "interrupt":
        return INTERRUPTED
    return 0 if result.best else FAILURE


@contextmanager
def _ready(
    study: Study, where: Connection, console: Console, *, dry_run: bool = False
) -> Iterator[tuple[Study, Cluster]]:
    """Connected, checked and announced. Of the study the share of a GPU is known."""

    def say(line: str) -> None:
        print_plain(console, line)

    measured = study.spec.resources.measured
    ALGORITHMS[study.spec.search.algo](study.problem)  # refuses, before Ray, what it cannot search
    if where.address == LOCAL:
        _check_fit([local_node()], study)
    with connect(where.address, dashboard=where.dashboard) as cluster:
        _check_fit(cluster.nodes_at_most(), study)
        if measured:
            if not dry_run:
                _preflight(study, cluster, console)
            study = with_measured_share(study, cluster, say=say)
        print_lines(console, plan_lines(study, cluster, _slots(study, cluster)))
        trial = study.spec.resources.trial
        if 0 < trial.gpus < 1:
            slots = slot_counter(cluster, trial, study.spec.resources.max_concurrent)
            granted = gpu_counter(cluster, trial, slots, study.trials)()
            print_lines(console, share_lines(trial.gpus, granted, mps_by_node()))
        if not measured and not dry_run:
            _preflight(study, cluster, console)
        yield study, cluster


def _check_fit(nodes: list[Node], study: Study) -> None:
    resources = study.spec.resources
    if resources.measured:
        check_has_gpu(nodes, resources.cpus_per_trial)
    else:
        check_fit(nodes, resources.trial)


def _preflight(study: Study, cluster: Cluster, console: Console) -> None:
    preflight(
        cluster,
        study.spec.run.storage or str(study.folder.parent),
        study.spec.resources.trial,
        data_bytes=sum(part.nbytes for part in study.folds),
        say=lambda line: print_plain(console, line),
    )


def _repeat(study: Study, cluster: Cluster, result: StudyResult, console: Console) -> list[Repeats]:
    """Train the best configs again; nothing where the user has interrupted the search."""
    asked = study.spec.budget.repeats
    if not asked or result.best is None or result.ended_by == "interrupt":
        return []
    with Display(console, study.metric_name) as display:
        return run_repeats(study, result, cluster, display)


def _slots(study: Study, cluster: Cluster) -> int:
    resources = study.spec.resources
    return slot_counter(cluster, resources.trial, resources.max_concurrent)()
