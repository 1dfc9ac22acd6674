"""Labelled examples to train architectures on, whole and in memory.

`REGISTRY` maps a source's name to the function that reads it; its keyword arguments are the options.
"""

from nag_jax.datasets.examples import arrays, pictures
from nag_jax.datasets.examples.parts import Examples, Part, Parts, split
from nag_jax.system.options import check_options

REGISTRY = {
    "arrays": arrays.read_arrays,
    "digits": arrays.digits,
    "folder": pictures.read_folder,
    "mnist1d": arrays.mnist1d,
    "tfds": pictures.read_tfds,
}

__all__ = ["REGISTRY", "Examples", "Part", "Parts", "make", "split"]


def make(name: str, **options) -> Examples:
    """Reads the examples of the source of that name.

    Args:
        name: a key of `REGISTRY`.
        **options: keyword arguments of the function there.

    Raises:
        InputError: no source has that name, it has no such option or lacks one that it needs, or what the options point
            to is wrong.

    Example:
        >>> make("digits").inputs.shape
        (1797, 8, 8, 3)
    """
    return check_options("data set", name, REGISTRY, options)(**options)
