"""A search with Syne Tune alone: its local back end, which starts a process for each trial, and its
ASHA. It uses this project's space, networks and data; every parameter is drawn, active or not.

    pip install -e '.[peers]'
    python benchmarks/peers/syne_tune_alone.py FOLDER --trials 40
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cyclopts import run

from benchmarks.harness import HERE
from benchmarks.peers.training import USUAL, Work, gather, to_draw
from search_spaces import Float, Int
from search_spaces.domains import Domain


def drawn(domain: Domain) -> Any:
    from syne_tune import config_space as cs

    if isinstance(domain, Float):
        return (cs.loguniform if domain.log else cs.uniform)(domain.low, domain.high)
    if isinstance(domain, Int):
        return (cs.lograndint if domain.log else cs.randint)(domain.low, domain.high)
    return cs.choice(list(domain.options))


def main(folder: Path, work: Work = USUAL) -> None:
    """Search with ASHA if ``algo`` is random, else with BOHB; write what was trained to
    FOLDER/work.json."""
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.optimizer.baselines import ASHA, BOHB

    folder = folder.absolute()
    os.chdir(folder)  # Syne Tune leaves files where it runs
    os.environ["RANGEFINDER_PEER_WORK"] = json.dumps({"folder": str(folder), **asdict(work)})
    path = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(path)  # for the trials, which are scripts
    os.environ["SYNETUNE_FOLDER"] = str(folder / "syne-tune")
    scheduler = (ASHA if work.algo == "random" else BOHB)(
        {name: drawn(domain) for name, domain in to_draw(work.space(work.load())).items()},
        metric="val_accuracy",
        time_attr="epoch",
        max_t=work.epochs,
        do_minimize=False,
        random_seed=work.seed,
    )
    Tuner(
        LocalBackend(str(Path(__file__).with_name("syne_tune_trial.py")), pass_args_as_json=True),
        scheduler,
        StoppingCriterion(max_num_trials_started=work.trials),
        n_workers=work.slots,
        sleep_time=0.1,  # seconds between two looks; the default is 5
        results_update_interval=60.0,
        wait_trial_completion_when_stopping=True,
        save_tuner=False,
    ).run()
    gather(folder)


if __name__ == "__main__":
    run(main)
