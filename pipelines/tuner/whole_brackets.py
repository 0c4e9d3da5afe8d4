"""Ray's HyperBand with the rungs of the paper: every bracket's last is the longest training."""

from __future__ import annotations

from functools import partial
from typing import Any

from ray.tune.schedulers import HyperBandForBOHB
from ray.tune.schedulers.hyperband import _Bracket as RaysBracket


def rung(max_epochs: int, reduction_factor: float, halvings: int) -> int:
    """The rung with so many halvings still to come: r_i = R eta^(i - s), rounded (Li et al. 2018,
    arXiv 1603.06560, algorithm 1). 0 if it is below one epoch: there is no such bracket."""
    epochs = max_epochs / reduction_factor**halvings
    return round(epochs) if epochs >= 1 else 0


class Bracket(RaysBracket):
    """Ray's goes by multiples of a first rung that it has cut to an integer: of 50 epochs its
    finalists would train 27, 45, 48 or 50."""

    def filled(self) -> bool:
        """Whether it has had all its trials. Ray's counts those that are in it, which the last
        bracket's leave as they end: it would take all the trials that are still to come."""
        return bool(len(self._all_trials) >= self._n0)

    def successive_halving(self, metric: str, metric_op: float) -> tuple[list[Any], list[Any]]:
        """Those that go on to the next rung, and the others."""
        good, bad = super().successive_halving(metric, metric_op)
        self._r = self._cumul_r = rung(self._max_t_attr, self._eta, self._halves)
        return good, bad


class WholeBrackets(HyperBandForBOHB):
    """HyperBand as BOHB has it, of such brackets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._get_r0 = partial(rung, self._max_t_attr, self._eta)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """An attempt that failed gives its place back: to Ray another one is another trial."""
        bracket, _ = self._trial_info[trial]
        bracket._all_trials.remove(trial)
        super().on_trial_error(tune_controller, trial)

    def _create_bracket(self, s: int) -> Bracket:
        return Bracket(
            time_attr=self._time_attr,
            max_trials=self._get_n0(s),
            init_t_attr=self._get_r0(s),
            max_t_attr=self._max_t_attr,
            eta=self._eta,
            s=s,
        )
