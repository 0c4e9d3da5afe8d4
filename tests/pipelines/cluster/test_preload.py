"""Imports without the garbage collector."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from pipelines.cluster import preload
from pipelines.cluster.preload import importing


def test_the_collector_and_the_threads_turns_are_as_before_afterwards() -> None:
    interval = sys.getswitchinterval()
    with importing():
        assert not gc.isenabled()
        assert sys.getswitchinterval() < interval
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
    assert sys.getswitchinterval() == interval


def test_a_worker_imports_what_its_environment_names_and_collects_again() -> None:
    names = "import gc, sys, pipelines.cluster.preload; "
    says = "print('wave' in sys.modules, gc.isenabled(), gc.get_freeze_count() > 0)"
    found = subprocess.run(
        [sys.executable, "-c", names + says],
        env={preload.MODULES: "wave,colorsys"},
        capture_output=True,
        text=True,
    )
    assert found.stdout == "True True True\n"
