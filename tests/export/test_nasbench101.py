import pytest

from nag_jax import spaces
from nag_jax.spaces.nasbench101.blueprint import cell_blueprint

CELLS = {
    "all operations": "conv3x3-bn-relu~0|maxpool3x3~0~1|conv1x1-bn-relu~1~2|output~0~2~3",
    "unequal channels": "conv1x1-bn-relu~0|conv3x3-bn-relu~1|maxpool3x3~1|conv1x1-bn-relu~0|output~2~3~4",
    "one vertex": "maxpool3x3~0|output~1",
    "no vertex": "output~0",
}
SMALL = {"channels": 4, "modules": 1, "image_size": 8}


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench101")


def small(space, native):
    return cell_blueprint(*space.to_matrices(space.from_native([native]))[0], **SMALL)


@pytest.mark.parametrize("native", CELLS.values(), ids=CELLS)
def test_a_cell_is_ours_in_every_form(space, native, assert_ours_in_every_form):
    assert_ours_in_every_form(small(space, native))


def test_modules_are_formatted(space, assert_formatted):
    assert_formatted([small(space, native) for native in CELLS.values()])


def test_the_whole_network_has_the_published_parameters(space):
    inception = "conv1x1-bn-relu~0|conv3x3-bn-relu~0|conv3x3-bn-relu~0|conv3x3-bn-relu~3|maxpool3x3~0|output~1~2~4~5"
    assert space.blueprint(space.from_native([inception])[0]).num_params() == 2_694_282
