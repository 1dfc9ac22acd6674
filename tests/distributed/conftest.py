"""Eight virtual devices."""

import jax
import pytest


@pytest.fixture(scope="session", autouse=True)
def eight_devices():
    """These tests run in a process of their own, which opens eight devices (see tests/conftest.py)."""
    assert jax.device_count() == 8
