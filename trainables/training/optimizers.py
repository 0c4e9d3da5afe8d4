"""The optimisers, by name, and the rates that a schedule moves.

To add one, write a function that makes it and enter it in ``OPTIMIZERS``: then every search space
that searches for the optimiser has it. torch is imported only when an optimiser is made, so that a
search space can name the optimisers without torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from trainables.training.config import TrainingConfig


@dataclass(frozen=True)
class OptimizerKind:
    """How an optimiser is made, and what other code must know about it.

    ``make`` gets the parameters and a config. The learning rate and the momentum of the config are
    those of the first step; :func:`set_rates` changes them. The optimiser's groups have ``lr``,
    ``weight_decay``, and ``betas`` or ``momentum``. Its ``step`` needs no closure.
    """

    make: Callable[[Iterable[nn.Parameter], TrainingConfig], Optimizer]
    states: int  # numbers that it keeps for each weight
    momentum: str = "momentum"  # what the optimiser calls momentum
    linear_high: float = 1.0  # the last lr of an LR range test with linear growth


# fused=True: one kernel for all parameters takes a half (SGD) to a third (AdamW) of the time of the
# default on one CPU core: 26 against 54 us and 51 against 140 us a step for 64-64-10.


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
    """The optimiser of ``config``, with its initial learning rate and momentum."""
    _leave_out_compiler()
    return OPTIMIZERS[config.optimizer].make(model.parameters(), config)


def step(optimizer: Optimizer) -> None:
    """One step by the optimiser's own code alone.

    It leaves out hooks, and the wrappers of torch's compiler and profiler, which take as long as a
    step of a small network.
    """
    import torch

    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)


def load_state(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Loads ``state``, which may come from a training on another kind of device.

    A fused optimiser goes through a parameter and its state in the order in which they lie in
    memory. So the state gets the memory format of the parameter: on a GPU a CNN may have had its
    channels last.
    """
    import torch

    optimizer.load_state_dict(state)
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if value.shape == parameter.shape:  # not the number of steps
                values[name] = torch.empty_like(parameter).copy_(value)


def zero_grad(optimizer: Optimizer) -> None:
    """Drops the gradients, without the wrappers of torch."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def _leave_out_compiler() -> None:
    """Keeps torch's optimisers from importing torch's compiler.

    Their methods import it only to exclude themselves from compilation. This takes a second, and
    nothing is compiled here, so they are marked as excluded already.
    """
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
