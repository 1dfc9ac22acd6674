"""The sampler of the api's calls: as many steps and sweeps as suit a space, where the caller says nothing."""

from nag_jax.settings.sampler import REFINED, Refine, Sampler
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.capabilities import can_list


def choose_sampler(space: NodeSpace, num_steps: int | None, sweeps: int | None) -> Sampler:
    """The sampler of guided pools, with what the caller asks for.

    Args:
        space: the space of the pools.
        num_steps: steps per sample; None for 5 where samples are refined, and 20 elsewhere.
        sweeps: Gibbs sweeps per sample; None for 2 in a space that can be listed, and 0 elsewhere, where they are long.

    Example:
        >>> from nag_jax import space
        >>> choose_sampler(space("nasbench201"), None, None).num_steps, choose_sampler(space("mobilenet_v3"), 7, None)
        (5, Sampler(... num_steps=7, ... refine=Refine(sweeps=0, trades=0)))
    """
    if sweeps is None:
        sweeps = REFINED.refine.sweeps if can_list(space) else 0
    if num_steps is None:
        num_steps = (REFINED if sweeps else Sampler()).num_steps
    return Sampler(num_steps=num_steps, refine=Refine(sweeps=sweeps))
