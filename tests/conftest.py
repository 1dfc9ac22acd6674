import fcntl
import functools
import gc
import os
import shutil
import signal
import sys
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import pytest
from absl import flags
from jax.extend.core import jaxprs_in_params
from ml_collections import config_flags
from PIL import Image

from nag_jax import spaces
from nag_jax.evaluators import analog_nasbench
from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.generator import gaussian
from nag_jax.generators.gaussian.score_model import ScoreModel
from nag_jax.generators.sharded import ShardedSampler
from nag_jax.guidance.refine import refined
from nag_jax.networks import resnet
from nag_jax.networks.score_network import GraphTransformer
from nag_jax.system import interrupts, parallel

USER_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
CACHE = os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(USER_CACHE / "nag_jax" / "tests"))  # for processes too
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the workers, where threads that wait for each other take long

# JAX can't go from one device to several in a process, so tests of several run in one of their own: that of
# test_distributed.py, or one that is told to run them, as `python -m pytest tests/distributed`.
if any("tests/distributed" in argument for argument in sys.argv[1:]):
    os.environ["NAG_JAX_TEST_DEVICES"] = "8"
DEVICES = int(os.environ.get("NAG_JAX_TEST_DEVICES", "1"))
collect_ignore = ["distributed"] if DEVICES == 1 else []
jax.config.update("jax_num_cpu_devices", DEVICES)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_traceback_in_locations_limit", 0)  # where a program came from is a twentieth of lowering it

# Reading the package's pickle takes a third of a second, and every test that is about NAS-Bench-201 does.
analog_nasbench.read_records = functools.cache(analog_nasbench.read_records)

TESTS = Path(__file__).resolve().parent
QUICK_COMPILES = (
    "conformance",
    "datasets",
    "distributed",
    "end_to_end/test_export.py",
    "experiments",
    "export",
    "fitting",
    "generators",
    "guidance",
    "networks",
    "numerics",
    "spaces",
    "strategies",
    "studies",
    "tasks",
    "test_api.py",
    "test_compilations.py",
    "training",
)
"""Where compiling takes most of the time, and nothing that is tested depends on XLA's optimisations."""
assert all((TESTS / place).exists() for place in QUICK_COMPILES), "one of QUICK_COMPILES has moved"

MOST_MAPPED = 10_000
"""Pieces of memory that a worker may hold after a module."""

CELLS = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|",
    "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def pytest_collection_finish(session):
    """The garbage collector leaves alone what was imported and collected, and looks less often at what tracing leaves.

    Otherwise it takes a sixth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True, scope="module")
def quick_compiles(request):
    """Compiles without optimising in the modules of `QUICK_COMPILES`."""
    quick = any(request.path.is_relative_to(TESTS / place) for place in QUICK_COMPILES)
    jax.config.update("jax_disable_most_optimizations", quick)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def optimised(quick_compiles):
    """Optimises all the same, for a test that computes for longer than it compiles."""
    quick = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", quick)


@pytest.fixture(autouse=True, scope="module")
def few_programs():
    """Lets programs go once there are many.

    Each is mapped into memory in pieces, of which Linux gives a process no more than 65,530.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPPED:
        jax.clear_caches()


@pytest.fixture(scope="session")
def built_once(tmp_path_factory, worker_id):
    """(name, build) -> a folder that `build(folder)` fills in the first worker to ask; tests must not change it."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def folder(name, build):
        path, done = base / name, base / f"{name}.done"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(path, ignore_errors=True)
                path.mkdir()
                build(path)
                done.touch()
        return path

    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    folder = TESTS.parents[1] / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the shared data folder, absent at {folder}")
    return folder


@pytest.fixture(scope="session")
def multiply_accumulates():
    """(jaxpr) -> those of all its convolutions and products, an int."""

    def count(jaxpr):
        total = 0
        for equation in jaxpr.eqns:
            total += sum(map(count, jaxprs_in_params(equation.params)))
            if equation.primitive.name == "dot_general":
                ((contracted, _), _) = equation.params["dimension_numbers"]
                shape = equation.invars[0].aval.shape
                total += equation.outvars[0].aval.size * int(np.prod([shape[axis] for axis in contracted]))
            if equation.primitive.name == "conv_general_dilated":
                kernel = equation.invars[1].aval.shape  # spatial, inputs of a group, outputs
                total += equation.outvars[0].aval.size * int(np.prod(kernel[:3]))
        return total

    return count


@pytest.fixture
def listening():
    """Signals are listened to in this process, and everything is put back afterwards."""
    numbers = signal.SIGINT, signal.SIGTERM
    handlers, hook = [signal.getsignal(number) for number in numbers], sys.unraisablehook
    interrupts.listen()
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)
    sys.unraisablehook = hook
    interrupts._state.arrived = False


@pytest.fixture(scope="session")
def nb201():
    return spaces.make("nasbench201")


@pytest.fixture(scope="session")
def model(nb201):
    """A denoiser of one small block. While its head is zero it is exact for uniform cells."""
    dag = tuple(map(tuple, nb201.adjacency.tolist()))
    network = GraphTransformer(dag, 7, width=8, num_blocks=1, num_heads=2, mlp_width=8)
    return ScoreModel(network, sdes.make("ve"), nb201.allowed)


@pytest.fixture(scope="session")
def params(model):
    """Random everywhere but in the head."""
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    rng = np.random.default_rng(0)
    drawn = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape).astype(np.float32), shapes)
    drawn["params"]["head"] = jax.tree.map(np.zeros_like, drawn["params"]["head"])
    return drawn


@pytest.fixture(scope="module")
def make_sampler(model, nb201):
    """Makes samplers of one device; keyword arguments override. Its devices may be others in another module."""

    def make(names=("ancestral",), *, devices=1, guide=None, num_steps=8, score_guide=None, tilt=None, **options):
        langevin = {"norm": options.pop("norm")} if "norm" in options else {}
        chosen = [kernels.make(name, model.sde, **(langevin if name == "langevin" else {})) for name in names]
        generator = gaussian(nb201, model, chosen, score_guide=score_guide)
        if tilt is not None:
            generator = refined(generator, nb201, tilt, sweeps=2, trades=3)
        mesh = parallel.make_mesh(devices)
        return ShardedSampler(generator, guide=guide, num_steps=num_steps, mesh=mesh, **options)

    return functools.cache(make)


@pytest.fixture(scope="session")
def read_cells():
    """Tokens of samples, all of which must be cells."""

    def read(samples):
        assert np.asarray(samples.valid).all()
        return np.asarray(samples.tokens)

    return read


@pytest.fixture(scope="session")
def load():
    """(variant, *overrides) -> the config of configs/nb201.py, as the command line reads it."""

    def read(variant="", *overrides):
        values = flags.FlagValues()
        holder = config_flags.DEFINE_config_file("config", flag_values=values)
        file = f"{TESTS.parent / 'configs' / 'nb201.py'}{':' if variant else ''}{variant}"
        arguments = ["main.py", f"--config={file}", *(f"--config.{override}" for override in overrides)]
        with mock.patch.object(sys, "argv", arguments):  # where ml_collections looks for the overrides
            values(arguments)
        return holder.value

    return read


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


@pytest.fixture(scope="session")
def cells():
    """Four native strings whose cells compute four different things."""
    return CELLS


@pytest.fixture
def write_csv(tmp_path):
    """Writes lines as a CSV file and returns its path."""

    def write(*lines, name="table.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def table_path(write_csv, cells):
    """A table of four cells with two metrics, a column with a gap, and one of text."""
    return write_csv(
        "arch,valid_acc,latency,measured_late,note",
        f"{cells[0]},93.5,9.35,93.5,n0",
        f"{cells[1]},89.5,8.95,89.5,n1",
        f"{cells[2]},50.25,5.025,50.25,n2",
        f"{cells[3]},10.0,1.0,,n3",
    )
