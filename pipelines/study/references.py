"""Imports the user's own functions and spaces, given as ``package.module:name``."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from search_spaces import SearchSpace
from search_spaces.space import name_of
from trainables.training.trainable import Trainable


def import_object(reference: str) -> object:
    """The object at ``package.module:name``, also looked for in the working directory.

    Raises ``ValueError`` if there is none.
    """
    module_name, colon, name = reference.partition(":")
    if not (colon and module_name and name):
        raise ValueError(f"'{reference}' is not of the form package.module:name")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything: it is told
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"'{reference}' cannot be imported: {reason}") from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise ValueError(f"'{reference}': module {module_name} has no '{name}'") from None


def reference_of(trainable: Trainable) -> str:
    """The name of the user's own function in the record. For a ``functools.partial`` it is that of
    the function inside, for an object that of its class, with a mark: nothing can import it."""
    if isinstance(trainable, partial):
        return f"{reference_of(trainable.func)}.<partial>"
    if not hasattr(trainable, "__qualname__"):
        return f"{name_of(type(trainable))}.<object>"
    return name_of(trainable)


def is_importable(reference: str | None) -> bool:
    """Whether another process can import ``reference``: not what a notebook or a script defines, or
    what lies inside a function. None stands for something of our own."""
    return reference is None or not (reference.startswith("__main__:") or "<" in reference)


def import_trainable(reference: str) -> Trainable:
    """Raises ``ValueError`` if it is not a function, or if it has other parameters."""
    try:
        function = import_object(reference)
    except ValueError as error:
        if is_importable(reference):
            raise
        raise ValueError(
            f"{error}: the search was given it in Python; there search, evaluate_run and "
            "export_model take it as trainable="
        ) from None
    if not callable(function):
        raise ValueError(f"`trainable` {reference} is a {type(function).__name__}, not a function")
    check_trainable(function, reference)
    return function


def check_trainable(function: Callable[..., Any], name: str) -> None:
    """Raises ``ValueError`` if the function does not take the arguments of a trial's call."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # unknown, as for some functions written in C
        return
    try:
        signature.bind({}, None, max_epochs=1, seed=0, device="cpu")
    except TypeError as error:
        raise ValueError(
            f"`trainable` {name} is called with (config, data, max_epochs=, seed=, device=): "
            f"{error}"
        ) from None


def import_space(reference: str) -> SearchSpace:
    """Raises ``ValueError`` if it is not a search space."""
    space = import_object(reference)
    if not isinstance(space, SearchSpace):
        raise ValueError(f"`space` {reference} is a {type(space).__name__}, not a SearchSpace")
    return space
