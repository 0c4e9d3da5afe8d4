"""The page of a run: what the report file, the live page and a notebook show."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pipelines.results.findings import Findings
from pipelines.results.page.model import Page, Section, Words
from pipelines.results.page.render import Head
from pipelines.results.page.trials import trials_data
from pipelines.results.sections.again import again
from pipelines.results.sections.curves import curves
from pipelines.results.sections.data import data
from pipelines.results.sections.front import front
from pipelines.results.sections.importance import importance
from pipelines.results.sections.learning_rate import learning_rate
from pipelines.results.sections.now import now
from pipelines.results.sections.outcome import outcome
from pipelines.results.sections.parameters import parameters
from pipelines.results.sections.places import places
from pipelines.results.sections.progress import progress
from pipelines.results.sections.remarks import remarks
from pipelines.results.sections.stopping import stopping
from pipelines.results.sections.tested import tested
from pipelines.results.standing import standing
from pipelines.study.runs import Run
from pipelines.study.typed import shown


def all_trials(found: Findings) -> Section:
    """The table of all trials, which the page itself fills."""
    if not found.shown:
        return Section("trials", "All trials", [Words("No trial has finished, and none runs.")])
    words = Words(
        "Click a column head to sort, or a row to choose its trial. Filter with words such as "
        "lr<0.01, policy=cosine, trial=3 or diverged; a trial must match all of them.",
        "note",
    )
    blocks = [words]
    if found.live is not None and not found.live.is_over:
        at = time.strftime("%H:%M:%S", time.localtime(found.live.at))
        told = f"The table is as of {at}. The numbers under Now may be newer."
        blocks.append(Words(told, "note"))
    if (table := found.run.files.table).is_file():
        told = f"All that is recorded of each trial, as a table for a spreadsheet: {shown(table)}."
        blocks.append(Words(told, "note"))
    return Section("trials", "All trials", blocks, shows_trials=True)


SECTIONS: tuple[Callable[[Findings], Section | None], ...] = (
    outcome,
    tested,
    front,
    progress,
    curves,
    importance,
    parameters,
    learning_rate,
    stopping,
    remarks,
    places,
    data,
    all_trials,
    again,
)
QUICK = (outcome, front, progress, curves, stopping, remarks, places, all_trials)
"""Sections that take hundredths of a second. They include all that show running trials."""


def report_page(run: Run) -> Page:
    """The page of ``run``, whether it is finished or not."""
    found = Findings(run)
    made = [section(found) for section in SECTIONS]
    return Page(
        *page_head(run),
        sections=[*now_sections(run), *(section for section in made if section is not None)],
        trials=table_of(found),
    )


def page_head(run: Run) -> Head:
    """The head of the page, above its sections."""
    problem = run.spec.problem
    return Head(
        title=run.files.folder.name,
        subtitle=f"{problem.name} with {run.spec.search.algo} on {run.data.name}",
        state=standing(run),
    )


def now_sections(run: Run) -> list[Section]:
    """The section on the state of the search, if it runs."""
    if run.live is None or run.live.is_over:
        return []
    return [now(run, run.live)]


def table_of(found: Findings) -> dict[str, Any]:
    """All trials, column by column."""
    return trials_data(
        found.shown,
        found.space,
        found.score,
        found.metric,
        found.stops,
        found.run.files,
        found.run.goals,
    )
