"""An output layer that begins where a model is that knows the distribution of the targets alone.

Otherwise the first steps learn that distribution: all of a short training where the inputs tell
little, and what an LR range test then sees.
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
    """Sets the last linear layer of ``model``: its bias to the logarithms of the classes' shares as
    they count in the loss, or to the mean of a regression's targets.

    Its weights stay random: with a tenth of them, or none, what is predicted first would be nearer
    to the prior, but a training takes half an epoch to a whole one longer; see
    docs/results/tables.md.
    """
    layer = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    if data.task == "classification":
        prior = np.log(data.class_shares)
    else:
        prior = data.y_train.mean(keepdims=True)
    layer.bias.copy_(torch.as_tensor(prior, dtype=layer.bias.dtype))
