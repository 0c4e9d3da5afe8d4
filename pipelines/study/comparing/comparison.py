"""Several algorithms on one problem, each with several seeds: the settings, the finished cells and
the results.

A cell is one algorithm with one seed. Each cell is a run with its own record. A line in
``cells.csv`` says that a cell is finished, so a comparison that was cut short goes on where it
stopped. A cell of which the line is missing is taken from its record: see
:mod:`pipelines.study.comparing.begun_cell`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from pipelines.record.files import RunFiles
from pipelines.record.header import read_header, write_header
from pipelines.record.lock import holding
from pipelines.record.scores import shown_score
from pipelines.record.sessions import Working, working
from pipelines.record.trials import FinishedTrial, best_trial
from pipelines.record.whole import write_whole
from pipelines.study.comparing.comparison_spec import cell_folder
from pipelines.study.runs import Run, open_run
from trainables.training.metrics import Metric

# What may differ when a comparison goes on. `algorithm` describes the first row alone, and rows may
# be added. Another machine only changes the seconds. The run of `seed_from` may have more trials.
_MAY_DIFFER = (
    *("compared.algos", "compared.seeds", "place"),
    *("algorithm", "data.notes", "learnt_from", "versions", "machine"),
)


@dataclass(frozen=True)
class Cell:
    """A finished cell: a line of ``cells.csv``."""

    algo: str
    seed: int
    best: float
    epochs: int
    seconds: float

    @property
    def folder(self) -> str:
        return cell_folder(self.algo, self.seed)


_COLUMNS = [field.name for field in fields(Cell)]


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
        """Make the folder, lock it so that no other process runs the cells, and :meth:`claim` it.

        Raises ``ValueError`` if another process holds the lock, and the errors of ``claim``.
        """
        files = RunFiles(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with holding(files):
            self.claim(settings, prepared)
            with working(files, "search", {}) as session:
                yield session

    def claim(self, settings: Mapping[str, Any], prepared: Mapping[str, Any]) -> None:
        """Write down what is compared, or check that it is the same as before; more algorithms and
        seeds are added. This process must hold the folder's lock.

        Raises ``ValueError`` if the folder holds a search, or a comparison of something else.
        """
        if not self.begun:
            write_header(RunFiles(self.folder), settings, prepared)
            return
        before, were = read_header(self.folder)
        if "search" in before:
            raise ValueError(f"{self.folder} is a search, not a comparison: choose another `name`")
        now = json.loads(json.dumps([settings, prepared]))
        for old, new in ((before, now[0]), (were, now[1])):
            for key in new:
                for what, was, asked in _differences(key, old.get(key), new[key]):
                    raise ValueError(
                        f"{self.folder} compares with {what} = {was}, not {asked}: "
                        "choose another `name`"
                    )
        grown = _grown(before.get("compared", {}), now[0].get("compared", {}))
        if grown != before.get("compared", {}):
            write_header(RunFiles(self.folder), {**before, "compared": grown}, were)

    def cells(self) -> list[Cell]:
        """The finished cells, without a last line that a full disk cut short.

        Raises ``ValueError`` for any other line that is not a cell.
        """
        if not self.table.is_file():
            return []
        content = self.table.read_bytes()
        lines = content[: content.rfind(b"\n") + 1].splitlines()
        cells = []
        for number, line in enumerate(lines, 1):
            try:
                (row,) = csv.reader([line.decode()])
                if number > 1 or row != _COLUMNS:
                    cells.append(_read_cell(row))
            except (ValueError, csv.Error):
                raise ValueError(
                    f"{self.table}, line {number} is not a cell: restore the file, or delete it; "
                    "finished cells are then taken from their own records"
                ) from None
        return cells

    def missing(self, rows: Sequence[str], seeds: Iterable[int]) -> Iterator[tuple[str, int]]:
        """The cells that are still to run: all rows with the first seed, then with the next."""
        done = {(cell.algo, cell.seed) for cell in self.cells()}
        return ((row, s) for s in seeds for row in rows if (row, s) not in done)

    def finish(self, cell: Cell) -> None:
        """Note that a cell is finished. Raises ``OSError`` if it cannot be written; the earlier
        cells are kept then."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        writer.writerows(astuple(each) for each in [*self.cells(), cell])
        write_whole(self.table, text.getvalue())

    def runs(self, cells: Iterable[Cell]) -> list[Run]:
        """The runs of the cells whose folders are still there."""
        folders = [self.folder / cell.folder for cell in cells]
        return [open_run(folder) for folder in folders if RunFiles(folder).spec.is_file()]


def _read_cell(row: Sequence[str]) -> Cell:
    """Raises ``ValueError`` if ``row`` is not a cell."""
    algo, seed, best, epochs, seconds = row
    return Cell(algo, int(seed), float(best), int(epochs), float(seconds))


@dataclass(frozen=True)
class Row:
    """One algorithm over all seeds."""

    algo: str
    seeds: int
    best: float
    best_error: float | None  # standard error of the mean; None for a single seed
    epochs: float
    seconds: float
    rank: float  # on each seed, 1 is best and ties share a rank; the mean over seeds

    @property
    def told(self) -> str:
        """The best value, with its error if that is known."""
        if self.best_error is None:
            return shown_score(self.best)
        return f"{shown_score(self.best)} +- {shown_score(self.best_error, like=self.best)}"


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
                best_error=_standard_error([c.best for c in own]) if len(own) > 1 else None,
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


def _standard_error(values: Sequence[float]) -> float:
    """Of the mean of at least two values."""
    return statistics.stdev(values) / math.sqrt(len(values))


@dataclass(frozen=True)
class Curve:
    """The best value so far of one algorithm, over its seeds, against the epochs spent."""

    algo: str
    epochs: list[int]
    mean: list[float]
    error: list[float]  # standard errors of the mean; empty for a single seed


def curves(cells: Sequence[Cell], runs: Iterable[Run], metric: Metric) -> list[Curve]:
    """The mean curve of each algorithm over its cells that have a run, in the table's order."""
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
    """The mean over all seeds, from the epoch on at which each has a value. A value holds until the
    next one, and the last value of a seed holds up to the end of the longest seed."""
    start = max(run[0][0] for run in runs)
    epochs = sorted({epoch for run in runs for epoch, _ in run if epoch >= start})
    columns = [[_value_at(run, epoch) for run in runs] for epoch in epochs]
    return Curve(
        algo,
        epochs,
        [statistics.fmean(column) for column in columns],
        [_standard_error(column) for column in columns] if len(runs) > 1 else [],
    )


def _value_at(run: Sequence[tuple[int, float]], epoch: int) -> float:
    return next(value for spent, value in reversed(run) if spent <= epoch)


def _grown(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared if ``now`` goes on with ``before``: the algorithms of both, all seeds."""
    if "algos" not in before or "algos" not in now:
        return dict(before)
    algos = list(dict.fromkeys([*before["algos"], *now["algos"]]))
    return {**before, "algos": algos, "seeds": max(before["seeds"], now["seeds"])}


def _differences(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """What differs although it must not, at any depth."""
    if name in _MAY_DIFFER or old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**new, **old}:
            yield from _differences(f"{name}.{key}", old.get(key), new.get(key))
    else:
        yield name, old, new
