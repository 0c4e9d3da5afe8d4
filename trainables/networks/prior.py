"""An output layer that begins with the distribution of the targets.

Otherwise the first steps have to learn this distribution. If the inputs tell little, this takes all
of a short training, and an LR range test sees nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData


@torch.no_grad()
def start_at_prior(model: nn.Module, data: TrialData) -> None:
    """Sets the bias of the output layer of ``model``: to the logarithms of the classes' shares as
    they count in the loss, or to the mean of a regression's targets.

    The output layer is the last linear layer that has a bias and as many outputs as the data call
    for. A network without one stays as it is.

    The weights of this layer stay random. With a tenth of these weights, or with zero weights, the
    first predictions would be closer to the prior, but a training takes half an epoch to a whole
    epoch longer; see docs/results/tables.md.
    """
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    biases = [layer.bias for layer in linear if layer.bias is not None]
    fitting = [bias for bias in biases if len(bias) == data.n_classes]
    if not fitting:
        return
    if data.task == "classification":
        prior = np.log(data.class_shares)
    else:
        prior = data.y_train.mean(keepdims=True)
    fitting[-1].copy_(torch.as_tensor(prior, dtype=fitting[-1].dtype))
