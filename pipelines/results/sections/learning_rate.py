"""The learning rate of the best trial, beside its curve."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipelines.record.trials import FinishedTrial
from pipelines.results.figures.rates import Rates, rates_data, rates_figure
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Words
from pipelines.winner.planned import cycle_ends, planned_at
from trainables.smith.lr_range_rule import Bounds

_TITLE = "The learning rate"


def learning_rate(found: Findings) -> Section:
    """The learning rate over the whole training, and what a range test found."""
    blocks: list[Block] = [
        Words(_ranged(optimizer, Bounds(**content)))
        for optimizer, content in found.run.lr_bounds.items()
    ]
    tests = list(_range_tests(found))
    best = found.best
    data = None if best is None else _rates(found, best)
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
    blocks.append(Words(f"{told}The best trial, {found.best_number}, trained {rates}."))
    ends = "" if best.epochs == _planned(found) else f"; it ended at epoch {best.epochs}"
    caption = f"Learning rate, momentum and {found.score} over the same epochs{ends}"
    drawn = rates_figure(data, found.score, best.best_epoch)
    drawing = Drawing("rates", drawn, caption, 480, wide=True, role="")
    return Section("learning-rate", _TITLE, blocks, [drawing, *tests])


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


def _rates(found: Findings, best: FinishedTrial) -> Rates | None:
    spec, planned = found.spec, _planned(found)
    return rates_data(
        best,
        None if spec.problem.trainable else spec.problem.model,
        found.run.data.train,
        planned,
        cycle_ends(spec, planned),
    )


def _planned(found: Findings) -> int:
    """The number of epochs that the best trial planned in its last epoch."""
    assert found.best_number is not None
    trial = found.run.finished[found.best_number]  # its start is not in working time
    return planned_at(found.run, trial, trial.epochs)
