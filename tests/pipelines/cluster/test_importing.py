"""Imports without the garbage collector."""

from __future__ import annotations

import gc
import sys

import pytest

from pipelines.cluster.importing import importing


def test_the_collector_and_the_threads_turns_are_as_before_afterwards() -> None:
    interval = sys.getswitchinterval()
    with importing():
        assert not gc.isenabled()
        assert sys.getswitchinterval() < interval
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
    assert sys.getswitchinterval() == interval
