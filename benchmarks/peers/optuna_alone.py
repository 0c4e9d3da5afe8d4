"""A search with Optuna alone, as its documentation says: a script that is started once per slot,
with the study in a journal file, TPE and successive halving. It uses this project's space and
networks.

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
from benchmarks.peers.training import USUAL, Work, gather, train

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def study_in(folder: Path, work: Work, rank: int) -> optuna.Study:
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / "journal"))),
        study_name="alone",
        load_if_exists=True,
        direction="maximize",
        sampler=sampler(work.algo, work.seed + rank),
        pruner=SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    )


def take_part(folder: Path, work: Work, rank: int = 0) -> None:
    """Run trials in this process until the study has enough."""
    loaded = work.load()
    space = work.space(loaded)

    def objective(trial: optuna.Trial) -> float:
        config, best = suggest(trial, space), 0.0
        training = train(folder, config, loaded, work)
        for epoch, metrics in enumerate(training, 1):
            best = max(best, float(metrics["val_accuracy"]))
            trial.report(float(metrics["val_accuracy"]), epoch)
            if metrics["diverged"] or (epoch < work.epochs and trial.should_prune()):
                raise optuna.TrialPruned
        return best

    study_in(folder, work, rank).optimize(
        objective, callbacks=[MaxTrialsCallback(work.trials, states=ENDED)]
    )


def main(
    folder: Path,
    work: Work = USUAL,
    *,
    rank: Annotated[int | None, Parameter(show=False)] = None,
) -> None:
    """Search, and write what was trained to FOLDER/work.json."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if rank is not None:
        take_part(folder, work, rank)
        return
    again = [sys.executable, "-m", "benchmarks.peers.optuna_alone", *sys.argv[1:]]
    others = [subprocess.Popen([*again, "--rank", str(rank)]) for rank in range(1, work.slots)]
    take_part(folder, work)
    assert all(process.wait() == 0 for process in others)
    gather(folder)


if __name__ == "__main__":
    run(main)
