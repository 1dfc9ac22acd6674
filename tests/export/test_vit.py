import pytest

from nag_jax import spaces

NATIVES = ("width 8|layer x1|1 x 4|ratio 2.5", "width 12|layer x2|1 x 6|ratio 1|2 x 4|ratio 2.5")
SMALL = {"widths": (8, 12), "depths": (1, 2), "heads": (1, 2), "head_widths": (4, 6), "ratios": (1.0, 2.5)}


@pytest.fixture(scope="module")
def blueprints():
    square = spaces.VisionTransformer(**SMALL, patch=2, image_size=4, num_classes=3)
    series = spaces.VisionTransformer(**SMALL, patch=5, image_size=10, image_width=1, num_classes=3)
    return [
        space.blueprint(space.from_native([native])[0]) for space, native in zip((square, series), NATIVES, strict=True)
    ]


@pytest.mark.parametrize("i", range(len(NATIVES)), ids=("images", "series"))
def test_a_network_is_ours_in_every_form(blueprints, i, assert_ours_in_every_form):
    assert_ours_in_every_form(blueprints[i])


def test_modules_are_formatted(blueprints, assert_formatted):
    assert_formatted(blueprints)
