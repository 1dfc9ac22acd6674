import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import kernels, sampler
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.guided import by_scores, plain
from nag_jax.generators.gaussian.parametrization import uniform_score
from nag_jax.generators.gaussian.score_guides import predictor_gradient
from nag_jax.system.keys import sample_keys

SAMPLES = 1_024
RUNS = [
    *((name, "ve", False) for name in sorted(kernels.REGISTRY) if name != "langevin"),
    ("ancestral", "sub_vp", True),
    ("dpm_solver", "vp", True),
    ("euler_maruyama", "ve", True),  # as published
    ("reverse_diffusion", "vp", True),
]


@pytest.mark.parametrize(("name", "sde_name", "corrected"), RUNS)
def test_twenty_steps_give_valid_and_distinct_cells(nb201, name, sde_name, corrected):
    sde = sdes.make(sde_name)
    chain = [kernels.make(name, sde)]
    if corrected:
        chain.insert(0, kernels.make("langevin", sde))
    score = plain(uniform_score(sde, nb201.allowed))
    draw = jax.jit(lambda keys: sampler.sample(keys, score, sde=sde, kernels=chain, shape=(8, 7), num_steps=20))
    x = draw(sample_keys(jax.random.key(0), SAMPLES))
    tokens, valid = nb201.decode(x)
    assert np.asarray(valid).all()
    assert np.asarray(nb201.decode(x, rule="threshold")[1]).all()
    # 1,024 uniform draws of 15,625 hold 96.8 % distinct ones.
    assert 0.954 <= len(set(nb201.to_native(tokens))) / SAMPLES <= 0.983


def test_guidance_tilts_the_distribution_by_the_exponential_of_its_value(nb201):
    """Value 1 for one operation on one edge, guided by its exact log-expectation given x_t.

    That operation's odds among the five become exp(scale) to one each, and the other edges stay uniform.
    """
    sde = sdes.make("ve")
    node, token = 3, 5
    score_fn, kernel = uniform_score(sde, nb201.allowed), kernels.make("ancestral", sde)

    @jax.jit
    def draw(keys, scale):
        def value_fn(x, t):
            logits = 2.0 * x[:, node, 2:] / sde.sigma(t)[:, None] ** 2
            return jnp.log1p(jax.nn.softmax(logits, axis=-1)[:, token - 2] * (jnp.exp(scale) - 1.0))

        score = by_scores(score_fn, predictor_gradient(value_fn=value_fn, scale=1.0))
        return sampler.sample(keys, score, sde=sde, kernels=[kernel], shape=(8, 7), num_steps=40)

    n = 3_000
    for scale in (1.5, -2.0):
        tokens = np.asarray(nb201.decode(draw(sample_keys(jax.random.key(1), n), scale))[0])
        share = np.exp(scale) / (np.exp(scale) + 4.0)
        found = (tokens[:, node] == token).mean()
        assert found == pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5)
        others = np.delete(tokens[:, 1:-1], node - 1, axis=1)
        assert (others == token).mean() == pytest.approx(0.2, abs=4 * (0.16 / others.size) ** 0.5)
