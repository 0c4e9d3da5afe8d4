"""One training of a chosen config, as a worker of the cluster runs it: light to import."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ray.util import get_node_ip_address

from pipelines.cluster.sharing import assigned_gpus
from pipelines.cluster.word import leave_word
from pipelines.tuner.worker.own_data import OwnData
from search_spaces import Config
from trainables.data.datasets import TrialData
from trainables.device.share import claim_device, set_threads
from trainables.networks import Network
from trainables.training.trainable import Trainable, has_diverged

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Training:
    """The first ``epochs`` epochs of a training that is planned for ``max_epochs``, as in the
    search, so that the learning rate moves as it did there."""

    config: Config
    epochs: int
    max_epochs: int
    seed: int
    number: int = 0  # of the trial
    gpus: float = 0.0  # that Ray reserves for the training
    needed: tuple[str, ...] = ()  # the metrics that must be finite, as in the search


def train(
    given: tuple[Trainable, TrialData, str], training: Training, cpus: float
) -> nn.Module | None:
    """:func:`train_here` with what Ray has reserved for this process. ``given`` are a trainable,
    data, and a key that no other data have. If there is a GPU and CUDA does not work, it leaves the
    address of this machine as a word at this key."""
    set_threads(cpus)
    trainable, data, key = given
    device = claim_device(assigned_gpus())
    if assigned_gpus() and device.type == "cpu":
        leave_word(key, get_node_ip_address())
    return train_here(trainable, data, training, device, key)


def train_here(
    trainable: Trainable,
    data: TrialData,
    training: Training,
    device: torch.device,
    data_key: str | None = None,
) -> nn.Module | None:
    """The trained network on the CPU; None if the training diverged. A user's own function gets its
    own copy of the data and seeded generators, as in the search.

    Raises ``ValueError`` if the trainable yields no model.
    """
    import torch

    last: nn.Module | None = None
    with _prepared(trainable, data, training.seed, data_key) as own:
        epochs = trainable(
            training.config,
            own,
            max_epochs=training.max_epochs,
            seed=training.seed,
            device=device,
        )
        for metrics, model in islice(epochs, training.epochs):
            if has_diverged(metrics, training.needed):
                return None
            last = model
    if last is None:
        raise ValueError("the trainable yields no model: a model is needed here")
    # On a GPU its memory format may have been channels-last, which nobody expects elsewhere.
    return last.cpu().to(memory_format=torch.contiguous_format).eval()


@contextmanager
def _prepared(
    trainable: Trainable, data: TrialData, seed: int, data_key: str | None
) -> Iterator[TrialData]:
    """The data for ``trainable``. Ours do not change the data, and are random by their seed alone;
    a user's own function gets a copy of the data and seeded generators."""
    if isinstance(trainable, Network):
        yield data
        return
    from trainables.device.process_settings import seed_generators

    owner = OwnData(data, data_key or secrets.token_hex(8))
    try:
        seed_generators(seed)
        yield owner.fresh()
    finally:
        owner.close()
