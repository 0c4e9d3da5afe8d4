"""The YAML file from which `ray up` made the cluster that this process is connected to."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ray._private import worker

import psutil  # type: ignore[import-untyped]  # isort: skip  # Ray brings it along

_FILE = "~/ray_bootstrap_config.yaml"  # where `ray up` puts it on the head


def launched_with() -> dict[str, Any] | None:
    """What the file says, as completed by Ray; None if something else made the cluster.

    `ray down` leaves the file on a machine of your own. So it only counts if the autoscaler of this
    very cluster was started with it, on this machine.
    """
    path = Path(_FILE).expanduser()
    node = worker._global_node
    if node is None or not path.is_file():
        return None
    if not _has_autoscaler(Path(node.get_session_dir_path()).name, path.name):
        return None
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    return config


@cache
def _has_autoscaler(session: str, file: str) -> bool:
    """Whether the autoscaler of Ray's ``session`` runs on this machine and was given a ``file`` of
    this name."""
    given = re.compile(rf"/{session}/logs .*--autoscaling-config=.*{re.escape(file)}")
    return any(
        given.search(" ".join(process.info["cmdline"] or ()))
        for process in psutil.process_iter(["cmdline"])
    )
