"""Aiming: what a predictor's guidance asks for, measured on unlabelled architectures, and the guidance that asks it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax import guidance
from nag_jax.generators.gaussian.score_model import ScoreModel
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.guidance import ScoreTransform
from nag_jax.guidance.constraints import Constraints
from nag_jax.guidance.value import estimate_spread, exceedance, mean_value
from nag_jax.predictors import Predictor
from nag_jax.predictors.fit import predict
from nag_jax.spaces import Space
from nag_jax.system.keys import sample_keys

LEAST_FEASIBLE = 256
"""Unlabelled architectures that keep to the constraints, with which the target is measured among them."""
SPREAD_TIMES, SPREAD_SAMPLES = 21, 1024
"""Grid and sample size with which the spread of estimates is measured."""


def measure(
    key: jax.Array,
    model: ScoreModel,
    score_params: Any,
    predictor: Predictor,
    predictor_params: Any,
    space: Space,
    tokens: np.ndarray,
    *,
    top_share: float,
    softness: float,
) -> tuple[float, list[float]]:
    """The value to exceed, and how far estimates are from final values, by time. Costs no label.

    Args:
        key: of the noise.
        model: the score network.
        score_params: its parameters.
        predictor: of the objective.
        predictor_params: its parameters.
        space: of the architectures.
        tokens: unlabelled architectures of the space, `[M, N]`.
        top_share: the share of them that the value is exceeded by.
        softness: least spread, in standard deviations of the predictions.

    Returns:
        The value, and the spread at each of `spread_times`, both in the predictor's unit.
    """

    @jax.jit
    def measured(score_params, predictor_params, keys, x0):
        return estimate_spread(
            keys,
            lambda x, t: predictor.apply(predictor_params, x, t),
            model.score_fn(score_params),
            x0,
            model.sde,
            spread_times(model.sde),
        )

    predictions = predict(predictor, predictor_params, space.encode(tokens))[0]
    x0 = space.encode(tokens[:SPREAD_SAMPLES])
    spread = np.asarray(measured(score_params, predictor_params, sample_keys(key, len(x0)), x0))
    target = np.float32(np.quantile(predictions, 1.0 - top_share))
    return float(target), np.hypot(spread, softness * predictions.std()).astype(np.float32).tolist()


def make_aim(predictor_params: Any, process: SDE, target: float, spread: list[float], *, scale: float) -> dict:
    """What the guide of `make_guide` takes: parameters of the predictor, and what `measure` found."""
    return {
        "params": predictor_params,
        "scale": np.float32(scale),
        "target": np.float32(target),
        "times": spread_times(process),
        "spread": np.asarray(spread, np.float32),
    }


def spread_times(process: SDE) -> jax.Array:
    """The grid of times `[21]`."""
    return jnp.linspace(process.t_min, 1.0, SPREAD_TIMES)


def feasible(constraints: Constraints, tokens: np.ndarray) -> np.ndarray:
    """Those of unlabelled architectures `[M, N]` that keep to the constraints; all where too few do."""
    good = constraints.hold(tokens)
    return tokens[good] if good.sum() >= LEAST_FEASIBLE else tokens


def make_guide(
    predictor: Predictor,
    process: SDE,
    *,
    transform: str = "class_tilt",
    value: str = "exceedance",
    through_denoiser: bool = True,
    max_norm: float = 0.0,
    constraints: Constraints | None = None,
) -> Callable[..., ScoreTransform]:
    """The guidance by a predictor: (unguided score, what `make_aim` returns) -> transform.

    Constraints come last, so that they bend what the predictor asks for.

    Args:
        predictor: of the objective.
        process: the forward process.
        transform: a name of `guidance.REGISTRY`.
        value: `"exceedance"` of the target, or the predictor's `"mean"`.
        through_denoiser: for `"predictor_gradient"`; False takes the gradient at the noised x.
        max_norm: bound on the score in units of the noise; 0 for none.
        constraints: on costs; None for none.
    """

    def guide(score_fn, aim):
        def estimates(x, t):
            return predictor.apply(aim["params"], x, t)

        if value == "mean":
            worth = mean_value(estimates)
        else:
            worth = exceedance(estimates, target=aim["target"], times=aim["times"], spread=aim["spread"])
        if transform == "predictor_gradient" and through_denoiser:
            worth = guidance.through_denoiser(worth, score_fn, process)
        parts = [guidance.make(transform, value_fn=worth, scale=aim["scale"], sde=process)]
        if max_norm:
            parts.append(guidance.make("clip_norm", sde=process, max_norm=max_norm))
        if constraints:
            parts.append(constraints.transform(process))
        return guidance.chain(*parts)

    return guide
