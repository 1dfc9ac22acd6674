"""The meta-predictor learns what differs between data sets, and is the projected process that it says it is."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.datasets.base import single
from nag_jax.datasets.triples import join, task_table
from nag_jax.predictors.meta_gaussian_process import Contexts, Inputs, MetaGaussianProcess, _kernel, _take

SMALL: dict[str, Any] = {"subset": 100, "num_steps": 30}


def made_triples(space, n=60, noise=0.05):
    """Four data sets in two pairs: many convolutions are good in one pair and bad in the other."""
    tokens = np.asarray(space.random(jax.random.key(0), n))
    score = (space.to_ops(tokens) == 3).sum(axis=1) - 1.2
    rng = np.random.default_rng(0)
    places = {"a": (0.0, 0.0), "b": (0.1, 0.0), "c": (3.0, 3.0), "d": (3.1, 3.0)}
    values = {name: (tokens, (1 if name in "ab" else -1) * score + noise * rng.standard_normal(n)) for name in places}
    return join(values, {name: single(name, np.array(place)) for name, place in places.items()})


@pytest.fixture(scope="module")
def fitted(nb201):
    triples = made_triples(nb201)
    table = task_table(triples)
    process = MetaGaussianProcess(nb201, **SMALL)
    rows = triples.task != 1
    labels = triples.values / triples.values.std()
    params = process.fit(jax.random.key(1), triples.tokens[rows], triples.task[rows], labels[rows], table)
    return process, params, table


def test_a_new_data_set_is_predicted_by_those_like_it(fitted, nb201):
    process, params, table = fitted
    tokens = np.asarray(nb201.random(jax.random.key(5), 100))
    good = (nb201.to_ops(tokens) == 3).sum(axis=1)
    x, t = nb201.encode(tokens), jnp.zeros(100)
    like_a, like_c = (process.apply(params, x, t, process.embed(params, *table.of(i)))[:, 0, 0] for i in (1, 3))
    assert np.corrcoef(like_a, good)[0, 1] > 0.8
    assert np.corrcoef(like_c, good)[0, 1] < -0.8


def test_with_all_triples_inducing_it_is_the_exact_process(fitted, nb201):
    process, params, table = fitted
    triples = made_triples(nb201)
    everything = Inputs(params.architectures, params.contexts)
    own = _take(everything, params.architecture, params.task)
    covariance = np.asarray(_kernel(params.hyperparameters, own, own), np.float64)
    # The labels of the inducing triples, found again by architecture and task.
    rows = triples.task != 1
    distinct = np.unique(triples.tokens[rows], axis=0)
    label_of = {
        (tuple(tokens), task): value
        for tokens, task, value in zip(triples.tokens, triples.task, triples.values / triples.values.std(), strict=True)
    }
    architectures = distinct[np.asarray(params.architecture)]
    labels = np.array([label_of[tuple(a), t] for a, t in zip(architectures, params.task.tolist(), strict=True)])
    noise = float(jnp.exp(params.hyperparameters.noise))
    exact = covariance @ np.linalg.solve(covariance + noise * np.eye(len(labels)), labels)
    contexts = jnp.stack([process.embed(params, *table.of(i)) for i in range(4)])
    x = nb201.encode(architectures)
    found = np.stack([process.apply(params, x, jnp.zeros(len(x)), c)[:, 0, 0] for c in contexts])
    np.testing.assert_allclose(found[params.task, np.arange(len(x))], exact, atol=0.02)


def test_the_kernel_is_positive_definite(fitted):
    _, params, _ = fitted
    own = _take(Inputs(params.architectures, params.contexts), params.architecture, params.task)
    covariance = np.asarray(_kernel(params.hyperparameters, own, own), np.float64)
    assert np.linalg.eigvalsh(covariance).min() > -1e-3


def test_a_fit_repeats_itself(nb201):
    triples = made_triples(nb201, n=20)
    one, other = (
        MetaGaussianProcess(nb201, **SMALL).fit(
            jax.random.key(0), triples.tokens, triples.task, triples.values, task_table(triples)
        )
        for _ in range(2)
    )
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_fewer_inducing_triples_still_predict(nb201):
    triples = made_triples(nb201)
    table = task_table(triples)
    process = MetaGaussianProcess(nb201, inducing=80, **SMALL)
    reports = []
    params = process.fit(
        jax.random.key(0),
        triples.tokens,
        triples.task,
        triples.values,
        table,
        progress=lambda done, total: reports.append((done, total)),
    )
    assert len(params.weights) == 80
    assert reports[-1] == (31, 31)
    tokens = np.asarray(nb201.random(jax.random.key(5), 100))
    context = process.embed(params, *table.of(0))
    predicted = process.apply(params, nb201.encode(tokens), jnp.zeros(100), context)[:, 0, 0]
    assert np.corrcoef(predicted, (nb201.to_ops(tokens) == 3).sum(axis=1))[0, 1] > 0.7


def test_the_order_of_classes_and_items_does_not_count(fitted):
    process, params, _ = fitted
    rng = np.random.default_rng(0)
    features, mask = rng.standard_normal((3, 4, 2)).astype(np.float32), np.ones((3, 4), bool)
    mask[1, 2:] = False
    shuffled = features[[2, 0, 1]][:, [1, 0, 3, 2]], mask[[2, 0, 1]][:, [1, 0, 3, 2]]
    np.testing.assert_allclose(
        process.embed(params, features, mask), process.embed(params, *shuffled), rtol=1e-5, atol=1e-6
    )


def test_it_guides_relaxed_architectures(fitted, nb201):
    process, params, table = fitted
    context = process.embed(params, *table.of(0))
    x = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (4, *nb201.allowed.shape)), jnp.float32)
    slope = jax.grad(lambda x: process.apply(params, x, jnp.zeros(4), context).sum())(x)
    assert np.isfinite(slope).all()
    assert np.abs(slope).max() > 0


def test_profiles_are_near_one_for_the_data_set_itself(fitted):
    _, params, _ = fitted
    assert isinstance(params.contexts, Contexts)
    profiles = np.asarray(params.contexts.profiles * params.scaling.spread[1])
    np.testing.assert_allclose(profiles.diagonal(), 1.0, atol=1e-3)
    assert profiles[0, 1] > 0.5 > profiles[0, 2]
