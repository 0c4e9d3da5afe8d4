"""The metrics a search may optimise: which way is better, and the score of a diverged trial."""

from dataclasses import dataclass
from typing import Literal

Mode = Literal["min", "max"]

# Finite, so that every search algorithm can learn from it, and worse than any loss that the
# divergence guard lets through.
DIVERGED_LOSS = 1e3


@dataclass(frozen=True)
class Metric:
    """``worst`` is what a diverged trial reports."""

    mode: Mode
    worst: float

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``. False where ``a`` is NaN."""
        return a < b if self.mode == "min" else a > b


METRICS: dict[str, Metric] = {
    "val_accuracy": Metric("max", worst=0.0),
    "val_loss": Metric("min", worst=DIVERGED_LOSS),
    "val_r2": Metric("max", worst=1.0 - DIVERGED_LOSS),  # of a standardised target: 1 - MSE
}
