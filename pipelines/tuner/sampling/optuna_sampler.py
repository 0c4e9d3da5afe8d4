"""Any Optuna sampler behind ask and tell, with a study in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial
from threadpoolctl import ThreadpoolController

from pipelines.record.goals import Goals
from pipelines.record.journal import DIRECTIONS, STATES, distribution
from pipelines.record.trials import FinishedTrial, State
from search_spaces import Config, Float, Int, SearchSpace, Value
from search_spaces.domains import Domain

PENALISED = "penalised"  # a user attribute of Optuna's trials: some values are not their own


class OptunaSampler:
    """Asks ``sampler`` for each active parameter in turn (define by run), so an inactive one never
    reaches Optuna.

    With ``knows_pruned``, a stopped trial is told as PRUNED with its value per epoch: as COMPLETE,
    the value of a few epochs would count like that of a whole training. A sampler that ignores
    PRUNED trials is told the best value that a stopped trial reached. For a diverged trial it is
    told a value just worse than that of every sound trial so far.

    With several objectives, a stopped trial is told with the value that it reached in the first
    objective. In the others it gets values just worse than those of every complete trial: a trial
    must not look quick because it was stopped. Optuna's constraints say how far a trial is from the
    requirements.

    An Int with more than ``most_values`` values is asked for as a Float, and rounded.
    """

    def __init__(
        self,
        space: SearchSpace,
        goals: Goals,
        sampler: optuna.samplers.BaseSampler,
        history: Iterable[FinishedTrial] = (),
        *,
        knows_pruned: bool = True,
        most_values: float = math.inf,
    ) -> None:
        self._space = space
        self._asked: dict[str, Domain] = {
            name: Float(domain.low, domain.high, domain.log)
            if isinstance(domain, Int) and domain.high - domain.low >= most_values
            else domain
            for name, domain in space.domains.items()
        }
        self._goals = goals
        self._knows_pruned = knows_pruned and not goals.several
        directions = [DIRECTIONS[aim.mode] for aim in goals.aims]
        self._study = optuna.create_study(sampler=sampler, directions=directions)
        self._pending: dict[str, optuna.Trial] = {}
        self._threads = ThreadpoolController()
        known = [trial for trial in history if space.contains(trial.config)]
        self._sound_values: list[list[float]] = [[] for _ in goals.aims]
        for trial in known:
            self._note_sound(trial)
        told = [self._as_learned(trial) for trial in known]
        self._study.add_trials(
            [self._as_optuna(t, learned) for t, learned in zip(known, told, strict=True)]
        )
        self._penalised = {
            number: trial
            for number, (trial, learned) in enumerate(zip(known, told, strict=True))
            if learned.penalised
        }

    @property
    def study(self) -> optuna.Study:
        """Optuna's study, in memory."""
        return self._study

    @property
    def sound(self) -> list[FrozenTrial]:
        """The complete trials whose values are their own."""
        complete = self._study.get_trials(False, [TrialState.COMPLETE])
        return [trial for trial in complete if trial.number not in self._penalised]

    def ask(self, trial_id: str, given: Config | None = None) -> Config | None:
        if given is not None:
            self._study.enqueue_trial(given)
        trial = self._study.ask()
        self._pending[trial_id] = trial
        with self._threads.limit(limits=1):  # small matrices: threads would wait for each other
            return self._space.walk(lambda name, domain: self._choose(trial, name, domain))

    def tell(self, trial: FinishedTrial) -> None:
        pending = self._pending.pop(trial.trial_id)
        self._note_sound(trial)
        learned = self._as_learned(trial)
        for epoch, value in learned.curve.items():
            pending.report(value, epoch)
        if learned.state is not State.FAIL:
            for name, violation in self._goals.violations(trial).items():
                pending.set_constraint(name, violation)
        if learned.penalised:
            self._penalised[pending.number] = trial
            pending.set_user_attr(PENALISED, True)
        self._study.tell(pending, values=learned.values, state=STATES[learned.state])
        self._keep_penalised_last()

    def _choose(self, trial: optuna.Trial, name: str, domain: Domain) -> Value:
        value = _suggest(trial, name, self._asked[name])
        if not isinstance(domain, Int):
            return value
        assert not isinstance(value, str)
        return domain.clip(value)

    def _as_optuna(self, trial: FinishedTrial, learned: _Learned) -> FrozenTrial:
        """A trial of the history, as one of Optuna's."""
        return create_trial(
            state=STATES[learned.state],
            values=learned.values,
            params=dict(trial.config),
            distributions={name: distribution(self._asked[name]) for name in trial.config},
            intermediate_values=dict(learned.curve),
            constraints=self._goals.violations(trial),
            user_attrs={PENALISED: True} if learned.penalised else {},
        )

    def _keep_penalised_last(self) -> None:
        """Update the values of penalised trials after each result. Otherwise they could look better
        than a new, worse sound trial, and would differ among themselves."""
        trials = self._study.get_trials(deepcopy=False)  # the study's own: it is in memory
        for number, trial in self._penalised.items():
            trials[number].values = self._values(trial)

    def _as_learned(self, trial: FinishedTrial) -> _Learned:
        """What the sampler is told about a trial."""
        if trial.state is State.FAIL or (trial.value is None and not trial.untrained):
            return _Learned(State.FAIL)
        if not self._knows_pruned:
            penalised = self._is_penalised(trial)
            return _Learned(State.COMPLETE, self._values(trial), penalised=penalised)
        if trial.diverged:
            # TPE ranks pruned trials by the last step that they reached. A diverged trial must be
            # last, however late it diverged, so it is told at step 0.
            assert trial.value is not None
            return _Learned(State.PRUNED, curve={0: trial.value})
        values = self._values(trial) if trial.state is State.COMPLETE else None
        return _Learned(trial.state, values, trial.curve)

    def _is_penalised(self, trial: FinishedTrial) -> bool:
        """Whether some of the values that the sampler is told are not the trial's own."""
        stopped = self._goals.several and trial.state is not State.COMPLETE
        return trial.diverged or trial.value is None or stopped

    def _values(self, trial: FinishedTrial) -> list[float]:
        """The value of each objective that the sampler is told."""
        reached = [trial.value, *self._goals.values(trial)[1:]]
        if trial.diverged:
            own = [False] * len(reached)
        else:
            own = [True] + [trial.state is State.COMPLETE] * (len(reached) - 1)
        return [
            value if keeps and value is not None else self._below_sound(place, value)
            for place, (value, keeps) in enumerate(zip(reached, own, strict=True))
        ]

    def _note_sound(self, trial: FinishedTrial) -> None:
        if trial.diverged or trial.value is None:
            return
        self._sound_values[0].append(trial.value)
        if trial.state is State.COMPLETE:
            others = zip(self._sound_values[1:], self._goals.values(trial)[1:], strict=True)
            for values, value in others:
                if value is not None:
                    values.append(value)

    def _below_sound(self, place: int, otherwise: float | None) -> float:
        """A value just worse than every sound value. A model of values must not see the penalty
        itself, because next to it all other values look alike; a model of ranks must see no tie."""
        sound = self._sound_values[place]
        if not sound:
            return otherwise or 0.0
        if self._goals.aims[place].mode == "min":
            return math.nextafter(max(sound), math.inf)
        return math.nextafter(min(sound), -math.inf)


@dataclass(frozen=True)
class _Learned:
    """What the sampler is told."""

    state: State
    values: list[float] | None = None  # of each objective, if COMPLETE
    curve: Mapping[int, float] = field(default_factory=dict)
    penalised: bool = False


def _suggest(trial: optuna.Trial, name: str, domain: Domain) -> Value:
    if isinstance(domain, Float):
        return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
    if isinstance(domain, Int):
        return trial.suggest_int(name, domain.low, domain.high, log=domain.log)
    value = trial.suggest_categorical(name, domain.options)
    assert value is not None
    return value
