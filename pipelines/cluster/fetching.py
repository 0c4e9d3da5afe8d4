"""Copies a run from the head of a cluster to this machine, with Ray's own commands."""

from __future__ import annotations

import hashlib
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.record.files import RunFiles
from pipelines.record.sessions import read_sessions

_FOUND, _THERE = "@found ", "@there "
_LOOK = 60.0  # seconds for the answers of the cloud and the head
_KNOCK = 5.0  # seconds for the head's SSH to answer
_COPY = 3600.0  # seconds


@dataclass(frozen=True)
class RemoteRun:
    """A run on the head: its folder, and the sha256 of its ``spec.json``."""

    folder: str
    spec: str


def fetch_run(cluster: Path, run: str, to: Path) -> Path:
    """Copy a run from the head of a cluster, given by its YAML file, into the folder ``to``. An
    earlier copy is updated. Returns the folder of the copy.

    Raises ``ValueError`` if the cluster or the run is not there, or if another run is in the place
    of the copy.
    """
    if not cluster.is_file():
        raise ValueError(f"no cluster file {cluster}")
    if not _is_behind_a_bastion(_read(cluster)):
        _knock(_head_address(cluster), cluster)
    remote = find(_ray("exec", str(cluster), look_command(run), patience=_LOOK), run)
    target = to / Path(remote.folder).name
    spec = RunFiles(target).spec
    if spec.is_file() and hashlib.sha256(spec.read_bytes()).hexdigest() != remote.spec:
        raise ValueError(f"{target} holds another run: give another folder with `to`")
    if any(session.host == socket.gethostname() for session in read_sessions(RunFiles(target))):
        raise ValueError(
            f"{target} was resumed here, and a copy would undo that: give another folder with `to`"
        )
    target.mkdir(parents=True, exist_ok=True)
    for left in target.rglob(RunFiles(target).live.name):  # the copy command removes no file
        left.unlink()
    # The slash at the end means the contents of the folder, not the folder itself.
    _ray("rsync-down", str(cluster), f"{remote.folder}/", f"{target}/", patience=_COPY)
    if not spec.is_file():
        raise ValueError(f"{remote.folder} was not copied: `ray rsync-down` left no {spec}")
    return target


def places(run: str) -> list[str]:
    """Where a run may lie on the head, quoted for a shell: at its path below the home folder or the
    project, or by its name alone."""
    if run.startswith("/"):
        return [shlex.quote(run)]
    path = run.removeprefix("~/").rstrip("/")
    return [
        f'"$HOME"/{shlex.quote(f"{start}{path}")}'
        for start in ("", "rangefinder/", "runs/", "rangefinder/runs/")
    ]


def look_command(run: str) -> str:
    """The command for the head. It prints which place holds the run, or else all the runs."""
    return (
        f"for d in {' '.join(places(run))}; do "
        'if test -f "$d/spec.json"; then '
        f'echo "{_FOUND}$(sha256sum < "$d/spec.json" | cut -c1-64) $d"; exit 0; fi; done; '
        'for d in "$HOME"/runs/*/ "$HOME"/rangefinder/runs/*/; do '
        f'if test -f "$d/spec.json"; then echo "{_THERE}$(basename "$d")"; fi; done'
    )


def find(output: str, run: str) -> RemoteRun:
    """The run in the head's answer. If the head has no such run, raises ``ValueError`` with the
    runs that it has."""
    for answer in _answers(output, _FOUND):
        spec, _, folder = answer.partition(" ")
        return RemoteRun(folder, spec)
    there = sorted(set(_answers(output, _THERE)))
    known = f"it has {', '.join(there)}" if there else "it has none in ~/runs or ~/rangefinder/runs"
    raise ValueError(f"the head has no run '{run}': {known}")


def _answers(output: str, mark: str) -> Iterator[str]:
    for line in output.splitlines():
        if line.startswith(mark):
            yield line.removeprefix(mark).strip()


def _head_address(cluster: Path) -> str:
    lines = _ray("get-head-ip", str(cluster), patience=_LOOK).strip().splitlines()
    return lines[-1].strip() if lines else ""


def _read(cluster: Path) -> dict[str, Any]:
    """Raises ``ValueError`` for a file that is not a cluster: for bad YAML, Ray only prints "^"."""
    try:
        config: Any = yaml.safe_load(cluster.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = "" if where is None else f", line {where.line + 1}"
        raise ValueError(f"{cluster}{line} is not YAML") from None
    if not isinstance(config, dict) or "provider" not in config:
        raise ValueError(f"{cluster} is not a file for `ray up`: it has no `provider`")
    return config


def _is_behind_a_bastion(config: Mapping[str, Any]) -> bool:
    """Whether the head can only be reached through the SSH of another machine."""
    return "ssh_proxy_command" in (config.get("auth") or {})


def _knock(head: str, cluster: Path) -> None:
    """Raises ``ValueError`` if SSH does not answer; Ray would try for minutes."""
    try:
        socket.create_connection((head, 22), timeout=_KNOCK).close()
    except OSError as error:
        where = f"the head of {cluster}, {head},"
        raise ValueError(f"{where} does not answer by SSH: {error}") from None


def _ray(*arguments: str, patience: float) -> str:
    """The output of a command of Ray. If it fails, raises ``ValueError`` with its last line."""
    command = [sys.executable, "-m", "ray.scripts.scripts", *arguments]
    shown = f"`ray {arguments[0]} {arguments[1]}`"
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"{shown} did not end within {patience:g} s") from None
    if done.returncode:
        raise ValueError(f"{shown} failed: {_last_line(done.stdout.splitlines())}")
    return done.stdout


def _last_line(lines: Sequence[str]) -> str:
    """The last line with text: a line of marks such as "^" does not count."""
    return next((line.strip() for line in reversed(lines) if line.strip("^~ \t")), "no output")
