import numpy as np
import pytest
from matplotlib.image import imread


@pytest.fixture
def rng():
    """A generator of its own for each test, so that what a test draws does not depend on which others run."""
    return np.random.default_rng(0)


@pytest.fixture
def check_written():
    """(path without its ending): whether a figure is there, and isn't blank."""

    def check(path):
        image = imread(path.with_suffix(".png"))
        assert image.shape[1] >= 1200
        assert image.std() > 0.01
        assert path.with_suffix(".svg").stat().st_size > 1000

    return check
