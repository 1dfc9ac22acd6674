import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.datasets.examples.parts import examples, split
from nag_jax.system import parallel
from nag_jax.training.recipe import Augmentation, Recipe
from nag_jax.training.run import Setting


@pytest.fixture(scope="session")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="session")
def striped():
    """Images of horizontal and of vertical stripes, easy to tell apart, in noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    stripes = np.tile([1.0, -1.0], (4, 2))
    images = np.where(labels[:, None, None], stripes, stripes.T) + 0.3 * rng.standard_normal((80, 4, 4))
    return split(examples("stripes", images, labels))


@pytest.fixture(scope="session")
def setting(space, striped):
    network = space.any_network(num_classes=2, channels=2, cells=1, stages=1)
    augmentation = Augmentation(crop=1, flip=True, cutout=1, mixup=0.2)
    recipe = Recipe(epochs=6, batch_size=16, augmentation=augmentation, checkpoint_every=0)
    return Setting(network, striped, recipe, parallel.make_mesh())
