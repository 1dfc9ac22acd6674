"""What every kernel of the registry must keep to; a new entry is tested without touching this file."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.kernels import Kernel
from nag_jax.system.errors import InputError
from nag_jax.system.keys import fold_in, sample_keys

B, SHAPE, STEPS = 6, (3, 4), 3
OPTIONS = {"langevin": [{"norm": "batch"}, {"num_steps": 2}]}
"""Besides the defaults."""
CASES = [(name, options) for name in sorted(kernels.REGISTRY) for options in ({}, *OPTIONS.get(name, ()))]


@pytest.fixture(params=CASES, ids=lambda case: "-".join([case[0], *map(str, case[1].values())]), scope="module")
def case(request):
    name, options = request.param
    sde = sdes.make("vp")
    return sde, kernels.make(name, sde, **options)


def score_fn(x, t):
    return -x / (0.5 + t[:, None, None]) + 0.1 * jnp.sin(3.0 * x)


def inputs(n=B):
    x = jnp.asarray(np.random.default_rng(0).standard_normal((n, *SHAPE)), jnp.float32)
    return sample_keys(jax.random.key(0), n), x


def scan(kernel, keys, x):
    """A few steps as the sampler runs them: state, x and x_mean are the carry of a scan."""
    times = jnp.linspace(0.9, 0.2, STEPS + 1)

    def step(carry, i):
        state, x, _ = carry
        t, t_next = (jnp.full(x.shape[0], times[j]) for j in (i, i + 1))
        return kernel.step(fold_in(keys, i), i, state, x, t, t_next, score_fn), None

    return jax.lax.scan(step, (kernel.init(x), x, x), jnp.arange(STEPS))[0]


def run(kernel):
    return jax.jit(lambda keys, x: scan(kernel, keys, x)[1:])


def structure(tree):
    return jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf)), tree)


@pytest.mark.parametrize("sde_name", sorted(sdes.REGISTRY))
@pytest.mark.parametrize("name", sorted(kernels.REGISTRY))
def test_make_works_with_defaults_for_every_sde(name, sde_name):
    assert isinstance(kernels.make(name, sdes.make(sde_name)), Kernel)


def test_shapes_dtypes_and_a_state_that_keeps_its_structure(case):
    _, kernel = case
    keys, x = inputs()
    state = kernel.init(x)
    times = jnp.full(B, 0.5), jnp.full(B, 0.4)
    new_state, x_next, x_mean = jax.eval_shape(
        lambda keys, i, state, x: kernel.step(keys, i, state, x, *times, score_fn), keys, jnp.int32(0), state, x
    )
    assert structure(new_state) == structure(state)
    assert x_next.shape == x_mean.shape == x.shape
    assert x_next.dtype == x_mean.dtype == jnp.float32
    assert isinstance(kernel.coupled, bool)


def test_jits_in_a_scan_tracing_once_and_leaves_no_nan(case):
    _, kernel = case
    traces = []

    def counted(x, t):
        assert x.shape == (B, *SHAPE)
        assert t.shape == (B,)
        traces.append(1)
        return score_fn(x, t)

    @jax.jit
    def step(keys, i, state, x, times):
        t, t_next = (jnp.full(B, time) for time in times)
        return kernel.step(keys, i, state, x, t, t_next, counted)

    keys, x = inputs()
    state, x, _ = step(keys, jnp.int32(0), kernel.init(x), x, jnp.array([0.5, 0.4]))
    evaluations = len(traces)
    assert evaluations >= 1
    _, x, x_mean = step(keys, jnp.int32(1), state, x, jnp.array([0.4, 0.3]))
    assert len(traces) == evaluations
    assert np.isfinite(np.asarray(x)).all()
    assert np.isfinite(np.asarray(x_mean)).all()


def test_is_a_function_of_its_keys(case):
    _, kernel = case
    keys, x = inputs()
    advance = run(kernel)
    first, mean = advance(keys, x)
    np.testing.assert_array_equal(advance(keys, x)[0], first)
    other, _ = advance(sample_keys(jax.random.key(1), B), x)
    noisy = np.abs(np.asarray(first - mean)).max() > 0
    assert (np.abs(np.asarray(other - first)).max() > 1e-3) == noisy
    assert np.abs(np.asarray(first - x)).max() > 1e-3


def test_samples_are_independent_exactly_when_not_coupled(case):
    _, kernel = case
    keys, x = inputs()
    advance = run(kernel)
    whole, _ = advance(keys, x)
    disturbed, _ = advance(keys, x.at[1:].multiply(3.0))
    gap = np.abs(np.asarray(disturbed - whole))[0].max()
    assert gap > 1e-3 if kernel.coupled else gap < 1e-5
    if not kernel.coupled:
        np.testing.assert_allclose(advance(keys[2:4], x[2:4])[0], whole[2:4], atol=1e-5)


def test_noise_free_levels_get_no_nan(case):
    """The last step of a grid may be as short as float32 allows."""
    _, kernel = case
    keys, x = inputs()
    state = kernel.init(x)
    step = jax.jit(
        lambda i, state, x, t, t_next: kernel.step(keys, i, state, x, jnp.full(B, t), jnp.full(B, t_next), score_fn)
    )
    for i, (t, t_next) in enumerate([(0.5, 0.002), (0.002, 0.001), (0.001, 0.001)]):
        state, x, x_mean = step(i, state, x, t, t_next)
        assert np.isfinite(np.asarray(x)).all()
        assert np.isfinite(np.asarray(x_mean)).all()


def test_unknown_name_and_option():
    sde = sdes.make("ve")
    with pytest.raises(InputError, match="unknown kernel 'nothing'") as caught:
        kernels.make("nothing", sde)
    assert all(name in str(caught.value) for name in kernels.REGISTRY)
    with pytest.raises(TypeError, match="nonsense"):
        kernels.make("ancestral", sde, nonsense=1)
