"""The page of a run: what the report file, the live page and a notebook show."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.results import wording
from pipelines.results.endings import unfinished
from pipelines.results.findings import Findings
from pipelines.results.page.model import Page, Section, Words
from pipelines.results.page.trials import trials_data
from pipelines.results.sections.again import again
from pipelines.results.sections.curves import curves
from pipelines.results.sections.data import data
from pipelines.results.sections.importance import importance
from pipelines.results.sections.learning_rate import learning_rate
from pipelines.results.sections.outcome import outcome
from pipelines.results.sections.parameters import parameters
from pipelines.results.sections.places import places
from pipelines.results.sections.progress import progress
from pipelines.results.sections.remarks import remarks
from pipelines.results.sections.stopping import stopping
from pipelines.results.sections.tested import tested
from pipelines.study.runs import Run

SECTIONS: tuple[Callable[[Findings], Section | None], ...] = (
    outcome,
    tested,
    progress,
    curves,
    importance,
    parameters,
    learning_rate,
    stopping,
    remarks,
    places,
    data,
)


def report_page(run: Run) -> Page:
    """All there is to see of ``run``, finished or not."""
    found = Findings(run)
    made = [section(found) for section in SECTIONS]
    sections = [section for section in made if section is not None]
    words = Words(
        "A click on a head sorts, a click on a row chooses. Filter by words: lr<0.01, "
        "policy=cosine, diverged; several must all hold.",
        "note",
    )
    if not found.trials:
        words = Words("No trial has finished.")
    sections.append(Section("trials", "All trials", [words], shows_trials=bool(found.trials)))
    sections.append(again(found))
    problem = run.spec.problem
    return Page(
        title=run.files.folder.name,
        subtitle=f"{problem.name} with {run.spec.search.algo} on {run.data.name}",
        state=unfinished(run)
        or f"{wording.count(len(found.trials), 'trial')}; the search is over.",
        sections=sections,
        trials=trials_data(
            found.trials, found.space, found.score, found.metric, found.stops, run.files
        ),
    )
