"""The optimisers, by name, and the rates that a schedule moves.

To add one, write a function that makes it and enter it in ``OPTIMIZERS``: the space of every
network whose optimiser is searched then has it. torch is imported when an optimiser is made, so
that a search space can name them without it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from trainables.training.config import TrainingConfig


@dataclass(frozen=True)
class OptimizerKind:
    """How an optimiser is made, and what has to be known of it elsewhere.

    ``make`` gets the parameters and a config whose learning rate and momentum are those of the
    first step; :func:`set_rates` moves them.
    """

    make: Callable[[Iterable[nn.Parameter], TrainingConfig], Optimizer]
    states: int  # numbers that it keeps of each weight
    momentum: str = "momentum"  # the name of that hyperparameter in its own terms
    linear_high: float = 1.0  # where an LR range test of linear growth ends


# fused, because one kernel for all parameters takes a half (SGD) to a third (AdamW) of the time of
# the default on one CPU core: 26 against 54 us and 51 against 140 us a step for 64-64-10.


def sgd(parameters: Iterable[nn.Parameter], config: TrainingConfig) -> Optimizer:
    """Stochastic gradient descent with momentum; weight decay is an L2 penalty."""
    from torch.optim import SGD

    return SGD(
        parameters,
        lr=config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        fused=True,
    )


def adamw(parameters: Iterable[nn.Parameter], config: TrainingConfig) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101)."""
    from torch.optim import AdamW

    return AdamW(
        parameters,
        lr=config.lr,
        betas=(config.momentum, 0.999),
        weight_decay=config.weight_decay,
        fused=True,
    )


OPTIMIZERS: dict[str, OptimizerKind] = {
    "sgd": OptimizerKind(sgd, states=1),
    "adamw": OptimizerKind(adamw, states=2, momentum="betas[0]", linear_high=0.1),
}


def make_optimizer(model: nn.Module, config: TrainingConfig) -> Optimizer:
    """The optimiser of ``config``; its learning rate and momentum are those of the start."""
    _leave_out_compiler()
    return OPTIMIZERS[config.optimizer].make(model.parameters(), config)


def step(optimizer: Optimizer) -> None:
    """One step, by the optimiser's own code alone: without the hooks, and what torch wraps around
    it for its compiler and profiler, which takes as long as a step of a small network."""
    import torch

    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)


def zero_grad(optimizer: Optimizer) -> None:
    """Forget the gradients, without what torch wraps around it."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def _leave_out_compiler() -> None:
    """The methods of torch's optimisers import torch's compiler, to leave themselves out of it.
    That takes a second, and nothing is compiled here: tell them that it is done."""
    from torch.optim import Optimizer

    for name in ("add_param_group", "state_dict", "load_state_dict"):
        function = inspect.unwrap(getattr(Optimizer, name))
        function.__dict__.setdefault("__dynamo_disable", function)


def set_rates(optimizer: Optimizer, lr: float, momentum: float) -> None:
    """Sets the learning rate and the momentum (betas[0] where there are betas)."""
    for group in optimizer.param_groups:
        group["lr"] = lr
        if "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        elif "momentum" in group:
            group["momentum"] = momentum
