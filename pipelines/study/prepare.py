"""Makes a study from settings: its data, its trainable and its space. Nothing is started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pipelines.study.beforehand.tests_first import AfterTests, run_tests_first
from pipelines.study.folders import check_no_run_in, new_run_folder, resolve_storage
from pipelines.study.narrowing import (
    allowed_configs,
    bound_parameters,
    check_order,
    check_sizes,
    for_data,
    narrow,
    try_forbid,
)
from pipelines.study.objectives import (
    check_names,
    check_objectives,
    check_possible,
    check_reachable,
    check_seconds,
)
from pipelines.study.references import (
    check_trainable,
    import_space,
    import_trainable,
    reference_of,
)
from pipelines.study.runs import Run, open_run, recorded_space
from pipelines.study.seeding import history_of, load_configs, other_data
from pipelines.study.spec import ProblemSettings, StudySpec
from pipelines.study.study import Study
from pipelines.study.zoom import zoom, zoom_lines
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.scheduling.schedulers import check_scheduler
from search_spaces import SPACES, Choice, Config, SearchSpace
from trainables.data.datasets import (
    TestData,
    TrialData,
    load,
    load_folds,
    load_test,
    with_balanced_classes,
)
from trainables.networks import NETWORKS, Network
from trainables.training.metrics import METRICS, metrics_of
from trainables.training.trainable import Trainable

_SAMPLES = 20


def prepare(
    spec: StudySpec, *, trainable: Trainable | None = None, space: SearchSpace | None = None
) -> Study:
    """A study that is ready to run: see :func:`resolve`. Its run has a name and a folder.

    Raises:
        ValueError: if something does not exist or does not fit together. Nothing is written.
    """
    storage = None if spec.run.storage is None else resolve_storage(spec.run.storage)
    study = resolve(spec, trainable=trainable, space=space)
    name = study.spec.problem.name.rpartition(":")[2]
    label = f"{study.data.name}-{name}-{spec.search.algo}"
    folder = new_run_folder(spec.run.runs_dir, spec.run.name, label)
    if storage is not None:
        check_no_run_in(storage, folder.name)
    study = replace(study, spec=study.spec.but(run={"name": folder.name, "storage": storage}))
    _ = study.trial_trainable  # raises if it cannot be sent
    return study


def resolve(
    spec: StudySpec, *, trainable: Trainable | None = None, space: SearchSpace | None = None
) -> Study:
    """Load the data and find the model and its space. The run has no folder yet.

    ``trainable`` and ``space`` are the user's own objects, if they need not be imported as ``spec``
    says.

    Raises:
        ValueError: if something does not exist or does not fit together.
    """
    if trainable is not None:
        check_trainable(trainable, reference_of(trainable))
        spec = spec.but(problem={"trainable": reference_of(trainable)})
    elif spec.problem.trainable:
        trainable = import_trainable(spec.problem.trainable)
    zoomed = None if spec.space.zoom_from is None else open_run(spec.space.zoom_from)
    if space is None:
        space = _find_space(spec, zoomed)
    folds = load_problem(spec)
    data = folds[0]
    metric = _resolve_metric(spec.problem, data)
    spec = spec.but(problem={"metric": metric})
    goals = spec.problem.goals
    check_objectives(metric, spec.problem.also, spec.search.algo)  # the metric may be the default
    check_seconds(goals, spec.stopping.scheduler)
    if spec.problem.trainable is None:
        check_names(goals, data)
        check_possible(goals, spec.budget.target_value)
    notes: list[str] = []
    if zoomed is not None:
        space, lines = _zoom_in(zoomed, spec, space, data)
        notes += lines
    network = None if trainable is not None else network_of(spec)
    space = _as_set(spec, space, network, data)
    check_algorithm(spec, space)
    given = spec.space.start_with
    start_with = () if given is None else load_configs(given, space)
    tested = AfterTests(space, start_with)
    if network is not None and (spec.space.batch_size_test or spec.space.lr_range_test):
        tested = run_tests_first(spec, space, network, data, start_with)
        notes += tested.notes
    history, lines = history_of(spec, tested.space, network, data)
    notes += lines
    if len(folds) > 1:
        notes.append(f"folds     {len(folds)}: each sample of train and validation validates once")
    trained = trainable if network is None else network
    assert trained is not None  # one of the two is set
    check_scheduler(spec.stopping.scheduler, spec.search.algo, trained, tested.space)
    return Study(
        spec=spec,
        space=tested.space,
        trainable=trained,
        folds=folds,
        history=history,
        start_with=tested.start_with,
        lr_bounds=tested.lr_bounds,
        lr_tests=tested.lr_tests,
        notes=tuple(notes),
    )


def _zoom_in(
    run: Run, spec: StudySpec, space: SearchSpace, data: TrialData
) -> tuple[SearchSpace, list[str]]:
    """The space of ``run`` around its best trials, and lines that say so. ``space`` has the
    function that forbids configs."""
    _check_same_search(run, spec.problem)
    metric = METRICS[spec.problem.goals.first.name]
    zoomed, changes = zoom(replace(run.space, forbid=space.forbid), run.finished, metric)
    lines = [f"zoom      from {spec.space.zoom_from}", *zoom_lines(changes)]
    return zoomed, [*lines, *other_data(run, data.fingerprint, spec.split_seed)]


def _as_set(
    spec: StudySpec, space: SearchSpace, network: Network | None, data: TrialData
) -> SearchSpace:
    """The space after all settings are applied.

    Raises ``ValueError`` if the settings, the network or the data do not fit the space.
    """
    settings, seed = spec.space, spec.search.seed
    if network is not None:
        for name, only in network.without_use(data).items():
            if name in space.domains and settings.fix.get(name, only) != only:
                raise ValueError(
                    f"`fix` {name}={settings.fix[name]}: '{data.name}' has no column for it"
                )
        space = for_data(space, network, data)
    space = narrow(space, settings.fix, settings.range)
    try_forbid(space)
    if not settings.portfolio:
        space = replace(space, try_first=())
    space.resolve_levels(spec.search.levels)  # refuses a name that the space does not have
    if network is None:
        return space
    network.check(data)
    _check_space(network, space)
    if settings.max_parameters:
        check_sizes(space, network, data, settings.max_parameters, seed)
        space = bound_parameters(space, network, data, settings.max_parameters)
    check_reachable(spec.problem.goals, space, network, data, seed)
    return space


def check_algorithm(spec: StudySpec, space: SearchSpace) -> None:
    """Raises ``ValueError`` for a grid with configs to start with, and for a space in which an
    algorithm that draws configs would find none that is allowed."""
    if not ALGORITHMS[spec.search.algo].size:
        allowed_configs(space, np.random.default_rng(spec.search.seed), 1)
    elif spec.space.start_with is not None:  # no trials would be left for a grid's last configs
        raise ValueError(f"`start_with` is for an algorithm that draws: not {spec.search.algo}")


def load_problem(spec: StudySpec) -> tuple[TrialData, ...]:
    """The data that trials receive: one data set, or as many folds as ``spec`` says.

    Raises ``ValueError`` for data that cannot be loaded.
    """
    problem, seed = spec.problem, spec.split_seed
    fraction, target, reading = problem.data_fraction, problem.target, problem.reading
    folds: tuple[TrialData, ...]
    if problem.folds:
        folds = load_folds(
            problem.data,
            problem.folds,
            target=target,
            fraction=fraction,
            seed=seed,
            reading=reading,
        )
    else:
        data = load(problem.data, target=target, fraction=fraction, seed=seed, reading=reading)
        folds = (data,)
    if problem.class_weights is None:
        return folds
    try:
        return tuple(with_balanced_classes(data) for data in folds)
    except ValueError as error:
        raise ValueError(f"`class_weights` {problem.class_weights}: {error}") from None


def load_test_rows(spec: StudySpec) -> TestData:
    """The rows that no trial has seen, encoded and scaled as :func:`load_problem` does without
    folds."""
    problem = spec.problem
    return load_test(
        problem.data, target=problem.target, seed=spec.split_seed, reading=problem.reading
    )


def _find_space(spec: StudySpec, zoomed: Run | None) -> SearchSpace:
    problem = spec.problem
    if problem.space:
        return import_space(problem.space)
    if zoomed is not None:
        return recorded_space(zoomed)
    if problem.trainable:
        raise ValueError(
            f"`trainable` {problem.trainable} needs its `space`: package.module:SPACE, or in "
            "Python also a SearchSpace"
        )
    return SPACES[problem.model]


def _check_same_search(run: Run, problem: ProblemSettings) -> None:
    theirs, folder = run.spec.problem, run.files.folder
    for what, before, now in (
        ("model", theirs.name, problem.name),
        ("metric", theirs.metric, problem.metric),
    ):
        if before != now:
            raise ValueError(f"`zoom_from` {folder} has the {what} {before}, not {now}")


def network_of(spec: StudySpec) -> Network:
    """The network in its precision. If the scheduler compares trials at ends of cycles, cycles end
    at its rungs."""
    return replace(
        NETWORKS[spec.problem.model],
        cycle_ends=spec.cycle_ends,
        precision=spec.resources.precision,
    )


def _resolve_metric(problem: ProblemSettings, data: TrialData) -> str:
    allowed = list(metrics_of(data.task))
    if problem.metric is None:
        return allowed[0]
    if problem.metric not in allowed and problem.trainable is None:
        raise ValueError(
            f"`metric` {problem.metric} does not fit '{data.name}', a {data.task}: "
            f"choose {' or '.join(allowed)}"
        )
    return problem.metric


def _check_space(network: Network, space: SearchSpace) -> None:
    """Raises ``ValueError`` if the network does not take the space. Ranges that cross have their
    own message. Samples show a parameter that the network does not know, and the ends of the ranges
    show a value that it does not allow."""
    check_order(space)
    rng = np.random.default_rng(0)
    for config in (space.sample(rng) for _ in range(_SAMPLES)):
        for tried in (config, *_at_ends(space, config)):
            try:
                network.config.from_dict(tried)
            except ValueError as error:
                raise ValueError(f"the space does not fit the {network.name}: {error}") from None


def _at_ends(space: SearchSpace, config: Config) -> Iterator[Config]:
    """``config`` with each of its numbers at the two ends of its range, one at a time."""
    numbers = (name for name in config if not isinstance(space.domains[name], Choice))
    for name in numbers:
        for end in space.domains[name].levels(2):
            moved = space.active_part({**config, name: end})
            if space.contains(moved):
                yield moved
