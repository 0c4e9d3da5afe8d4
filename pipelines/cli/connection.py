"""The Ray cluster that a command uses."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pipelines.study.settings import Settings


class Address(Settings):
    """Where trainings run."""

    address: Annotated[str, Parameter(metavar="ADDRESS")] | None = None
    """Ray cluster to join; 'local' starts Ray here. Default: a running cluster, else 'local'."""


class Connection(Address):
    """Where trials run."""

    dashboard: Annotated[bool, Parameter(negative="--no-dashboard")] = True
    """Start Ray's dashboard with Ray."""
