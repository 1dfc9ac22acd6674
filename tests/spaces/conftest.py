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


@pytest.fixture(scope="session")
def cells(nb201):
    """All 15,625 cells, tokens `[15625, 8]`."""
    return nb201.all_tokens()
