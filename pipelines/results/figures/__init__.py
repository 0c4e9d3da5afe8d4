"""Figures: most modules have a function for the data and one that draws it. :func:`save` writes one
to a file."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go


def save(figure: go.Figure, path: Path) -> None:
    """Write ``figure`` as one HTML file that needs no other file."""
    figure.write_html(path, include_plotlyjs=True)
