"""A user's function in a process that has only what was sent to it."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

from pipelines.cluster.machines import Cluster
from pipelines.tuner.worker.sent_code import SentFunction, sendable
from tests.pipelines.running import study
from trainables.networks import NETWORKS

ROOT = Path(__file__).parents[4]
HARD = """
import os
import threading
import torch
import {helper}

torch.backends.cudnn.benchmark = True
LOCK = threading.Lock()
FILE = open(os.devnull)


def train():
    with LOCK:
        torch.backends.cudnn.deterministic = True
        return {helper}.NUMBER, torch.backends.cudnn.benchmark, __file__


def make(lock):
    def inner():
        return lock
    return inner
"""
READ = """
from pathlib import Path

TEXT = Path("only_here.txt").read_text()


def train():
    return TEXT
"""
CALLED = """
def train(size):
    return size


class Train:
    def __init__(self, size):
        self.size = size

    def __call__(self):
        return train(self.size)
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module name that no other test uses."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])  # what is sent here adds a finder
    helper = f"helper_{tmp_path.name}"
    (tmp_path / f"{helper}.py").write_text("NUMBER = 7\n")
    (tmp_path / f"hard_{tmp_path.name}.py").write_text(HARD.format(helper=helper))
    (tmp_path / f"read_{tmp_path.name}.py").write_text(READ)
    (tmp_path / "only_here.txt").write_text("here")
    yield tmp_path
    for name in [n for n in sys.modules if n.endswith(tmp_path.name)]:
        del sys.modules[name]


def call_elsewhere(function: Any, folder: Path) -> str:
    """The result of the function in a process that does not have its module."""
    sent = folder / "sent.pickle"
    sent.write_bytes(cloudpickle.dumps(function))
    for path in [*folder.glob("*.py"), *folder.glob("*.txt")]:
        path.unlink()
    code = f"import pickle; print(pickle.loads(open({str(sent)!r}, 'rb').read())())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_a_module_with_locks_files_and_settings_is_run_again(modules: Path) -> None:
    module = importlib.import_module(f"hard_{modules.name}")
    shown = call_elsewhere(sendable(module.train), modules)
    assert shown == f"(7, True, '{modules / module.__name__}.py')"


def test_a_module_that_cannot_be_run_elsewhere_goes_by_value(modules: Path) -> None:
    module = importlib.import_module(f"read_{modules.name}")
    assert call_elsewhere(sendable(module.train), modules) == "here"


def test_a_partial_and_an_object_that_is_called_go_by_value(modules: Path) -> None:
    helper = modules / f"called_{modules.name}.py"
    helper.write_text(CALLED)
    module = importlib.import_module(helper.stem)
    both = sendable(partial(module.train, size=5)), sendable(module.Train(6))
    sent = [cloudpickle.dumps(function) for function in both]
    del sys.modules[helper.stem]
    helper.unlink()
    assert [pickle.loads(function)() for function in sent] == [5, 6]


def test_an_edited_module_is_run_anew(modules: Path) -> None:
    """In a notebook, a process of the search before still has the old module."""
    name = f"helper_{modules.name}"
    path = modules / f"{name}.py"
    texts = ["def number():\n    return 1\n", "def number():\n    return 2\n# longer\n"]
    sent = []
    for text in texts:
        path.write_text(text)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        module = importlib.import_module(name)
        sent.append(cloudpickle.dumps(SentFunction(module.number)))
    assert [pickle.loads(function)() for function in sent] == [1, 2]


def test_what_can_be_sent_in_no_way_is_refused(modules: Path) -> None:
    module = importlib.import_module(f"hard_{modules.name}")
    with pytest.raises(ValueError, match=r"`trainable` make.<locals>.inner cannot be sent to a w"):
        sendable(module.make(threading.Lock()))


def test_a_script_beside_the_module_is_not_run_elsewhere(modules: Path) -> None:
    script = modules / "script.py"
    script.write_text(
        f"import sys, pickle, hard_{modules.name} as hard\n"
        "from pipelines.tuner.worker.sent_code import SentFunction\n"
        "print('run')\n"
        "sources = SentFunction(hard.train).__reduce__()[1][2]\n"
        "print(sorted(sources))\n"
    )
    known = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=known, check=True
    )
    names = [f"hard_{modules.name}", f"helper_{modules.name}"]
    assert done.stdout.splitlines() == ["run", str(names)]


def reads_and_goes_away(config: Any, data: Any, **_: Any) -> Iterator[Any]:
    found = float(Path("only_here.txt").read_text())
    os.chdir("/")
    yield {"val_loss": found}, None


def test_each_trial_works_where_the_search_was_started(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("only_here.txt").write_text("0.5")
    trials = study(cluster, tmp_path / "run", reads_and_goes_away, max_concurrent=1).trials
    assert [(t.value, t.error) for t in trials] == [(0.5, "")] * 6


def test_our_own_networks_are_everywhere() -> None:
    assert sendable(NETWORKS["mlp"]) is NETWORKS["mlp"]
