"""A comparison on a cluster: its cells one after the other, then the table and the figure."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from pipelines.cli.command import INTERRUPTED
from pipelines.cli.display import Display, format_seconds, print_plain, shown
from pipelines.cluster.connect import connect, slot_counter
from pipelines.cluster.resources import check_fit
from pipelines.figures import save
from pipelines.figures.comparison import best_so_far_figure
from pipelines.plan.prepare import Study
from pipelines.search.algorithms import ALGORITHMS
from pipelines.search.comparison import (
    DOUBLE,
    Cell,
    Comparison,
    Row,
    best_so_far,
    compare_rows,
    mean_curve,
    rows_of,
)
from pipelines.search.study import StudySpec, describe, problem_of, run_study
from trainables.training.metrics import METRICS


def run_comparison(
    spec: StudySpec,
    study: Study,
    algos: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    address: str | None,
) -> int:
    """Run the cells that are missing, print and save what came out. Returns the exit code.

    Raises ``ValueError`` before anything is written where a cell cannot run, and where ``folder``
    holds a comparison of something else.
    """
    console = Console(highlight=False)
    rows = rows_of(algos)
    for algo in rows:
        first = _cell_spec(spec, algo, 0)
        ALGORITHMS[first.algo](problem_of(first, study.space))  # refuses what it cannot search
    comparison = Comparison(folder.expanduser().absolute())
    with connect(address, dashboard=False) as cluster:
        check_fit(cluster.nodes_at_most(), spec.cpus_per_trial, spec.gpus_per_trial)
        _claim(comparison.folder, describe(spec, study.space, study.data))
        slots = slot_counter(cluster, spec.cpus_per_trial, spec.gpus_per_trial, None)
        missing = list(comparison.missing(rows, seeds))
        total = len(rows) * len(seeds)
        for number, (algo, seed) in enumerate(missing, total - len(missing) + 1):
            cell = _run_cell(comparison, _cell_spec(spec, algo, seed), study, algo, slots)
            if cell is None:
                print_plain(console, f"interrupted at {algo}-{seed}: the same command goes on")
                return INTERRUPTED
            comparison.finish(cell)
            print_plain(console, _cell_line(cell, number, total, spec.metric))
    for line in _conclude(comparison, rows, seeds, spec.metric):
        print_plain(console, line)
    return 0


def _run_cell(
    comparison: Comparison, spec: StudySpec, study: Study, algo: str, slots: Callable[[], int]
) -> Cell | None:
    """None where Ctrl-C ended it."""
    started = time.monotonic()
    summary = run_study(
        spec,
        folder=comparison.start(algo, spec.seed),
        space=study.space,
        trainable=study.trainable,
        data=study.data,
        slots=slots,
        observer=Display(Console(quiet=True), spec.metric),
    )
    if summary.ended_by == "interrupt":
        return None
    if summary.best is None or summary.best.value is None:
        raise ValueError(f"no trial of {algo} with seed {spec.seed} ended soundly")
    seconds = time.monotonic() - started
    return Cell(algo, spec.seed, summary.best.value, summary.epochs, seconds)


def _cell_spec(spec: StudySpec, algo: str, seed: int) -> StudySpec:
    if algo == DOUBLE:
        return replace(spec, algo="random", seed=seed, trials=2 * spec.trials)
    return replace(spec, algo=algo, seed=seed)


def _claim(folder: Path, problem: dict[str, object]) -> None:
    """Write down what is compared, or check that it is the same as before."""
    path = folder / "spec.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(problem, indent=2) + "\n")
        return
    before = json.loads(path.read_text())
    now = json.loads(json.dumps(problem))
    other = [key for key in now if now[key] != before.get(key) and key != "versions"]
    if other:
        raise ValueError(
            f"{folder} compares with {other[0]} = {before.get(other[0])}, not {now[other[0]]}: "
            "choose another --name"
        )


def _cell_line(cell: Cell, number: int, total: int, metric: str) -> str:
    return (
        f"{number}/{total}  {cell.algo:<10} seed {cell.seed}  best {metric} {cell.best:.4f}  "
        f"{cell.epochs} epochs  {format_seconds(cell.seconds)}"
    )


def _conclude(
    comparison: Comparison, algos: Sequence[str], seeds: Sequence[int], metric_name: str
) -> Iterator[str]:
    metric = METRICS[metric_name]
    cells = [c for c in comparison.cells() if c.algo in algos and c.seed in seeds]
    table = compare_rows(cells, metric)
    path = comparison.folder / "table.csv"
    with path.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(asdict(table[0])))
        writer.writeheader()
        writer.writerows(asdict(row) for row in table)
    curves = [
        mean_curve(
            row.algo,
            [best_so_far(comparison.trials(c), metric) for c in cells if c.algo == row.algo],
        )
        for row in table
    ]
    figure = comparison.folder / "best_so_far.html"
    save(best_so_far_figure(curves, metric_name), figure)
    yield ""
    yield from _table_lines(table, metric_name)
    yield f"table     {shown(path)}"
    yield f"figure    {shown(figure)}"


def _table_lines(table: Sequence[Row], metric: str) -> Iterator[str]:
    yield f"{'algorithm':<12}{'best ' + metric:>24}{'epochs':>9}{'wall':>8}{'rank':>7}"
    for row in table:
        best = f"{row.best:.4f} +- {row.best_error:.4f}"
        yield (
            f"{row.algo:<12}{best:>24}{row.epochs:>9.0f}{format_seconds(row.seconds):>8}"
            f"{row.rank:>7.2f}"
        )
