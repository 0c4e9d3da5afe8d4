"""Early stopping: how many epochs it saved, and what it may have cost."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.results import wording
from pipelines.results.figures.rungs import LEAST_PAIRS, rungs_figure
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words
from pipelines.tuner.scheduling.schedulers import SCHEDULERS

_TITLE = "Early stopping"
_NO_RUNGS = (
    "Trials pause at rungs and are compared with the other trials of their bracket only: there is "
    "no figure of the rungs."
)
_NOT_FIXED = "{} does not compare trials at fixed epochs."
_OUTLOOKS = (  # the least rank correlation, what it says, and what follows
    (0.7, "kept their order", "the stopped ones would hardly have caught up"),
    (0.4, "kept part of their order", "some of the stopped ones might have caught up"),
    (-1.0, "did not keep their order", "a longer grace period might find better trials"),
)


def stopping(found: Findings) -> Section:
    """How many trials reached each rung, and whether their order there lasted."""
    result, name = found.run.result, found.spec.stopping.scheduler
    if name == "none":
        text = "No trial was stopped for its score: there was no early stopping."
        return Section("stopping", _TITLE, [Words(text)])
    if SCHEDULERS[name].changes_configs:
        text = (
            f"{name} stops no trial: the worst continue from the weights of the best, with changed "
            "configs."
        )
        return Section("stopping", _TITLE, [Words(text)])
    if not found.trials:
        return Section("stopping", _TITLE, [Words("No trial has finished.")])
    trained = [trial for trial in found.trials if not trial.untrained]
    possible = found.spec.budget.max_epochs * len(trained)
    of = "" if len(trained) == len(found.trials) else f" of the {len(trained)} that were trained"
    blocks: list[Block] = [
        Words(
            f"{name} stopped {len(result.stopped)} of {len(found.trials)} trials. Of "
            f"{possible} possible epochs{of}, {result.epochs} were trained; {result.epochs_saved} "
            f"were saved{wording.saved_by(found.trials)}."
        )
    ]
    counts = found.rung_counts
    if counts is None:
        blocks.append(Words(_NO_RUNGS if found.pauses else _NOT_FIXED.format(name), "note"))
        return Section("stopping", _TITLE, blocks)
    if found.at_cycle_ends and found.compares_at:
        text = f"A rung is an epoch. Trials are compared {found.compares_at}."
        blocks.append(Words(text, "note"))
    if result.stopped:
        blocks += [Words(line) for line in agreement_lines(found)]
    if not any(counts.reached):
        return Section("stopping", _TITLE, blocks)
    drawings = [Drawing("rungs", rungs_figure(counts), "Trials that reached each rung", role="")]
    return Section("stopping", _TITLE, blocks, drawings)


def agreement_lines(found: Findings) -> Iterator[str]:
    """Whether the stopped trials might have caught up, judged at each rung by the others."""
    counts = found.rung_counts
    place = "rung" if found.at_cycle_ends else "epoch"
    for agreement in [] if counts is None else counts.agreements:
        rho, n = agreement.rank_correlation, agreement.n
        where = f"from {place} {agreement.rung} to {place} {agreement.next}"
        if rho is None and n >= LEAST_PAIRS:
            yield (
                f"The {n} trials that went on {where} have equal scores at one of them: their "
                "order says nothing."
            )
            continue
        if rho is None:
            yield f"Too few trials went on {where} to judge the stopped ones: {n}."
            continue
        kept, outlook = next(words for least, *words in _OUTLOOKS if rho >= least)
        yield (
            f"The {n} trials that went on {where} {kept} (rank correlation {rho:.2f}): {outlook}."
        )
