import os
import tempfile
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from nag_jax import spaces
from nag_jax.networks import resnet

CACHE = str(Path(tempfile.gettempdir()) / "nag_jax_test_cache")

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR", CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)

TESTS = Path(__file__).resolve().parent
QUICK_COMPILES = (
    "conformance",
    "datasets",
    "diffusion",
    "distributed/test_training.py",
    "experiments/test_extending.py",
    "experiments/test_report.py",
    "experiments/test_search.py",
    "experiments/test_stream.py",
    "experiments/test_transfer.py",
    "export",
    "guidance",
    "integration/test_export.py",
    "models",
    "numerics",
    "search",
    "spaces",
    "training",
)
"""Where compiling takes most of the time, and nothing that is tested depends on XLA's optimisations."""


DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(autouse=True, scope="module")
def quick_compiles(request):
    """Compiles without optimising in the modules of `QUICK_COMPILES`."""
    quick = any(request.path.is_relative_to(TESTS / place) for place in QUICK_COMPILES)
    jax.config.update("jax_disable_most_optimizations", quick)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    folder = TESTS.parents[1] / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the shared data folder, absent at {folder}")
    return folder


@pytest.fixture(scope="session")
def nb201():
    return spaces.make("nasbench201")


@pytest.fixture(scope="session")
def digits():
    """scikit-learn's handwritten digits by name: about 180 images uint8 `[n, 8, 8]` each."""
    data = pytest.importorskip("sklearn.datasets").load_digits()
    images = (data.images * 15.9).astype(np.uint8)
    return {name: images[data.target == label] for label, name in enumerate(DIGITS)}


@pytest.fixture(scope="session")
def digits_folder(digits, tmp_path_factory):
    """25 digits a class as PNG files in class folders, but 7 of class "nine"."""
    folder = tmp_path_factory.mktemp("digits")
    for name, images in digits.items():
        (folder / name).mkdir()
        for i, image in enumerate(images[: 7 if name == "nine" else 25]):
            Image.fromarray(image).save(folder / name / f"{i:03}.png")
    (folder / "zero" / "notes.txt").write_text("not an image")
    (folder / "README").write_text("not a class")
    return folder


@pytest.fixture(scope="session")
def resnet_weights(tmp_path_factory):
    """An npz file of a random ResNet-18 under torchvision's names."""
    rng = np.random.default_rng(0)
    weights = {}
    for name, _, shape in resnet.weight_table():
        values = rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:]))
        weights[name] = (values if len(shape) > 1 else np.abs(values)).astype(np.float32)  # variances are positive
    path = tmp_path_factory.mktemp("weights") / "resnet18.npz"
    np.savez(path, **weights)
    return path
