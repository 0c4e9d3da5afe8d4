"""The settings of the tests before a search."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import AfterValidator, Field, model_validator

from pipelines.study.settings import (
    AtLeastTwo,
    Count,
    Folder,
    Memory,
    NotNegative,
    Positive,
    Real,
    Settings,
    Whole,
    one_of,
)
from trainables.smith.batch_size_rule import SCALINGS, scale_lr
from trainables.smith.lr_range_rule import MIN_POINTS


def _on_this_machine(cpus: float) -> float:
    """Refuses more threads than processors: they would wait for each other, for minutes a step."""
    here = os.cpu_count() or 1
    if cpus > here:
        raise ValueError(f"{cpus:g} is above {here}, the CPUs of this machine")
    return cpus


class LimitSettings(Settings):
    """What a test takes of the machine, and where its results go."""

    cpus: Annotated[Positive, AfterValidator(_on_this_machine)] = 1
    """CPUs that the test uses: as many as a trial will have."""
    output: Folder | None = None
    """A new folder for the figures and the numbers; by default in one named after the test."""


class MemorySettings(Settings):
    """The memory that a step may need."""

    memory: Memory | None = None
    """Most memory of a step, such as 2GB; by default all of the GPU's, or half of the RAM."""


class SweepSettings(Settings):
    """How the learning rate rises."""

    growth: Literal["exponential", "linear"] = "exponential"
    """How the learning rate rises."""
    low: Positive = 1e-5
    """The first learning rate."""
    high: Positive | None = None
    """The last learning rate; by default 10; with linear growth 1, or 0.1 for AdamW."""
    iterations: Annotated[Whole, Field(ge=MIN_POINTS)] | None = None
    """Optimiser steps of the sweep; by default 4 epochs, but between 150 and 400 steps."""
    epochs: Positive | None = None
    """The length of the sweep in epochs, instead of --iterations."""
    divisor: Annotated[Real, Field(gt=1)] = 10
    """base_lr is max_lr divided by this; usually 10 or 100."""

    @model_validator(mode="after")
    def _fits_together(self) -> SweepSettings:
        if self.iterations is not None and self.epochs is not None:
            raise ValueError(
                f"`iterations` {self.iterations} and `epochs` {self.epochs:g}: give one of the two"
            )
        return self


class ScalingSettings(Settings):
    """How the learning rate grows with the batch size, if the user wants to see it."""

    scale_lr: (
        Annotated[str, AfterValidator(one_of(SCALINGS)), Parameter(choices=list(SCALINGS))] | None
    ) = None
    """How the learning rate grows with the batch size (Goyal et al. 2017; Hoffer et al. 2017)."""
    lr: Positive | None = None
    """The learning rate to scale."""
    lr_batch_size: Count | None = None
    """The batch size that --lr belongs to."""

    @property
    def asked(self) -> bool:
        return self.scale_lr is not None

    def at(self, batch_size: int) -> float:
        """The learning rate for ``batch_size``."""
        assert self.scale_lr is not None
        assert self.lr is not None
        assert self.lr_batch_size is not None
        return scale_lr(self.lr, self.lr_batch_size, batch_size, self.scale_lr)

    @model_validator(mode="after")
    def _fits_together(self) -> ScalingSettings:
        if self.asked and (self.lr is None or self.lr_batch_size is None):
            raise ValueError(f"`scale_lr` {self.scale_lr} needs `lr` and `lr_batch_size`")
        if not self.asked and (self.lr is not None or self.lr_batch_size is not None):
            raise ValueError("`lr` and `lr_batch_size` need `scale_lr` linear or sqrt")
        return self


class BatchSizeSettings(MemorySettings):
    """The memory that a step may need, and the device that it runs on."""

    gpus: NotNegative = 1
    """GPUs to use; 0 takes the CPU even if there is a GPU."""


class ShortRunSettings(MemorySettings):
    """The memory that a step may need, and how long the short trainings are."""

    epochs: AtLeastTwo | None = None
    """Epochs of each training that compares momenta or decays; default: 5, at least 80 steps."""
