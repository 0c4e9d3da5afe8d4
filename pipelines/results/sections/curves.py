"""Learning curves."""

from __future__ import annotations

import plotly.graph_objects as go

from pipelines.results import wording
from pipelines.results.figures.axes import figure
from pipelines.results.figures.curves import curves_data, curves_figure, outside
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words


def curves(found: Findings) -> Section:
    """The curves of all trials, and all metrics of the chosen trial."""
    data = curves_data(found.shown, found.ranked)
    if not data.top:
        return Section("curves", "Learning curves", [Words("No trial has a curve to show.")])
    blocks: list[Block] = [
        Words(
            f"The best{_count(len(data.top))} in colour, the others in grey. Click a trial here or "
            "in another figure to choose it everywhere; click a name above the figure to hide its "
            "curves. Pink: the chosen trial, at first the best."
        )
    ]
    if beyond := outside(data, found.metric):
        side = "below" if found.metric.mode == "max" else "above"
        blocks.append(
            Words(
                f"{wording.count(beyond, 'curve')} {'goes' if beyond == 1 else 'go'} {side} the "
                "figure; double-click the figure to show all.",
                "note",
            )
        )
    if found.compares_at:
        blocks.append(Words(f"Dotted lines: trials are compared {found.compares_at}.", "note"))
    if data.left_out:
        blocks.append(Words(f"{data.left_out} curves are left out of the figure.", "note"))
    if found.spec.problem.folds:
        blocks.append(Words(f"Each curve is the mean of {found.spec.problem.folds} folds.", "note"))
    drawn = curves_figure(data, found.score, found.metric, found.rungs)
    return Section(
        "curves",
        "Learning curves",
        blocks,
        [
            Drawing("curves", drawn, height=460, wide=True, role="curves"),
            Drawing(
                "chosen",
                _chosen(),
                "The chosen trial: training dotted. Click a name to show or hide its curve.",
                wide=True,
                role="chosen",
            ),
        ],
    )


def _count(n: int) -> str:
    return "" if n == 1 else f" {n}"


def _chosen() -> go.Figure:
    """An empty figure, in which the page draws the curves of the chosen trial."""
    return figure(
        "epoch",
        "score",
        yaxis2={
            "title": {"text": "loss"},
            "overlaying": "y",
            "side": "right",
            "tickmode": "auto",
            "showgrid": False,
        },
    )
