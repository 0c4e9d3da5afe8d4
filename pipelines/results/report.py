"""``report.html``: the page of a run in one file."""

from __future__ import annotations

from pathlib import Path

from pipelines.results.page.render import render
from pipelines.results.run_page import report_page
from pipelines.study.runs import Run


def write_report(run: Run) -> Path:
    """Write it into the run's folder, whole or not at all; returns its path."""
    path = run.files.report
    part = path.with_suffix(".part")
    part.write_text(render(report_page(run)), encoding="utf-8")
    part.replace(path)
    return path
