"""What a trainable is, and checks of what it returns and yields."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from torch import nn

Metrics: TypeAlias = Mapping[str, float | int | bool]
Epochs: TypeAlias = "Iterator[tuple[Metrics, nn.Module | None]]"
# trainable(config, data, max_epochs=, seed=, device=) yields each epoch's metrics and the model.
# If the iterator is Resumable, its trial can be paused, and can go on after its machine was lost.
Trainable: TypeAlias = Callable[..., Epochs]

_WANTED = "the trainable must yield a dict of metrics and the model (or None) after each epoch"
_LONG = 60  # characters


@runtime_checkable
class Resumable(Protocol):
    """A training whose state can be saved and loaded, as torch's modules and optimisers do."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def check_epochs(returned: Any) -> None:
    """Raises ``TypeError`` if a trainable has returned something that yields nothing."""
    if not hasattr(returned, "__next__"):
        raise TypeError(f"{_WANTED}, but it returned {_told(returned)}: it needs a `yield`")


def metrics_and_model(yielded: Any) -> tuple[Mapping[str, Any], Any]:
    """The metrics and the model of an epoch. Raises ``TypeError`` for anything else."""
    pair = isinstance(yielded, tuple | list) and len(yielded) == 2
    if not pair or not isinstance(yielded[0], Mapping):
        raise TypeError(f"{_WANTED}, but it yielded {_told(yielded)}")
    metrics, model = yielded
    if model is not None and not hasattr(model, "state_dict"):
        raise TypeError(f"{_WANTED}, but its model is {_told(model)}")
    return metrics, model


def number(name: str, value: Any) -> float | int:
    """The value of a metric; a truth value counts as 0 or 1. Raises ``TypeError`` if it is not a
    number."""
    if isinstance(value, int):
        return int(value)  # a bool too: the record holds numbers alone
    try:
        if isinstance(value, str | bytes):  # float() would read "0.7"
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError):  # torch raises RuntimeError for several numbers
        raise TypeError(
            f"the trainable must yield numbers, but its metric '{name}' is {_told(value)}"
        ) from None


def has_diverged(metrics: Mapping[str, Any], needed: Iterable[str]) -> bool:
    """Whether a training has diverged: it says so under "diverged", or a ``needed`` metric is not
    finite."""
    if metrics.get("diverged", False):
        return True
    return any(not math.isfinite(number(n, metrics[n])) for n in needed if n in metrics)


def _told(value: object) -> str:
    if value is None:
        return "None"
    shown, kind = repr(value), type(value).__name__
    article = "an" if kind[0].lower() in "aeiou" else "a"
    return f"{article} {kind}" if len(shown) > _LONG else f"{shown}, {article} {kind}"
