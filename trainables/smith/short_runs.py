"""Finds momentum and weight decay by short trainings with a cyclical learning rate.

Smith 2018 (arXiv 1803.09820): momentum as in section 4.3, weight decay as in 4.4. The other two
steps of his recipe (section 5) are :mod:`trainables.smith.batch_size` and
:mod:`trainables.smith.lr_range_test`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from trainables.training.batches import batch_bounds

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData
    from trainables.networks.network import Network

MOMENTA = (0.99, 0.97, 0.95, 0.9)  # at base_lr; the values of section 4.3
BASE_MOMENTUM = 0.85  # at max_lr, for all of them (section 5)
WEIGHT_DECAYS = (1e-3, 1e-4, 1e-5, 0.0)  # section 4.4
LEAST_STEPS = 80  # of a short training: with fewer steps the values would not differ yet
LEAST_EPOCHS = 5
EVEN = 1.01  # times the lowest loss: a smaller difference does not count


@dataclass(frozen=True)
class ShortRun:
    """A short training with one of the values."""

    value: float
    train_losses: tuple[float, ...]  # per epoch
    val_losses: tuple[float, ...]
    diverged: bool

    @property
    def loss(self) -> float:
        """The validation loss at the end, when the learning rate has come down."""
        return self.val_losses[-1]


@dataclass(frozen=True)
class ValueTest:
    """The short trainings with all values of a hyperparameter, and the value to take."""

    name: str
    runs: tuple[ShortRun, ...]
    chosen: float
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Every field by name, for JSON."""
        return asdict(self)


def momentum_changes(momentum: float) -> dict[str, object]:
    """Momentum falls from ``momentum`` at base_lr to 0.85 at max_lr; it never rises."""
    return {"max_momentum": momentum, "base_momentum": min(BASE_MOMENTUM, momentum)}


def run_momentum_test(
    network: Network,
    config: Mapping[str, object],
    data: TrialData,
    *,
    epochs: int,
    seed: int,
    device: torch.device,
    values: Sequence[float] = MOMENTA,
) -> ValueTest:
    """One short training with each of ``values`` as the highest momentum.

    ``config`` must have a policy that moves the momentum. All trainings begin with the same weights
    and see the same batches. Raises ``ValueError`` if every training diverges, and whatever
    ``network`` raises.
    """
    changes = {value: momentum_changes(value) for value in values}
    runs = _short_runs(network, config, data, changes, epochs=epochs, seed=seed, device=device)
    return _judge("momentum", tuple(runs))


def run_weight_decay_test(
    network: Network,
    config: Mapping[str, object],
    data: TrialData,
    *,
    epochs: int,
    seed: int,
    device: torch.device,
    values: Sequence[float] = WEIGHT_DECAYS,
) -> ValueTest:
    """Like :func:`run_momentum_test`, with each of ``values`` as the weight decay."""
    changes = {value: {"weight_decay": value} for value in values}
    runs = _short_runs(network, config, data, changes, epochs=epochs, seed=seed, device=device)
    return _judge("weight decay", tuple(runs))


def short_epochs(n_samples: int, batch_size: int) -> int:
    """The length of a short training: 5 epochs, or more if these have fewer than 80 steps."""
    return max(LEAST_EPOCHS, -(-LEAST_STEPS // len(batch_bounds(n_samples, batch_size))))


def _short_runs(
    network: Network,
    config: Mapping[str, object],
    data: TrialData,
    changes: Mapping[float, Mapping[str, object]],
    *,
    epochs: int,
    seed: int,
    device: torch.device,
) -> Iterator[ShortRun]:
    for value, change in changes.items():
        training = network({**config, **change}, data, max_epochs=epochs, seed=seed, device=device)
        metrics = [m for m, _ in training]
        yield ShortRun(
            value,
            tuple(m["train_loss"] for m in metrics),
            tuple(m["val_loss"] for m in metrics),
            bool(metrics[-1]["diverged"]),
        )


def _judge(name: str, runs: tuple[ShortRun, ...]) -> ValueTest:
    """The largest value whose loss is within 1% of the lowest."""
    sound = [run for run in runs if not run.diverged]
    if not sound:
        values = ", ".join(f"{run.value:g}" for run in runs)
        raise ValueError(f"{name} test: every short training diverged, with {values}")
    even = [run for run in sound if run.loss <= EVEN * min(run.loss for run in sound)]
    best = max(even, key=lambda run: run.value)
    others = [f"{run.loss:.3g} with {run.value:g}" for run in sound if run is not best]
    others += [f"diverged with {run.value:g}" for run in runs if run.diverged]
    reason = f"validation loss {best.loss:.3g} after {len(best.val_losses)} epochs"
    if others:
        reason += f", against {', '.join(others)}"
    if len(even) > 1:
        reason += f"; the largest of {len(even)} within 1%"
    return ValueTest(name, runs, best.value, reason)
