"""Figures: most modules have a function for the data and one that draws it. :func:`save` writes one
to a file."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go

from pipelines.record.patience import naming
from pipelines.record.whole import replacing
from pipelines.results.page.model import Drawing, Page, Section
from pipelines.results.page.render import render

_HEIGHT = 560  # pixels


def save(
    figure: go.Figure, path: Path, title: str = "", subtitle: str = "", caption: str = ""
) -> None:
    """Write ``figure`` as one HTML file that needs no other file: a page with this one figure, for
    screens of any width, light or dark; whole or not at all. The default title is the name of the
    file."""
    drawing = Drawing("figure", figure, caption, _HEIGHT, wide=True, role="")
    section = Section("figure", "", [], [drawing])
    page = Page(title or path.stem.replace("_", " "), subtitle, "", [section])
    with naming(path), replacing(path) as part:
        part.write_text(render(page), encoding="utf-8", errors="backslashreplace")
