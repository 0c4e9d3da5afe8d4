"""What the tests before a search train: a config from a file, from the best trial of a run, or
from the space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from pydantic import model_validator

from pipelines.study.settings import Columns, File, NotNegative, Settings
from pipelines.study.spec import Model, RunFolder, Source
from pipelines.study.yaml_file import read_yaml
from search_spaces import SPACES, Config, SearchSpace
from search_spaces.policies import policy_domains
from trainables.data.datasets import TrialData, load
from trainables.data.reading import AS_IT_LOOKS, Reading
from trainables.task import Task
from trainables.training.config import TrainingConfig
from trainables.training.schedules import POLICIES

_SEARCHED = ("metric", "also", "require", "class_weights", "folds")


class SubjectSettings(Settings):
    """Which network is tested, on which data."""

    model: Model | None = None
    """The network to train; by default that of --from, else mlp."""
    config: File | None = None
    """A YAML file of hyperparameters: a mapping, or a list, whose first entry is used."""
    from_: Annotated[RunFolder | None, Parameter(name="--from")] = None
    """A run, to take the hyperparameters of its best trial."""
    data: Source | None = None
    """As --data of run.py; by default that of --from, else digits."""
    target: str | None = None
    """The column to predict, if the data are a table file."""
    drop: Columns = ()
    """A column of a table file to leave out; may be repeated."""
    category: Columns = ()
    """A column whose numbers stand for categories; may be repeated."""
    task: Task | None = None
    """What the target's numbers are: classes (classification) or a quantity (regression)."""
    seed: NotNegative | None = None
    """The seed of the split and the training; by default that of --from, else 0."""

    @model_validator(mode="after")
    def _fits_together(self) -> SubjectSettings:
        if self.config is not None and self.from_ is not None:
            raise ValueError(f"`config` {self.config} and `from` {self.from_}: give one of the two")
        return self

    @property
    def reading(self) -> Reading:
        """How a table file is read, where the user says so."""
        return Reading(self.drop, self.category, self.task)


@dataclass(frozen=True)
class Subject:
    """A network's hyperparameters, and the data that it is to learn."""

    model: str
    config: Mapping[str, object]
    data: str
    target: str | None
    data_fraction: float
    seed: int
    split_seed: int | None = None  # if the split has a seed of its own
    reading: Reading = AS_IT_LOOKS
    searched: Mapping[str, object] = field(default_factory=dict)  # other settings of the search

    def load(self) -> TrialData:
        """Raises ``ValueError`` for data that cannot be loaded."""
        return load(
            self.data,
            target=self.target,
            fraction=self.data_fraction,
            seed=self.seed if self.split_seed is None else self.split_seed,
            reading=self.reading,
        )


def find_subject(settings: SubjectSettings) -> Subject:
    """What is not given comes from the run if there is one, else from the defaults of a search.

    The config's policy is set to constant. Raises ``ValueError`` for a file or a run that does not
    exist or holds no config, and for a model other than the run's.
    """
    if settings.from_ is not None:
        return _of_run(settings.from_, settings)
    name, path = settings.model or "mlp", settings.config
    values = _of_space(SPACES[name]) if path is None else _read(path)
    if (policy := values.get("policy", "constant")) not in POLICIES:
        raise ValueError(f"`config` {path}: the policy {policy} is none of {', '.join(POLICIES)}")
    data = settings.data or "digits"
    return Subject(
        name,
        _constant(values),
        data,
        settings.target,
        data_fraction=1.0,
        seed=settings.seed or 0,
        reading=settings.reading,
    )


def _of_space(space: SearchSpace) -> Config:
    """The first config that ``space`` tries, or a random one if it names none; without parameters
    that only some data need."""
    first = next(iter(space.try_first), None) or space.sample(np.random.default_rng(0))
    return space.active_part({**first, **space.if_missing})


def _of_run(folder: Path, settings: SubjectSettings) -> Subject:
    from pipelines.study.runs import open_run

    run = open_run(folder)
    problem = run.spec.problem
    if problem.trainable:
        raise ValueError(f"`from` {folder} searched {problem.trainable}, not {' or '.join(SPACES)}")
    if settings.model not in (None, problem.model):
        raise ValueError(f"`from` {folder} has the model {problem.model}, not {settings.model}")
    if run.best is None:
        raise ValueError(f"`from` {folder}: the run has no sound trial")
    same_data = settings.data in (None, problem.data)
    as_read = same_data and settings.reading == AS_IT_LOOKS
    return Subject(
        model=problem.model,
        config=_constant(run.best.config),
        data=settings.data or problem.data,
        target=settings.target or (problem.target if same_data else None),
        data_fraction=problem.data_fraction if same_data else 1.0,
        seed=run.spec.search.seed if settings.seed is None else settings.seed,
        split_seed=run.spec.split_seed if same_data and settings.seed is None else None,
        reading=problem.reading if as_read else settings.reading,
        searched={name: getattr(problem, name) for name in _SEARCHED} if same_data else {},
    )


def _read(path: Path) -> dict[str, object]:
    """The mapping in a YAML file, or the first one if it holds a list of them."""
    content = read_yaml(path, "config")
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict) or not first:
        raise ValueError(f"`config` {path} holds no config: a mapping 'name: value', or a list")
    return {str(name): _number(value) for name, value in first.items()}


def _number(value: object) -> object:
    """YAML reads 1e-3, which has no decimal point, as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _constant(config: Mapping[str, object]) -> dict[str, object]:
    """Without the parameters of other policies. Momentum is the default if a policy moved it."""
    moving = policy_domains().keys() - {"momentum"}
    kept = {name: value for name, value in config.items() if name not in moving}
    # The sweep sets the learning rate, but a config needs one.
    return {"lr": 1.0, "momentum": TrainingConfig.momentum, **kept, "policy": "constant"}
