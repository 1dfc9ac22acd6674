import pytest

from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.parametrization import uniform_score


@pytest.fixture(scope="session")
def ve():
    return sdes.make("ve")


@pytest.fixture(scope="session")
def oracle(nb201, ve):
    """The exact score of uniform cells under `ve`."""
    return uniform_score(ve, nb201.allowed)
