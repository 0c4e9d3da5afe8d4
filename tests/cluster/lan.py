"""Hosts to run `ray up` on: lan.sh, and what is installed on them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
USER = "ubuntu"
PROJECT_PARTS = ("pipelines", "search_spaces", "trainables", "deploy", "pyproject.toml")
PROJECT_FILES = ("README.md", "constraints.txt", "cluster.yaml", "cluster-onprem.yaml")
TOOLS = ("ip", "unshare", "nsenter", "sshd", "rsync", "gcc")

# Stand-ins for what commands of the YAML files need and this LAN does not have.
_STAND_INS = {
    "sudo": 'exec "$@"',
    "apt-get": "exit 0",
    "nvidia-cuda-mps-control": "touch ~/mps-started",
}


def what_is_missing() -> str:
    """Why no host can be started here; "" if hosts can be started."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    path = f"{os.environ['PATH']}:/usr/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


class Lan:
    """A laptop, a head and workers. ``down`` ends everything that was started on them.

    Args:
        folder: for keys, logs and the shared folder; it must not hold an earlier LAN.
        prefix: of the network namespaces' names; five letters at most.
        hosts: ``"name:last-octet"``, or ``"name:address"``, separated by spaces.
    """

    def __init__(
        self, folder: Path, prefix: str, hosts: str, environment: str = "", **settings: str
    ):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        project = folder / "project"
        copy_project(project)
        image = folder / "image"
        _make_image(image)
        _constrain_to_what_is_there(project / "constraints.txt")
        (folder / "environment").write_text(environment)
        self.environment = {
            **os.environ,
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
            "LAB": str(folder),
            "PFX": prefix,
            "HOSTS": hosts,
            "PROJECT": str(project),
            "IMAGE": str(image),
            "HUSER": USER,
            **settings,
        }
        self.prefix = prefix

    @property
    def shared(self) -> Path:
        """The folder that the hosts see as /mnt/shared."""
        return self.folder / "shared"

    def up(self) -> None:
        self.do("up")

    def down(self) -> None:
        self.do("down")

    def do(self, *command: str) -> None:
        """Runs a command of lan.sh. Raises ``RuntimeError`` with its output if it fails."""
        done = self._run(command, timeout=60)
        if done.returncode:
            raise RuntimeError(f"lan.sh {' '.join(command)}: {done.stdout}")

    def on(self, host: str, command: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Runs a command on a host as its user. Returns stdout and stderr together."""
        return self._run(("exec", host, command), timeout)

    def as_root(self, host: str, command: str) -> subprocess.CompletedProcess[str]:
        return self._run(("rootexec", host, command), 60)

    def received(self, host: str) -> int:
        """The bytes that a host has received over the network since it was plugged in."""
        name = f"{self.prefix}-{host}"
        counter = "/sys/class/net/eth0/statistics/rx_bytes"
        return int(subprocess.check_output(["ip", "netns", "exec", name, "cat", counter]))

    def start(self, host: str, command: str, log: Path) -> subprocess.Popen[str]:
        """Starts a command on a host without waiting."""
        with log.open("w") as out:
            return subprocess.Popen(
                [str(HERE / "lan.sh"), "exec", host, command],
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def _run(self, command: tuple[str, ...], timeout: float) -> subprocess.CompletedProcess[str]:
        # To a file and not a pipe: a process that the command leaves would keep the pipe open.
        log = self.folder / "command.log"
        with log.open("w") as out:
            done = subprocess.run(
                [str(HERE / "lan.sh"), *command],
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                timeout=timeout,
                check=False,
            )
        return subprocess.CompletedProcess(
            command, done.returncode, log.read_text(errors="replace")
        )


def copy_project(to: Path) -> None:
    """Copies this project as a user would have it on a laptop, without environments and runs."""
    to.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in PROJECT_PARTS + PROJECT_FILES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=ignore)
        else:
            shutil.copy(source, to / name)
    for path in [to, *to.rglob("*")]:
        shutil.chown(path, 4242, 4242)  # of the login user on every host


def _make_image(image: Path) -> None:
    """Makes what is installed on every host: the packages of this environment without this project,
    and their commands. A host has no internet, so the ``pip install`` of the YAML file finds its
    requirements here and installs only the project."""
    site, programs, library = image / "site", image / "bin", image / "lib"
    for folder in (site, programs, library):
        folder.mkdir(parents=True)
    sources: dict[Path, int] = {}
    described: set[str] = set()  # if a package occurs twice, the first one is imported
    for path in map(Path, sys.path):
        if path.is_dir() and any(path.glob("*.dist-info")):
            for entry in path.iterdir():
                own = entry.name.startswith(("rangefinder", "__editable__", "pip", "__pycache__"))
                name = entry.name.partition("-")[0].lower() if entry.suffix == ".dist-info" else ""
                if own or (site / entry.name).is_symlink() or name in described:
                    continue
                described |= {name} - {""}
                real = entry.resolve()
                number = sources.setdefault(real.parent, len(sources))
                (site / entry.name).symlink_to(image / f"source{number}" / real.name)
    for number in sources.values():
        (image / f"source{number}").mkdir()
    (image / "binds").write_text(
        "".join(f"{parent} source{number}\n" for parent, number in sources.items())
    )
    for name in ("ray", "tune"):
        lines = (Path(sys.executable).parent / name).read_text().splitlines()
        _script(programs / name, "#!/usr/bin/env python3", lines[1:])
    for name, line in _STAND_INS.items():
        _script(programs / name, "#!/bin/bash", [line])
    for name in ("python3", "python3-config"):
        (programs / name).symlink_to(Path(sys.executable).resolve())
    nvml = library / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", nvml, HERE / "nvml.c"], check=True)
    (image / "environment").write_text(
        f"export PYTHONPATH={site} LD_LIBRARY_PATH={library}\n"
        "export PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 PIP_DISABLE_PIP_VERSION_CHECK=1\n"
        "export RAY_USAGE_STATS_ENABLED=0 PYTHONUNBUFFERED=1 LANG=C.UTF-8\n"
    )


def _constrain_to_what_is_there(constraints: Path) -> None:
    """Adapts the pins to the installed versions: the packages of the tests may have replaced a
    pinned version (boto3 wants an older python-dateutil), and a host cannot download another."""
    there: dict[str, str] = {}
    for package in distributions():
        there.setdefault(package.metadata["Name"].lower(), package.version)
    lines = [line.partition("==") for line in constraints.read_text().splitlines()]
    kept = ["".join(line) for line in lines if there.get(line[0].lower(), line[2]) == line[2]]
    constraints.write_text("\n".join(kept) + "\n")


def _script(path: Path, first: str, lines: list[str]) -> None:
    path.write_text("\n".join([first, *lines]) + "\n")
    path.chmod(0o755)
