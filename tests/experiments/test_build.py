"""From configs to objects, without training."""

import itertools
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import nb201
from nag_jax import predictors as models
from nag_jax.generators.contract import sample
from nag_jax.generators.gaussian import kernels, sde
from nag_jax.generators.gaussian.score_model import PARAMETRIZATIONS
from nag_jax.objectives import Metric, Objectives
from nag_jax.predictors.labels import NORMALIZATIONS
from nag_jax.settings.config import from_config
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.tasks import build
from nag_jax.tasks.aim import GUIDES, PROGRESS, make_aim

ACCURACY = Objectives((Metric("accuracy"),))
VARIANTS = ["", "smoke", "paper"]


@pytest.fixture(scope="module")
def load():
    """(variant, changes by field) -> the settings of configs/nb201.py."""

    def read(variant="", changes=MappingProxyType({})):
        config = nb201.get_config(variant)
        config.update_from_flattened_dict(dict(changes))
        return from_config(config)

    return read


@pytest.fixture(scope="module")
def space(load):
    return build.make_space(load())


def numbers_of_parameters(params):
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_builds_all_objects(variant, space, load):
    config = load(variant)
    evaluator = build.make_evaluator(config, space)
    assert config.evaluator.metric in evaluator.metrics
    assert evaluator.num_distinct == 6466
    model: Any = build.make_model(config, space)
    assert model.shape == (space.num_nodes, space.num_classes)
    predictor = build.make_predictor(config, space)
    score_params = jax.eval_shape(model.init, jax.random.key(0))
    predictor_params = jax.eval_shape(predictor.init, jax.random.key(0))
    x, t = jnp.zeros((2, *model.shape)), jnp.ones(2)
    values = jax.eval_shape(predictor.apply, predictor_params, x, t)
    assert values.shape == (2, 1, config.predictor.members)
    assert jax.eval_shape(lambda params: model.score_fn(params)(x, t), score_params).shape == x.shape
    assert len(build.make_kernels(config)) == len(config.sampler.kernels)
    generator = build.make_generator(config, space, model)
    assert callable(build.make_view(config, space, generator, score_params))
    build.check_guidance(config)
    build.check_coupling(config, generator, build.make_guidance(config, predictor, ACCURACY).guide, 1)
    for training in (config.score.training, config.predictor.training):
        assert jax.tree.leaves(jax.eval_shape(training.optimizer().init, predictor_params))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_guides(variant, space, load):
    config = load(variant)
    predictor = build.make_predictor(config, space)
    model: Any = build.make_model(config, space)
    given = build.make_guidance(config, predictor, ACCURACY)
    generator = build.make_generator(config, space, model, given.score_guide)
    assert (given.score_guide is None) is (config.guidance.transform == "class_tilt")

    def guided(params, predictor_params, keys):
        aimed = make_aim(predictor_params, 0.0, [1.0] * len(PROGRESS), scale=1.0)
        return sample(generator, params, keys, num_steps=1, guide=given.guide, args=aimed).tokens

    params, predictor_params = (jax.eval_shape(init, jax.random.key(0)) for init in (model.init, predictor.init))
    keys = jax.random.split(jax.random.key(1), 2)
    assert jax.eval_shape(guided, params, predictor_params, keys).shape == (2, space.num_nodes)


@pytest.mark.parametrize("name", sde.REGISTRY)
def test_every_process_can_be_named(name, load):
    config = load(changes={"sde.name": name})
    assert type(build.make_sde(config)) is sde.REGISTRY[name]


def test_the_fields_of_the_named_process_count(load):
    changes = {"sde.ve.sigma_max": 7.0}
    assert build.make_sde(load(changes=changes)) == sde.VESDE(0.1, 7.0)
    assert build.make_sde(load(changes=changes | {"sde.name": "vp"})) == sde.VPSDE(0.1, 20.0)


@pytest.mark.parametrize("name", kernels.REGISTRY)
def test_every_kernel_can_be_named(name, space, load):
    config = load(changes={"sampler.kernels": (name,)})
    build.make_generator(config, space, build.make_model(config, space))


@pytest.mark.parametrize("name", models.REGISTRY)
def test_every_predictor_can_be_named(name, space, load):
    config = load(changes={"predictor.name": name})
    assert numbers_of_parameters(jax.eval_shape(build.make_predictor(config, space).init, jax.random.key(0))) > 0


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_every_parametrization_can_be_named(parametrization, space, load):
    config = load(changes={"score.parametrization": parametrization})
    model: Any = build.make_model(config, space)
    assert model.parametrization == parametrization


@pytest.mark.parametrize("labels", NORMALIZATIONS)
@pytest.mark.parametrize("transform", sorted(GUIDES))
def test_every_guidance_and_normalisation_can_be_named(transform, labels, space, load):
    config = load(changes={"guidance.transform": transform, "predictor.labels": labels})
    build.check_guidance(config)


@pytest.mark.parametrize("wrong", ["nothing", "name", "training"])
def test_what_is_unknown_is_refused(wrong, space, load):
    """Also where the config has a field of that name beside the blocks of options."""
    for block, field, make in (
        ("sde", "name", build.make_sde),
        ("space", "name", build.make_space),
        ("evaluator", "name", lambda settings: build.make_evaluator(settings, space)),
        ("predictor", "name", lambda settings: build.make_predictor(settings, space)),
        ("score", "parametrization", lambda settings: build.make_model(settings, space)),
    ):
        config = load(changes={f"{block}.{field}": wrong})
        with pytest.raises(InputError, match=f"unknown .*'{wrong}'"):
            make(config)
    config = load(changes={"sampler.kernels": ("num_steps",)})
    with pytest.raises(InputError, match="unknown kernel 'num_steps'"):
        build.make_kernels(config)


def test_guidance_at_the_noised_x_needs_a_predictor_that_saw_it(load):
    for view, value in itertools.product(("clean", "noised", "denoised"), ("mean", "exceedance")):
        changes = {"guidance.transform": "predictor_gradient", "guidance.through_denoiser": False}
        config = load(changes=changes | {"guidance.value": value, "predictor.view": view})
        if (view, value) == ("noised", "mean"):
            build.check_guidance(config)
        else:
            with pytest.raises(InputError, match=r"or config\.guidance\.through_denoiser=True"):
                build.check_guidance(config)


def test_coupled_samples_fill_the_devices(space, load):
    config = load("paper")
    model: Any = build.make_model(config, space)
    generator = build.make_generator(config, space, model)
    build.check_coupling(config, generator, None, 8)
    with pytest.raises(InputError, match=r"num_samples, 1000, must be a multiple of the 3 devices"):
        build.check_coupling(config, build.make_generator(config, space, model), None, 3)
    config = load("paper", {"sampler.langevin.norm": "sample"})
    build.check_coupling(config, build.make_generator(config, space, model), None, 3)


def test_a_description_changes_with_what_a_checkpoint_must_agree_with(space, load):
    def describe(**changes):
        config = load(changes=changes)
        return build.make_generator(config, space, build.make_model(config, space)).description

    default = describe()
    for change in (
        {"score.network.width": 64},
        {"score.network.attention": "all"},
        {"score.parametrization": "raw_score"},
        {"sde.ve.sigma_max": 4.0},
        {"sde.name": "vp"},
    ):
        assert describe(**change) != default, change
    assert describe(**{"score.network.dropout": 0.5}) == default, "dropout changes training, not what is stored"


def test_devices_of_the_mesh_are_all_there_are():
    assert parallel.make_mesh().size == jax.device_count()
