"""A meta-predictor: a Gaussian process over architectures and data sets, learned from triples.

Its kernel is

    k(x, x') (1 + u r(c, c')) + v_0 + v_1 <c, c'> + v_2 r(c, c')

where k is a linear kernel on coarse features of architectures plus the nested one of `surrogates.gaussian_process`, c
the mean vector of a data set's classes, and r how much two data sets' classes are alike. So what holds for
architectures everywhere is shared by all data sets, what differs is shared by similar ones (u), and the rest says how
hard a data set is. Hyperparameters maximise the marginal likelihood of random subsets of the triples. The posterior
mean is that of the projected process (Seeger et al., AISTATS 2003; Quinonero-Candela and Rasmussen, JMLR 2005, section
5): it learns from all triples, and a prediction costs as much as there are inducing ones.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.linalg
from jax import Array

from nag_jax.datasets.triples import TaskTable
from nag_jax.predictors import features as feature_functions
from nag_jax.predictors.features import square_distances
from nag_jax.predictors.meta_kernel import Architectures, Contexts, Hyperparameters, Inputs, Params, Scaling
from nag_jax.spaces import NodeSpace
from nag_jax.system import interrupts

Progress = Callable[[int, int], None]
"""Called with the parts done and the parts in all."""

_JITTER = 1e-4
_BLOCK = 2048
_PRIOR_STD = 2.0
"""Of the logarithms of hyperparameters, around where they start."""


class MetaGaussianProcess:
    """The process over a space's architectures; what a fit finds is in its `Params`.

    Args:
        space: the space of the architectures.
        linear: names of `features.REGISTRY` for the linear kernel; None for those of `features.for_transfer`.
        groups: names for the nested kernel, from coarse to fine; None for those of `features.for_transfer`.
        most_triples: so many are learned from, chosen at random.
        inducing: so many of them are inducing.
        subset: triples whose marginal likelihood a step of Adam takes.
        num_steps: the number of steps of Adam.
        learning_rate: the learning rate of Adam, in logarithms of the hyperparameters.
        class_length: distance at which classes are still alike, in root mean squares of that between known classes.
    """

    def __init__(
        self,
        space: NodeSpace,
        *,
        linear: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        most_triples: int = 20_000,
        inducing: int = 5000,
        subset: int = 1000,
        num_steps: int = 60,
        learning_rate: float = 0.1,
        class_length: float = 0.25,
    ):
        coarse, nested = feature_functions.for_transfer(space)
        self._space = space
        self._linear = [feature_functions.make(name, space) for name in linear or coarse]
        self._groups = [feature_functions.make(name, space) for name in groups or nested]
        self._most, self._inducing, self._subset = most_triples, inducing, subset
        self._num_steps, self._optimizer = num_steps, optax.adam(learning_rate)
        self._class_length = class_length

    def fit(
        self,
        key: Array,
        tokens: np.ndarray,
        task: np.ndarray,
        labels: np.ndarray,
        table: TaskTable,
        *,
        progress: Progress | None = None,
    ) -> Params:
        """Learns from R triples; the same key and triples give the same parameters.

        Args:
            key: the key of the random subsets.
            tokens: architectures `[R, N]`.
            task: the data set of each, `[R]`.
            labels: the triples' labels `[R]`, of standard deviation about 1; higher is better.
            table: what the data sets look like.
            progress: called after each part.
        """
        order_key, subset_key = jax.random.split(key)
        rows = np.asarray(jax.random.permutation(order_key, len(tokens)))[: self._most]
        distinct, architecture = np.unique(tokens[rows], axis=0, return_inverse=True)
        task, labels = task[rows], np.asarray(labels, np.float32)[rows]

        linear, groups = self._embed(distinct)
        scaling = _measure(linear, groups, table, np.unique(task), self._class_length)
        everything = Inputs(
            _in_units(scaling, linear, groups),
            jax.lax.map(lambda i: _context(scaling, *table.of(i)), jnp.arange(len(table.rows), dtype=jnp.int32)),
        )
        total = self._num_steps + -(-len(rows) // _BLOCK)
        report = (lambda done: None) if progress is None else (lambda done: progress(done, total))

        def take(rows):
            return _take(everything, jnp.asarray(architecture)[rows], jnp.asarray(task)[rows])

        found = self._maximize(subset_key, take, labels, report)
        chosen = slice(0, self._inducing)
        weights = _project(found, take, labels, chosen, lambda block: report(self._num_steps + block))
        kept, architecture = np.unique(architecture[chosen], return_inverse=True)
        architectures = jax.tree.map(lambda leaf: leaf[kept], everything.architectures)
        rows = jnp.asarray(architecture), jnp.asarray(task[chosen])
        return Params(found, scaling, architectures, everything.contexts, *rows, weights)

    def embed(self, params: Params, features: Array, mask: Array) -> Array:
        """The context `[D]` of a data set with features `[C, I, F]` and mask `[C, I]`, to be computed once."""
        return jnp.concatenate(_context(params.scaling, features, mask))

    def apply(self, params: Params, x: Array, t: Array, context: Array) -> Array:
        """The posterior mean `[B, 1, 1]` of relaxed x `[B, N, V]` on one data set; t doesn't count."""
        split = params.scaling.centre.shape[0]
        similar, difficulty = _between(
            params.hyperparameters, Contexts(context[None, :split], context[None, split:]), params.contexts
        )
        # All inducing triples of an architecture share its kernel, so their weights can be summed first.
        weights = jax.ops.segment_sum(
            params.weights * similar[0, params.task], params.architecture, params.architectures.linear.shape[0]
        )
        architectures = _in_units(params.scaling, *self._features(x))
        mean = _alike(params.hyperparameters, architectures, params.architectures) @ weights
        return (mean + params.weights @ difficulty[0, params.task])[:, None, None]

    def _features(self, x: Array) -> tuple[Array, tuple[Array, ...]]:
        linear = jnp.concatenate([function(x) for function in self._linear], axis=1)
        return linear, tuple(function(x) for function in self._groups)

    def _embed(self, tokens: np.ndarray):
        embed = jax.jit(lambda tokens: self._features(self._space.encode(tokens)))
        starts = range(0, len(tokens), _BLOCK)
        pieces = [embed(np.resize(tokens[start : start + _BLOCK], (_BLOCK, tokens.shape[1]))) for start in starts]
        return jax.tree.map(lambda *parts: jnp.concatenate(parts)[: len(tokens)], *pieces)

    def _maximize(self, key, take, labels, report) -> Hyperparameters:
        centre = Hyperparameters(
            linear=jnp.log(0.3),
            variances=jnp.full(len(self._groups), jnp.log(0.3), jnp.float32),
            lengths=jnp.full(len(self._groups), jnp.log(1.5), jnp.float32),
            similar=jnp.log(0.3),
            difficulty=jnp.log(jnp.array([0.1, 0.1, 0.3], jnp.float32)),
            noise=jnp.log(0.3),
        )

        def loss(h, inputs, labels):
            deviations = jax.tree.leaves(jax.tree.map(jnp.subtract, h, centre))
            prior = sum((deviation**2).sum() for deviation in deviations) / (2.0 * _PRIOR_STD**2)
            noise = (jnp.exp(h.noise) + _JITTER) * jnp.eye(len(labels), dtype=jnp.float32)
            covariance = _kernel(h, inputs, inputs) + noise
            factor = jnp.linalg.cholesky(covariance)
            white = jax.scipy.linalg.solve_triangular(factor, labels, lower=True)
            return 0.5 * (white**2).sum() + jnp.log(jnp.diag(factor)).sum() + prior

        @jax.jit
        def step(h, state, key):
            rows = jax.random.choice(key, len(labels), (min(self._subset, len(labels)),), replace=False)
            updates, state = self._optimizer.update(jax.grad(loss)(h, take(rows), jnp.asarray(labels)[rows]), state)
            return optax.apply_updates(h, updates), state

        h, state, path = centre, self._optimizer.init(centre), []
        for i in range(self._num_steps):
            interrupts.check()
            h, state = step(h, state, jax.random.fold_in(key, i))
            path.append(h)
            report(i + 1)
        # The mean of the second half is free of most of the noise that random subsets bring.
        return jax.tree.map(lambda *values: jnp.stack(values).mean(axis=0), *path[len(path) // 2 :])


def _measure(linear, groups, table: TaskTable, present: np.ndarray, class_length: float) -> Scaling:
    classes = _class_vectors(table.features, table.items)
    length = class_length * jnp.sqrt(2.0 * classes.var(axis=0).sum())
    rows, mask = jnp.asarray(table.rows)[present], jnp.asarray(table.mask)[present]
    means = jax.vmap(_masked_mean)(classes[rows], mask)
    profiles = jax.lax.map(lambda pair: _profile(classes[pair[0]], pair[1], classes, length), (rows, mask))
    centre = means.mean(axis=0)
    spread = jnp.stack([((means - centre[None]) ** 2).sum(axis=1).mean(), (profiles**2).sum(axis=1).mean()])
    return Scaling(
        mean=linear.mean(axis=0),
        std=linear.std(axis=0) + 1e-3,
        squares=jnp.stack([2.0 * group.var(axis=0).sum() + 1e-6 for group in groups]),
        classes=classes,
        length=length,
        centre=centre,
        spread=jnp.sqrt(spread) + 1e-6,
    )


def _context(scaling: Scaling, features, mask) -> Contexts:
    """Means `[F]` and profile `[A]` of one data set."""
    classes, present = _class_vectors(features, mask), jnp.asarray(mask).any(axis=1)
    means = (_masked_mean(classes, present) - scaling.centre) / scaling.spread[0]
    return Contexts(means, _profile(classes, present, scaling.classes, scaling.length) / scaling.spread[1])


def _in_units(scaling: Scaling, linear, groups) -> Architectures:
    linear = (linear - scaling.mean[None]) / (scaling.std[None] * math.sqrt(linear.shape[1]))
    return Architectures(
        linear, tuple(group / jnp.sqrt(square) for group, square in zip(groups, scaling.squares, strict=True))
    )


def _take(everything: Inputs, architecture, task) -> Inputs:
    return Inputs(
        jax.tree.map(lambda leaf: leaf[architecture], everything.architectures),
        jax.tree.map(lambda leaf: leaf[task], everything.contexts),
    )


def _kernel(h: Hyperparameters, a: Inputs, b: Inputs) -> Array:
    """The kernel of two batches of triples, `[A, B]`."""
    similar, difficulty = _between(h, a.contexts, b.contexts)
    return _alike(h, a.architectures, b.architectures) * similar + difficulty


def _alike(h: Hyperparameters, a: Architectures, b: Architectures) -> Array:
    """The kernel k of architectures, `[A, B]`."""
    total, product = jnp.exp(h.linear) * a.linear @ b.linear.T, 1.0
    for one, other, variance, length in zip(a.groups, b.groups, h.variances, h.lengths, strict=True):
        product = product * jnp.exp(-0.5 * jnp.exp(-length) * square_distances(one, other))
        total = total + jnp.exp(variance) * product
    return total


def _between(h: Hyperparameters, a: Contexts, b: Contexts) -> tuple[Array, Array]:
    """Between two batches of data sets, what k is multiplied by and what is added to it, each `[A, B]`."""
    alike = a.profiles @ b.profiles.T
    constant, of_means, of_profiles = jnp.exp(h.difficulty)
    return 1.0 + jnp.exp(h.similar) * alike, constant + of_means * a.means @ b.means.T + of_profiles * alike


def _project(h: Hyperparameters, take, labels: np.ndarray, inducing: slice, report) -> Array:
    """Weights of the projected process: `(noise K_mm + K_mn K_nm)^-1 K_mn y`, by way of K_mm's Cholesky factor."""
    kernel = jax.jit(_kernel)
    centres = take(inducing)
    own = np.asarray(kernel(h, centres, centres), np.float64)
    factor = np.linalg.cholesky(own + _JITTER * np.eye(len(own)) * own.diagonal().mean())
    inner, outer = float(jnp.exp(h.noise)) * np.eye(len(own)), np.zeros(len(own))
    for i, start in enumerate(range(0, len(labels), _BLOCK)):
        interrupts.check()
        block = slice(start, start + _BLOCK)
        covariance = np.asarray(kernel(h, centres, take(block)), np.float64)
        white = scipy.linalg.solve_triangular(factor, covariance, lower=True)
        inner += white @ white.T
        outer += white @ labels[block]
        report(i + 1)
    solved = scipy.linalg.cho_solve(scipy.linalg.cho_factor(inner, lower=True), outer)
    return jnp.asarray(scipy.linalg.solve_triangular(factor, solved, lower=True, trans=1), jnp.float32)


def _class_vectors(features, mask) -> Array:
    """Means over items, `[C, F]`."""
    return jax.vmap(_masked_mean)(jnp.asarray(features), jnp.asarray(mask))


def _masked_mean(vectors, mask) -> Array:
    """The mean `[F]` of those of vectors `[M, F]` that mask `[M]` names; 0 where it names none."""
    weights = jnp.asarray(mask, vectors.dtype)
    return weights @ vectors / jnp.maximum(weights.sum(), 1.0)


def _profile(classes, present, known, length) -> Array:
    """How much of a data set is like each known class: the mean over its classes of `exp(-d^2 / 2 length^2)`, `[A]`."""
    return _masked_mean(jnp.exp(-0.5 * square_distances(classes, known) / length**2), present)
