"""Where a search that goes on finds its checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pyarrow.fs import FileSystem

from pipelines.cluster import places
from pipelines.study.resume import recorded_state, resuming
from pipelines.study.runs import open_run
from pipelines.tuner import kept
from pipelines.tuner.kept import KeptStates
from tests.pipelines.study.small_search import decisions, recorded, study
from tests.pipelines.study.without_ray import going_on, search, search_until, without_ray

__all__ = ["without_ray"]

pytestmark = pytest.mark.usefixtures("without_ray")


def test_each_storage_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = str(tmp_path / "storage")
    asked = study(tmp_path / "run", trials=2, storage=storage)
    search(asked)
    made: list[tuple[str, str]] = []

    def states(*place: str) -> KeptStates:
        made.append((place[0], "".join(place[1:])))
        return KeptStates(*place)

    monkeypatch.setattr(recorded_state, "KeptStates", states)
    going_on(asked)
    assert made == [(storage, "run"), (str(asked.folder), "")]


def test_a_checkpoint_is_found_in_any_storage_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(tmp_path / "run", trials=1, storage=str(tmp_path / "a"))
    assert search_until(asked, monkeypatch, 3)
    assert search_until(going_on(asked, storage=str(tmp_path / "b")), monkeypatch, 4)
    shutil.rmtree(tmp_path / "a")
    assert search_until(going_on(asked, storage=str(tmp_path / "c")), monkeypatch, 0)
    resumed = going_on(asked).resumed
    assert resumed is not None
    (running,) = resumed.search.unfinished
    assert str(running.attempt.checkpoint).startswith(str(tmp_path / "b" / "run"))


def test_a_checkpoint_is_not_deleted_where_the_address_of_its_storage_has_a_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of your own S3 server has."""
    query = "?endpoint_override=http://host:9000"
    asked = study(tmp_path / "run", trials=1, storage=f"file://{tmp_path}/a{query}")
    assert search_until(asked, monkeypatch, 3)
    assert search_until(going_on(asked), monkeypatch, 0)
    resumed = going_on(asked).resumed
    assert resumed is not None
    (running,) = resumed.search.unfinished
    place = str(running.attempt.checkpoint)
    assert place.startswith(f"file://{tmp_path}/a/run/")
    assert place.endswith(query)


def test_a_storage_that_cannot_be_reached_is_asked_once_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(tmp_path / "run", trials=3, storage=str(tmp_path / "a"))
    assert search_until(asked, monkeypatch, 7)
    asks: list[str] = []

    class Unplugged:
        @staticmethod
        def from_uri(storage: str) -> Any:
            asks.append(storage)
            if storage == str(tmp_path / "a"):
                raise OSError("no network")
            return FileSystem.from_uri(storage)

    monkeypatch.setattr(places, "FileSystem", Unplugged)
    monkeypatch.setattr(kept, "FileSystem", Unplugged)
    resumed = going_on(asked, storage=str(tmp_path / "b")).resumed
    assert resumed is not None
    assert resumed.unreachable == {str(tmp_path / "a"): "no network"}
    assert asks.count(str(tmp_path / "a")) == 1
    run = open_run(asked.folder)
    lines = list(resuming._lines(run, run.spec, resumed))
    says = (
        f"warning   checkpoints in {tmp_path / 'a'} are not used because it cannot be reached: "
        "no network"
    )
    assert says in lines


def test_a_run_goes_on_where_it_was_moved_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after fetch.py: the checkpoints have moved with the run."""
    whole, cut = (study(tmp_path / name, trials=6) for name in ("whole", "cut"))
    search(whole)
    assert search_until(cut, monkeypatch, 9)
    moved = study(tmp_path / "laptop" / "again", trials=6)
    moved.folder.parent.mkdir()
    cut.folder.rename(moved.folder)
    more = going_on(moved)
    assert more.resumed is not None
    (running,) = more.resumed.search.unfinished
    assert str(running.attempt.checkpoint).startswith(str(moved.folder))
    search(more)
    assert decisions(recorded(moved)) == decisions(recorded(whole))
    assert not cut.folder.exists()
