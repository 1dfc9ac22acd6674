import jax
import numpy as np
import pytest

from nag_jax.networks import set_encoder
from nag_jax.system.errors import InputError

KEY = jax.random.key(0)


def attention_block(params, queries, keys, width, heads):
    """MAB of one set in NumPy, head by head."""
    q, k, v = (
        rows @ params[name]["kernel"].reshape(rows.shape[-1], -1) + params[name]["bias"].reshape(-1)
        for rows, name in ((queries, "query"), (keys, "key"), (keys, "value"))
    )
    out = q.copy()
    size = width // heads
    for head in range(heads):
        columns = slice(head * size, (head + 1) * size)
        logits = q[:, columns] @ k[:, columns].T / np.sqrt(width)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        out[:, columns] += weights / weights.sum(axis=1, keepdims=True) @ v[:, columns]
    return out + np.maximum(out @ params["out"]["kernel"] + params["out"]["bias"], 0.0)


def set_pool(params, items, width, heads, blocks):
    for i in range(blocks):
        items = attention_block(params[f"self_{i}"], items, items, width, heads)
    pooled = attention_block(params["pool"], params["seed"], items, width, heads)
    return pooled[0] @ params["out"]["kernel"] + params["out"]["bias"]


def test_the_set_transformer_class_by_class(random_params):
    width, heads, blocks = 6, 2, 2
    encoder = set_encoder.make("set_transformer", (5,), width=width, num_heads=heads, num_blocks=blocks)
    params = random_params(encoder.init, KEY)
    features = np.random.default_rng(1).standard_normal((3, 4, 5)).astype(np.float32)
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    own = params["params"]
    classes = [set_pool(own["items"], features[c][mask[c]], width, heads, blocks) for c in (0, 1)]
    expected = set_pool(own["classes"], np.stack(classes), width, heads, blocks)
    np.testing.assert_allclose(jax.jit(encoder.apply)(params, features, mask), expected, rtol=1e-3, atol=1e-3)


def test_the_published_size():
    """Two poolings, of 512 features to 56 and of 56 to 56: 505,865 of the whole predictor less its other parts."""
    shapes = jax.eval_shape(set_encoder.make("set_transformer", (512,)).init, KEY)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 159_712


def test_the_mean_encoder(random_params):
    encoder = set_encoder.make("mean", (5,), width=3, hidden=4)
    params = random_params(encoder.init, KEY)
    features = np.random.default_rng(1).standard_normal((3, 2, 5)).astype(np.float32)
    mask = np.array([[1, 1], [1, 0], [0, 0]], bool)
    pooled = (features[0].mean(axis=0) + features[1, 0]) / 2
    own = params["params"]
    hidden = pooled @ own["hidden"]["kernel"] + own["hidden"]["bias"]
    expected = hidden / (1 + np.exp(-hidden)) @ own["out"]["kernel"] + own["out"]["bias"]
    np.testing.assert_allclose(jax.jit(encoder.apply)(params, features, mask), expected, rtol=1e-4, atol=1e-4)


def test_heads_must_divide_the_width():
    with pytest.raises(InputError, match="width 10 must be a multiple of num_heads 4"):
        set_encoder.make("set_transformer", (5,), width=10)
