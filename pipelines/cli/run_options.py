"""What ``run.py`` is to do with a study."""

from __future__ import annotations

from pydantic import model_validator

from pipelines.study.settings import File, Positive, Settings
from pipelines.study.spec import RunFolder


class RunOptions(Settings):
    """What is done with the study."""

    resume: RunFolder | None = None
    """Go on with a run: finish it, or extend it with more trials, epochs or time."""
    study: File | None = None
    """A study file (YAML, or a run's spec.json) with the settings that are not given here."""
    print_study: bool = False
    """Print a study file with all settings, and stop."""
    dry_run: bool = False
    """Print the plan and an estimate, and stop."""
    node_price: Positive | None = None
    """The price of a node per hour, for the estimate of --dry-run."""
    plot_schedule: bool = False
    """Draw the learning rate and momentum of the best trial."""

    @model_validator(mode="after")
    def _fits_together(self) -> RunOptions:
        if self.resume is not None and self.study is not None:
            raise ValueError(f"`resume` {self.resume} has its own settings: leave `study` out")
        if self.node_price is not None and not self.dry_run:
            raise ValueError(f"`node_price` {self.node_price:g} is for `dry_run`")
        return self
