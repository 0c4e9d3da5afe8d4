"""Folders of images, and messages for folders that are not usable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainables.data.datasets import describe, load, load_test


def write_images(
    folder: Path, mode: str = "RGB", size: tuple[int, int] = (9, 8), per_class: int = 5
) -> str:
    """Two classes, "cat" (dark) and "dog" (light)."""
    for level, name in ((40, "cat"), (200, "dog")):
        (folder / name).mkdir(parents=True)
        for index in range(per_class):
            colour = (level + index, level, 0) if mode == "RGB" else level + index
            Image.new(mode, size, colour).save(folder / name / f"{index}.png")
    return str(folder)


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1), ("I;16", 1), ("P", 3)])
def test_image_folder(tmp_path: Path, mode: str, channels: int) -> None:
    source = write_images(tmp_path / "pets", mode)
    data, test = load(source), load_test(source)
    line = f"pets: 6 train + 2 validation images {channels}x8x9, 2 classes"
    assert describe(data) == line
    assert data.class_names == ("cat", "dog")
    assert len(test.x) == 2
    if mode != "P":
        for x, y in ((data.x_train, data.y_train), (data.x_val, data.y_val), (test.x, test.y)):
            np.testing.assert_array_equal(x[:, 0, 0, 0] > 0, y == 1)


def test_image_folder_brings_images_to_the_most_common_size(tmp_path: Path) -> None:
    source = write_images(tmp_path / "pets", "L", size=(10, 12))
    Image.new("L", (30, 20), 42).save(tmp_path / "pets" / "cat" / "0.png")
    Image.new("L", (8, 8), 202).save(tmp_path / "pets" / "dog" / "deeper.png")
    (tmp_path / "pets" / ".hidden").mkdir()
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("not an image")
    assert load(source).input_shape == (1, 12, 10)
    Image.new("RGB", (10, 12), (1, 2, 3)).save(tmp_path / "pets" / "cat" / "colour.jpg")
    assert load(source).input_shape == (3, 12, 10)


def test_sixteen_bit_images_keep_their_depth(tmp_path: Path) -> None:
    for level, name in ((1000, "dim"), (40000, "bright")):
        (tmp_path / "x" / name).mkdir(parents=True)
        for index in range(5):
            pixels = np.full((8, 8), level + index, dtype=np.uint16)
            Image.fromarray(pixels).save(tmp_path / "x" / name / f"{index}.png")
    data = load(str(tmp_path / "x"))
    assert len(np.unique(data.x_train)) == 6


def pets(change: Callable[[Path], object], mode: str = "L") -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        source = write_images(folder / "pets", mode)
        change(folder / "pets")
        return source

    return write


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def remove(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        path.unlink()


UNUSABLE: dict[str, tuple[Callable[[Path], str], str | None, str]] = {
    "target for a folder": (pets(lambda _: None), "y", "target 'y' given for .*pets"),
    "folder without classes": (lambda folder: str(folder), None, "has no sub-folders"),
    "folder without images": (
        pets(lambda pets: remove(pets, "*/*")),
        None,
        "class folder 'cat' has no images",
    ),
    "empty class": (pets(lambda pets: (pets / "eel").mkdir()), None, "class folder 'eel' has no"),
    "few images": (
        pets(lambda pets: remove(pets, "cat/[012].png")),
        None,
        "class 'cat' has 2 samples",
    ),
    "not an image": (
        pets(lambda pets: (pets / "cat" / "1.jpg").write_text("text")),
        None,
        r"cat/1\.jpg' cannot be decoded",
    ),
    "truncated image": (
        pets(lambda pets: truncate(pets / "dog" / "2.png")),
        None,
        r"dog/2\.png' cannot be decoded",
    ),
    "small image": (
        pets(lambda pets: Image.new("L", (8, 7)).save(pets / "cat" / "s.png")),
        None,
        r"cat/s\.png' is 8x7 pixels: the smallest allowed is 8x8",
    ),
}


@pytest.mark.parametrize(("write", "target", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_image_folder(
    tmp_path: Path, write: Callable[[Path], str], target: str | None, message: str
) -> None:
    source = write(tmp_path)
    for function in (load, load_test):
        with pytest.raises(ValueError, match=message) as caught:
            function(source, target=target)
        assert len(str(caught.value).splitlines()) == 1
