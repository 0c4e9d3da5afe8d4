"""``compare.py``: the cells of a comparison one after the other, then the table and the figure."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import NoReturn

from rich.console import Console

from pipelines.cli.command import FAILURE, leave
from pipelines.cli.connection import Connection
from pipelines.cli.data_lines import data_lines
from pipelines.cli.display import Display
from pipelines.cli.plan import first_lines, unused_lines
from pipelines.cli.text import Terminal, format_seconds, print_lines, print_plain
from pipelines.cli.watching import Watching
from pipelines.cluster.connect import check_address, connect
from pipelines.cluster.machines import Cluster
from pipelines.cluster.preflight import has_several_nodes, preflight
from pipelines.cluster.resources import check_fit
from pipelines.cluster.watch import end_ray, watched
from pipelines.cluster.workers import await_machines
from pipelines.record.patience import StorageError
from pipelines.record.scores import shown_score
from pipelines.results.algorithms_page import algorithms_page
from pipelines.results.report import write_page
from pipelines.study.ahead import IMPORTS
from pipelines.study.comparing.begun_cell import run_cell
from pipelines.study.comparing.comparison import (
    Cell,
    Comparison,
    Row,
    compare_rows,
    curves,
)
from pipelines.study.comparing.comparison_spec import ComparisonSpec, cell_folder
from pipelines.study.folders import check_writable
from pipelines.study.interrupts import EXIT_CODES, interruptible, renew
from pipelines.study.prepare import check_algorithm, resolve
from pipelines.study.result import StudyResult
from pipelines.study.run_study import run_study
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from pipelines.study.typed import shown
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.scheduling.schedulers import check_scheduler
from trainables.training.metrics import METRICS


def run_comparison(spec: ComparisonSpec, where: Connection) -> int:
    """Run the missing cells, and print and save the results. Returns the exit code, which is
    FAILURE if a cell has no result.

    Raises ``ValueError``, before anything is written, if a cell cannot run, if the folder holds a
    comparison of something else, or if another process works in it.
    """
    console = Terminal()
    check_address(where.address)
    study = resolve(spec.cell(spec.rows[0], 0))
    comparison = Comparison(spec.place.folder)
    for row in spec.rows:
        _check(_of_cell(study, spec, row, 0), begun=comparison.begun)
    check_writable(spec.place.folder)
    held = partial(comparison.held, spec.model_dump(mode="json"), study.prepared())
    job = {"job_name": spec.place.name, "algorithms": ", ".join(spec.rows)}
    with interruptible(), ExitStack() as stack:
        # An existing comparison is locked before Ray starts. A new one is only made once a trial is
        # known to fit.
        session = stack.enter_context(held()) if comparison.begun else None
        cluster = stack.enter_context(
            connect(where.address, dashboard=where.dashboard, modules=IMPORTS, job=job)
        )
        renew()
        runs, trial = comparison.folder.parent, spec.resources.trial
        if has_several_nodes(cluster):
            print_plain(console, f"note      all machines must share the folder {runs}")
        await_machines(cluster, trial, lambda line: print_plain(console, line))
        check_fit(cluster.node_types(), trial)
        preflight(
            cluster,
            str(runs),
            trial,
            instead="give a folder that all machines share as `runs_dir`",
            data_bytes=sum(part.nbytes for part in study.folds),
            say=lambda line: print_plain(console, line),
        )
        session = session or stack.enter_context(held())
        Watching(console, runs).open(cluster)
        algos = spec.compared.algos
        unused = unused_lines(study.spec, f"--algos {' '.join(algos)}", algos)
        print_lines(console, [*data_lines(study), *first_lines(study), *unused])
        with _saying_how_to_go_on():
            with watched(_stop, started_here=cluster.started_here):
                session.by = _run_missing(comparison, spec, study, cluster, console)
            if session.by:
                return EXIT_CODES[session.by]
            print_lines(console, _conclude(comparison, spec, study.metric_name))
    without = [cell_folder(*cell) for cell in comparison.missing(spec.rows, spec.seeds)]
    if without:
        print(f"error: no result for {', '.join(without)}: see above", file=sys.stderr)
    return FAILURE if without else 0


@contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    """If an error or an interruption ends a comparison that has begun, say how to go on."""
    try:
        yield
    except BaseException:
        print("all finished trials are kept; type the same command to go on", file=sys.stderr)
        raise


def _stop(reason: str) -> NoReturn:
    """Ray does not answer any more: a thread of this process that calls it never returns."""
    print(f"error: {reason}; type the same command to go on", file=sys.stderr)
    end_ray()
    leave(FAILURE)


def _run_missing(
    comparison: Comparison,
    spec: ComparisonSpec,
    study: Study,
    cluster: Cluster,
    console: Console,
) -> str:
    """Run the missing cells. Returns what interrupted them, a name in EXIT_CODES, or ""."""

    def search(cell: Study) -> StudyResult:
        return run_study(cell, cluster, _CellDisplay(console, study.metric_name))

    missing = list(comparison.missing(spec.rows, spec.seeds))
    total = len(spec.rows) * len(spec.seeds)
    for number, (row, seed) in enumerate(missing, total - len(missing) + 1):
        result = run_cell(_of_cell(study, spec, row, seed), search, partial(print_plain, console))
        if result.ended_by in EXIT_CODES:
            print_plain(console, f"interrupted at {row}-{seed}: type the same command to go on")
            return result.ended_by
        if result.ended_by == "storage":
            raise StorageError(
                f"{row} with seed {seed} has stopped: checkpoints could not be written"
            )
        which = f"{number}/{total}  {row:<10} seed {seed}"
        if result.best is None or result.best.value is None:
            print_plain(console, f"{which}  no result: {_why_none(result)}")
            continue
        run = open_run(comparison.folder / cell_folder(row, seed))
        seconds = sum(session.worked for session in run.sessions)
        cell = Cell(row, seed, result.best.value, result.epochs, seconds)
        comparison.finish(cell)
        print_plain(console, f"{which}  {_cell_line(cell, study.metric_name)}")
    return ""


class _CellDisplay(Display):
    """Shows of a cell's search only what it waits for and what it warns of."""

    def __init__(self, console: Console, metric: str) -> None:
        super().__init__(Console(quiet=True), metric)
        self._shown = console

    def waits_for(self, what: str) -> None:
        print_plain(self._shown, f"waiting   {what}")

    def warns(self, what: str) -> None:
        print_plain(self._shown, f"warning   {what}")


def _of_cell(study: Study, spec: ComparisonSpec, row: str, seed: int) -> Study:
    """The same problem with the algorithm, seed and budget of a cell. The data are split as in the
    first cell."""
    cell = spec.cell(row, seed)
    return replace(study, spec=cell.but(problem={"metric": study.metric_name}))


def _check(study: Study, *, begun: bool) -> None:
    """Raises ``ValueError`` if the algorithm or the scheduler of a cell cannot search the space. In
    a comparison that has not ``begun``, also if the algorithm itself would suggest no trial."""
    algo = study.spec.search.algo
    if not begun:
        check_algorithm(study.spec, study.space)
    ALGORITHMS[algo](study.problem)
    check_scheduler(study.spec.stopping.scheduler, algo, study.trainable, study.space)
    if not begun and study.tried_first >= study.trials:
        own = replace(study, space=replace(study.space, try_first=()))
        fills = own.tried_first < study.trials  # the portfolio fills them
        instead = "--no-portfolio" if fills else "fewer of `start_with`"
        raise ValueError(
            f"all {study.trials} trials of {algo} would be configs to try first, the same for "
            f"each algorithm: use `trials={study.tried_first + 1}` or more, or {instead}"
        )


def _why_none(result: StudyResult) -> str:
    """Why a search has no best trial."""
    if not result.failed:
        return "no trial is sound"
    error, times = Counter(trial.error for trial in result.failed).most_common(1)[0]
    return f"{times} of {len(result.trials)} trials failed with {error}"


def _cell_line(cell: Cell, metric: str) -> str:
    best, seconds = f"{metric} {shown_score(cell.best)}", format_seconds(cell.seconds)
    return f"best {best}  {cell.epochs} epochs  {seconds}"


def _conclude(comparison: Comparison, spec: ComparisonSpec, metric_name: str) -> Iterator[str]:
    metric = METRICS[metric_name]
    cells = [c for c in comparison.cells() if c.algo in spec.rows and c.seed in spec.seeds]
    if not cells:
        return
    table = compare_rows(cells, metric)
    path = comparison.folder / "table.csv"
    with path.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(asdict(table[0])))
        writer.writeheader()
        writer.writerows(asdict(row) for row in table)
    drawn = curves(cells, comparison.runs(cells), metric)
    figure = comparison.folder / "best_so_far.html"
    write_page(algorithms_page(spec.place.name, table, drawn, metric_name), figure)
    yield ""
    yield from _table_lines(table, metric_name)
    yield f"table     {shown(path)}"
    yield f"figure    {shown(figure)}"


def _table_lines(table: Sequence[Row], metric: str) -> Iterator[str]:
    yield f"{'algorithm':<12}{'best ' + metric:>24}{'epochs':>9}{'wall':>8}{'rank':>7}"
    for row in table:
        yield (
            f"{row.algo:<12}{row.told:>24}{row.epochs:>9.0f}{format_seconds(row.seconds):>8}"
            f"{row.rank:>7.2f}"
        )
