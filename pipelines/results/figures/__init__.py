"""Pictures of data that others have computed, a few lines each; :func:`save` writes one down."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go


def save(figure: go.Figure, path: Path) -> None:
    """One HTML file that needs nothing else."""
    figure.write_html(path, include_plotlyjs=True)
