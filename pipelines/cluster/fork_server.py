"""Forks Ray's workers from a process that has already imported what trials need. A worker then
costs 0.1 s of CPU instead of the 3 s of Ray's own command, and workers share the memory of the
imports.

Only for a Ray that is started here, on Linux: on other systems, a forked process may not work.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from runpy import run_path

from pipelines.cluster import fork_request
from pipelines.cluster.garbage import uncollected

_PROGRAM = """
import sys
sys.path[:1] = []
if added := sys.argv[1] not in sys.path:
    sys.path.append(sys.argv[1])
from pipelines.cluster.fork_server import serve
serve(int(sys.argv[2]), sys.argv[3:], added=sys.argv[1] if added else "")
"""
_WAITING = 4096  # workers that may wait until the imports are done
_WORKERS, _AT_FIRST = "--python_worker_command=", "--num_prestart_python_workers="  # of the raylet
_ENVIRONMENT, _LANGUAGE = "--serialized-runtime-env-context=", "--language="  # of a worker


class ForkServer:
    """The driver's end of a fork server."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def forking(self, raylet: list[str], address: str) -> list[str]:
        """The command ``raylet``, changed so that the server forks its workers. ``address`` is a
        file for the server's socket.

        The changed raylet starts no worker before one is needed. Otherwise the driver would wait
        for workers, while it holds Python's lock, and the workers would wait for the imports.
        """
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            Path(address).chmod(0o600)
            listener.listen(_WAITING)
            with suppress(OSError):  # the server has ended: Ray's own command is used
                socket.send_fds(self._channel, [b"\0"], [listener.fileno()])
        program = [sys.executable, "-I", "-S", fork_request.__file__, address]
        asking = subprocess.list2cmdline(program)

        def changed(word: str) -> str:
            if word.startswith(_WORKERS):
                return f"{_WORKERS}{asking} {word.removeprefix(_WORKERS)}"
            return f"{_AT_FIRST}0" if word.startswith(_AT_FIRST) else word

        return [changed(word) for word in raylet]


@contextmanager
def fork_server(modules: Sequence[str], marks: Mapping[str, str]) -> Iterator[ForkServer | None]:
    """A server that starts to import ``modules``, and ends with the block. The server and all
    processes that it forks have ``marks`` in their environment. None if there is nothing to import,
    or if the system is not Linux."""
    if not modules or sys.platform != "linux":
        yield None
        return
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            root = str(Path(__file__).parents[2])
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, root, str(theirs.fileno()), *modules],
                # Libraries read this when they are imported. In workers, Ray sets it.
                env={"OMP_NUM_THREADS": "1", **os.environ, **marks},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C must only reach the search
            )
        try:
            yield ForkServer(ours)
        finally:
            process.kill()
            process.wait()


def serve(channel: int, modules: Sequence[str], *, added: str) -> None:
    """Import ``modules``, then fork one of Ray's workers for each request at the socket that
    arrives through the file descriptor ``channel``. Returns in a worker that has ended. ``added``
    is a folder that is in ``sys.path`` only for these imports, if any.

    No Python thread may be started here, because threads do not continue in a forked process.
    """
    # Ray reads these once, when it is imported: a worker has no job yet, and it exits together with
    # the process RAY_RAYLET_PID. Elsewhere that is the raylet, here it is the driver. A worker also
    # notices the end of the raylet from its socket.
    os.environ |= {"RAY_JOB_ID": "ffffffff", "RAY_RAYLET_PID": str(os.getppid())}
    _import(modules)
    if added:
        sys.path.remove(added)
    gc.freeze()  # the collector skips the modules from now on: their memory stays shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no code here waits for workers that have ended
    with socket.socket(fileno=channel) as driver:
        _, files, _, _ = socket.recv_fds(driver, 1, 1)
        if not files:  # the driver has ended
            return
        with socket.socket(fileno=files[0]) as listener:
            worker = _forked(listener)
    sys.argv = worker
    sys.path.insert(0, str(Path(worker[0]).parent))
    run_path(worker[0], run_name="__main__")


def _import(modules: Sequence[str]) -> None:
    """Import ``modules`` without a draw from the random numbers of Ray's C++ code.

    A draw seeds them, and all processes that are forked afterwards draw the same. Two workers that
    start at the same time then give the same identifier to their first object, and one of them
    aborts. Modules of Ray that define an actor draw an identifier for its class.
    """
    with uncollected():
        from ray import actor

        classes = actor.ActorClassID
        actor.ActorClassID = _ActorClassID
        for name in modules:
            with suppress(Exception):  # a trial will report it
                import_module(name)
        actor.ActorClassID = classes


class _ActorClassID:
    """The identifier of an actor's class, drawn from the random numbers of the system."""

    @staticmethod
    def from_random() -> object:
        from ray._raylet import ActorClassID

        return ActorClassID(os.urandom(ActorClassID.size()))


def _forked(listener: socket.socket) -> list[str]:
    """Fork a process for each request, forever. Returns only in a forked process: the program of a
    worker, and its options."""
    while True:
        client, _ = listener.accept()
        with client:
            request = fork_request.read(client)
            if request is None:
                continue
            worker, process = _program(request.command), None
            if worker:
                with suppress(OSError):  # no more processes: Ray's own command will report that
                    process = os.fork()
            if process == 0:
                _become(request)
                return worker
            if process:
                fork_request.answer(client)
            for stream in request.streams:
                os.close(stream)


def _program(command: Sequence[str]) -> list[str]:
    """The program of a worker and its options, taken from Ray's command, without the program that
    first prepares a runtime environment. Empty if there is one to prepare."""
    programs = [n for n, word in enumerate(command) if word.endswith(".py") and word[0] != "-"]
    if not programs:
        return []
    program, *options = command[programs[-1] :]
    if f"{_LANGUAGE}PYTHON" not in options:
        return []
    if any(o.startswith(_ENVIRONMENT) and o != f"{_ENVIRONMENT}{{}}" for o in options):
        return []
    return [program, *(o for o in options if not o.startswith((_LANGUAGE, _ENVIRONMENT)))]


def _become(request: fork_request.Request) -> None:
    """Give this forked process the environment, streams and limits of the requesting process."""
    os.setpgid(0, 0)  # when a worker ends, Ray ends its whole process group
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    with suppress(OSError):  # the folder is gone: few trials need it
        os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    with suppress(OSError, ValueError):
        _limit_open_files(*request.open_files)
    _yield_memory_first()
    _read_settings()
    _draw_anew()


def _limit_open_files(soft: int, hard: int) -> None:
    """Set the limit that Ray has raised for its processes."""
    import resource  # only on Unix

    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _yield_memory_first() -> None:
    """Let Linux kill this process first if memory runs out, as Ray does for its workers."""
    score = os.environ.get("RAY_worker_oom_score_adjustment", "1000")  # noqa: SIM112
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(score)


def _read_settings() -> None:
    """Let Ray read its settings again: it read the environment when it was imported."""
    from ray._raylet import Config  # type: ignore[attr-defined]

    Config.initialize("")


def _draw_anew() -> None:
    """Seed the generators anew: all forked processes have the same. Python's own does so itself."""
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()
