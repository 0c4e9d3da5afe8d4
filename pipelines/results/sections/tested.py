"""What the test set showed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipelines.record.looks import Look
from pipelines.record.scores import shown_score
from pipelines.results import wording
from pipelines.results.figures.tested import confusion_figure, confusion_size, residuals_figure
from pipelines.results.findings import Findings
from pipelines.results.page.model import Block, Drawing, Section, Table, Words
from pipelines.results.promised import promised


def tested(found: Findings) -> Section | None:
    """The last look at the test set; None if there was none."""
    looks = found.run.looks
    if not looks:
        return None
    look, classes = looks[-1], found.run.data.classes
    if look.confusion:
        width, height = confusion_size(classes)
        words = (
            "How the samples of each class were classified: counts, mean over the seeds. Errors "
            "are coloured, by their share of the true class."
        )
        drawing = Drawing(
            "tested",
            confusion_figure(look, classes),
            words,
            height,
            wide=True,
            least_width=width,
            role="",
        )
    else:
        words = "Prediction minus target: mean over the seeds."
        drawing = Drawing("tested", residuals_figure(look, _target(found)), words, role="")
    return Section("tested", "The test set", list(_blocks(found, look)), [drawing])


def _target(found: Findings) -> str:
    """The name of the column that is predicted; "" if it has none, or the record does not say."""
    known = found.run.files.preprocessing.is_file()
    return (found.run.preprocessing[0].target or "") if known else ""


def test_numbers(found: Findings) -> Iterator[tuple[str, str]]:
    """The metric that was searched for, on the test set."""
    look = found.run.looks[-1]
    name = look.searched(found.score)
    yield name, look.told(name).replace("+-", "±")


def _blocks(found: Findings, look: Look) -> Iterator[Block]:
    n, among = len(look.trials), look.among or len(look.trials)
    who = f"trial {look.trials[0]}" if n == 1 else f"an ensemble of trials {_listed(look)}"
    epochs = wording.listed([str(e) for e in dict.fromkeys(look.epochs)])
    how = ": mean and standard deviation over the seeds" if len(look.seeds) > 1 else ""
    yield Words(
        f"The weights that the search kept of {who} were tested. They were trained on train alone "
        f"({look.trained_on} samples): the trial took over weights of another trial, so it cannot "
        f"be trained again by itself. The test set was read ({look.samples} samples)."
        if look.kept
        else f"{who[0].upper()}{who[1:]} was trained again on train and validation together "
        f"({look.trained_on} samples), for the number of epochs that was best in the search "
        f"({epochs}), with {wording.count(len(look.seeds), 'seed')}. Then the test set was read "
        f"({look.samples} samples){how}."
    )
    several, single = len(look.seeds) > 1 and bool(look.together), n == 1
    yield Table(
        [
            "metric",
            "test",
            *([f"test: all {look.n_networks} together"] * several),
            *(["validation, in the search"] * single),
            *(f"test: {m}" for m in look.baselines),
        ],
        [
            [
                name,
                look.told(name).replace("+-", "±"),
                *([shown_score(look.together.get(name, math.nan))] * several),
                *([_on_validation(found, look, name)] * single),
                *(shown_score(scores.get(name, math.nan)) for scores in look.baselines.values()),
            ]
            for name in look.values
        ],
    )
    yield Words(
        f"The search had {found.score} {promised(found.run, look)}: so it may flatter.", "note"
    )
    if look.left_out:
        yield Words(f"{look.left_out[0].upper()}{look.left_out[1:]}.", "warning")
    if several:
        yield Words(
            f"Together: the mean prediction of all {look.n_networks} networks, which export.py "
            f"writes as one model with --seeds {len(look.seeds) + len(look.diverged)}"
            + (f" --ensemble {among}." if among > 1 else "."),
            "note",
        )
    if len(found.run.looks) > 1:
        yield Words(
            f"This was look {len(found.run.looks)} at the test set. A choice that is based on such "
            "a look has been tuned on the test set.",
            "warning",
        )


def _listed(look: Look) -> str:
    total = sum(look.members.values())
    return wording.listed([f"{n} ({w / total:.0%})" for n, w in look.members.items()])


def _on_validation(found: Findings, look: Look, name: str) -> str:
    value = found.trials[look.trials[0]].metrics.get(f"val_{name.removeprefix('test_')}")
    return "" if value is None else shown_score(value)
