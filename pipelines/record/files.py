"""Where the parts of a run lie in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.record.trials import FinishedTrial


@dataclass(frozen=True)
class RunFiles:
    """The parts of the run in ``folder``; which of them are there depends on the run."""

    folder: Path

    @property
    def spec(self) -> Path:
        """What decides the run: a study file, see :mod:`pipelines.record.header`."""
        return self.folder / "spec.json"

    @property
    def preprocessing(self) -> Path:
        """What made the inputs of the trials, as JSON: a list with one for each fold."""
        return self.folder / "preprocessing.json"

    @property
    def journal(self) -> Path:
        """Every finished trial, in Optuna's format."""
        return self.folder / "study.journal"

    @property
    def repeats(self) -> Path:
        """The same of the trainings of the best configs with other seeds."""
        return self.folder / "repeats.journal"

    @property
    def events(self) -> Path:
        """What happened to its trials, in order: see :mod:`pipelines.record.events`."""
        return self.folder / "events.jsonl"

    @property
    def repeats_events(self) -> Path:
        """The same of the repeats."""
        return self.folder / "repeats.events.jsonl"

    @property
    def sessions(self) -> Path:
        """When drivers worked on it: see :mod:`pipelines.record.sessions`."""
        return self.folder / "sessions.jsonl"

    @property
    def appended(self) -> tuple[Path, ...]:
        """The files that grow by a line at a time."""
        return (self.journal, self.events, self.repeats, self.repeats_events, self.sessions)

    @property
    def lock(self) -> Path:
        """Held by the driver: see :mod:`pipelines.record.lock`."""
        return self.folder / "lock"

    @property
    def live(self) -> Path:
        """How the search stands, while it runs: see :mod:`pipelines.record.live`."""
        return self.folder / "live.json"

    @property
    def table(self) -> Path:
        """The finished trials as a table."""
        return self.folder / "trials.csv"

    @property
    def front(self) -> Path:
        """The Pareto front of several objectives as a table."""
        return self.folder / "front.csv"

    @property
    def weights(self) -> Path:
        """Of the run's winner: see ``docs/after.md``."""
        return self.folder / "best.pt"

    @property
    def repeated_weights(self) -> Path:
        """Of the best repeat of each config that was repeated."""
        return self.folder / "repeats"

    def weights_of(self, trial: FinishedTrial) -> Path:
        """Where the weights lie that are kept of a trial of this run, where any are."""
        if trial.repeat_of:
            return self.repeated_weights / f"{trial.repeat_of}.pt"
        return self.weights

    @property
    def winner(self) -> Path:
        """The config of the winner, after repeats."""
        return self.folder / "winner.yaml"

    @property
    def baselines(self) -> Path:
        """What quick models score on the validation samples."""
        return self.folder / "baselines.json"

    @property
    def looks(self) -> Path:
        """What the test set has shown, and how often it was asked."""
        return self.folder / "evaluation.json"

    @property
    def report(self) -> Path:
        """All there is to see of the run, in one page."""
        return self.folder / "report.html"

    @property
    def errors(self) -> Path:
        """What failed trials raised, a file each."""
        return self.folder / "errors"

    @property
    def printed(self) -> Path:
        """What trials printed, a file for each that did."""
        return self.folder / "printed"

    @property
    def ray(self) -> Path:
        """Ray's own working files."""
        return self.folder / "ray"
