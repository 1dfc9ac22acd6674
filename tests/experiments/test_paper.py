"""configs/nb201.py:paper has the published constants, and takes a step of training and of guided sampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.fitting.fit import fit
from nag_jax.generators.fit import batch_loss
from nag_jax.generators.gaussian.sde import VESDE
from nag_jax.generators.sharded import ShardedSampler
from nag_jax.objectives import Metric, Objectives
from nag_jax.predictors.fit import regression_loss
from nag_jax.settings.config import from_config
from nag_jax.system import parallel
from nag_jax.system.fields import to_dict
from nag_jax.system.keys import sample_keys
from nag_jax.tasks import build
from nag_jax.tasks.aim import PROGRESS, make_aim

BATCH = 4


@pytest.fixture(scope="module")
def config(load):
    return from_config(load("paper"))


@pytest.fixture(scope="module")
def space(config):
    return build.make_space(config)


@pytest.fixture(scope="module")
def model(config, space):
    return build.make_model(config, space)


@pytest.fixture(scope="module")
def predictor(config, space):
    return build.make_predictor(config, space)


def test_the_network_has_the_published_number_of_parameters(model):
    params = jax.eval_shape(model.init, jax.random.key(0))
    assert sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params)) == 3_989_575
    assert model.parametrization == "raw_score"
    network = model.network
    assert (network.num_blocks, network.width, network.num_heads, network.mlp_width) == (12, 64, 8, 128)
    assert (network.attention, network.position, network.head) == ("successors", "sinusoid", "concat")
    assert network.dropout == 0.1


def test_the_process_is_variance_exploding(model):
    assert model.sde == VESDE(sigma_min=0.1, sigma_max=5.0)
    assert model.sde.t_min == 1e-5


def test_the_sampler_is_predictor_and_corrector(config):
    sampler = config.sampler
    assert sampler.kernels == ("langevin", "euler_maruyama"), "the corrector comes first"
    assert to_dict(sampler.langevin) == {"snr": 0.16, "num_steps": 1, "norm": "batch"}
    assert (sampler.num_steps, sampler.final) == (1000, "mean")
    assert [kernel.coupled for kernel in build.make_kernels(config)] == [True, False]


def test_training_is_as_published(config):
    training = config.score.training
    assert (training.num_steps, training.batch_size, training.learning_rate) == (250_000, 256, 2e-5)
    assert (training.warmup_steps, training.clip_norm, training.ema_decay) == (1000, 1.0, 0.9999)
    assert (training.decay, training.weight_decay) == ("constant", 0.0)


def test_the_predictor_is_noise_aware(config):
    assert config.predictor.name == "directional_gcn"
    assert config.predictor.members == 1
    assert config.predictor.view == "noised"
    assert config.predictor.labels == "z"
    network = config.predictor.directional_gcn
    assert (network.width, network.num_layers, network.head_width) == (144, 4, 32)
    assert (network.pooling, network.residual, network.bias) == ("mean", False, False)
    assert network.noise_aware
    assert config.predictor.training.learning_rate == 1e-3


def test_the_predictor_hears_the_noise(predictor, space):
    params = predictor.init(jax.random.key(0))
    x = space.encode(space.random(jax.random.key(1), 2))
    early, late = (predictor.apply(params, x, jnp.full(2, t)) for t in (0.0, 1.0))
    assert not np.allclose(early, late)


@pytest.mark.parametrize("t", [0.01, 0.5, 1.0])
def test_guidance_adds_the_scaled_gradient_at_the_noised_x(t, config, model, predictor):
    """By the same scale at every noise level."""
    params = predictor.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (3, *model.shape))
    times = jnp.full(3, t)
    score = jax.random.normal(jax.random.key(2), x.shape)
    assert config.guidance.scale == 100.0

    def never(x, t):
        raise AssertionError("the score network has no part in it")

    given = build.make_guidance(config, predictor, Objectives((Metric("accuracy"),)))
    assert given.guide is None
    aim = make_aim(params, 0.0, [1.0] * len(PROGRESS), scale=config.guidance.scale)
    assert given.score_guide is not None
    guide = given.score_guide(never, aim)
    found, _ = guide.update(score, guide.init(x), x=x, t=times, keys=sample_keys(jax.random.key(3), 3))
    gradient = jax.grad(lambda x: predictor.apply(params, x, times).sum())(x)
    assert np.abs(gradient).max() > 0
    np.testing.assert_allclose(found - score, 100.0 * gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_step_of_training_and_of_guided_sampling(config, space, model, predictor):
    mesh = parallel.make_mesh(1)
    tokens = space.random(jax.random.key(0), 64)

    def one_step(init, loss, training, data):
        return fit(
            init,
            loss,
            jax.random.key(1),
            data,
            optimizer=training.optimizer(),
            num_steps=1,
            mesh=mesh,
            ema_decay=training.ema_decay,
        )

    before = model.init(jax.random.split(jax.random.key(1))[0])
    given = build.make_guidance(config, predictor, Objectives((Metric("accuracy"),)))
    generator = build.make_generator(config, space, model, given.score_guide)
    score_params = one_step(model.init, batch_loss(generator, batch_size=BATCH), config.score.training, tokens)
    same = jax.tree.map(lambda old, new: old.shape == new.shape and bool(np.isfinite(new).all()), before, score_params)
    assert all(jax.tree.leaves(same))
    view = build.make_view(config, space, generator, score_params)
    labels = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    predictor_params = one_step(
        predictor.init,
        regression_loss(predictor, view, batch_size=BATCH),
        config.predictor.training,
        (tokens, labels),
    )

    sampler = ShardedSampler(generator, guide=given.guide, num_steps=1, mesh=mesh)

    def sample(scale):
        aim = make_aim(predictor_params, 0.0, [1.0] * len(PROGRESS), scale=scale)
        return sampler(jax.random.key(2), BATCH, score_params, aim)

    guided, unguided = sample(config.guidance.scale), sample(0.0)
    assert guided.tokens.shape == (BATCH, space.num_nodes)
    assert (guided.tokens != unguided.tokens).any()
