"""Divergence, failures, clues and advice, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.advice import advice
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Section, Table, Words

MOST_ERRORS = 10


def remarks(found: Findings) -> Section:
    """What went wrong, what the curves show, and what to do about it."""
    blocks = list(_blocks(found))
    return Section(
        "remarks", "Divergence, failures, advice", blocks or [Words("Nothing to report.")]
    )


def _blocks(found: Findings) -> Iterator[Block]:
    if hint := advice(found.trials):
        yield Words(f"{hint[0].upper()}{hint[1:]}.")
    result = found.run.result
    if result.diverged:
        epochs = [trial.epochs for trial in result.diverged]
        first, last = min(epochs), max(epochs)
        when = f"the earliest in epoch {first}, the latest in epoch {last}"
        if first == last:
            when = f"{'each ' if len(epochs) > 1 else ''}in epoch {first}"
        yield Words(f"{wording.count(len(epochs), 'trial')} diverged, {when}.")
    if result.failed:
        yield Words(f"{wording.count(len(result.failed), 'trial')} failed:")
        yield from _errors(result.failed)
    if result.trained_on_in_vain:
        n = wording.count(len(result.trained_on_in_vain), "longer training")
        yield Words(f"{n} went wrong. What each trial had reached before counts:")
        yield from _errors(result.trained_on_in_vain)
    lost = sum(trial.machines_lost for trial in found.trials)
    if lost:
        yield Words(
            f"Machines were lost {wording.count(lost, 'time')}; their trials went on elsewhere."
        )
    clues = Counter(trial.clue for trial in found.trials if trial.clue)
    if clues:
        told = wording.listed([f"{n} {clue}" for clue, n in clues.most_common()])
        short = len(found.trials) - clues.total()
        left = f"; {short} are too short to tell" if short else ""
        yield Words(f"What the curves look like: {told}{left}.")


def _errors(trials: Sequence[FinishedTrial]) -> Iterator[Block]:
    """The most frequent errors, and how many others there are."""
    errors = Counter(trial.error for trial in trials)
    rows = [[str(n), error] for error, n in errors.most_common(MOST_ERRORS)]
    yield Table(["trials", "error"], rows)
    if others := len(errors) - len(rows):
        yield Words(f"And {wording.count(others, 'other error')}, in trials.csv.", "note")
