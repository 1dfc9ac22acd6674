"""The surrogate of measured costs."""

from nag_jax.predictors import features
from nag_jax.spaces import NodeSpace
from nag_jax.strategies.surrogates.base import Surrogate
from nag_jax.strategies.surrogates.gaussian_process import gaussian_process
from nag_jax.system.once import once


@once
def of_costs(space: NodeSpace) -> Surrogate:
    """The surrogate of a measured cost, as a latency: a sum over nodes, and a Gaussian process of what that leaves out.

    Example:
        >>> from nag_jax import spaces
        >>> of_costs(spaces.make("nasbench201"))._fields
        ('fit', 'predict', 'noise')
    """
    return gaussian_process(space, groups=features.for_costs(space), trend=("one_hot",))
