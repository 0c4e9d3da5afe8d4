"""A table to train on, and what the command predicts for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipelines import predict
from pipelines.cli.command import main


def table(rows: int = 300) -> pd.DataFrame:
    """A table with numbers and categories with missing values, truth values and dates."""
    rng = np.random.default_rng(0)
    size, colour = rng.normal(size=rows), rng.choice(["red", "green", "blue", ""], rows)
    score = size + (colour == "red") + rng.normal(size=rows) / 2
    return pd.DataFrame(
        {
            "size": np.where(rng.random(rows) < 0.1, np.nan, size),
            "colour": pd.Series(colour).where(colour != ""),
            "sold": rng.random(rows) < 0.5,
            "when": pd.date_range("2024-01-31", periods=rows, freq="7h").strftime("%Y-%m-%d %H:%M"),
            "count": rng.integers(0, 9, rows),
            "kind": np.where(score > 0, "high", "low"),
            "price": 1000 + 250 * score,
        }
    )


def predicted(*arguments: object) -> pd.DataFrame:
    """The predictions that the command writes."""
    assert main(predict.app, [*map(str, arguments), "--output", "out.csv"]) == 0
    found = pd.read_csv("out.csv", dtype={"prediction": object})
    Path("out.csv").unlink()
    return found
