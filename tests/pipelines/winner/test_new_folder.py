"""A folder is written whole or not at all. Before the work, it is known whether it is free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.winner.new_folder import new_folder

pytestmark = pytest.mark.usefixtures("elsewhere")


def names(folder: Path | str = ".") -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def write(folder: str, meanwhile: Callable[[], None] = lambda: None) -> None:
    with new_folder(Path(folder)) as part:
        part.mkdir()
        (part / "a").write_text("mine")
        meanwhile()


def test_a_new_folder_is_not_there_before_it_is_whole() -> None:
    seen = []
    write("inner/model", lambda: seen.append(Path("inner/model").exists()))
    assert seen == [False]
    assert names("inner") == {"model"}
    assert names("inner/model") == {"a"}


@pytest.mark.parametrize("exists", [False, True])
def test_nothing_lies_there_before_there_is_something_to_write(exists: bool) -> None:
    """Otherwise, a process that is killed while it trains would leave a hidden folder."""
    if exists:
        Path("model").mkdir()
    with new_folder(Path("model")) as part:
        assert not [path for path in Path().rglob("*") if path != Path("model")]
        part.mkdir()


def test_an_empty_folder_is_filled_for_it_may_be_a_mount_point() -> None:
    Path("model").mkdir()
    place = Path("model").stat().st_ino
    write("model")
    assert Path("model").stat().st_ino == place
    assert names("model") == {"a"}


def test_a_link_stays_and_its_folder_is_filled() -> None:
    Path("real").mkdir()
    Path("link").symlink_to("real")
    write("link")
    assert Path("link").is_symlink()
    assert names("real") == {"a"}


@pytest.mark.parametrize(
    ("folder", "rule"),
    [
        ("full", "is not empty, it has file: give a new or an empty folder"),
        ("full/file", "is a file: give a new or an empty folder"),
        ("dangling", "is a link to gone, which does not exist"),
        ("x" * 253, "cannot be written: File name too long"),
        ("x" * 300, "cannot be written: File name too long"),
    ],
)
def test_what_is_not_free_is_refused_before_the_work(folder: str, rule: str) -> None:
    Path("full").mkdir()
    Path("full/file").touch()
    Path("dangling").symlink_to("gone")
    with pytest.raises(ValueError, match=rule), new_folder(Path(folder)):
        pytest.fail("the work has begun")
    assert names() == {"full", "dangling"}


@pytest.mark.parametrize("exists", [False, True])
def test_a_block_that_fails_leaves_nothing(exists: bool) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    if exists:
        Path("model").mkdir()
    with pytest.raises(KeyboardInterrupt):
        write("model", fail)
    assert names() == ({"model"} if exists else set())
    assert not exists or not names("model")


def test_of_two_at_once_the_first_has_the_folder_and_the_second_keeps_its_files() -> None:
    with pytest.raises(ValueError, match="not empty; the files are in") as caught:
        write("model", lambda: write("model"))
    (kept,) = names() - {"model"}
    assert names("model") == names(kept) == {"a"}
    assert kept in str(caught.value)


def test_files_that_came_into_the_folder_meanwhile_stay() -> None:
    def others() -> None:
        Path("model/a").write_text("theirs")

    Path("model").mkdir()
    with pytest.raises(ValueError, match="not empty; the files are in") as caught:
        write("model", others)
    assert Path("model/a").read_text() == "theirs"
    (kept,) = names("model") - {"a"}
    assert Path("model", kept, "a").read_text() == "mine"
    assert kept in str(caught.value)
