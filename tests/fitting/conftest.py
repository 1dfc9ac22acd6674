import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.score_model import ScoreModel
from nag_jax.networks.score_network import GraphTransformer
from nag_jax.system import parallel


@pytest.fixture(scope="session")
def tiny_model(nb201):
    """Makes a score model of one small block."""

    def make(*, parametrization="denoiser", **options):
        dag = tuple(map(tuple, nb201.adjacency.tolist()))
        network = GraphTransformer(dag, 7, width=8, num_blocks=1, num_heads=2, mlp_width=8, **options)
        return ScoreModel(network, sdes.make("ve"), nb201.allowed, parametrization)

    return make


@pytest.fixture(scope="session")
def random_params():
    """What `init` makes of a key, in shape and type, with random numbers instead. Compiles nothing."""

    def draw(init):
        rng = np.random.default_rng(0)
        shapes = jax.eval_shape(init, jax.random.key(0))
        return jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape).astype(leaf.dtype), shapes)

    return draw


class Toy:
    """A noisy least-squares problem in which every step depends on its key and on the data."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.data = rng.standard_normal((40, 3)).astype(np.float32), rng.standard_normal(40).astype(np.float32)
        self.optimizer = optax.adam(0.05)
        self.mesh = parallel.make_mesh(1)
        self.options = {
            "optimizer": self.optimizer,
            "num_steps": 20,
            "ema_decay": 0.9,
            "chunk_steps": 5,
            "mesh": self.mesh,
        }

    def init(self, key):
        return {"w": jax.random.normal(key, (3,)), "b": jnp.zeros(())}

    def loss(self, params, key, data):
        x, y = data
        rows = jax.random.randint(key, (8,), 0, len(y))
        x = x[rows] + 0.1 * jax.random.normal(jax.random.fold_in(key, 1), (8, 3))
        return jnp.mean((x @ params["w"] + params["b"] - (y[rows] + 2.0)) ** 2)


@pytest.fixture(scope="session")
def toy():
    return Toy()


@pytest.fixture(scope="session")
def assert_same():
    """Two trees of arrays are equal bit for bit."""

    def check(found, expected):
        assert jax.tree.structure(found) == jax.tree.structure(expected)
        jax.tree.map(np.testing.assert_array_equal, found, expected)

    return check


@pytest.fixture(scope="session")
def contents():
    """Every file below a folder with its bytes, and every folder."""

    def read(folder):
        return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in sorted(folder.rglob("*"))}

    return read
