import numpy as np
import pytest


@pytest.fixture
def rng():
    """A generator of its own for each test, so that what a test draws does not depend on which others run."""
    return np.random.default_rng(0)
