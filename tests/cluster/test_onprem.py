"""`ray up cluster-onprem.yaml` on a LAN: a laptop, a head and two workers with a GPU each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.live.addresses import OPEN
from pipelines.record.trials import State
from tests.cluster.lan import ROOT, Lan, what_is_missing
from tests.cluster.launcher import (
    SEARCH,
    edit_yaml,
    fetched,
    laptop,
    live_nodes,
    ray_up,
    until,
    watch,
    watched,
)
from tests.pipelines.browser import CHROMIUM

pytestmark = pytest.mark.cluster

YAML = "cluster-onprem.yaml"
HEAD, W1, W2 = "10.77.0.10", "10.77.0.11", "10.77.0.12"
TRIALS = 16
PREFLIGHT = """
import sys
from pipelines.cluster.connect import connect
from pipelines.cluster.preflight import preflight
from pipelines.cluster.resources import TrialResources
with connect("auto") as cluster:
    try:
        preflight(cluster, sys.argv[1], TrialResources(0.25, 0.25), data_bytes=1000)
    except ValueError as error:
        print("error:", error)
"""

LARGE = 500_000_000
LARGE_DATA = """
import sys, time
from pathlib import Path
import numpy as np
from pipelines import StudySpec
from pipelines.cluster.connect import connect
from pipelines.study.run_study import run_study
from pipelines.study.study import Study
from search_spaces import Float, SearchSpace
from trainables.data.datasets import TrialData

class Silent:
    progress = new_best = failed = tried_again = waits_for = warns = lambda self, *_: None

def trainable(config, data, **_):
    time.sleep(8)  # long enough for every process to get a trial
    yield {"val_loss": float(data.x_train[:100].sum()) + config["x"]}, None

rows = int(sys.argv[1]) // 4 // 1000
x = np.random.default_rng(0).random((rows, 1000), np.float32)
y = np.zeros(rows, np.float32)
data = TrialData("large", "regression", x, y, x[:10], y[:10], 1, (), "none")
spec = StudySpec(
    problem={"trainable": "mine:trainable", "data": "large", "metric": "val_loss"},
    search={"algo": "random"},
    budget={"trials": 12, "max_epochs": 1},
    stopping={"scheduler": "none"},
    resources={"cpus_per_trial": 0.25, "gpus_per_trial": 0.25},
    run={"name": "large", "runs_dir": Path.home() / "runs", "storage": "/mnt/shared/runs"},
)
study = Study(spec, SearchSpace({"x": Float(0.0, 1.0)}), trainable, (data,))
with connect("auto") as cluster:
    result = run_study(study, cluster, Silent())
assert [trial.state.name for trial in result.trials] == ["COMPLETE"] * 12, result
print("nodes", *{trial.node for trial in result.trials})
"""


@pytest.fixture(scope="module")
def just_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    """The LAN with the cluster on it; its workers may not have joined yet."""
    if reason := what_is_missing():
        pytest.skip(reason)
    lan = Lan(tmp_path_factory.mktemp("lan"), "rfo", "laptop:2 head:10 w1:11 w2:12")
    try:
        lan.up()
        edit_yaml(lan, YAML, _fill_in)
        ray_up(lan, YAML)
        yield lan
    finally:
        lan.down()


@pytest.fixture(scope="module")
def lan(just_up: Lan) -> Lan:
    """The LAN with the whole cluster on it."""
    until(lambda: live_nodes(just_up) == 3, 600, "a head and two workers")
    return just_up


def _fill_in(config: dict[str, Any]) -> None:
    config["provider"] |= {"head_ip": HEAD, "worker_ips": [W1, W2]}


def preflight(lan: Lan, storage: str) -> list[str]:
    (lan.shared / "preflight.py").write_text(PREFLIGHT)
    done = lan.on("head", f"python /mnt/shared/preflight.py {storage} 2> /dev/null")
    return done.stdout.splitlines()


def test_a_search_right_after_ray_up_waits_for_the_workers(just_up: Lan) -> None:
    search = (
        f"ray submit {YAML} pipelines/run.py {SEARCH} --trials 2 --max-epochs 1 "
        "--storage /mnt/shared/runs --name early"
    )
    done = laptop(just_up, search)
    assert done.returncode == 0, done.stdout
    told = " ".join(done.stdout.split())  # a terminal wraps lines
    assert "waiting for the first of the machines that `ray up` starts" in told
    assert [trial.state for trial in fetched(just_up, YAML, "early")] == [State.COMPLETE] * 2


def test_every_node_has_the_project_the_token_and_mps_where_trials_run(lan: Lan) -> None:
    for host in ("head", "w1", "w2"):
        seen = lan.on(host, "python -c 'import pipelines; print(pipelines.__file__)'").stdout
        assert "/home/ubuntu/rangefinder/pipelines/__init__.py" in seen
        assert lan.on(host, "stat -c %a ~/.ray/auth_token").stdout.split()[-1] == "600"
        assert (lan.on(host, "test -e ~/mps-started").returncode == 0) is (host != "head")


def test_without_the_token_the_cluster_refuses(lan: Lan) -> None:
    for setting in ("HOME=/tmp RAY_AUTH_MODE=disabled", "RAY_AUTH_TOKEN=another"):
        search = f"{setting} python ~/rangefinder/pipelines/run.py --trials 1 --address {HEAD}:6379"
        done = lan.on("head", search)
        assert done.returncode == 2
        (error,) = (line for line in done.stdout.splitlines() if line.startswith("error:"))
        assert f"the Ray cluster at --address {HEAD}:6379 refuses the token" in error
    jobs = laptop(lan, "RAY_AUTH_MODE=disabled HOME=/tmp ray job list --address http://nowhere:1")
    assert jobs.returncode != 0


def test_preflight_shows_every_node(lan: Lan) -> None:
    head, *rows = preflight(lan, "/mnt/shared/preflight")
    rows, warnings = rows[:3], rows[3:]
    assert [line.split()[0] for line in (head, *rows)] == ["preflight", "head", "w1", "w2"]
    assert all("written, read" in line for line in rows)
    assert all("1 of 1" in line for line in rows[1:])
    broken = "warning   CUDA does not work on"  # here torch counts GPUs that are not there
    assert [line.partition(":")[0] for line in warnings] == [
        f"{broken} w1 ({W1})",
        f"{broken} w2 ({W2})",
    ]


def test_preflight_names_the_nodes_that_do_not_see_the_storage(lan: Lan) -> None:
    error = preflight(lan, "/home/ubuntu/local")[-1]
    assert error.startswith("error: nothing was started:")
    for host, address in (("w1", W1), ("w2", W2)):
        assert f"{host} ({address}) cannot write to `storage` /home/ubuntu/local" in error
    assert "head" not in error


def test_preflight_names_the_node_with_another_version(lan: Lan) -> None:
    file = "~/rangefinder/trainables/training/fit.py"
    lan.on("w1", f"cp -p {file} ~/fit.py && echo '# later' >> {file}")
    error = preflight(lan, "/mnt/shared/preflight")[-1]
    lan.on("w1", f"cp -p ~/fit.py {file}")
    assert f"w1 ({W1}) has rangefinder 0.2.0 " in error
    assert "w2" not in error


def test_preflight_names_the_node_whose_gpu_is_gone(lan: Lan) -> None:
    lan.as_root("w2", "echo 0 > /etc/gpus")
    error = preflight(lan, "/mnt/shared/preflight")[-1]
    lan.as_root("w2", "echo 1 > /etc/gpus")
    assert f"w2 ({W2}) declares 1 GPUs to Ray, but torch sees 0" in error
    assert "w1" not in error


def test_a_job_goes_on_without_the_laptop(lan: Lan) -> None:
    search = (
        f"python -m pipelines.run {SEARCH} --trials 4 --max-epochs 2 "
        "--storage /mnt/shared/runs --runs-dir /home/ubuntu/runs --name job"
    )
    submitted = laptop(
        lan,
        f"""export RAY_AUTH_MODE=token
        ray dashboard {YAML} > /tmp/dashboard.log 2>&1 & dashboard=$!
        for _ in $(seq 60); do (: < /dev/tcp/127.0.0.1/8265) 2> /dev/null && break; sleep 1; done
        ray job submit --address http://localhost:8265 --working-dir . --no-wait \\
            --submission-id search -- {search}
        submitted=$?; kill $dashboard; pkill -x ssh; exit $submitted""",
    )
    assert submitted.returncode == 0, submitted.stdout

    def ended() -> bool:
        return "succeeded" in lan.on("head", "ray job status search").stdout

    assert laptop(lan, "ray job list --address http://localhost:8265").returncode != 0  # cut off
    until(ended, 900, "the job's end")
    assert [trial.state for trial in fetched(lan, YAML, "job")] == [State.COMPLETE] * 4


def test_large_data_reach_each_node_once(lan: Lan) -> None:
    (lan.shared / "large_data.py").write_text(LARGE_DATA)
    before = {host: lan.received(host) for host in ("w1", "w2")}
    done = lan.on("head", f"python /mnt/shared/large_data.py {LARGE}")
    assert done.returncode == 0, done.stdout
    nodes = next(line for line in done.stdout.splitlines() if line.startswith("nodes"))
    assert set(nodes.split()[1:]) == {W1, W2}
    for host, bytes_before in before.items():
        copies = (lan.received(host) - bytes_before) / LARGE
        print(f"{host} received {copies:.2f} times the data")
        assert 1 <= copies < 1.5  # for 12 trials; with the workers' own traffic


def test_a_search_is_watched_from_the_laptop_while_it_runs_and_afterwards(lan: Lan) -> None:
    """Through `ray dashboard`: the token once, then the list, then the page of the run."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt install chromium")
    search = lan.start(
        "laptop",
        f"cd ~/project && ray submit {YAML} pipelines/run.py {SEARCH} --trials 1000 "
        "--time-budget 2m --storage /mnt/shared/runs --name seen",
        lan.folder / "seen.log",
    )
    forward = f"export RAY_AUTH_MODE=token; exec ray dashboard {YAML}"
    lan.start("laptop", f"cd ~/project && {forward}", lan.folder / "forward.log")
    until(lambda: not lan.on("head", "ls ~/runs/seen/live.json").returncode, 300, "the search")
    reached = "(: < /dev/tcp/127.0.0.1/8265) 2> /dev/null"
    until(lambda: not lan.on("laptop", reached).returncode, 120, "the dashboard")
    seen = look(lan, "seen")
    assert seen["without"] == "Unauthorized: Missing authentication token"
    assert seen["rows"]["seen"][0] == "running"
    assert seen["trials"].endswith(" of 1000")
    assert seen["state"].startswith("The search runs: ")
    assert search.wait(timeout=900) == 0, (lan.folder / "seen.log").read_text()
    told = " ".join((lan.folder / "seen.log").read_text().split())  # a terminal wraps lines
    where = f"http://localhost:8265{OPEN}, after `ray dashboard CLUSTER.yaml`"
    assert f"dashboard {where} (it asks for the token: ray get-auth-token)" in told
    seen = look(lan, "seen")
    assert seen["rows"]["seen"][0] == "over"
    assert seen["state"].endswith(" trials; the search is over.")
    laptop(lan, "pkill -f '[r]ay dashboard'; pkill -x ssh")


def look(lan: Lan, run: str) -> dict[str, Any]:
    """What a browser on the laptop sees."""
    token = laptop(lan, "ray get-auth-token 2> /dev/null").stdout.strip()
    name = f"{lan.prefix}-laptop"
    command = ["ip", "netns", "exec", name, sys.executable, "-m", "tests.cluster.look", run]
    done = subprocess.run(
        command, cwd=ROOT, input=token, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_a_search_completes_although_a_worker_is_powered_off(lan: Lan) -> None:
    seen = watch(lan)
    search = lan.start(
        "laptop",
        f"cd ~/project && ray submit {YAML} pipelines/run.py {SEARCH} --trials {TRIALS} "
        "--max-epochs 60 --storage /mnt/shared/runs --name off",
        lan.folder / "search.log",
    )

    def one_ended_on_w2() -> bool:
        return W2 in lan.on("head", "cat ~/runs/off/study.journal").stdout

    until(one_ended_on_w2, 900, "a trial's end on w2")
    lan.do("poweroff", "w2")
    assert search.wait(timeout=1200) == 0, (lan.folder / "search.log").read_text()
    samples = watched(seen)
    assert any(gpus == 2 and free == 0 for _, _, gpus, free in samples)  # 8 trials of 1/4 at once
    assert samples[-1][1] == 2  # live nodes: the head and w1
    trials = fetched(lan, YAML, "off")
    assert [trial.state for trial in trials] == [State.COMPLETE] * TRIALS
    assert {address for trial in trials for address in trial.node.split()} == {W1, W2}
    moved = [trial for trial in trials if trial.machines_lost]  # when w2 went
    assert moved
    assert all(trial.node.split()[-1] == W1 for trial in moved)
    assert all(trial.epochs == 60 for trial in trials)


def test_ray_down_ends_the_cluster(lan: Lan) -> None:
    down = laptop(lan, f"ray down -y {YAML}")
    assert down.returncode == 0, down.stdout
    done = lan.on("head", "python ~/rangefinder/pipelines/run.py --trials 1 --address auto")
    assert done.returncode == 2
    assert "no Ray cluster runs on this machine" in done.stdout
