"""How to run the search again, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from typing import cast

from pipelines.record.trials import ranked
from pipelines.results.endings import address_of, goes_on, unfinished
from pipelines.results.extras import has_optuna_dashboard
from pipelines.results.findings import Findings
from pipelines.results.page.model import Code, Section, Table, Words
from pipelines.study.references import is_importable
from pipelines.study.runs import Run
from pipelines.study.spec import StudySpec
from pipelines.study.typed import entries, in_python, option_words, shown
from pipelines.study.zoom import LEAST_TOP
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.scheduling.schedulers import SCHEDULERS
from trainables.task import Task
from trainables.training.metrics import metrics_of

# Settings that a new search gets from the trials of this run: its command leaves them out.
_SET_BY_HISTORY = ("seed_from", "start_with", "prior")
_SET_BY_ZOOM = (
    *_SET_BY_HISTORY,
    "zoom_from",
    "fix",
    "range",
    "lr_range_test",
    "batch_size_test",
    "memory",
)


def again(found: Findings) -> Section:
    """Command, study file, seed, versions, data, and what to type next."""
    run, spec = found.run, found.spec
    folder = str(shown(run.files.folder))
    versions = ", ".join(f"{name} {number}" for name, number in run.versions.items())
    facts = [
        ["study file", str(shown(run.files.spec))],
        ["seed", str(spec.search.seed)],
        ["data", f"{run.data.name}, fingerprint {run.data.fingerprint}"],
        ["versions", versions or "not recorded"],
    ]
    if spec.split_seed != spec.search.seed:
        facts.insert(2, ["seed of the split", str(spec.split_seed)])
    if run.algorithm:
        facts.insert(2, ["algorithm", f"{spec.search.algo}: {run.algorithm}"])
    return Section(
        "again",
        "Run it again, or continue",
        [
            Words("The command, with the options that differ from their defaults:"),
            Code(typed("run", *_options(run))),
            Table(["what", "value"], facts),
            Words("Next:"),
            Code("\n".join(_following(found, folder))),
        ],
    )


def _following(found: Findings, folder: str) -> Iterator[str]:
    """The commands to type next. Commands that this run would be refused for are left out."""
    run, spec = found.run, found.spec
    n_sound = len(ranked(found.trials, found.metric))
    runs = goes_on(run) or (run.live is not None and not run.live.is_over)
    if unfinished(run) and not runs and not SCHEDULERS[spec.stopping.scheduler].pauses:
        yield _resumed(run, folder)
    yield typed("report", folder)
    own = spec.problem.trainable
    has_model = own is None or run.files.weights.is_file()  # a user's own function may yield none
    if n_sound and has_model and is_importable(own):
        yield typed("evaluate", folder, *_address(run))
        yield typed("export", folder, "model")
    if n_sound >= LEAST_TOP:
        yield typed("zoom", folder)
    if _can_be_typed(spec):
        yield from _searches(found, folder, n_sound)
    if has_optuna_dashboard():
        yield typed("dashboard", folder, "--optuna")


def how_to_go_on(run: Run, *, paused: bool = False) -> str:
    """How to go on with a search whose driver has ended, in sentences. ``paused`` says whether
    trials were paused then."""
    folder, spec = str(shown(run.files.folder)), run.spec
    scheduler = spec.stopping.scheduler
    if not SCHEDULERS[scheduler].pauses:
        return f"To go on: {_resumed(run, folder)}"
    lost = f"A search with {scheduler} cannot be resumed"
    lost += ": its paused trials are lost." if paused else "."
    if not run.finished or not _can_be_typed(spec):
        return lost
    command = _seeded(run, folder)
    return f"{lost} A new search can learn from the trials that have finished: {command}"


def _resumed(run: Run, folder: str) -> str:
    """The command that goes on with ``run``, or the call in Python if no command can import its
    function."""
    trainable = run.spec.problem.trainable
    if is_importable(trainable):
        return typed("run", "--resume", folder, *_address(run))
    return in_python(run.files.folder, trainable)


def _address(run: Run) -> Iterator[str]:
    """The option with which a command trains on the Ray cluster of ``run``."""
    return option_words({"address": address_of(run)})


def _can_be_typed(spec: StudySpec) -> bool:
    """Whether the command line can start this search. A space that was made in Python is not
    recorded as a name to type, and a function may be one that no command can import."""
    own = spec.problem.trainable
    return own is None or (is_importable(own) and spec.problem.space is not None)


def _seeded(run: Run, folder: str) -> str:
    """The command for a search that learns from the trials of ``run``."""
    return typed("run", *_options(run, but=_SET_BY_HISTORY), "--seed-from", folder)


def _searches(found: Findings, folder: str, n_sound: int) -> Iterator[str]:
    """Other searches of the same problem, on the same data."""
    run, spec = found.run, found.spec
    yield typed("run", "--study", str(shown(run.files.spec)), "--name", "again")
    if n_sound >= LEAST_TOP:
        yield typed("run", *_options(run, but=_SET_BY_ZOOM), "--zoom-from", folder)
    if found.trials:
        yield _seeded(run, folder)
    if run.files.winner.is_file() and not ALGORITHMS[spec.search.algo].size:
        winner = str(shown(run.files.winner))
        yield typed("run", *_options(run, but=("start_with",)), "--start-with", winner)


def typed(name: str, *words: str) -> str:
    """A command as it is typed, in a form that works with and without a copy of the sources."""
    return shlex.join(["python", "-m", f"pipelines.{name}", *words])


def _options(run: Run, *, but: Collection[str] = ()) -> list[str]:
    return options(run.spec, but=(*but, *by_default(run)))


def by_default(run: Run) -> list[str]:
    """The field "metric", if a search of the data of ``run`` takes its metric by default."""
    default = next(iter(metrics_of(cast("Task", run.data.task))))
    return ["metric"] if run.metric == default else []


def options(spec: StudySpec, *, but: Collection[str] = ()) -> list[str]:
    """The options that turn the defaults into ``spec``, without the folder of the run and without
    the fields ``but``."""
    defaults = _settings(StudySpec())
    changed = {
        name: value
        for name, value in _settings(spec).items()
        if value != defaults[name] and name not in but
    }
    return list(option_words(changed))


def setting_values(spec: StudySpec) -> dict[str, str]:
    """Every setting by its name, as text, except the folder of the run."""
    return {
        name: "none" if value is None else ", ".join(entries(name, value)) or "none"
        for name, value in _settings(spec).items()
    }


def _settings(spec: StudySpec) -> dict[str, object]:
    """Every setting by its name, except the folder of the run. No two groups share a name."""
    groups = [getattr(spec, group) for group in StudySpec.model_fields if group != "run"]
    return {name: value for group in groups for name, value in group}
