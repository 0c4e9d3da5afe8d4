"""The folders of runs, and the user's own functions: each wrong name is refused in one line."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.study.folders import (
    check_no_run_in,
    check_writable,
    claiming,
    new_run_folder,
    resolve_storage,
)
from pipelines.study.references import (
    check_trainable,
    import_object,
    import_space,
    import_trainable,
)


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory for the user's modules, which are unloaded afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_an_object_of_the_working_directory_is_imported(working_directory: Path) -> None:
    (working_directory / "users_model.py").write_text("answer = 42\n")
    assert import_object("users_model:answer") == 42


@pytest.mark.parametrize("reference", ["module", "module:", ":name", ""])
def test_a_reference_of_another_form_is_refused(reference: str) -> None:
    message = f"'{reference}' is not of the form package.module:name"
    with pytest.raises(ValueError, match=message):
        import_object(reference)


def test_what_cannot_be_imported_says_why(working_directory: Path) -> None:
    (working_directory / "users_empty.py").touch()
    (working_directory / "users_error.py").write_text("raise KeyError('where')\n")
    (working_directory / "users_typo.py").write_text("def f(:\n")
    (working_directory / "users_exit.py").write_text("import sys; sys.exit('no GPU')\n")
    reasons = {
        "users_missing:f": "cannot be imported: ModuleNotFoundError: No module named 'users_miss",
        "users_empty:f": "module users_empty has no 'f'",
        "users_error:f": "'users_error:f' cannot be imported: KeyError: 'where'",
        "users_typo:f": "'users_typo:f' cannot be imported: SyntaxError",
        "users_exit:f": "'users_exit:f' cannot be imported: SystemExit: no GPU",
    }
    for reference, reason in reasons.items():
        with pytest.raises(ValueError, match=reason):
            import_object(reference)


def test_what_is_imported_must_be_of_the_kind(working_directory: Path) -> None:
    (working_directory / "users_kinds.py").write_text("SPACE = 3\n")
    with pytest.raises(ValueError, match="`space` users_kinds:SPACE is a int, not a SearchSpace"):
        import_space("users_kinds:SPACE")
    with pytest.raises(ValueError, match="`trainable` users_kinds:SPACE is a int, not a function"):
        import_trainable("users_kinds:SPACE")


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ("", "too many positional arguments"),
        ("config, data", "got an unexpected keyword argument 'max_epochs'"),
        ("config, data, max_epochs", "got an unexpected keyword argument 'seed'"),
        ("config, data, lr, **_", "missing a required argument: 'lr'"),
        ("config, data, **_", ""),
        ("config, data, max_epochs, seed, device", ""),
        ("*_, **__", ""),
    ],
)
def test_a_trainable_must_take_what_it_is_called_with(parameters: str, why: str) -> None:
    made: dict[str, Any] = {}
    exec(f"def mine({parameters}): yield", made)
    if not why:
        check_trainable(made["mine"], "users:mine")
        return
    rule = "is called with (config, data, max_epochs=, seed=, device=)"
    with pytest.raises(ValueError, match=re.escape(f"`trainable` users:mine {rule}: {why}")):
        check_trainable(made["mine"], "users:mine")


def test_a_run_lies_under_its_name_and_is_not_made_yet(tmp_path: Path) -> None:
    assert new_run_folder(tmp_path / "runs", "first", "label") == tmp_path / "runs" / "first"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", ".hidden", "-x", "two words", "a\n"]
)
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    rule = r"use a-z, A-Z, 0-9, '\.', '_' and '-', and begin with a letter or a digit$"
    with pytest.raises(ValueError, match=rule):
        new_run_folder(tmp_path, name, "label")


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    with pytest.raises(ValueError, match=r"`name` 'first': a run of that name exists in"):
        new_run_folder(tmp_path, "first", "label")


def test_names_by_default_do_not_collide(tmp_path: Path) -> None:
    folders = []
    for _ in range(5):
        folders.append(new_run_folder(tmp_path, None, "digits-my.module:train"))
        folders[-1].mkdir()
    assert len(set(folders)) == 5
    assert all(folder.name.startswith("digits-my.module-train-") for folder in folders)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "runs"
    with pytest.raises(ValueError, match=r"'.*runs' cannot be written: .*file: Not a directory"):
        check_writable(inside)
    with pytest.raises(ValueError, match="cannot be written"):
        new_run_folder(inside, "first", "label")
    with pytest.raises(ValueError, match="cannot be written"):
        resolve_storage(str(inside))


def test_storage_is_an_absolute_path_or_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_storage("results") == str(tmp_path / "results")
    assert resolve_storage(tmp_path.as_uri()) == tmp_path.as_uri()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("storage", ["unknown://bucket/path", "file:///dev/null/nowhere"])
def test_an_address_that_cannot_be_written_is_refused(storage: str) -> None:
    with pytest.raises(ValueError, match=f"'{storage}' cannot be written: ."):
        resolve_storage(storage)


def test_a_storage_with_a_run_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    with pytest.raises(ValueError, match="has a run 'first' in it: choose another `name`"):
        check_no_run_in(str(tmp_path), "first")
    check_no_run_in(str(tmp_path), "second")


@pytest.mark.parametrize("as_uri", [False, True])
def test_of_two_runs_that_start_at_once_one_takes_the_name_in_the_storage(
    tmp_path: Path, as_uri: bool
) -> None:
    storage = (tmp_path / "storage").as_uri() if as_uri else str(tmp_path / "storage")
    check_no_run_in(storage, "it")  # as both do first
    with claiming(storage, tmp_path / "a" / "it"):
        pass
    taken = pytest.raises(ValueError, match="has a run 'it' in it: choose another `name`")
    with taken, claiming(storage, tmp_path / "b" / "it"):
        pytest.fail("both have it")


def test_a_run_that_does_not_begin_leaves_its_name_free(tmp_path: Path) -> None:
    storage, folder = str(tmp_path / "storage"), tmp_path / "runs" / "it"
    with pytest.raises(KeyboardInterrupt), claiming(storage, folder):
        raise KeyboardInterrupt
    with claiming(storage, folder):
        pass


def test_a_storage_may_be_the_folder_of_runs(tmp_path: Path) -> None:
    with claiming(str(tmp_path), tmp_path / "it"):
        assert not (tmp_path / "it").exists()
