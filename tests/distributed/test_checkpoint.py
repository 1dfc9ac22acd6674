import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_jax.fitting.checkpoint import Checkpoints, abstract_like
from nag_jax.fitting.fit import restore
from nag_jax.fitting.state import init_state
from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian.generator import gaussian
from nag_jax.generators.sharded import ShardedSampler
from nag_jax.system import parallel

DESCRIPTION = {"what": "toy"}
OPTIMIZER = optax.adam(0.05)


def random_like(init):
    """What `init` makes of a key, in shape and type, with random numbers instead. Compiles nothing."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(init, jax.random.key(0))
    return jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape).astype(leaf.dtype), shapes)


def toy(key):
    return {"w": jax.random.normal(key, (3,)), "b": jnp.zeros(())}


def assert_same(found, expected):
    """Two trees of arrays are equal bit for bit."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("devices", [1, 2])
def test_a_checkpoint_of_eight_devices_restores_on_fewer(tmp_path, devices):
    eight = parallel.make_mesh(8)
    saved = {"all": np.arange(6.0, dtype=np.float32), "cut": np.arange(16.0, dtype=np.float32).reshape(8, 2)}
    shardings = {"all": parallel.replicated(eight), "cut": parallel.batched(eight)}
    with Checkpoints(tmp_path, DESCRIPTION) as checkpoints:
        checkpoints.save(1, jax.device_put(saved, shardings))
    fewer = parallel.replicated(parallel.make_mesh(devices))
    found = Checkpoints(tmp_path, DESCRIPTION).restore(abstract_like(jax.eval_shape(lambda: saved), fewer))
    assert_same(found, saved)
    for leaf in jax.tree.leaves(found):
        assert leaf.sharding == fewer
        assert len(leaf.addressable_shards) == devices


def test_saved_on_eight_devices_restored_on_fewer(nb201, model, tmp_path):
    """The parameters are the same bit for bit, and so are the cells that they generate."""
    eight = parallel.make_mesh(8)
    state = random_like(lambda key: init_state(model.init(key), OPTIMIZER))
    state.ema["params"]["head"]["kernel"] *= 0.3
    state = jax.device_put(state, parallel.replicated(eight))
    with Checkpoints(tmp_path, DESCRIPTION) as checkpoints:
        checkpoints.save(1, state)

    def generate(state, mesh):
        generator = gaussian(nb201, model, [kernels.make("ancestral", model.sde)])
        samples = ShardedSampler(generator, num_steps=8, mesh=mesh)(jax.random.key(1), 13, state.ema)
        assert samples.valid.all()
        return samples.tokens

    for devices in (2, 1):
        mesh = parallel.make_mesh(devices)
        restored = restore(model.init, OPTIMIZER, Checkpoints(tmp_path, DESCRIPTION), mesh)
        assert {leaf.sharding for leaf in jax.tree.leaves(restored)} == {parallel.replicated(mesh)}
        assert_same(jax.device_get(restored), jax.device_get(state))
    one = generate(restored, mesh)
    np.testing.assert_array_equal(one, generate(state, eight))
    assert len(np.unique(one, axis=0)) == 13


def test_the_target_of_a_restore_says_where_everything_goes():
    sharding = parallel.replicated(parallel.make_mesh(2))
    target = abstract_like(jax.eval_shape(toy, jax.random.key(7)), sharding)
    assert {name: (leaf.shape, leaf.dtype, leaf.sharding) for name, leaf in target.items()} == {
        "w": ((3,), jnp.float32, sharding),
        "b": ((), jnp.float32, sharding),
    }
