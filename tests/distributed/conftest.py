"""Eight virtual devices."""

import jax
import pytest
from jax.extend import backend


@pytest.fixture(scope="session", autouse=True)
def eight_devices():
    """Opens eight devices in the place of the one that all other tests have had; these tests are a worker's last."""
    backend.clear_backends()
    jax.config.update("jax_num_cpu_devices", 8)
    assert jax.device_count() == 8
