import json

import jax
import numpy as np
import pytest
from scipy import stats

from nag_jax import spaces
from nag_jax.spaces.mobilenet_v3 import EXPANSIONS, KERNELS, SETTINGS, SKIP, MobileNetV3
from nag_jax.system.errors import InputError


@pytest.fixture(scope="module")
def space():
    return spaces.make("mobilenet_v3")


def random(space, n, seed=0):
    return np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(seed), n))


@pytest.fixture(scope="module")
def many(space):
    return random(space, 6_000)


def skipped(tokens):
    return (np.asarray(tokens) == SKIP).reshape(-1, 5, 4)


# What is a network


def test_there_are_as_many_networks_as_settings_and_depths_allow(space):
    assert space.size == (9**2 + 9**3 + 9**4) ** 5 == space.num_canonical
    assert space.size > 2**64, "or keys could be numbers"


def test_classes_are_named_for_what_they_are(space):
    assert space.class_names[0] == "3-3"
    assert space.class_names[5] == "5-6"
    assert space.class_names[8] == "7-6"
    assert space.class_names[9] == "skip"


def test_the_first_two_layers_stay_and_a_gap_is_none(space):
    tokens = np.zeros((4, 20), int)
    tokens[1, 1] = tokens[2, 2] = tokens[3, 3] = SKIP
    assert space.contains(tokens).tolist() == [True, False, False, True]
    _, valid = space.decode(space.encode(tokens))
    assert valid.tolist() == [True, False, False, True]
    for bad in (tokens[1], tokens[2], np.full(20, 10), np.full(20, -1)):
        for method in (space.canonical, space.to_native, space.to_ofa):
            with pytest.raises(InputError, match=r"row 1: tokens .* keep only the samples that decode calls valid"):
                method(np.stack([tokens[0], bad]))


def test_stage_and_position_are_told(space):
    assert space.coordinates.tolist() == [[node // 4, node % 4] for node in range(20)]


# Draws and mutations


def test_depths_kernels_and_expansions_are_drawn_uniformly(space, many):
    depths = space.depths(many)
    for stage in range(5):
        assert stats.chisquare(np.bincount(depths[:, stage])[2:]).pvalue > 1e-3
    settings = np.array([*SETTINGS, (0, 0)])[many]
    for node in range(20):
        for column, known in ((0, KERNELS), (1, EXPANSIONS)):
            counts = [(settings[:, node, column] == value).sum() for value in known]
            assert stats.chisquare(counts).pvalue > 1e-4


def test_single_moves_stay_inside_and_reach_every_network(space):
    two = np.full(20, SKIP).reshape(5, 4)
    two[:, :2] = 0
    tokens = two.reshape(-1)
    moves = np.asarray(space.moves(tokens)).reshape(5, 4, 10)
    assert moves.sum(axis=-1).tolist() == [[8, 8, 9, 0]] * 5, "the fourth layer waits for the third"
    tokens = np.zeros(20, int)
    moves = np.asarray(space.moves(tokens)).reshape(5, 4, 10)
    assert moves.sum(axis=-1).tolist() == [[8, 8, 8, 9]] * 5, "the third goes after the fourth"
    assert space.contains(space.neighbors(tokens)).all()
    assert len(space.neighbors(tokens)) == 5 * (8 + 8 + 8 + 9)


def test_resampling_changes_layers_and_depths_at_the_published_rate():
    space = MobileNetV3(mutation="resample")
    parents = random(space, 4_000, seed=1)
    children = np.asarray(jax.jit(space.mutate)(jax.random.key(2), parents))
    assert np.asarray(space.contains(children)).all()
    changed = (children != parents)[:, [0, 1]].mean()  # layers that are always there
    assert changed == pytest.approx(0.1 * 8 / 9, abs=0.01)
    deeper = (space.depths(children) != space.depths(parents)).mean()
    assert deeper == pytest.approx(0.1 * 2 / 3, abs=0.01)
    few = np.asarray(jax.jit(space.mutate)(jax.random.key(2), parents[:3]))
    np.testing.assert_array_equal(few, children[:3])


# Native forms


def test_strings_have_depth_kernel_and_expansion(space):
    tokens = np.array([[0, 5, 8, SKIP] + [1, 3, SKIP, SKIP] + [8, 8, 8, 8] + [0, 0, SKIP, SKIP] * 2])
    (string,) = space.to_native(tokens)
    assert string.split("_")[:8] == ["3-3-3", "3-5-6", "3-7-6", "0-0-0", "2-3-4", "2-5-3", "0-0-0", "0-0-0"]
    assert string.split("_")[8:12] == ["4-7-6"] * 4


def test_once_for_alls_form_goes_there_and_back(space, many):
    forms = space.to_ofa(many[:200])
    np.testing.assert_array_equal(space.from_ofa(forms), many[:200])
    np.testing.assert_array_equal(space.from_native([json.dumps(form) for form in forms]), many[:200])
    assert all(form["r"] == [224] for form in forms)
    assert len(forms[0]["ks"]) == len(forms[0]["e"]) == 20


def test_settings_of_skipped_layers_do_not_count(space):
    form = {"ks": [3] * 20, "e": [6] * 20, "d": [2, 3, 4, 2, 2]}
    other = form | {"ks": [3, 3, 7, 5] + [3, 3, 3, 7] + [3] * 12}
    keys = space.canonical(space.from_ofa([form, other]))
    assert keys[0] == keys[1]


def test_all_networks_have_their_own_key(space, many):
    keys = space.canonical(many)
    assert len(np.unique(keys)) == len(np.unique(many, axis=0)) == len(many)
    assert np.isin(keys, keys[::2]).sum() == len(many) / 2


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ({}, "'ks' must be 20 numbers"),
        ({"ks": [3] * 19, "e": [3] * 20, "d": [2] * 5}, "'ks' must be 20 numbers"),
        ({"ks": [3] * 20, "e": [5] * 20, "d": [2] * 5}, "'e' must be 20 numbers of"),
        ({"ks": [3] * 20, "e": [3] * 20, "d": [1] * 5}, "'d' must be 5 numbers of"),
        ({"ks": "3" * 20, "e": [3] * 20, "d": [2] * 5}, "'ks' must be"),
        ({"ks": [3] * 20, "e": [3] * 20, "d": [2] * 5, "r": [128]}, "make the space with that resolution"),
    ],
)
def test_wrong_forms_are_named_by_row(space, form, found):
    good = {"ks": [3] * 20, "e": [3] * 20, "d": [2] * 5, "r": 224}
    with pytest.raises(InputError, match=f"row 1: .*{found}"):
        space.from_ofa([good, form])
    with pytest.raises(InputError, match=f"row 1: .*{found}"):
        space.from_native([json.dumps(good), json.dumps(form)])


@pytest.mark.parametrize("bad", ["1-3-3", "2-3-5", "3-3-3", "0-0-3", "2-3-3-3", "{", ""])
def test_strings_that_are_no_network_are_named_by_row(space, bad):
    good = "_".join(["2-3-3", "2-3-3", "0-0-0", "0-0-0"] * 5)
    with pytest.raises(InputError, match=r"row 1: .* is not a network of mobilenet_v3"):
        space.from_native([good, good.replace("2-3-3", bad, 1)])


def test_resolutions_and_mutations_are_checked():
    assert MobileNetV3(resolution=128).resolution == 128
    with pytest.raises(InputError, match="unknown resolution 130"):
        spaces.make("mobilenet_v3", resolution=130)
    with pytest.raises(InputError, match="unknown mutation 'two'"):
        spaces.make("mobilenet_v3", mutation="two")
