"""Ways to maximise an acquisition: each makes a pool of candidates, and the best of the pool is labelled.

`REGISTRY` maps a name to a function of the domain and options that makes a `Maximizer`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from nag_jax.strategies.base import Domain, History
from nag_jax.system.errors import InputError
from nag_jax.system.options import check_options


class Belief(NamedTuple):
    """What a maximiser may use of the surrogate.

    Attributes:
        posterior: the posterior that the fit found.
        best: the scalar that acquisitions improve on.
    """

    posterior: Any
    best: jax.Array


AcquireFn = Callable[[Belief, jax.Array, jax.Array], jax.Array]
"""(belief, x `[B, N, V]`, standard normal noise `[B]`) -> acquisition `[B]`, differentiable in relaxed x."""
PoolFn = Callable[[jax.Array, History, Belief], np.ndarray]
"""(key, history, belief) -> candidates, tokens `[P, N]`, which may be labelled, repeated or no architectures at all."""


def random(domain: Domain, *, pool_size: int = 1024) -> PoolFn:
    """New architectures drawn uniformly."""
    return lambda key, history, belief: domain.random(key, pool_size, history.keys)


def mutation(domain: Domain, *, pool_size: int = 1024, parents: int = 10, most_mutations: int = 3) -> PoolFn:
    """Mutations of the best trials, each in 1 to `most_mutations` nodes: a parent's share is the same.

    Args:
        domain: what may be proposed.
        pool_size: candidates.
        parents: how many of the best trials are mutated.
        most_mutations: the greatest number of mutations on end.
    """

    def pool(key, history, belief):
        chosen = history.best(parents)
        pool = np.resize(chosen, (pool_size, chosen.shape[1]))
        stages = []
        for i in range(most_mutations):
            pool = domain.mutate(jax.random.fold_in(key, i), pool)
            stages.append(pool)
        rounds = np.arange(pool_size) // len(chosen) % most_mutations
        return np.stack(stages)[rounds, np.arange(pool_size)]

    return pool


def random_and_mutation(domain: Domain, *, pool_size: int = 1024, parents: int = 10, most_mutations: int = 3) -> PoolFn:
    """Half of the pool from `random`, half from `mutation`."""
    half = pool_size // 2
    halves = (
        random(domain, pool_size=pool_size - half),
        mutation(domain, pool_size=half, parents=parents, most_mutations=most_mutations),
    )

    def pool(key, history, belief):
        keys = jax.random.split(key)
        return np.concatenate([of(k, history, belief) for k, of in zip(keys, halves, strict=True)])

    return pool


def exhaustive(domain: Domain) -> PoolFn:
    """All architectures.

    Raises:
        InputError: the space is too large to list.
    """
    if not domain.listable:
        raise InputError(
            f"maximizer 'exhaustive' lists the space, and {domain.space.name} has {domain.space.size:,} architectures: "
            "use 'generator' or 'random_and_mutation'"
        )
    return lambda key, history, belief: domain.all


REGISTRY = {
    "exhaustive": exhaustive,
    "mutation": mutation,
    "random": random,
    "random_and_mutation": random_and_mutation,
}
"""Those that need the domain alone; the generator also needs a score network, see `search.bo_nag`."""


def make(name: str, domain: Domain, **options) -> PoolFn:
    """Makes the maximiser of that name.

    Raises:
        InputError: no maximiser has that name, it has no such option, or it can't work on this domain.

    Example:
        >>> import jax
        >>> from nag_jax import spaces
        >>> from nag_jax.strategies.base import History
        >>> domain = Domain(spaces.make("nasbench_graph"))
        >>> pool = make("random", domain, pool_size=20)
        >>> pool(jax.random.key(0), History.empty(domain.space), None).shape
        (20, 5)
    """
    if name not in REGISTRY:
        raise InputError(f"unknown maximizer {name!r}: use one of {sorted(REGISTRY)}, or the strategy 'bo_nag'")
    return check_options("maximizer", name, REGISTRY, options, given=("domain",))(domain, **options)
