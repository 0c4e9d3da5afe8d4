"""Folders of images, and messages for folders that are not usable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from trainables.data.datasets import describe, load, load_test
from trainables.data.image_files import images_at, read_images
from trainables.data.images import read_folder


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
        r"class folder 'cat' has no images \(\.jpg, ",
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
        r"cat/1\.jpg' cannot be decoded: cannot identify image file$",
    ),
    "truncated image": (
        pets(lambda pets: truncate(pets / "dog" / "2.png")),
        None,
        r"dog/2\.png' cannot be decoded",
    ),
    "link to nothing": (
        pets(lambda pets: (pets / "dog" / "9.png").symlink_to(pets / "gone.png")),
        None,
        r"dog/9\.png' cannot be read: No such file or directory",
    ),
    "a folder too many": (
        lambda folder: str(Path(write_images(folder / "zip" / "pets")).parent),
        None,
        "has only the class 'pets': give '.*zip/pets' if its sub-folders are the classes",
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


def test_images_that_do_not_fit_into_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_images(tmp_path / "pets", "RGB")
    n, _, height, width = read_folder(Path(source)).x.shape
    needed = n * height * width * 12
    monkeypatch.setattr("trainables.data.images.memory", lambda: needed)
    load(source)
    monkeypatch.setattr("trainables.data.images.memory", lambda: needed - 1)
    with pytest.raises(ValueError, match=f"{n} images of {width}x{height} pixels .*make them smal"):
        load(source)


def test_what_macos_writes_beside_images_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.data.images.MOST_OTHERS", 0)  # a large folder has many of them
    source = write_images(tmp_path / "pets", "L")
    images, wanted = images_at(tmp_path / "pets"), read_folder(tmp_path / "pets").fingerprint
    names = ("cat/._0.png", "__MACOSX/cat/._0.png", "dog/__MACOSX/0.png")
    for name in (*names, *(f"cat/._{n}.png" for n in range(100))):
        path = Path(source, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0\5\x16\7Mac OS X")
    assert read_folder(tmp_path / "pets").fingerprint == wanted
    assert images_at(tmp_path / "pets") == images


def test_images_that_are_left_out_are_said(tmp_path: Path) -> None:
    pets = Path(write_images(tmp_path / "pets"))
    (pets / "cat" / "notes.txt").write_text("not an image")
    (pets / ".hidden.png").write_text("")
    assert load(str(pets)).notes == ()
    for name in ("0.png", "dog/5.HEIC", "cat/old/1.gif"):
        (pets / name).parent.mkdir(exist_ok=True)
        (pets / name).write_text("never read")
    assert load(str(pets)).notes == (
        "2 images such as 'cat/old/1.gif' are left out: save them as jpg or png",
        "1 image is left out: it is in no folder of a class",
    )


def test_transparency_is_said_to_be_left_out(tmp_path: Path) -> None:
    pets = write_images(tmp_path / "pets")
    Image.new("RGBA", (9, 8), (0, 0, 0, 0)).save(Path(pets, "cat", "clear.png"))
    told = "image has transparency, which is left out: what is transparent becomes opaque"
    assert load(pets).notes == (f"1 {told}",)
    Image.new("P", (9, 8)).save(Path(pets, "cat", "palette.png"), transparency=0)
    assert load(pets).notes == (f"2 {told.replace('image has', 'images have')}",)


def test_images_that_their_exif_data_turn_are_said(tmp_path: Path) -> None:
    pets = write_images(tmp_path / "pets")
    exif = Image.Exif()
    for place, turn in enumerate((1, 6)):
        exif[ExifTags.Base.Orientation] = turn
        Image.new("RGB", (9, 8)).save(Path(pets, "cat", f"photo{place}.jpg"), exif=exif)
    assert load(pets).notes == (
        "1 image is turned upright by Exif data alone, which are not read: it stays turned",
    )


def one_grey(path: Path, level: float, dtype: type) -> Path:
    Image.fromarray(np.full((9, 8), level, dtype)).save(path)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_grey_of_16_bits_has_its_brightness_beside_8_bits(tmp_path: Path, suffix: str) -> None:
    levels = [0, 51, 128, 255]
    shallow = [one_grey(tmp_path / f"8_{i}.png", i, np.uint8) for i in levels]
    deep = [one_grey(tmp_path / f"16_{i}{suffix}", 257 * i, np.uint16) for i in levels]
    for mode in ("L", "RGB", "F"):
        for size in ((8, 9), (4, 5)):
            found = read_images([*shallow, *deep], mode, size)
            np.testing.assert_array_equal(found[:4], found[4:])
            wanted = np.array(levels) * (257 if mode == "F" else 1)
            np.testing.assert_array_equal(found[4:, 0, 0, 0], wanted)


def test_16_bits_among_colours_are_not_white(tmp_path: Path) -> None:
    source = write_images(tmp_path / "pets")
    for i in range(5):
        one_grey(tmp_path / "pets" / "cat" / f"deep{i}.png", 257 * (10 + i), np.uint16)
    x = read_folder(Path(source)).x
    assert x.dtype == np.uint8
    assert x[5:10].max() == 14


def test_colours_for_a_model_of_16_bits_are_as_bright(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (100, 100, 100)).save(tmp_path / "a.png")
    assert read_images([tmp_path / "a.png"], "F", (8, 8)).max() == 25700


@pytest.mark.parametrize(
    ("level", "dtype", "message"),
    [(0.5, np.float32, "real numbers"), (70000, np.int32, "outside of 0 to 65535")],
)
def test_grey_of_no_known_white_is_refused_beside_colours(
    tmp_path: Path, level: float, dtype: type, message: str
) -> None:
    source = write_images(tmp_path / "pets")
    Image.fromarray(np.full((8, 9), level, dtype)).save(tmp_path / "pets" / "cat" / "odd.tif")
    with pytest.raises(ValueError, match=rf"odd\.tif.*{message}"):
        load(source)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_of_real_numbers_is_refused_beside_other_grey(tmp_path: Path, dtype: type) -> None:
    for name, level, kind in (("a", 0.5, np.float32), ("b", 200, dtype)):
        (tmp_path / name).mkdir()
        for i in range(5):
            one_grey(tmp_path / name / f"{i}.tif", level, kind)
    with pytest.raises(ValueError, match=r"a/0\.tif.*real numbers"):
        load(str(tmp_path))


def test_grey_of_real_numbers_alone_is_as_it_is(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        one_grey(tmp_path / name / "0.tif", 0.5, np.float32)
    assert (read_folder(tmp_path).x == 0.5).all()


@pytest.mark.parametrize("parts", [("train", "val"), ("Training", "test", "valid"), ("train",)])
def test_parts_of_a_data_set_are_no_classes(tmp_path: Path, parts: tuple[str, ...]) -> None:
    for part in parts:
        write_images(tmp_path / "data" / part)
    with pytest.raises(ValueError, match=rf"not classes: give '.*data/{parts[0]}'") as caught:
        load(str(tmp_path / "data"))
    assert len(str(caught.value).splitlines()) == 1


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    pets = Path(write_images(tmp_path / "pets"))
    (pets / "cat").rename(pets / "train")
    (pets / "dog").rename(pets / "test")
    (pets / "train" / "notes").mkdir()
    assert load(str(pets)).class_names == ("test", "train")
