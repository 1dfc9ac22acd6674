"""Guidance: how an objective bends the score.

`REGISTRY` holds the transforms that a config can name; `chain` joins them.
"""

import inspect

from nag_jax.guidance.base import ScoreTransform, ValueFn, chain, identity
from nag_jax.guidance.clip import clip_norm
from nag_jax.guidance.constraint import cost_band
from nag_jax.guidance.denoised import class_tilt, denoised_gradient
from nag_jax.guidance.gradient import predictor_gradient, through_denoiser
from nag_jax.system.options import find

REGISTRY = {
    "class_tilt": class_tilt,
    "clip_norm": clip_norm,
    "cost_band": cost_band,
    "denoised_gradient": denoised_gradient,
    "identity": identity,
    "predictor_gradient": predictor_gradient,
}

__all__ = ["REGISTRY", "ScoreTransform", "ValueFn", "chain", "make", "through_denoiser"]


def make(name: str, **options) -> ScoreTransform:
    """Makes the transform of that name.

    Args:
        name: a key of `REGISTRY`, or `FILE.py:NAME` of a function of your own.
        **options: those that it takes count; `value_fn`, `scale` and `sde` may be given to any of them.

    Raises:
        InputError: no transform has that name.

    Example:
        >>> make("predictor_gradient", value_fn=lambda x, t: x.sum((1, 2)), scale=2.0).coupled
        False
    """
    transform = find("guidance", name, REGISTRY)
    shared = {"value_fn", "scale", "sde"} - set(inspect.signature(transform).parameters)
    return transform(**{option: value for option, value in options.items() if option not in shared})
