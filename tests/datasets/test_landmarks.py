import numpy as np
import pytest

from nag_jax import datasets, spaces
from nag_jax.datasets import landmarks
from nag_jax.system.errors import InputError


@pytest.mark.parametrize("name", ["nasbench201", "nasbench_graph"])
def test_landmarks_are_fixed_and_different(name):
    space = spaces.make(name)
    found = landmarks.choose(space, 100)
    assert found.shape == (100, space.num_nodes)
    assert space.contains(found).all()
    assert len(np.unique(space.canonical(found))) == 100
    np.testing.assert_array_equal(landmarks.choose(space, 10), found[:10])
    assert (landmarks.choose(space, 10, seed=1) != found[:10]).any()


def test_only_what_can_be_labelled_is_chosen():
    space = spaces.make("nasbench201")
    found = landmarks.choose(space, 20, covers=space.connected)
    assert space.connected(found).all()
    with pytest.raises(InputError, match="only 1 different landmarks were found in nasbench201: ask for fewer than 2"):
        landmarks.choose(space, 2, covers=lambda tokens: space.canonical(tokens) == space.canonical(found[:1]))
    with pytest.raises(InputError, match="at least 1 landmark, found 0"):
        landmarks.choose(space, 0)


def test_labels_describe_a_data_set():
    found = datasets.make("landmarks", name="cora", labels=[80.0, np.nan, 90.0])
    assert found.features.shape == (1, 1, 8)
    np.testing.assert_allclose(found.features[0, 0], [-1, 0, 1, 1, 0, 1, 0.85, 0.05], rtol=1e-6)
    assert found.facts == {"landmarks": 3, "failed": 1}
    assert datasets.make("landmarks", name="x", labels=[5.0]).features[0, 0].tolist() == [0, 1, np.float32(0.05), 0]


@pytest.mark.parametrize("labels", [[], [np.nan, np.nan], [[1.0, 2.0]]])
def test_labels_that_say_nothing(labels):
    with pytest.raises(InputError, match="'cora': expected the labels of its landmarks"):
        datasets.make("landmarks", name="cora", labels=labels)
