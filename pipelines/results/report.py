"""Pages as files: ``report.html`` of a run, and a comparison of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.record.whole import replacing
from pipelines.results.comparison_page import comparison_page
from pipelines.results.page.model import Page
from pipelines.results.page.render import render
from pipelines.results.run_page import report_page
from pipelines.study.runs import Run


def write_report(run: Run) -> Path:
    """Write ``report.html`` into the run's folder, completely or not at all; return its path.

    Raises ``ValueError`` if it cannot be written.
    """
    return write_page(report_page(run), run.files.report)


def write_comparison(runs: Sequence[Run], path: Path) -> Path:
    """Write the comparison of several runs to ``path``, completely or not at all.

    Raises ``ValueError`` if the runs cannot be compared, or if the file cannot be written.
    """
    return write_page(comparison_page(runs), path)


def write_page(page: Page, path: Path) -> Path:
    """Write ``page`` to ``path``, completely or not at all; return the path.

    Raises ``ValueError`` if it cannot be written.
    """
    try:
        with replacing(path) as part:
            part.write_text(render(page), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ValueError(f"'{path}' cannot be written: {error.strerror}") from None
    return path
