"""Aiming: what a predictor's guidance asks for, measured on unlabelled architectures, and the guidance that asks it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax import guidance
from nag_jax.generators.contract import Generator
from nag_jax.generators.gaussian import score_guides
from nag_jax.generators.gaussian.generator import MakeScoreGuide
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.guidance import Guide
from nag_jax.guidance.additive import Additive, fit_additive
from nag_jax.guidance.calibrate import estimate_spread
from nag_jax.guidance.constraints import Constraints
from nag_jax.guidance.exceedance import exceedance, log_exceeding, mean_value
from nag_jax.guidance.refine import Tilt
from nag_jax.objectives import Objectives
from nag_jax.predictors import Predictor
from nag_jax.predictors.fit import predict
from nag_jax.predictors.labels import Scales
from nag_jax.spaces import NodeSpace
from nag_jax.system.keys import sample_keys
from nag_jax.system.once import once

LEAST_FEASIBLE = 256
"""Unlabelled architectures that keep to the constraints, with which the target is measured among them."""
PROGRESS = np.linspace(0.0, 1.0, 21, dtype=np.float32)
"""Where the spread of estimates is measured."""
SPREAD_SAMPLES = 1024
"""On how many architectures it is."""
ADDITIVE_SAMPLES = 4096
"""To how many architectures the additive model is fitted."""
GUIDES = {**guidance.REGISTRY, **score_guides.REGISTRY}
"""What a config can name: guides of beliefs, and the gaussian family's guides of scores."""


class Guidance(NamedTuple):
    """What guides a pool.

    Attributes:
        guide: bends beliefs; None for nothing.
        score_guide: makes what bends the score before that, in the gaussian family alone; None for nothing.
        tilt: what they aim at, by which samples are refined; None where a guide of one's own doesn't tell.
    """

    guide: Guide | None
    score_guide: MakeScoreGuide | None = None
    tilt: Tilt | None = None


def measure(
    key: jax.Array,
    generator: Generator,
    generator_params: Any,
    predictor: Predictor,
    predictor_params: Any,
    space: NodeSpace,
    tokens: np.ndarray,
    *,
    objectives: Objectives,
    scales: Scales | None,
    softness: float,
) -> tuple[np.ndarray, list[float]]:
    """The predicted utilities, and how far estimates are from final ones, by progress. Costs no label.

    Args:
        key: the key of the noise.
        generator: the generator whose beliefs are asked for values.
        generator_params: its parameters.
        predictor: the model of the objectives.
        predictor_params: its parameters.
        space: the space of the architectures.
        tokens: unlabelled architectures of the space, `[M, N]`.
        objectives: what is predicted, and its utility.
        scales: bring predicted means into units, or None; see `predicted_utility`.
        softness: least spread, in standard deviations of the predicted utilities.

    Returns:
        The utilities `[M]`, and the spread at each of `PROGRESS`, both in the unit of `predicted_utility`.
    """
    predictions = predict_utility(objectives, scales, predictor, predictor_params, space.encode(tokens))
    few = tokens[:SPREAD_SAMPLES]
    measured = _measured(generator, predictor, space, objectives)
    spread = np.asarray(measured(generator_params, predictor_params, scales, sample_keys(key, len(few)), few))
    return predictions, np.hypot(spread, softness * predictions.std()).astype(np.float32).tolist()


def predicted_utility(objectives: Objectives, scales: Scales | None, means: Any) -> Any:
    """The utility `[...]` of predicted means `[..., M]`, in units; of one objective the mean itself, normalised.

    Args:
        objectives: what is predicted, and its utility.
        scales: bring means into the objectives' units; None for one objective, whose order they don't change.
        means: the means over the members of the predictor.
    """
    return objectives.utility(means if scales is None else scales.to_units(means))


def predict_utility(
    objectives: Objectives, scales: Scales | None, predictor: Predictor, params: Any, x: jax.Array
) -> np.ndarray:
    """The predicted utility `[B]` of architectures without noise, x `[B, N, V]`; see `predicted_utility`."""
    return np.asarray(predicted_utility(objectives, scales, predict(predictor, params, x)[0]))


@once
def _measured(generator: Generator, predictor: Predictor, space: NodeSpace, objectives: Objectives):
    """`estimate_spread` compiled: (parameters of generator and predictor, scales, keys, tokens) -> spread."""

    @jax.jit
    def measured(generator_params, predictor_params, scales, keys, tokens):
        return estimate_spread(
            lambda keys, tokens, progress: generator.believe(generator_params, keys, tokens, progress),
            keys,
            lambda x: _estimate(objectives, predictor, {"params": predictor_params, "scales": scales}, x),
            space.encode(tokens),
            tokens,
            jnp.asarray(PROGRESS),
        )

    return measured


def make_aim(
    predictor_params: Any, target: float, spread: list[float], *, scale: float, scales: Scales | None = None
) -> dict[str, Any]:
    """What guidance by a predictor is given: its parameters and scales, and what `measure` found."""
    return {
        "params": predictor_params,
        "scales": scales,
        "scale": np.float32(scale),
        "target": np.float32(target),
        "progress": PROGRESS,
        "spread": np.asarray(spread, np.float32),
    }


def additive_model(
    objectives: Objectives, scales: Scales | None, predictor: Predictor, params: Any, x: Any
) -> Additive:
    """The additive model of the predicted utility, by which trades propose; of some of the unlabelled x `[M, N, V]`."""
    few = x[:ADDITIVE_SAMPLES]
    return fit_additive(few, predict_utility(objectives, scales, predictor, params, few))


def feasible(constraints: Constraints, tokens: np.ndarray) -> np.ndarray:
    """Those of unlabelled architectures `[M, N]` that keep to the constraints; all where too few do."""
    good = constraints.hold(tokens)
    return tokens[good] if good.sum() >= LEAST_FEASIBLE else tokens


@once
def make_guidance(
    predictor: Predictor,
    objectives: Objectives,
    *,
    process: SDE | None = None,
    name: str = "class_tilt",
    value: str = "exceedance",
    through_denoiser: bool = True,
    max_norm: float = 0.0,
    constraints: Constraints | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Guidance:
    """The guidance by a predictor, which is given what `make_aim` returns and the bands of the constraints.

    Constraints come last, so that they bend what the predictor asks for.

    Args:
        predictor: the model of the objectives.
        objectives: what is predicted, and its utility.
        process: the forward process of the gaussian family, which guides of scores need.
        name: a key of `GUIDES`, or `FILE.py:NAME` of a guide of beliefs of your own.
        value: `"exceedance"` of the target, or the `"mean"`, which is the predicted utility.
        through_denoiser: whether `"predictor_gradient"` goes through the denoiser; False takes it at the noised x.
        max_norm: bound on the score in units of the noise, after a guide of scores; 0 for none.
        constraints: constraints on costs; None for none.
        options: keyword arguments of a guide of your own, beside `value_fn`.
    """
    bands, limits = (constraints.guide(), constraints.log_chances()) if constraints else (None, None)
    make_value = mean_value if value == "mean" else exceedance
    value_fn = make_value(lambda x, args: _estimate(objectives, predictor, args, x))

    def proxy(x, args):
        model = args["additive"]
        return args["scale"] * (model.of(x) if value == "mean" else log_exceeding(model.of(x), 1.0, args, model.error))

    def scaled(x, args):
        return args["scale"] * value_fn(x, jnp.ones(x.shape[0], jnp.float32), args)

    tilt = Tilt(scaled, limits, proxy)
    if name in score_guides.REGISTRY:
        assert process is not None, "guides of scores are of the gaussian family"
        return Guidance(
            bands, _score_guide(predictor, objectives, process, name, value, through_denoiser, max_norm), tilt
        )
    bend = guidance.make(name, value_fn=value_fn, **options)
    follows = guidance.takes_value(name)
    return Guidance(guidance.chain(bend, bands) if bands else bend, tilt=tilt if follows else None)


def _estimate(
    objectives: Objectives, predictor: Predictor, args: Mapping[str, Any], x: jax.Array, t: jax.Array | None = None
) -> jax.Array:
    """The predicted utility `[B]` of architectures at noise levels t `[B]`, without noise where there are none."""
    t = jnp.zeros(x.shape[0], jnp.float32) if t is None else t
    return predicted_utility(objectives, args["scales"], predictor.apply(args["params"], x, t).mean(axis=-1))


def _score_guide(
    predictor: Predictor,
    objectives: Objectives,
    process: SDE,
    name: str,
    value: str,
    through_denoiser: bool,
    max_norm: float,
) -> MakeScoreGuide:
    """Guidance of the score by a predictor that sees x at its noise level."""

    def make(score_fn, args):
        def worth(x, t):
            if value == "mean":
                return _estimate(objectives, predictor, args, x, t)
            return exceedance(lambda x, args: _estimate(objectives, predictor, args, x, t))(x, 1.0 - t, args)

        if name == "predictor_gradient":
            value_fn = score_guides.through_denoiser(worth, score_fn, process) if through_denoiser else worth
            guide = score_guides.predictor_gradient(value_fn=value_fn, scale=args["scale"])
        else:
            guide = score_guides.denoised_gradient(value_fn=worth, sde=process, scale=args["scale"])
        return score_guides.chain(guide, score_guides.clip_norm(sde=process, max_norm=max_norm)) if max_norm else guide

    return make
