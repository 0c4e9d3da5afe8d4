"""The Pareto front."""

from __future__ import annotations

from pipelines.record.front import pareto_front
from pipelines.results import wording
from pipelines.results.figures.front import MOST_POINTS, front_data, front_figure
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Table, Words

MOST_ROWS = 50
_TITLE = "The Pareto front"


def front(found: Findings) -> Section | None:
    """The front as a table, and figures of the first objective against each of the others. None if
    there is only one objective."""
    goals, trials = found.run.goals, found.trials
    if not goals.several:
        return None
    best = pareto_front(trials, goals)
    told = wording.listed([f"{aim.name} ({aim.mode})" for aim in goals.aims])
    rule = (
        "Only trials that trained to the end and meet the requirements can be on the front: a "
        "trial that was stopped would look quick. The values are those of the trial's best epoch "
        f"by {found.score}."
    )
    if not best:
        none = Words(f"No trial is on the front of {told}.")
        return Section("front", _TITLE, [none, Words(rule, "note")])
    numbers = {id(trial): number for number, trial in enumerate(trials)}
    rows = [
        [str(numbers[id(trial)]), *values, wording.config(trial.config)]
        for trial, values in zip(
            best[:MOST_ROWS],
            wording.objectives(goals, best[:MOST_ROWS], found.shown),
            strict=True,
        )
    ]
    blocks: list[Block] = [
        Words(f"{wording.count(len(best), 'trial')} that no other beats in all of {told}:"),
        Table(["trial", *(aim.name for aim in goals.aims), "config"], rows),
    ]
    if len(best) > MOST_ROWS:
        blocks.append(Words(f"And {len(best) - MOST_ROWS} more, in front.csv.", "note"))
    blocks.append(Words(rule, "note"))
    if len(trials) > MOST_POINTS:
        blocks.append(Words("Only some of the trials that are not on the front are drawn.", "note"))
    alone = len(goals.aims) == 2
    figures = [front_figure(front_data(trials, goals, aim), joined=alone) for aim in goals.aims[1:]]
    drawings = [Drawing(f"front-{n}", figure, wide=alone) for n, figure in enumerate(figures)]
    return Section("front", _TITLE, blocks, drawings)
