"""The settings of what is done with a winner, each declared once."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from pydantic import model_validator

from pipelines.study.settings import AtLeastTwo, Count, Settings


class EvaluationSettings(Settings):
    """What is tested, and how often it is trained."""

    trial: Annotated[str, Parameter(metavar="N")] | None = None
    """The number of a trial, as in the report; by default the winner."""
    ensemble: Annotated[AtLeastTwo, Parameter(metavar="K")] | None = None
    """The K best configs together, by the mean of their predictions."""
    seeds: Count = 5
    """Trainings of each config."""
    again: bool = False
    """Look at the test set once more: the record counts the looks."""

    @model_validator(mode="after")
    def _fits_together(self) -> EvaluationSettings:
        if self.trial is not None and self.ensemble is not None:
            raise ValueError(f"`trial` {self.trial} and `ensemble` {self.ensemble}: give one")
        return self


class ExportSettings(Settings):
    """What is exported."""

    trial: Annotated[str, Parameter(metavar="N")] | None = None
    """The number of a trial, as in the report; by default the winner."""
    onnx: bool = False
    """Write model.onnx too."""
