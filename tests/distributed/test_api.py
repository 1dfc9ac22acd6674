import pytest

from nag_jax import api
from nag_jax.system.errors import InputError


def test_a_batch_that_does_not_fill_the_devices_is_refused(nb201):
    with pytest.raises(InputError, match="multiple of the 8 devices"):
        api.fit(nb201, batch_size=3)
