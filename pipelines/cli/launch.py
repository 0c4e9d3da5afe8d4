"""Runs a prepared study on a cluster: the plan, the search and the results."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from threading import Event, Thread

from rich.console import Console

from pipelines.cli.command import FAILURE, leave
from pipelines.cli.display import Display, RepeatsDisplay
from pipelines.cli.onward import to_go_on
from pipelines.cli.plan import checkpoint_line, estimate_lines, plan_lines, space_lines
from pipelines.cli.quick_models import quick_models
from pipelines.cli.share_lines import share_lines
from pipelines.cli.summary import summary_lines
from pipelines.cli.text import print_lines, print_plain
from pipelines.cli.watching import Watching
from pipelines.cluster.machines import Cluster, slot_counter
from pipelines.cluster.preflight import has_several_nodes, preflight
from pipelines.cluster.resources import slots_in
from pipelines.cluster.sharing import gpu_counter, mps_by_node
from pipelines.cluster.watch import end_ray, watched
from pipelines.cluster.workers import await_machines
from pipelines.record.files import RunFiles
from pipelines.record.sessions import read_sessions
from pipelines.study.beforehand.estimate import estimate
from pipelines.study.finish import finish
from pipelines.study.fit import check_trial
from pipelines.study.folders import check_writable
from pipelines.study.interrupts import AT_THE_END, EXIT_CODES, interruptible, renew
from pipelines.study.repeats import Repeats, run_repeats, to_repeat
from pipelines.study.result import StudyResult
from pipelines.study.resume.left import searched
from pipelines.study.run_study import run_study
from pipelines.study.study import Study
from pipelines.tuner.sampling.algorithms import ALGORITHMS


def launch(study: Study, connected: Callable[[], Cluster], console: Console) -> StudyResult:
    """Check that a trial fits, search, and print the results. ``connected`` waits for the cluster.

    Raises ``ValueError``, before anything is written, if the search cannot run.
    """
    with interruptible():
        study, cluster = _ready(study, connected, console)

    watching = Watching(console, study.folder.parent)

    def lost(reason: str) -> None:
        """Ray does not answer any more: a thread of this process that calls it never returns."""
        print(f"error: {reason}: the search has stopped", file=sys.stderr)
        _say_how_to_go_on(study, cluster)
        end_ray()
        leave(FAILURE)

    with (
        quick_models(study, console) as models,
        interruptible(),
        _saying_how_to_go_on(study, cluster),
        watched(lost, started_here=cluster.started_here),
    ):
        started = time.monotonic()
        result = searched(study)
        models.start(search_is_over=result is not None)
        if result is None:
            with Display(
                console,
                study.metric_name,
                study.space,
                lambda: watching.open(cluster),
                _import_report,
            ) as display:
                result = run_study(study, cluster, display)
        finish(study, result)
        repeats, ended_by = _repeat(study, cluster, result, console)
        result = replace(result, ended_by=ended_by or result.ended_by)
        enough = Event()
        with interruptible(lambda reason: enough.set(), AT_THE_END):
            found = models.result(time.monotonic() - started, enough)
            print_lines(console, summary_lines(study, result, cluster, repeats, found))
    return result


def _import_report() -> None:
    """Import the report, and what its first figure loads, in the background: slots are idle while
    the last trials train."""

    def do() -> None:
        import_module("pipelines.results.report")
        import_module("sklearn.gaussian_process")  # for the surface of two parameters
        import_module("ray.dag")  # for Ray's shutdown, which comes before the report
        import_module("pipelines.results.figures.axes").figure("", "").add_scatter()

    Thread(target=do, daemon=True).start()


@contextmanager
def _saying_how_to_go_on(study: Study, cluster: Cluster) -> Iterator[None]:
    """If an error or an interruption ends a search that has begun, say how to go on."""
    try:
        yield
    except BaseException:
        _say_how_to_go_on(study, cluster)
        raise


def _say_how_to_go_on(study: Study, cluster: Cluster) -> None:
    sessions = read_sessions(RunFiles(study.folder))
    # A search that was started in the same second may have taken the same name.
    ours = study.resumed is not None or any(session.is_ours for session in sessions)
    if sessions and ours and not study.scheduler.pauses:
        command = to_go_on(study, cluster)
        print(f"all finished trials are kept; go on with: {command}", file=sys.stderr)


def show_plan(
    study: Study, connected: Callable[[], Cluster], console: Console, node_price: float | None
) -> None:
    """Print the plan of a search, its space, and an estimate of what it takes.

    Raises the same errors as :func:`launch`.
    """
    study, cluster = _ready(study, connected, console, dry_run=True)
    grid = study.size is not None
    print_lines(console, space_lines(study.space, study.spec.search.levels if grid else None))
    if study.network is None:
        print_plain(
            console,
            "estimate  none: how long an epoch of your own function takes is not known",
        )
        return
    print_plain(console, checkpoint_line(study))
    at_once = max(1, min(_slots(study, cluster), study.trials_left))
    print_lines(console, estimate_lines(estimate(study, cluster, at_once), node_price))


def exit_code(result: StudyResult) -> int:
    """The exit code of a command that has searched."""
    if result.ended_by in EXIT_CODES:
        return EXIT_CODES[result.ended_by]
    return 0 if result.best and result.ended_by != "storage" else FAILURE


def _ready(
    study: Study, connected: Callable[[], Cluster], console: Console, *, dry_run: bool = False
) -> tuple[Study, Cluster]:
    """Connect, check that a trial fits, and print the plan. Returns the study with its share of a
    GPU, and the cluster."""

    def say(line: str) -> None:
        print_plain(console, line)

    measured = study.spec.resources.measured
    ALGORITHMS[study.spec.search.algo](study.problem)  # raises before Ray starts
    if study.resumed is not None:
        check_writable(study.folder)
    cluster = connected()
    renew()
    if study.spec.run.storage is None and has_several_nodes(cluster):
        say(
            f"note      without --storage, all machines must share the folder {study.folder.parent}"
        )
    await_machines(cluster, study.spec.resources.trial, say)
    check_trial(cluster.node_types(), study.spec.resources)
    if measured and dry_run and not slots_in(cluster.nodes(), study.spec.resources.trial):
        say("share     can be measured only once a worker runs: planned with a whole GPU a trial")
    elif measured:
        if not dry_run:
            _preflight(study, cluster, console)
        from pipelines.study.beforehand.auto_share import with_measured_share

        study = with_measured_share(study, cluster, say=say)
    print_lines(console, plan_lines(study, cluster, _slots(study, cluster)))
    trial = study.spec.resources.trial
    if 0 < trial.gpus < 1:
        slots = slot_counter(cluster, trial, study.spec.resources.max_concurrent)
        granted = gpu_counter(cluster, trial, slots, study.trials)()
        print_lines(console, share_lines(trial.gpus, granted, mps_by_node()))
    if not measured and not dry_run:
        _preflight(study, cluster, console)
    return study, cluster


def _preflight(study: Study, cluster: Cluster, console: Console) -> None:
    storage = study.spec.run.storage
    preflight(
        cluster,
        storage or str(study.folder.parent),
        study.spec.resources.trial,
        instead="" if storage else "give `storage`: a folder that all share, or s3://BUCKET/FOLDER",
        data_bytes=sum(part.nbytes for part in study.folds),
        say=lambda line: print_plain(console, line),
    )


def _repeat(
    study: Study, cluster: Cluster, result: StudyResult, console: Console
) -> tuple[list[Repeats], str]:
    """Train the best configs again; also returns why that ended early, or "". Nothing is trained if
    the user has interrupted the search."""
    asked = study.spec.budget.repeats
    if not asked or result.best is None or result.ended_by in EXIT_CODES:
        return [], ""
    n = len(to_repeat(result.trials, study.goals))
    which = f"the {n} best configs train" if n > 1 else "the best config trains"
    print_plain(console, f"repeats   {which} again, with {asked} other seeds{' each' * (n > 1)}")
    with RepeatsDisplay(console, study.metric_name, study.space) as display:
        return run_repeats(study, result, cluster, display)


def _slots(study: Study, cluster: Cluster) -> int:
    resources = study.spec.resources
    return slot_counter(cluster, resources.trial, resources.max_concurrent)()
