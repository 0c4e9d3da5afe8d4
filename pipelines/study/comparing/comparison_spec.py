"""The settings of a comparison: several algorithms on one problem, each with several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import AfterValidator, Field, model_validator

from pipelines.study.folders import check_run_name
from pipelines.study.settings import Count, Folder, Levels, Settings, panel
from pipelines.study.spec import (
    Algo,
    BudgetSettings,
    ProblemSettings,
    ResourceSettings,
    SpaceSettings,
    StoppingSettings,
    StudySpec,
)
from pipelines.tuner.sampling.algorithms import ALGORITHMS

# Random search with twice the budget: an algorithm that does not beat it is not worth using
# (Li et al. 2018, Hyperband, section 4).
DOUBLE = "random x2"


class ComparedSettings(Settings):
    """What is compared."""

    algos: Annotated[
        tuple[Algo, ...],
        Parameter(
            metavar="NAME",
            choices=list(ALGORITHMS),
            consume_multiple=True,
            allow_leading_hyphen=False,
        ),
    ] = ("random", "optuna")
    """The algorithms to compare: one or several names."""
    seeds: Count = 5
    """Runs of each algorithm."""
    levels: Levels = Field(default_factory=dict)
    """How many values of a parameter a grid takes; may be repeated."""


class ComparisonPlace(Settings):
    """Where the comparison is kept."""

    name: Annotated[str, AfterValidator(check_run_name)] = "compare"
    """The name of the comparison; one that exists is continued."""
    runs_dir: Folder = Path("runs")
    """The folder in which runs are kept."""

    @property
    def folder(self) -> Path:
        return self.runs_dir.expanduser().absolute() / self.name


class ComparisonSpec(Settings):
    """Several algorithms on one problem, each with the same budget."""

    compared: Annotated[ComparedSettings, panel("Algorithms", 1)] = ComparedSettings()
    problem: Annotated[ProblemSettings, panel("Problem", 2)] = ProblemSettings()
    space: Annotated[SpaceSettings, panel("Space", 3)] = SpaceSettings()
    budget: Annotated[BudgetSettings, panel("Budget of each", 4)] = BudgetSettings()
    stopping: Annotated[StoppingSettings, panel("Early stopping", 5)] = StoppingSettings()
    resources: Annotated[ResourceSettings, panel("Resources", 6)] = ResourceSettings()
    place: Annotated[ComparisonPlace, panel("Run", 7)] = ComparisonPlace()

    @model_validator(mode="after")
    def _fits_together(self) -> ComparisonSpec:
        if not self.compared.algos:
            raise ValueError("`algos` names no algorithm: give one or several")
        if self.budget.repeats:
            raise ValueError(f"`repeats` {self.budget.repeats} is for a single search: use `seeds`")
        if self.problem.also:
            raise ValueError(
                f"`also` {self.problem.also[0]}: a comparison uses `metric` alone; use run.py to "
                "search for several objectives"
            )
        if self.resources.measured:
            raise ValueError("`gpus_per_trial=auto` is for a single search: give a share")
        self.cell(self.rows[0], 0)  # the rules for a search apply here too
        return self

    @property
    def rows(self) -> list[str]:
        """The algorithms that the user asked for, and random search with double the budget."""
        return [*dict.fromkeys(self.compared.algos), DOUBLE]

    @property
    def seeds(self) -> range:
        return range(self.compared.seeds)

    def cell(self, row: str, seed: int) -> StudySpec:
        """The search of one row with one seed."""
        groups = self.model_dump(exclude={"compared", "place"})
        if row == DOUBLE:
            budget = groups["budget"]
            budget["trials"] *= 2
            if budget["time_budget"] is not None:
                budget["time_budget"] *= 2
        if groups["problem"]["split_seed"] is None:
            groups["problem"]["split_seed"] = 0  # all cells have the same data
        algo = "random" if row == DOUBLE else row
        search = {"algo": algo, "seed": seed, "levels": self.compared.levels}
        run = {"name": cell_folder(row, seed), "runs_dir": self.place.folder}
        return StudySpec.model_validate({**groups, "search": search, "run": run})


def cell_folder(algo: str, seed: int) -> str:
    return f"{algo.replace(' ', '-')}-{seed}"
