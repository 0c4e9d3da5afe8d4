"""What may be tried: one search space per model. Imports neither torch nor Ray.

To add the space of a network, enter it in ``SPACES`` under the network's name. It has ``lr``,
``batch_size`` and any other fields of the network's config. A number that no other space has gets
its widest range in :mod:`search_spaces.limits`.
"""

from search_spaces.cnn import CNN_SPACE
from search_spaces.domains import AtLeast, Choice, Config, Float, Int, OneOf, Value
from search_spaces.mlp import MLP_SPACE
from search_spaces.space import SearchSpace

SPACES: dict[str, SearchSpace] = {"mlp": MLP_SPACE, "cnn": CNN_SPACE}

__all__ = [
    "SPACES",
    "AtLeast",
    "Choice",
    "Config",
    "Float",
    "Int",
    "OneOf",
    "SearchSpace",
    "Value",
]
