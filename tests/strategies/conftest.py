import numpy as np
import pytest

from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian.generator import gaussian
from nag_jax.spaces import NASBench201
from nag_jax.strategies import Domain
from nag_jax.strategies.bo_nag import Source


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
