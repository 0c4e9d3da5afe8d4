"""Which requirements a trial breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipelines.record.goals import SECONDS, SIZE, Requirement, broken_of
from pipelines.tuner.ledger.reports import Rules
from pipelines.tuner.ledger.running import Running
from search_spaces import Config


class Feasibility:
    """The requirements of ``rules``, for trials and for configs."""

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._clock = clock

    def size(self, config: Config) -> int | None:
        """The number of parameters of a config's network; None if no rule needs it."""
        return None if self._rules.size is None else self._rules.size(config)

    def broken_by(self, size: int | None) -> tuple[Requirement, ...]:
        """The requirements that a network of this size breaks before it trains."""
        return () if size is None else broken_of(self._rules.requirements, {SIZE: size})

    def broken(self, running: Running, metrics: Mapping[str, float]) -> tuple[Requirement, ...]:
        """The requirements that a running trial breaks now."""
        known = {**metrics, SECONDS: self._clock() - running.started}
        if running.n_parameters is not None:
            known[SIZE] = running.n_parameters
        return broken_of(self._rules.requirements, known)

    def is_too_slow(self, running: Running) -> bool:
        """Whether the trial breaks an upper bound on its time: it can never meet that again."""
        broken = broken_of(self._rules.requirements, {SECONDS: self._clock() - running.started})
        return any(requirement.sign in ("<", "<=") for requirement in broken)
