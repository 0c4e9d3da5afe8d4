"""The quick models of a search: they are fitted while it runs, and its end waits a little."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event

from rich.console import Console

from pipelines.cli.text import format_seconds, print_plain
from pipelines.record.baselines import (
    Baselines,
    read_baselines,
    with_late,
    without_late,
    write_baselines,
)
from pipelines.record.files import RunFiles
from pipelines.study.baseline import LEAST_PATIENCE, PATIENCE, BaselineProcess
from pipelines.study.study import Study
from trainables.baselines import MODELS

_SHORT = 2.0  # seconds; a shorter wait is not announced
_LOOK_EVERY = 0.1  # seconds between two looks at the models


@contextmanager
def quick_models(study: Study, console: Console) -> Iterator[QuickModels]:
    """The quick models of ``study``. Afterwards no process is left.

    Raises ``ValueError`` if the run has a ``baselines.json`` that cannot be read.
    """
    with BaselineProcess(study.folds) as process:
        yield QuickModels(study, process, console)


class QuickModels:
    """The models that ``process`` fits, and those that earlier drivers have fitted."""

    def __init__(self, study: Study, process: BaselineProcess, console: Console) -> None:
        self._task, self._wanted = study.data.task, study.spec.run.baseline
        self._path = RunFiles(study.folder).baselines
        self._found = read_baselines(self._path) if self._path.is_file() else {}
        self._process = process
        self._console = console

    def start(self, *, search_is_over: bool) -> None:
        """Fit those that are missing. A driver that was killed may have fitted some. Those that an
        ended search did not wait for stay as they are."""
        known = self._found if search_is_over else without_late(self._found)
        if self._wanted and len(known) < len(MODELS[self._task]):
            self._process.start(partial(write_baselines, self._path))

    def result(self, search_seconds: float, enough: Event) -> Baselines:
        """All that are done when ``enough`` is set, or after a wait in proportion to the time that
        the search took. They are also written."""
        if not self._process.started:
            return self._found
        patience = max(PATIENCE * search_seconds, LEAST_PATIENCE)
        if self._process.works and patience > _SHORT:
            most, what = format_seconds(patience), "the quick models beside the search"
            print_plain(self._console, f"waiting   at most {most} for {what}")
        done, waited = _wait_for(self._process, patience, enough)
        if self._process.failure:
            print_plain(self._console, f"warning   {self._process.failure}")
        found: Baselines = {**without_late(self._found), **done}
        if self._process.works:
            found = with_late(found, self._task, waited)
        if found:
            write_baselines(self._path, found)
        return found


def _wait_for(process: BaselineProcess, patience: float, enough: Event) -> tuple[Baselines, float]:
    """The models that are done after ``patience`` seconds, or when ``enough`` is set; and how many
    seconds it waited."""
    began = time.monotonic()
    found = process.result(min(_LOOK_EVERY, patience))
    while process.works and not enough.is_set() and time.monotonic() - began < patience:
        found = process.result(_LOOK_EVERY)
    return found, time.monotonic() - began
