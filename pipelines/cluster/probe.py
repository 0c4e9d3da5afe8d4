"""What preflight runs on a node. It is sent by value, so that a node without this project, or with
another version of it, answers too. So this module imports only the standard library."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PROJECT = "rangefinder"
_PACKAGES = ("search_spaces", "trainables", "pipelines")
# NVML counts GPUs even where CUDA does not work, because the driver is too old for torch's CUDA.
_COUNT_GPUS = "from torch import cuda; print(cuda.device_count(), int(cuda.is_available()))"
_TORCH_PATIENCE = 120  # seconds to import torch: from a cold disk it takes half a minute


def look(gpus: float, storage: str, token: str, name: str) -> dict[str, Any]:
    """The versions, GPUs and free disk of this node, and whether it can write to the folder
    ``token`` that the driver has made in ``storage``."""
    disk = shutil.disk_usage(tempfile.gettempdir())  # here Ray puts what its memory cannot hold
    seen, works = _count_gpus() if gpus else (0, True)
    return {
        **versions(),
        "gpus_seen": seen,
        "cuda_works": works,
        "disk_free": disk.free,
        "disk_total": disk.total,
        "written": write(storage, token, name),
    }


def versions() -> dict[str, str]:
    """The versions that must be the same on every node."""
    return {
        "python": platform.python_version(),
        "ray": version_of("ray"),
        "project": f"{version_of(PROJECT)} {_fingerprint()}",
    }


def write(storage: str, token: str, name: str) -> str:
    """Write ``name`` into the folder ``token``. Returns the reason if that fails, else ""."""
    try:
        filesystem, path = _open(storage)
        with filesystem.open_output_stream(f"{path}/{token}/{name}") as stream:
            stream.write(name.encode())
    except FileNotFoundError:
        return "it does not see the folder that the driver made there; do all machines share it?"
    except Exception as error:  # each file system's client raises its own exceptions
        return _reason(error)
    return ""


def read(storage: str, token: str, name: str) -> str:
    """Read what another node has written. Returns the reason if that fails, else ""."""
    try:
        filesystem, path = _open(storage)
        with filesystem.open_input_stream(f"{path}/{token}/{name}") as stream:
            found = stream.read().decode()
    except Exception as error:
        return _reason(error)
    return "" if found == name else f"reads {found!r} where {name!r} was written"


def prepare(storage: str, token: str) -> list[Path]:
    """Make the folder that all nodes write to. Returns the folders above it that had to be made, if
    the storage is a path, the deepest first."""
    filesystem, path = _open(storage)
    above = [] if "://" in storage else [Path(path), *Path(path).parents]
    missing = [folder for folder in above if not folder.exists()]
    filesystem.create_dir(f"{path}/{token}", recursive=True)
    return missing


def remove(storage: str, token: str, made: Iterable[Path]) -> None:
    """Remove that folder with its contents, and the folders in ``made`` unless they are in use by
    now."""
    filesystem, path = _open(storage)
    filesystem.delete_dir(f"{path}/{token}")
    with suppress(OSError):
        for folder in made:
            folder.rmdir()


def _open(storage: str) -> tuple[Any, str]:
    from pyarrow.fs import FileSystem

    filesystem, path = FileSystem.from_uri(storage)
    return filesystem, path


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or repr(error)


def version_of(package: str) -> str:
    """The version of a package, or "not installed": a clone runs without an installed project."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _fingerprint() -> str:
    """A fingerprint of the sources that a trial on this node would import."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None:
            return f"without {package}"
        for folder in spec.submodule_search_locations or ():
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def _count_gpus() -> tuple[int, bool]:
    """The GPUs that torch counts in a process from which Ray hides none, and whether CUDA works
    there; -1 GPUs if that process fails."""
    command = ["env", "-u", "CUDA_VISIBLE_DEVICES", sys.executable, "-c", _COUNT_GPUS]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TORCH_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return -1, False
    gpus, works = map(int, done.stdout.split())
    return gpus, bool(works)
