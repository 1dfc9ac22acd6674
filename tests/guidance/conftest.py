import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def quick_compiles():
    """Compiling takes most of the time here, and nothing that is tested depends on XLA's optimisations."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
