"""Reads CIFAR-10's files, which are pickles, without running any code from them.

A pickle may call any function of any module. The pickles of CIFAR-10 name only a few functions, to
make arrays of bytes. Here a harmless stand-in replaces each of them. Any other name is refused.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 3, 32, 32) uint8 and labels (n,) int64 of one batch.

    Raises ``ValueError`` for a file with other content, and whatever a broken pickle raises.
    """
    content = _read(path)
    try:
        pixels, labels = content["data"].bytes, content["labels"]
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"'{path.name}' holds no images and labels") from None
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise ValueError(f"the labels of '{path.name}' are not whole numbers")
    shape = (len(labels), 3, 32, 32)
    if len(pixels) != np.prod(shape):
        raise ValueError(
            f"'{path.name}' has {len(pixels)} bytes of pixels and {len(labels)} labels"
        )
    return np.frombuffer(pixels, np.uint8).reshape(shape), np.array(labels, np.int64)


def read_names(path: Path) -> tuple[str, ...]:
    """The names of the classes. Raises what :func:`read_batch` raises."""
    content = _read(path)
    names = content.get("label_names") if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"'{path.name}' holds no names of classes")
    return tuple(names)


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        return _Reader(file, encoding="latin1").load()


class _Array:
    """Stands in for an array, and holds its bytes."""

    bytes: bytes

    def __setstate__(self, state: Any) -> None:
        # (version, shape, dtype, Fortran order, content): numpy's array.__reduce__
        _, _, kind, fortran, content = state
        if not isinstance(kind, _Kind) or kind.name not in ("u1", "|u1") or fortran:
            raise ValueError("it holds an array whose values are not bytes")
        # Files of Python 2 hold the bytes as text; encoding="latin1" keeps them.
        self.bytes = content.encode("latin1") if isinstance(content, str) else bytes(content)


class _Kind:
    """Stands in for the type of an array, and holds its name."""

    def __init__(self, name: object, *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Ignores the byte order and the like, because bytes have none."""


def _new_array(*_: object) -> _Array:
    return _Array()


def _encoded(text: str, encoding: str) -> bytes:
    """Stands in for the function with which old protocols write bytes."""
    if encoding != "latin1":
        raise ValueError(f"it holds text encoded as {encoding}, not as latin1")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy.core.multiarray", "_reconstruct"): _new_array,
    ("numpy._core.multiarray", "_reconstruct"): _new_array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encoded,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise ValueError(f"it asks for {module}.{name}, which no data set needs") from None
