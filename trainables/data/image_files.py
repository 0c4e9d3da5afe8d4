"""Reads image files as pixels."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trainables.data.files import check_file

if TYPE_CHECKING:
    from PIL import Image

# As in torchvision's ImageFolder, whose import takes longer than reading a small folder.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
UNREAD_SUFFIXES = (".gif", ".jfif", ".heic", ".heif", ".avif", ".jp2")  # of other images
MAC_FOLDER = "__MACOSX"  # macOS writes it into archives; its files are no images
DEEP_GREY_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
WHITE = 255  # of 8-bit grey
_DEEPER = 257  # times 255 is 65535, the white of 16-bit grey


def read_images(paths: Sequence[Path], mode: str, size: tuple[int, int]) -> np.ndarray:
    """Pixels in Pillow's ``mode``, resized to ``size`` (width, height).

    The result is (n, channels, height, width) as uint8, or as float32 in mode F.

    Raises ``ValueError`` that names a file that cannot be read.
    """
    width, height = size
    channels = 3 if mode == "RGB" else 1
    dtype = np.float32 if mode == "F" else np.uint8
    out = np.empty((len(paths), channels, height, width), dtype=dtype)
    for index, path in enumerate(paths):
        pixels = _pixels(path, mode, size)
        out[index] = pixels.transpose(2, 0, 1) if channels == 3 else pixels
    return out


def is_image(name: str) -> bool:
    """Whether a file of that name in a folder is an image. macOS writes files such as ``._1.png``
    beside images, which are none."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def images_at(source: Path) -> list[Path]:
    """``source`` itself if it is an image, or all images below the folder, in the order of names.

    Raises ``ValueError`` if there is none.
    """
    if not source.exists():
        raise ValueError(f"'{source}' does not exist")
    if source.is_dir():
        named = (path for path in sorted(source.rglob("*")) if is_image(path.name))
        found = (path for path in named if MAC_FOLDER not in path.relative_to(source).parts)
        images = [path for path in found if path.is_file()]
    else:
        images = [source] if source.suffix.lower() in IMAGE_SUFFIXES else []
    if not images:
        wrong = "has no images" if source.is_dir() else "is not an image"
        raise ValueError(f"'{source}' {wrong}: this model takes an image or a folder of images")
    return images


class Header(NamedTuple):
    """What the header of an image file tells without its pixels."""

    size: tuple[int, int]  # width, height
    mode: str  # Pillow's
    is_transparent: bool  # it has an alpha channel, or a colour that stands for transparent
    is_turned: bool  # only its Exif data turn it upright


def header(path: Path) -> Header:
    """The header of one image file."""
    from PIL import ExifTags, Image

    with _named(path), Image.open(path) as image:
        transparent = image.has_transparency_data
        # Pillow would read all of a PNG to look for Exif data behind the pixels.
        exif = image.getexif() if "exif" in image.info else {}
        turned = exif.get(ExifTags.Base.Orientation, 1) != 1
        return Header(image.size, image.mode, transparent, turned)


def _pixels(path: Path, mode: str, size: tuple[int, int]) -> np.ndarray:
    """Pixels of one image file in the given PIL mode and size (width, height)."""
    from PIL import Image

    with _named(path), Image.open(path) as image:
        converted = _converted(image, mode)
        if converted.size != size:
            converted = converted.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(converted)


def _converted(image: Image.Image, mode: str) -> Image.Image:
    """The image in ``mode``. White is 65535 in grey of 16 bits or more, and 255 in other images.

    Pillow itself would cut 16-bit values off at 255, and leave 8-bit values dark in mode F.
    """
    from PIL import Image

    if image.mode not in DEEP_GREY_MODES:
        converted = image.convert(mode)
        return converted.point(lambda level: level * _DEEPER) if mode == "F" else converted
    if mode == "F":
        return image.convert(mode)
    if image.mode == "F":
        raise ValueError(
            "it has real numbers, but other images have whole numbers: save it with 8 or 16 bits"
        )
    levels = np.asarray(image.convert("F")) / _DEEPER
    if not (levels.min() >= 0 and levels.max() <= WHITE):
        raise ValueError(
            "it has values outside of 0 to 65535, but other images have 8 bits: "
            "save it with 8 or 16 bits"
        )
    return Image.fromarray(levels.round().astype(np.uint8)).convert(mode)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Raises ``ValueError`` that names the file if it cannot be read, or whatever PIL raises for a
    corrupt image."""
    try:
        check_file(path)
    except OSError as error:
        raise ValueError(f"image '{path}' cannot be read: {error.strerror}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        why = one_line(error).removesuffix(f" {str(path)!r}")
        raise ValueError(f"image '{path}' cannot be decoded: {why}") from error


def one_line(error: BaseException) -> str:
    """The text of the error on one line, or its type if it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
