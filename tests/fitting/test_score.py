import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.contract import Generator
from nag_jax.generators.fit import batch_loss
from nag_jax.generators.gaussian import losses
from nag_jax.generators.gaussian.parametrization import denoiser_logits, denoiser_score
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

BATCH = 512


@pytest.fixture(scope="module")
def x0(nb201):
    return nb201.encode(nb201.random(jax.random.key(0), BATCH))


def test_a_new_denoiser_is_the_exact_posterior_of_uniform_cells(nb201, tiny_model, x0):
    """Its head starts at zero, so training on a whole space starts from the closed-form minimum of its loss."""
    model = tiny_model()
    exact = denoiser_logits(lambda x, condition: jnp.zeros_like(x), model.sde, nb201.allowed)
    key = jax.random.key(3)
    keys = sample_keys(jax.random.split(key)[1], BATCH)

    @jax.jit
    def run():
        params = model.init(jax.random.key(0))
        x, t, _ = losses.perturb(keys, x0, model.sde)
        scores = model.score_fn(params)(x, t), denoiser_score(exact, model.sde)(x, t)
        matching = losses.score_matching(keys, model.score_fn(params), x0, model.sde)
        return scores, (model.loss(params, key, x0), losses.class_cross_entropy(keys, exact, x0, model.sde)), matching

    scores, entropies, matching = run()
    np.testing.assert_allclose(*scores, rtol=1e-3, atol=1e-3)
    assert entropies[0] == pytest.approx(float(entropies[1]), rel=1e-4)
    assert 0.1 < entropies[0] < 6 / 8 * np.log(5.0)  # that of a blind guess; fixed rows cost nothing
    assert matching == pytest.approx(0.0424, rel=0.15)  # the published minimum of score matching


def test_the_raw_score_is_trained_by_score_matching_and_sees_sigma(tiny_model, random_params, x0):
    model = tiny_model(parametrization="raw_score", head="concat")
    params = random_params(model.init)
    key = jax.random.key(3)
    keys = sample_keys(jax.random.split(key)[1], BATCH)

    def by_hand(params):
        x, t, noise = losses.perturb(keys, x0, model.sde)
        sigma = model.sde.sigma(t)
        return jnp.mean((sigma[:, None, None] * model.network.apply(params, x, sigma) + noise) ** 2)

    loss = jax.jit(model.loss)
    assert float(loss(params, key, x0)) == pytest.approx(float(jax.jit(by_hand)(params)), rel=1e-3)
    zero = jax.tree.map(jnp.zeros_like, params)
    assert float(loss(zero, key, x0)) == pytest.approx(1.0, abs=0.02)


def test_dropout_is_on_in_the_loss_alone(tiny_model, random_params, x0):
    """Parameters are random, since with a head of zeros dropout would change nothing."""
    models = tiny_model(dropout=0.5), tiny_model()
    params = random_params(models[0].init)
    x, t = x0[:2], jnp.array([0.3, 0.6])
    scores, found = jax.jit(
        lambda: (
            [model.score_fn(params)(x, t) for model in models],
            [model.loss(params, jax.random.key(1), x0[:8]) for model in models],
        )
    )()
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-4)
    assert abs(found[0] - found[1]) > 1e-3


def test_batches_come_from_the_data_anew_with_every_key(nb201):
    rows = []

    def note(params, key, tokens):
        jax.debug.callback(lambda tokens: rows.append(np.asarray(tokens)), tokens, ordered=True)
        return jnp.float32(0.0)

    data = nb201.random(jax.random.key(0), 20)
    loss = jax.jit(batch_loss(spy(note), batch_size=64))
    for seed in range(3):
        jax.block_until_ready(loss((), jax.random.key(seed), data))
    jax.effects_barrier()
    known = {tuple(row) for row in np.asarray(data).tolist()}
    assert all({tuple(row) for row in batch.tolist()} <= known for batch in rows)
    assert {tuple(row) for batch in rows for row in batch.tolist()} == known
    assert len({batch.tobytes() for batch in rows}) == 3


def spy(loss):
    """A generator that has a loss and nothing else."""
    return Generator(lambda key: (), loss, lambda *_: None, lambda *_: None)  # type: ignore[arg-type,return-value]


def test_an_unknown_parametrisation_gets_the_choices(tiny_model):
    with pytest.raises(InputError, match=r"unknown parametrization 'noise': use one of \('denoiser', 'raw_score'\)"):
        tiny_model(parametrization="noise")
