"""The train rows and the test rows of a winner are all rows, each exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.study.prepare import load_test_rows
from pipelines.study.runs import Run, open_run
from pipelines.winner.training import all_but_test, search_data, unused_seeds
from tests.pipelines.recorded import write_run
from trainables.data.datasets import load
from trainables.data.reading import Reading

ROWS = 200
SEARCHED: dict[str, Any] = {
    "target": "row",
    "seed": 5,
    "data_fraction": 0.5,
    "drop": ["secret"],
    "repeats": 3,
}


@pytest.fixture
def run(elsewhere: Path) -> Run:
    """A search on half of a table whose target is the number of the row; a column is left out."""
    rng = np.random.default_rng(0)
    lines = [f"{a:.6f},{b:.6f},{row}" for row, (a, b) in enumerate(rng.normal(size=(ROWS, 2)))]
    Path("mine.csv").write_text("\n".join(["x,secret,row", *lines]) + "\n")
    read = load("mine.csv", target="row", reading=Reading(drop=("secret",)))
    settings = {**SEARCHED, "data": "mine.csv", "metric": "val_loss"}
    return open_run(write_run(Path("runs/it"), fingerprint=read.fingerprint, **settings))


def test_the_winner_is_tested_on_the_rows_that_nothing_was_trained_on(run: Run) -> None:
    data, test = all_but_test(run), load_test_rows(run.spec)
    (searched,) = search_data(run)

    def numbers(y: np.ndarray) -> list[int]:
        return sorted(np.rint(y * data.target_std + data.target_mean).astype(int).tolist())

    trained, tested = numbers(data.y_train), numbers(test.y)
    assert sorted(trained + tested) == list(range(ROWS))
    assert len(tested) == ROWS // 5
    assert set(numbers(searched.y_train) + numbers(searched.y_val)) < set(trained)
    assert data.x_train.shape[1:] == test.x.shape[1:] == (1,)


def test_the_winner_is_trained_with_seeds_of_its_own(run: Run) -> None:
    assert unused_seeds(run, 2) == (9, 10)  # the search had 5, its repeats 6, 7 and 8
