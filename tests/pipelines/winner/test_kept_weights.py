"""The exported weights belong to the trial that the model's card names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.sets.configs import LENET
from pipelines import export, load_model
from pipelines.cli.command import main
from pipelines.record.files import RunFiles
from pipelines.record.trials import FinishedTrial, State
from pipelines.record.weights import are_of, copy_weights, keep_weights
from pipelines.record.writing import Record
from pipelines.study.runs import open_run
from pipelines.winner import trained
from pipelines.winner.candidates import winner
from pipelines.winner.trained import trained_alone
from tests.pipelines.recorded import write_run
from trainables.data.datasets import load
from trainables.networks import NETWORKS

pytestmark = pytest.mark.usefixtures("elsewhere")

CONFIG = {**LENET, "width_1": 12, "width_2": 12}


def trial(name: str, value: float, of: str = "", seed: int = 0) -> FinishedTrial:
    values: dict[str, Any] = {"value": value, "best_epoch": 1, "repeat_of": of, "seed": seed}
    return FinishedTrial(name, CONFIG, State.COMPLETE, {1: value}, **values)


def save(path: Path, number: float) -> None:
    """Saves weights that are all the same number."""
    _, network = NETWORKS["mlp"].build(CONFIG, load("wine"))
    path.parent.mkdir(exist_ok=True)
    torch.save({n: torch.full_like(t, number) for n, t in network.state_dict().items()}, path)


def searched(repeats_of: str = "") -> RunFiles:
    """A run whose best trial is the second; the weights of the run are all 1."""
    data = load("wine")
    folder = write_run(
        Path("runs/it"),
        [trial("a", 0.8), trial("b", 0.9)],
        data="wine",
        fingerprint=data.fingerprint,
        max_epochs=1,
    )
    run = open_run(folder)
    save(run.files.weights, 1.0)
    if repeats_of:
        record = Record(run.files, run.files.repeats, run.space, run.goals)
        for seed in (1, 2):
            record.append(trial(f"r{seed}", 0.8, repeats_of, seed))
        record.close()
    return run.files


def exported(files: RunFiles) -> tuple[int, set[float]]:
    """The number of the trial, and the weights."""
    run = open_run(files.folder)
    alone = trained_alone(run, winner(run))
    found = {float(x) for tensor in alone.model.state_dict().values() for x in tensor.flatten()}
    return alone.candidates[0].number, found


def test_without_repeats_they_are_those_of_the_best_trial() -> None:
    assert exported(searched()) == (1, {1.0})


def test_those_of_another_trial_or_another_epoch_are_not_taken() -> None:
    files = searched()
    best = trial("b", 0.9)
    for whose, taken in (
        (trial("a", 0.8), False),
        (replace(best, best_epoch=2), False),
        (best, True),
    ):
        save(Path("saved") / "weights.pt", 2.0)
        keep_weights(whose, Path("saved") / "weights.pt", files.weights)
        assert (exported(files) == (1, {2.0})) == taken


def test_weights_of_a_repeat_are_not_taken_for_a_trials() -> None:
    files = searched()
    files.repeated_weights.mkdir()
    of_a_repeat = files.repeated_weights / "b.pt"
    keep_weights(trial("r1", 0.8, "b", 1), files.weights, of_a_repeat)
    copy_weights(of_a_repeat, files.weights)
    assert exported(files) != (1, {1.0})


def test_those_that_a_search_replaces_meanwhile_are_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = searched()

    def then_replaced(whose: FinishedTrial, kept: Path) -> bool:
        found = are_of(whose, kept)
        save(Path("saved") / "weights.pt", 2.0)
        keep_weights(trial("c", 0.95), Path("saved") / "weights.pt", files.weights)
        return found

    monkeypatch.setattr(trained, "are_of", then_replaced)
    number, weights = exported(files)
    assert number == 1
    assert len(weights) > 100  # trained again


@pytest.mark.parametrize("content", [b"", b"hello world" * 100, None])
def test_a_damaged_file_is_named_and_without_it_the_trial_is_trained_again(
    content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    files = searched()
    files.weights.write_bytes(files.weights.read_bytes()[:3000] if content is None else content)
    assert main(export.app, [str(files.folder), "model"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "runs/it/best.pt is damaged: remove it, and trial 1 is trained again" in shown
    files.weights.unlink()
    assert exported(files)[0] == 1


def test_those_of_another_network_do_not_fit() -> None:
    files = searched()
    for state in ({"weight": torch.zeros(3)}, torch.zeros(3)):
        torch.save(state, files.weights)
        with pytest.raises(ValueError, match=r"runs/it/best\.pt does not fit the network; another"):
            exported(files)


def test_a_note_that_cannot_be_read_is_named_and_without_the_two_the_trial_is_trained_again() -> (
    None
):
    files = searched()
    note = files.weights.with_suffix(".json")
    note.write_text("")  # as after a power cut
    with pytest.raises(ValueError, match=r"best\.json cannot be read: .*; delete it and best\.pt"):
        exported(files)
    note.unlink()
    files.weights.unlink()
    assert exported(files)[0] == 1


def test_after_repeats_they_are_those_of_the_best_repeat_wherever_the_search_went_since() -> None:
    files = searched(repeats_of="a")
    save(files.repeated_weights / "a.pt", 2.0)
    assert exported(files) == (0, {2.0})


def test_the_card_tells_of_the_repeat_whose_weights_they_are() -> None:
    files = searched()
    run = open_run(files.folder)
    record = Record(files, files.repeats, run.space, run.goals)
    for seed, value in ((4, 0.7), (5, 0.85)):
        once = trial(f"r{seed}", value, "b", seed)
        record.append(
            replace(once, curve={1: 0.0, 3: value}, best_epoch=3, metrics={"val_accuracy": value})
        )
    record.close()
    save(files.repeated_weights / "b.pt", 2.0)
    assert main(export.app, [str(files.folder), "model"]) == 0
    (told,) = load_model("model").about["trials"]
    assert (told["trial"], told["epochs"], told["seed"]) == (1, 3, 5)
    assert told["validation"] == {"val_accuracy": 0.85}
    card = Path("model/README.md").read_text()
    assert "trial 1 of run `it`, after epoch 3, with seed 5" in card
    assert "| val_accuracy | 0.8500 |" in card


def test_where_those_are_not_kept_the_trial_is_trained_again() -> None:
    number, weights = exported(searched(repeats_of="a"))
    assert number == 0
    assert len(weights) > 100  # not constants
