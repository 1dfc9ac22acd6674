import jax
import numpy as np

from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.guided import plain
from nag_jax.generators.gaussian.parametrization import uniform_score
from nag_jax.generators.gaussian.sampler import sample
from nag_jax.system import parallel
from nag_jax.system.keys import sample_keys


def test_eight_devices_give_the_cells_of_one(nb201):
    ve = sdes.make("ve")
    chosen = [kernels.make("langevin", ve, norm="sample"), kernels.make("ancestral", ve)]
    score = plain(uniform_score(ve, nb201.allowed))
    run = jax.jit(lambda keys: sample(keys, score, sde=ve, kernels=chosen, shape=(8, 7), num_steps=10))
    keys = sample_keys(jax.random.key(0), 64)
    one = nb201.decode(run(jax.device_put(keys, parallel.batched(parallel.make_mesh(1)))))
    mesh = parallel.make_mesh(8)
    x = run(jax.device_put(keys, parallel.batched(mesh)))
    assert len(x.sharding.device_set) == 8
    assert x.addressable_shards[0].data.shape == (8, 8, 7)
    eight = nb201.decode(x)
    np.testing.assert_array_equal(eight[0], one[0])
    assert np.asarray(eight[1]).all()
    assert np.asarray(one[1]).all()
