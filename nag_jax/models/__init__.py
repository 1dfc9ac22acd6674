"""Networks in Flax linen: behind the score, and of objectives."""

import inspect

import numpy as np

from nag_jax.errors import InputError
from nag_jax.models.predictor import DirectionalGCN, PooledTransformer, Predictor, ensemble, make_predictor

REGISTRY = {"directional_gcn": DirectionalGCN, "pooled_transformer": PooledTransformer}


def make(
    name: str, *, adjacency, num_classes: int, members: int = 1, condition=lambda t: t, context=None, **options
) -> Predictor:
    """Makes the predictor of that name for architectures on a DAG.

    Args:
        name: of the network.
        adjacency: bool `[N, N]`.
        num_classes: V.
        members: size of the ensemble, K.
        condition: t `[B]` -> the noise level that a noise-aware network embeds.
        context: an example of the context `[C]`, where there is one.
        **options: fields of the network.

    Raises:
        InputError: no predictor has that name, or it has no such option.

    Example:
        >>> import jax
        >>> predictor = make("directional_gcn", adjacency=np.triu(np.ones((3, 3)), 1), num_classes=2, members=5)
        >>> predictor.apply(predictor.init(jax.random.key(0)), np.zeros((4, 3, 2)), np.zeros(4)).shape
        (4, 5)
    """
    if name not in REGISTRY:
        raise InputError(f"unknown predictor {name!r}: use one of {sorted(REGISTRY)}")
    known = set(inspect.signature(REGISTRY[name]).parameters) - {"adjacency", "parent", "name"}
    if set(options) - known:
        raise InputError(f"predictor {name!r} has no option {sorted(set(options) - known)}: use {sorted(known)}")
    adjacency = np.asarray(adjacency, bool)
    network = REGISTRY[name](adjacency=tuple(map(tuple, adjacency.tolist())), **options)
    single = make_predictor(network, (len(adjacency), num_classes), condition=condition, context=context)
    return ensemble(single, members)
