"""Pareto guidance: aims, their chances, and pools that follow them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.generators.contract import Beliefs, sample
from nag_jax.generators.exact import ClosedForm, exact
from nag_jax.generators.gaussian import kernels, sde
from nag_jax.guidance import pareto
from nag_jax.guidance.refine import refined
from nag_jax.system.keys import sample_keys

SPACE = spaces.make("nasbench201")
ESTIMATES = pareto.Estimates(SPACE, (lambda known, x: (known * x[:, 1:-1, 4].sum(1), jnp.full(x.shape[0], 0.1)),))


def arguments(aims, scale=1.0):
    """Two objectives: nodes with class 4, less learned than known, and nodes with class 5, a sum."""
    table = np.zeros((1, *SPACE.allowed.shape), np.float32)
    table[:, :, 5] = 1.0
    return {
        "learned": (np.float32(0.5),),
        "constants": np.zeros(1, np.float32),
        "tables": table,
        "errors": np.zeros(1, np.float32),
        "aims": np.asarray(aims, np.float32),
        "scale": np.float32(scale),
        "softness": np.full(2, 0.05, np.float32),
        "progress": np.linspace(0, 1, 3, dtype=np.float32),
        "spread": np.array([[1.0], [0.5], [0.01]], np.float32),
    }


def test_preferences_cover_the_simplex():
    points = pareto.das_dennis(3, 12)
    assert points.shape == (91, 3)
    assert np.allclose(points.sum(axis=1), 1)
    assert len(np.unique(points, axis=0)) == 91


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_a_share_of_the_reference_exceeds_an_aim(share):
    values = np.random.default_rng(0).normal(size=(4000, 3))
    preferences = pareto.das_dennis(3, 4)
    aims = pareto.achievement(values, preferences, np.full(len(preferences), share), values.min(axis=0))
    exceeded = (values[:, None] > aims[None]).all(axis=2).mean(axis=0)
    assert np.allclose(exceeded, share, atol=0.003)


def test_no_target_lies_below_the_bounds():
    values = np.random.default_rng(0).random((500, 2))
    worst = np.array([0.4, 0.0])
    assert (pareto.achievement(values, pareto.das_dennis(2, 4), np.full(5, 0.1), worst) >= worst).all()
    assert (pareto.epsilon_constraint(values, np.full(9, 0.1), worst) >= worst).all()


def test_points_between_the_corners_of_the_hull_are_reached():
    values = np.array([[0.0, 1.0], [0.4, 0.4], [1.0, 0.0]])  # no linear sum prefers the middle one
    aims = pareto.achievement(values, np.array([[0.5, 0.5]]), np.array([0.0]), np.zeros(2))
    assert (values >= aims - 1e-9).all(axis=1).tolist() == [False, True, False]


def test_the_chance_is_that_of_independent_normals():
    draws = np.random.default_rng(0).normal([1.0, 2.0], [0.5, 1.0], size=(200_000, 2))
    chance = np.exp(pareto.log_chance(jnp.array([[1.0, 2.0]]), jnp.array([[0.5, 1.0]]), jnp.array([1.2, 1.0])))
    assert float(chance[0]) == pytest.approx((draws > [1.2, 1.0]).all(axis=1).mean(), abs=5e-3)


def test_a_sample_s_aim_depends_on_its_key_alone():
    args = arguments(np.arange(14.0).reshape(7, 2))
    keys = sample_keys(jax.random.key(0), 500)
    drawn = np.asarray(pareto.draw_aims(keys, args)["aim"])
    assert np.array_equal(drawn[100:200], pareto.draw_aims(keys[100:200], args)["aim"])
    counts = np.unique(drawn[:, 0], return_counts=True)[1]
    assert len(counts) == 7
    assert counts.min() > 40


def test_a_cost_bends_beliefs_by_its_exact_moments():
    """Given that one node is decided, the chance of the others' sum follows by central limit of their moments."""
    args = arguments([[-9.0, 3.0]]) | {"aim": np.array([[-9.0, 3.0]], np.float32)}
    beliefs = Beliefs(
        jnp.log(jnp.where(SPACE.allowed, 1.0 / SPACE.allowed.sum(1, keepdims=True), 0.0))[None], jnp.zeros(1)
    )
    bent, _ = pareto.aim_guide(ESTIMATES).update(beliefs, (), keys=None, args=args)
    odds = np.asarray(bent.logits[0, 1, 5] - bent.logits[0, 1, 3])
    mean, var = 5 * 0.2, 5 * 0.2 * 0.8
    width = 0.7 * np.sqrt(var + 0.05**2)
    chance = [jax.scipy.stats.norm.logcdf((mean + own - 3.0) / width) for own in (1.0, 0.0)]
    assert odds == pytest.approx(float(chance[0] - chance[1]), abs=1e-3)


def test_guided_and_refined_pools_follow_the_exact_tilt():
    aims = [[2.4, -1.0], [-9.0, 4.9]]  # nearly all nodes of class 4, or nearly all of class 5
    args = arguments(aims)
    model = ClosedForm(SPACE, sde.make("ve"))
    generator = exact(model, [kernels.make("ancestral", model.sde)])
    generator = pareto.with_own(refined(generator, SPACE, pareto.aim_tilt(ESTIMATES), sweeps=2))
    guide = pareto.aim_guide(ESTIMATES)
    draw = jax.jit(lambda keys, args: sample(generator, {}, keys, num_steps=5, guide=guide, args=args))
    keys = sample_keys(jax.random.key(0), 400)
    samples = draw(keys, args)
    assert bool(samples.valid.all())
    tokens = np.asarray(samples.tokens)
    aim = np.asarray(pareto.draw_aims(keys, args)["aim"])
    fours, fives = (tokens[:, 1:-1] == 4).sum(1), (tokens[:, 1:-1] == 5).sum(1)
    assert fives[aim[:, 1] > 0].mean() > 4.5
    assert fours[aim[:, 1] < 0].mean() > 4.2
    every = SPACE.all_tokens()
    means, deviations = (np.asarray(each) for each in ESTIMATES(args, SPACE.encode(every)))
    rows = pareto.exact_draws(0, means, np.hypot(deviations, args["softness"]), args["aims"], 4000)
    oracle = (every[rows][:, 1:-1] == 5).sum(1)
    assert abs(fives.mean() - oracle.mean()) < 0.35
