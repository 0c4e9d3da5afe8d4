"""Where Ray places trials that share GPUs: on two declared GPUs, in a separate process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.study.runs import open_run

OWN = """
import time
from pathlib import Path
import ray
from pipelines import run
from pipelines.cli.command import main
from search_spaces import Float, SearchSpace

SPACE = SearchSpace({"x": Float(0.0, 1.0)})


def says_where(config, data, **_):
    Path(STARTED, str(config["x"])).touch()
    end = time.monotonic() + 120
    while len(list(Path(STARTED).iterdir())) < 2:  # until the other one has started
        assert time.monotonic() < end
        time.sleep(0.1)
    (gpu,) = ray.get_gpu_ids()
    yield {"val_loss": config["x"], "gpu": int(gpu)}, None


if __name__ == "__main__":
    ray.init("local", num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False)
    options = "--trainable own:says_where --space own:SPACE --metric val_loss --scheduler none"
    where = "--algo random --trials 2 --gpus-per-trial 1/4 --cpus-per-trial 0.5 --name it"
    raise SystemExit(main(run.app, [*options.split(), *where.split()]))
"""


@pytest.mark.slow
def test_two_trials_of_a_quarter_run_on_both_gpus(elsewhere: Path) -> None:
    started = elsewhere / "started"
    started.mkdir()
    Path("own.py").write_text(f"STARTED = {str(started)!r}\n{OWN}")
    done = subprocess.run([sys.executable, "own.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    trials = open_run("runs/it").finished
    assert sorted(t.metrics["gpu"] for t in trials) == [0, 1]
    assert {t.gpus for t in trials} == {1.0}
