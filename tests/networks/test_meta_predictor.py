"""Encoder and predictor learn together from triples, noise-aware or not, and the embedding is made once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_jax import predictors as models
from nag_jax.datasets.base import single
from nag_jax.datasets.triples import join, task_table
from nag_jax.fitting.fit import fit
from nag_jax.generators.gaussian import sde
from nag_jax.networks import set_encoder
from nag_jax.predictors.fit import meta_loss
from nag_jax.predictors.meta_predictor import meta_predictor
from nag_jax.predictors.views import clean_view, noised_view
from nag_jax.system import parallel


def make(space, *, noise_aware, encoder="mean"):
    predictor = models.make(
        "directional_gcn",
        adjacency=space.adjacency,
        num_classes=space.num_classes,
        width=16,
        num_layers=2,
        noise_aware=noise_aware,
        context=jnp.zeros(8),
    )
    return meta_predictor(set_encoder.make(encoder, (2,), width=8), predictor)


@pytest.mark.parametrize("noise_aware", [False, True])
def test_it_learns_that_data_sets_differ(nb201, noise_aware):
    tokens = np.asarray(nb201.random(jax.random.key(0), 200))
    score = (nb201.to_ops(tokens) == 3).sum(axis=1) - 1.2
    triples = join(
        {"a": (tokens, score), "b": (tokens, -score)},
        {"a": single("a", np.array([1.0, 0.0])), "b": single("b", np.array([0.0, 1.0]))},
    )
    table, meta = task_table(triples), make(nb201, noise_aware=noise_aware)
    process = sde.make("ve", sigma_min=0.01, sigma_max=0.1)
    view = noised_view(nb201, process) if noise_aware else clean_view(nb201)
    params = fit(
        meta.init,
        meta_loss(meta, view, batch_size=64),
        jax.random.key(1),
        (np.tile(tokens, (2, 1)), triples.values.astype(np.float32)[:, None], triples.task, table),
        optimizer=optax.adam(3e-3),
        num_steps=400,
        mesh=parallel.make_mesh(1),
        ema_decay=0.9,
    )
    new = np.asarray(nb201.random(jax.random.key(2), 100))
    good = (nb201.to_ops(new) == 3).sum(axis=1)
    for task, sign in ((0, 1), (1, -1)):
        context = meta.embed(params, *table.of(task))
        values = meta.apply(params, nb201.encode(new), jnp.full(100, 1e-5), context).mean(axis=(1, 2))
        assert sign * np.corrcoef(values, good)[0, 1] > 0.6


def test_one_context_and_one_for_each_architecture_agree(nb201):
    meta = make(nb201, noise_aware=True, encoder="set_transformer")
    params = meta.init(jax.random.key(0))
    context = meta.embed(params, jnp.ones((3, 2, 2)), jnp.ones((3, 2), bool))
    assert context.shape == (8,)
    x, t = nb201.encode(nb201.random(jax.random.key(1), 5)), jnp.linspace(0.1, 1.0, 5)
    np.testing.assert_allclose(
        meta.apply(params, x, t, context), meta.apply(params, x, t, jnp.tile(context, (5, 1))), rtol=1e-5, atol=1e-6
    )
