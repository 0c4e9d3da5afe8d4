"""Where the parts of a run lie in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.record.trials import FinishedTrial


@dataclass(frozen=True)
class RunFiles:
    """The files of the run in ``folder``; which of them exist depends on the run."""

    folder: Path

    @property
    def spec(self) -> Path:
        """The settings of the run, as a study file: see :mod:`pipelines.record.header`."""
        return self.folder / "spec.json"

    @property
    def preprocessing(self) -> Path:
        """How the inputs of the trials were made, as a JSON list with one entry per fold."""
        return self.folder / "preprocessing.json"

    @property
    def journal(self) -> Path:
        """Every finished trial, in Optuna's format."""
        return self.folder / "study.journal"

    @property
    def repeats(self) -> Path:
        """The same for the trainings of the best configs with other seeds."""
        return self.folder / "repeats.journal"

    @property
    def events(self) -> Path:
        """What happened to the trials, in order: see :mod:`pipelines.record.events`."""
        return self.folder / "events.jsonl"

    @property
    def repeats_events(self) -> Path:
        """The same for the repeats."""
        return self.folder / "repeats.events.jsonl"

    @property
    def sessions(self) -> Path:
        """When drivers worked on the run: see :mod:`pipelines.record.sessions`."""
        return self.folder / "sessions.jsonl"

    @property
    def appended(self) -> tuple[Path, ...]:
        """The files that grow line by line."""
        return (self.journal, self.events, self.repeats, self.repeats_events, self.sessions)

    @property
    def lock(self) -> Path:
        """Held by the driver: see :mod:`pipelines.record.lock`."""
        return self.folder / "lock"

    @property
    def live(self) -> Path:
        """The state of the search while it runs: see :mod:`pipelines.record.live`."""
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
        """The weights of the run's winner: see ``docs/after.md``."""
        return self.folder / "best.pt"

    @property
    def repeated_weights(self) -> Path:
        """A folder with the weights of the best repeat of each repeated config."""
        return self.folder / "repeats"

    def weights_of(self, trial: FinishedTrial) -> Path:
        """The file for the weights of ``trial``, if they are kept."""
        if trial.repeat_of:
            return self.repeated_weights / f"{trial.repeat_of}.pt"
        return self.weights

    @property
    def winner(self) -> Path:
        """The config of the winner after repeats."""
        return self.folder / "winner.yaml"

    @property
    def baselines(self) -> Path:
        """The scores of quick models on the validation samples."""
        return self.folder / "baselines.json"

    @property
    def looks(self) -> Path:
        """The results on the test set, one entry per evaluation."""
        return self.folder / "evaluation.json"

    @property
    def report(self) -> Path:
        """Everything about the run, on one page."""
        return self.folder / "report.html"

    @property
    def errors(self) -> Path:
        """A folder with what failed trials raised, one file per trial."""
        return self.folder / "errors"

    @property
    def printed(self) -> Path:
        """A folder with what trials printed, one file per trial that printed anything."""
        return self.folder / "printed"

    @property
    def ray(self) -> Path:
        """Ray's own working files."""
        return self.folder / "ray"


def missing(path: Path) -> str:
    """Why there is no file ``path`` in its folder; "" if there is one."""
    if path.is_file():
        return ""
    if path.parent.is_dir():
        return f"it has no {path.name}"
    return "it is a file" if path.parent.exists() else "there is no such folder"
