"""The settings of a study, each declared once: :class:`StudySpec`.

To add a setting, add a field here and use it where the study is prepared or run: the option, its
help, the study file, the record and the Python API then have it. The option of a field has its
name, with ``-`` for ``_``, so no two fields may have the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from pipelines.cluster.resources import AUTO, TrialResources
from pipelines.record.goals import Goals, read_aim, read_requirement
from pipelines.study.folders import check_run_name
from pipelines.study.objectives import Objectives, Requirements, check_objectives
from pipelines.study.settings import (
    AtLeastTwo,
    Columns,
    Count,
    File,
    Folder,
    Levels,
    Memory,
    NotNegative,
    Place,
    Positive,
    Ranges,
    Real,
    Seconds,
    Settings,
    Share,
    Values,
    check_names,
    explained,
    merged,
    one_of,
    panel,
)
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.scheduling.schedulers import SCHEDULERS, cycle_ends
from search_spaces import SPACES
from trainables.data.datasets import DATASETS
from trainables.data.reading import Reading
from trainables.networks.network import Precision
from trainables.task import Task
from trainables.training.metrics import METRICS

Algo: TypeAlias = Annotated[
    str, AfterValidator(one_of(ALGORITHMS)), Parameter(choices=list(ALGORITHMS))
]
Model: TypeAlias = Annotated[str, AfterValidator(one_of(SPACES)), Parameter(choices=list(SPACES))]
MetricName: TypeAlias = Annotated[
    str, AfterValidator(one_of(METRICS)), Parameter(choices=list(METRICS))
]
SchedulerName: TypeAlias = Annotated[
    str, AfterValidator(one_of(SCHEDULERS)), Parameter(choices=list(SCHEDULERS))
]
Reference: TypeAlias = Annotated[str, Parameter(metavar="MODULE:NAME")]
RunFolder: TypeAlias = Annotated[Path, Parameter(metavar="RUN", allow_leading_hyphen=False)]


def _source(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "columns"):
        raise ValueError(
            f"a {type(value).__name__} is not a file: save it, for example with "
            "to_parquet('mine.parquet'), and give the path"
        )
    return value


Source: TypeAlias = Annotated[str, BeforeValidator(_source), Parameter(metavar="NAME|PATH")]


class ProblemSettings(Settings):
    """What is searched for, and on which data."""

    model: Model = "mlp"
    """The network to search."""
    trainable: Reference | None = None
    """Your own function instead of a model: package.module:function."""
    space: Reference | None = None
    """Your own search space: package.module:space."""
    metric: MetricName | None = None
    """What to optimise; by default val_accuracy, or val_r2 for a regression."""
    also: Objectives = ()
    """A further objective: n_parameters, seconds or a metric; may be repeated."""
    require: Requirements = ()
    """What a trial must meet to count, such as n_parameters<1e5; may be repeated."""
    data: Source = Field(
        default="digits",
        description=f"{', '.join(DATASETS)}; a .csv or .parquet file; or a folder of images with "
        "one sub-folder per class.",
    )
    target: str | None = None
    """The column to predict, if the data are a table file."""
    drop: Columns = ()
    """A column of a table file to leave out; may be repeated."""
    category: Columns = ()
    """A column whose numbers stand for categories; may be repeated."""
    task: Task | None = None
    """What the target's numbers are: classes (classification) or a quantity (regression)."""
    class_weights: Literal["balanced"] | None = None
    """balanced: each class counts the same in the loss, however rare."""
    data_fraction: Annotated[Real, Field(gt=0, le=1)] = 1.0
    """Share of the training split to use."""
    split_seed: NotNegative | None = None
    """The seed of the split into train, validation and test; by default --seed."""
    folds: AtLeastTwo | None = None
    """Cross-validate each config on this many folds, which are trained in lockstep."""

    @property
    def name(self) -> str:
        """The model, or the user's own function."""
        return self.trainable or self.model

    @property
    def goals(self) -> Goals:
        """All objectives and requirements. The metric must be known."""
        assert self.metric is not None  # prepare() has chosen it
        return Goals(
            (read_aim(self.metric), *map(read_aim, self.also)),
            tuple(map(read_requirement, self.require)),
        )

    @property
    def reading(self) -> Reading:
        """How a table file is read, where the user says so."""
        return Reading(self.drop, self.category, self.task)


class SearchSettings(Settings):
    """How the next config is chosen."""

    algo: Algo = "optuna"
    """What chooses the next config."""
    levels: Levels = Field(default_factory=dict)
    """How many values of a parameter a grid takes; may be repeated."""
    seed: Annotated[NotNegative, Field(le=10**18)] = 0  # torch takes 64 bits
    """The seed of the search and the training; also of the split, unless --split-seed is given."""


class SpaceSettings(Settings):
    """What may be tried, and what the search begins from."""

    fix: Values = Field(default_factory=dict)
    """Fix a parameter at one value; may be repeated."""
    range: Ranges = Field(default_factory=dict)
    """Search a parameter in another range; may be repeated."""
    max_parameters: Positive | None = None
    """The most parameters that a network may have, such as 1e6."""
    zoom_from: RunFolder | None = None
    """A run whose best trials set the ranges to search."""
    seed_from: RunFolder | None = None
    """A run whose trials the algorithm learns from first."""
    start_with: File | None = None
    """A YAML list of configs to try first."""
    prior: bool = False
    """Draw some suggestions around the configs of --start-with, fewer as the search goes on."""
    portfolio: Annotated[bool, Parameter(negative="--no-portfolio")] = True
    """Try the configs of the space's portfolio before the algorithm's own."""
    lr_range_test: bool = False
    """First make an LR range test, which sets the range of lr."""
    batch_size_test: bool = False
    """First make a batch size test, which leaves out batches that do not fit."""
    memory: Memory | None = None
    """Memory for a batch size test's step, such as 2GB; default: the GPU's, or half the RAM."""


class BudgetSettings(Settings):
    """How much the search may try."""

    trials: Count = 40
    """How many configs to try."""
    max_epochs: Count = 30
    """The most epochs of a trial."""
    time_budget: Seconds | None = None
    """Stop the search after this time, such as 90s, 20m or 1h30m."""
    target_value: Real | None = None
    """Stop the search when the metric reaches this value."""
    repeats: AtLeastTwo | None = None
    """At the end, train the best configs again with this many other seeds."""
    keep: NotNegative = 3
    """Keep the state of this many of the best trials, so that --resume can train them further."""


class StoppingSettings(Settings):
    """When a trial that performs badly is stopped."""

    scheduler: SchedulerName = "asha"
    """What stops trials that perform badly."""
    grace_period: Count = 1
    """Epochs that a trial trains before it may be stopped."""
    reduction_factor: Annotated[Real, Field(gt=1)] = 3
    """At each rung, one trial in this many goes on."""


class ResourceSettings(Settings):
    """What a trial takes of the cluster."""

    cpus_per_trial: Positive = 1
    """CPUs of a trial."""
    gpus_per_trial: Share = 0
    """GPUs of a trial: 0, 1/4 or 0.25, 2; auto measures which share is best."""
    precision: Precision = "auto"
    """How a GPU computes: auto uses bf16 for a CNN if the GPU supports it."""
    max_concurrent: Count | None = None
    """How many trials run at once; by default as many as fit."""
    max_failures: NotNegative = 0
    """How often a trial that fails is tried again."""
    trial_timeout: Seconds | None = None
    """End a trial without an epoch for, say, 20m; default: 20 times the longest, at least 5m."""

    @property
    def trial(self) -> TrialResources:
        """What a trial takes; a whole GPU if the share is still to be measured."""
        share = self.gpus_per_trial
        return TrialResources(self.cpus_per_trial, share if isinstance(share, float) else 1.0)

    @property
    def measured(self) -> bool:
        """Whether the share of a GPU is to be measured first."""
        return self.gpus_per_trial == AUTO


class RunSettings(Settings):
    """Where the run is kept, and what else is made."""

    name: Annotated[str, AfterValidator(check_run_name)] | None = None
    """The name of the run; by default DATA-MODEL-ALGO-TIME."""
    runs_dir: Folder = Path("runs")
    """The folder in which runs are kept."""
    storage: Place | None = None
    """Where trials keep checkpoints: a shared folder or s3://...; by default the run's folder."""
    baseline: Annotated[bool, Parameter(negative="--no-baseline")] = True
    """Fit quick models while the search runs, to compare the network with them."""


class StudySpec(Settings):
    """Everything that decides what a study does, and nothing else.

    Raises ``ValueError`` for a field that does not exist, a value that its field does not allow,
    and fields that do not go together.
    """

    problem: Annotated[ProblemSettings, panel("Problem", 1)] = ProblemSettings()
    search: Annotated[SearchSettings, panel("Search", 2)] = SearchSettings()
    space: Annotated[SpaceSettings, panel("Space", 3)] = SpaceSettings()
    budget: Annotated[BudgetSettings, panel("Budget", 4)] = BudgetSettings()
    stopping: Annotated[StoppingSettings, panel("Early stopping", 5)] = StoppingSettings()
    resources: Annotated[ResourceSettings, panel("Resources", 6)] = ResourceSettings()
    run: Annotated[RunSettings, panel("Run", 7)] = RunSettings()

    if not TYPE_CHECKING:  # its parameters are the fields

        def __init__(self, **groups: Any) -> None:
            try:
                super().__init__(**groups)
            except ValidationError as error:
                raise ValueError(explained(error)) from None

        # Else Pydantic would call it for `model_validate` too, and commands name a wrong option.
        __init__.__pydantic_base_init__ = True

    @property
    def split_seed(self) -> int:
        """The seed of the split into train, validation and test."""
        own = self.problem.split_seed
        return self.search.seed if own is None else own

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs at which the scheduler compares trials; empty if it has no rungs."""
        stopping = self.stopping
        return SCHEDULERS[stopping.scheduler].rungs(
            self.budget.max_epochs, stopping.grace_period, stopping.reduction_factor
        )

    @property
    def cycle_ends(self) -> Callable[[int], tuple[int, ...]]:
        """Where the cycles of a training of so many epochs end: see
        :func:`pipelines.tuner.scheduling.schedulers.cycle_ends`."""
        stopping = self.stopping
        return partial(
            cycle_ends, stopping.scheduler, stopping.grace_period, stopping.reduction_factor
        )

    def but(self, **changes: dict[str, Any]) -> StudySpec:
        """A copy with other values: ``spec.but(budget={"trials": 80})``.

        Raises the same errors as the constructor.
        """
        return StudySpec(**merged(self.model_dump(), changes))

    @model_validator(mode="before")
    @classmethod
    def _exist(cls, given: Any) -> Any:
        if isinstance(given, dict):
            check_names(given, {name: type(of.default) for name, of in cls.model_fields.items()})
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> StudySpec:
        for rule in (_epochs, _tests, _own_function):
            rule(self)
        check_objectives(self.problem.metric, self.problem.also, self.search.algo)
        return self


def _epochs(spec: StudySpec) -> None:
    grace, most = spec.stopping.grace_period, spec.budget.max_epochs
    if grace > most:
        raise ValueError(f"`grace_period` {grace} is above `max_epochs` {most}")


def _tests(spec: StudySpec) -> None:
    space = spec.space
    if space.memory is not None and not space.batch_size_test:
        raise ValueError("`memory` is a bound for `batch_size_test`, which is not given")
    if space.prior and space.start_with is None:
        raise ValueError("`prior` draws around the configs of `start_with`: give that file too")
    if space.prior and ALGORITHMS[spec.search.algo].size:
        raise ValueError(f"`prior` is for an algorithm that draws: {spec.search.algo} does not")
    if space.lr_range_test and ("lr" in space.fix or "lr" in space.range):
        raise ValueError("`lr_range_test` sets the range of lr: leave lr out of `range`, `fix`")


def _own_function(spec: StudySpec) -> None:
    """Refuse what only works with a built-in network."""
    trainable, space = spec.problem.trainable, spec.space
    if trainable is None:
        return
    if space.max_parameters:
        raise ValueError(f"`max_parameters` is only for a `model`, not for {trainable}")
    for test, asked in (
        ("batch_size_test", space.batch_size_test),
        ("lr_range_test", space.lr_range_test),
    ):
        if asked:
            raise ValueError(f"`{test}` is only for a `model`, not for {trainable}")
    if spec.resources.precision != "auto":
        raise ValueError(f"`precision` is only for a `model`, not for {trainable}")
    if spec.resources.measured:
        raise ValueError(f"`gpus_per_trial={AUTO}` is only for a `model`, not for {trainable}")
