"""Export: networks to take home, which need nothing of nag_jax."""

from collections.abc import Callable

from nag_jax.export import cell, mobilenet
from nag_jax.export.blueprint import Blueprint
from nag_jax.export.files import Export, export_network
from nag_jax.spaces import Space

REGISTRY: dict[str, Callable[..., Blueprint]] = {"mobilenet_v3": mobilenet.blueprint, "nasbench201": cell.blueprint}
"""Spaces whose architectures are networks of ours, and what makes the blueprint of one (space, tokens `[N]`)."""

__all__ = ["REGISTRY", "Blueprint", "Export", "export_network", "make_blueprint"]


def make_blueprint(space: Space, tokens) -> Blueprint | None:
    """The blueprint of one architecture (tokens `[N]`); None where its space has no networks of ours.

    Example:
        >>> from nag_jax import spaces
        >>> space = spaces.make("nasbench201")
        >>> make_blueprint(space, space.from_index([4242])[0]).num_params()
        587386
    """
    return REGISTRY[space.name](space, tokens) if space.name in REGISTRY else None
