"""A plug-in of each kind is entered in one place and is then available everywhere: in the help, the
plan, a search, the record and the report. Tested on a copy of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.record.journal import load_journal

ROOT = Path(__file__).parents[3]

# One file each, except for a network: its search space belongs to another package.
TOYS = {
    "pipelines/tuner/sampling/algorithms.py": (
        'ALGORITHMS["toy_algo"] = Algorithm(random, learns=False)'
    ),
    "pipelines/tuner/scheduling/schedulers.py": (
        'SCHEDULERS["toy_scheduler"] = Scheduler(asha, lambda rules: "toy stopping", rungs)'
    ),
    "trainables/training/optimizers.py": 'OPTIMIZERS["toy_sgd"] = OptimizerKind(sgd, states=1)',
    "trainables/training/schedules.py": (
        'POLICIES["toy_policy"] = Policy(\n'
        "    lambda config, length: lambda step: (config.lr / (1 + step), config.momentum),\n"
        '    ("momentum",),\n'
        ")"
    ),
    "trainables/training/metrics.py": (
        'METRICS["val_toy"] = Metric("min", 1.0, "classification", lambda p: 1 - accuracy(p))'
    ),
    "trainables/data/datasets.py": 'DATASETS["toy_data"] = read_digits',
    "trainables/networks/__init__.py": 'NETWORKS["toy_net"] = NETWORKS["mlp"]',
    "search_spaces/__init__.py": 'SPACES["toy_net"] = MLP_SPACE',
}
SEARCH = (
    "--algo toy_algo --scheduler toy_scheduler --model toy_net --data toy_data --metric val_toy "
    "--fix optimizer=toy_sgd --fix policy=toy_policy --trials 3 --max-epochs 3 --name it"
)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The three packages with a toy in each registry."""
    for package in ("search_spaces", "trainables", "pipelines"):
        shutil.copytree(ROOT / package, tmp_path / package)
    for name, toy in TOYS.items():
        file = tmp_path / name
        file.write_text(f"{file.read_text()}\n{toy}\n")
    return tmp_path


def typed(sources: Path, command: str) -> str:
    """The output of the command, which must succeed."""
    script, *options = command.split()
    done = subprocess.run(
        [sys.executable, str(sources / "pipelines" / script), *options],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": str(sources), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_toy_of_each_kind_is_everywhere(sources: Path) -> None:
    shown = typed(sources, "run.py --help")
    for name in ("toy_algo", "toy_scheduler", "toy_net", "toy_data", "val_toy"):
        assert name in shown

    # Its own Ray: the workers of another Ray would import the sources without the toys.
    shown = typed(sources, f"run.py {SEARCH} --address local --no-dashboard")
    assert "toy_net with toy_algo: 3 trials of at most 3 epochs, val_toy (min), toy stopp" in shown
    assert "optimizer=toy_sgd" in shown
    assert "policy=toy_policy" in shown
    journal = sources / "runs" / "it" / "study.journal"
    trials = load_journal(journal)  # this process does not know the names in the spec
    assert len(trials) == 3
    for trial in trials:
        assert trial.value == pytest.approx(1 - trial.metrics["val_accuracy"])

    shown = typed(sources, "evaluate.py runs/it --seeds 1 --address local")
    assert "baseline  test_toy of majority class" in shown

    shown = typed(sources, "report.py runs/it")
    for name in ("toy_net with toy_algo", "toy_sgd", "toy_policy", "val_toy", "toy_data"):
        assert name in shown
