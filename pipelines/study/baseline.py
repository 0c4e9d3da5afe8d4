"""Quick models that are fitted while a search runs, to show whether the network is worth it.

They are fitted in a process of low priority, which gets the processor time that the trials, and
their start, leave over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import trainables
from pipelines.record.baselines import Baselines
from trainables.baselines import MODELS, arguments_of, guess, write_arrays
from trainables.data.datasets import TrialData

_LOOK_EVERY = 1.0  # seconds
# How long the end of a search waits for the last model: a share of the time that the search took,
# and at least so many seconds. A search of a few seconds that keeps all processors busy leaves no
# time for the models before its end.
PATIENCE, LEAST_PATIENCE = 0.05, 3.0
# The priority is lowered first, because importing the libraries takes a second.
_PROGRAM = """
import sys
from trainables.device.give_way import give_way
give_way(10)
from trainables.baselines import end_with_parent, main
main(*sys.argv[1:], loaded=end_with_parent)
"""


class BaselineProcess:
    """A context manager that leaves no process and no file behind."""

    def __init__(self, folds: Sequence[TrialData]) -> None:
        """If there are several folds, each model has the means of its metrics over them."""
        self._folds = folds
        self._process: subprocess.Popen[bytes] | None = None
        self._starting: threading.Thread | None = None
        self._arrays: Path | None = None
        self._watching: threading.Thread | None = None
        self._asked = threading.Event()

    def __enter__(self) -> BaselineProcess:
        self._found, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        return self

    def start(self, show: Callable[[Baselines], None] = lambda found: None) -> None:
        """Start the process without waiting for it. ``show`` gets the finished models whenever
        there is a new one, until somebody asks for the :meth:`result`."""
        self._show = show
        self._starting = threading.Thread(target=self._start, daemon=True)
        self._starting.start()

    def _start(self) -> None:
        with suppress(OSError):  # no room for the data: there are no baselines then
            descriptor, name = tempfile.mkstemp(prefix="rangefinder-", suffix=".npz")
            os.close(descriptor)
            self._arrays = Path(name)
            write_arrays(self._folds, self._arrays)
            arguments = json.dumps([arguments_of(data) for data in self._folds])
            given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
            here = str(Path(trainables.__file__).parents[1])
            places = [here, *(str(Path(place).absolute()) for place in given if place)]
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, name, arguments],
                stdin=subprocess.PIPE,  # closes when this process dies
                stdout=self._found,
                stderr=self._errors,
                cwd=tempfile.gettempdir(),
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(places),
                    "OMP_NUM_THREADS": "1",
                },
                start_new_session=True,  # Ctrl-C is for the search
            )
            self._watching = threading.Thread(target=self._watch, daemon=True)
            self._watching.start()

    def _watch(self) -> None:
        assert self._process is not None
        shown, works = 0, True
        while works and not self._asked.wait(_LOOK_EVERY):
            works = self._process.poll() is None  # first: what it printed last is shown too
            found = self._done()
            if len(found) > shown:
                shown = len(found)
                with suppress(OSError):  # the search itself says what is wrong with the disk
                    self._show(found)

    def result(self, patience: float) -> Baselines:
        """The models that are done ``patience`` seconds from now; none if the process was never
        started."""
        self._asked.set()
        if self._starting is None:
            return {}
        self._starting.join(patience)
        if self._process is None:
            return {}
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        if self._watching is not None:
            self._watching.join()
        return self._done()

    @property
    def started(self) -> bool:
        return self._starting is not None

    @property
    def works(self) -> bool:
        """Whether a model is still to come."""
        starts = self._starting is not None and self._starting.is_alive()
        return starts or (self._process is not None and self._process.poll() is None)

    @property
    def failure(self) -> str:
        """Why the process has ended before all models were fitted; "" if it has not."""
        code = None if self._process is None else self._process.poll()
        if not code:
            return ""
        said = _written(self._errors).strip().splitlines()
        why = ", ".join([f"exit code {code}", *said[-1:]])
        return f"the quick models beside the search have failed: {why}"

    def _done(self) -> Baselines:
        lines = _written(self._found).splitlines(keepends=True)
        fitted = dict(json.loads(line) for line in lines if line.endswith("\n"))
        first, *_ = MODELS[self._folds[0].task]  # needs no fit, and is thus never late
        return {first: guess(self._folds)[1], **fitted}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._asked.set()
        if self._starting is not None:
            self._starting.join()
        if self._watching is not None:
            self._watching.join()
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._arrays is not None:
            self._arrays.unlink(missing_ok=True)
        self._found.close()
        self._errors.close()


def _written(file: IO[bytes]) -> str:
    """What another process has written to ``file`` so far."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")
