import pytest

from nag_jax import spaces
from nag_jax.spaces.nats_size.blueprint import size_blueprint

NATIVES = ("8:8:8:8:8", "16:8:24:24:8")


@pytest.fixture(scope="module")
def blueprints():
    space = spaces.NATSSize()
    return [size_blueprint(tuple(row), image_size=8) for row in space.widths(space.from_native(list(NATIVES))).tolist()]


@pytest.mark.parametrize("i", range(len(NATIVES)), ids=NATIVES)
def test_a_network_is_ours_in_every_form(blueprints, i, assert_ours_in_every_form):
    assert_ours_in_every_form(blueprints[i])


def test_modules_are_formatted(blueprints, assert_formatted):
    assert_formatted(blueprints)
