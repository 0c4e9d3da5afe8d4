"""The networks that can be trained, by the name under which the user asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from trainables.cnn import CNN, CNNConfig
from trainables.config import TrainingConfig
from trainables.fit import fit
from trainables.mlp import MLP, MLPConfig

if TYPE_CHECKING:
    from trainables.datasets import TrialData


@dataclass(frozen=True)
class Network:
    """A network and the hyperparameters that it takes; calling it trains one.

    ``module`` is called with a config, the shape of one sample and the number of outputs.
    """

    config: type[TrainingConfig]
    module: type[nn.Module]
    needs_images: bool = False

    def check(self, data: TrialData) -> None:
        """Raises ``ValueError`` where the network cannot take ``data``."""
        if self.needs_images and not data.is_image:
            raise ValueError(
                f"a {self.module.__name__} needs images; '{data.name}' is a table with "
                f"{data.input_shape[0]} columns: use --model mlp"
            )

    def build(
        self, config: Mapping[str, object], data: TrialData
    ) -> tuple[TrainingConfig, nn.Module]:
        """The checked config, and an untrained network for ``data`` on the CPU.

        Its weights come from torch's global generator, which the caller seeds. Raises
        ``ValueError`` for an unknown, missing or invalid hyperparameter, and for data that the
        network cannot take.
        """
        self.check(data)
        checked = self.config.from_dict(config)
        return checked, self.module(checked, data.input_shape, data.n_classes)

    def size(self, config: Mapping[str, object], data: TrialData) -> int:
        """The number of trainable parameters, counted without making them."""
        with torch.device("meta"):
            _, model = self.build(config, data)
        return sum(parameter.numel() for parameter in model.parameters())

    def __call__(
        self,
        config: Mapping[str, object],
        data: TrialData,
        *,
        max_epochs: int,
        seed: int,
        device: torch.device,
    ) -> Iterator[tuple[dict[str, float | int | bool], nn.Module]]:
        """Yields each epoch's metrics and the model as it stands; see :func:`trainables.fit.fit`.

        ``seed`` decides the weights, the order of the batches and dropout, through torch's global
        generator: in one process, finish one training before the next starts. Raises what
        :meth:`build` raises, at once and not with the first epoch.
        """
        torch.manual_seed(seed)
        checked, model = self.build(config, data)
        epochs = fit(model, checked, data, max_epochs=max_epochs, seed=seed, device=device)
        return ((metrics.as_dict(), model) for metrics in epochs)


TRAINABLES: dict[str, Network] = {
    "mlp": Network(MLPConfig, MLP),
    "cnn": Network(CNNConfig, CNN, needs_images=True),
}
