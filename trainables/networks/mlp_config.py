"""The hyperparameters of the multi-layer perceptron. This module does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from trainables.training.config import TrainingConfig, check_choice, check_integer, check_number

Activation: TypeAlias = Literal["relu", "tanh", "gelu", "silu"]
NumEmbedding: TypeAlias = Literal["none", "piecewise_linear", "periodic"]

MAX_LAYERS = 5


@dataclass(frozen=True, kw_only=True)
class MLPConfig(TrainingConfig):
    """Hyperparameters of an MLP. Exactly ``n_layers`` widths must be given, from ``width_1`` on.

    Raises ``ValueError`` for a value out of its range, and for a missing or extra width.
    """

    n_layers: int  # hidden layers, 1 to 5
    width_1: int | None = None  # units of the first hidden layer
    width_2: int | None = None
    width_3: int | None = None
    width_4: int | None = None
    width_5: int | None = None
    activation: Activation = "relu"
    dropout: float = 0.0  # probability of dropping a hidden unit
    batch_norm: bool = False  # between each hidden layer and its activation
    num_embedding: NumEmbedding = "none"  # of a table's numbers; not used for images
    num_embedding_size: int = 8  # length of the vector that each number becomes
    n_bins: int = 32  # most bins of piecewise_linear
    frequency_scale: float = 0.1  # of periodic: standard deviation of the frequencies at the start
    cat_embedding: bool = False  # of a table's categories with more than 32 values

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(
            "n_layers", self.n_layers, f"from 1 to {MAX_LAYERS}", lambda v: 1 <= v <= MAX_LAYERS
        )
        for layer, width in enumerate(self._all_widths(), start=1):
            if layer <= self.n_layers:
                check_integer(f"width_{layer}", width, "of at least 1", lambda v: v >= 1)
            elif width is not None:
                raise ValueError(
                    f"width_{layer} must not be given when n_layers is {self.n_layers}, "
                    f"but it is {width!r}"
                )
        check_choice("activation", self.activation, get_args(Activation))
        check_number("dropout", self.dropout, "in [0, 1)", lambda v: 0 <= v < 1)
        check_choice("num_embedding", self.num_embedding, get_args(NumEmbedding))
        check_integer(
            "num_embedding_size", self.num_embedding_size, "of at least 2", lambda v: v >= 2
        )
        check_integer("n_bins", self.n_bins, "of at least 1", lambda v: v >= 1)
        check_number("frequency_scale", self.frequency_scale, "above 0", lambda v: v > 0)
        if self.batch_norm and self.batch_size == 1:
            raise ValueError("batch_size must be at least 2 with batch_norm, not 1")

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each of the ``n_layers`` hidden layers, from input to output."""
        return cast("tuple[int, ...]", self._all_widths()[: self.n_layers])

    def _all_widths(self) -> tuple[int | None, ...]:
        return (self.width_1, self.width_2, self.width_3, self.width_4, self.width_5)
