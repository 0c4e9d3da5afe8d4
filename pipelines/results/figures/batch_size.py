"""Throughput and memory of a training step against its batch size."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.colors import qualitative

from pipelines.results.figures.axes import NARROW_MARGINS
from trainables.smith.batch_size import BatchSizeTest

_THROUGHPUT, _MEMORY, _MARK = (qualitative.D3[i] for i in (0, 1, 4))
_MEGABYTE = 1e6


def batch_size_figure(test: BatchSizeTest, chosen: int) -> go.Figure:
    """Samples per second on the left axis, memory on the right, both from 0; the knee is marked,
    and so is the batch size that was ``chosen`` if it is another one."""
    sizes = [row.batch_size for row in test.rows]
    places = list(range(len(sizes)))  # the sizes double, so the axis is logarithmic
    figure = go.Figure()
    figure.add_scatter(
        x=places,
        y=[row.samples_per_second for row in test.rows],
        name="samples per second",
        mode="lines+markers",
        line={"color": _THROUGHPUT},
    )
    figure.add_scatter(
        x=places,
        y=[row.memory / _MEGABYTE for row in test.rows],
        name="memory of a step",
        mode="lines+markers",
        line={"color": _MEMORY, "dash": "dot"},
        yaxis="y2",
    )
    for name, size, height in (("knee", test.knee, "top"), ("chosen", chosen, "bottom")):
        if size not in sizes or (name == "chosen" and size == test.knee):
            continue
        place = sizes.index(size)
        figure.add_vline(
            x=place,
            line={"color": _MARK, "dash": "dash"},
            annotation={"text": f"{name} {size}", "font": {"color": _MARK}},
            annotation_position=f"{height} {'left' if place > len(sizes) / 2 else 'right'}",
        )
    figure.update_layout(
        template="plotly_white",
        xaxis={
            "title": "batch size",
            "tickvals": places,
            "ticktext": [str(size) for size in sizes],
        },
        yaxis={"title": "samples per second", "rangemode": "tozero"},
        yaxis2={
            "title": "memory, MB",
            "rangemode": "tozero",
            "tickmode": "auto",  # else Plotly sets as many as on the other axis, at odd numbers
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
        },
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        margin=NARROW_MARGINS,
    )
    return figure
