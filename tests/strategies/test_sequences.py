"""What each strategy of the settings labels for one objective, frozen: the index of each cell, in order of payment."""

import importlib.util

import pytest

from nag_jax import api
from nag_jax.settings.search import STRATEGIES
from nag_jax.system.fields import to_dict

DESIGN = [13500, 7777, 8117, 15228]
MAXIMIZED = {
    "bo_nag": [11718, 8543, 7333, 3916, 10812, 11562, 11663, 12163],
    "bo_exhaustive": [11668, 15549, 10458, 10308, 11462, 7718, 11518, 11693],
    "bo_random": [9842, 8419, 13659, 7713, 7192, 9713, 11513, 10318],
    "bo_mutation": [7482, 7788, 7913, 8414, 8563, 7908, 11088, 7658],
    "bo_random_and_mutation": [8548, 7848, 10403, 14768, 7283, 11423, 11043, 10408],
    "bananas": [7787, 10902, 8742, 8037, 11867, 7785, 10922, 11242],
    "regularized_evolution": [15127, 2857, 8067, 7527, 8052, 8042, 7667, 7917],
    "local_search": [8115, 6867, 7867, 8042, 8040, 7417, 8027, 6792],
    "random_search": [6229, 7294, 9912, 13704, 4495, 3934, 6418, 1444],
    "tpe": [14315, 1938, 10969, 3611, 14824, 76, 2310, 2037],
}
MINIMIZED = {
    "bo_random": [4907, 4676, 13659, 9787, 4246, 15594, 15571, 12154],
    "bananas": [7782, 1527, 8118, 7617, 10902, 7157, 9027, 9367],
    "regularized_evolution": [15127, 2857, 15227, 15002, 15012, 15027, 8762, 15477],
    "local_search": [7778, 6527, 7752, 7852, 7127, 10877, 7753, 8377],
    "tpe": [14315, 1938, 10969, 3611, 14824, 76, 6502, 7283],
}
SMALL = {
    "bo_nag": {"pool_size": 16},
    "bananas": {"pool_size": 20, "members": 2},
    "bo_random": {"maximizer_options": {"pool_size": 32}},
    "bo_mutation": {"maximizer_options": {"pool_size": 32}},
    "bo_random_and_mutation": {"maximizer_options": {"pool_size": 32}},
    "regularized_evolution": {"population": 5, "tournament": 3},
}
"""Instead of the defaults, for speed."""


def cost(architecture):
    """Of a cell: convolutions are dear, and the later the first one stands, the cheaper."""
    if "conv" not in architecture:
        return 0.5
    convolutions, skips = architecture.count("nor_conv_3x3"), architecture.count("skip")
    return 2 * convolutions + skips - architecture.index("conv") / 100


@pytest.fixture(scope="module")
def trained(space):
    """A network that has learned next to nothing, for what generates."""
    return api.fit(space, num_steps=2, network={"width": 8, "num_blocks": 1}, progress=False)


def labelled(name, space, evaluator, model=None):
    if name == "tpe" and importlib.util.find_spec("optuna") is None:
        pytest.skip("needs Optuna")
    options = {option: value for option, value in to_dict(STRATEGIES[name]).items() if option != "name"}
    options |= SMALL.get(name, {}) | ({"capacity": 16} if "capacity" in options else {})
    budget = {"budget": 12, "initial": 4, "batch_size": 2, "num_steps": 3, "progress": False}
    found = api.search(space, evaluator, strategy=STRATEGIES[name].name, model=model, **budget, **options)
    return space.to_index(space.from_native(found.architectures)).tolist()


@pytest.mark.parametrize("name", [name for name in MAXIMIZED if name != "bo_nag"])
def test_of_a_metric_to_maximise(name, space):
    assert labelled(name, space, api.evaluator("analog_nasbench", space)) == DESIGN + MAXIMIZED[name]


@pytest.mark.slow
def test_of_the_strategy_that_generates(space, trained):
    found = labelled("bo_nag", space, api.evaluator("analog_nasbench", space), trained)
    assert found == DESIGN + MAXIMIZED["bo_nag"]


@pytest.mark.parametrize("name", MINIMIZED)
def test_of_a_metric_to_minimise(name, space):
    evaluator = api.evaluator(cost, space, metric="cost", direction="min")
    assert labelled(name, space, evaluator) == DESIGN + MINIMIZED[name]


def test_every_strategy_is_here():
    assert MAXIMIZED.keys() == STRATEGIES.keys() - {"llm"}  # whose proposals are the command's
