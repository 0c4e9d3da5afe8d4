"""Ray's HyperBand with the brackets of Li et al. 2018 (arXiv 1603.06560, algorithm 1)."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from ray.tune.schedulers import HyperBandForBOHB
from ray.tune.schedulers.hyperband import _Bracket as RaysBracket


def rung(max_epochs: int, reduction_factor: float, halvings: int) -> int:
    """The rung before the last ``halvings`` halvings: r_i = R eta^(i - s), rounded. 0 if that
    is below one epoch: there is no such bracket."""
    epochs = max_epochs / reduction_factor**halvings
    return round(epochs) if epochs >= 1 else 0


def most_halvings(max_epochs: int, reduction_factor: float) -> int:
    """s_max, that of the first bracket: the logarithm of R to the base eta, rounded down. A
    logarithm may be inexact, so the rung decides."""
    halvings = round(math.log(max_epochs) / math.log(reduction_factor))
    return halvings if rung(max_epochs, reduction_factor, halvings) else halvings - 1


class Bracket(RaysBracket):
    """A bracket with exact rungs and numbers of trials. Ray's own uses multiples of a first rung
    that is cut to an integer: with 50 epochs, its finalists would train for 27, 45, 48 or 50. It
    also rounds the number of trials that go on up, and counts trials that never came."""

    _n: int  # trials that began the present rung

    def filled(self) -> bool:
        """Whether the bracket has had all its trials. Ray counts the trials that are in it now.
        Trials leave the last bracket when they end, so it would take all trials still to come."""
        return bool(len(self._all_trials) >= self._n0)

    def successive_halving(self, metric: str, metric_op: float) -> tuple[list[Any], list[Any]]:
        """The trials that go on to the next rung, and the others: 1 in reduction_factor of those
        that began goes on, at least one. A trial that diverged counts as one of the others."""
        self._halves -= 1
        self._r = self._cumul_r = rung(self._max_t_attr, self._eta, self._halves)
        live = self._live_trials
        began = min(self._n, len(self._all_trials))
        self._n = max(1, math.floor(began / self._eta))
        ranked = sorted(live, key=lambda trial: metric_op * live[trial][metric])
        return ranked[-self._n :], ranked[: -self._n]


class WholeBrackets(HyperBandForBOHB):
    """BOHB's HyperBand, with these brackets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._s_max_1 = most_halvings(self._max_t_attr, self._eta) + 1  # Ray rounds to the nearest
        self._get_r0 = partial(rung, self._max_t_attr, self._eta)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A failed attempt gives its place back: to Ray, the next attempt is another trial. It
        joins the bracket that is being filled, so an older one does not wait for it."""
        bracket, _ = self._trial_info[trial]
        if bracket is self._state["bracket"]:
            bracket._all_trials.remove(trial)
        else:
            bracket._n -= 1
        super().on_trial_error(tune_controller, trial)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """A trial that ends early is not the last of its rung while its bracket waits for others.
        Ray would let all others begin at a later rung."""
        bracket, _ = self._trial_info[trial]
        if bracket is self._state["bracket"] and not bracket.filled():
            bracket.cleanup_trial(trial)
        else:
            super().on_trial_remove(tune_controller, trial)

    def _create_bracket(self, s: int) -> Bracket:
        return Bracket(
            time_attr=self._time_attr,
            max_trials=self._get_n0(s),
            init_t_attr=self._get_r0(s),
            max_t_attr=self._max_t_attr,
            eta=self._eta,
            s=s,
        )
