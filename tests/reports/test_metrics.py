import itertools
import math
import time

import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.contract import all_valid, read
from nag_jax.reports import metrics
from nag_jax.spaces import NASBench201
from nag_jax.system.errors import InputError

SPACE = NASBench201()


def cells(*ops):
    return SPACE.from_ops(np.array(ops))


def relaxed(tokens):
    return np.array(SPACE.encode(tokens))


NONE, SKIP, CONV1, CONV3, POOL = range(5)
FULL = (CONV3,) * 6
DEAD = (NONE,) * 6
SKIPPING = (NONE, NONE, NONE, SKIP, NONE, NONE)
"""Input straight to output."""
ALSO_SKIPPING = (CONV3, NONE, NONE, SKIP, NONE, NONE)
"""Another string that computes the same: the convolution leads nowhere."""


def test_pool_metrics_by_hand():
    x = relaxed(cells(FULL, FULL, SKIPPING, ALSO_SKIPPING, DEAD))
    found = metrics.pool_metrics(SPACE, read(SPACE, jnp.asarray(x)), training_tokens=cells(FULL, DEAD))
    assert found == metrics.PoolMetrics(
        samples=5,
        validity_threshold=1.0,
        validity_argmax=1.0,
        connectivity=4 / 5,
        distinct=4,
        distinct_share=4 / 5,
        distinct_canonical=3,
        novelty=2 / 4,
        diversity=found.diversity,
    )
    distances = [(a != b).sum() for a, b in itertools.combinations(cells(FULL, FULL, SKIPPING, ALSO_SKIPPING, DEAD), 2)]
    assert found.diversity == pytest.approx(np.mean(distances))


def test_validity_tells_the_two_rules_apart():
    x = relaxed(cells(FULL, FULL, FULL, FULL))
    x[1, 3] = -0.1  # no class above the threshold,
    x[1, 3, 4] = -0.05  # but a largest one
    x[2, 2, 3] = 0.5  # two classes above it
    x[3, 1] = -1.0
    x[3, 1, 0] = 1.0  # the input class where an operation belongs
    found = metrics.pool_metrics(SPACE, read(SPACE, jnp.asarray(x)))
    assert (found.validity_threshold, found.validity_argmax) == (1 / 4, 3 / 4)
    assert found.distinct == 2


def test_validity_by_threshold_is_never_above_argmax(rng):
    for scale in (0.1, 0.5, 1.0, 2.0):
        x = relaxed(SPACE.from_index(rng.integers(SPACE.size, size=200)))
        noised = jnp.asarray(x + scale * rng.normal(size=x.shape), jnp.float32)
        found = metrics.pool_metrics(SPACE, read(SPACE, noised))
        assert found.validity_threshold <= found.validity_argmax


def test_nothing_valid_leaves_no_shares():
    found = metrics.pool_metrics(SPACE, read(SPACE, jnp.asarray(-relaxed(cells(FULL)))), training_tokens=cells(DEAD))
    assert found == metrics.PoolMetrics(1, 0.0, 0.0, None, 0, None, 0, None, None)


def test_novelty_needs_a_held_out_split():
    assert metrics.pool_metrics(SPACE, all_valid(cells(FULL))).novelty is None
    assert metrics.pool_metrics(SPACE, all_valid(cells(FULL)), training_tokens=cells(FULL)).novelty == 0.0
    assert metrics.pool_metrics(SPACE, all_valid(cells(FULL)), training_tokens=cells(DEAD)).novelty == 1.0
    with pytest.raises(InputError, match=r"expected the shape \[M, 8\], found \[1, 6\]"):
        metrics.pool_metrics(SPACE, all_valid(cells(FULL)), training_tokens=np.zeros((1, 6), int))


def test_the_whole_space_has_its_known_counts():
    found = metrics.pool_metrics(SPACE, all_valid(SPACE.from_index(np.arange(SPACE.size))))
    assert (found.distinct, found.distinct_canonical) == (15625, 6466)
    assert found.connectivity == 1 - 341 / 15625
    assert found.diversity == pytest.approx(6 * 0.8 * 15625 / 15624)


def test_an_empty_pool_is_refused():
    with pytest.raises(InputError, match="empty pool"):
        metrics.pool_metrics(SPACE, all_valid(np.zeros((0, 8), np.int32)))


def test_a_large_pool_takes_seconds(rng):
    samples = all_valid(SPACE.from_index(rng.integers(SPACE.size, size=200_000)))
    start = time.perf_counter()
    metrics.pool_metrics(SPACE, samples, training_tokens=SPACE.from_index(np.arange(8000)))
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("high", [5, 300, 70_000], ids=["uint8", "uint16", "uint32"])
def test_distinct_finds_first_occurrences(high, rng):
    tokens = rng.integers(high - 2, high, size=(50, 3))
    seen, first = set(), []
    for i, row in enumerate(map(tuple, tokens)):
        if row not in seen:
            first.append(i)
            seen.add(row)
    assert metrics.distinct(tokens).tolist() == first


def test_distinct_of_nothing():
    assert metrics.distinct(np.zeros((0, 8), int)).tolist() == []


def test_expected_distinct_known_values():
    assert metrics.expected_distinct(15625, 1000) == pytest.approx(0.969, abs=5e-4)
    assert metrics.expected_distinct(15625, 1) == pytest.approx(1)
    assert metrics.expected_distinct(1, 4) == 1 / 4
    assert metrics.expected_distinct(2, 2) == pytest.approx(3 / 4)
    assert metrics.expected_distinct(5.0**40, 1000) == pytest.approx(1)


def test_expected_distinct_is_what_uniform_draws_show(rng):
    shares = [len(np.unique(rng.integers(500, size=300))) / 300 for _ in range(400)]
    assert np.mean(shares) == pytest.approx(metrics.expected_distinct(500, 300), abs=4 * float(np.std(shares)) / 20)


@pytest.mark.parametrize(("size", "n"), [(0, 1), (10, 0)])
def test_expected_distinct_needs_something_to_draw(size, n):
    with pytest.raises(InputError, match=f"size {size} and n {n}"):
        metrics.expected_distinct(size, n)


def test_pairwise_hamming_equals_the_sum_over_pairs(rng):
    tokens = rng.integers(0, 4, size=(30, 5))
    pairs = [(a != b).sum() for a, b in itertools.combinations(tokens, 2)]
    assert metrics.pairwise_hamming(tokens) == pytest.approx(np.mean(pairs))
    assert metrics.pairwise_hamming(rng.permutation(tokens)) == pytest.approx(np.mean(pairs))


def test_pairwise_hamming_at_its_ends():
    assert metrics.pairwise_hamming([[1, 2, 3]]) == 0
    assert metrics.pairwise_hamming([[1, 2, 3]] * 4) == 0
    assert metrics.pairwise_hamming([[0, 0, 0], [1, 1, 1]]) == 3
    with pytest.raises(InputError, match="no diversity"):
        metrics.pairwise_hamming(np.zeros((0, 3), int))


def test_quality():
    assert metrics.quality([1.0, 2.0, 6.0]) == metrics.Quality(max=6.0, mean=3.0, min=1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [([], "non-empty"), ([[1.0]], r"shape \[1, 1\]"), ([1.0, math.nan, math.inf], "2 of 3 are not finite")],
)
def test_bad_values_are_refused_in_one_line(values, message):
    with pytest.raises(InputError, match=message) as refusal:
        metrics.quality(values)
    assert "\n" not in str(refusal.value)


def test_top_means_by_hand():
    assert metrics.top_means([1.0, 4.0, 2.0]).tolist() == [4.0, 3.0, 7 / 3]
    assert metrics.top_means([1.0, 4.0, 2.0], [3.0, 1.0, 2.0]).tolist() == [1.0, 1.5, 7 / 3]


def test_top_means_share_ties_equally():
    assert metrics.top_means([1.0, 3.0, 8.0], [5.0, 5.0, 0.0]).tolist() == [2.0, 2.0, 4.0]
    with pytest.raises(InputError, match="found 2 for 3 values"):
        metrics.top_means([1.0, 2.0, 3.0], [1.0, 2.0])


VALUES, NOISE = np.random.default_rng(1).normal([[90], [0]], [[3], [2]], size=(2, 200))
PREDICTIONS = VALUES + NOISE


@pytest.mark.parametrize("k", [1, 7, 200])
def test_regret_is_zero_exactly_for_the_best(k, rng):
    best = np.sort(VALUES)[-k:]
    assert metrics.pool_regret(VALUES, rng.permutation(best)) == pytest.approx(0, abs=1e-12)
    if k < len(VALUES):
        worse = np.append(best[1:], VALUES.min())
        assert metrics.pool_regret(VALUES, worse) == pytest.approx((best[0] - VALUES.min()) / k)


def test_regret_by_hand():
    assert metrics.pool_regret([10.0, 20.0, 30.0, 40.0], [40.0, 10.0]) == 10.0


def test_guidance_gap_by_hand():
    values, predictions = [10.0, 20.0, 30.0, 40.0], [0.0, 0.9, 1.0, 0.5]
    assert metrics.guidance_gap(values, predictions, [30.0]) == 0.0
    assert metrics.guidance_gap(values, predictions, [10.0, 30.0]) == 5.0
    assert metrics.guidance_gap(values, predictions, [40.0, 30.0]) == -10.0


def test_gap_of_a_perfect_predictor_is_the_regret(rng):
    generated = rng.choice(VALUES, 20, replace=False)
    assert metrics.guidance_gap(VALUES, VALUES, generated) == metrics.pool_regret(VALUES, generated)


def test_gap_is_invariant_to_order_and_to_monotone_predictions(rng):
    generated = rng.choice(VALUES, 20, replace=False)
    gap = metrics.guidance_gap(VALUES, PREDICTIONS, generated)
    order = rng.permutation(len(VALUES))
    assert metrics.guidance_gap(VALUES[order], PREDICTIONS[order], generated[::-1]) == pytest.approx(gap)
    assert metrics.guidance_gap(VALUES, np.exp(PREDICTIONS / 50), generated) == pytest.approx(gap)
    rounded = np.round(PREDICTIONS)
    tied = metrics.guidance_gap(VALUES, rounded, generated)
    assert metrics.guidance_gap(VALUES[order], rounded[order], generated) == pytest.approx(tied)


def test_more_generated_than_there_are_is_refused():
    with pytest.raises(InputError, match="3 generated values in a space of 2"):
        metrics.pool_regret([1.0, 2.0], [1.0, 2.0, 2.0])
