"""Checks before the first trial that every node of a cluster has what the trials need."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipelines.cluster import probe
from pipelines.cluster.machines import Cluster
from pipelines.cluster.resources import TrialResources
from pipelines.cluster.sharing import no_cuda_on
from pipelines.cluster.workers import await_workers

PATIENCE = 180.0  # seconds for a node to answer: importing torch from a cold disk takes long
LEAST_DISK = 2 * 2**30  # bytes
FULL = 0.95  # share of a disk: if it is fuller, Ray stores no more objects there

Say = Callable[[str], None]


@dataclass(frozen=True)
class Needs:
    """What every node must have. The versions are those of the driver."""

    python: str
    ray: str
    project: str
    data_bytes: int
    storage: str  # as messages name it
    uses_gpus: bool


@dataclass(frozen=True)
class Row:
    """The answer of one node, or ``error``: the reason why it did not answer."""

    node: str
    address: str
    python: str = ""
    ray: str = ""
    project: str = ""
    gpus_declared: float = 0
    gpus_seen: int = 0  # by torch; -1 if torch cannot be imported
    cuda_works: bool = True  # if not, trials train on CPUs
    disk_free: int = 0  # bytes
    disk_total: int = 0
    memory: float = 0  # bytes in Ray's object store
    written: str = ""  # why the node could not write to the storage; "" if it could
    read: str = ""  # why the node could not read what another node wrote
    error: str = ""


def problems(row: Row, needs: Needs) -> list[str]:
    """What keeps a node from running trials. Each text continues the name of the node."""
    if row.error:
        return [f"does not answer: {row.error}"]
    found = [
        f"has {what} {theirs}, the driver has {ours}: run `ray up` again, or `ray job submit` from "
        "one folder"
        for what, theirs, ours in (
            ("Python", row.python, needs.python),
            ("Ray", row.ray, needs.ray),
            ("rangefinder", row.project, needs.project),
        )
        if theirs != ours
    ]
    if row.written:
        found.append(f"cannot write to {needs.storage}: {row.written}")
    elif row.read:
        found.append(f"cannot read another node's file in {needs.storage}: {row.read}")
    if needs.uses_gpus and row.gpus_seen < row.gpus_declared:
        seen = "cannot be imported" if row.gpus_seen < 0 else f"sees {row.gpus_seen}"
        found.append(f"declares {row.gpus_declared:g} GPUs to Ray, but torch {seen}")
    if row.disk_free < max(LEAST_DISK, (1 - FULL) * row.disk_total):
        found.append(
            f"has {_gib(row.disk_free)} of {_gib(row.disk_total)} of disk free: "
            f"at least {_gib(LEAST_DISK)} and {1 - FULL:.0%} are needed"
        )
    if needs.data_bytes > row.memory:
        found.append(
            f"has {_gib(row.memory)} in Ray's object store, but the data set needs "
            f"{_gib(needs.data_bytes)}: try a smaller `data_fraction`"
        )
    return found


def has_several_nodes(cluster: Cluster) -> bool:
    """Whether the cluster has more than one node, or may get more."""
    return cluster.may_grow() or len(cluster.nodes()) > 1


def preflight(
    cluster: Cluster,
    storage: str,
    trial: TrialResources,
    *,
    instead: str = "",
    data_bytes: int = 0,
    say: Say = print,
) -> list[Row]:
    """Check every node of a cluster with more than one node, and show a table of the nodes.

    If no node can hold a trial yet, this waits for the first node that the cluster's launcher adds.

    Args:
        storage: Where trials keep their checkpoints: an absolute path, or a URI.
        trial: The resources of one trial.
        instead: What to do if the nodes do not share the storage. It is given if the storage is the
            folder of runs, because the user has chosen no other.
        data_bytes: The size of the data, which every node receives once.
        say: Shows a line.

    Returns:
        One row per node; no rows on a cluster of one node.

    Raises:
        ValueError: a node lacks something, with the name of every such node and the reason; or no
            node that can hold a trial joined.
    """
    if not has_several_nodes(cluster):
        return []
    await_workers(cluster, trial, say)
    uses_gpus = trial.gpus > 0
    named = f"the runs folder {storage}" if instead else f"`storage` {storage}"
    needs = Needs(**probe.versions(), data_bytes=data_bytes, storage=named, uses_gpus=uses_gpus)
    rows = look_at_nodes(storage)
    for line in table(rows):
        say(line)
    for row in rows:
        if uses_gpus and row.gpus_seen > 0 and not row.cuda_works:
            say(f"warning   {no_cuda_on(f'{row.node} ({row.address})')}")
            cluster.without_cuda.add(row.address)
    for address in cluster.machines_to_come():
        say(f"          {address} has not joined yet: the search starts without it")
    failures = [
        f"{row.node} ({row.address}) {problem}" for row in rows for problem in problems(row, needs)
    ]
    if instead and any(row.written or row.read for row in rows):
        failures.append(instead)
    if failures:
        raise ValueError(f"nothing was started: {'; '.join(failures)}")
    return rows


def look_at_nodes(storage: str, patience: float = PATIENCE) -> list[Row]:
    """Ask every live node, in the order of their names.

    Raises ``ValueError`` if the driver itself cannot use ``storage``.
    """
    alive = [node for node in ray.nodes() if node["Alive"]]  # in no order
    nodes = sorted(alive, key=lambda node: str(node["NodeManagerHostname"]))
    token = f".preflight-{uuid.uuid4().hex[:8]}"
    try:
        made = probe.prepare(storage, token)
    except Exception as error:  # each file system's client raises its own exceptions
        reason = " ".join(str(error).split())
        raise ValueError(f"{storage} cannot be written: {reason}") from None
    cloudpickle.register_pickle_by_value(probe)
    try:
        looked = _on_each(
            nodes,
            probe.look,
            [(n["Resources"].get("GPU", 0), storage, token, n["NodeID"]) for n in nodes],
            patience,
        )
        others = nodes[1:] + nodes[:1]  # each node reads what the next node wrote
        read = _on_each(
            nodes, probe.read, [(storage, token, n["NodeID"]) for n in others], patience
        )
    finally:
        cloudpickle.unregister_pickle_by_value(probe)
        probe.remove(storage, token, made)
    wrote = [not isinstance(answer, Exception) and not answer["written"] for answer in looked]
    return [
        _row(node, answer, found if other_wrote else "")
        for node, answer, found, other_wrote in zip(
            nodes, looked, read, wrote[1:] + wrote[:1], strict=True
        )
    ]


def _on_each(
    nodes: Sequence[dict[str, Any]],
    function: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    patience: float,
) -> list[Any]:
    """What ``function`` returns on each node, or the exception that it raised."""
    task = ray.remote(num_cpus=0, max_retries=0)(function)
    refs = [
        task.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(*given)
        for node, given in zip(nodes, arguments, strict=True)
    ]
    ray.wait(refs, num_returns=len(refs), timeout=patience)
    return [_answer(ref, patience) for ref in refs]


def _answer(ref: Any, patience: float) -> Any:
    try:
        return ray.get(ref, timeout=0)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(ref, force=True)
        return TimeoutError(f"nothing within {patience:g} s")
    except ray.exceptions.RayError as error:
        return error


def _row(node: dict[str, Any], answer: Any, read: Any) -> Row:
    resources = node["Resources"]
    row = {
        "node": node["NodeManagerHostname"],
        "address": node["NodeManagerAddress"],
        "gpus_declared": resources.get("GPU", 0),
        "memory": resources.get("object_store_memory", 0),
    }
    for failure in (answer, read):
        if isinstance(failure, Exception):
            return Row(**row, error=str(failure).strip().splitlines()[-1])
    return Row(**row, **answer, read=read)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """One line per node, with aligned columns."""
    head = ("preflight", "address", "Python", "Ray", "rangefinder", "GPUs", "disk free", "storage")
    cells = [head, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    for line in cells:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).strip()


def _cells(row: Row) -> tuple[str, ...]:
    if row.error:
        return (row.node, row.address, *["-"] * 5, "no answer")
    gpus = f"{max(row.gpus_seen, 0)} of {row.gpus_declared:g}" if row.gpus_declared else "-"
    storage = "cannot write" if row.written else "cannot read" if row.read else "written, read"
    disk = _gib(row.disk_free)
    return (row.node, row.address, row.python, row.ray, row.project, gpus, disk, storage)


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
