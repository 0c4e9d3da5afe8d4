"""The lines about the data of a search: how they were read, and what they may call for."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pipelines.results.wording import count
from pipelines.study.study import Study
from search_spaces import Choice
from trainables.data.datasets import DATASETS, TrialData, describe
from trainables.data.reading import Reading
from trainables.training.metrics import ACCURACY, FOR_LARGE_CLASSES

FEW_SAMPLES = 100  # validation samples; with fewer, luck decides more than the config does
FEW_STEPS = 5  # of an epoch
_LARGE = 0.7  # share of a class above which accuracy says little
MOST_WHOLE_NUMBERS = 100  # up to this many whole numbers may well be classes
LEAST_WHOLE_NUMBERS = 5  # and so many may well be a quantity


def data_lines(study: Study) -> Iterator[str]:
    """How the data were read, and what they may call for."""
    yield from study.notes
    yield f"data      {describe(study.data)}"
    yield from column_lines(study.data)
    yield from note_lines(study.data)
    yield from quantity_lines(study.data, study.spec.problem.reading)
    yield from _image_lines(study)
    yield from _class_lines(study)
    yield from _few_samples_lines(study)
    yield from _few_steps_lines(study)


def _image_lines(study: Study) -> Iterator[str]:
    """A note if a network for tables gets the user's images."""
    problem, network = study.spec.problem, study.network
    for_tables = network is not None and not network.needs_images
    if for_tables and study.data.is_image and problem.data not in DATASETS:
        yield (
            f"note      to {problem.model} an image is a row of pixels: --model cnn searches a "
            "network for images"
        )


def _class_lines(study: Study) -> Iterator[str]:
    """A hint if one class is so large that accuracy says little."""
    largest = study.largest_class
    if largest is None or largest[1] <= _LARGE or study.metric_name != ACCURACY:
        return
    name, share = largest
    yield (
        f"classes   {share:.0%} of the training samples are '{name}', and a model that always "
        f"predicts it has that accuracy: --metric {' or '.join(FOR_LARGE_CLASSES)} tells more"
    )


def _few_samples_lines(study: Study) -> Iterator[str]:
    """A note if there are so few samples that luck decides which config scores best."""
    n_val = len(study.data.x_val)
    if study.spec.problem.folds is None and n_val < FEW_SAMPLES:
        yield (
            f"note      {n_val} validation samples hardly tell configs apart: "
            f"--folds 5 judges each by all {n_val + len(study.data.x_train)}"
        )


def _few_steps_lines(study: Study) -> Iterator[str]:
    """A note if the first configs make so few steps an epoch that a CNN hardly learns."""
    network, sizes = study.network, study.space.domains.get("batch_size")
    if network is None or not network.needs_images or not isinstance(sizes, Choice):
        return
    n, first = len(study.data.x_train), next(iter(study.space.try_first), {})
    batch, options = first.get("batch_size"), [x for x in sizes.options if isinstance(x, int)]
    if not isinstance(batch, int) or not options:  # in a space of the user's own
        return
    least = min(options)
    if least < batch and n < FEW_STEPS * batch:
        steps = count(math.ceil(n / batch), "step")
        yield (
            f"note      {n} training images make {steps} an epoch in batches of {batch}: "
            f"--fix batch_size={least} makes {math.ceil(n / least)}"
        )


def column_lines(data: TrialData) -> Iterator[str]:
    """How a table file was read, in one line; nothing for other data."""
    fitted = data.preprocessing
    if fitted is not None and fitted.target is not None:
        yield f"columns   {fitted.inputs}"


def note_lines(data: TrialData) -> Iterator[str]:
    """What was not read as it looks, or may not be what the user meant."""
    for note in data.notes:
        yield f"note      {note}"


def quantity_lines(data: TrialData, reading: Reading) -> Iterator[str]:
    """A note if a target of whole numbers was read as a quantity but may be classes, or was read
    as classes but may be a quantity, such as a count or a score."""
    fitted = data.preprocessing
    if fitted is None or fitted.target is None or reading.task:
        return
    if data.task == "classification":
        if fitted.class_kind == "number" and data.n_classes >= LEAST_WHOLE_NUMBERS:
            yield (
                f"note      {fitted.target} has {data.n_classes} whole numbers, read as classes: "
                "--task regression reads them as a quantity"
            )
        return
    values = data.y_train * np.float64(fitted.target_std) + fitted.target_mean
    whole = values.round()
    standardised = (whole - fitted.target_mean) / fitted.target_std
    n = len(np.unique(whole))
    few = n <= min(MOST_WHOLE_NUMBERS, len(whole) / 2)  # a class occurs more than once
    if few and np.array_equal(standardised.astype(np.float32), data.y_train):
        yield (
            f"note      {fitted.target} has {n} whole numbers, read as a quantity: "
            "--task classification reads them as classes"
        )
