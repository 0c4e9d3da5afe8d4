"""Published data sets: files in the cache folder, and downloads that fail."""

from __future__ import annotations

import gzip
import pickle
import shutil
import struct
from collections.abc import Iterator
from functools import partial
from hashlib import md5
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from trainables.data.datasets import describe, load, load_test
from trainables.data.published import is_cached

RNG = np.random.default_rng(0)


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


@pytest.fixture
def mirror(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with MNIST's files, served as the place to download them from."""
    from torchvision import datasets

    folder = cache.parent / "mirror"
    write_mnist(folder, packed=True)
    names = [name for name, _ in datasets.MNIST.resources]
    sums = [(name, md5((folder / name).read_bytes()).hexdigest()) for name in names]
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        monkeypatch.setattr(datasets.MNIST, "resources", sums)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield folder
        server.shutdown()


def tree(folder: Path) -> dict[Path, bytes]:
    """Every path below the folder, with the content of each file."""
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def test_images_are_fitted_on_train_only(cache: Path) -> None:
    write_mnist(cache / "MNIST" / "raw")
    before = load("mnist")
    write_idx(cache / "MNIST" / "raw" / "t10k-images-idx3-ubyte", np.zeros((20, 28, 28)))
    after = load("mnist")
    np.testing.assert_array_equal(after.x_train, before.x_train)
    assert after.x_train.mean() == pytest.approx(0, abs=1e-5)
    assert after.fingerprint != before.fingerprint  # it covers all raw data


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")]
)
def test_idx_files_as_they_lie(cache: Path, name: str, folder: str, packed: bool) -> None:
    assert not is_cached(name)
    write_mnist(cache / folder / "raw", packed=packed)
    assert is_cached(name)
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


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_failed_download_leaves_nothing_behind(cache: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="refused"):
        load(name)
    assert tree(tmp_path) == {}
    cache.mkdir()
    with pytest.raises(ValueError, match="refused"):
        load(name)
    assert tree(tmp_path) == {cache: b""}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("mnist", ["MNIST/raw/t10k-labels-idx1-ubyte.gz", "MNIST/notes.txt", ".mnist.lock"]),
        ("cifar10", ["cifar-10-batches-py/data_batch_1", "cifar-10-python.tar.gz"]),
        ("cifar10", ["MNIST/raw/t10k-labels-idx1-ubyte", ".mnist.lock"]),
    ],
)
def test_failed_download_keeps_what_was_there(cache: Path, name: str, files: list[str]) -> None:
    for file in files:
        (cache / file).parent.mkdir(parents=True, exist_ok=True)
        (cache / file).write_text("mine")
    (cache / "MNIST").mkdir(exist_ok=True)
    before = tree(cache)
    with pytest.raises(ValueError, match="refused"):
        load(name)
    assert tree(cache) == before


def test_damaged_download_leaves_nothing_behind(cache: Path, mirror: Path) -> None:
    """Three files arrive complete, but the last one does not; then it is repaired."""
    last = mirror / "t10k-labels-idx1-ubyte.gz"
    content = last.read_bytes()
    last.write_bytes(content[:-9])
    with pytest.raises(ValueError, match=f"cannot be downloaded .*{last.name}"):
        load("mnist")
    assert not cache.exists()
    last.write_bytes(content)
    assert len(load("mnist").x_train) == 40
    assert len(load_test("mnist").x) == 20


def test_interrupted_download(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    def download(self: datasets.MNIST) -> None:
        write_mnist(Path(self.raw_folder))
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.MNIST, "download", download)
    with pytest.raises(KeyboardInterrupt):
        load("mnist")
    assert not cache.exists()


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


def test_broken_packed_files_are_not_left_unpacked(cache: Path) -> None:
    raw = cache / "MNIST" / "raw"
    write_mnist(raw, packed=True)
    write_idx(raw / "t10k-labels-idx1-ubyte.gz", np.full(20, 11), packed=True)
    before = tree(cache)
    with pytest.raises(ValueError, match=r"labels outside 0 to 9.*replace them"):
        load("mnist")
    assert tree(cache) == before
    write_idx(raw / "t10k-labels-idx1-ubyte.gz", np.arange(20) % 10, packed=True)
    assert len(load_test("mnist").x) == 20


class Planted:
    """If Python unpickles it, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pickle_that_was_planted_is_not_run(cache: Path, tmp_path: Path) -> None:
    planted = pickle.dumps({"data": Planted(tmp_path / "run"), "labels": []})
    for name in ("data_batch_3", "batches.meta"):
        write_cifar(cache / "cifar-10-batches-py")
        path = cache / "cifar-10-batches-py" / name
        path.write_bytes(planted)
        with pytest.raises(ValueError, match=r"it asks for .*, which no data set needs"):
            load("cifar10")
        assert not (tmp_path / "run").exists()
        shutil.rmtree(path.parent)
    pickle.loads(planted)
    assert (tmp_path / "run").exists()  # the trap itself works


def test_what_old_torchvisions_left_in_the_cache_is_not_read(cache: Path) -> None:
    write_mnist(cache / "MNIST" / "raw")
    (cache / "MNIST" / "processed").mkdir()
    for file in ("training.pt", "test.pt"):
        (cache / "MNIST" / "processed" / file).write_bytes(b"planted")
    assert len(load("mnist").x_train) == 40


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no pickle", "cannot be read"),
        (pickle.dumps([1, 2]), "holds no images and labels"),
        (pickle.dumps({"data": b"", "labels": [1]}), "holds no images and labels"),
        (pickle.dumps({"data": np.zeros((1, 3072)), "labels": [1]}), "values are not bytes"),
        (pickle.dumps({"data": np.zeros((1, 9), np.uint8), "labels": [1]}), "9 bytes of pixels"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": ["1"]}), "whole numbers"),
    ],
)
def test_broken_cifar_files(cache: Path, content: bytes, reason: str) -> None:
    write_cifar(cache / "cifar-10-batches-py")
    (cache / "cifar-10-batches-py" / "data_batch_2").write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        load("cifar10")
    assert "\n" not in str(caught.value)


def test_pickles_as_python_2_wrote_them_are_read(cache: Path) -> None:
    """The published files have protocol 2, text for bytes, and numpy's old module."""
    write_cifar(cache / "cifar-10-batches-py")
    expected = load("cifar10")
    for path in (cache / "cifar-10-batches-py").glob("*batch*"):
        if path.name != "batches.meta":
            path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()), protocol=2))
            old = path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            path.write_bytes(old)
    np.testing.assert_array_equal(load("cifar10").x_train, expected.x_train)
