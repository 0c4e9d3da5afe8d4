"""HyperOpt's TPE behind ask and tell, over a nested space.

A condition on a Choice becomes a branch of its ``hp.choice``. A parameter that is active in several
branches is one node that they share: TPE then has one posterior for it, and HyperOpt does not see
two parameters with the same name. A condition on an Int is no branch: an Int keeps its order and
its density, and may have any number of values. What depends on it is always drawn, and dropped
where it is not active.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp, tpe
from hyperopt.base import JOB_STATE_DONE, JOB_STATE_RUNNING, miscs_update_idxs_vals

from pipelines.record.trials import FinishedTrial, State
from search_spaces import Choice, Config, Int, SearchSpace, Value
from search_spaces.domains import Domain
from trainables.training.metrics import Mode


class HyperOptSampler:
    """TPE (Bergstra et al. 2011, section 4) with HyperOpt's defaults.

    A stopped trial is told with its value. A diverged trial is told with its value or with the
    worst value of the sound trials, whichever is worse. A failed trial is told with status "fail":
    TPE takes its loss as infinite, like that of a pending trial.
    """

    def __init__(
        self,
        space: SearchSpace,
        mode: Mode,
        seed: int,
        history: Iterable[FinishedTrial] = (),
    ) -> None:
        self._space = space
        self._sign = 1.0 if mode == "min" else -1.0
        self._rng = np.random.default_rng(seed)
        self._domain = hyperopt.base.Domain(lambda _: None, _nested(space))
        self._trials = hyperopt.Trials()
        self._pending: dict[str, dict[str, Any]] = {}
        self._worst_sound = -math.inf  # loss
        self._diverged: list[dict[str, Any]] = []  # results
        for trial in history:
            if space.contains(trial.config):
                self._insert(self._document(trial.config))
                self._finish(self._trials._dynamic_trials[-1], trial)
        self._trials.refresh()

    def ask(self, trial_id: str, given: Config | None = None) -> Config | None:
        document = self._suggest() if given is None else self._document(given)
        drawn, idxs = document["misc"]["vals"], document["misc"]["idxs"]
        config = self._space.walk(lambda name, domain: _decode(domain, drawn.get(name, ())))
        for name in drawn.keys() - config.keys():
            drawn[name], idxs[name] = [], []
        self._insert(document)
        self._pending[trial_id] = self._trials._dynamic_trials[-1]
        return config

    def tell(self, trial: FinishedTrial) -> None:
        self._finish(self._pending.pop(trial.trial_id), trial)
        self._trials.refresh()

    def _suggest(self) -> dict[str, Any]:
        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        seed = int(self._rng.integers(2**31 - 1))
        (document,) = tpe.suggest(ids, self._domain, self._trials, seed, verbose=False)
        return dict(document)

    def _insert(self, document: dict[str, Any]) -> None:
        document["state"] = JOB_STATE_RUNNING
        self._trials.insert_trial_docs([document])

    def _finish(self, document: dict[str, Any], trial: FinishedTrial) -> None:
        document["state"] = JOB_STATE_DONE
        if trial.value is None or trial.state is State.FAIL:
            document["result"] = {"status": hyperopt.STATUS_FAIL}
            return
        loss = self._sign * trial.value
        document["result"] = {"status": hyperopt.STATUS_OK, "loss": loss}
        if trial.diverged:
            self._diverged.append(document["result"])
        else:
            self._worst_sound = max(self._worst_sound, loss)
        # This trial may be worse than the loss that earlier diverged trials were told with.
        for result in self._diverged:
            result["loss"] = max(result["loss"], self._worst_sound)

    def _document(self, config: Config) -> dict[str, Any]:
        """HyperOpt's document of a given config, as if HyperOpt had drawn it."""
        (tid,) = self._trials.new_trial_ids(1)
        encoded = {
            name: _encode(self._space.domains[name], value)
            for name, value in config.items()
            if not self._space.domains[name].single
        }
        misc = {"tid": tid, "cmd": self._domain.cmd, "workdir": self._domain.workdir}
        idxs = {label: [tid] if label in encoded else [] for label in self._domain.params}
        drawn = {
            label: [encoded[label]] if label in encoded else [] for label in self._domain.params
        }
        miscs_update_idxs_vals([misc], idxs, drawn)
        misc["idxs"], misc["vals"] = idxs, drawn
        (document,) = self._trials.new_trial_docs([tid], [None], [{"status": "new"}], [misc])
        return dict(document)


def _decode(domain: Domain, drawn: Sequence[float]) -> Value:
    """HyperOpt's index or float as a value of the domain, in a plain Python type."""
    if domain.single:
        return domain.levels(1)[0]
    (raw,) = drawn
    return domain.options[int(raw)] if isinstance(domain, Choice) else domain.clip(float(raw))


def _encode(domain: Domain, value: Value) -> float:
    if isinstance(domain, Choice):
        return domain.options.index(value)
    assert not isinstance(value, str)
    return value


def _nested(space: SearchSpace) -> dict[str, Any]:
    """The space as nested ``hp.choice`` dictionaries; a domain of one value becomes that value."""
    nodes: dict[str, Any] = {}
    children: dict[str, list[str]] = {name: [] for name in space.domains}
    for name, domain in space.domains.items():
        if domain.when is not None:
            children[domain.when.parent].append(name)

    def beside(names: Iterable[str]) -> dict[str, Any]:
        """Parameters of one dictionary, and those that depend on an Int among them."""
        found: dict[str, Any] = {}
        for name in names:
            if name not in nodes:
                nodes[name] = make(name, space.domains[name])
            found[name] = nodes[name]
            if isinstance(space.domains[name], Int):
                found |= beside(children[name])
        return found

    def make(name: str, domain: Domain) -> Any:
        if not (isinstance(domain, Choice) and children[name]):
            return domain.levels(1)[0] if domain.single else _leaf(name, domain)
        branches = [beside(active(name, option)) for option in domain.options]
        return branches[0] if domain.single else hp.choice(name, branches)

    def active(parent: str, value: Value) -> list[str]:
        conditions = ((name, space.domains[name].when) for name in children[parent])
        return [name for name, when in conditions if when is not None and when.holds(value)]

    return beside(name for name, domain in space.domains.items() if domain.when is None)


def _leaf(name: str, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return hp.choice(name, list(range(len(domain.options))))
    if isinstance(domain, Int):
        # Half a step wider at both ends: otherwise rounding would halve the share of the ends.
        low, high = domain.low - 0.5, domain.high + 0.5
        if domain.log:
            return hp.qloguniform(name, math.log(low), math.log(high), 1)
        return hp.quniform(name, low, high, 1)
    if domain.log:
        return hp.loguniform(name, math.log(domain.low), math.log(domain.high))
    return hp.uniform(name, domain.low, domain.high)
