"""Workers are forked from a process that has imported what trials need."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.cluster import fork_request, fork_server
from pipelines.cluster.fork_server import _forked, _program

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux goes on after a fork")
WORKER = ["/ray/default_worker.py", "--node-id=ab", "--webui=None"]

# The processes of tasks: two at once, two after one has ended, one after the server has ended, and
# one that starts then.
PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path

if __name__ == "__main__":
    import ray
    from pipelines.cluster.connect import connect

    @ray.remote(num_cpus=1, max_retries=0)
    def process(last=False, meet=""):
        import resource, signal, numpy
        if last:
            os._exit(1)
        if meet:  # the other task, in another process
            Path(f"{meet}-{os.getpid()}").touch()
            while len(list(Path().glob(f"{meet}-*"))) < 2:
                time.sleep(0.01)
        return {
            "pid": os.getpid(),
            "group": os.getpgid(0),
            "parent": os.getppid(),
            "imported": "wave" in sys.modules,
            "children": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
            "mark": "RANGEFINDER_DRIVER" in Path("/proc/self/environ").read_text(),
            "folder": os.getcwd(),
            "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            "memory": Path("/proc/self/oom_score_adj").read_text().strip(),
            "drawn": numpy.random.rand(),
            "identifier": ray.ObjectRef.from_random().hex(),
            "path": sys.path,
            "set": os.environ["OF_THE_DRIVER"],
            "title": Path("/proc/self/cmdline").read_text().split("\\0")[0],
        }

    def end_one():
        try:
            ray.get(process.remote(last=True))
        except ray.exceptions.WorkerCrashedError:
            return

    os.environ["OF_THE_DRIVER"] = "yes"
    with connect("local", dashboard=False, modules=["wave", "ray.tune", "no_such_module"]):
        both = ray.get([process.remote(meet="both"), process.remote(meet="both")])
        end_one()
        after = ray.get([process.remote(meet="after"), process.remote(meet="after")])
        os.kill(both[0]["parent"], signal.SIGKILL)
        forked = ray.get(process.remote())
        while (alone := ray.get(process.remote()))["imported"]:
            end_one()
    print(json.dumps({"forked": [*both, *after, forked], "alone": alone}))
"""


@linux
def test_workers_of_ray_are_forked_and_are_what_rays_own_are(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 0, found.stderr
    ran = json.loads(found.stdout)
    assert len({process["pid"] for process in ran["forked"][:2]}) == 2
    assert len({process["parent"] for process in ran["forked"][:4]}) == 1
    for process in ran["forked"]:
        assert process["imported"]
        assert process["title"].startswith("ray::process")
    assert not ran["alone"]["imported"]  # the server had ended, and Ray's own command did it
    first, second = ran["forked"][:2]
    assert first["drawn"] != second["drawn"]
    identifiers = [process["identifier"] for process in (*ran["forked"], ran["alone"])]
    assert len(set(identifiers)) == len(identifiers)
    assert {word for word in first["path"] if word} == {w for w in ran["alone"]["path"] if w}
    for process in (*ran["forked"], ran["alone"]):
        assert process["open_files"] == ran["alone"]["open_files"]
        assert process["memory"] == "1000"
        assert process["group"] == process["pid"]
        assert process["children"]
        assert process["mark"]
        assert process["set"] == "yes"
        assert Path(process["folder"]) == tmp_path
    assert not marked("OF_THE_DRIVER=yes")


@linux
def test_a_server_ends_with_its_block() -> None:
    with fork_server.fork_server(["wave"], {"A_MARK": "it"}) as server:
        assert server is not None
        (process,) = marked("A_MARK=it")
    assert not process.exists()


def test_there_is_none_where_nothing_is_imported_or_a_process_may_not_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fork_server.fork_server([], {}) as server:
        assert server is None
    monkeypatch.setattr("sys.platform", "darwin")
    with fork_server.fork_server(["wave"], {}) as server:
        assert server is None


def test_the_raylet_asks_for_its_workers_and_starts_none_before(tmp_path: Path) -> None:
    raylet = [
        "/ray/raylet",
        "--python_worker_command=python w.py --a",
        "--num_prestart_python_workers=2",
    ]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = fork_server.ForkServer(ours).forking(raylet, str(tmp_path / "it"))
        _, (listener,), _, _ = socket.recv_fds(theirs, 1, 1)
        os.close(listener)
    assert command[0] == raylet[0]
    assert command[1].endswith(f"fork_request.py {tmp_path / 'it'} python w.py --a")
    assert command[2] == "--num_prestart_python_workers=0"


@pytest.mark.parametrize(
    ("options", "forked"),
    [
        (["--language=PYTHON"], True),
        (["--language=PYTHON", "--serialized-runtime-env-context={}"], True),
        (["--language=PYTHON", '--serialized-runtime-env-context={"env_vars": {}}'], False),
        (["--language=CPP"], False),
        (["--language=PYTHON", "--temp-dir=/x/run.py"], True),
    ],
)
def test_what_has_an_environment_of_its_own_is_left_to_ray(
    options: list[str], forked: bool
) -> None:
    command = ["python", "/ray/setup_worker.py", *WORKER, *options]
    others = [word for word in options if "temp" in word]
    assert _program(command) == ([*WORKER, *others] if forked else [])
    assert _program(["java", "-jar", *options]) == []


@linux
def test_who_cannot_be_served_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more() -> int:
        raise BlockingIOError

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):  # the test has closed it
            _forked(listener)

    monkeypatch.setattr("os.fork", no_more)
    address = str(tmp_path / "it")
    before = open_files()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        assert not fork_request.ask(address, [*WORKER, "--language=PYTHON"])
        assert not fork_request.ask(address, [*WORKER, "--language=CPP"])
        with socket.socket(socket.AF_UNIX) as gone:
            gone.connect(address)
            gone.sendall(b"\0\0\0\4{")
        assert not fork_request.ask(address, [*WORKER, "--language=CPP"])
    assert not fork_request.ask(str(tmp_path / "other"), WORKER)
    assert open_files() <= before + 1  # the one that a thread waits at


def marked(word: str) -> list[Path]:
    """The processes that live and have it in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if word in (process / "environ").read_text().split("\0"):
                found.append(process)
        except OSError:
            continue
    return found


def test_what_is_imported_ahead_leaves_nothing_that_forked_processes_may_not_share() -> None:
    """A fork must not inherit these: CUDA does not work if it started before the fork, threads do
    not go on in the fork, and seeded random numbers of Ray would be the same in all forks."""
    program = """
import os, sys, threading, torch

def looked(*_):
    print("looked for a GPU")

torch._C._cuda_getDeviceCount = torch._C._cuda_init = looked
from pipelines.cluster.fork_server import _import
from pipelines.study.ahead import IMPORTS
_import(IMPORTS)
missing = [name for name in IMPORTS if name not in sys.modules]
print(threading.active_count(), torch.cuda.is_initialized(), missing, flush=True)
for _ in range(2):
    if not (child := os.fork()):
        import ray
        print(ray.ObjectRef.from_random().hex(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    first, *identifiers = found.stdout.splitlines()
    assert first == "1 False []", found.stderr
    assert len(set(identifiers)) == 2
