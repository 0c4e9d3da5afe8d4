"""What preflight concludes from the answers of nodes, and of one real node. Real hosts answer in
tests/cluster/test_onprem.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.cluster import probe
from pipelines.cluster.machines import Cluster
from pipelines.cluster.preflight import Needs, Row, look_at_nodes, preflight, problems, table
from pipelines.cluster.resources import TrialResources

GIB = 2**30
NEEDS = Needs(
    "3.12.3", "2.60.0", "0.1.0 abc", data_bytes=10**6, storage="`storage` /shared", uses_gpus=True
)
SOUND = Row(
    node="w1",
    address="10.0.0.1",
    python="3.12.3",
    ray="2.60.0",
    project="0.1.0 abc",
    gpus_declared=2,
    gpus_seen=2,
    disk_free=50 * GIB,
    disk_total=100 * GIB,
    memory=GIB,
)


def test_a_node_with_all_that_is_needed_has_no_problem() -> None:
    assert problems(SOUND, NEEDS) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"python": "3.12.4"}, "has Python 3.12.4, the driver has 3.12.3"),
        ({"ray": "2.59.0"}, "has Ray 2.59.0, the driver has 2.60.0"),
        ({"project": "0.1.0 def"}, "has rangefinder 0.1.0 def, the driver has 0.1.0 abc"),
        ({"written": "ACCESS_DENIED"}, "cannot write to `storage` /shared: ACCESS_DENIED"),
        ({"read": "no such key"}, "cannot read another node's file in `storage` /shared"),
        ({"gpus_seen": 1}, "declares 2 GPUs to Ray, but torch sees 1"),
        ({"gpus_seen": -1}, "declares 2 GPUs to Ray, but torch cannot be imported"),
        ({"disk_free": GIB}, "has 1.0 GiB of 100.0 GiB of disk free"),
        ({"disk_free": 40 * GIB, "disk_total": 1000 * GIB}, "has 40.0 GiB of 1000.0 GiB"),
        ({"memory": 10**5}, "but the data set needs"),
        ({"error": "the node died"}, "does not answer: the node died"),
    ],
)
def test_each_lack_is_named(change: dict[str, object], says: str) -> None:
    (problem,) = problems(replace(SOUND, **change), NEEDS)  # type: ignore[arg-type]
    assert says in problem


def test_gpus_do_not_matter_to_trials_on_the_cpu() -> None:
    assert problems(replace(SOUND, gpus_seen=0), replace(NEEDS, uses_gpus=False)) == []


def test_the_table_has_a_line_per_node() -> None:
    lines = list(table([SOUND, replace(SOUND, node="w2", error="it died")]))
    assert [line.split()[0] for line in lines] == ["preflight", "w1", "w2"]
    assert "2 of 2" in lines[1]
    assert "written, read" in lines[1]
    assert "no answer" in lines[2]


def test_a_real_node_answers_and_nothing_stays_in_the_storage(
    cluster: Cluster, tmp_path: Path
) -> None:
    storage = tmp_path / "new"
    (row,) = look_at_nodes(str(storage))
    needs = Needs(**probe.versions(), data_bytes=1000, storage=str(storage), uses_gpus=False)
    assert problems(row, needs) == []
    assert row.gpus_declared == 1
    assert list(tmp_path.iterdir()) == []


def test_storage_that_the_driver_cannot_write_is_named(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match=r"^/proc/none cannot be written"):
        look_at_nodes("/proc/none")


@pytest.mark.parametrize(
    ("instead", "says"),
    [
        (
            "",
            r"^nothing was started: w1 \(10\.0\.0\.1\) cannot write to `storage` /runs: not there$",
        ),
        ("give another", r"cannot write to the runs folder /runs: not there; give another$"),
    ],
)
def test_a_runs_folder_that_is_not_shared_is_named_as_such(
    instead: str, says: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours: Any = probe.versions()
    row = replace(SOUND, **ours, written="not there")
    monkeypatch.setattr("pipelines.cluster.preflight.has_several_nodes", lambda cluster: True)
    monkeypatch.setattr("pipelines.cluster.preflight.look_at_nodes", lambda storage: [row])
    with pytest.raises(ValueError, match=says):
        preflight(cluster, "/runs", TrialResources(1), instead=instead, say=lambda line: None)


def test_a_node_on_which_cuda_does_not_work_is_named(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours: Any = probe.versions()
    rows = [replace(SOUND, **ours), replace(SOUND, **ours, node="w2", cuda_works=False)]
    here = replace(cluster, without_cuda=set())
    monkeypatch.setattr("pipelines.cluster.preflight.has_several_nodes", lambda cluster: True)
    monkeypatch.setattr("pipelines.cluster.preflight.look_at_nodes", lambda storage: rows)
    for gpus, named in ((0.0, 0), (0.5, 1)):
        said: list[str] = []
        assert preflight(here, "/shared", TrialResources(1, gpus), say=said.append) == rows
        assert sum("CUDA does not work on w2 (10.0.0.1)" in line for line in said) == named


def test_gpus_are_counted_that_cuda_cannot_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a driver that is too old for torch."""
    (tmp_path / "torch.py").write_text(
        "class cuda:\n    device_count = lambda: 2\n    is_available = lambda: False\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert probe._count_gpus() == (2, False)


def test_one_node_alone_needs_no_preflight(cluster: Cluster, tmp_path: Path) -> None:
    said: list[str] = []
    assert preflight(cluster, str(tmp_path), TrialResources(1), say=said.append) == []
    assert said == []


def test_what_the_driver_wrote_is_read_elsewhere(tmp_path: Path) -> None:
    storage = str(tmp_path)
    made = probe.prepare(storage, "token")
    assert probe.write(storage, "token", "one") == ""
    assert probe.read(storage, "token", "one") == ""
    assert "does not see the folder" in probe.write(storage, "elsewhere", "one")
    assert probe.read(storage, "token", "two") != ""
    (tmp_path / "token" / "two").write_text("one")
    assert "reads 'one'" in probe.read(storage, "token", "two")
    probe.remove(storage, "token", made)
    assert list(tmp_path.iterdir()) == []
