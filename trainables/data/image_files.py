"""Image files as pixels."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from trainables.data.files import check_file


def read_images(paths: Sequence[Path], mode: str, size: tuple[int, int]) -> np.ndarray:
    """Pixels in Pillow's ``mode`` at ``size`` (width, height): (n, channels, height, width) uint8,
    float32 in mode F.

    Raises ``ValueError`` with the name of a file that cannot be read.
    """
    width, height = size
    channels = 3 if mode == "RGB" else 1
    dtype = np.float32 if mode == "F" else np.uint8
    out = np.empty((len(paths), channels, height, width), dtype=dtype)
    for index, path in enumerate(paths):
        pixels = _pixels(path, mode, size)
        out[index] = pixels.transpose(2, 0, 1) if channels == 3 else pixels
    return out


def header(path: Path) -> tuple[tuple[int, int], str]:
    """Size (width, height) and PIL mode of one image file."""
    from PIL import Image

    check_file(path)
    with _named(path), Image.open(path) as image:
        size, mode = image.size, image.mode
    return size, mode


def _pixels(path: Path, mode: str, size: tuple[int, int]) -> np.ndarray:
    """Pixels of one image file in the given PIL mode and size (width, height)."""
    from PIL import Image

    check_file(path)
    with _named(path), Image.open(path) as image:
        converted = image.convert(mode)
        if converted.size != size:
            converted = converted.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(converted)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn whatever a corrupt image makes PIL raise into a ValueError which names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        raise ValueError(f"image '{path}' cannot be decoded: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """The error's text with all white space collapsed; its type where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
