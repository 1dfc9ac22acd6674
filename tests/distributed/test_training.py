import jax
import numpy as np
import optax
import pytest

from nag_jax import spaces
from nag_jax.fitting.fit import make_chunk
from nag_jax.fitting.state import init_state
from nag_jax.generators.contract import Generator
from nag_jax.generators.fit import batch_loss
from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.generator import gaussian
from nag_jax.generators.gaussian.score_model import ScoreModel
from nag_jax.networks.score_network import GraphTransformer
from nag_jax.system import parallel

STEPS = 3


@pytest.fixture(scope="module")
def nb201():
    return spaces.make("nasbench201")


def random_params(init):
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(init, jax.random.key(0))
    return jax.tree.map(lambda leaf: 0.5 * rng.standard_normal(leaf.shape).astype(np.float32), shapes)


def train(init, loss_fn, data, mesh):
    """State and losses after a few steps of gradient descent, everything on the mesh."""
    optimizer = optax.sgd(0.1, momentum=0.9)
    everywhere = parallel.replicated(mesh)
    start = jax.jit(lambda params: init_state(params, optimizer), out_shardings=everywhere)
    state, data = start(random_params(init)), jax.device_put(data, everywhere)
    return make_chunk(loss_fn, optimizer, ema_decay=0.9)(state, jax.random.key(1), data, STEPS)


def test_a_batch_cut_over_eight_devices_trains_the_score_of_one(nb201):
    dag = tuple(map(tuple, nb201.adjacency.tolist()))
    network = GraphTransformer(dag, 7, width=8, num_blocks=1, num_heads=2, mlp_width=8)
    model = ScoreModel(network, sdes.make("ve"), nb201.allowed)
    generator = gaussian(nb201, model, [kernels.make("ancestral", model.sde)])
    data = nb201.random(jax.random.key(0), 50)
    results = {}
    for devices in (1, 8):
        mesh = parallel.make_mesh(devices)
        loss = batch_loss(generator, batch_size=32, sharding=parallel.batched(mesh))
        results[devices] = state, losses = train(model.init, loss, data, mesh)
        assert losses.shape == (STEPS,)
        assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(state))
        assert {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(state)} == {devices}
    one, eight = jax.device_get((results[1], results[8]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), eight, one)
    start = random_params(model.init)["params"]["head"]["kernel"]
    assert np.abs(results[1][0].params["params"]["head"]["kernel"] - start).max() > 1e-2


def test_a_sharding_cuts_the_batch(nb201):
    mesh = parallel.make_mesh(4)
    seen = []

    def look(params, key, tokens):
        jax.debug.inspect_array_sharding(tokens, callback=seen.append)
        return tokens.sum()

    data = nb201.random(jax.random.key(0), 20)
    spy = Generator(lambda key: (), look, lambda *_: None, lambda *_: None)  # type: ignore[arg-type,return-value]
    loss = batch_loss(spy, batch_size=8, sharding=parallel.batched(mesh))
    jax.jit(loss)((), jax.random.key(0), jax.device_put(data, parallel.replicated(mesh)))
    assert [sharding.shard_shape((8, 8)) for sharding in seen] == [(2, 8)]
