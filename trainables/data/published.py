"""Published image data sets of torchvision, downloaded once into a cache folder."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import socket
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.cifar_files import read_batch, read_names
from trainables.data.image_files import one_line
from trainables.data.images import Images

DOWNLOAD_TIMEOUT_S = 30.0
LOCK_TRIES = 100


@dataclass(frozen=True)
class Published:
    """A torchvision data set: its class there, and the place of its files in the cache folder."""

    class_name: str
    folder: str
    files: tuple[str, ...]
    archive: str | None = None
    """The archive that is downloaded to the cache folder; None if single files are downloaded."""


_IDX_FILES = tuple(
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)
PUBLISHED = {
    "mnist": Published("MNIST", "MNIST/raw", _IDX_FILES),
    "fashion_mnist": Published("FashionMNIST", "FashionMNIST/raw", _IDX_FILES),
    "cifar10": Published(
        "CIFAR10",
        "cifar-10-batches-py",
        (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"),
        "cifar-10-python.tar.gz",
    ),
}


def cache_folder() -> Path:
    """The folder of downloaded data sets: $RANGEFINDER_CACHE, or ~/.cache/rangefinder."""
    configured = os.environ.get("RANGEFINDER_CACHE")
    return Path(configured).expanduser() if configured else Path.home() / ".cache" / "rangefinder"


def is_cached(name: str) -> bool:
    """Whether all files of a PUBLISHED data set are in the cache folder."""
    published = PUBLISHED[name]
    folder = cache_folder() / published.folder
    return all(_lies_in(folder, file) for file in published.files)


def read_published(name: str) -> Images:
    """Read a PUBLISHED data set from the cache folder, or download it there if it is missing.

    Files that are present are used without checking a checksum, and no code in them is run. If this
    function fails, it removes what it has made there.

    Raises:
        ValueError: the data set is missing and cannot be downloaded, or its files are unreadable.
    """
    published = PUBLISHED[name]
    root = cache_folder()
    folder = root / published.folder
    present = False
    try:
        with _attempt(name, root), _quiet():
            present = is_cached(name)
            if present:
                _unpack(folder, published.files)
            x, y, names = _read_split(published, root, train=True, download=not present)
            x_test, y_test, _ = _read_split(published, root, train=False, download=False)
        return Images(np.concatenate([x, x_test]), np.concatenate([y, y_test]), names, len(y_test))
    except Exception as error:  # whatever a broken download or a broken pickle raises
        reason = one_line(error)
        if present:
            raise ValueError(
                f"data set '{name}': the files in {folder} cannot be read ({reason}): "
                "replace them, or delete them to download them again"
            ) from error
        raise ValueError(
            f"data set '{name}' is not in {root} and cannot be downloaded ({reason}): put its "
            f"files ({', '.join(published.files)}) into {folder} by hand, "
            "or set RANGEFINDER_CACHE to the folder that holds them"
        ) from error


@contextlib.contextmanager
def _attempt(name: str, root: Path) -> Iterator[None]:
    """Holds the data set's lock in the cache folder; on failure removes what was made."""
    published = PUBLISHED[name]
    folder = root / published.folder
    archive = [root / published.archive] if published.archive else []
    lock = root / f".{name}.lock"

    def there() -> list[Path]:
        """All paths of the data set that exist; the content of a folder comes before the folder."""
        paths = [*archive, *folder.glob("*"), folder, *folder.parents]
        return [path for path in paths if os.path.lexists(path)]

    made = [path for path in (lock, root, *root.parents) if not os.path.lexists(path)]
    with _locked(lock):
        # Under the lock, so that files that another process downloads do not count as made here.
        before = set(there())
        try:
            yield
        except BaseException:
            # Still under the lock, although its file is removed too: a process that waits for a
            # removed lock file makes a new one, so two processes never hold the lock.
            for path in [*(path for path in there() if path not in before), *made]:
                with contextlib.suppress(OSError):  # folders in use are not empty
                    path.rmdir() if path.is_dir() else path.unlink()
            raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Makes the folder of the lock's file, and lets one process at a time download into it.

    Trials on one machine start at the same time.
    """
    from filelock import FileLock

    lock = FileLock(path)
    for _ in range(LOCK_TRIES):
        # Raised if another process, whose download failed, removes the folder at the same time.
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except FileNotFoundError:
                raise
            except (OSError, NotImplementedError):
                pass  # a read-only cache needs no lock; some network file systems have none
            break
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides torchvision's prints and progress bars, and gives its sockets a timeout."""
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)
    sink = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        socket.setdefaulttimeout(timeout)


def _lies_in(folder: Path, file: str) -> bool:
    return (folder / file).is_file() or (folder / f"{file}.gz").is_file()


def _unpack(folder: Path, files: tuple[str, ...]) -> None:
    """Unpacks the files that are in the folder only as .gz."""
    for file in files:
        if (folder / file).is_file():
            continue
        partial = folder / f"{file}.partial"
        with gzip.open(folder / f"{file}.gz") as source, partial.open("wb") as sink:
            shutil.copyfileobj(source, sink)
        partial.replace(folder / file)


def _read_split(
    published: Published, root: Path, *, train: bool, download: bool
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """One split: uint8 (n, c, h, w), int64 (n,), class names."""
    read = _read_cifar if published.class_name == "CIFAR10" else _read_mnist
    pixels, labels, names = read(published, root, train=train, download=download)
    if len(pixels) != len(labels):
        raise ValueError(f"{len(pixels)} images and {len(labels)} labels")
    if not np.isin(labels, np.arange(len(names))).all():
        raise ValueError(f"labels outside 0 to {len(names) - 1}")
    return pixels, labels, names


def _read_mnist(
    published: Published, root: Path, *, train: bool, download: bool
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """MNIST, or a data set like it, through torchvision."""
    from torchvision import datasets

    factory: Any = getattr(datasets, published.class_name)

    class AsPublished(factory):  # type: ignore[misc,unused-ignore]
        """Ignores the files that earlier versions of torchvision left."""

        @property
        def raw_folder(self) -> str:
            return str(root / published.folder)

        def _check_legacy_exist(self) -> bool:
            return False

    split = AsPublished(root=root, train=train, download=download)
    pixels = np.asarray(split.data, dtype=np.uint8)
    names = tuple(str(name) for name in split.classes)
    return pixels[:, None], np.asarray(split.targets, dtype=np.int64), names


def _read_cifar(
    published: Published, root: Path, *, train: bool, download: bool
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """CIFAR-10. torchvision only downloads it, because its reader would unpickle the files."""
    if download:
        from torchvision.datasets import CIFAR10
        from torchvision.datasets.utils import download_and_extract_archive

        url, name, md5 = CIFAR10.url, CIFAR10.filename, CIFAR10.tgz_md5
        download_and_extract_archive(url, root, filename=name, md5=md5)
    *batches, test, names = (root / published.folder / file for file in published.files)
    parts = [read_batch(path) for path in (batches if train else [test])]
    pixels, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return pixels, labels, read_names(names)
