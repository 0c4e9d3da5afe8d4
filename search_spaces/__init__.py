"""What may be tried: one search space per model. Imports neither torch nor Ray."""

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
