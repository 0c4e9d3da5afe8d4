"""Test scores are shown for the trials that they belong to, even if the search has gone on."""

from __future__ import annotations

import errno
import fcntl
import json
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.record.looks import Look, add_look, looking, read_looks
from pipelines.record.trials import FinishedTrial, State
from pipelines.study.runs import open_run
from tests.pipelines.recorded import write_run

LOOK = Look(
    1.0,
    (0, 2),
    ({"lr": 0.1}, {"lr": 0.3}),
    (2, 2),
    (1,),
    9,
    4,
    {"test_r2": (0.5,)},
    weights=(3, 1),
    unsound=(1,),
    trial_ids=("a", "c", "b"),
)
A, B, C = (
    FinishedTrial(name, {"lr": lr}, State.COMPLETE)
    for name, lr in (("a", 0.1), ("b", 0.2), ("c", 0.3))
)


def test_trials_have_the_numbers_of_now() -> None:
    assert LOOK.as_numbered([A, B, C]) == LOOK
    moved = LOOK.as_numbered([C, B, A])
    assert (moved.members, moved.left_out) == (
        {2: 3, 0: 1},
        "a training of trial 1 diverged: left out",
    )
    assert LOOK.as_numbered([B, C, A]).unsound == (0,)
    assert moved.as_numbered([C, B, A]) == moved


def test_a_look_of_before_identifiers_were_recorded_knows_trials_by_their_configs(
    tmp_path: Path,
) -> None:
    content = asdict(LOOK)
    del content["trial_ids"]
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps({"looks": [content]}))
    (look,) = read_looks(path)
    assert look.as_numbered([C, B, A]).trials == (2, 0)
    assert look.as_numbered([A, replace(A, trial_id="other"), C]).trials == (0, 2)
    assert look.as_numbered([B, B, B]).trials == (0, 2)  # gone: as it was


def test_a_look_at_a_trial_that_the_run_has_not_is_told_with_its_file(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    add_look(run.files.looks, LOOK)
    with pytest.raises(ValueError, match=r"evaluation\.json: the run has no trial 2"):
        _ = run.looks


def test_an_evaluation_waits_for_another_one(tmp_path: Path) -> None:
    files = open_run(write_run(tmp_path / "run")).files
    seen: list[int] = []

    def look() -> None:
        with looking(files):
            seen.append(len(read_looks(files.looks)))

    with looking(files):
        other = threading.Thread(target=look)
        other.start()
        other.join(0.2)
        assert not seen
        add_look(files.looks, LOOK)
    other.join(10)
    assert seen == [1]


def test_without_locks_an_evaluation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with looking(open_run(write_run(tmp_path / "run")).files):
        pass


def test_a_look_waits_for_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test rows have been read by then."""
    path, fails = tmp_path / "evaluation.json", [True, False]

    def write(where: Path, text: str) -> None:
        if fails.pop(0):
            raise OSError(errno.ENOSPC, "No space left on device", str(where))
        where.write_text(text)

    monkeypatch.setattr("pipelines.record.looks.write_whole", write)
    add_look(path, LOOK)
    assert read_looks(path) == [LOOK]


def test_identifiers_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    add_look(path, LOOK)
    assert read_looks(path) == [LOOK]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"trial_ids": ["a"]}, "trial_ids has 1 entries for 3 trials"),
        ({"trial_ids": [{}, "b", "c"]}, "trial_ids.0"),
        ({"trials": [0, [1]]}, "trials.1"),
        ({"configs": [{}]}, "configs has 1 entries for 2 trials"),
        ({"epochs": [1, 2, 3]}, "epochs has 3 entries for 2 trials"),
        ({"weights": [1]}, "weights has 1 entries for 2 trials"),
        ({"unsound": ["b"]}, "unsound.0"),
        ({"trials": [0, -1]}, "trials is (0, -1)"),
        ({"values": {}}, "a metric without a value"),
        ({"values": {"test_r2": []}}, "a metric without a value"),
    ],
)
def test_a_damaged_look_is_told_with_its_file(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps({"looks": [{**asdict(LOOK), **change}]}))
    with pytest.raises(ValueError, match=r"evaluation\.json cannot be read: ") as caught:
        read_looks(path)
    assert told in str(caught.value)


def test_a_file_that_was_cut_short_is_told_once_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text('{"looks": [')
    with pytest.raises(ValueError, match=r"evaluation\.json cannot be read: Expecting") as caught:
        read_looks(path)
    assert str(caught.value).count("cannot be read") == 1
    assert str(caught.value).endswith("; restore it, or delete it to do without its looks")
