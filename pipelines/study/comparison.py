"""Several algorithms on one problem, each with several seeds: what is asked for, the cells that
are finished, and what came out.

A cell is one algorithm with one seed. Each is a run of its own with its own record; a line in
``cells.csv`` says that it is finished, so a comparison that was cut short goes on where it was.
"""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from pipelines.record.files import RunFiles
from pipelines.record.header import read_header, write_header
from pipelines.record.lock import holding
from pipelines.record.sessions import Working, working
from pipelines.record.trials import FinishedTrial, best_trial
from pipelines.record.whole import write_whole
from pipelines.study.comparison_spec import cell_folder
from pipelines.study.runs import Run, open_run
from trainables.training.metrics import Metric

# Of a comparison that goes on. `algorithm` is in words that of the first row alone, and rows may be
# added; on another machine the seconds are others; a run of `seed_from` may have grown.
_MAY_DIFFER = (
    *("compared.algos", "compared.seeds", "place"),
    *("algorithm", "learnt_from", "versions", "machine"),
)


@dataclass(frozen=True)
class Cell:
    """A finished cell, as it stands in ``cells.csv``."""

    algo: str
    seed: int
    best: float
    epochs: int
    seconds: float

    @property
    def folder(self) -> str:
        return cell_folder(self.algo, self.seed)


class Comparison:
    """The folder of a comparison."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = folder / "cells.csv"

    @property
    def begun(self) -> bool:
        return RunFiles(self.folder).spec.is_file()

    @contextmanager
    def held(self, settings: Mapping[str, Any], prepared: Mapping[str, Any]) -> Iterator[Working]:
        """:meth:`claim` it; while it lasts no other process runs the cells. The folder is made.

        Raises ``ValueError`` where another process does, and what ``claim`` raises.
        """
        files = RunFiles(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with holding(files):
            self.claim(settings, prepared)
            with working(files, "search", {}) as session:
                yield session

    def claim(self, settings: Mapping[str, Any], prepared: Mapping[str, Any]) -> None:
        """Write down what is compared, or check that it is the same as before, in a folder that is
        held.

        Raises ``ValueError`` where the folder holds a comparison of something else.
        """
        if not self.begun:
            write_header(RunFiles(self.folder), settings, prepared)
            return
        before, were = read_header(self.folder)
        now = json.loads(json.dumps([settings, prepared]))
        for old, new in ((before, now[0]), (were, now[1])):
            for key in new:
                for what, was, asked in _differences(key, old.get(key), new[key]):
                    raise ValueError(
                        f"{self.folder} compares with {what} = {was}, not {asked}: "
                        "choose another `name`"
                    )

    def cells(self) -> list[Cell]:
        """The finished ones. A line that a full disk cut short is none."""
        if not self.table.is_file():
            return []
        text = self.table.read_text()
        whole = text[: text.rfind("\n") + 1].splitlines()
        return [cell for row in csv.reader(whole) if (cell := _read_cell(row))]

    def missing(self, rows: Sequence[str], seeds: Iterable[int]) -> Iterator[tuple[str, int]]:
        """The cells that are yet to run, one seed of all rows after the other."""
        done = {(cell.algo, cell.seed) for cell in self.cells()}
        return ((row, s) for s in seeds for row in rows if (row, s) not in done)

    def start(self, algo: str, seed: int) -> Path:
        """An empty place for a cell: what an interrupted one left is removed."""
        folder = self.folder / cell_folder(algo, seed)
        shutil.rmtree(folder, ignore_errors=True)
        return folder

    def finish(self, cell: Cell) -> None:
        """Say that it is finished. Raises ``OSError`` where it cannot be written; those before
        stay."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(field.name for field in fields(Cell))
        writer.writerows(astuple(each) for each in [*self.cells(), cell])
        write_whole(self.table, text.getvalue())

    def runs(self, cells: Iterable[Cell]) -> list[Run]:
        """Those of the cells whose folder is still there."""
        folders = [self.folder / cell.folder for cell in cells]
        return [open_run(folder) for folder in folders if RunFiles(folder).spec.is_file()]


def _read_cell(row: Sequence[str]) -> Cell | None:
    """None for the names of the columns, and for what was cut short."""
    try:
        algo, seed, best, epochs, seconds = row
        return Cell(algo, int(seed), float(best), int(epochs), float(seconds))
    except ValueError:
        return None


@dataclass(frozen=True)
class Row:
    """One algorithm over all seeds. Errors are standard errors of the mean."""

    algo: str
    seeds: int
    best: float
    best_error: float
    epochs: float
    seconds: float
    rank: float  # among the algorithms on one seed, 1 is best, ties share; the mean over seeds


def compare_rows(cells: Sequence[Cell], metric: Metric) -> list[Row]:
    """The table, the best mean first."""
    ranks = _ranks(cells, metric)
    rows = []
    for algo in dict.fromkeys(cell.algo for cell in cells):
        own = [cell for cell in cells if cell.algo == algo]
        rows.append(
            Row(
                algo=algo,
                seeds=len(own),
                best=statistics.fmean(cell.best for cell in own),
                best_error=standard_error([cell.best for cell in own]),
                epochs=statistics.fmean(cell.epochs for cell in own),
                seconds=statistics.fmean(cell.seconds for cell in own),
                rank=statistics.fmean(ranks[algo]),
            )
        )
    return sorted(rows, key=lambda row: row.best, reverse=metric.mode == "max")


def _ranks(cells: Sequence[Cell], metric: Metric) -> dict[str, list[float]]:
    ranks: dict[str, list[float]] = {}
    for seed in {cell.seed for cell in cells}:
        rivals = [cell for cell in cells if cell.seed == seed]
        for cell in rivals:
            better = sum(metric.better(other.best, cell.best) for other in rivals)
            level = sum(other.best == cell.best for other in rivals)
            ranks.setdefault(cell.algo, []).append(better + (level + 1) / 2)
    return ranks


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; 0 for a single value."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


@dataclass(frozen=True)
class Curve:
    """The best so far of one algorithm, over seeds, after so many epochs were spent."""

    algo: str
    epochs: list[int]
    mean: list[float]
    error: list[float]


def curves(cells: Sequence[Cell], runs: Iterable[Run], metric: Metric) -> list[Curve]:
    """The mean of each algorithm, in the order of the table, over those cells that have a run."""
    known = {run.files.folder.name: run.finished for run in runs}
    found: dict[str, list[list[tuple[int, float]]]] = {}
    for cell in cells:
        if points := best_so_far(known.get(cell.folder, ()), metric):
            found.setdefault(cell.algo, []).append(points)
    rows = compare_rows(cells, metric)
    return [mean_curve(row.algo, found[row.algo]) for row in rows if row.algo in found]


def best_so_far(trials: Iterable[FinishedTrial], metric: Metric) -> list[tuple[int, float]]:
    """(epochs spent, best value) after each trial from the first sound one on."""
    points: list[tuple[int, float]] = []
    spent, best = 0, None
    for trial in trials:
        spent += trial.epochs
        best = best_trial([trial] if best is None else [best, trial], metric)
        if best is not None and best.value is not None:
            points.append((spent, best.value))
    return points


def mean_curve(algo: str, runs: Sequence[Sequence[tuple[int, float]]]) -> Curve:
    """Over the epochs that every seed has spent; a value holds until the next."""
    start, end = max(run[0][0] for run in runs), min(run[-1][0] for run in runs)
    epochs = sorted({e for run in runs for e, _ in run if start <= e <= end})
    columns = [[_value_at(run, epoch) for run in runs] for epoch in epochs]
    return Curve(
        algo,
        epochs,
        [statistics.fmean(column) for column in columns],
        [standard_error(column) for column in columns],
    )


def _value_at(run: Sequence[tuple[int, float]], epoch: int) -> float:
    return next(value for spent, value in reversed(run) if spent <= epoch)


def _differences(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """What differs and may not, however deep it lies."""
    if name in _MAY_DIFFER or old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**new, **old}:
            yield from _differences(f"{name}.{key}", old.get(key), new.get(key))
    else:
        yield name, old, new
