"""Augmentation of batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.training.augmentation import Batch, augment
from nag_jax.training.recipe import Augmentation

B = 64
INPUTS = jnp.asarray(np.random.default_rng(0).uniform(1.0, 2.0, (B, 6, 5, 3)), jnp.float32)
BATCH = Batch(INPUTS, jax.nn.one_hot(jnp.arange(B) % 4, 4))
KEY = jax.random.key(3)


def test_nothing_is_asked_for_nothing_is_done():
    found = augment(KEY, BATCH, Augmentation())
    jax.tree.map(np.testing.assert_array_equal, found, BATCH)


def test_a_flip_mirrors_about_half_of_the_images():
    found = np.asarray(augment(KEY, BATCH, Augmentation(flip=True)).inputs)
    same = (found == INPUTS).all(axis=(1, 2, 3))
    assert 0.25 < same.mean() < 0.75
    np.testing.assert_array_equal(found[~same], INPUTS[~same][:, :, ::-1])


def test_a_crop_shifts_and_fills_with_the_mean():
    found = np.asarray(augment(KEY, BATCH, Augmentation(crop=1)).inputs)
    padded = np.pad(INPUTS, ((0, 0), (1, 1), (1, 1), (0, 0)))
    seen = set()
    for i in range(B):
        fits = [(y, x) for y in range(3) for x in range(3) if (padded[i, y : y + 6, x : x + 5] == found[i]).all()]
        assert len(fits) == 1
        seen |= set(fits)
    assert len(seen) == 9


def test_a_series_is_shifted_along_its_length_alone():
    series = Batch(INPUTS[:, :, :1], BATCH.targets)
    found = np.asarray(augment(KEY, series, Augmentation(crop=2)).inputs)
    assert found.shape == (B, 6, 1, 3)
    assert (found[:, 2:4] > 0).all()


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_cutout_is_a_square_of_that_side(side):
    found = np.asarray(augment(KEY, BATCH, Augmentation(cutout=side)).inputs[..., 0])
    sizes = (found == 0).sum(axis=(1, 2))
    assert sizes.max() == side**2
    assert sizes.min() >= 1
    np.testing.assert_array_equal(found[found != 0], np.asarray(INPUTS[..., 0])[found != 0])


def test_mixup_mixes_examples_and_targets_by_the_same_share():
    found = augment(KEY, BATCH, Augmentation(mixup=1.0))
    share = float(found.targets[0, 0])
    assert 0 < share < 1
    np.testing.assert_allclose(found.targets.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.inputs, share * INPUTS + (1 - share) * np.roll(INPUTS, 1, axis=0), rtol=1e-5)
