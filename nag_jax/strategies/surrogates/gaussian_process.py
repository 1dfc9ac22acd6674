"""A Gaussian process on features of the relaxed architecture, with tinygp."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import tinygp
from jax import Array

from nag_jax.predictors import features
from nag_jax.predictors.features import square_distances
from nag_jax.spaces import NodeSpace
from nag_jax.strategies.surrogates.base import Surrogate

PriorFn = Callable[[Array], Array]
"""Relaxed x `[B, N, V]` -> `[B, 1 + K]`, differentiable in x: what is believed of them before any label, then K
directions in which the truth is expected to depart from it."""

_OFFSET_STD = 2.0
"""How far labels may lie from 0, or from the prior, on the whole, in their standard deviations."""
_PADDED_NOISE = 1e6
"""Variance of a padded label's noise: so large that the label says nothing."""
_JITTER = 1e-4
"""Least variance of a label's noise, in units of the labels' variance: enough for a Cholesky factor in float32."""


class Hyperparameters(NamedTuple):
    """Logarithms of what the marginal likelihood decides.

    Attributes:
        variances: the variances of the kernel's terms, `[G]`.
        lengths: squared length scales of the groups of features, `[G]`.
        noise: variance of a label's noise.
    """

    variances: Array
    lengths: Array
    noise: Array


class Posterior(NamedTuple):
    """A fitted Gaussian process.

    Attributes:
        hyperparameters: the hyperparameters at the maximum of their posterior density.
        features: the features of the labelled architectures, `[C, F_g]` for each group, and of their trend, `[C, L]`.
        weights: `(K + noise)^-1 values`, `[C]`.
        whitening: inverse Cholesky factor of K + noise, `[C, C]`.
    """

    hyperparameters: Hyperparameters
    features: tuple[Array, ...]
    weights: Array
    whitening: Array


class NestedExpSquared(tinygp.kernels.Kernel):
    """`<t, t'> + v_1 E_1 + v_2 E_1 E_2 + ...` on tuples of feature vectors, the last of which is t.

    `E_g = exp(-|f_g - f'_g|^2 / (2 length_g^2))`. Groups go from coarse to fine: architectures that differ in a coarse
    group share nothing of the finer ones.

    Attributes:
        variances: v, `[G]`.
        inverse_squares: `1 / length_g^2`, `[G]`.
    """

    variances: Array
    inverse_squares: Array

    def evaluate(self, X1, X2):
        """The kernel of two architectures' features."""
        return X1[-1] @ X2[-1] + self._nested([((a - b) ** 2).sum() for a, b in zip(X1[:-1], X2[:-1], strict=True)])

    def __call__(self, X1: Any, X2: Any = None) -> Any:
        """The matrix `[A, B]` of two batches, by one matrix product a group; the diagonal `[A]` of one batch."""
        if X2 is None:
            return self.variances.sum() + (X1[-1] ** 2).sum(axis=1)
        squares = [square_distances(a, b) for a, b in zip(X1[:-1], X2[:-1], strict=True)]
        return X1[-1] @ X2[-1].T + self._nested(squares)

    def _nested(self, squares):
        product, total = 1.0, 0.0
        for variance, weight, square in zip(self.variances, self.inverse_squares, squares, strict=True):
            product = product * jnp.exp(-0.5 * weight * square)
            total = total + variance * product
        return total


def gaussian_process(
    space: NodeSpace,
    *,
    groups: Sequence[str] | None = None,
    trend: Sequence[str] | None = None,
    num_steps: int = 40,
    learning_rate: float = 0.2,
    lengths: float = 3.0,
    noise: float = 0.02,
    prior: PriorFn | None = None,
) -> Surrogate:
    """A Gaussian process whose hyperparameters maximise the marginal likelihood (Rasmussen and Williams 2006, 5.8).

    Labels are `a + <c, trend features> + <b, prior(x)>` plus the process of the nested kernel, with a, c and b normal
    around 0, but the first of b around 1 (the same, 2.7): the trend extrapolates where the kernel only forgets, and a
    prior that misleads is unlearned. Broad log-normal priors (of one unit around the given values, one and a half for
    the noise) keep hyperparameters sensible where labels are few. Adam takes a fixed number of steps from the priors'
    centre, so a fit depends on the data alone.

    Args:
        space: the space of the architectures.
        groups: names of `features.REGISTRY`, from coarse to fine; None for `features.default`.
        trend: names of `features.REGISTRY` that labels are a linear function of; None for those of
            `features.for_trend`, or, with a prior, which says more, for none.
        num_steps: the number of steps of Adam.
        learning_rate: the learning rate of Adam, in logarithms of the hyperparameters.
        lengths: the prior median of the length scales.
        noise: the prior median of the labels' noise variance; labels have variance 1.
        prior: what is believed before any label, in standard deviations over the space, and how that may vary.
    """
    functions = [features.make(name, space) for name in groups or features.default(space)]
    if trend is None:
        trend = features.for_trend(space) if prior is None else ()
    trend_of = _trend(space, trend, prior)
    centre = Hyperparameters(
        variances=jnp.full(len(functions), -jnp.log(len(functions) / 2.0), jnp.float32),
        lengths=jnp.full(len(functions), 2.0 * jnp.log(lengths), jnp.float32),
        noise=jnp.log(jnp.asarray(noise, jnp.float32)),
    )
    optimizer = optax.adam(learning_rate)

    def embed(x):
        return *(function(x) for function in functions), trend_of(x)

    def expected(embedded):
        return 0.0 if prior is None else embedded[-1][:, 0]

    def fit(key, data):
        embedded = embed(data.x)
        data = data._replace(values=jnp.where(data.mask, data.values - expected(embedded), 0.0))
        objective = functools.partial(_loss, centre=centre, embedded=embedded, data=data)

        def step(carry, _):
            hyperparameters, state = carry
            updates, state = optimizer.update(jax.grad(objective)(hyperparameters), state)
            return (optax.apply_updates(hyperparameters, updates), state), None

        found: Any = jax.lax.scan(step, (centre, optimizer.init(centre)), length=num_steps)[0][0]
        process = _process(found, embedded, data.mask)
        whitening = process.solver.solve_triangular(jnp.eye(data.mask.shape[0], dtype=jnp.float32))
        return Posterior(found, embedded, whitening.T @ (whitening @ data.values), whitening)

    def predict(posterior, x):
        embedded, kernel = embed(x), _kernel(posterior.hyperparameters)
        covariance, variance = kernel(posterior.features, embedded), kernel(embedded)
        explained = ((posterior.whitening @ covariance) ** 2).sum(axis=0)
        return expected(embedded) + posterior.weights @ covariance, jnp.sqrt(
            jnp.maximum(variance - explained, 1e-6 * variance)
        )

    def noise_of(posterior):
        return jnp.sqrt(jnp.exp(posterior.hyperparameters.noise) + _JITTER)

    return Surrogate(fit, predict, noise_of)


def _trend(space: NodeSpace, names: Sequence[str], prior: PriorFn | None) -> features.FeatureFn:
    """What labels are a linear function of, with weights of variance 1: first the prior's belief."""
    parts: list[features.FeatureFn] = [] if prior is None else [prior]
    parts.append(lambda x: jnp.full((x.shape[0], 1), _OFFSET_STD, jnp.float32))
    if names:
        parts.append(features.standardized(names, space))
    return lambda x: jnp.concatenate([part(x) for part in parts], axis=1)


def _kernel(hyperparameters: Hyperparameters) -> NestedExpSquared:
    return NestedExpSquared(jnp.exp(hyperparameters.variances), jnp.exp(-hyperparameters.lengths))


def _process(hyperparameters: Hyperparameters, embedded, mask) -> tinygp.GaussianProcess:
    noise = jnp.where(mask, jnp.exp(hyperparameters.noise) + _JITTER, _PADDED_NOISE)
    return tinygp.GaussianProcess(_kernel(hyperparameters), embedded, diag=noise)


def _loss(hyperparameters: Hyperparameters, *, centre: Hyperparameters, embedded, data) -> Array:
    """Minus the logarithm of marginal likelihood times prior, up to a constant."""
    deviation = jax.tree.map(jnp.subtract, hyperparameters, centre)
    squares = (deviation.variances**2).sum() + (deviation.lengths**2).sum() + (deviation.noise / 1.5) ** 2
    return 0.5 * squares - _process(hyperparameters, embedded, data.mask).log_probability(data.values)
