"""Training a trial again, outside of Ray: are its numbers the same?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from pipelines.record.trials import FinishedTrial
from pipelines.study.circumstances import machine, versions
from pipelines.study.references import is_importable
from pipelines.study.runs import Run
from pipelines.tuner.epoch_reports import report
from pipelines.tuner.ledger.running import shortened
from pipelines.tuner.trial_settings import TrialSettings
from pipelines.winner.candidates import check_by_itself
from pipelines.winner.planned import planned_at
from pipelines.winner.training import search_data, trainable_of
from trainables.device.process_settings import seed_generators
from trainables.device.share import pick_device, set_threads
from trainables.training.cross_validation import CrossValidated
from trainables.training.trainable import Metrics, Trainable

_OF_THE_MOMENT = ("seconds",)  # metrics that no two trainings share


@dataclass(frozen=True)
class Difference:
    """A number that differs from the record."""

    metric: str
    recorded: float | None
    now: float | None


@dataclass(frozen=True)
class ReplayedEpoch:
    """Of the ``compared`` numbers, ``exact`` are recorded with all their digits, the others with
    six digits."""

    epoch: int
    metrics: Mapping[str, float]
    compared: int
    exact: int
    differences: tuple[Difference, ...]


def check_replayable(run: Run, number: int, trial: FinishedTrial) -> None:
    """Raises ``ValueError`` for a trial that cannot be trained again by itself, or by this process,
    because its function cannot be found."""
    own = run.spec.problem.trainable
    if not is_importable(own):
        raise ValueError(
            f"{run.files.folder} searched {own}, a function that was given in Python: only one "
            "that can be imported, MODULE:NAME, can be replayed"
        )
    trainable_of(run)
    check_by_itself(run, number, trial)
    if not trial.curve:
        why = f", because it breaks {trial.broken}" if trial.untrained else ""
        raise ValueError(f"`trial` {number} of {run.files.folder} has reported no epoch{why}")


def replay(
    run: Run, trial: FinishedTrial, show: Callable[[ReplayedEpoch], None]
) -> list[ReplayedEpoch]:
    """Train ``trial`` again in this process, with its seed and its number of threads, for as many
    epochs as are recorded. It plans the number of epochs that the trial planned in the last of
    them. ``show`` gets each epoch when it ends.

    Raises ``ValueError`` if the data have changed, or if the trainable cannot be found.
    """
    folds, trainable = search_data(run), trainable_of(run)
    resources = run.spec.resources.trial
    set_threads(resources.cpus)
    if run.spec.problem.trainable:
        seed_generators(trial.seed)
    of_folds = len(folds) > 1
    start: Trainable = CrossValidated(trainable) if of_folds else trainable
    max_epochs = planned_at(run, trial, trial.epochs)
    training = start(
        dict(trial.config),
        folds if of_folds else folds[0],
        max_epochs=max_epochs,
        seed=trial.seed,
        device=pick_device(resources.gpus),
    )
    settings = TrialSettings(
        trainable,
        run.metric,
        max_epochs,
        resources.cpus,
        storage="",
        data_key="",
        worst=trial.value if trial.diverged else None,
    )
    replayed = []
    for number, metrics in enumerate(_metrics(training, trial.epochs), start=1):
        found = report(metrics, number, settings)
        replayed.append(_compared(trial, found.epoch, found.value, found.metrics))
        show(replayed[-1])
    return replayed


def _metrics(training: Iterator[tuple[Metrics, object]], epochs: int) -> Iterator[Metrics]:
    for metrics, _ in islice(training, epochs):
        yield metrics


def _compared(
    trial: FinishedTrial, epoch: int, value: float, metrics: Mapping[str, float]
) -> ReplayedEpoch:
    place = sorted(trial.curve).index(epoch) if epoch in trial.curve else None
    pairs: list[Difference] = [Difference("the metric searched for", trial.curve.get(epoch), value)]
    if epoch == trial.best_epoch:
        pairs += [Difference(name, v, metrics.get(name)) for name, v in trial.metrics.items()]
    exact = len([pair for pair in pairs if pair.metric not in _OF_THE_MOMENT])
    for name, curve in trial.curves.items():
        recorded = None if place is None else curve[place]
        pairs.append(Difference(name, recorded, shortened(metrics.get(name))))
    pairs = [pair for pair in pairs if pair.metric not in _OF_THE_MOMENT]
    return ReplayedEpoch(
        epoch,
        metrics,
        len(pairs),
        exact,
        tuple(pair for pair in pairs if pair.recorded != pair.now),
    )


def other_circumstances(run: Run, trial: FinishedTrial) -> list[str]:
    """What differs from the time when ``run`` searched, as far as the record says."""
    found = []
    for then, now in ((run.versions, versions()), (run.machine, machine())):
        found += [
            f"{name} {was} then, {now[name]} now"
            for name, was in then.items()
            if name in now and now[name] != was
        ]
    if trial.gpus and pick_device(trial.gpus).type == "cpu":
        found.append("it had a GPU then, and there is none now")
    elif trial.gpus:
        found.append("it ran on a GPU, where the order of some sums is not fixed")
    if trial.machines_lost or trial.failures:
        found.append("it went on from a checkpoint after an attempt was lost")
    lengths = [f"{n} from epoch {epoch} on" for epoch, n in sorted(trial.planned.items())]
    if lengths:
        found.append(f"its planned number of epochs changed on the way: {', '.join(lengths)}")
    return found
