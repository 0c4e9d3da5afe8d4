"""The hyperparameters of training, which all networks share, and their limits."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from trainables.training.optimizers import OPTIMIZERS
from trainables.training.schedules import POLICIES

C = TypeVar("C", bound="TrainingConfig")


def check_number(name: str, value: object, rule: str, holds: Callable[[Any], bool]) -> None:
    """Raises ``ValueError`` unless ``value`` is a finite number for which ``holds``."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and holds(value)):  # type: ignore[arg-type]
        raise ValueError(f"{name} must be {rule}, not {value!r}")


def check_integer(name: str, value: object, rule: str, holds: Callable[[Any], bool]) -> None:
    """Raises ``ValueError`` unless ``value`` is an integer for which ``holds``."""
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (is_integer and holds(value)):
        raise ValueError(f"{name} must be an integer {rule}, not {value!r}")


def check_choice(name: str, value: object, options: Collection[str]) -> None:
    """Raises ``ValueError`` unless ``value`` is one of ``options``."""
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(options)}, not {value!r}")


def check_bool(name: str, value: object) -> None:
    """Raises ``ValueError`` unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Hyperparameters of the optimiser and of its learning rate policy.

    Raises ``ValueError`` for a value out of its range.
    """

    batch_size: int = 32  # samples per optimiser step
    optimizer: str = "sgd"  # a name in OPTIMIZERS
    lr: float  # the learning rate, or its upper bound (max_lr) if the policy moves it
    weight_decay: float = 0.0  # L2 penalty of SGD, decoupled decay of AdamW
    label_smoothing: float = 0.0  # for classification: the part of a target that all classes share
    momentum: float = 0.9  # for constant, cosine and step; betas[0] of AdamW
    policy: str = "constant"  # a name in POLICIES: how learning rate and momentum move
    base_lr_ratio: float = 0.1  # base_lr / max_lr
    step_size: float = 2.0  # half a cycle, in epochs
    gamma: float = 0.95  # for exp_range: decay of the cycles per epoch
    base_momentum: float = 0.85  # at max_lr, for one_cycle and the cyclical policies
    max_momentum: float = 0.95  # at base_lr
    decay_rate: float = 0.1  # for step: each drop multiplies lr by it
    n_drops: int = 2  # for step: at 1/2 of the training, then half way through what is left

    def __post_init__(self) -> None:
        check_integer("batch_size", self.batch_size, "of at least 1", lambda v: v >= 1)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_number("lr", self.lr, "above 0", lambda v: v > 0)
        check_number("weight_decay", self.weight_decay, "at least 0", lambda v: v >= 0)
        check_number("label_smoothing", self.label_smoothing, "in [0, 1)", lambda v: 0 <= v < 1)
        check_number("momentum", self.momentum, "in [0, 1)", lambda v: 0 <= v < 1)
        check_choice("policy", self.policy, POLICIES)
        check_number("base_lr_ratio", self.base_lr_ratio, "in (0, 1]", lambda v: 0 < v <= 1)
        check_number("step_size", self.step_size, "above 0", lambda v: v > 0)
        check_number("gamma", self.gamma, "in (0, 1]", lambda v: 0 < v <= 1)
        check_number("base_momentum", self.base_momentum, "in [0, 1)", lambda v: 0 <= v < 1)
        check_number("max_momentum", self.max_momentum, "in [0, 1)", lambda v: 0 <= v < 1)
        check_number("decay_rate", self.decay_rate, "in (0, 1]", lambda v: 0 < v <= 1)
        check_integer("n_drops", self.n_drops, "of at least 1", lambda v: v >= 1)
        if self.base_momentum > self.max_momentum:
            raise ValueError(
                "base_momentum must not be above max_momentum: "
                f"{self.base_momentum} > {self.max_momentum}"
            )

    @classmethod
    def from_dict(cls: type[C], values: Mapping[str, object]) -> C:
        """The config with ``values``, and the defaults for all others.

        Raises ``ValueError`` for an unknown, a missing or an invalid hyperparameter.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(
                    f"unknown hyperparameter {name!r}: {cls.__name__} takes {', '.join(known)}"
                )
        for field in fields(cls):
            if field.default is MISSING and field.name not in values:
                raise ValueError(f"missing hyperparameter {field.name!r} of {cls.__name__}")
        arguments: dict[str, Any] = dict(values)
        return cls(**arguments)
