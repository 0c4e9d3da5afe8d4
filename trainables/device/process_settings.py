"""Settings of a process that a training may change, and how to restore them for the next."""

from __future__ import annotations

import gc
import locale
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.modules import module as hooks

_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD")
    if hasattr(signal, name)  # Windows has few
)
_HOOKS = tuple(
    value
    for name, value in vars(hooks).items()
    if name.startswith("_global_") and isinstance(value, dict)
)
_TINY = 5e-324  # the smallest float: 0 if denormal numbers are flushed


class Setting(NamedTuple):
    """A setting of the process. ``write`` takes what ``read`` returns."""

    name: str  # in words, as in "it changed the working directory"
    read: Callable[[], Any]
    write: Callable[[Any], object]


class ProcessSettings:
    """The settings as they are when this object is made."""

    def __init__(self) -> None:
        self._settings = [(setting, setting.read()) for setting in settings()]

    def restore(self) -> list[str]:
        """Restores the settings that have changed. Returns the names of those it cannot restore."""
        left = []
        for setting, before in self._settings:
            try:
                if setting.read() != before:
                    setting.write(before)
                    if setting.read() != before:
                        left.append(setting.name)
            except Exception:  # each library raises its own
                left.append(setting.name)
        return left


def seed_generators(seed: int) -> None:
    """Seeds the global generators of Python, NumPy and torch.

    A training may draw from them without seeding them.
    """
    import random

    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed does the same, but takes longer: it looks for every kind of device.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


def settings() -> Iterator[Setting]:
    """All settings. Those of torch come first, because only torch knows what its context managers
    leave behind."""
    yield from _of_torch()
    yield Setting("NumPy's handling of errors", np.geterr, lambda before: np.seterr(**before))
    yield Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit)
    yield Setting("the switch interval", sys.getswitchinterval, sys.setswitchinterval)
    yield Setting("the trace function", sys.gettrace, sys.settrace)
    yield Setting("the profile function", sys.getprofile, sys.setprofile)
    yield Setting(
        "the standard streams",
        lambda: (sys.stdin, sys.stdout, sys.stderr),
        lambda before: _set(sys, stdin=before[0], stdout=before[1], stderr=before[2]),
    )
    yield Setting("the garbage collector", gc.isenabled, lambda on: (gc.disable, gc.enable)[on]())
    yield Setting("the locale", _locale, lambda before: locale.setlocale(locale.LC_ALL, before))
    yield Setting("the timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout)
    yield Setting("the environment", _environment, _write_environment)
    yield Setting("the working directory", os.getcwd, os.chdir)
    if hasattr(os, "sched_getaffinity"):
        yield Setting(
            "the cores", lambda: os.sched_getaffinity(0), lambda to: os.sched_setaffinity(0, to)
        )
    if hasattr(os, "getpriority"):
        yield Setting(
            "the priority",
            lambda: os.getpriority(os.PRIO_PROCESS, 0),
            lambda before: os.setpriority(os.PRIO_PROCESS, 0, before),
        )
    if threading.current_thread() is threading.main_thread():  # Python's rule for signals
        yield from _of_signals()


def _of_torch() -> Iterator[Setting]:
    yield Setting("torch's threads", torch.get_num_threads, torch.set_num_threads)
    yield Setting(
        "the precision of matrix products",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    )
    yield Setting("the default dtype", torch.get_default_dtype, torch.set_default_dtype)
    yield Setting("the gradient mode", torch.is_grad_enabled, torch.set_grad_enabled)
    yield Setting("the inference mode", torch.is_inference_mode_enabled, lambda before: None)
    yield Setting(
        "the default device", torch._C._len_torch_function_stack, lambda _: _unset_device()
    )
    yield Setting(
        "deterministic algorithms",
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda before: torch.use_deterministic_algorithms(before[0], warn_only=before[1]),
    )
    yield Setting(
        "anomaly detection",
        torch.is_anomaly_enabled,
        lambda on: torch.autograd.set_detect_anomaly(on),
    )
    for kind in ("cpu", "cuda"):
        yield Setting("autocasting", partial(_autocasting, kind), partial(_autocast, kind))
    cudnn = torch.backends.cudnn
    for name in ("enabled", "benchmark", "deterministic"):
        yield Setting(
            f"torch.backends.cudnn.{name}",
            partial(getattr, cudnn, name),
            partial(setattr, cudnn, name),
        )
    yield Setting(
        "denormal numbers", lambda: _TINY * 1.0 > 0, lambda on: torch.set_flush_denormal(not on)
    )
    yield Setting(
        "hooks of all modules",
        lambda: [dict(hook) for hook in _HOOKS if hook],
        lambda before: _clear_hooks(),
    )


def _of_signals() -> Iterator[Setting]:
    for number in _SIGNALS:
        yield Setting(
            f"the handler of {number.name}",
            partial(signal.getsignal, number),
            partial(signal.signal, number),
        )
    if hasattr(signal, "pthread_sigmask"):
        yield Setting(
            "blocked signals",
            lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
            lambda before: signal.pthread_sigmask(signal.SIG_SETMASK, before),
        )
        yield Setting(
            "a timer",
            lambda: signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0),
            lambda _: signal.setitimer(signal.ITIMER_REAL, 0.0),
        )


def _unset_device() -> None:
    if torch._C._len_torch_function_stack():
        torch.set_default_device(None)


def _autocasting(kind: str) -> tuple[bool, torch.dtype]:
    return torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)


def _autocast(kind: str, before: tuple[bool, torch.dtype]) -> None:
    torch.set_autocast_enabled(kind, before[0])
    torch.set_autocast_dtype(kind, before[1])


def _clear_hooks() -> None:
    for hook in _HOOKS:
        hook.clear()


def _locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _environment() -> dict[Any, Any]:
    return dict(getattr(os.environ, "_data", os.environ))


def _write_environment(before: dict[Any, Any]) -> None:
    names = os.environ
    decode = getattr(names, "decodevalue", str)
    wanted = {decode(name): decode(value) for name, value in before.items()}
    for name in [name for name in names if name not in wanted]:
        del names[name]
    names.update(wanted)


def _set(module: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(module, name, value)
