"""A prepared study on a cluster: the plan, the search, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from pipelines.cli.command import FAILURE, INTERRUPTED
from pipelines.cli.display import Display, print_plain
from pipelines.cluster.connect import LOCAL, Cluster, connect, local_node, slot_counter
from pipelines.cluster.measured_share import check_has_gpu
from pipelines.cluster.preflight import preflight
from pipelines.cluster.resources import Node, check_fit
from pipelines.cluster.sharing import gpu_counter, mps_by_node
from pipelines.plan.auto_share import with_measured_share
from pipelines.plan.estimate import estimate, estimate_lines
from pipelines.plan.prepare import Study
from pipelines.plan.share_lines import share_lines
from pipelines.search.algorithms import ALGORITHMS
from pipelines.search.record import RunFiles
from pipelines.search.repeats import (
    Repeats,
    by_config,
    run_repeats,
    top_configs,
    write_winner,
)
from pipelines.search.study import StudySpec, Summary, problem_of, run_study
from pipelines.summary import plan_lines, space_lines, summary_lines
from trainables.training.metrics import METRICS


def launch(
    spec: StudySpec,
    study: Study,
    folder: Path,
    *,
    address: str | None,
    dashboard: bool,
    dry_run: bool,
    measure_share: bool = False,
    node_price: float | None = None,
) -> int:
    """Connect, check that a trial fits, search, and print what came out. Returns the exit code.

    ``measure_share`` puts a measured share of a GPU in the place of ``spec.gpus_per_trial``.
    ``node_price`` is that of an hour of a node, for the estimate of a dry run.

    Raises ``ValueError`` before anything is started or written where the search cannot run.
    """
    console = Console(highlight=False)
    problem = problem_of(spec, study.space, study.history, study.start_with)
    ALGORITHMS[spec.algo](problem)  # refuses here, before Ray starts, what it cannot search
    if address == LOCAL:
        _check_fit([local_node()], spec, measure_share)
    with connect(address, dashboard=dashboard and not dry_run) as cluster:
        _check_fit(cluster.nodes_at_most(), spec, measure_share)
        if measure_share:
            if not dry_run:
                _preflight(spec, study, folder, cluster, console)
            spec = with_measured_share(
                spec, study, cluster, say=lambda line: print_plain(console, line)
            )
        for line in _plan(spec, study, folder, cluster, dry_run):
            print_plain(console, line)
        if dry_run:
            for line in _estimate(spec, study, cluster, node_price):
                print_plain(console, line)
            return 0
        if not measure_share:
            _preflight(spec, study, folder, cluster, console)
        with Display(console, spec.metric) as display:
            summary = run_study(
                spec,
                folder=folder,
                space=study.space,
                trainable=study.trainable,
                data=study.trial_data,
                slots=_slots(spec, cluster),
                gpus=_gpus(spec, cluster, _grid_size(spec, study) or spec.trials),
                observer=display,
                history=study.history,
                start_with=study.start_with,
            )
        repeats = _repeat(spec, study, folder, cluster, summary, console) if spec.repeats else []
        for line in summary_lines(summary, spec, folder, cluster, repeats):
            print_plain(console, line)
    return _exit_code(summary)


def _check_fit(nodes: list[Node], spec: StudySpec, measure_share: bool) -> None:
    if measure_share:
        check_has_gpu(nodes, spec.cpus_per_trial)
    else:
        check_fit(nodes, spec.cpus_per_trial, spec.gpus_per_trial)


def _preflight(
    spec: StudySpec, study: Study, folder: Path, cluster: Cluster, console: Console
) -> None:
    preflight(
        cluster,
        spec.storage or str(folder.parent),
        cpus=spec.cpus_per_trial,
        gpus=spec.gpus_per_trial,
        data_bytes=sum(part.nbytes for part in study.folds or (study.data,)),
        say=lambda line: print_plain(console, line),
    )


def _repeat(
    spec: StudySpec,
    study: Study,
    folder: Path,
    cluster: Cluster,
    summary: Summary,
    console: Console,
) -> list[Repeats]:
    """Train the best configs again; nothing where the user has interrupted the search."""
    if summary.best is None or summary.ended_by == "interrupt":
        return []
    files, metric = RunFiles(folder), METRICS[spec.metric]
    configs = top_configs(summary.trials, metric)
    with Display(console, spec.metric) as display:
        trials = run_repeats(
            spec,
            configs,
            folder=files.repeats,
            space=study.space,
            trainable=study.trainable,
            data=study.trial_data,
            slots=_slots(spec, cluster),
            gpus=_gpus(spec, cluster, len(configs) * spec.repeats),
            observer=display,
        )
    repeats = by_config(trials, metric)
    if repeats:
        write_winner(files.winner, repeats[0])
    return repeats


def _slots(spec: StudySpec, cluster: Cluster) -> Callable[[], int]:
    return slot_counter(cluster, spec.cpus_per_trial, spec.gpus_per_trial, spec.max_concurrent)


def _gpus(spec: StudySpec, cluster: Cluster, trials: int) -> Callable[[], float]:
    slots = _slots(spec, cluster)
    return gpu_counter(cluster, spec.cpus_per_trial, spec.gpus_per_trial, slots, trials)


def _estimate(
    spec: StudySpec, study: Study, cluster: Cluster, node_price: float | None
) -> Iterator[str]:
    if ":" in spec.model:
        yield "estimate  none: how long an epoch of your own function takes is not known"
        return
    trials = _grid_size(spec, study) or spec.trials
    at_once = min(_slots(spec, cluster)(), trials)
    yield from estimate_lines(
        estimate(spec, study, cluster, trials=trials, at_once=at_once), node_price
    )


def _grid_size(spec: StudySpec, study: Study) -> int | None:
    return study.space.grid_size(spec.grid_levels) if spec.algo == "grid" else None


def _plan(
    spec: StudySpec, study: Study, folder: Path, cluster: Cluster, dry_run: bool
) -> Iterator[str]:
    at_once = _slots(spec, cluster)()
    yield from study.notes
    yield from plan_lines(spec, study.data, cluster, folder, _grid_size(spec, study), at_once)
    if 0 < spec.gpus_per_trial < 1:
        granted = _gpus(spec, cluster, _grid_size(spec, study) or spec.trials)()
        yield from share_lines(spec.gpus_per_trial, granted, mps_by_node())
    if dry_run:
        yield from space_lines(study.space, spec.grid_levels if spec.algo == "grid" else None)


def _exit_code(summary: Summary) -> int:
    if summary.ended_by == "interrupt":
        return INTERRUPTED
    return 0 if summary.best else FAILURE
