"""Loading, splitting and normalising data, and the messages for data that is not usable."""

from __future__ import annotations

import gzip
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from trainables.datasets import DATASETS, describe, load, load_test

RNG = np.random.default_rng(0)


def write_csv(path: Path, **columns: object) -> str:
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


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


def write_idx(path: Path, values: np.ndarray, *, packed: bool = False) -> None:
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = header + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)


def write_mnist(raw: Path, *, packed: bool = False) -> None:
    """50 training and 20 test images; test pixels are 255, training pixels are at most 200."""
    suffix = ".gz" if packed else ""
    train = RNG.integers(0, 201, (50, 28, 28))
    write_idx(raw / f"train-images-idx3-ubyte{suffix}", train, packed=packed)
    write_idx(raw / f"train-labels-idx1-ubyte{suffix}", np.arange(50) % 10, packed=packed)
    write_idx(raw / f"t10k-images-idx3-ubyte{suffix}", np.full((20, 28, 28), 255), packed=packed)
    write_idx(raw / f"t10k-labels-idx1-ubyte{suffix}", np.arange(20) % 10, packed=packed)


def write_cifar(folder: Path) -> None:
    """Five batches of 10 training images, 10 test images; the red channel is constant."""
    folder.mkdir(parents=True)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        pixels = RNG.integers(0, 256, (10, 3, 1024), dtype=np.uint8)
        pixels[:, 0] = 7
        batch = {"data": pixels.reshape(10, 3072), "labels": list(range(10))}
        (folder / name).write_bytes(pickle.dumps(batch))
    names = [f"class {i}" for i in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, with every download going to a closed local port."""
    from torchvision import datasets

    monkeypatch.setenv("RANGEFINDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(datasets.CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    return tmp_path / "cache"


def train_rows(source: str) -> np.ndarray:
    """Which rows of a file whose first column counts its rows are in the train split."""
    data, test = load(source, target="y"), load_test(source, target="y")
    counted = np.concatenate([data.x_train, data.x_val, test.x])[:, 0]
    return counted.argsort().argsort()[: len(data.x_train)]


def test_import_is_light() -> None:
    code = (
        "import sys, trainables.datasets; "
        "print([m for m in ('torch', 'sklearn', 'pandas', 'PIL', 'ray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("digits", "digits: 1078 train + 359 validation images 1x8x8, 10 classes"),
        ("breast_cancer", "breast_cancer: 342 train + 113 validation rows of 30 features, 2 class"),
        ("wine", "wine: 107 train + 35 validation rows of 13 features, 3 classes"),
        ("diabetes", "diabetes: 265 train + 88 validation rows of 10 features, regression"),
    ],
)
def test_embedded(name: str, line: str) -> None:
    data = load(name)
    assert describe(data).startswith(line)
    assert data.name == name
    assert data.x_train.dtype == data.x_val.dtype == np.float32
    assert data.input_shape == data.x_val.shape[1:]
    assert data.is_image == (name == "digits")
    axes = (0, 2, 3) if data.is_image else (0,)
    np.testing.assert_allclose(data.x_train.mean(axis=axes, dtype=float), 0, atol=1e-5)
    np.testing.assert_allclose(data.x_train.std(axis=axes, dtype=float), 1, atol=1e-5)
    if data.task == "classification":
        assert data.y_train.dtype == np.int64
        assert set(data.y_train) == set(data.y_val) == set(range(data.n_classes))
        assert len(data.class_names) == data.n_classes
    else:
        assert data.y_train.dtype == np.float32
        assert (data.n_classes, data.class_names) == (1, ())
        assert data.y_train.mean() == pytest.approx(0, abs=1e-5)
        assert data.y_train.std() == pytest.approx(1, abs=1e-5)


def test_stratified() -> None:
    data = load("breast_cancer")
    assert data.y_val.mean() == pytest.approx(data.y_train.mean(), abs=0.01)


def test_seed_decides_the_split_and_nothing_else() -> None:
    first, again, other = load("wine", seed=1), load("wine", seed=1), load("wine", seed=2)
    np.testing.assert_array_equal(first.x_train, again.x_train)
    assert not np.array_equal(first.x_train, other.x_train)
    assert first.fingerprint == again.fingerprint == other.fingerprint


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_load_and_load_test_are_disjoint_and_together_complete(tmp_path: Path, kind: str) -> None:
    number = np.arange(100)
    target = number % 3 if kind == "classification" else number / 7
    source = write_csv(tmp_path / "t.csv", number=number, y=target)
    for seed in (0, 1):
        data, test = load(source, target="y", seed=seed), load_test(source, target="y", seed=seed)
        assert (len(data.x_train), len(data.x_val), len(test.x)) == (60, 20, 20)
        numbers = np.sort(np.concatenate([data.x_train, data.x_val, test.x])[:, 0])
        steps = np.diff(numbers)  # standardised 0..99: equal steps, unless a row is there twice
        np.testing.assert_allclose(steps, steps.mean(), rtol=1e-3)
        if kind == "regression":  # test targets are in the same unit as train targets
            numbers = np.concatenate([data.x_train, test.x])[:, 0]
            targets = np.concatenate([data.y_train, test.y])
            assert np.corrcoef(numbers, targets)[0, 1] == pytest.approx(1, abs=1e-6)


def test_fraction_takes_a_nested_stratified_part_of_train_only() -> None:
    whole, half, least = load("digits"), load("digits", fraction=0.5), load("digits", fraction=1e-9)
    np.testing.assert_array_equal(whole.x_val, half.x_val)
    assert len(half.x_train) == pytest.approx(539, abs=5)
    np.testing.assert_allclose(np.bincount(half.y_train), np.bincount(whole.y_train) / 2, atol=0.6)
    assert sorted(least.y_train) == list(range(10))
    rows = {sample.tobytes() for sample in half.x_train}
    assert rows <= {sample.tobytes() for sample in whole.x_train}
    assert {sample.tobytes() for sample in least.x_train} <= rows
    assert len(load("diabetes", fraction=0.1).x_train) == 26


def test_rare_classes_reach_every_part(tmp_path: Path) -> None:
    labels = ["common"] * 190 + ["a"] * 3 + ["b"] * 3 + ["c"] * 4
    source = write_csv(tmp_path / "t.csv", x=range(200), y=labels)
    for seed in range(10):
        data, test = load(source, target="y", seed=seed), load_test(source, target="y", seed=seed)
        assert set(data.y_train) == set(data.y_val) == set(test.y) == {0, 1, 2, 3}


@pytest.mark.parametrize(("n_classes", "per_class"), [(2, 5), (4, 3), (20, 3), (3, 4), (5, 7)])
def test_smallest_classifications_split(tmp_path: Path, n_classes: int, per_class: int) -> None:
    labels = np.arange(n_classes * per_class) % n_classes
    source = write_csv(tmp_path / "t.csv", x=range(len(labels)), y=labels)
    data, test = load(source, target="y"), load_test(source, target="y")
    assert set(data.y_train) == set(data.y_val) == set(test.y) == set(range(n_classes))
    assert len(data.y_train) + len(data.y_val) + len(test.y) == len(labels)


def test_tables_are_fitted_on_train_only(tmp_path: Path) -> None:
    count = np.arange(50)
    x, y = count + 0.5, count * 1.5 + 0.25
    colour = np.array(["red", "blue"] * 25, dtype=object)
    gap = np.full(50, np.nan)
    source = write_csv(tmp_path / "t.csv", count=count, x=x, colour=colour, gap=gap, y=y)
    before = load(source, target="y")
    others = np.setdiff1d(count, train_rows(source))
    x[others] *= 1e6
    y[others] *= 1e6
    colour[others] = "green"
    gap[others] = 1
    write_csv(tmp_path / "t.csv", count=count, x=x, colour=colour, gap=gap, y=y)
    after = load(source, target="y")
    np.testing.assert_array_equal(after.x_train, before.x_train)
    np.testing.assert_array_equal(after.y_train, before.y_train)
    assert after.x_val[:, 1].max() > 1e5
    assert after.y_val.max() > 1e5
    assert before.x_val[:, 2:].sum() == len(before.x_val)
    assert after.x_val[:, 2:].sum() == 0  # an unseen category has no column


def test_images_are_fitted_on_train_only(cache: Path) -> None:
    write_mnist(cache / "MNIST" / "raw")
    before = load("mnist")
    write_idx(cache / "MNIST" / "raw" / "t10k-images-idx3-ubyte", np.zeros((20, 28, 28)))
    after = load("mnist")
    np.testing.assert_array_equal(after.x_train, before.x_train)
    assert after.x_train.mean() == pytest.approx(0, abs=1e-5)
    assert after.fingerprint != before.fingerprint  # of all the raw data


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_mixed_columns(tmp_path: Path, suffix: str) -> None:
    n = 40
    number = np.arange(n, dtype=float)
    number[[0, 1, 2]] = [np.inf, -np.inf, np.nan]
    frame = pd.DataFrame(
        {
            "number": number,
            "whole": pd.array([None, *range(1, n)], dtype="Int64"),
            "flag": [True, False] * (n // 2),
            "flag or none": [True, None] * (n // 2),
            "colour": [None, "red", "blue", "red"] * (n // 4),
            "constant": 3,
            "nothing": [None] * n,
            "id": [f"row {i}" for i in range(n)],
            "y": ["no", "yes"] * (n // 2),
        }
    )
    path = tmp_path / f"mixed{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    data, test = load(str(path), target="y"), load_test(str(path), target="y")
    # number, whole, constant; flag 2, flag or none 2, colour 3; one per train id; nothing dropped
    assert data.input_shape == test.x.shape[1:] == (3 + 2 + 2 + 3 + len(data.x_train),)
    for x in (data.x_train, data.x_val, test.x):
        assert x.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.abs(x[:, :3]).max() < 3
    assert (data.name, data.class_names, data.is_image) == ("mixed", ("no", "yes"), False)


def test_at_most_100_columns_per_category(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "t.csv", id=[f"row {i}" for i in range(300)], y=[0, 1] * 150)
    assert load(source, target="y").input_shape == (100,)


def test_parquet_times_and_decimals_are_numbers(tmp_path: Path) -> None:
    from decimal import Decimal

    frame = pd.DataFrame(
        {
            "when": pd.date_range("2020-01-01", periods=20),
            "price": [Decimal(i) / 4 for i in range(20)],
            "y": np.arange(20) / 3,
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    data = load(str(tmp_path / "t.parquet"), target="y")
    assert data.input_shape == (2,)
    np.testing.assert_allclose(data.x_train[:, 0], data.x_train[:, 1], rtol=1e-5)


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ([10, 2, -1], ("-1", "2", "10")),
        ([1.0, 2.0, 3.0], ("1", "2", "3")),
        (["b", "a", "a"], ("a", "b")),
        ([True, False, True], ("False", "True")),
        ([0.5, 1.0, 2.0], ()),
        (list(range(20)), tuple(str(i) for i in range(20))),
        (list(range(21)), ()),
    ],
)
def test_target_decides_the_task(
    tmp_path: Path, target: list[object], names: tuple[str, ...]
) -> None:
    y = target * (63 // len(target))
    data = load(write_csv(tmp_path / "t.csv", x=range(len(y)), y=y), target="y")
    assert data.class_names == names
    assert data.task == ("classification" if names else "regression")
    assert data.y_train.dtype == (np.int64 if names else np.float32)
    assert data.n_classes == (len(names) or 1)


def test_rows_without_a_target_are_dropped(tmp_path: Path) -> None:
    y = [np.nan, np.inf, *([1.0, 2.0] * 10)]
    source = write_csv(tmp_path / "t.csv", x=range(22), y=y)
    data, test = load(source, target="y"), load_test(source, target="y")
    assert len(data.x_train) + len(data.x_val) + len(test.x) == 20
    assert data.class_names == ("1", "2")


def test_fingerprint_depends_on_content_and_target(tmp_path: Path) -> None:
    columns = {"a": np.arange(20) / 3, "b": np.arange(20) / 7}
    source, copy = (write_csv(tmp_path / f"{name}.csv", **columns) for name in ("t", "copy"))
    columns["a"][3] += 1
    changed = write_csv(tmp_path / "changed.csv", **columns)
    prints = [load(path, target="a").fingerprint for path in (source, copy, changed)]
    prints.append(load(source, target="b").fingerprint)
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert all(len(print_) == 64 for print_ in prints)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")]
)
def test_idx_files_as_they_lie(cache: Path, name: str, folder: str, packed: bool) -> None:
    write_mnist(cache / folder / "raw", packed=packed)
    data, test = load(name), load_test(name)
    assert describe(data) == f"{name}: 40 train + 10 validation images 1x28x28, 10 classes"
    assert data.class_names[9] == ("9 - nine" if name == "mnist" else "Ankle boot")
    assert test.x.shape == (20, 1, 28, 28)
    assert test.x.min() == test.x.max() > max(data.x_train.max(), data.x_val.max())
    np.testing.assert_array_equal(test.y, np.arange(20) % 10)


def test_cifar_pickles_as_they_lie(cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_cifar(cache / "cifar-10-batches-py")
    data, test = load("cifar10"), load_test("cifar10")
    assert describe(data) == "cifar10: 40 train + 10 validation images 3x32x32, 10 classes"
    assert data.class_names[3] == "class 3"
    assert test.x.shape == (10, 3, 32, 32)
    np.testing.assert_array_equal(data.x_train[:, 0], 0)  # a constant channel has no std
    np.testing.assert_allclose(data.x_train[:, 1:].std(axis=(0, 2, 3)), 1, rtol=1e-4)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_failed_download(cache: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(ValueError, match="by hand") as caught:
        load(name)
    message = str(caught.value)
    assert "\n" not in message
    assert f"'{name}'" in message
    assert str(cache) in message
    assert "refused" in message
    assert capfd.readouterr() == ("", "")


def test_unusable_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RANGEFINDER_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ValueError, match=r"'mnist' is not in .*Not a directory"):
        load("mnist")


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("train-images-idx3-ubyte", b"broken", "cannot be read"),
        ("train-labels-idx1-ubyte", struct.pack(">HBBI", 0, 8, 1, 2) + b"01", "50 images and 2 la"),
        ("train-labels-idx1-ubyte", struct.pack(">HBBI", 0, 8, 1, 50) + b"\x0b" * 50, "labels out"),
    ],
)
def test_broken_cache(cache: Path, file: str, content: bytes, reason: str) -> None:
    write_mnist(cache / "MNIST" / "raw")
    (cache / "MNIST" / "raw" / file).write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be read.*delete them") as caught:
        load("mnist")
    assert reason in str(caught.value)


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


def table(**columns: object) -> Callable[[Path], str]:
    return lambda folder: write_csv(folder / "t.csv", **columns)


def file(name: str, content: bytes = b"") -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / name).write_bytes(content)
        return str(folder / name)

    return write


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


def twin_columns(folder: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table([TEN, TEN, TEN], names=["x", "x", "y"]), folder / "t.parquet")
    return str(folder / "t.parquet")


TEN = list(range(10))
GOOD = {"x": TEN, "y": [0, 1] * 5}

UNUSABLE: dict[str, tuple[Callable[[Path], str], str | None, str]] = {
    "unknown name": (lambda _: "dgits", None, r"'dgits' \(did you mean 'digits'\?\).*wine.*\.csv"),
    "nothing like it": (lambda _: "zzz", None, "unknown data set 'zzz': give one of digits, "),
    "blank": (lambda _: " ", None, "unknown data set ' '"),
    "two lines": (lambda _: "a\nb", None, r"unknown data set 'a\\nb'"),
    "no such file": (lambda _: "no/such.csv", "y", "'no/such.csv' does not exist"),
    "no such folder": (lambda _: "no/such", None, "'no/such' does not exist"),
    "no such home": (lambda _: "~no-such-user/t.csv", "y", "~no-such-user.*cannot be opened"),
    "name too long": (lambda _: "x" * 5000, None, "cannot be opened"),
    "extension": (file("t.xlsx"), "y", r"unsupported extension '\.xlsx': give a \.csv or"),
    "zero bytes": (file("t.csv"), "y", "is empty"),
    "header only": (file("t.csv", b"x,y\n"), "y", "has no rows"),
    "not text": (file("t.csv", b"x,y\n\xff\xfe,1\n"), "y", "cannot be parsed as csv"),
    "ragged": (file("t.csv", b"x,y\n1,2\n1,2,3,4\n"), "y", "cannot be parsed as csv"),
    "row longer than header": (file("t.csv", b"x,y\n1,2,3\n"), "y", "cannot be parsed as csv"),
    "not parquet": (file("t.parquet", b"x,y\n1,2\n"), "y", "cannot be parsed as parquet"),
    "no target": (table(**GOOD), None, r"t\.csv' needs a target"),
    "target for a name": (lambda _: "wine", "y", "target 'y' given for 'wine', which has its own"),
    "target for a folder": (pets(lambda _: None), "y", "target 'y' given for .*pets"),
    "no such column": (
        table(**{f"c{i}": TEN for i in range(12)}),
        "y",
        "no column 'y': it has 'c0', .*'c9' and 2 more",
    ),
    "twin columns": (twin_columns, "y", r"cannot be parsed as parquet: .*Name\(x\)"),
    "only the target": (table(y=[0, 1] * 5), "y", "no feature columns besides the target 'y'"),
    "only empty features": (table(x=[None] * 10, y=TEN), "y", "no value in any column besides"),
    "few rows": (table(x=TEN[:9], y=TEN[:9]), "y", "9 rows with a value in target 'y'.* 10 are"),
    "few targets": (table(x=TEN, y=[None, *TEN[1:]]), "y", "has 9 rows with a value in target"),
    "one class": (table(x=TEN, y=["a"] * 10), "y", "has only the class 'a'.* at least 2"),
    "one value": (table(x=TEN, y=[0.5] * 10), "y", "target 'y' has only the value 0.5"),
    "class of one": (
        table(x=TEN, y=["a"] * 9 + ["b\nc"]),
        "y",
        r"class 'b\\nc' has 1 sample: every class needs at least 3, one each for train, valid",
    ),
    "class of two": (table(x=TEN, y=[1] * 8 + [5] * 2), "y", "class '5' has 2 samples"),
    "folder without classes": (lambda folder: str(folder), None, "has no sub-folders"),
    "folder without images": (
        pets(lambda pets: remove(pets, "*/*")),
        None,
        "has no images in its 2 sub-folders",
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
def test_unusable_source(
    tmp_path: Path, write: Callable[[Path], str], target: str | None, message: str
) -> None:
    source = write(tmp_path)
    for function in (load, load_test):
        with pytest.raises(ValueError, match=message) as caught:
            function(source, target=target)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan"), float("inf")])
def test_unusable_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"fraction {fraction}: must be greater than 0 and at mo"):
        load("wine", fraction=fraction)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_unusable_seed(seed: int) -> None:
    with pytest.raises(ValueError, match=f"seed {seed}: must be between 0 and 4294967295"):
        load("wine", seed=seed)


def test_every_data_set_has_a_name() -> None:
    assert set(DATASETS) == {
        *("digits", "breast_cancer", "wine", "diabetes"),
        *("mnist", "fashion_mnist", "cifar10"),
    }
