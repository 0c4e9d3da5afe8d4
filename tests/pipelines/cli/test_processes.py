"""The command in its own process, as from a shell."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
import ray

from pipelines.cli.command import USAGE
from pipelines.cluster.machines import Cluster
from pipelines.study.interrupts import EXIT_CODES
from pipelines.study.runs import open_run
from tests.pipelines.cli.processes import ENDLESS, ROOT, RUN, left_with, until, wait_for
from tests.pipelines.recorded import write_run

LISTEN = "0A"  # a state in /proc/net/tcp
LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")


@pytest.fixture
def join(cluster: Cluster) -> list[str]:
    return ["--address", ray.get_runtime_context().gcs_address, "--name", "it"]


@pytest.mark.slow
def test_the_example_of_a_users_own_trainable(elsewhere: Path, join: list[str]) -> None:
    page = (ROOT / "docs" / "own_trainable.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (command,) = re.findall(r"python pipelines/run.py (.*)", page)
    Path("mine.py").write_text(code)
    done = subprocess.run([*RUN, *command.split(), *join], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    trials = open_run("runs/it").finished
    assert len(trials) == 12
    assert all(("weight_decay" in t.config) == t.config["regularise"] for t in trials)
    assert max(t.value or 0.0 for t in trials) > 0.9
    assert Path("runs/it/best.pt").exists()
    for command in (["evaluate", "runs/it", "--seeds", "2"], ["export", "runs/it", "model"]):
        name, *options = command
        program = [sys.executable, str(ROOT / "pipelines" / f"{name}.py"), *options]
        done = subprocess.run([*program, *join[:2]], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    (look,) = open_run("runs/it").looks
    assert look.together["test_accuracy"] > 0.9


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGINT, "interrupt"),
        pytest.param(signal.SIGTERM, "SIGTERM", marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, "SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_a_signal_keeps_what_is_finished_and_says_how_to_go_on(
    elsewhere: Path, join: list[str], number: signal.Signals, reason: str
) -> None:
    with subprocess.Popen(
        [*RUN, *ENDLESS, *join], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until(process, "new best")
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_CODES[reason] == 128 + number
    assert errors == ""
    assert "stopped by " in rest
    go_on = rf"^go on     python .*run.py --resume runs/it --address {join[1]}$"
    assert re.search(go_on, rest, re.MULTILINE)
    run = open_run("runs/it")
    assert 0 < len(run.finished) < 1000
    assert len(Path("runs/it/trials.csv").read_text().splitlines()) == len(run.finished) + 1
    assert [session.by for session in run.sessions] == [reason]


@pytest.mark.slow
def test_a_killed_driver_loses_nothing_and_the_search_goes_on(
    elsewhere: Path, join: list[str]
) -> None:
    with subprocess.Popen([*RUN, *ENDLESS, *join], stdout=subprocess.PIPE, text=True) as process:
        while not Path("runs/it/study.journal").exists() or len(open_run("runs/it").finished) < 5:
            assert process.poll() is None
            time.sleep(0.5)  # checking all the time would take a core from the trials
        refused = subprocess.run(
            [*RUN, "--resume", "runs/it"], capture_output=True, text=True, check=False
        )
        os.kill(process.pid, signal.SIGKILL)
    assert refused.returncode == USAGE
    assert f"in use by another process: {process.pid} on " in refused.stderr
    before = open_run("runs/it").finished
    trials = len(before) + 6
    command = [*RUN, "--resume", "runs/it", "--trials", str(trials), *join[:2]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    run = open_run("runs/it")
    assert run.finished[: len(before)] == before
    assert len(run.finished) == trials
    assert len({str(sorted(trial.config.items())) for trial in run.finished}) == trials
    assert [session.by for session in run.sessions] == ["killed", ""]


SLOW = """
import time
from search_spaces import Float, SearchSpace
SPACE = SearchSpace({"x": Float(0.0, 1.0)})
def slow(config, data, **_):
    while True:
        yield {"val_accuracy": config["x"]}, None
        time.sleep(60)
"""


@pytest.mark.slow
def test_a_second_signal_stops_at_once(elsewhere: Path, join: list[str]) -> None:
    Path("mine.py").write_text(SLOW)
    options = ["--trainable", "mine:slow", "--space", "mine:SPACE", *join]
    with subprocess.Popen(
        [*RUN, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until(process, "new best")
        process.send_signal(signal.SIGTERM)
        until(process, "stopping  as soon as running trials are saved")
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_CODES["SIGTERM"]
    assert "stopping  at once" in rest
    assert "go on with: python" in errors
    assert "--resume runs/it" in errors
    assert errors.splitlines()[-1] == "interrupted"


@pytest.mark.slow
@pytest.mark.parametrize("command", [["evaluate", "runs/it"], ["export", "runs/it", "model"]])
def test_a_signal_ends_a_final_training_with_one_word(
    elsewhere: Path, join: list[str], command: list[str]
) -> None:
    options = ["--trials", "1", "--max-epochs", "1", "--no-portfolio"]
    subprocess.run([*RUN, *options, *join], capture_output=True, check=True)
    name, *rest = command
    program = [sys.executable, str(ROOT / "pipelines" / f"{name}.py"), *rest]
    with subprocess.Popen(
        [*program, "--seeds", "500", *join[:2]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(process, "trained   1 of 500")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_CODES["SIGTERM"]
    assert errors == "interrupted\n"
    assert sorted(path.name for path in Path().iterdir()) == ["runs"]


@pytest.mark.slow
def test_a_closed_output_ends_a_search_in_good_order(elsewhere: Path, join: list[str]) -> None:
    with subprocess.Popen(
        [*RUN, *ENDLESS, *join], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until(process, "new best")
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == EXIT_CODES["closed output"]
    run = open_run("runs/it")
    assert [session.by for session in run.sessions] == ["closed output"]
    assert len(Path("runs/it/trials.csv").read_text().splitlines()) == len(run.finished) + 1


@pytest.mark.slow
def test_nothing_else_is_printed_where_there_is_no_terminal(
    elsewhere: Path, join: list[str]
) -> None:
    options = ["--trials", "2", "--max-epochs", "2"]
    done = subprocess.run([*RUN, *options, *join], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    words = {line.split()[0] for line in done.stdout.splitlines() if line[0] != " "}
    known = (
        "data search first note resources disk run waiting new trials epochs best there baseline "
        "no config next then the dashboard report"
    )
    assert words - set(known.split()) <= {"0/2", "1/2", "2/2"}


@pytest.mark.slow
def test_a_local_search_opens_its_dashboard_once_it_trains(elsewhere: Path) -> None:
    """Other machines cannot reach any of its processes, and none of these remains afterwards, and
    no temporary file either."""
    temporary = elsewhere / "temporary"
    temporary.mkdir()
    folders = {"TMPDIR": str(temporary), "RAY_TMPDIR": "/tmp"}
    with subprocess.Popen(
        [*RUN, *ENDLESS, "--name", "it", "--address", "local"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RANGEFINDER_TEST": str(elsewhere), **folders},
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("dashboard "):
                break
        (url,) = re.findall(r"http://\S+", lines[-1])
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert answer.status == 200
        listening = listeners(left_with("RANGEFINDER_TEST", str(elsewhere)))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == EXIT_CODES["interrupt"]
    assert any(line.startswith("new best") for line in lines)
    assert len(listening) > 5  # Ray's control store, its raylet, its agents, workers, this driver
    assert {address for address in listening if address not in LOOPBACK} == set()
    wait_for(lambda: not left_with("RANGEFINDER_TEST", str(elsewhere)))
    assert not list(temporary.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_processes_of_a_search_ends_it_in_good_order(
    elsewhere: Path, number: signal.Signals
) -> None:
    """As `timeout`, or a terminal that closes, sends it. Ray's processes must survive it."""
    command = [*RUN, *ENDLESS, "--name", "it", "--address", "local"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "RANGEFINDER_TEST": str(elsewhere)},
    ) as process:
        until(process, "dashboard ")
        os.killpg(process.pid, number)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors == ""
    go_on = r"^go on     python .*run.py --resume runs/it --address local$"
    assert re.search(go_on, rest, re.MULTILINE)
    finished = open_run("runs/it").finished
    assert finished
    assert len(Path("runs/it/trials.csv").read_text().splitlines()) == len(finished) + 1
    assert Path("runs/it/report.html").exists()
    wait_for(lambda: not left_with("RANGEFINDER_TEST", str(elsewhere)))


@pytest.mark.slow
def test_a_search_that_is_killed_leaves_no_process(elsewhere: Path) -> None:
    options = ["--trials", "1000", "--scheduler", "none", "--max-epochs", "3", "--name", "it"]
    # The sockets of Ray's dashboard are there too, and must have short paths.
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:
        environment = {"RANGEFINDER_TEST": str(elsewhere), "TMPDIR": temporary}
        with subprocess.Popen(
            [*RUN, *options, "--address", "local"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, "RAY_TMPDIR": "/tmp"},
        ) as process:
            until(process, "dashboard ")
            assert len(left_with("RANGEFINDER_TEST", str(elsewhere))) > 1
            process.kill()
        wait_for(lambda: not left_with("RANGEFINDER_TEST", str(elsewhere)), 10)
        assert not list(Path(temporary).glob("rangefinder-*"))


def listeners(processes: list[int]) -> list[str]:
    """The addresses at which the processes accept TCP connections, as the kernel writes them."""
    sockets = set()
    for process in processes:
        with contextlib.suppress(OSError):
            sockets |= {str(fd.readlink()) for fd in Path(f"/proc/{process}/fd").iterdir()}
    lines = [line.split() for name in ("tcp", "tcp6") for line in open_in_kernel(name)]
    return [
        address.rpartition(":")[0]
        for address, state, inode in ((line[1], line[3], line[9]) for line in lines)
        if state == LISTEN and f"socket:[{inode}]" in sockets
    ]


def open_in_kernel(name: str) -> list[str]:
    return Path(f"/proc/net/{name}").read_text().splitlines()[1:]


def test_a_report_into_a_pipe_that_closes_says_nothing(elsewhere: Path) -> None:
    write_run(Path("it"), [])
    command = [sys.executable, str(ROOT / "pipelines" / "report.py"), "it"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == EXIT_CODES["closed output"]


INTERRUPTED_AT = """
import os, runpy, signal, sys

class At:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

_, module, script, *sys.argv[1:] = sys.argv
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, At())
runpy.run_path(script, run_name="__main__")
"""


@pytest.mark.parametrize(
    ("module", "code", "errors"),
    [
        ("pipelines.study.settings", -signal.SIGINT, ""),  # a shell shows 130
        ("pipelines.cli.data", EXIT_CODES["interrupt"], "interrupted\n"),
    ],
)
def test_an_interruption_during_the_imports_shows_no_traceback(
    module: str, code: int, errors: str
) -> None:
    command = [module, str(ROOT / "pipelines" / "data.py"), "mine.csv"]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT, *command], stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (code, errors)


STREAMS = """
import os, sys
from pathlib import Path
from pipelines.cli.command import command, main
def streams():
    sys.stdout.buffer.write(b"text")
    places = [os.readlink(f"/proc/self/fd/{number}") for number in range(3)]
    Path("places").write_text(" ".join(places))
sys.exit(main(command(streams), []))
"""


def test_no_file_takes_the_place_of_a_stream_that_is_closed(elsewhere: Path) -> None:
    Path("streams.py").write_text(STREAMS)
    closing = f"exec '{sys.executable}' streams.py <&- >&- 2>&-"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(closing, shell=True, env=environment).returncode == 0
    assert Path("places").read_text().split() == [os.devnull] * 3


LEFT = """
import sys
from pipelines.cli.text import Terminal, print_plain
from pipelines.study.interrupts import interruptible
asked = []
with interruptible(asked.append):
    sys.stdin.read()  # until the terminal has gone
    print_plain(Terminal(), "line")
    print("line", flush=True)
    print("line", file=sys.stderr, flush=True)
sys.exit(len(asked))
"""


def test_a_terminal_that_has_gone_is_no_full_disk() -> None:
    """Its program may print before the signal comes, or ignore the signal."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", LEFT],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.close(ours)
    assert process.returncode == 0
