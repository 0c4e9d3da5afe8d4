"""The settings for testing and exporting a winner, each declared once."""

from __future__ import annotations

from typing import Annotated, Self

from cyclopts import Parameter
from pydantic import model_validator

from pipelines.study.settings import AtLeastTwo, Count, Settings


class Chosen(Settings):
    """Which configs of a run to take."""

    trial: Annotated[str, Parameter(metavar="N")] | None = None
    """The number of a trial, as in the report; by default the winner."""
    ensemble: Annotated[AtLeastTwo, Parameter(metavar="K")] | None = None
    """The mean prediction of several configs, selected among the K best by validation loss."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.trial is not None and self.ensemble is not None:
            raise ValueError(f"`trial` {self.trial} and `ensemble` {self.ensemble}: give one")
        return self


class EvaluationSettings(Chosen):
    """What is tested, and how often it is trained."""

    seeds: Annotated[Count, Parameter(metavar="N")] | None = None
    """Trainings of each config; five by default."""
    again: bool = False
    """Look at the test set once more: the record counts the looks."""

    @property
    def n_seeds(self) -> int:
        """Trainings of each config."""
        return self.seeds or 5


class ExportSettings(Chosen):
    """What is exported."""

    seeds: Annotated[Count, Parameter(metavar="N")] | None = None
    """Train again on train and validation, with N seeds, and export the networks together."""
    onnx: bool = False
    """Write model.onnx too."""

    @property
    def n_seeds(self) -> int:
        """Trainings of each config; 0 for the weights that the search kept."""
        return self.seeds or (1 if self.ensemble else 0)
