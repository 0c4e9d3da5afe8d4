"""From checked options to a study: its data, model and space, before Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pipelines.cli.arguments import import_object
from pipelines.plan.narrowing import bound_parameters, narrow
from pipelines.plan.tests_first import AfterTests, run_tests_first
from pipelines.search.record import load_spec
from pipelines.search.seeding import load_configs, load_history
from pipelines.search.trial import Trainable
from pipelines.search.trials import FinishedTrial
from pipelines.search.zoom import zoom_lines, zoom_run
from search_spaces import SPACES, Config, SearchSpace
from trainables.data.datasets import TrialData, load, load_folds
from trainables.networks import NETWORKS, Network
from trainables.smith.lr_range_test import Bounds
from trainables.training.cross_validation import CrossValidated

_SAMPLES = 20
_TASK_METRICS = {
    "classification": ("val_accuracy", "val_loss"),
    "regression": ("val_r2", "val_loss"),
}


@dataclass(frozen=True)
class Study:
    """What is searched: all checked, nothing started."""

    trainable: Trainable
    space: SearchSpace
    data: TrialData  # the first fold, where there are folds
    metric: str
    model_name: str
    history: tuple[FinishedTrial, ...] = ()
    start_with: tuple[Config, ...] = ()
    folds: tuple[TrialData, ...] = ()
    lr_bounds: Mapping[str, Bounds] = field(default_factory=dict)  # of the range test, if made
    notes: tuple[str, ...] = ()  # what the search begins from, in lines for the user

    @property
    def trial_data(self) -> TrialData | tuple[TrialData, ...]:
        """What a trial receives."""
        return self.folds or self.data

    @property
    def trained(self) -> Trainable:
        """The trainable of a single data set."""
        wrapped = self.trainable
        return wrapped.trainable if isinstance(wrapped, CrossValidated) else wrapped

    def label(self, algo: str) -> str:
        return f"{self.data.name}-{self.model_name}-{algo}"


def prepare(
    *,
    model: str,
    data: str,
    target: str | None = None,
    fraction: float = 1.0,
    folds: int = 0,
    metric: str | None = None,
    seed: int = 0,
    trainable: str | None = None,
    space: str | None = None,
    fixed: Sequence[str] = (),
    ranges: Sequence[str] = (),
    max_parameters: float | None = None,
    seed_from: Path | None = None,
    start_with: Path | None = None,
    zoom_from: Path | None = None,
    lr_range_test: bool = False,
    batch_size_test: bool = False,
    memory: float | None = None,
    cpus: float = 1.0,
    gpus: float = 0.0,
    cycle_ends: tuple[int, ...] = (),
) -> Study:
    """Load the data and find the model and its space. Raises ``ValueError`` for what does not
    exist or does not fit together.

    For ``cycle_ends`` see :func:`trainables.training.fit.fit`.
    """
    own = _import_trainable(trainable) if trainable else None
    if own and not space:
        raise ValueError(f"--trainable {trainable} needs its --space package.module:SPACE")
    searched = _import_space(space) if space else SPACES[model]
    parts: tuple[TrialData, ...] = ()
    if folds:
        parts = load_folds(data, folds, target=target, fraction=fraction, seed=seed)
    loaded = parts[0] if parts else load(data, target=target, fraction=fraction, seed=seed)
    resolved_metric = _resolve_metric(metric, loaded, own is not None)
    notes: list[str] = []
    if zoom_from:
        _check_same_search(zoom_from, trainable or model, resolved_metric)
        searched, changes = zoom_run(zoom_from, searched if space else None)
        notes += [f"zoom      from {zoom_from}", *zoom_lines(changes)]
    searched = narrow(searched, fixed, ranges)
    if own is None:
        network = NETWORKS[model]
        network.check(loaded)
        _check_space(network, searched)
        if max_parameters:
            searched = bound_parameters(searched, network, loaded, max_parameters)
    elif max_parameters:
        raise ValueError("--max-parameters counts those of --model mlp or cnn, not of --trainable")
    first = load_configs(start_with, searched) if start_with else ()
    if memory is not None and not batch_size_test:
        raise ValueError(f"--memory {memory:g} bounds --batch-size-test, which is not asked for")
    if lr_range_test and any(entry.startswith("lr=") for entry in (*fixed, *ranges)):
        raise ValueError("--lr-range-test sets the range of lr: leave lr out of --range, --fix")
    tested = AfterTests(searched, first)
    if batch_size_test or lr_range_test:
        if own is not None:
            test = "--batch-size-test" if batch_size_test else "--lr-range-test"
            raise ValueError(f"{test} trains --model mlp or cnn, not --trainable")
        tested = run_tests_first(
            searched,
            NETWORKS[model],
            loaded,
            first,
            batch_size_test=batch_size_test,
            lr_range_test=lr_range_test,
            memory=memory,
            cpus=cpus,
            gpus=gpus,
            seed=seed,
        )
        notes += tested.notes
    history: tuple[FinishedTrial, ...] = ()
    if seed_from:
        history, dropped = load_history(seed_from, tested.space, resolved_metric)
        notes.append(
            f"history   {len(history)} trials of {seed_from}"
            + (f"; {dropped} dropped: the space does not contain them" if dropped else "")
        )
    if folds:
        notes.append(f"folds     {folds}: each sample of train and validation validates once")
    trained = own or replace(NETWORKS[model], cycle_ends=cycle_ends)
    return Study(
        trainable=CrossValidated(trained) if folds else trained,
        folds=parts,
        space=tested.space,
        data=loaded,
        metric=resolved_metric,
        model_name=trainable.rpartition(":")[2] if trainable else model,
        history=history,
        start_with=tested.start_with,
        lr_bounds=tested.lr_bounds,
        notes=tuple(notes),
    )


def _check_same_search(run: Path, model: str, metric: str) -> None:
    spec = load_spec(run)
    for what, now in (("model", model), ("metric", metric)):
        if spec[what] != now:
            raise ValueError(f"--zoom-from {run} has the {what} {spec[what]}, not {now}")


def _resolve_metric(metric: str | None, data: TrialData, own: bool) -> str:
    allowed = _TASK_METRICS[data.task]
    if metric is None:
        return allowed[0]
    if metric not in allowed and not own:
        raise ValueError(
            f"--metric {metric} does not fit '{data.name}', a {data.task}: "
            f"choose {' or '.join(allowed)}"
        )
    return metric


def _import_trainable(reference: str) -> Trainable:
    function = import_object(reference)
    if not callable(function):
        raise ValueError(f"--trainable {reference} is a {type(function).__name__}, not a function")
    return function


def _import_space(reference: str) -> SearchSpace:
    space = import_object(reference)
    if not isinstance(space, SearchSpace):
        raise ValueError(f"--space {reference} is a {type(space).__name__}, not a SearchSpace")
    return space


def _check_space(network: Network, space: SearchSpace) -> None:
    """A parameter that the network does not take, or a value out of its range, shows in samples."""
    rng = np.random.default_rng(0)
    for config in (space.sample(rng) for _ in range(_SAMPLES)):
        try:
            network.config.from_dict(config)
        except ValueError as error:
            raise ValueError(
                f"the space does not fit the {network.module.__name__}: {error}"
            ) from None
