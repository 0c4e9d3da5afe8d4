"""Pages as files: ``report.html`` of a run, and a comparison of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.results.comparison_page import comparison_page
from pipelines.results.page.model import Page
from pipelines.results.page.render import render
from pipelines.results.run_page import report_page
from pipelines.study.runs import Run


def write_report(run: Run) -> Path:
    """Write it into the run's folder, whole or not at all; returns its path."""
    return write_page(report_page(run), run.files.report)


def write_comparison(runs: Sequence[Run], path: Path) -> Path:
    """The same of several runs.

    Raises ``ValueError`` for runs that do not compare, and for a file that cannot be written.
    """
    return write_page(comparison_page(runs), path)


def write_page(page: Page, path: Path) -> Path:
    """The same of any page. Raises ``ValueError`` for a file that cannot be written."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(render(page), encoding="utf-8", errors="backslashreplace")
        part.replace(path)
    except OSError as error:
        raise ValueError(f"'{path}' cannot be written: {error.strerror}") from None
    return path
