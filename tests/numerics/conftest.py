import jax
import pytest

from nag_jax import spaces


@pytest.fixture(autouse=True, scope="module")
def quick_compiles():
    """Compiling takes most of the time here, and nothing that is tested depends on XLA's optimisations."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def nb201():
    return spaces.make("nasbench201")
