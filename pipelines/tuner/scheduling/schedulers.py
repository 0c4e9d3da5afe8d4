"""When to stop a trial. Each scheduler is a recipe: a function from the rules to Ray's scheduler.

To add one, write the function and enter it in ``SCHEDULERS`` with its properties. The choices of
the command line, the plan, the check of what it can work with, and the reports are derived from
that dictionary.

Of a scheduler that neither pauses nor changes trials, only ``on_trial_add``, ``on_trial_result``
and ``on_trial_error`` are called, without a controller. A result has the metric and the epoch
(``TIME_ATTR``); the answer is CONTINUE or STOP.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.tuner.attempts import unpack
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.scheduling.exploring import explorer
from search_spaces import Config, SearchSpace
from trainables.training.metrics import Mode
from trainables.training.schedules import POLICIES

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

TIME_ATTR = "epoch"  # not Ray's training_iteration, which restarts with each attempt


@dataclass(frozen=True)
class StoppingRules:
    """The input of a recipe."""

    metric: str
    mode: Mode
    max_epochs: int
    grace_period: int = 1
    reduction_factor: float = 3
    space: SearchSpace | None = None  # for a scheduler that changes configs
    seed: int = 0


def no_rungs(max_epochs: int, grace_period: int, reduction_factor: float) -> tuple[int, ...]:
    """For a scheduler that compares trials at no fixed epochs."""
    return ()


def every_epoch(rules: StoppingRules, config: Config, epoch: int) -> bool:
    """For a scheduler that may decide after any epoch."""
    return True


def at_rungs(rules: StoppingRules, config: Config, epoch: int) -> bool:
    """For ASHA."""
    return epoch in rungs(rules.max_epochs, rules.grace_period, rules.reduction_factor)


def at_cycle_ends(rules: StoppingRules, config: Config, epoch: int) -> bool:
    """For ASHA that waits for ends of cycles."""
    return epoch >= rules.grace_period and ends_cycle(config, epoch)


def never(rules: StoppingRules, config: Config, epoch: int) -> bool:
    """For the scheduler ``none``."""
    return False


@dataclass(frozen=True)
class Scheduler:
    """A recipe, and what other modules must know about it.

    ``rungs`` gives the epochs at which the scheduler compares trials, from the longest training,
    the grace period and the reduction factor. ``decides`` says whether the scheduler decides after
    an epoch of a trial with this config. Between two such epochs, a trial need not ask. ``ignores``
    names the rules that have no effect on it.
    """

    make: Callable[[StoppingRules], TrialScheduler]
    plan: Callable[[StoppingRules], str]  # a short description of what it does
    rungs: Callable[[int, int, float], tuple[int, ...]] = no_rungs
    decides: Callable[[StoppingRules, Config, int], bool] = every_epoch
    aligns_cycles: bool = False  # a one-cycle policy ends a cycle at each rung
    pauses: bool = False  # its trials must be able to go on from a checkpoint
    changes_configs: bool = False  # during a training; all trials train in turns
    ignores: tuple[str, ...] = ()


def asha(rules: StoppingRules) -> TrialScheduler:
    """Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934, algorithm 2), the stopping
    variant, with rungs at grace_period * reduction_factor^k epochs."""
    from ray.tune.schedulers import AsyncHyperBandScheduler

    return _with_rungs(AsyncHyperBandScheduler, rules)


def _with_rungs(kind: Callable[..., Any], rules: StoppingRules) -> TrialScheduler:
    """Ray's ASHA or a subclass, in which only the highest rung that a trial has reached counts."""
    scheduler: Any = kind(
        time_attr=TIME_ATTR,
        metric=rules.metric,
        mode=rules.mode,
        max_t=rules.max_epochs,
        grace_period=rules.grace_period,
        reduction_factor=_factor(rules.max_epochs, rules.reduction_factor),
    )
    for bracket in scheduler._brackets:
        bracket.on_result = partial(at_highest_rung, bracket)
    made: TrialScheduler = scheduler
    return made


def at_highest_rung(bracket: Any, trial: Any, epoch: int, reward: float) -> str:
    """Whether a trial goes on; decided once per rung. Only the highest rung that the trial has
    reached counts, with the values that other trials had there (Li et al. 2020, algorithm 2).

    Ray's own ``on_result`` does something else if a rung already has the trial: it goes down to a
    rung that the trial has skipped, and compares and records there a value from many epochs later.
    """
    from ray.tune.schedulers import TrialScheduler as Decisions

    reached = (recorded for milestone, recorded in bracket._rungs if epoch >= milestone)
    recorded: dict[str, float] | None = next(reached, None)
    if recorded is None or trial.trial_id in recorded:
        return str(Decisions.CONTINUE)
    cutoff = bracket.cutoff(recorded)
    recorded[trial.trial_id] = reward
    return str(Decisions.STOP if cutoff is not None and reward < cutoff else Decisions.CONTINUE)


def rungs(max_epochs: int, grace_period: int, reduction_factor: float) -> tuple[int, ...]:
    """The epochs at which ASHA compares trials, and the last epoch, in increasing order."""
    factor = _factor(max_epochs, reduction_factor)
    # The same powers as Ray's: a product of many factors is rounded otherwise.
    milestones = (math.ceil(grace_period * factor**k) for k in itertools.count())
    below = itertools.takewhile(lambda epoch: epoch < max_epochs, milestones)
    return tuple(sorted({*below, max_epochs}))


def _factor(max_epochs: int, reduction_factor: float) -> float:
    """The reduction factor, at least 1 + 1 / max_epochs. That makes every epoch a rung already; a
    smaller factor would only put many rungs into one epoch."""
    return max(reduction_factor, 1 + 1 / max_epochs)


def aligned_asha(rules: StoppingRules) -> TrialScheduler:
    """ASHA, but a trial with a cyclical policy is compared at the first end of a cycle at or after
    a rung, because within a cycle a large learning rate hides how good the trial is (Smith 2015,
    section 3.2)."""
    from ray.tune.schedulers import AsyncHyperBandScheduler

    class AtCycleEnds(AsyncHyperBandScheduler):
        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            epoch = result[TIME_ATTR]
            if epoch < rules.max_epochs and not ends_cycle(unpack(trial.config)[0], epoch):
                return str(self.CONTINUE)
            return str(super().on_trial_result(tune_controller, trial, result))

    return _with_rungs(AtCycleEnds, rules)


def ends_cycle(config: Mapping[str, Any], epoch: int) -> bool:
    """Whether a cycle ends with ``epoch``. Always true if the policy has no cycles, or if a user's
    own space does not give their length. (With one_cycle, the cycles themselves end at the
    rungs.)"""
    policy = POLICIES.get(config.get("policy", ""))
    if policy is None or not policy.cycles or "step_size" not in config:
        return True
    cycle: float = 2 * config["step_size"]
    return math.floor(epoch / cycle) > math.floor((epoch - 1) / cycle)


def median(rules: StoppingRules) -> TrialScheduler:
    """The median stopping rule (Golovin et al. 2017, section 3.2.2): a trial goes on only while its
    best value is no worse than the median of the other trials' running means up to the same epoch.
    The means begin at the grace period, and there must be three."""
    from ray.tune.schedulers import MedianStoppingRule

    return MedianStoppingRule(
        time_attr=TIME_ATTR,
        metric=rules.metric,
        mode=rules.mode,
        grace_period=rules.grace_period,
        min_samples_required=3,
        min_time_slice=math.inf,  # otherwise it pauses trials until others have reported
    )


def none(rules: StoppingRules) -> TrialScheduler:
    """Every trial trains for all its epochs, unless it diverges."""
    from ray.tune.schedulers import FIFOScheduler

    return FIFOScheduler()


def hyperband(rules: StoppingRules) -> TrialScheduler:
    """HyperBand (Li et al. 2018, arXiv 1603.06560, algorithm 1), synchronous. The trials of a
    bracket pause at a rung until all have reached it; then the best 1 in reduction_factor go on.
    The last rung of every bracket is max_epochs. With a model-based algorithm, this is the schedule
    of BOHB (Falkner et al. 2018), the largest bracket first."""
    from pipelines.tuner.scheduling.whole_brackets import WholeBrackets

    return WholeBrackets(
        time_attr=TIME_ATTR,
        metric=rules.metric,
        mode=rules.mode,
        max_t=rules.max_epochs,
        reduction_factor=rules.reduction_factor,
    )


def pbt(rules: StoppingRules) -> TrialScheduler:
    """Population based training (Jaderberg et al. 2017, arXiv 1711.09846). All trials train in
    turns. After the grace period, ten times per training, the worst quarter goes on from the
    checkpoints of the best quarter, with changed learning rate, momentum and weight decay.

    Raises ``ValueError`` for a space that has none of these parameters.
    """
    from pipelines.tuner.scheduling.population import Population

    assert rules.space is not None
    return Population(
        rules.seed,
        time_attr=TIME_ATTR,
        metric=rules.metric,
        mode=rules.mode,
        perturbation_interval=max(1, rules.max_epochs // 10),
        burn_in_period=rules.grace_period,
        custom_explore_fn=explorer(rules.space, rules.seed),
        log_config=False,
    )


def _goes_on(rules: StoppingRules) -> str:
    return f"1 in {rules.reduction_factor:g} goes on"


SCHEDULERS: dict[str, Scheduler] = {
    "asha": Scheduler(
        asha,
        lambda rules: f"asha stopping from epoch {rules.grace_period}, {_goes_on(rules)}",
        rungs,
        at_rungs,
    ),
    "aligned_asha": Scheduler(
        aligned_asha,
        lambda rules: f"asha at ends of cycles from epoch {rules.grace_period}, {_goes_on(rules)}",
        rungs,
        at_cycle_ends,
        aligns_cycles=True,
    ),
    "median": Scheduler(
        median,
        lambda rules: f"median stopping from epoch {rules.grace_period}",
        ignores=("reduction_factor",),
    ),
    "hyperband": Scheduler(
        hyperband,
        lambda rules: f"hyperband pausing at rungs, {_goes_on(rules)}",
        pauses=True,
        ignores=("grace_period",),
    ),
    "pbt": Scheduler(
        pbt,
        lambda rules: f"pbt changing the worst quarter from epoch {rules.grace_period}",
        pauses=True,
        changes_configs=True,
        ignores=("reduction_factor",),
    ),
    "none": Scheduler(
        none,
        lambda rules: "no early stopping",
        decides=never,
        ignores=("grace_period", "reduction_factor"),
    ),
}


def cycle_ends(
    name: str, grace_period: int, reduction_factor: float, max_epochs: int
) -> tuple[int, ...]:
    """The epochs at which the cycles of a training of ``max_epochs`` end; empty if the scheduler
    does not align cycles with its rungs."""
    scheduler = SCHEDULERS[name]
    if not scheduler.aligns_cycles:
        return ()
    return scheduler.rungs(max_epochs, grace_period, reduction_factor)


def check_scheduler(name: str, algo: str, trainable: object, space: SearchSpace) -> None:
    """Raises ``ValueError`` for an algorithm, trainable or space that the scheduler cannot use."""
    scheduler = SCHEDULERS[name]
    if scheduler.pauses and inspect.isgeneratorfunction(trainable):
        raise ValueError(
            f"`scheduler={name}` pauses trials, and a generator cannot be saved: "
            "let the trainable return an iterator with state_dict and load_state_dict"
        )
    if scheduler.changes_configs:
        if ALGORITHMS[algo].learns:
            others = [other for other, algorithm in ALGORITHMS.items() if not algorithm.learns]
            raise ValueError(
                f"`scheduler={name}` changes configs itself: use `algo` {', '.join(others)}, "
                f"not {algo}"
            )
        explorer(space, seed=0)
