"""Meta-predictors: predictors that know the data set, by an encoder of it and a network that takes its embedding."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import Array

from nag_jax.networks.set_encoder import Encoder
from nag_jax.predictors.ensemble import Predictor


class MetaPredictor(NamedTuple):
    """A learned model of an objective on many data sets. Higher is better, in units of the normalised label.

    The embedding of a data set is computed once and then passed on: nothing keeps it.

    Attributes:
        init: key -> params.
        embed: (params, features `[C, I, F]` or pixels `[C, I, H, W, 3]`, mask `[C, I]`) -> context `[D]`.
        apply: (params, x `[B, N, V]`, t `[B]`, context `[D]` or `[B, D]`) -> `[B, M, K]`: objectives, members
            of an ensemble. Keyword `dropout_key` turns dropout on.
    """

    init: Callable[[Array], Any]
    embed: Callable[[Any, Array, Array], Array]
    apply: Callable


def meta_predictor(encoder: Encoder, predictor: Predictor) -> MetaPredictor:
    """One set of parameters for both, to be trained together.

    Args:
        encoder: the encoder of data sets.
        predictor: the predictor, whose context is the encoder's embedding; noise-aware or not.
    """

    def init(key):
        keys = jax.random.split(key)
        return {"encoder": encoder.init(keys[0]), "predictor": predictor.init(keys[1])}

    def embed(params, features, mask):
        return encoder.apply(params["encoder"], features, mask)

    def apply(params, x, t, context, *, dropout_key=None):
        return predictor.apply(params["predictor"], x, t, context, dropout_key=dropout_key)

    return MetaPredictor(init, embed, apply)
