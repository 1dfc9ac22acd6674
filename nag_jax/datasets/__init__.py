"""Data sets as predictors see them: where their descriptions come from, and the triples that predictors learn from.

`REGISTRY` maps a source's name to the function that makes a `Description`; its keyword arguments are the options.
"""

from nag_jax.datasets import base, class_names, images, landmarks, statistics
from nag_jax.datasets.base import Batch, Description, class_rows, select_classes, stack
from nag_jax.datasets.triples import Triples
from nag_jax.system.options import check_options

REGISTRY = {
    "class_names": class_names.load,
    "features": base.load,
    "images": images.load,
    "landmarks": landmarks.load,
    "statistics": statistics.load,
}

__all__ = ["REGISTRY", "Batch", "Description", "Triples", "class_rows", "make", "select_classes", "stack"]


def make(source: str, **options) -> Description:
    """Describes a data set by the source of that name.

    Args:
        source: a key of `REGISTRY`.
        **options: keyword arguments of the function there.

    Raises:
        InputError: no source has that name, it has no such option or lacks one that it needs, or what the options point
            to is wrong.

    Example:
        >>> make("statistics", name="cora").features.shape
        (1, 1, 6)
    """
    return check_options("data-set source", source, REGISTRY, options)(**options)
