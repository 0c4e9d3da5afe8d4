"""Finds functions of torch that a training has replaced, and that later trainings would use."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import torch

_MODULES = ("torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.optim")
_CLASSES = ("torch.nn.modules.", "torch.optim.")
_OF_TORCH = str(Path(torch.__file__).parent)


class Patches:
    """The functions of torch that networks and optimisers use, as they are when this object is
    made."""

    def __init__(self) -> None:
        self._places = list(_places())
        self._now = [vars(place) for place in self._places]
        self._before = [dict(now) for now in self._now]

    def found(self) -> list[str]:
        """The names of the functions that have been replaced since the last call. Those that torch
        itself replaces, for example when its compiler is loaded, are left out."""
        changed = []
        for index in self._changed():
            place, now, before = self._places[index], self._now[index], self._before[index]
            names = [name for name in _different(place, now, before) if not _is_own(now.get(name))]
            changed += [f"{_name(place)}.{name}" for name in names]
            self._before[index] = dict(now)
        return changed

    def _changed(self) -> Iterable[int]:
        """The places that may have changed.

        ``==`` compares all of them in C, and identical values count as equal. This must be fast: a
        search may have thousands of short trainings.
        """
        try:
            return [] if self._now == self._before else range(len(self._places))
        except Exception:  # some values do not compare to True or False
            return range(len(self._places))


def _places() -> Iterator[Any]:
    seen = set()
    for name, module in list(sys.modules.items()):
        if name in _MODULES:
            yield module
        if name in _MODULES or name.startswith(_CLASSES):
            for value in vars(module).values():
                ours = isinstance(value, type) and value.__module__.startswith(_CLASSES)
                if ours and value not in seen:
                    seen.add(value)
                    yield value


def _different(place: Any, now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """The names of replaced functions.

    A new name in a module replaces nothing; a new name in a class may hide its parent's function.
    """
    for name, value in before.items():
        if now.get(name) is not value and callable(value):
            yield name
    if not isinstance(place, ModuleType):
        yield from (name for name in now if name not in before and callable(now[name]))


def _is_own(value: Any) -> bool:
    """Whether the code of a function is in torch, whatever its ``__module__`` says."""
    return isinstance(value, FunctionType) and value.__code__.co_filename.startswith(_OF_TORCH)


def _name(place: Any) -> str:
    if isinstance(place, ModuleType):
        return place.__name__
    return f"{place.__module__}.{place.__qualname__}"
