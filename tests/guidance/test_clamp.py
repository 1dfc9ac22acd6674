"""Completion: what is fixed is kept by every generator, and refining makes the rest exact."""

from typing import Any

import jax
import numpy as np

from nag_jax.generators.contract import sample
from nag_jax.generators.exact import ClosedForm, exact
from nag_jax.generators.gaussian import kernels, sde
from nag_jax.guidance.clamp import clamped
from nag_jax.guidance.refine import Tilt, refined
from nag_jax.spaces import DagSpace, restrict
from nag_jax.system.keys import sample_keys

NODES = {f"n{i}": ["a", "b", "c"] for i in range(6)}
N = 20_000


def third(tokens):
    """The classes add up to a multiple of three."""
    return tokens.sum(axis=1) % 3 != 1


SPACE: Any = DagSpace("third", nodes=NODES, edges=[("n0", "n5")], valid=third)
PART: Any = restrict(SPACE, fixed={"n0": "a", "n3": "b", "n4": "c"})


def of(space):
    model = ClosedForm(space, sde.make("ve"))
    return exact(model, [kernels.make("ancestral", model.sde)])


def value(x, args):
    """Prefers the third class, and two neighbours alike."""
    p = (x + 1.0) / 2.0
    return 0.7 * p[..., 2].sum(axis=-1) + (p[:, 1] * p[:, 2]).sum(axis=-1)


def variation(samples, tilt):
    """Total variation of the valid samples from the exact conditional."""
    tokens, every = np.asarray(samples.tokens)[np.asarray(samples.valid)], PART.all_tokens()
    logs = np.zeros(len(every)) if tilt.value is None else np.asarray(value(PART.encode(every), None), np.float64)
    p = np.exp(logs) / np.exp(logs).sum()
    numbers = {tuple(row): i for i, row in enumerate(every.tolist())}
    counts = np.bincount([numbers[tuple(row)] for row in tokens.tolist()], minlength=len(every))
    return np.abs(counts / counts.sum() - p).sum() / 2


def test_the_rest_follows_the_exact_conditional():
    tilt = Tilt(value)
    generator = refined(clamped(of(SPACE), PART), PART, tilt, sweeps=5, trades=3)
    found = jax.jit(lambda keys: sample(generator, {}, keys, num_steps=5))(sample_keys(jax.random.key(0), N))
    assert np.asarray(found.valid).mean() > 0.9
    assert variation(found, tilt) < 0.03


def test_the_closed_form_of_a_part_needs_no_refining():
    found = jax.jit(lambda keys: sample(of(PART), {}, keys, num_steps=20))(sample_keys(jax.random.key(0), N))
    assert np.asarray(found.valid).mean() > 0.995
    assert variation(found, Tilt()) < 0.03


def test_beliefs_are_clamped_and_a_whole_space_is_left_alone():
    generator = of(SPACE)
    assert clamped(generator, SPACE) is generator
    assert clamped(generator, PART) is clamped(generator, PART)
    tokens = PART.random(jax.random.key(0), 4)
    beliefs = clamped(generator, PART).believe({}, sample_keys(jax.random.key(1), 4), tokens)
    p = np.asarray(beliefs.probabilities())
    np.testing.assert_array_equal(p[:, 0], [[1.0, 0.0, 0.0]] * 4)
    assert np.isfinite(p).all()
