"""The settings of a study, each declared once: :class:`StudySpec`.

To add a setting, add a field here and use it where the study is prepared or run: the option, its
help, the study file, the record and the Python API have it then. A field's name is that of its
option, with ``_`` for ``-``, so no two may be equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

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
    merged,
    one_of,
    panel,
)
from pipelines.tuner.algorithms import ALGORITHMS
from pipelines.tuner.schedulers import SCHEDULERS
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
            f"a {type(value).__name__} is no file: save it, as by to_parquet('mine.parquet'), and "
            "give the path"
        )
    return value


Source: TypeAlias = Annotated[str, BeforeValidator(_source), Parameter(metavar="NAME|PATH")]


class ProblemSettings(Settings):
    """What is searched, on which data."""

    model: Model = "mlp"
    """The network to search."""
    trainable: Reference | None = None
    """Your own function instead of a model: package.module:function."""
    space: Reference | None = None
    """Your own search space: package.module:space."""
    metric: MetricName | None = None
    """What to optimise; val_accuracy, or val_r2, where it is not given."""
    also: Objectives = ()
    """Another objective: n_parameters, seconds, a metric; may be repeated."""
    require: Requirements = ()
    """What a trial must meet to count, such as n_parameters<1e5; may be repeated."""
    data: Source = Field(
        default="digits",
        description=f"{', '.join(DATASETS)}; a .csv or .parquet file; or a folder of images with "
        "one sub-folder per class.",
    )
    target: str | None = None
    """The column to predict, of a table file."""
    drop: Columns = ()
    """A column of a table file to leave out; may be repeated."""
    category: Columns = ()
    """A column of numbers that are names; may be repeated."""
    task: Task | None = None
    """What the target's numbers are: classes (classification) or a quantity (regression)."""
    class_weights: Literal["balanced"] | None = None
    """balanced: each class counts the same in the loss, however rare."""
    data_fraction: Annotated[Real, Field(gt=0, le=1)] = 1.0
    """Share of the training split to use."""
    folds: AtLeastTwo | None = None
    """Cross-validate each config on so many folds, in lockstep."""

    @property
    def name(self) -> str:
        """The model, or the user's own function."""
        return self.trainable or self.model

    @property
    def goals(self) -> Goals:
        """All that is searched for and required; the metric is known."""
        assert self.metric is not None  # prepare() has found it
        return Goals(
            (read_aim(self.metric), *map(read_aim, self.also)),
            tuple(map(read_requirement, self.require)),
        )

    @property
    def reading(self) -> Reading:
        """How a table file is read, where it is not as it looks."""
        return Reading(self.drop, self.category, self.task)


class SearchSettings(Settings):
    """How the next config is chosen."""

    algo: Algo = "optuna"
    """What chooses the next config."""
    levels: Levels = Field(default_factory=dict)
    """Values that a grid takes of a parameter; may be repeated."""
    seed: NotNegative = 0
    """Of the split, the search and the training."""


class SpaceSettings(Settings):
    """What may be tried, and what the search begins from."""

    fix: Values = Field(default_factory=dict)
    """Fix a parameter; may be repeated."""
    range: Ranges = Field(default_factory=dict)
    """Another range for a parameter; may be repeated."""
    max_parameters: Positive | None = None
    """No network larger than this, such as 1e6."""
    zoom_from: RunFolder | None = None
    """A run to take narrower ranges from."""
    seed_from: RunFolder | None = None
    """A run whose trials the algorithm learns from first."""
    start_with: File | None = None
    """A YAML list of configs to try first."""
    prior: bool = False
    """Draw some suggestions around the configs of `start_with`, fewer as trials come in."""
    portfolio: Annotated[bool, Parameter(negative="--no-portfolio")] = True
    """Try the configs of the space's portfolio before the algorithm's own."""
    lr_range_test: bool = False
    """First find the range of lr with an LR range test."""
    batch_size_test: bool = False
    """First find the largest batch that fits."""
    memory: Memory | None = None
    """The memory that its steps may take, such as 2GB; by default a GPU's own."""


class BudgetSettings(Settings):
    """How much is tried."""

    trials: Count = 40
    """Configs to try."""
    max_epochs: Count = 30
    """Epochs of a trial."""
    time_budget: Seconds | None = None
    """Stop after 90s, 20m, 1h30m."""
    target_value: Real | None = None
    """Stop when the metric reaches this."""
    repeats: AtLeastTwo | None = None
    """At the end, train the best configs again with so many seeds."""
    keep: NotNegative = 3
    """Keep the state of so many of the best, for --resume to train on."""


class StoppingSettings(Settings):
    """When a trial that performs badly is stopped."""

    scheduler: SchedulerName = "asha"
    """What stops trials that perform badly."""
    grace_period: Count = 1
    """Epochs before a trial may be stopped."""
    reduction_factor: Annotated[Real, Field(gt=1)] = 3
    """One in so many goes on at each rung."""


class ResourceSettings(Settings):
    """What a trial takes of the cluster."""

    cpus_per_trial: Positive = 1
    """CPUs of a trial."""
    gpus_per_trial: Share = 0
    """GPUs of a trial: 0, 1/4 or 0.25, 2; auto measures."""
    precision: Precision = "auto"
    """How a GPU computes: auto takes bf16 for a CNN where the GPU has it."""
    max_concurrent: Count | None = None
    """Trials at once; all that fit, where it is not given."""
    max_failures: NotNegative = 0
    """Times that a trial which fails is tried again."""
    trial_timeout: Seconds | None = None
    """End a trial without an epoch for 90s, 20m, 1h; by default for 20 times the longest of any."""

    @property
    def trial(self) -> TrialResources:
        """Of a trial; a whole GPU where the share is yet to be measured."""
        share = self.gpus_per_trial
        return TrialResources(self.cpus_per_trial, share if isinstance(share, float) else 1.0)

    @property
    def measured(self) -> bool:
        """Whether the share of a GPU is to be measured first."""
        return self.gpus_per_trial == AUTO


class RunSettings(Settings):
    """Where the run lies, and what is made beside it."""

    name: Annotated[str, AfterValidator(check_run_name)] | None = None
    """Of the run; by default DATA-MODEL-ALGO-TIME."""
    runs_dir: Folder = Path("runs")
    """Where runs are kept."""
    storage: Place | None = None
    """Where trials keep checkpoints: a shared folder or s3://...; by default the run's folder."""
    baseline: Annotated[bool, Parameter(negative="--no-baseline")] = True
    """Fit quick models beside the search, to compare the network with."""


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

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs at which the scheduler compares trials; none where it does so at all."""
        stopping = self.stopping
        return SCHEDULERS[stopping.scheduler].rungs(
            self.budget.max_epochs, stopping.grace_period, stopping.reduction_factor
        )

    def but(self, **changes: dict[str, Any]) -> StudySpec:
        """The same with other values: ``spec.but(budget={"trials": 80})``.

        Raises what the constructor raises.
        """
        return StudySpec.model_validate(merged(self.model_dump(), changes))

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
        raise ValueError(
            f"`memory` {space.memory:g} bounds `batch_size_test`, which is not asked for"
        )
    if space.prior and space.start_with is None:
        raise ValueError("`prior` draws around the configs of `start_with`: give a file of them")
    if space.prior and ALGORITHMS[spec.search.algo].size:
        raise ValueError(f"`prior` is for an algorithm that draws: {spec.search.algo} does not")
    if space.lr_range_test and ("lr" in space.fix or "lr" in space.range):
        raise ValueError("`lr_range_test` sets the range of lr: leave lr out of `range`, `fix`")


def _own_function(spec: StudySpec) -> None:
    """What is known of networks of ours alone."""
    trainable, space = spec.problem.trainable, spec.space
    if trainable is None:
        return
    if space.max_parameters:
        raise ValueError(f"`max_parameters` counts those of a `model`, not of {trainable}")
    for test, asked in (
        ("batch_size_test", space.batch_size_test),
        ("lr_range_test", space.lr_range_test),
    ):
        if asked:
            raise ValueError(f"`{test}` trains a `model`, not {trainable}")
    if spec.resources.precision != "auto":
        raise ValueError(f"`precision` is that of a `model`, not of {trainable}")
    if spec.resources.measured:
        raise ValueError(f"`gpus_per_trial={AUTO}` measures a `model`, not {trainable}")
