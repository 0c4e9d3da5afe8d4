"""What a training may depend on besides its settings: versions and the machine."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import trainables
from pipelines.cluster.probe import version_of

_PACKAGES = ("rangefinder", "ray", "optuna", "hyperopt", "torch", "scikit-learn", "numpy")


def versions() -> dict[str, str]:
    """Of Python, of the packages that search and train, and of our training code."""
    return {
        "python": platform.python_version(),
        **{name: version_of(name) for name in _PACKAGES},
        "code of trainables": _digest(Path(trainables.__file__).parent),
    }


def _digest(folder: Path) -> str:
    """Hash of all modules below ``folder``, as two checkouts of one version may differ."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def machine() -> dict[str, str]:
    """The machine that this process runs on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
    }


def _processor() -> str:
    """The processor's name on Linux; on other systems what Python reports."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if "model name" in line), "unknown")
