"""Image data: a type for labelled images, scikit-learn's digits, and folders of images."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from trainables.data.image_files import (
    DEEP_GREY_MODES,
    IMAGE_SUFFIXES,
    MAC_FOLDER,
    UNREAD_SUFFIXES,
    WHITE,
    Header,
    header,
    is_image,
    one_line,
    read_images,
)
from trainables.data.image_inputs import fit_images
from trainables.data.preprocessing import Preprocessing
from trainables.data.table_files import memory

MIN_SIDE = 8
PARTS = ("train", "training", "val", "valid", "validation", "test", "testing")
GREY_MODES = frozenset({"1", "L", "LA", "La"})
BYTES = 4  # of a pixel's channel as an input
MOST_OTHERS = 10_000  # files of a class that are not images; more mean a wrong folder


@dataclass(frozen=True)
class Images:
    """Labelled images before splitting and normalising."""

    x: np.ndarray
    """(n, channels, height, width), uint8 or float32, pixel values as stored."""
    y: np.ndarray
    """(n,) int64 indices into class_names."""
    class_names: tuple[str, ...]
    n_official_test: int = 0
    """The last n_official_test rows are the publisher's test split."""
    task: Literal["classification"] = "classification"
    notes: tuple[str, ...] = ()
    white: int = WHITE
    """The value of a white pixel if the images have 8 bits."""

    @cached_property
    def fingerprint(self) -> str:
        """sha256 hex over shape, pixels, labels and class names of all rows."""
        digest = hashlib.sha256(repr((self.x.shape, str(self.x.dtype), self.class_names)).encode())
        digest.update(np.ascontiguousarray(self.x).data)
        digest.update(np.ascontiguousarray(self.y).data)
        return digest.hexdigest()

    def fit(self, train: np.ndarray) -> Preprocessing:
        """Fitted on the pixels of ``train``."""
        return Preprocessing(fit_images(self.x, train, self.white), self.class_names)

    @property
    def samples(self) -> np.ndarray:
        """What a :class:`Preprocessing` takes as samples."""
        return self.x


def read_digits() -> Images:
    """scikit-learn's 1797 digits, (n, 1, 8, 8), with pixels from 0 to 16."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    names = tuple(str(name) for name in bunch.target_names)
    pixels, labels = bunch.images[:, None].astype(np.uint8), bunch.target.astype(np.int64)
    return Images(pixels, labels, names, white=16)


def read_folder(folder: Path) -> Images:
    """Read a folder with one sub-folder of images per class, as torchvision's ImageFolder does.

    All images are resized to the most common size. They have one channel if all are greyscale
    (float32 if any of these has more than 8 bits), else three. If images of 8 and 16 bits are
    mixed, they are scaled so that white is the same in both.

    Raises:
        ValueError: there are no sub-folders, the sub-folders are parts of a data set and not
            classes, a class has no images, an image is corrupt or smaller than MIN_SIDE pixels, the
            inputs would not fit into memory, or a folder contains itself or cannot be read.
    """
    try:
        names = sorted(
            entry.name
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.name.startswith(".") and entry.name != MAC_FOLDER
        )
        if not names:
            raise ValueError(
                f"folder '{folder}' has no sub-folders: "
                "an image data set is a folder with one sub-folder of images per class"
            )
        _check_no_parts(folder, names)
        _check_depth(folder, names)
        unread: list[Path] = []
        of_class = [_images_of(folder, name, unread) for name in names]
        outside = sum(is_image(entry.name) for entry in folder.iterdir() if entry.is_file())
    except OSError as error:
        raise ValueError(f"folder '{folder}' cannot be read: {one_line(error)}") from error
    labels = np.repeat(np.arange(len(names)), [len(paths) for paths in of_class])
    paths = [path for paths in of_class for path in paths]
    # Headers first: they give size and mode without decoding every image.
    headers = [_header(path) for path in paths]
    notes = [*_told_of_others(folder, unread, outside), *_told_of_headers(headers)]
    x = _decode(folder, paths, headers)
    return Images(x, labels.astype(np.int64), tuple(names), notes=tuple(notes))


def _told_of_others(folder: Path, unread: list[Path], outside: int) -> Iterator[str]:
    """Which images are left out: the files ``unread``, and those ``outside`` of all classes."""
    if unread:
        first, n = unread[0].relative_to(folder), len(unread)
        what = f"{n} images such as '{first}' are" if n > 1 else f"'{first}' is"
        yield f"{what} left out: save {'them' if n > 1 else 'it'} as jpg or png"
    if outside:
        many, they = ("images are", "they are") if outside > 1 else ("image is", "it is")
        yield f"{outside} {many} left out: {they} in no folder of a class"


def _told_of_headers(headers: list[Header]) -> Iterator[str]:
    """How many images have transparent parts or are turned by their Exif data: neither is read."""
    if n := sum(each.is_transparent for each in headers):
        many = "images have" if n > 1 else "image has"
        yield f"{n} {many} transparency, which is left out: what is transparent becomes opaque"
    if n := sum(each.is_turned for each in headers):
        many, they = ("images are", "they stay") if n > 1 else ("image is", "it stays")
        yield f"{n} {many} turned upright by Exif data alone, which are not read: {they} turned"


def _check_no_parts(folder: Path, names: list[str]) -> None:
    """Raises ``ValueError`` if the sub-folders are train, validation and test, and each of them
    holds the folders of the classes."""
    if not all(name.lower() in PARTS for name in names):
        return
    for name in names:
        for inner in (folder / name).iterdir():
            if inner.is_dir() and any(p.suffix.lower() in IMAGE_SUFFIXES for p in inner.iterdir()):
                train = next((n for n in names if n.lower().startswith("train")), name)
                raise ValueError(
                    f"folder '{folder}' has {', '.join(names)}, which are not classes: give "
                    f"'{folder / train}': a search itself sets validation and test images aside"
                )


def _check_depth(folder: Path, names: list[str]) -> None:
    """Raises ``ValueError`` if the only sub-folder holds no images itself, but several folders."""
    if len(names) > 1:
        return
    inner = [entry for entry in (folder / names[0]).iterdir() if not entry.name.startswith(".")]
    if sum(entry.is_dir() for entry in inner) > 1 and not any(is_image(e.name) for e in inner):
        raise ValueError(
            f"folder '{folder}' has only the class '{names[0]}': give '{folder / names[0]}' if its "
            "sub-folders are the classes"
        )


def _images_of(folder: Path, name: str, unread: list[Path]) -> list[Path]:
    """The image files of a class, at any depth, in the order of their names. Images of kinds that
    are not read are appended to ``unread``."""
    found: list[Path] = []
    others = 0
    above = {folder / name: {_identity(folder)}}  # for each folder, the folders that contain it
    for place, folders, files in os.walk(folder / name, followlinks=True):
        holders, here = above.pop(Path(place)), _identity(Path(place))
        if here in holders:
            raise ValueError(f"folder '{place}' is a link to a folder that contains it")
        folders[:] = sorted(inner for inner in folders if inner != MAC_FOLDER)
        above.update({Path(place, inner): {*holders, here} for inner in folders})
        for file in sorted(files):
            if is_image(file):
                found.append(Path(place, file))
            elif not file.startswith("."):
                others += 1
                if file.lower().endswith(UNREAD_SUFFIXES):
                    unread.append(Path(place, file))
        if others > MOST_OTHERS and others > len(found):
            raise ValueError(
                f"folder '{folder}': class folder '{name}' has {others:,} files that are not "
                "images: is it a class of images?"
            )
    if not found:
        kinds = ", ".join(IMAGE_SUFFIXES)
        raise ValueError(f"folder '{folder}': class folder '{name}' has no images ({kinds})")
    return found


def _identity(folder: Path) -> tuple[int, int]:
    """An identity that a folder shares with all links to it."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _decode(folder: Path, paths: list[Path], headers: list[Header]) -> np.ndarray:
    """Decode each file once into one (n, channels, height, width) array."""
    width, height = Counter(each.size for each in headers).most_common(1)[0][0]
    modes = {each.mode for each in headers}
    if "F" in modes and len(modes) > 1:
        odd = next(path for path, each in zip(paths, headers, strict=True) if each.mode == "F")
        raise ValueError(
            f"image '{odd}' has real numbers, but other images have whole numbers: "
            "save it with 8 or 16 bits"
        )
    mode = "RGB"
    if modes <= GREY_MODES | DEEP_GREY_MODES:
        mode = "F" if modes & DEEP_GREY_MODES else "L"
    needed = len(paths) * (3 if mode == "RGB" else 1) * width * height * BYTES
    if needed > (most := memory()):
        raise ValueError(
            f"folder '{folder}': {len(paths):,} images of {width}x{height} pixels become inputs of "
            f"{needed / 1e9:.3g} GB, more than the memory of this machine, {most / 1e9:.3g} GB: "
            "make them smaller"
        )
    return read_images(paths, mode, (width, height))


def _header(path: Path) -> Header:
    found = header(path)
    width, height = found.size
    if min(width, height) < MIN_SIDE:
        raise ValueError(
            f"image '{path}' is {width}x{height} pixels: "
            f"the smallest allowed is {MIN_SIDE}x{MIN_SIDE}"
        )
    return found
