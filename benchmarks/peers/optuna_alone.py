"""A search with Optuna alone, as its documentation says: a script that is started once per slot,
with the study in a journal file, TPE and successive halving. On this project's space and networks.

    python benchmarks/peers/optuna_alone.py FOLDER --trials 40 --algo optuna
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Annotated

import optuna
from cyclopts import Parameter, run
from optuna.pruners import SuccessiveHalvingPruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState

from benchmarks.peers.suggesting import sampler, suggest
from benchmarks.peers.training import gather, train
from search_spaces import SPACES
from trainables.data.datasets import load

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def study_in(folder: Path, algo: str, seed: int) -> optuna.Study:
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / "journal"))),
        study_name="alone",
        load_if_exists=True,
        direction="maximize",
        sampler=sampler(algo, seed),
        pruner=SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    )


def work(
    folder: Path, algo: str, data: str, model: str, trials: int, epochs: int, seed: int
) -> None:
    """One process's part."""
    space, loaded = SPACES[model], load(data)

    def objective(trial: optuna.Trial) -> float:
        config, best = suggest(trial, space), 0.0
        training = train(folder, config, loaded, model=model, epochs=epochs, seed=seed)
        for epoch, metrics in enumerate(training, 1):
            best = max(best, float(metrics["val_accuracy"]))
            trial.report(float(metrics["val_accuracy"]), epoch)
            if metrics["diverged"] or (epoch < epochs and trial.should_prune()):
                raise optuna.TrialPruned
        return best

    study_in(folder, algo, seed).optimize(
        objective, callbacks=[MaxTrialsCallback(trials, states=ENDED)]
    )


def main(
    folder: Path,
    *,
    trials: int = 40,
    algo: str = "optuna",
    data: str = "digits",
    model: str = "mlp",
    epochs: int = 30,
    seed: int = 0,
    slots: int = 2,
    rank: Annotated[int | None, Parameter(show=False)] = None,
) -> None:
    """Search, and leave what was trained in FOLDER/work.json."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if rank is not None:
        work(folder, algo, data, model, trials, epochs, seed + rank)
        return
    again = [sys.executable, "-m", "benchmarks.peers.optuna_alone", *sys.argv[1:]]
    others = [subprocess.Popen([*again, "--rank", str(rank)]) for rank in range(1, slots)]
    work(folder, algo, data, model, trials, epochs, seed)
    assert all(process.wait() == 0 for process in others)
    gather(folder)


if __name__ == "__main__":
    run(main)
