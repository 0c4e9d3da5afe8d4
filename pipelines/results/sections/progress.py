"""The best so far."""

from __future__ import annotations

from typing import get_args

from pipelines.results import wording
from pipelines.results.figures.best_so_far import (
    MOST_POINTS,
    Against,
    best_so_far_data,
    best_so_far_figure,
)
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words

_TIE = "Trial {} has the same {} and is the best"
_BY_LOSS = ", because its validation loss is lower."
_BY_AIMS = (
    ": of equal trials, those that trained to the end come first, and then the other objectives "
    "decide."
)


def progress(found: Findings) -> Section:
    """The best so far against trials, epochs and time."""
    if not found.trials:
        return Section("progress", "Best so far", [Words("No trial has finished.")])
    if found.best is None:
        return Section("progress", "Best so far", [Words("No trial has a value to draw.")])
    data = best_so_far_data(found.trials, found.metric)
    better = [n for n, best in enumerate(data.best) if best is not None]
    last = max((n for n in better if n == 0 or data.best[n] != data.best[n - 1]), default=None)
    blocks: list[Block] = []
    if last is not None:
        since = len(found.trials) - 1 - last
        blocks.append(
            Words(
                f"The last improvement was trial {last}"
                + (
                    f"; {wording.count(since, 'trial')} after it found nothing better."
                    if since
                    else "."
                )
            )
        )
        if found.best_number not in (None, last):
            why = _BY_AIMS if found.run.goals.aims[1:] else _BY_LOSS
            blocks.append(Words(_TIE.format(found.best_number, found.score) + why))
    words = "A trial without a value, or with one outside the figure, lies on the edge."
    blocks.append(Words(words, "note"))
    if len(found.trials) > MOST_POINTS:
        words = (
            f"Of {len(found.trials)} trials, the figures show about {MOST_POINTS}, with every "
            "improvement."
        )
        blocks.append(Words(words, "note"))
    drawings = [
        Drawing(f"best-{against}", best_so_far_figure(data, found.score, found.metric, against))
        for against in get_args(Against)
    ]
    return Section("progress", "Best so far", blocks, drawings)
