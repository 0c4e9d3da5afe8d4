"""What happens if a trial fails or its checkpoint cannot be written. No trial runs."""

from __future__ import annotations

import errno
import logging
import math
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import tune
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError
from ray.tune.experiment import Trial

import pipelines.record.patience as waiting
import pipelines.tuner.worker.trial as training
import trainables.device.reused as reused
from pipelines.cluster.machines import Cluster
from pipelines.cluster.word import leave_word, take_word
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.table import trials_table
from pipelines.record.trials import State
from pipelines.record.writing import Record
from pipelines.tuner import deaths
from pipelines.tuner.adapters.callback import Machines, StudyCallback
from pipelines.tuner.adapters.searcher import StudySearcher
from pipelines.tuner.attempts import Attempt, AttemptError, Cause, pack
from pipelines.tuner.checkpoints import Checkpoints
from pipelines.tuner.epoch_reports import report
from pipelines.tuner.kept import KeptStates
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.reports import Report, Rules
from pipelines.tuner.sampling.algorithms import make_sampler
from pipelines.tuner.sampling.samplers import Problem
from pipelines.tuner.sources import SampledTrials
from pipelines.tuner.trial_settings import TrialSettings
from pipelines.tuner.worker.printed import Printed
from pipelines.tuner.worker.raising import in_words
from pipelines.tuner.worker.trial import StudyTrial
from tests.pipelines.running import SPACE, Witness, data

NO_MEMORY = "1 worker(s) were killed due to the node running low on memory."
FULL = "its checkpoint cannot be written: /runs/x: No space left on device"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials run in the process of the test, which stays as it is."""
    monkeypatch.setattr(training, "assigned_gpus", lambda: 0.0)
    monkeypatch.setattr(training, "claim_device", lambda gpus: "cpu")
    monkeypatch.setattr(training, "set_threads", lambda cpus: None)
    process = SimpleNamespace(begin=lambda seed: None)
    monkeypatch.setattr(reused, "ReusedProcess", lambda share: process)


def made(trainable: Any) -> StudyTrial:
    """A trial in this process."""
    settings = TrialSettings(
        trainable, "val_loss", 9, 1.0, "/runs", "key", decides=lambda config, epoch: False
    )
    trial = StudyTrial.__new__(StudyTrial)
    trial.setup(pack({"x": 0.5}, Attempt("a")), settings, data())
    return trial


@pytest.mark.usefixtures("alone")
def test_a_checkpoint_that_cannot_be_written_is_no_fault_of_the_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(trial: tune.Trainable, folder: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/runs/x")

    monkeypatch.setattr(waiting, "PATIENCE", -1.0)
    monkeypatch.setattr(tune.Trainable, "save", full)
    with pytest.raises(AttemptError) as caught:
        made(lambda *_, **__: iter(())).save("/runs/x")
    assert (caught.value.cause, caught.value.error) == (Cause.STORAGE, FULL)


@pytest.mark.usefixtures("alone")
def test_a_trial_that_waits_for_its_storage_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = [OSError(errno.ENOSPC, "No space left on device")]

    def full_once(trial: tune.Trainable, folder: str) -> str:
        if refused:
            raise refused.pop()
        return "saved"

    said: list[tuple[str, str]] = []
    monkeypatch.setattr(waiting, "_PAUSE", 0.0)
    monkeypatch.setattr(tune.Trainable, "save", full_once)
    monkeypatch.setattr(training, "leave_word", lambda key, text: said.append((key, text)))
    assert made(lambda *_, **__: iter(())).save("x") == "saved"
    assert said == [("key", "trial a saves: /runs: No space left on device")]


@pytest.mark.usefixtures("alone")
def test_a_storage_that_is_full_leaves_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt to save would leave a copy of the checkpoint."""
    folders: list[Path] = []

    def full_twice(trial: tune.Trainable, folder: str, *_: object) -> str:
        folders.append(Path(folder))
        assert list(folders[-1].iterdir())  # the checkpoint
        if len(folders) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return "saved"

    monkeypatch.setattr(waiting, "_PAUSE", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tune.Trainable, "_report_class_trainable_checkpoint", full_twice)
    monkeypatch.setattr(training, "leave_word", lambda key, text: None)
    assert made(lambda *_, **__: iter(())).save() == "saved"
    assert [folder.parent for folder in folders] == [tmp_path] * 3
    assert not list(tmp_path.iterdir())


def test_what_trials_wait_for_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = "trial a saves: /runs: No space left on device"
    words = ["trial b saves: and has saved since", "", waits, ""]
    search = Failing(tmp_path, ValueError("no"), beside=True, words=lambda: words.pop(0))
    now = time.monotonic()
    search.ledger.start(Attempt("c"), {"x": 0.5})
    for seconds in (2, 4):
        monkeypatch.setattr(time, "monotonic", lambda at=now + seconds: at)
        search.callback.on_step_begin(0, [])
    assert not search.witness.waits  # nobody saves
    search.ledger.report("c", Report(1, 0.5, {"val_loss": 0.5}, has_weights=True))
    for seconds in (6, 8):
        monkeypatch.setattr(time, "monotonic", lambda at=now + seconds: at)
        search.callback.on_step_begin(0, [])
    assert search.witness.waits == [waits]


def test_that_no_trial_runs_is_shown_once_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Failing(tmp_path, ValueError("no"), beside=True, why_idle=lambda: "for a node")
    now = time.monotonic()
    trial: Any = SimpleNamespace(
        trial_id="b", temporary_state=SimpleNamespace(ray_actor=None), status=Trial.RUNNING
    )

    def shown_after(seconds: float) -> int:
        monkeypatch.setattr(time, "monotonic", lambda: now + seconds)
        search.callback.on_step_begin(0, [trial])
        return len(search.witness.waits)

    assert shown_after(100) == 0
    trial.status = Trial.ERROR
    assert shown_after(140) == 0  # however long ago it was seen to run
    assert shown_after(169) == 0
    assert shown_after(171) == 1
    assert shown_after(250) == 1
    trial.status = Trial.RUNNING
    assert shown_after(252) == 1
    trial.status = Trial.PENDING
    assert shown_after(254) == 1
    assert shown_after(285) == 2
    assert search.witness.waits == ["for a node"] * 2


def test_a_trial_is_heard_again_before_it_is_killed_where_the_driver_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Failing(tmp_path, ValueError("no"), beside=True)
    killed: list[str] = []
    away: list[float] = []
    monkeypatch.setattr(ray, "kill", killed.append)
    now = time.monotonic()
    monkeypatch.setattr(search.ledger, "is_hung", lambda trial_id: True)
    monkeypatch.setattr(search.ledger, "was_away", away.append)
    trial: Any = SimpleNamespace(
        trial_id="b",
        config=pack({"x": 0.5}, Attempt("b")),
        placement_group_factory=SimpleNamespace(required_resources={}),
        temporary_state=SimpleNamespace(ray_actor="its process"),
        status=Trial.RUNNING,
    )
    search.callback.on_trial_start(0, [], trial)
    for seconds in (100.0, 100.9):
        monkeypatch.setattr(time, "monotonic", lambda at=now + seconds: at)
        search.callback.on_step_begin(0, [trial])
        assert (killed, len(away)) == ([], 1)
    monkeypatch.setattr(time, "monotonic", lambda: now + 101.8)
    search.callback.on_step_begin(0, [trial])
    assert killed == ["its process"]
    monkeypatch.setattr(time, "monotonic", lambda: now + 200.0)
    result: Any = {"has_weights": False, "has_state": False, "finished": False, "notice": False}
    found = report({"val_loss": 0.5}, 1, TrialSettings(iter, "val_loss", 9, 1.0, "/runs", "key"))
    search.callback._report("b", result, found, None)
    assert away[1:] == [pytest.approx(98.2)]  # its last epoch did not take that long
    search.callback.on_step_begin(0, [trial])
    assert len(killed) == 1


def test_words_of_a_worker_reach_the_driver_once(cluster: Cluster) -> None:
    ray.get(ray.remote(num_cpus=0)(leave_word).remote("key of a test", "it waits"))
    assert [take_word("key of a test") for _ in range(2)] == ["it waits", ""]


def test_a_process_that_ray_ends_for_its_memory_is_no_more_than_one_that_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[Exception] = []
    monkeypatch.setattr(deaths, "_handle", lambda manager, task, error: heard.append(error))
    known = RayTaskError("step", "trace", ValueError("no"))
    for error in (OutOfMemoryError(NO_MEMORY), known):
        RayActorManager._actor_task_failed(None, None, error)
    assert isinstance(heard[0], RayActorError)
    assert NO_MEMORY in str(heard[0])
    assert heard[1] is known


class Failing:
    """A search of several trials; the first one ends with an error."""

    def __init__(
        self,
        folder: Path,
        error: Exception,
        *,
        beside: bool,
        words: Callable[[], str] = lambda: "",
        why_idle: Callable[[], str] = lambda: "",
    ) -> None:
        sampler = make_sampler("random", Problem(SPACE, "min", max_trials=9), worst=0.0)
        self.searcher = StudySearcher(SampledTrials(sampler, 9, seed=0), lambda: 4)
        self.ledger = TrialLedger(Rules("val_loss", trials=9))
        self.witness = Witness()
        files, goals = RunFiles(folder), Goals((Aim("val_loss", "min"),))
        self.record = Record(files, files.journal, SPACE, goals)
        callback = self.callback = StudyCallback(
            self.ledger,
            record=self.record,
            tell=lambda trial: None,
            observer=self.witness,
            searcher=self.searcher,
            live=None,  # type: ignore[arg-type]
            checkpoints=Checkpoints(str(folder), KeptStates(str(folder))),
            machines=Machines(words=words, why_idle=why_idle),
        )
        for name in "ab" if beside else "a":
            self.searcher.suggest(name)
        trial: Any = SimpleNamespace(
            trial_id="a",
            config=pack({"x": 0.5}, Attempt("a", out_of_memory=1)),
            placement_group_factory=SimpleNamespace(required_resources={}),
            temporary_state=SimpleNamespace(error=error),
        )
        callback.on_trial_start(0, [], trial)
        self.searcher.on_trial_complete("a", error=True)  # as Ray does, before
        callback.on_trial_error(0, [], trial)


def test_a_machine_that_is_short_of_memory_is_tried_with_fewer_until_one_is_alone(
    tmp_path: Path,
) -> None:
    error = RayActorError(error_msg=NO_MEMORY)
    several = Failing(tmp_path, error, beside=True)
    assert (several.witness.again, several.record.trials) == ([(Cause.NO_MEMORY, 0)], [])
    alone = Failing(tmp_path, error, beside=False)
    (trial,) = alone.record.trials
    assert (alone.witness.again, trial.state, trial.out_of_memory) == ([], State.FAIL, 1)
    assert several.searcher.slots == alone.searcher.slots == 1


def test_a_trial_whose_checkpoint_cannot_be_written_ends_the_search(tmp_path: Path) -> None:
    error = RayTaskError("save", "trace", AttemptError(Cause.STORAGE, FULL))
    full = Failing(tmp_path, error, beside=True)
    (trial,) = full.record.trials
    assert (trial.state, trial.stopped_by, trial.error) == (State.PRUNED, "storage", FULL)
    assert (full.ledger.reason, full.witness.again, full.searcher.slots) == ("storage", [], 4)


def test_an_error_with_half_of_a_character_is_written_all_the_same(tmp_path: Path) -> None:
    """As with a file whose name is not valid text."""
    with pytest.raises(AttemptError) as caught, in_words(Printed()):
        raise ValueError("caf\udce9.csv is no table")
    (trial,) = Failing(tmp_path, caught.value, beside=False).record.trials
    assert trial.error.startswith("ValueError: caf\\udce9.csv is no table")
    assert list(trials_table([trial])["error"]) == [trial.error]


def raised_by(trainable: Any) -> AttemptError:
    with pytest.raises(AttemptError) as caught:
        made(trainable).step()
    return caught.value


YIELDS = "the trainable must yield a dict of metrics and the model (or None) after each epoch"


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, f"{YIELDS}, but it returned None: it needs a `yield`"),
        (0.9, f"{YIELDS}, but it returned 0.9, a float: it needs a `yield`"),
        (iter([None]), f"{YIELDS}, but it yielded None"),
        (iter([{"val_loss": 1.0}]), f"{YIELDS}, but it yielded {{'val_loss': 1.0}}, a dict"),
        (iter([(1.0, None)]), f"{YIELDS}, but it yielded (1.0, None), a tuple"),
        (iter([({"val_loss": 1.0}, "mlp")]), f"{YIELDS}, but its model is 'mlp', a str"),
        (
            iter([({"val_loss": 1.0, "note": "text"}, None)]),
            "the trainable must yield numbers, but its metric 'note' is 'text', a str",
        ),
        (
            iter([({"val_loss": "0.7"}, None)]),
            "the trainable must yield numbers, but its metric 'val_loss' is '0.7', a str",
        ),
        (
            iter([({"val_loss": None}, None)]),
            "the trainable must yield numbers, but its metric 'val_loss' is None",
        ),
    ],
)
def test_what_is_no_trainable_is_told_what_is_one(returned: Any, words: str) -> None:
    assert raised_by(lambda *_, **__: returned).error == f"TypeError: {words}"


@pytest.mark.usefixtures("alone")
def test_the_epochs_before_an_error_are_recorded_and_nothing_follows_from_them(
    tmp_path: Path,
) -> None:
    def fails(config: Any, data: Any, **_: Any) -> Iterator[Any]:
        yield {"val_loss": 0.5, "extra": 1}, None
        yield {"val_loss": 0.3}, None
        raise ValueError("no luck")

    error = RayTaskError("step", "trace", pickle.loads(pickle.dumps(raised_by(fails))))
    failed = Failing(tmp_path, error, beside=False)
    (found,) = failed.record.trials
    assert (found.state, found.curve) == (State.FAIL, {1: 0.5, 2: 0.3})
    assert (found.value, found.best_epoch, found.curves["extra"]) == (0.3, 2, (1.0, None))
    assert failed.ledger.incumbent is None
    assert failed.witness.bests == []


@pytest.mark.usefixtures("alone")
def test_ray_says_nothing_of_each_checkpoint() -> None:
    """If the user has started Ray, it would print that to them."""
    log = logging.getLogger("ray.train._internal.storage")
    logging.getLogger("ray.train").setLevel(logging.INFO)
    made(lambda *_, **__: iter(()))
    assert not log.isEnabledFor(logging.INFO)


def test_an_epoch_is_what_is_yielded_once_whatever_it_is_called() -> None:
    settings = TrialSettings(iter, "val_loss", 3, 1.0, "/runs", "key")
    found = report({"val_loss": 1.0, "epoch": 100}, 1, settings)
    assert (found.epoch, found.metrics) == (1, {"val_loss": 1.0})


def test_a_truth_value_is_a_number_because_the_record_cannot_be_read_with_another() -> None:
    settings = TrialSettings(iter, "val_accuracy", 3, 1.0, "/runs", "key")
    found = report({"val_accuracy": True, "solved": False}, 1, settings)
    assert (found.value, found.metrics) == (1, {"val_accuracy": 1, "solved": 0})
    assert not any(isinstance(v, bool) for v in (found.value, *found.metrics.values()))


def test_another_objective_that_is_not_yielded_is_named() -> None:
    settings = TrialSettings(iter, "val_loss", 3, 1.0, "/runs", "key", also=("val_mae",))
    missing = "no 'val_mae', but `also` or `require` asks for it: it yields val_loss"
    with pytest.raises(ValueError, match=missing):
        report({"val_loss": 1.0}, 1, settings)
    assert report({"val_loss": 1.0, "diverged": True}, 1, settings).diverged
    assert report({"val_loss": 1.0, "val_mae": math.inf}, 1, settings).diverged
