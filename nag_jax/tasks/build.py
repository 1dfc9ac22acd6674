"""Builders: from settings to the objects of the library."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from nag_jax import evaluators, spaces
from nag_jax import predictors as models
from nag_jax.evaluators import Evaluator
from nag_jax.generators.contract import Generator
from nag_jax.generators.exact import ClosedForm, exact
from nag_jax.generators.gaussian import kernels, score_guides, sde
from nag_jax.generators.gaussian import score_model as score_models
from nag_jax.generators.gaussian.generator import MakeScoreGuide, Model, gaussian
from nag_jax.generators.gaussian.kernels import Kernel
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.generators.masked import Condition, masked
from nag_jax.guidance import Guide
from nag_jax.guidance.clamp import clamped
from nag_jax.guidance.constraints import Constraints, parse
from nag_jax.networks import set_encoder
from nag_jax.objectives import Objectives, Utility, utility
from nag_jax.objectives.metric import find_metric
from nag_jax.predictors import Predictor
from nag_jax.predictors.meta_gaussian_process import MetaGaussianProcess
from nag_jax.predictors.meta_predictor import MetaPredictor, meta_predictor
from nag_jax.predictors.views import View, clean_view, denoised_view, noised_view
from nag_jax.settings import Generate, Settings, Transfer
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.asked import read_choices, read_fixed
from nag_jax.system.errors import InputError
from nag_jax.system.fields import to_dict
from nag_jax.system.once import once
from nag_jax.system.options import find, own
from nag_jax.tasks import aim
from nag_jax.tasks.aim import GUIDES, Guidance

DIFFUSED = ("gaussian", "exact")
"""The families that have a forward process and a score."""


def options(block: Any, *without: str) -> dict[str, Any]:
    """The fields of a block as keyword arguments, less those named and those left empty or off."""
    given = {name: value for name, value in to_dict(block).items() if name not in without}
    return {name: value for name, value in given.items() if value != "" and value is not False}


def _named(block: Any, name: str, registry: dict[str, Any]) -> dict[str, Any]:
    """The options in a block for what is called `name`; none where it has no options or is not in the registry."""
    return to_dict(getattr(block, name)) if name in registry and hasattr(block, name) else {}


def make_space(config: Settings) -> NodeSpace:
    """The space of `config.space`, or the part of it that the choices of `config.choices` leave."""
    space, choices = spaces.make(config.space.name, **options(config.space, "name")), config.choices
    return spaces.restrict(
        space,
        fixed=read_fixed(choices.fixed),
        excluded=read_choices(choices.excluded),
        near=choices.near,
        changes=choices.changes,
    )


def make_evaluator(config: Settings, space: NodeSpace):
    """The evaluator of `config.evaluator`, whose objective is checked to exist; numbers that are 0 are left to it."""
    return make_evaluator_of(config.evaluator, space)


def make_evaluator_of(block: Any, space: NodeSpace, *without: str):
    """The evaluator of a block as `config.evaluator`, without those fields that aren't of evaluators."""
    given = options(block, "name", "direction", "unit", "split", *without)
    given = {name: value for name, value in given.items() if value != 0} | {"metric": block.metric}
    facts = {field: getattr(block, field, None) for field in ("direction", "unit", "split")}
    given |= evaluators.of_metric(block.metric, **facts)
    return evaluators.make(block.name, space=space, **given)


def make_objectives(config: Settings, evaluator: Evaluator) -> Objectives | None:
    """Those of `config.objectives` with the utility of `config.utility`, or the one metric; None where there is none.

    Raises:
        InputError: the evaluator doesn't have a metric, or the utility can't be made or isn't of so many objectives.
    """
    if not config.objectives:
        found = evaluators.objective(evaluator, config.evaluator.metric)
        names = [] if found is None else [found.name]
    else:
        names = [find_metric(evaluator.metrics, name, "metric of config.objectives") for name in config.objectives]
    made = make_utility(config, max(1, len(names)))
    return Objectives(tuple(evaluator.metrics[name] for name in names), made) if names else None


def make_utility(config: Settings, num_objectives: int) -> Utility:
    """The utility of `config.utility`; options that are empty are left to it."""
    given = {option: value for option, value in to_dict(config.utility).items() if option != "name" and value != ()}
    return utility.make(config.utility.name, num_objectives, **given)


def make_constraints(config: Settings, space: NodeSpace, evaluator: Evaluator) -> Constraints:
    """Those of `config.constraints`, on the evaluator's costs; none where there are none."""
    return _constraints(space, getattr(evaluator, "costs", {}), parse(config.constraints or ""))


_constraints = once(Constraints)


def make_sde(config: Settings) -> SDE:
    """The forward process of `config.sde`; the fields of the other ones don't count."""
    return sde.make(config.sde.name, **_named(config.sde, config.sde.name, sde.REGISTRY))


def make_model(config: Settings, space: NodeSpace) -> Model | None:
    """The score network of `config.score`, or the closed form where `config.generator` is exact.

    None for the masked family and the user's own, which are no diffusion.
    """
    if config.generator.name not in DIFFUSED:
        return None
    if config.generator.name == "exact":
        return ClosedForm(space, make_sde(config))
    score = config.score
    return score_models.make_score_model(
        spaces.whole(space), make_sde(config), to_dict(score.network), parametrization=score.parametrization
    )


def make_generator(
    config: Settings,
    space: NodeSpace,
    model: Model | None,
    score_guide: MakeScoreGuide | None = None,
    condition: Condition | None = None,
) -> Generator:
    """The generator of the score network or the closed form, with the kernels of `config.sampler`, or of one's own.

    What learns the whole of a space keeps to the choices of a part; a closed form is that of the part itself, and what
    is masked is filled in beside them. One's own, `FILE.py:NAME`, is a function of the space and of further options in
    `config.generator`. A condition is the data set that the masked family samples for, where it learns from several.
    """
    whole = spaces.whole(space)
    if config.generator.name == "masked":
        return masked(space, to_dict(config.score.network), condition)
    if model is None:
        return clamped(own(config.generator.name)(whole, **config.generator.own), space)
    kernels, final = make_kernels(config), config.sampler.final
    if isinstance(model, ClosedForm):
        return exact(model, kernels, final=final, score_guide=score_guide)
    return clamped(gaussian(whole, model, kernels, final=final, score_guide=score_guide), space)


def make_predictor(config: Generate, space: NodeSpace, outputs: int = 1, context: Array | None = None) -> Predictor:
    """The predictor of `config.predictor` of so many objectives. A noise-aware network embeds sigma(t), as published.

    The context is an example of the embedding of a data set, where there is one.
    """
    return models.make(
        config.predictor.name,
        adjacency=space.adjacency,
        num_classes=space.num_classes,
        outputs=outputs,
        members=config.predictor.members,
        condition=make_sde(config).sigma,
        context=context,
        **_named(config.predictor, config.predictor.name, models.REGISTRY),
    )


def make_meta(config: Transfer, space: NodeSpace, item_shape: tuple[int, ...]) -> MetaGaussianProcess | MetaPredictor:
    """The meta-predictor of `config.meta`, for data sets with items of that shape."""
    if config.meta.name == "gaussian_process":
        return MetaGaussianProcess(space, **to_dict(config.meta.gaussian_process))
    encoder = set_encoder.make(
        config.meta.encoder, item_shape, **_named(config.meta, config.meta.encoder, set_encoder.ENCODERS)
    )
    predictor = make_predictor(
        config, space, context=jnp.zeros(getattr(config.meta, config.meta.encoder).width, jnp.float32)
    )
    return meta_predictor(encoder, predictor)


def make_kernels(config: Settings) -> list[Kernel]:
    """The kernels of `config.sampler.kernels`, in order, with the options under their names."""
    process = make_sde(config)
    return [
        kernels.make(name, process, **_named(config.sampler, name, kernels.REGISTRY)) for name in config.sampler.kernels
    ]


def make_view(config: Generate, space: NodeSpace, generator: Generator, params: Any) -> View:
    """What the predictor of `config.predictor` is shown in training."""
    view = config.predictor.view
    if view == "clean":
        return clean_view(space)
    if view == "noised":
        return noised_view(space, make_sde(config))
    if view == "denoised":
        return denoised_view(space, generator, params, share=config.predictor.soft_share)
    raise InputError(f"unknown config.predictor.view {view!r}: use 'clean', 'noised' or 'denoised'")


def check_guidance(config: Generate) -> None:
    """Raises InputError where there is no such guidance, or it can't work with the predictor."""
    find("config.guidance.transform", config.guidance.transform, GUIDES)
    if config.guidance.transform in score_guides.REGISTRY and config.generator.name not in DIFFUSED:
        raise InputError(
            f"config.guidance.transform={config.guidance.transform} bends scores, which only config.generator.name "
            f"of {DIFFUSED} has: set config.guidance.transform=class_tilt"
        )
    at_noised = config.guidance.transform == "predictor_gradient" and not config.guidance.through_denoiser
    if at_noised and config.predictor.view != "noised":
        raise InputError(
            "guidance by the gradient at the noised x needs a predictor that was shown noised architectures: set "
            "config.predictor.view=noised, or config.guidance.through_denoiser=True"
        )
    if at_noised and config.guidance.value == "exceedance":
        raise InputError(
            "config.guidance.value=exceedance is measured at the denoised estimate: set value=mean, or "
            "config.guidance.through_denoiser=True"
        )


def check_coupling(config: Settings, generator: Generator, guide: Guide | None, num_devices: int) -> None:
    """Raises InputError where coupled samples can't be cut as the mode does."""
    if not generator.coupled and not (guide and guide.coupled):
        return
    if config.mode == "stream":
        raise InputError(
            "the sampler couples the samples of a batch, so they can't be streamed in chunks: set "
            "config.sampler.langevin.norm=sample, or config.mode=generate"
        )
    if isinstance(config, Generate) and config.num_samples % num_devices:
        raise InputError(
            f"the sampler couples the samples of a batch, so config.num_samples, {config.num_samples}, must be a "
            f"multiple of the {num_devices} devices: change it, or set config.sampler.langevin.norm=sample"
        )


def make_guidance(
    config: Generate, predictor: Predictor, objectives: Objectives, constraints: Constraints | None = None
) -> Guidance:
    """The guidance of `config.guidance`; see `nag_jax.tasks.aim.make_guidance`."""
    given = config.guidance
    return aim.make_guidance(
        predictor,
        objectives,
        process=make_sde(config),
        name=given.transform,
        value=given.value,
        through_denoiser=given.through_denoiser,
        max_norm=given.max_norm,
        constraints=constraints,
        options=given.own,
    )
