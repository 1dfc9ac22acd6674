"""The closed-form scores of spaces whose nodes depend on each other, against their mixtures written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.parametrization import posterior_score, uniform_score
from nag_jax.spaces.mobilenet_v3 import DEPTHS, MOST_LAYERS, SETTINGS, SKIP, STAGES

TIMES = np.array([0.02, 0.2, 0.5, 1.0], np.float32)


@pytest.fixture(params=sorted(sdes.REGISTRY))
def sde(request):
    return sdes.make(request.param)


def noised(space, sde):
    """One noised architecture at each of `TIMES`."""
    x0 = np.asarray(space.encode(space.random(jax.random.key(0), len(TIMES))))
    noise = np.random.default_rng(0).standard_normal(x0.shape).astype(np.float32)
    mean, std = sde.marginal(x0, TIMES)
    return jnp.asarray(mean + std[:, None, None] * noise), jnp.asarray(TIMES)


def mixture_score(x, t, points, weights, sde):
    """Gradient of the log of the weighted Gaussians around points `[M, N, V]`, for each of x `[B, N, V]`."""

    def log_density(x, t):
        distances = jnp.sum((x[None] - sde.alpha(t) * points) ** 2, axis=(1, 2))
        return jax.nn.logsumexp(jnp.log(weights) - distances / (2.0 * sde.sigma(t) ** 2))

    return jax.jit(lambda x, t: jax.lax.map(lambda pair: jax.grad(log_density)(*pair), (x, t)))(x, t)


def every_stage():
    """All tokens `[7371, 4]` of one stage, and how likely once-for-all draws each."""
    tokens, weights = [], []
    for depth in DEPTHS:
        settings = np.stack(np.meshgrid(*[np.arange(len(SETTINGS))] * depth, indexing="ij"), -1).reshape(-1, depth)
        tokens.append(np.pad(settings, ((0, 0), (0, MOST_LAYERS - depth)), constant_values=SKIP))
        weights.append(np.full(len(settings), 1.0 / len(DEPTHS) / len(settings)))
    return np.concatenate(tokens), np.concatenate(weights)


def test_the_score_of_once_for_alls_draws_is_that_of_their_mixture(sde):
    """Stages are independent, so the mixture over one stage's 7,371 forms says all."""
    space = spaces.make("mobilenet_v3")
    x, t = noised(space, sde)
    found = np.asarray(jax.jit(posterior_score(sde, space.class_posterior))(x, t))
    tokens, weights = every_stage()
    assert len(tokens) ** STAGES == space.size
    stages = space.encode(tokens)
    std = np.asarray(sde.sigma(t))[:, None, None]
    for stage in range(STAGES):
        nodes = slice(stage * MOST_LAYERS, (stage + 1) * MOST_LAYERS)
        expected = mixture_score(x[:, nodes], t, stages, weights, sde)
        np.testing.assert_allclose(std * found[:, nodes], std * expected, atol=3e-4)


def test_the_score_of_nas_bench_graph_is_that_of_its_mixture(sde):
    space = spaces.make("nasbench_graph")
    x, t = noised(space, sde)
    found = jax.jit(posterior_score(sde, space.class_posterior))(x, t)
    every = space.encode(space.all_tokens())
    expected = mixture_score(x, t, every, np.full(len(every), 1.0 / len(every)), sde)
    std = np.asarray(sde.sigma(t))[:, None, None]
    np.testing.assert_allclose(std * found, std * expected, atol=3e-4)


def test_the_score_of_independent_uniform_nodes_is_one_case(nb201, sde):
    x, t = noised(nb201, sde)
    std = np.asarray(sde.sigma(t))[:, None, None]
    found = posterior_score(sde, nb201.class_posterior)(x, t)
    np.testing.assert_allclose(std * found, std * uniform_score(sde, nb201.allowed)(x, t), atol=1e-4)


def test_without_evidence_the_posterior_is_how_random_draws():
    space = spaces.make("mobilenet_v3")
    p = np.asarray(space.class_posterior(jnp.zeros((1, space.num_nodes, space.num_classes))))[0]
    layers = p.reshape(STAGES, MOST_LAYERS, -1)
    np.testing.assert_allclose(layers[:, :, SKIP], np.tile([0.0, 0.0, 1 / 3, 2 / 3], (STAGES, 1)), atol=1e-6)
    np.testing.assert_allclose(layers[:, 3, :SKIP], 1 / 27, atol=1e-6)
    drawn = np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(1), 20_000))
    shares = (drawn[:, :, None] == np.arange(space.num_classes)).mean(axis=0)
    np.testing.assert_allclose(shares, p, atol=4 * (0.25 / 20_000) ** 0.5)
