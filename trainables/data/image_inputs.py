"""How images become inputs of a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from trainables.data.image_files import WHITE, images_at, read_images

STATS_BATCH = 4096

Mode: TypeAlias = Literal["L", "RGB", "F"]


@dataclass(frozen=True)
class ImageInputs:
    """Images as inputs: all in one size and mode, and normalised by channel."""

    mode: Mode
    """Pillow's: grey, colour, or grey of more than 8 bits."""
    height: int
    width: int
    mean: tuple[float, ...]
    """The mean of each channel in the pixels of the train images."""
    std: tuple[float, ...]
    """The standard deviation, likewise."""
    white: float = WHITE
    """The value of a white pixel in the train images; not used in mode F."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input: (channels, height, width)."""
        return (len(self.mean), self.height, self.width)

    def transform(
        self,
        images: np.ndarray | str | Path | Iterable[str | Path],
        which: np.ndarray | None = None,
    ) -> np.ndarray:
        """The inputs, float32 (n, channels, height, width), of image files, of all images below a
        folder in the order of their names, or of pixels of that shape and from 0 to ``white``.

        If ``which`` is given, only those images are used.

        Raises:
            ValueError: a file cannot be read as an image, a folder has no images, pixels have
                another shape or another range, or ``images`` are something else.
        """
        scale = 1.0
        if isinstance(images, np.ndarray) and images.dtype.kind in "biuf":
            self._check(images)
        else:
            images = read_images(_paths(images), self.mode, (self.width, self.height))
            if self.mode != "F":
                scale = self.white / WHITE
        out = (images if which is None else images[which]).astype(np.float32)
        out *= scale
        out -= np.array(self.mean, np.float32).reshape(-1, 1, 1)
        out /= np.array(self.std, np.float32).reshape(-1, 1, 1)
        return out

    def _check(self, pixels: np.ndarray) -> None:
        """Raises ``ValueError`` for another shape or range than that of the train images."""
        if pixels.shape[1:] != self.shape:
            raise ValueError(f"images must have the shape {self.shape}, not {pixels.shape[1:]}")
        if self.mode == "F":
            return
        low, high = pixels.min(initial=0), pixels.max(initial=0)
        if pixels.dtype.kind in "bf" and 0 < high <= 1 < self.white:
            raise ValueError(
                f"no pixel is above {high:g}, but white is {self.white:g} here: multiply pixels "
                f"from 0 to 1 by {self.white:g}"
            )
        if not (low >= 0 and high <= self.white):
            raise ValueError(
                f"pixels must be between 0 and {self.white:g}, not between {low:g} and {high:g}"
            )

    def __str__(self) -> str:
        """Such as ``28x28 pixels, 1 channel``."""
        channels = len(self.mean)
        plural = "s" if channels > 1 else ""
        return f"{self.width}x{self.height} pixels, {channels} channel{plural}"


def _paths(images: Any) -> list[Path]:
    if isinstance(images, str | Path):
        source = Path(images).expanduser()
        images = images_at(source) if source.is_dir() else [source]
    is_table = hasattr(images, "columns")  # a table's column names are not paths
    given = list(images) if isinstance(images, Iterable) and not is_table else [None]
    paths = [Path(path) for path in given if isinstance(path, str | Path)]
    if len(paths) < len(given):
        raise ValueError(
            f"images of the type {type(images).__name__} are neither pixels nor files: give pixels "
            "as an array (n, channels, height, width), paths of image files, or a folder"
        )
    if gone := [path for path in paths if not path.exists()]:
        raise ValueError(f"'{gone[0]}' does not exist")
    return paths


def fit_images(x: np.ndarray, train: np.ndarray, white: float = WHITE) -> ImageInputs:
    """The inputs for images ``x`` (n, channels, height, width) with pixels from 0 to ``white``,
    fitted on the rows ``train``."""
    mean, std = _channel_stats(x, train)
    _, channels, height, width = x.shape
    mode: Mode = "RGB" if channels == 3 else "L" if x.dtype == np.uint8 else "F"
    return ImageInputs(mode, height, width, tuple(mean.tolist()), tuple(std.tolist()), white)


def _channel_stats(x: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per channel, float32 (channels,); a std of 0 becomes 1."""
    total = np.zeros(x.shape[1])
    squares = np.zeros(x.shape[1])
    # In batches, because a float64 copy of a whole data set is eight times its size.
    for start in range(0, len(rows), STATS_BATCH):
        batch = x[rows[start : start + STATS_BATCH]].astype(np.float64)
        total += batch.sum(axis=(0, 2, 3))
        squares += np.square(batch).sum(axis=(0, 2, 3))
    count = len(rows) * x.shape[2] * x.shape[3]
    mean = total / count
    mean_square = squares / count
    variance = mean_square - np.square(mean)
    # For a constant channel this difference of two nearly equal numbers is rounding noise.
    std = np.sqrt(np.where(variance > 1e-12 * mean_square, variance, 1.0))
    return mean.astype(np.float32), std.astype(np.float32)
