"""``data.py``: prints how a data set is read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.console import Console

from pipelines.cli.data_lines import column_lines, note_lines, quantity_lines
from pipelines.cli.options import to_type
from pipelines.cli.text import print_lines
from pipelines.results.wording import share
from trainables.data.datasets import TrialData, describe, load
from trainables.data.reading import Reading
from trainables.data.table_inputs import TableInputs

MOST_CLASSES = 20  # to list


def print_data(source: str, target: str | None, seed: int, reading: Reading) -> None:
    """Raises ``ValueError`` for data that cannot be loaded."""
    data = load(source, target=target, seed=seed, reading=reading)
    console = Console(highlight=False)
    print_lines(console, [f"data      {describe(data)}"])
    print_lines(console, column_lines(data))
    print_lines(console, _columns(data))
    print_lines(console, _target(data))
    print_lines(console, note_lines(data))
    print_lines(console, quantity_lines(data, reading))
    options = {"drop": reading.drop, "category": reading.category, "task": reading.task}
    model = "cnn" if data.is_image else None
    start = {"data": source, "target": target, "model": model, "seed": seed or None}
    next_command = to_type("run", **start, **options)
    print_lines(console, [f"next      {next_command}"])


def _columns(data: TrialData) -> Iterator[str]:
    """A line for each column of a table file."""
    fitted = data.preprocessing
    assert fitted is not None  # load() sets it
    inputs = fitted.inputs
    if fitted.target is None or not isinstance(inputs, TableInputs):
        yield f"inputs    {inputs}"
        return
    rows = [
        (_named(c.name), c.kind, f"{share(c.missing)} missing", c.becomes) for c in inputs.columns
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *cells, becomes in rows:
        aligned = "  ".join(f"{cell:{w}}" for cell, w in zip(cells, widths, strict=True))
        yield f"  {aligned}  {becomes}"
    yield f"inputs    {inputs.shape[0]} for each row"


def _target(data: TrialData) -> Iterator[str]:
    fitted = data.preprocessing
    assert fitted is not None
    name = f"{fitted.target}: " if fitted.target else ""
    if data.task == "regression":
        yield f"target    {name}a quantity, {fitted.target_mean:.4g} +- {fitted.target_std:.4g}"
        return
    shares = np.bincount(data.y_train, minlength=data.n_classes) / len(data.y_train)
    order = np.argsort(-shares, kind="stable")[:MOST_CLASSES]
    told = ", ".join(f"{_named(data.class_names[i])} {shares[i]:.1%}" for i in order)
    more = f" and {data.n_classes - len(order)} more" if data.n_classes > len(order) else ""
    yield f"target    {name}{data.n_classes} classes: {told}{more}"


def _named(name: str) -> str:
    """In quotes if it is empty or if blanks at its ends would be invisible."""
    return name if name and name == name.strip() else repr(name)
