"""Any Optuna sampler behind ask and tell, over a study in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import optuna
from optuna.trial import FrozenTrial, create_trial
from threadpoolctl import ThreadpoolController

from pipelines.record.journal import DIRECTIONS, STATES, distribution
from pipelines.record.trials import FinishedTrial, State
from search_spaces import Config, Float, Int, SearchSpace, Value
from search_spaces.domains import Domain
from trainables.training.metrics import Mode


def as_optuna(trial: FinishedTrial, space: SearchSpace) -> FrozenTrial:
    """A finished trial as a sampler of Optuna is told of it."""
    return create_trial(
        state=STATES[trial.state],
        value=trial.value if trial.state is State.COMPLETE else None,
        params=dict(trial.config),
        distributions={name: distribution(space.domains[name]) for name in trial.config},
        intermediate_values=dict(trial.curve),
    )


class OptunaSampler:
    """Asks ``sampler`` for each active parameter in turn (define by run), so an inactive one never
    reaches Optuna.

    With ``knows_pruned`` a trial that was stopped is told as PRUNED with its value per epoch: as
    COMPLETE the value of a few epochs would count like that of a whole training. A sampler that
    would leave PRUNED trials out altogether is told the best value that they reached; for one that
    diverged that is just below every sound trial's, so far.
    """

    def __init__(
        self,
        space: SearchSpace,
        mode: Mode,
        sampler: optuna.samplers.BaseSampler,
        history: Iterable[FinishedTrial] = (),
        *,
        knows_pruned: bool = True,
    ) -> None:
        self._space = space
        self._mode = mode
        self._knows_pruned = knows_pruned
        self._study = optuna.create_study(sampler=sampler, direction=DIRECTIONS[mode])
        self._pending: dict[str, optuna.Trial] = {}
        self._threads = ThreadpoolController()
        known = [trial for trial in history if space.contains(trial.config)]
        self._sound_values = [t.value for t in known if t.value is not None and not t.diverged]
        learned = [self._as_learned(trial) for trial in known]
        self._study.add_trials([as_optuna(trial, space) for trial in learned])
        self._penalised = [
            number
            for number, (trial, told) in enumerate(zip(known, learned, strict=True))
            if trial.diverged and told.state is State.COMPLETE
        ]

    def ask(self, trial_id: str, given: Config | None = None) -> Config | None:
        if given is not None:
            self._study.enqueue_trial(given)
        trial = self._study.ask()
        self._pending[trial_id] = trial
        with self._threads.limit(limits=1):  # of small matrices they would wait for each other
            return self._space.walk(lambda name, domain: _suggest(trial, name, domain))

    def tell(self, trial: FinishedTrial) -> None:
        pending = self._pending.pop(trial.trial_id)
        if trial.value is not None and not trial.diverged:
            self._sound_values.append(trial.value)
        learned = self._as_learned(trial)
        for epoch, value in learned.curve.items():
            pending.report(value, epoch)
        self._study.tell(
            pending,
            values=learned.value if learned.state is State.COMPLETE else None,
            state=STATES[learned.state],
        )
        if trial.diverged and learned.state is State.COMPLETE:
            self._penalised.append(pending.number)
        self._keep_diverged_last()

    def _keep_diverged_last(self) -> None:
        """A sound trial may be worse than what the diverged ones were told: left at that they would
        look better than it, and differ among themselves."""
        trials = self._study.get_trials(deepcopy=False)  # the study's own: it is in memory
        for number in self._penalised:
            trials[number].value = self._below_sound(trials[number].value)

    def _as_learned(self, trial: FinishedTrial) -> FinishedTrial:
        """What the sampler is told of a trial."""
        if trial.state is State.FAIL or trial.value is None:
            return replace(trial, state=State.FAIL)
        if self._knows_pruned:
            # TPE ranks pruned trials by how far they came. One that diverged must be last, however
            # late it did, so it is told at step 0.
            return replace(trial, curve={0: trial.value}) if trial.diverged else trial
        value = self._below_sound(trial.value) if trial.diverged else trial.value
        return replace(trial, state=State.COMPLETE, value=value, curve={})

    def _below_sound(self, otherwise: float | None) -> float | None:
        """Just worse than every sound value: a model of values must not see the penalty itself, for
        beside it all others look alike, and one of ranks must see no tie."""
        if not self._sound_values:
            return otherwise
        if self._mode == "min":
            return math.nextafter(max(self._sound_values), math.inf)
        return math.nextafter(min(self._sound_values), -math.inf)


def _suggest(trial: optuna.Trial, name: str, domain: Domain) -> Value:
    if isinstance(domain, Float):
        return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
    if isinstance(domain, Int):
        return trial.suggest_int(name, domain.low, domain.high, log=domain.log)
    value = trial.suggest_categorical(name, domain.options)
    assert value is not None
    return value
