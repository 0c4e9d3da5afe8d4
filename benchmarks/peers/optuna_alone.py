"""A search with Optuna alone, as its documentation says: a script that is started once per slot,
with the study in a journal file, TPE and successive halving. On this project's space and networks.

    python benchmarks/peers/optuna_alone.py FOLDER --trials 40 --algo optuna
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Annotated

import optuna
import torch
from cyclopts import Parameter, run
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState

from benchmarks.harness import Trained, write_work
from search_spaces import SPACES, Float, Int
from trainables.data.datasets import load
from trainables.networks import NETWORKS

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def study_in(folder: Path, algo: str, seed: int) -> optuna.Study:
    sampler: BaseSampler = RandomSampler(seed=seed)
    if algo == "optuna":
        sampler = TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / "journal"))),
        study_name="alone",
        load_if_exists=True,
        direction="maximize",
        sampler=sampler,
        pruner=SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    )


def work(
    folder: Path, algo: str, data: str, model: str, trials: int, epochs: int, seed: int
) -> None:
    """One process's part."""
    torch.set_num_threads(1)
    space, loaded = SPACES[model], load(data)

    def objective(trial: optuna.Trial) -> float:
        def choose(name: str, domain: object) -> object:
            if isinstance(domain, Float):
                return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
            if isinstance(domain, Int):
                return trial.suggest_int(name, domain.low, domain.high, log=domain.log)
            return trial.suggest_categorical(name, domain.options)  # type: ignore[attr-defined]

        config = space.walk(choose)  # type: ignore[arg-type]
        training = NETWORKS[model](
            config, loaded, max_epochs=epochs, seed=seed, device=torch.device("cpu")
        )
        best = 0.0
        for epoch, (metrics, _) in enumerate(training, 1):
            best = max(best, float(metrics["val_accuracy"]))
            trial.report(float(metrics["val_accuracy"]), epoch)
            if epoch == 1:
                trial.set_user_attr("first_epoch", time.time())
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
    others = [
        subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--rank", str(rank)])
        for rank in range(1, slots)
    ]
    work(folder, algo, data, model, trials, epochs, seed)
    assert all(process.wait() == 0 for process in others)
    done = [t for t in study_in(folder, algo, seed).trials if t.state in ENDED]
    trained = [Trained(t.params, len(t.intermediate_values), epochs, seed) for t in done]
    starts = [t.datetime_start.timestamp() for t in done if t.datetime_start]
    ends = [t.datetime_complete.timestamp() for t in done if t.datetime_complete]
    first = min(t.user_attrs["first_epoch"] for t in done if "first_epoch" in t.user_attrs)
    write_work(folder / "work.json", trained, (min(starts), max(ends), first))


if __name__ == "__main__":
    run(main)
