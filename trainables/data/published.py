"""Published image data sets: torchvision's, downloaded once into a cache folder."""

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
    """A torchvision data set: its class there and where its files lie below the cache folder."""

    class_name: str
    folder: str
    files: tuple[str, ...]
    archive: str | None = None
    """The file in the cache folder which a download unpacks; None: it unpacks files in place."""


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
    """Folder of downloaded data sets: $RANGEFINDER_CACHE, or ~/.cache/rangefinder."""
    configured = os.environ.get("RANGEFINDER_CACHE")
    return Path(configured).expanduser() if configured else Path.home() / ".cache" / "rangefinder"


def is_cached(name: str) -> bool:
    """Whether all files of a PUBLISHED data set lie in the cache folder."""
    published = PUBLISHED[name]
    folder = cache_folder() / published.folder
    return all(_lies_in(folder, file) for file in published.files)


def read_published(name: str) -> Images:
    """Read a PUBLISHED data set from the cache folder; download it there when it is missing.

    Files that are present are used as they lie, without a checksum; nothing that they hold is run.
    A failure removes what it has made there.

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
    """Hold the data set's lock in the cache folder; on failure remove what was made."""
    published = PUBLISHED[name]
    folder = root / published.folder
    archive = [root / published.archive] if published.archive else []
    lock = root / f".{name}.lock"

    def there() -> list[Path]:
        """Whatever is there of the data set, the content of a folder before the folder."""
        paths = [*archive, *folder.glob("*"), folder, *folder.parents]
        return [path for path in paths if os.path.lexists(path)]

    made = [path for path in (lock, root, *root.parents) if not os.path.lexists(path)]
    with _locked(lock):
        # Under the lock, or it would count as made here what another process has downloaded.
        before = set(there())
        try:
            yield
        except BaseException:
            # Under the lock too, its own file included: a process that waits for a lock file
            # which is removed makes a new one, so no two ever hold the lock.
            for path in [*(path for path in there() if path not in before), *made]:
                with contextlib.suppress(OSError):  # a folder that others use is not empty
                    path.rmdir() if path.is_dir() else path.unlink()
            raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Make the folder of the lock's file and let one process at a time download into it.

    Trials on one machine start together.
    """
    from filelock import FileLock

    lock = FileLock(path)
    for _ in range(LOCK_TRIES):
        # Raised where another process, whose download failed, removes the folder meanwhile.
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
    """Hide torchvision's prints and progress bars; bound its sockets, which have no timeout."""
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
    """Unpack those files which lie in the folder as .gz only."""
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
        """Without the files of torchvision's own that earlier versions left beside."""

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
    """CIFAR-10, of which torchvision makes the download alone: it would unpickle the files."""
    if download:
        from torchvision.datasets import CIFAR10
        from torchvision.datasets.utils import download_and_extract_archive

        url, name, md5 = CIFAR10.url, CIFAR10.filename, CIFAR10.tgz_md5
        download_and_extract_archive(url, root, filename=name, md5=md5)
    *batches, test, names = (root / published.folder / file for file in published.files)
    parts = [read_batch(path) for path in (batches if train else [test])]
    pixels, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return pixels, labels, read_names(names)
