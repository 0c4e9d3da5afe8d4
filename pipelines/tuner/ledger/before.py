"""The state of a search when its driver ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelines.record.events import (
    Asked,
    Ended,
    Event,
    Planned,
    Reported,
    Saved,
    TrainedOn,
    TriedAgain,
)
from pipelines.record.trials import FinishedTrial, State, latest
from pipelines.tuner.attempts import Attempt
from search_spaces import Config


@dataclass(frozen=True)
class Unfinished:
    """A trial that was running or was about to start, and what it goes on from."""

    attempt: Attempt
    config: Config
    started: float  # seconds since 1970
    since: float  # its start; if it had ended before, when it was to train on
    seconds: float = 0.0  # for which earlier drivers ran it
    metrics: Mapping[int, Mapping[str, float]] = field(default_factory=dict)  # up to its checkpoint
    resumed: int = 0
    planned: Mapping[int, int] = field(default_factory=dict)  # see FinishedTrial

    def longer(self, before: int, now: int) -> Unfinished:
        """The trial as planned now that the study has ``now`` epochs instead of ``before``."""
        epochs = max(self.metrics, default=0)
        if before == now or not epochs:
            return replace(self, planned=self.planned if epochs else {})
        return replace(self, planned={**(self.planned or {1: before}), epochs + 1: now})


@dataclass(frozen=True)
class Before:
    """All that was recorded. ``entries`` are the trials in the journal, including those that were
    cut short."""

    events: Sequence[Event] = ()
    entries: Sequence[FinishedTrial] = ()
    unfinished: Sequence[Unfinished] = ()
    seconds: float = 0.0  # of all drivers together
    # The trials whose state is kept so that they can be trained on, and where it lies.
    kept: Mapping[str, str] = field(default_factory=dict)
    trained_on: Collection[str] = ()  # trials to be trained on now; they are in `unfinished` too

    @property
    def ended(self) -> list[FinishedTrial]:
        """The trials that have ended and do not go on, in the order of their ends."""
        going_on = {trial.attempt.trial_id for trial in self.unfinished}
        return [
            trial for trial in self.trials if trial.trial_id not in going_on and not trial.cut_short
        ]

    @property
    def ends(self) -> dict[str, FinishedTrial]:
        """The last end of each trial, in their order; also of trials that are trained on."""
        return {t.trial_id: t for t in latest(t for t in self.entries if not t.cut_short)}

    @property
    def told(self) -> set[str]:
        """The trials whose results the algorithm knows, including those that are trained on."""
        return {event.trial_id for event in self.events if isinstance(event, Ended)}

    @property
    def trials(self) -> list[FinishedTrial]:
        """The latest entry of each trial."""
        return latest(self.entries)

    @property
    def asked(self) -> list[Asked]:
        return [event for event in self.events if isinstance(event, Asked)]


def matched(events: Sequence[Event], entries: Sequence[FinishedTrial]) -> list[Event]:
    """``events``, made to agree with the journal, which decides.

    Events of trials that are only in the journal are added at the end: of the last trial if the
    driver was killed between the two files, of all trials if an older version wrote the record. The
    end of a trial is dropped if the journal has lost it together with its last line.
    """
    ends = Counter(trial.trial_id for trial in entries if not trial.cut_short)
    found: list[Event] = []
    for event in events:
        if isinstance(event, Ended):
            if not ends[event.trial_id]:
                continue
            ends[event.trial_id] -= 1
        found.append(event)
    asked = {event.trial_id for event in events if isinstance(event, Asked)}
    for trial in entries:
        end, trial_id = trial.started + trial.seconds, trial.trial_id
        if trial_id not in asked:
            asked.add(trial_id)
            values = {} if trial.diverged else dict(trial.curve)
            found += [
                Asked(trial.started, trial_id, trial.config, trial.seed, trial.repeat_of),
                Reported(end, trial_id, values),
            ]
        if not trial.cut_short and ends[trial_id]:
            ends[trial_id] -= 1
            found.append(Ended(end, trial_id))
    return found


def unfinished(
    events: Sequence[Event], entries: Sequence[FinishedTrial], metric: str
) -> list[Unfinished]:
    """The trials that were asked for and have not ended, in the order in which they were asked for,
    and then the trials that are trained on. The places of their checkpoints are as in the record;
    ``seconds`` is not filled in. A trial whose end the journal has lost goes on from before it."""
    ended = {entry.trial_id: entry for entry in entries if not entry.cut_short}
    found: dict[str, Unfinished] = {}
    for event in events:
        trial = found.get(event.trial_id)
        if isinstance(event, Asked):
            attempt = Attempt(event.trial_id, event.seed, event.repeat_of)
            found[event.trial_id] = Unfinished(attempt, event.config, event.at, event.at)
        elif isinstance(event, Ended):
            found.pop(event.trial_id, None)
        elif isinstance(event, TrainedOn) and (entry := ended.get(event.trial_id)):
            found[event.trial_id] = to_train_on(entry, metric, event.checkpoint, event.at)
        elif trial is None:
            continue
        elif isinstance(event, Planned):
            found[event.trial_id] = replace(trial, planned=event.lengths)
        elif isinstance(event, Saved):
            if min(event.metrics) > max(trial.metrics, default=0) + 1:
                continue  # the epochs between were only in the journal
            reached = {epoch: m for epoch, m in trial.metrics.items() if epoch < min(event.metrics)}
            attempt = replace(trial.attempt, checkpoint=event.checkpoint)
            found[event.trial_id] = replace(
                trial, attempt=attempt, metrics={**reached, **event.metrics}
            )
        elif isinstance(event, TriedAgain):
            attempt = trial.attempt.with_counts(event.counts)
            found[event.trial_id] = replace(trial, attempt=attempt)
    return list(found.values())


def trained_in_vain(earlier: FinishedTrial, longer: FinishedTrial) -> FinishedTrial:
    """What is recorded of a trial that had ended as ``earlier`` and was then trained on as
    ``longer``, which diverged, failed or breaks a requirement: what it had reached before."""
    if longer.diverged:
        why = f"diverged in epoch {longer.epochs}"
    elif longer.state is State.FAIL:
        why = f"failed ({longer.error})"
    else:
        why = f"broke {longer.broken}"
    counts = f"that of {earlier.epochs} epoch{'s' * (earlier.epochs > 1)} counts"
    return replace(
        earlier,
        error=f"its longer training {why}; {counts}",
        planned=longer.planned or earlier.planned,
    )


def to_train_on(trial: FinishedTrial, metric: str, checkpoint: str, at: float) -> Unfinished:
    """A trial that has ended, prepared to go on from its last epoch."""
    epochs = sorted(trial.curve)
    curves = {name: dict(zip(epochs, values, strict=True)) for name, values in trial.curves.items()}
    metrics: dict[int, Mapping[str, float]] = {
        epoch: {
            **{name: value for name in curves if (value := curves[name][epoch]) is not None},
            metric: trial.curve[epoch],
        }
        for epoch in epochs
    }
    if trial.best_epoch is not None:
        metrics[trial.best_epoch] = trial.metrics  # with all digits
    attempt = Attempt(trial.trial_id, trial.seed, checkpoint=checkpoint)
    return Unfinished(
        attempt=attempt,
        config=trial.config,
        started=trial.started,
        since=at,
        seconds=trial.seconds,
        metrics=metrics,
        resumed=trial.resumed,
        planned=trial.planned,
    )
