"""Workers of Ray that are forked from a process which has imported what trials need: 0.1 s of CPU
for each, where Ray's own command takes 3, and the memory of what is imported is there once.

Only for a Ray that is started here, on Linux: elsewhere a process may not go on after a fork.
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
_WAITING = 4096  # workers that wait until the imports are done
_WORKERS, _AT_FIRST = "--python_worker_command=", "--num_prestart_python_workers="  # of the raylet
_ENVIRONMENT, _LANGUAGE = "--serialized-runtime-env-context=", "--language="  # of a worker


class ForkServer:
    """The driver's end of one."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def forking(self, raylet: list[str], address: str) -> list[str]:
        """The command ``raylet``, with workers that the server forks; ``address`` is a file for
        its socket.

        The raylet starts none before one is needed: the driver would wait for them, with
        Python's lock in its hands, and they for the imports.
        """
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            Path(address).chmod(0o600)
            listener.listen(_WAITING)
            with suppress(OSError):  # it has ended: Ray's own command will do
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
    """A server that begins to import ``modules``, and ends with the block. It and all that it forks
    have ``marks`` in their environment. None where there is nothing to import, or another system
    than Linux."""
    if not modules or sys.platform != "linux":
        yield None
        return
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            root = str(Path(__file__).parents[2])
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, root, str(theirs.fileno()), *modules],
                # Libraries read it as they are imported. Workers have it as Ray sets it.
                env={"OMP_NUM_THREADS": "1", **os.environ, **marks},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for the search
            )
        try:
            yield ForkServer(ours)
        finally:
            process.kill()
            process.wait()


def serve(channel: int, modules: Sequence[str], *, added: str) -> None:
    """Import ``modules`` and fork a worker of Ray for whoever asks at the socket that comes through
    the file ``channel``. Returns in the process of a worker that has come to its end. ``added`` is
    the folder that ``sys.path`` has for these imports alone, if any.

    No thread of Python may start here: those of a process do not go on in one that is forked.
    """
    # What Ray reads once, as it is imported: that a worker is of no job yet, and the process with
    # which it ends, here the driver. It is the raylet elsewhere, whose end a worker also sees from
    # its socket.
    os.environ |= {"RAY_JOB_ID": "ffffffff", "RAY_RAYLET_PID": str(os.getppid())}
    with uncollected():
        for name in modules:
            with suppress(Exception):  # a trial will say so
                import_module(name)
    if added:
        sys.path.remove(added)
    gc.freeze()  # they stay: later walks leave them out, and their memory is shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that have ended
    with socket.socket(fileno=channel) as driver:
        _, files, _, _ = socket.recv_fds(driver, 1, 1)
        if not files:  # the driver has ended
            return
        with socket.socket(fileno=files[0]) as listener:
            worker = _forked(listener)
    sys.argv = worker
    sys.path.insert(0, str(Path(worker[0]).parent))
    run_path(worker[0], run_name="__main__")


def _forked(listener: socket.socket) -> list[str]:
    """Fork for each that asks, for ever. Returns in the processes that are forked, as what was
    asked for: the program of a worker, and its options."""
    while True:
        client, _ = listener.accept()
        with client:
            request = fork_request.read(client)
            if request is None:
                continue
            worker, process = _program(request.command), None
            if worker:
                with suppress(OSError):  # no process more: Ray's own command will say so
                    process = os.fork()
            if process == 0:
                _become(request)
                return worker
            if process:
                fork_request.answer(client)
            for stream in request.streams:
                os.close(stream)


def _program(command: Sequence[str]) -> list[str]:
    """The program of a worker in Ray's command for it, and its options, without the program that
    prepares an environment first; nothing where there is one to prepare."""
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
    """This process, which is forked, gets what the one that asked had."""
    os.setpgid(0, 0)  # Ray ends the whole group of a worker that has ended
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    with suppress(OSError):  # it has gone, and few trials miss it
        os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    with suppress(OSError, ValueError):
        _limit_open_files(*request.open_files)
    _yield_memory_first()
    _read_settings()
    _draw_anew()


def _limit_open_files(soft: int, hard: int) -> None:
    """Ray raises it for its processes."""
    import resource  # which only Unix has

    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _yield_memory_first() -> None:
    """Of this machine's processes Linux ends this one first, as Ray asks of it for its workers."""
    score = os.environ.get("RAY_worker_oom_score_adjustment", "1000")  # noqa: SIM112
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(score)


def _read_settings() -> None:
    """Those of the environment, which Ray has read as it was imported."""
    from ray._raylet import Config  # type: ignore[attr-defined]

    Config.initialize("")


def _draw_anew() -> None:
    """Generators that are there are those of all that are forked; Python's own knows that."""
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()
