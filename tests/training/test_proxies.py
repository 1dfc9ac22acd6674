"""Zero-cost proxies: against the network of the architecture alone, and against their definitions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_jax import spaces
from nag_jax.training.proxies import PROXIES, proxies

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
LESS = "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="module")
def network(space):
    return space.any_network(num_classes=2, channels=3, cells=1, stages=1)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return rng.standard_normal((6, 4, 4, 3)).astype(np.float32), (np.arange(6) % 2).astype(np.int32)


@pytest.fixture(scope="module")
def measure(space, network, batch):
    def of(native):
        (tokens,) = space.from_native([native])
        return proxies(network, jax.random.key(1), tokens, *batch, num_classes=2)

    return of


def test_they_are_those_of_the_architectures_own_network(space, network, batch, measure):
    found, (tokens,) = measure(CELL), space.from_native([CELL])
    inputs, labels = batch
    own, module = network.blueprint(tokens).network, network
    variables = module.specialise(module.init(jax.random.key(1), tokens, inputs[:1]), tokens)

    def logits(params, inputs, train):
        given = {"params": params, "batch_stats": variables["batch_stats"]}
        if train:
            return own.apply(given, inputs, train=True, mutable=["batch_stats"])[0]
        return own.apply(given, inputs)

    def loss(params):
        return optax.softmax_cross_entropy_with_integer_labels(logits(params, inputs, True), labels).mean()

    def kernels(tree):
        return [leaf for leaf in jax.tree.leaves(tree) if leaf.ndim > 1]

    norms = [np.linalg.norm(kernel) for kernel in kernels(jax.jit(jax.grad(loss))(variables["params"]))]
    assert found["gradient_norm"] == pytest.approx(sum(norms), rel=1e-3)
    positive = jax.tree.map(jnp.abs, variables["params"])
    ones = np.ones_like(inputs[:1])
    slopes = jax.jit(jax.grad(lambda params: logits(params, ones, False).sum()))(positive)
    flow = sum(float((weight * slope).sum()) for weight, slope in zip(kernels(positive), kernels(slopes), strict=True))
    assert found["synflow"] == pytest.approx(np.log(flow), rel=1e-3)
    rows = jax.jit(jax.grad(lambda inputs: logits(variables["params"], inputs, True).sum()))(inputs).reshape(6, -1)
    eigenvalues = np.maximum(np.linalg.eigvalsh(np.corrcoef(np.asarray(rows, np.float64))), 0) + 1e-5
    score = -(np.log(eigenvalues) + 1 / eigenvalues).sum()
    assert found["jacobian_covariance"] == pytest.approx(score, rel=0.05)


def test_a_cell_that_passes_more_on_has_more_flow(measure):
    assert measure(CELL)["synflow"] > measure(LESS)["synflow"] > measure(NOTHING)["synflow"]


def test_a_network_without_a_path_is_the_worst_and_finite(measure):
    found = measure(NOTHING)
    assert set(found) == set(PROXIES)
    assert np.isfinite(list(found.values())).all()
    assert found["synflow"] == pytest.approx(np.log(np.finfo(np.float32).tiny))
    assert found["jacobian_covariance"] < measure(LESS)["jacobian_covariance"]
