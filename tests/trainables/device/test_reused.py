"""What a training changes in its process is undone before the next one, or reported."""

from __future__ import annotations

import functools
import gc
import locale
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.modules import module as hooks

from trainables.device.leftovers import Workers
from trainables.device.patches import Patches
from trainables.device.process_settings import ProcessSettings, seed_generators
from trainables.device.process_settings import settings as all_settings
from trainables.device.reused import ReusedProcess

ROOT = Path(__file__).parents[3]
PLACE = "tests.trainables.device.test_reused"


def in_a_new_process(test: Callable[[], None]) -> Callable[[], None]:
    """The process of the suite has threads and child processes of its own, such as those of Ray."""

    @functools.wraps(test)
    def run() -> None:
        code = f"from {PLACE} import {test.__name__} as test; test.__wrapped__()"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    return run


def switch_off_flushing() -> None:
    assert torch.set_flush_denormal(True)


CHANGES: dict[str, Callable[[], object]] = {
    "torch's threads": lambda: torch.set_num_threads(torch.get_num_threads() + 3),
    "the precision of matrix products": lambda: torch.set_float32_matmul_precision("medium"),
    "the default dtype": lambda: torch.set_default_dtype(torch.float64),
    "the gradient mode": lambda: torch.set_grad_enabled(False),
    "the default device": lambda: torch.set_default_device("meta"),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "autocasting": lambda: torch.set_autocast_enabled("cpu", True),
    "torch.backends.cudnn.benchmark": lambda: setattr(
        torch.backends.cudnn, "benchmark", not torch.backends.cudnn.benchmark
    ),
    "denormal numbers": switch_off_flushing,
    "hooks of all modules": lambda: hooks.register_module_forward_hook(lambda *_: None),
    "NumPy's handling of errors": lambda: np.seterr(all="raise"),
    "the recursion limit": lambda: sys.setrecursionlimit(150),
    "the switch interval": lambda: sys.setswitchinterval(0.5),
    "the trace function": lambda: sys.settrace(lambda *_: None),
    "the standard streams": lambda: setattr(sys, "stdout", None),
    "the garbage collector": gc.disable,
    "the locale": lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"),
    "the timeout of sockets": lambda: socket.setdefaulttimeout(0.001),
    "the environment": os.environ.clear,
    "the working directory": lambda: os.chdir("/"),
    "the cores": lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    "the handler of SIGTERM": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "blocked signals": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1}),
    "a timer": lambda: signal.setitimer(signal.ITIMER_REAL, 60.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_is_put_back(name: str) -> None:
    before = ProcessSettings()
    (setting,) = [s for s in all_settings() if s.name == name][:1]
    was = setting.read()
    CHANGES[name]()
    try:
        changed = setting.read() != was
        assert before.restore() == []
        assert setting.read() == was
    finally:
        setting.write(was)
    has_one_core = len(os.sched_getaffinity(0)) == 1
    # The suite may already run in that locale.
    assert changed or name == "the locale" or (name == "the cores" and has_one_core)


@in_a_new_process
def test_an_inference_mode_that_stays_is_said() -> None:
    process = ReusedProcess(1.0)
    mode = torch.inference_mode()
    mode.__enter__()
    try:
        assert process.clean() == "it changed the inference mode"
    finally:
        mode.__exit__(None, None, None)


@pytest.mark.parametrize("seed", [0, 3, 2**40])
def test_generators_draw_the_same_after_a_seed(seed: int) -> None:
    def draws() -> tuple[float, float, float]:
        seed_generators(seed)
        return random.random(), float(np.random.rand()), torch.rand(1).item()

    assert draws() == draws()
    torch.manual_seed(seed)
    assert torch.rand(1).item() == draws()[2]


@pytest.fixture
def own_relu() -> Iterator[None]:
    relu, reset = torch.nn.functional.relu, torch.nn.Linear.reset_parameters
    yield
    torch.nn.functional.relu = relu
    torch.nn.Linear.reset_parameters = reset  # type: ignore[method-assign]
    if "__call__" in vars(torch.nn.Dropout):
        del torch.nn.Dropout.__call__


@pytest.mark.usefixtures("own_relu")
def test_a_function_of_torch_that_is_replaced_is_named() -> None:
    patches = Patches()
    assert patches.found() == []
    setattr(torch.nn.functional, "relu", lambda x: x)  # noqa: B010
    torch.nn.Linear.reset_parameters = lambda self: None  # type: ignore[method-assign]
    setattr(torch.nn.Dropout, "__call__", lambda self, x: x)  # noqa: B010
    assert set(patches.found()) == {
        "torch.nn.functional.relu",
        "torch.nn.modules.linear.Linear.reset_parameters",
        "torch.nn.modules.dropout.Dropout.__call__",
    }


def test_what_torch_replaces_itself_is_no_patch() -> None:
    """In a fresh process, because torch's first optimiser and its compiler replace functions."""
    code = """
import torch
from trainables.device.reused import ReusedProcess
process = ReusedProcess(1.0)
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.AdamW(model.parameters())
model(torch.ones(2, 2)).sum().backward()
optimizer.step()
import torch._dynamo
list(torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4)), num_workers=1))
print(process.clean())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_memory_that_stays_is_said_and_memory_that_is_free_is_not() -> None:
    code = """
import numpy as np
from trainables.device import leftovers
leftovers.MOST_GROWTH = 100 * 2**20
memory = leftovers.Memory(1.0)
arrays = [np.ones(2**17) for _ in range(150)]
assert memory.growth().startswith("its memory had grown by 15"), memory.growth()
del arrays
assert memory.growth() == "", memory.growth()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""


@pytest.mark.parametrize("before", [True, False])  # with a share of a GPU, CUDA starts before
def test_memory_that_comes_with_cuda_is_no_growth_and_what_comes_after_it_is(before: bool) -> None:
    code = f"""
import numpy as np
from trainables.device import gpu, leftovers
leftovers.MOST_GROWTH = 100 * 2**20
gpu.is_used = lambda: {before}
memory = leftovers.Memory(1.0)
libraries = [np.ones(2**17) for _ in range(150)]
gpu.is_used = lambda: True
assert memory.growth() == "", memory.growth()
leaked = [np.ones(2**17) for _ in range(150)]
assert memory.growth().startswith("its memory had grown by 15"), memory.growth()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""


@in_a_new_process
def test_a_thread_at_work_is_said_and_one_that_waits_is_not() -> None:
    workers, stop = Workers(), threading.Event()
    waiting = threading.Thread(target=stop.wait, daemon=True)
    waiting.start()
    assert workers.at_work() == ""

    def spin() -> None:
        while not stop.is_set():
            pass

    spinning = threading.Thread(target=spin, daemon=True)
    spinning.start()
    assert workers.at_work() == "it left a thread running"
    stop.set()
    spinning.join()
    waiting.join()
    assert workers.at_work() == ""


@in_a_new_process
def test_a_process_at_work_is_said_and_one_that_waits_is_not() -> None:
    workers = Workers()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waiting:
        assert waiting.stdin is not None
        assert waiting.stdout is not None
        waiting.stdin.write(b"started\n")
        waiting.stdin.flush()
        assert waiting.stdout.readline() == b"started\n"
        end = time.monotonic() + 60
        try:
            while " S " not in Path(f"/proc/{waiting.pid}/stat").read_text():
                assert time.monotonic() < end
                time.sleep(0.01)  # until it waits for the next line
            assert workers.at_work() == ""
        finally:
            waiting.kill()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        try:
            assert workers.at_work() == "it left a process running"
        finally:
            spinning.kill()
    assert workers.at_work() == ""


def test_files_left_open_are_said_before_there_is_no_room_for_more() -> None:
    code = """
import os, resource
from trainables.device.reused import ReusedProcess
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
process = ReusedProcess(1.0)
assert process.clean() == ""
files = [open(os.devnull) for _ in range(200)]
print(process.clean())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith(" files open, with a limit of 256\n"), done.stderr
