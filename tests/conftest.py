import os
import tempfile
from pathlib import Path

import jax
import pytest

from nag_jax import spaces

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
