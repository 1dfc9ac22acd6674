"""What every surrogate of the registry must keep to; a new entry is tested without touching this file."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm, rankdata

from nag_jax.evaluators import analog_nasbench
from nag_jax.predictors import features
from nag_jax.spaces import NASBench201
from nag_jax.strategies import surrogates
from nag_jax.strategies.base import History
from nag_jax.strategies.surrogates.base import Data, make_data, padded_capacity
from nag_jax.strategies.surrogates.gaussian_process import NestedExpSquared
from nag_jax.system.errors import InputError

CAPACITY = 128
SPACE = NASBench201()


@pytest.fixture(scope="module")
def labelled():
    """All cells of the package's table, with normal scores of their accuracies."""
    table = analog_nasbench.load(space=SPACE)
    tokens = table.architectures()
    values = table(tokens)["baseline"]
    return tokens, norm.ppf((rankdata(values) - 0.5) / len(values)).astype(np.float32)


@pytest.fixture(scope="module", params=sorted(surrogates.REGISTRY))
def surrogate(request):
    return surrogates.make(request.param, SPACE)


def data_of(tokens, values, capacity=CAPACITY):
    n = len(tokens)
    padded = np.concatenate([tokens, np.repeat(tokens[:1], capacity - n, axis=0)])
    labels = np.zeros(capacity, np.float32)
    labels[:n] = values
    return Data(SPACE.encode(padded), jnp.asarray(labels), jnp.arange(capacity) < n)


@pytest.fixture(scope="module")
def fits(surrogate, labelled):
    """Five fits of 100 random labels each, with beliefs about 500 held-out cells."""
    tokens, values = labelled
    fit, predict = jax.jit(surrogate.fit), jax.jit(surrogate.predict)
    found = []
    for seed in range(5):
        rows = np.random.default_rng(seed).permutation(len(tokens))[:600]
        known, held_out = rows[:100], rows[100:]
        posterior = fit(jax.random.key(seed), data_of(tokens[known], values[known]))
        mean, std = map(np.asarray, predict(posterior, SPACE.encode(tokens[held_out])))
        found.append((values[held_out], mean, np.hypot(std, float(surrogate.noise(posterior)))))
    return found


@pytest.mark.parametrize(("confidence", "tolerance"), [(0.5, 0.15), (0.8, 0.12), (0.95, 0.12)])
def test_central_intervals_cover_what_they_say(fits, confidence, tolerance):
    """Within a tolerance: errors have heavier tails than normal ones, so the middle is covered a little too often."""
    inside = [np.abs(value - mean) < norm.ppf((1 + confidence) / 2) * std for value, mean, std in fits]
    assert abs(np.mean(inside) - confidence) < tolerance


def test_predictions_rank_held_out_cells(fits):
    correlations = [np.corrcoef(rankdata(value), rankdata(mean))[0, 1] for value, mean, _ in fits]
    assert np.mean(correlations) > 0.8


def test_padding_does_not_count(labelled):
    tokens, values = labelled[0][:20], labelled[1][:20]
    surrogate = surrogates.make("gaussian_process", SPACE)
    x = SPACE.encode(labelled[0][20:40])
    small, large = (
        surrogate.predict(surrogate.fit(jax.random.key(0), data_of(tokens, values, capacity)), x)
        for capacity in (20, 64)
    )
    for a, b in zip(small, large, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_compiled_once_as_labels_grow(surrogate, labelled):
    tokens, values = labelled
    traces = []

    @jax.jit
    def believe(key, data, x):
        traces.append(None)
        return surrogate.predict(surrogate.fit(key, data), x)

    x = SPACE.encode(tokens[:8])
    history = History.empty(SPACE)
    for n in (5, 17, 40, 64):
        history = history.add(SPACE, tokens[len(history) : n], values[len(history) : n, None])
        data = surrogates.make_data(SPACE, history, labels="z", least=64)
        believe(jax.random.key(n), data, x)
    assert len(traces) == 1


def test_knows_what_it_was_told_better_than_the_rest(surrogate, labelled):
    tokens, values = labelled[0][:60], labelled[1][:60]
    posterior = surrogate.fit(jax.random.key(0), data_of(tokens, values, 64))
    told = surrogate.predict(posterior, SPACE.encode(tokens))
    rest = surrogate.predict(posterior, SPACE.encode(labelled[0][100:400]))
    assert np.mean(told[1]) < np.mean(rest[1])
    assert np.corrcoef(told[0], values)[0, 1] > 0.9


def test_differentiable_in_relaxed_x(surrogate, labelled):
    tokens, values = labelled[0][:30], labelled[1][:30]
    posterior = surrogate.fit(jax.random.key(0), data_of(tokens, values, 64))
    x = 0.5 * SPACE.encode(labelled[0][40:44])
    gradient = jax.grad(lambda x: sum(part.sum() for part in surrogate.predict(posterior, x)))(x)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_equal_labels_and_failed_ones_are_no_trouble(surrogate, labelled):
    values = np.array([1.0, np.nan, 1.0, 1.0])
    history = History.empty(SPACE).add(SPACE, labelled[0][:4], values[:, None])
    data = surrogates.make_data(SPACE, history, labels="regret", least=8)
    assert int(data.mask.sum()) == 3
    mean, std = surrogate.predict(surrogate.fit(jax.random.key(0), data), data.x)
    assert np.isfinite(mean).all()
    assert (np.asarray(std) > 0).all()


@pytest.mark.parametrize("trend", [0, 2])
def test_the_kernel_matrix_is_the_kernel_of_pairs(trend):
    rng = np.random.default_rng(0)
    a, b = (tuple(jnp.asarray(rng.normal(size=(n, size))) for size in (3, 2, trend)) for n in (4, 5))
    kernel: Any = NestedExpSquared(jnp.array([0.5, 2.0]), jnp.array([0.3, 0.1]))
    rows, columns = list(zip(*a, strict=True)), list(zip(*b, strict=True))
    pairs = [[kernel.evaluate(row, column) for column in columns] for row in rows]
    np.testing.assert_allclose(kernel(a, b), pairs, rtol=1e-4)
    np.testing.assert_allclose(kernel(a), np.diag(kernel(a, a)), rtol=1e-5)


def test_capacities_double():
    assert [padded_capacity(n, 64) for n in (1, 64, 65, 128, 129, 300)] == [64, 64, 128, 128, 256, 512]


def test_a_prior_is_believed_without_labels_of_its_own_and_unlearned_where_it_misleads():
    tokens = np.asarray(SPACE.random(jax.random.key(0), 40))
    convolutions = (SPACE.to_ops(tokens) == 3).sum(axis=1).astype(float)

    def prior(x):
        return (x[:, :, 5].sum(axis=1, keepdims=True) + 6.0) / 2.0 - 1.2

    model = surrogates.make("gaussian_process", SPACE, prior=prior)
    new = np.asarray(SPACE.random(jax.random.key(1), 60))
    good = np.asarray(prior(SPACE.encode(new)))[:, 0]
    few = History.empty(SPACE).add(SPACE, tokens[:3], convolutions[:3, None])
    many = History.empty(SPACE).add(SPACE, tokens, -convolutions[:, None])
    for history, sign in ((few, 1), (many, -1)):
        posterior = model.fit(jax.random.key(2), make_data(SPACE, history, labels="z", least=64))
        assert sign * np.corrcoef(model.predict(posterior, SPACE.encode(new))[0], good)[0, 1] > 0.6


def test_labels_are_expected_to_depart_from_a_prior_along_its_directions():
    """Three labels that contradict the belief along one direction are enough to follow it."""

    def counts(x):
        return ((x + 1.0) / 2.0).sum(axis=1)

    def belief(x):
        return counts(x)[:, 5:6] - 1.2

    def direction(x):
        return counts(x)[:, 3:4] - counts(x)[:, 4:5]

    x = SPACE.encode(SPACE.random(jax.random.key(0), 60))
    truth = np.asarray(belief(x) + 1.5 * direction(x))[:, 0]
    labelled = np.argsort(np.asarray(direction(x))[:, 0])[[0, 30, 59]]
    data = Data(x[labelled], jnp.asarray(truth[labelled]), jnp.ones(3, bool))
    correlations = []
    for prior in (belief, lambda x: jnp.concatenate([belief(x), direction(x)], axis=1)):
        model = surrogates.make("gaussian_process", SPACE, prior=prior)
        mean = model.predict(model.fit(jax.random.key(1), data), x)[0]
        correlations.append(np.corrcoef(mean, truth)[0, 1])
    assert correlations[1] > max(0.9, correlations[0] + 0.1)


def test_a_trend_extrapolates_beyond_what_was_labelled():
    """Told the worst third of a linear objective, it orders the best third, where the kernel alone has forgotten."""
    x = SPACE.encode(SPACE.random(jax.random.key(0), 120))
    summaries = features.make("path_profile", SPACE)(x)
    values = np.asarray(summaries @ jnp.linspace(1.0, 2.0, summaries.shape[1]))
    order = np.argsort(values)
    worst, best = order[:40], order[-40:]
    data = Data(x[worst], jnp.asarray((values[worst] - values[worst].mean()) / values[worst].std()), jnp.ones(40, bool))
    correlations = []
    for trend in (None, ()):
        model = surrogates.make("gaussian_process", SPACE, trend=trend)
        mean = model.predict(model.fit(jax.random.key(1), data), x[best])[0]
        correlations.append(np.corrcoef(mean, values[best])[0, 1])
    assert correlations[0] > max(0.5, correlations[1] + 0.4)


def test_unknown_names_and_options():
    with pytest.raises(InputError, match="unknown surrogate"):
        surrogates.make("forest", SPACE)
    with pytest.raises(InputError, match="no option"):
        surrogates.make("gaussian_process", SPACE, depth=3)
