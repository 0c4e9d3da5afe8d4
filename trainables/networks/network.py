"""A kind of network and its hyperparameters, ready to be trained."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from trainables.training.config import TrainingConfig

if TYPE_CHECKING:
    import torch
    from torch import nn

    from trainables.data.datasets import TrialData
    from trainables.training.fit import Training

# auto means bf16 for a CNN on a GPU that supports it, otherwise fp32.
Precision: TypeAlias = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class Module:
    """A torch module, given by its place, ``package.module:Class``.

    It is imported when the first network is made: importing torch takes a second, and a process
    that only runs a search does not need it.
    """

    place: str

    def __call__(
        self, config: Any, input_shape: tuple[int, ...], n_outputs: int, **more: Any
    ) -> nn.Module:
        module: nn.Module = pkgutil.resolve_name(self.place)(config, input_shape, n_outputs, **more)
        return module


@dataclass(frozen=True)
class Network:
    """A kind of network and its hyperparameters. Calling it trains a network.

    ``module`` is called with a config, the shape of one sample and the number of outputs. If
    ``sees_data``, it also gets the data, and may keep statistics of them in its buffers.
    """

    config: type[TrainingConfig]
    module: Callable[..., nn.Module]
    needs_images: bool = False
    sees_data: bool = False
    without_use: Callable[[TrialData], Mapping[str, Any]] = lambda data: {}
    """The hyperparameters that have no effect on the given data, and the values they then take."""
    cycle_ends: Callable[[int], tuple[int, ...]] = lambda max_epochs: ()
    """The ends of the cycles of a training of so many epochs: see
    :func:`trainables.training.fit.fit`."""
    precision: Precision = "auto"
    """How it computes on a GPU; on a CPU everything is float32."""

    @property
    def name(self) -> str:
        """The name of the kind of network, such as MLP."""
        return self.config.__name__.removesuffix("Config")

    def check(self, data: TrialData) -> None:
        """Raises ``ValueError`` if the network cannot take ``data``."""
        if self.needs_images and not data.is_image:
            raise ValueError(
                f"a {self.name} needs images; '{data.name}' is a table with "
                f"{data.input_shape[0]} columns: use `model=mlp`"
            )

    def build(
        self, config: Mapping[str, object], data: TrialData
    ) -> tuple[TrainingConfig, nn.Module]:
        """The checked config, and an untrained network for ``data`` on the CPU.

        The weights come from torch's global generator, which the caller seeds. The network begins
        close to a model that knows only the distribution of the targets. Raises ``ValueError`` for
        an unknown, missing or invalid hyperparameter, and for data that the network cannot take.
        """
        self.check(data)
        from trainables.networks.prior import start_at_prior

        checked = self.config.from_dict(config)
        more = {"data": data} if self.sees_data else {}
        model = self.module(checked, data.input_shape, data.n_classes, **more)
        start_at_prior(model, data)
        return checked, model

    def in_bf16(self, device: torch.device) -> bool:
        """Whether the network computes in bfloat16 on ``device``; see
        :class:`trainables.training.passes.Passes`."""
        if device.type != "cuda" or self.precision == "fp32":
            return False
        import torch

        return self.precision == "bf16" or (
            self.needs_images and torch.cuda.is_bf16_supported(including_emulation=False)
        )

    def size(self, config: Mapping[str, object], data: TrialData) -> int:
        """The number of trainable parameters, counted without making them."""
        import torch

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
    ) -> NetworkTraining:
        """Yields each epoch's metrics and the model as it stands; see
        :func:`trainables.training.fit.fit`.

        ``seed`` determines the weights, the order of the batches and dropout. Dropout draws from
        torch's global generator, so a process must finish one training before it starts the next.
        Raises whatever :meth:`build` raises, at once and not with the first epoch.
        """

        from trainables.training.fit import fit, seed_torch

        seed_torch(seed, device)
        checked, model = self.build(config, data)
        return NetworkTraining(
            fit(
                model,
                checked,
                data,
                max_epochs=max_epochs,
                seed=seed,
                device=device,
                cycle_ends=self.cycle_ends(max_epochs),
                bf16=self.in_bf16(device),
            )
        )


class NetworkTraining(Iterator["tuple[dict[str, float | int | bool], nn.Module]"]):
    """A training as a search sees it: it yields each epoch's metrics by name and the model, and it
    has a state from which it can be resumed."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def __next__(self) -> tuple[dict[str, float | int | bool], nn.Module]:
        return next(self._training).as_dict(), self._training.model

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`trainables.training.fit.Training.state_dict`."""
        return self._training.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`trainables.training.fit.Training.load_state_dict`."""
        self._training.load_state_dict(state)
