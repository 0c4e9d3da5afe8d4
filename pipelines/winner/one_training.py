"""One training for good, as a process of the cluster runs it: light to import."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from pipelines.cluster.sharing import assigned_gpus
from search_spaces import Config
from trainables.data.datasets import TrialData
from trainables.device.share import claim_device, set_threads

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pipelines.tuner.trial import Trainable


@dataclass(frozen=True)
class Training:
    """One training: the first ``epochs`` of one that is planned for ``max_epochs``, as in the
    search, so that the learning rate moves as it did there."""

    config: Config
    epochs: int
    max_epochs: int
    seed: int


def train(given: tuple[Trainable, TrialData], training: Training, cpus: float) -> nn.Module | None:
    """:func:`train_here` with what Ray has reserved for this process."""
    set_threads(cpus)
    trainable, data = given
    return train_here(trainable, data, training, claim_device(assigned_gpus()))


def train_here(
    trainable: Trainable, data: TrialData, training: Training, device: torch.device
) -> nn.Module | None:
    """The trained network on the CPU; None where the training diverged.

    Raises ``ValueError`` where the trainable yields no model.
    """
    import torch

    epochs = trainable(
        training.config,
        data,
        max_epochs=training.max_epochs,
        seed=training.seed,
        device=device,
    )
    last: nn.Module | None = None
    for metrics, model in islice(epochs, training.epochs):
        if metrics.get("diverged", False):
            return None
        last = model
    if last is None:
        raise ValueError("the trainable yields no model, and it is the model that is wanted")
    # On a GPU it may have had its channels last, which nobody expects elsewhere.
    return last.cpu().to(memory_format=torch.contiguous_format).eval()
