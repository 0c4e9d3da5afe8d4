"""The learning rate of the best trial, beside its curve."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.figures.rates import Rates, rates_data, rates_figure
from pipelines.results.figures.schedule import Plan
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words
from pipelines.study.runs import Run
from pipelines.winner.planned import planned_at
from trainables.smith.lr_range_rule import Bounds

_TITLE = "The learning rate"


def learning_rate(found: Findings) -> Section:
    """The learning rate over the whole training, and what a range test found."""
    blocks: list[Block] = [
        Words(_ranged(optimizer, Bounds(**content)))
        for optimizer, content in found.run.lr_bounds.items()
    ]
    tests = list(_range_tests(found))
    number = found.best_number  # in found.trials, its start may be in working time
    best = None if number is None else found.run.finished[number]
    data = None if best is None else rates_of(found.run, best, found.run.data.train)
    if best is None or data is None:
        blocks.append(
            Words("No learning rate is known for the best trial." if best else "No best trial.")
        )
        return Section("learning-rate", _TITLE, blocks, tests)
    policy = best.config.get("policy")
    told = f"Policy {policy}. " if policy else ""
    trained = data.lr[: data.trained]
    low, high = min(trained), max(trained)
    rates = (
        f"with learning rates between {low:.3g} and {high:.3g}"
        if high > low
        else f"with the learning rate {high:.3g} throughout"
    )
    at = "" if data.each_step else " at the ends of its epochs"
    blocks.append(Words(f"{told}The best trial, {number}, trained {rates}{at}."))
    return Section(
        "learning-rate", _TITLE, blocks, [rates_drawing(data, best, found.score), *tests]
    )


def rates_of(run: Run, trial: FinishedTrial, n_train: int) -> Rates | None:
    """The rates with which ``trial`` trained on ``n_train`` samples; None if they are not known.
    For each length that it planned on the way, the rest of its schedule is another."""
    problem = run.spec.problem
    lengths = [length for length in sorted(trial.planned.items()) if length[0] <= trial.epochs]
    plans = [
        Plan(begin, epochs, run.spec.cycle_ends(epochs))
        for begin, epochs in lengths or [(1, planned_at(run, trial, trial.epochs))]
    ]
    return rates_data(trial, None if problem.trainable else problem.model, n_train, plans)


def rates_drawing(data: Rates, trial: FinishedTrial, score: str) -> Drawing:
    """The rates beside the curve of ``trial``."""
    names = ["Learning rate", *([data.momentum_name] if data.momentum else []), score]
    parts = [f"{wording.listed(names)} over the same epochs"]
    if not data.each_step:
        parts.append("rates at the ends of the epochs")
    if trial.best_epoch is not None:
        parts.append("dotted: the best epoch")
    if data.trained < len(data.lr):
        parts.append(f"it ended at epoch {trial.epochs}, and the rest was only planned")
    drawn = rates_figure(data, score, trial.best_epoch)
    return Drawing("rates", drawn, "; ".join(parts), 480, wide=True, role="")


def _ranged(optimizer: str, bounds: Bounds) -> str:
    """What an LR range test before the search found."""
    low, high = bounds.to_search
    return (
        f"The LR range test of {optimizer}: learning rates to search from {low:.3g} to {high:.3g} "
        f"(base_lr {bounds.base_lr:.3g}, max_lr {bounds.max_lr:.3g}: {bounds.reason})."
    )


def _range_tests(found: Findings) -> Iterator[Drawing]:
    """The curves of the LR range tests that were made before the search."""
    if not found.run.lr_tests:
        return
    from pipelines.results.figures.lr_range import range_figure
    from trainables.smith.lr_range_test import RangeTest, Validation

    for optimizer, content in found.run.lr_tests.items():
        losses = tuple(math.nan if loss is None else loss for loss in content["train_losses"])
        validations = tuple(Validation(**point) for point in content["validations"])
        test = RangeTest(**{**content, "train_losses": losses, "validations": validations})
        drawn = range_figure(test, Bounds(**found.run.lr_bounds[optimizer]))
        caption = f"The LR range test of {optimizer}: losses while the learning rate rises"
        yield Drawing(f"range-{optimizer}", drawn, caption, 400, wide=True, role="")
