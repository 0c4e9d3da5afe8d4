"""The networks that can be trained, by the name under which the user asks for them.

To add one, write its config and its module in a file here, and enter it in ``NETWORKS``; its search
space goes into :mod:`search_spaces`, under the same name.
"""

from __future__ import annotations

from trainables.networks.cnn import CNN, CNNConfig
from trainables.networks.mlp import MLP, MLPConfig
from trainables.networks.network import Network, NetworkTraining

__all__ = ["NETWORKS", "Network", "NetworkTraining"]

NETWORKS: dict[str, Network] = {
    "mlp": Network(MLPConfig, MLP),
    "cnn": Network(CNNConfig, CNN, needs_images=True),
}
