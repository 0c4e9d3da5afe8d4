"""How learning rate and momentum move: the parameters that the spaces of all networks share.

The bands hold what Smith recommends: base_lr between a third (arXiv 1506.01186, section 3.3) and a
twentieth of max_lr (1803.09820, section 4.1), half a cycle of a few epochs (1506.01186, section
3.2), and momentum from 0.8 or 0.85 to 0.95 or 0.99 (1803.09820, section 4.3). The drops of ``step``
lie around those of He et al. 2016 (arXiv 1512.03385, section 4.2): two, each to a tenth.
"""

from search_spaces.domains import Choice, Domain, Float, Int, OneOf

_CYCLICAL = ("triangular", "triangular2", "exp_range")
_MOVES_MOMENTUM = ("one_cycle", *_CYCLICAL)
_KEEPS_MOMENTUM = ("cosine", "step", "constant")

POLICIES = (*_MOVES_MOMENTUM, *_KEEPS_MOMENTUM)


def policy_domains(order: tuple[str, ...] = POLICIES) -> dict[str, Domain]:
    """``policy``, with its options in this order, and the parameters of each.

    The learning rate is the space's own; a policy that moves it goes no higher.
    """
    return {
        "policy": Choice(order),
        "base_lr_ratio": Float(0.01, 0.5, log=True, when=OneOf("policy", _MOVES_MOMENTUM)),
        "step_size": Int(1, 5, when=OneOf("policy", _CYCLICAL)),  # half a cycle, in epochs
        "gamma": Float(0.8, 0.99, when=OneOf("policy", ("exp_range",))),  # per epoch
        "base_momentum": Float(0.8, 0.9, when=OneOf("policy", _MOVES_MOMENTUM)),
        "max_momentum": Float(0.9, 0.99, when=OneOf("policy", _MOVES_MOMENTUM)),
        "momentum": Float(0.8, 0.99, when=OneOf("policy", _KEEPS_MOMENTUM)),
        "decay_rate": Float(0.02, 0.5, log=True, when=OneOf("policy", ("step",))),
        "n_drops": Int(1, 3, when=OneOf("policy", ("step",))),
    }
