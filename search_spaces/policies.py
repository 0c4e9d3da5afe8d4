"""The parameters of the learning rate policies, which the search spaces of all networks share.

The ranges hold what Smith recommends: base_lr between a third (arXiv 1506.01186, section 3.3) and a
twentieth of max_lr (1803.09820, section 4.1), and momentum from 0.8 or 0.85 to 0.95 or 0.99
(1803.09820, section 4.3). Half a cycle is of 2 to 10 epochs there (1506.01186, section 3.2), and of
1 to 5 here, because a training has 30 epochs by default. The drops of ``step`` lie around those of
He et al. 2016 (arXiv 1512.03385, section 4.2): two, each to a tenth.
"""

from collections.abc import Iterable
from dataclasses import replace

from search_spaces.domains import Choice, Domain, Float, Int, OneOf
from trainables.training.schedules import POLICIES

RANGES: dict[str, Float | Int] = {
    "base_lr_ratio": Float(0.01, 0.5, log=True),
    "step_size": Int(1, 5),  # half a cycle, in epochs
    "gamma": Float(0.8, 0.99),  # per epoch
    "base_momentum": Float(0.8, 0.9),
    "max_momentum": Float(0.9, 0.99),
    "momentum": Float(0.8, 0.99),
    "decay_rate": Float(0.02, 0.5, log=True),
    "n_drops": Int(1, 3),
}


def policy_domains(first: Iterable[str] = ()) -> dict[str, Domain]:
    """The parameter ``policy`` and the parameters of each policy.

    The policies named in ``first`` come before the others. The search space itself has the learning
    rate: a policy that moves the learning rate never goes above that value.
    """
    domains: dict[str, Domain] = {"policy": Choice(tuple(dict.fromkeys((*first, *POLICIES))))}
    for name, domain in RANGES.items():
        takers = tuple(policy for policy, kind in POLICIES.items() if name in kind.takes)
        if takers:
            domains[name] = replace(domain, when=OneOf("policy", takers))
    return domains
