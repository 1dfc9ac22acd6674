"""Observed orders of the kernels: theory says two for DPM-Solver++(2M) and one for the stochastic ones, weakly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.parametrization import uniform_score
from nag_jax.system.keys import fold_in, normal, sample_keys

SDES = sorted(sdes.REGISTRY)


def observed_orders(steps, errors):
    return np.diff(np.log(errors)) / -np.diff(np.log(steps))


# DPM-Solver++(2M) on the probability-flow ODE


def flow_endpoint(sde, allowed, x, start, end, steps=1_000):
    """The probability-flow ODE from x at `start` to `end` by Runge-Kutta in float64, nothing of ours in between.

    With y = x / alpha and r = sigma / alpha it is `dy / d(log r) = y - E[x_0 | y]` for every SDE.
    """

    def denoised(y, r):
        exponents = np.where(allowed, 2.0 * y / r**2, -np.inf)
        weights = np.exp(exponents - exponents.max(axis=-1, keepdims=True))
        return 2.0 * weights / weights.sum(axis=-1, keepdims=True) - 1.0

    times = jnp.array([start, end], jnp.float32)
    alphas, sigmas = np.asarray(sde.alpha(times), np.float64), np.asarray(sde.sigma(times), np.float64)
    first, last = np.log(sigmas / alphas)
    levels = np.linspace(first, last, steps + 1)
    y, h = np.asarray(x, np.float64) / alphas[0], levels[1] - levels[0]

    def slope(y, level):
        return y - denoised(y, np.exp(level))

    for level in levels[:-1]:
        k1 = slope(y, level)
        k2 = slope(y + h / 2 * k1, level + h / 2)
        k3 = slope(y + h / 2 * k2, level + h / 2)
        k4 = slope(y + h * k3, level + h)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return alphas[1] * y


def solver(sde, score_fn, start, end):
    """Jitted (x, steps, forget) -> x after an even number of steps, by turns long and short.

    `forget` tells each step that it is the first.
    """
    kernel = kernels.make("dpm_solver", sde)
    keys = sample_keys(jax.random.key(0), 16)

    @jax.jit
    def solve(x, steps, forget):
        def step(i, carry):
            t, t_next = (jnp.full(len(x), start + (end - start) * (j + 0.4 * (j % 2)) / steps) for j in (i, i + 1))
            return kernel.step(keys, jnp.where(forget, 0, i), *carry, t, t_next, score_fn)[:2]

        return jax.lax.fori_loop(0, steps, step, (kernel.init(x), x))[1]

    return solve


@pytest.mark.parametrize("name", SDES)
def test_dpm_solver_has_order_two_and_without_its_memory_order_one(nb201, name):
    sde = sdes.make(name)
    start, end = 1.0, 0.3
    x = sde.prior(sample_keys(jax.random.key(1), 16), (8, 7))
    expected = flow_endpoint(sde, nb201.allowed, x, start, end)
    solve = solver(sde, uniform_score(sde, nb201.allowed), start, end)
    steps = np.array([32, 64, 128])
    for forget, order in ((False, 2.0), (True, 1.0)):
        errors = [np.abs(np.asarray(solve(x, n, forget)) - expected).mean() for n in steps.tolist()]
        assert observed_orders(steps, errors) == pytest.approx(order, abs=0.25), forget


# The stochastic kernels, weakly: on a Gaussian target with its exact, linear score every step is affine in x and in the
# noise, so that mean and variance can be propagated without sampling.

WEAK = ["ancestral", "euler_maruyama", "reverse_diffusion"]
EXACT_MEANS = {*(("ancestral", name) for name in SDES), ("reverse_diffusion", "ve")}
"""Where the mean of a step is that of the posterior of x_s given x_t, which composes without error."""
START, END = 0.7, 0.1
ENTRIES = (2, 4)


class Gaussian:
    """Entries of x_0 are N(mean, std^2); with the exact solution of the reverse-time SDE from any Gaussian x_t."""

    def __init__(self, sde, mean, std):
        self.sde, self.mean, self.std = sde, mean, std

    def moments(self, t):
        """Mean and variance of an entry of x_t."""
        alpha, sigma = self.sde.alpha(t), self.sde.sigma(t)
        return alpha * self.mean, alpha**2 * self.std**2 + sigma**2

    def score(self, x, t):
        mean, variance = self.moments(t)
        return -(x - mean[:, None, None]) / variance[:, None, None]

    def exact(self, mean, variance, start, end):
        """Mean and variance at `end` from those at `start`.

        With v the marginal's variance and f x the drift, v' = 2 f v + g^2; a deviation from the marginal obeys
        (f + g^2 / v) d = (v' / v - f) d, so it shrinks as v / alpha.
        """
        (mean0, variance0), (mean1, variance1) = (map(float, self.moments(jnp.float32(t))) for t in (start, end))
        alpha0, alpha1 = float(self.sde.alpha(jnp.float32(start))), float(self.sde.alpha(jnp.float32(end)))
        ratio = variance1 / alpha1 / (variance0 / alpha0)
        return mean1 + ratio * (mean - mean0), variance1 + ratio**2 * (variance - variance0)


def affine_steps(kernel, target, t, t_next):
    """Scale, shift and noise scale of the steps from t to t_next, all evaluated at once, one a sample."""
    keys = jnp.broadcast_to(jax.random.key(7), len(t))

    @jax.jit
    def at(value):
        x = jnp.full((len(t), *ENTRIES), value)
        _, x, x_mean = kernel.step(keys, 0, kernel.init(x), x, jnp.asarray(t), jnp.asarray(t_next), target.score)
        return x, x_mean, normal(keys, ENTRIES)

    (x0, mean0, z), (x1, mean1, _) = (
        [np.asarray(array, np.float64) for array in at(jnp.float32(value))] for value in (0.0, 1.0)
    )
    noise_scale = ((x0 - mean0) * z).sum(axis=(1, 2)) / (z**2).sum(axis=(1, 2))
    for x, x_mean in ((x0, mean0), (x1, mean1)):
        np.testing.assert_allclose(x - x_mean, noise_scale[:, None, None] * z, atol=1e-5)
    shift = mean0.mean(axis=(1, 2))
    return mean1.mean(axis=(1, 2)) - shift, shift, noise_scale


def moment_errors(kernel, target, counts, *, start=START, end=END, mean_offset=2.0, variance_factor=1.5):
    """Errors of mean and variance, `[C, 2]`, after each count of even steps, from a Gaussian off the marginal."""
    mean0, variance0 = (float(value) for value in target.moments(jnp.float32(start)))
    mean0, variance0 = mean0 + mean_offset, variance_factor * variance0
    grids = [np.linspace(start, end, n + 1, dtype=np.float32) for n in counts]
    t, t_next = (np.concatenate([grid[cut] for grid in grids]) for cut in (slice(-1), slice(1, None)))
    steps = np.stack(affine_steps(kernel, target, t, t_next), axis=1)
    found = []
    for own in np.split(steps, np.cumsum(counts)[:-1]):
        mean, variance = mean0, variance0
        for scale, shift, noise in own:
            mean, variance = scale * mean + shift, scale**2 * variance + noise**2
        found.append((mean, variance))
    return np.abs(np.array(found) - target.exact(mean0, variance0, start, end))


@pytest.mark.parametrize("sde_name", SDES)
@pytest.mark.parametrize("name", WEAK)
def test_stochastic_kernels_have_weak_order_one(name, sde_name):
    sde = sdes.make(sde_name)
    kernel, target = kernels.make(name, sde), Gaussian(sde, mean=0.7, std=0.5)
    steps = np.array([64, 128, 256])
    mean, variance = moment_errors(kernel, target, steps).T
    assert observed_orders(steps, variance)[-1] == pytest.approx(1.0, abs=0.15)
    if (name, sde_name) in EXACT_MEANS:
        assert mean.max() < 2e-6
    else:
        assert observed_orders(steps, mean)[-1] == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("sde_name", SDES)
def test_ancestral_steps_are_exact_where_the_denoised_estimate_is(sde_name):
    """Of a point mass E[x_0 | x_t] is x_0 itself, whatever the size of the steps."""
    sde = sdes.make(sde_name)
    target = Gaussian(sde, mean=0.7, std=0.0)
    marginal = {"start": 1.0, "mean_offset": 0.0, "variance_factor": 1.0}
    assert moment_errors(kernels.make("ancestral", sde), target, [1, 3], **marginal).max() < 1e-5
    assert moment_errors(kernels.make("euler_maruyama", sde), target, [3], **marginal).max() > 1e-2


# Langevin


def settled_variance(snr, dims, norm):
    """Variance of the chain's stationary law over that of its target, a standard normal of that many dimensions.

    A step e leaves the unadjusted chain 1 / (1 - e / 2), here 1 / (1 - snr^2), too wide. A sample's own norms add
    (dims + 2) / dims twice: the noise |z| z is as much wider than sqrt(dims) z, and a step that shrinks as
    1 / |s|^2 weights the law by |s|^2. The means over a batch do neither.
    """
    own = ((dims + 2) / dims) ** 2 if norm == "sample" else 1.0
    return own / (1.0 - snr**2)


@pytest.mark.parametrize("norm", ["sample", "batch"])
def test_langevin_keeps_the_marginal_and_finds_it(norm):
    sde = sdes.make("ve")
    target = Gaussian(sde, mean=0.7, std=0.5)
    kernel = kernels.make("langevin", sde, norm=norm)
    t = jnp.full(300, 0.5)
    mean, variance = (float(value) for value in target.moments(jnp.float32(0.5)))
    keys = sample_keys(jax.random.key(3), 300)

    @jax.jit
    def run(x):
        def step(x, i):
            return kernel.step(fold_in(keys, i), i, (), x, t, t, target.score)[1], None

        return jax.lax.scan(step, x, jnp.arange(100))[0]

    on_target = mean + variance**0.5 * normal(fold_in(keys, 1_000), (8, 7))
    for start in (on_target, 0.3 * on_target + 1.0):
        x = np.asarray(run(start), np.float64)
        assert x.mean() == pytest.approx(mean, abs=0.03 * variance**0.5)
        assert x.var() / variance == pytest.approx(settled_variance(0.16, 56, norm), abs=0.025)
