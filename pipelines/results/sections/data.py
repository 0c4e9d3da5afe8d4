"""The data: how each column was read, and which inputs it became."""

from __future__ import annotations

from pipelines.results import wording
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Section, Table, Words
from trainables.data.table_inputs import TableInputs


def data(found: Findings) -> Section | None:
    """How the data were read, for a table column by column; None if the record does not say it."""
    if not found.run.files.preprocessing.is_file():
        return None
    fitted = found.run.preprocessing[0]
    content, inputs = found.run.data, fitted.inputs
    target = f" of {fitted.target}" if fitted.target else ""
    blocks: list[Block] = [
        Words(
            f"{content.train} train and {content.validation} validation samples; the task is a "
            f"regression{target}."
            if content.task == "regression"
            else f"{content.train} train and {content.validation} validation samples of "
            f"{len(content.classes)} classes" + (f", by {fitted.target}." if fitted.target else ".")
        )
    ]
    notes = [Words(f"{note}.") for note in content.notes]
    if not isinstance(inputs, TableInputs):
        blocks += [Words(f"A sample has {inputs}."), *notes]
        return Section("data", "The data", blocks)
    n = wording.count(len(inputs.columns), "column")
    blocks.append(Words(f"{n}: {_kinds(inputs)}; {inputs.shape[0]} inputs in all."))
    blocks += notes
    if fitted.target:
        rows = [
            [c.name or "''", c.kind, wording.share(c.missing), c.becomes] for c in inputs.columns
        ]
        blocks.append(Table(["column", "read as", "missing", "becomes"], rows))
    return Section("data", "The data", blocks)


def _kinds(inputs: TableInputs) -> str:
    """How many columns of each kind there are; ``str`` puts their total before it."""
    return str(inputs).partition(": ")[2]
