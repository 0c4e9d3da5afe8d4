"""The multi-layer perceptron (MLP), for tables, and for images as flat vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from trainables.networks.dropout import Dropout
from trainables.networks.embedded_inputs import embed_inputs
from trainables.networks.mlp_config import Activation, MLPConfig

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


class MLP(nn.Module):
    """Maps a batch ``(n, *input_shape)`` to ``(n, n_outputs)``: logits, or regression values.

    ``input_shape`` is the shape of one sample; an image is flattened. If ``data`` is a table, its
    inputs are embedded as ``config`` says. Without ``data``, and for images, there are no
    embeddings.
    """

    def __init__(
        self,
        config: MLPConfig,
        input_shape: tuple[int, ...],
        n_outputs: int,
        data: TrialData | None = None,
    ) -> None:
        super().__init__()
        inputs = None if data is None else embed_inputs(config, data)
        n_inputs = math.prod(input_shape) if inputs is None else inputs.width
        sizes = (n_inputs, *config.widths)
        hidden = [
            module
            for n_in, n_out in pairwise(sizes)
            for module in _hidden_layer(config, n_in, n_out)
        ]
        self.layers = nn.Sequential(
            inputs or nn.Flatten(), *hidden, nn.Linear(sizes[-1], n_outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.layers(x))


def _hidden_layer(config: MLPConfig, n_in: int, n_out: int) -> Iterator[nn.Module]:
    yield nn.Linear(n_in, n_out, bias=not config.batch_norm)
    if config.batch_norm:
        yield nn.BatchNorm1d(n_out)
    yield ACTIVATIONS[config.activation]()
    if config.dropout > 0:
        yield Dropout(config.dropout)
