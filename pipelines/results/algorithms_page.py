"""Algorithms compared: each over all its seeds."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.results import wording
from pipelines.results.figures.comparison import best_so_far_figure
from pipelines.results.page.model import Drawing, Page, Section, Table, Words
from pipelines.study.comparing.comparison import Curve, Row


def algorithms_page(name: str, rows: Sequence[Row], curves: Sequence[Curve], metric: str) -> Page:
    """What each algorithm reached, and how fast."""
    return Page(
        title=name,
        subtitle=f"algorithms compared by {metric}",
        state=_state(min(row.seeds for row in rows)),
        sections=[algorithms(rows, curves, metric)],
    )


def _state(seeds: int) -> str:
    return f"The mean of {seeds} seeds each." if seeds > 1 else "A single seed each."


def algorithms(rows: Sequence[Row], curves: Sequence[Curve], metric: str) -> Section:
    """A table, and a figure with a line for each algorithm."""
    head = ["algorithm", f"best {metric}", "seeds", "epochs", "wall time", "rank"]
    told = [
        [
            row.algo,
            row.told.replace("+-", "±"),
            f"{row.seeds}",
            f"{row.epochs:.0f}",
            wording.duration(row.seconds),
            f"{row.rank:.2f}",
        ]
        for row in rows
    ]
    means = (
        "Means over the seeds, with their standard error: the band around a line. A seed that has "
        "finished keeps its last value up to the end of the line. "
    )
    words = Words(
        (means if any(row.seeds > 1 for row in rows) else "")
        + "The wall time includes the start and the end of each search. "
        + "The rank is among the algorithms with the same seed; 1 is best."
    )
    drawn = Drawing(
        "algorithms", best_so_far_figure(curves, metric), height=460, wide=True, role=""
    )
    return Section("algorithms", "The algorithms", [Table(head, told), words], [drawn])
