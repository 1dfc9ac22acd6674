"""What the tests of trials share: the space."""

import pytest

from nag_jax import spaces


@pytest.fixture(scope="session")
def space():
    return spaces.make("nasbench201")
