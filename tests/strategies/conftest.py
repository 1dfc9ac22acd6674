import functools

import jax
import numpy as np
import pytest

from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.generator import gaussian
from nag_jax.generators.gaussian.score_model import ScoreModel
from nag_jax.generators.sharded import ShardedSampler
from nag_jax.networks.score_network import GraphTransformer
from nag_jax.spaces import NASBench201
from nag_jax.strategies import Domain
from nag_jax.strategies.bo_nag import Source
from nag_jax.system import parallel


@pytest.fixture(scope="session")
def model(nb201):
    """A denoiser of one small block. While its head is zero it is exact for uniform cells."""
    dag = tuple(map(tuple, nb201.adjacency.tolist()))
    network = GraphTransformer(dag, 7, width=8, num_blocks=1, num_heads=2, mlp_width=8)
    return ScoreModel(network, sdes.make("ve"), nb201.allowed)


@pytest.fixture(scope="session")
def params(model):
    """Random everywhere but in the head."""
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    rng = np.random.default_rng(0)
    drawn = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape).astype(np.float32), shapes)
    drawn["params"]["head"] = jax.tree.map(np.zeros_like, drawn["params"]["head"])
    return drawn


@pytest.fixture(scope="session")
def make_sampler(model, nb201):
    """Makes samplers of one device; keyword arguments override."""

    def make(names=("ancestral",), *, devices=1, guide=None, num_steps=8, score_guide=None, **options):
        langevin = {"norm": options.pop("norm")} if "norm" in options else {}
        chosen = [kernels.make(name, model.sde, **(langevin if name == "langevin" else {})) for name in names]
        generator = gaussian(nb201, model, chosen, score_guide=score_guide)
        mesh = parallel.make_mesh(devices)
        return ShardedSampler(generator, guide=guide, num_steps=num_steps, mesh=mesh, **options)

    return functools.cache(make)


@pytest.fixture(scope="session")
def cells():
    """Tokens of samples, all of which must be cells."""

    def read(samples):
        assert np.asarray(samples.valid).all()
        return np.asarray(samples.tokens)

    return read


@pytest.fixture(scope="session")
def space():
    return NASBench201()


@pytest.fixture(scope="session")
def domain(space):
    return Domain(space)


@pytest.fixture(scope="session")
def generator(space, model, params):
    """Exact for uniform cells while its head is zero, so that nothing has to be trained."""
    return Source(gaussian(space, model, [kernels.make("ancestral", model.sde)]), params, 10)


@pytest.fixture(scope="session")
def objective(space):
    """A made-up accuracy, equal for cells of a class: convolutions on unblocked paths help, less the more there are."""
    terms = space.path_terms()
    weight = {3: 0.0, 4: 1.0, 5: 1.6, 6: 0.2}

    def value(tokens):
        tokens = np.asarray(tokens)
        total = np.zeros(len(tokens))
        for entries in terms.entries:
            present = np.all([tokens[:, node] == c for node, c in entries], axis=0)
            total += present * (0.5 + sum(weight.get(c, 0.0) for _, c in entries))
        return 10.0 + 80.0 * np.tanh(0.4 * total) + total

    return value
