import jax
import pytest

from nag_jax import spaces
from nag_jax.diffusion import sde as sdes
from nag_jax.diffusion.parametrization import uniform_score


@pytest.fixture(autouse=True, scope="module")
def quick_compiles():
    """Compiling takes most of the time here, and nothing that is tested depends on XLA's optimisations."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def nb201():
    return spaces.make("nasbench201")


@pytest.fixture(scope="session")
def ve():
    return sdes.make("ve")


@pytest.fixture(scope="session")
def oracle(nb201, ve):
    """The exact score of uniform cells under `ve`."""
    return uniform_score(ve, nb201.allowed)
