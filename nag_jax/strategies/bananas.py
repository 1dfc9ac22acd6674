"""BANANAS: an ensemble of networks on path features, Thompson sampling and mutation (White et al., AAAI 2021)."""

from nag_jax.predictors.features import path_encoding
from nag_jax.strategies.base import Domain, Strategy
from nag_jax.strategies.bo import bo


def bananas(
    domain: Domain,
    *,
    members: int = 5,
    pool_size: int = 200,
    parents: int = 10,
    most_mutations: int = 1,
    labels: str = "z",
    capacity: int = 64,
) -> Strategy:
    """The published components, on path counts where the space has them and one-hot entries where not.

    The networks are smaller than the published ones (10 layers of width 20), and are fitted on all labels at once.

    Args:
        domain: what may be proposed.
        members: the number of networks in the ensemble.
        pool_size: mutated candidates per round.
        parents: how many of the best trials are mutated.
        most_mutations: nodes in which a candidate may differ from its parent.
        labels: normalisation of the labels.
        capacity: labels that a fit is compiled for.
    """
    return bo(
        domain,
        surrogate="deep_ensemble",
        surrogate_options={"groups": path_encoding(domain.space), "members": members},
        acquisition="its",
        maximizer="mutation",
        maximizer_options={"pool_size": pool_size, "parents": parents, "most_mutations": most_mutations},
        labels=labels,
        min_distance=1,
        capacity=capacity,
    )
