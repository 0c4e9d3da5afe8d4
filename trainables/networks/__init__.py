"""The networks that can be trained, by the names that users give.

To add one, write its config and its module here, each in its own file, and enter it in
``NETWORKS``. The config is a :class:`~trainables.training.config.TrainingConfig`, named after the
network with ``Config`` at the end. The module maps ``(n, *input_shape)`` to ``(n, n_outputs)``:
logits, or the standardised values of a regression. The search space goes into
:mod:`search_spaces`, under the same name.
"""

from __future__ import annotations

from trainables.networks.cnn_config import CNNConfig
from trainables.networks.mlp_config import MLPConfig
from trainables.networks.network import Module, Network, NetworkTraining
from trainables.networks.table_columns import without_use

__all__ = ["NETWORKS", "Network", "NetworkTraining"]

NETWORKS: dict[str, Network] = {
    "mlp": Network(
        MLPConfig,
        Module("trainables.networks.mlp:MLP"),
        sees_data=True,
        without_use=without_use,
    ),
    "cnn": Network(CNNConfig, Module("trainables.networks.cnn:CNN"), needs_images=True),
}
