"""Predictors: learned models of the objectives."""

import numpy as np

from nag_jax.networks.directional_gcn import DirectionalGCN
from nag_jax.networks.pooled_transformer import PooledTransformer
from nag_jax.predictors.ensemble import Predictor, ensemble, make_predictor
from nag_jax.system.once import once
from nag_jax.system.options import check_options

REGISTRY = {"directional_gcn": DirectionalGCN, "pooled_transformer": PooledTransformer}


@once
def make(
    name: str,
    *,
    adjacency,
    num_classes: int,
    outputs: int = 1,
    members: int = 1,
    condition=lambda t: t,
    context=None,
    **options,
) -> Predictor:
    """Makes the predictor of that name for architectures on a DAG.

    Args:
        name: a key of `REGISTRY`, the network.
        adjacency: bool `[N, N]`.
        num_classes: V.
        outputs: M, the number of objectives.
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
        (4, 1, 5)
    """
    form = check_options("predictor", name, REGISTRY, options, given=("adjacency", "outputs", "parent", "name"))
    adjacency = np.asarray(adjacency, bool)
    network = form(adjacency=tuple(map(tuple, adjacency.tolist())), outputs=outputs, **options)
    single = make_predictor(network, (len(adjacency), num_classes), condition=condition, context=context)
    return ensemble(single, members)
