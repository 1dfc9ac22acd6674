"""all-MiniLM-L6-v2: a frozen text encoder, 384 numbers per text.

A BERT (Devlin et al., NAACL 2019) of six layers (Wang et al., *MiniLM*, NeurIPS 2020) whose tokens' mean is normalised
(Reimers and Gurevych, *Sentence-BERT*, EMNLP 2019). It runs on the arrays of the weights file as they are, under their
own names: nothing is trained here, so a module would only rename them.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.networks.weights import check_weights
from nag_jax.system.weights_file import read_weights

NUM_FEATURES = 384
NUM_WORDS = 30522
MAX_TOKENS = 256

_LAYERS = 6
_HEADS = 12
_INNER = 1536
_POSITIONS = 512
_IGNORED = ("embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias")
"""A constant, and a layer that sentence embeddings don't use."""


def read_minilm(path: str | Path) -> dict[str, np.ndarray]:
    """The weights by name.

    Args:
        path: the model's weights under their own names; see `weights_file.read_weights`.

    Raises:
        InputError: the file can't be read, or a name or a shape isn't the model's.
    """
    return check_weights(read_weights(path), _shapes(), path=path, network="all-MiniLM-L6-v2", ignored=_IGNORED)


def _shapes() -> dict[str, tuple[int, ...]]:
    d = NUM_FEATURES
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (NUM_WORDS, d),
        "embeddings.position_embeddings.weight": (_POSITIONS, d),
        "embeddings.token_type_embeddings.weight": (2, d),
    }
    norms = ["embeddings.LayerNorm"]
    for i in range(_LAYERS):
        layer = f"encoder.layer.{i}"
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        for name, (fan_in, fan_out) in {
            "attention.self.query": (d, d),
            "attention.self.key": (d, d),
            "attention.self.value": (d, d),
            "attention.output.dense": (d, d),
            "intermediate.dense": (d, _INNER),
            "output.dense": (_INNER, d),
        }.items():
            shapes[f"{layer}.{name}.weight"] = (fan_out, fan_in)
            shapes[f"{layer}.{name}.bias"] = (fan_out,)
    for norm in norms:
        shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (d,)
    return shapes


@jax.jit
def embed_tokens(weights: Mapping[str, jax.Array], tokens: jax.Array, mask: jax.Array) -> jax.Array:
    """Unit vectors float32 `[B, 384]` of texts.

    Args:
        weights: what `read_minilm` returned.
        tokens: int32 `[B, L]`, L at most 256.
        mask: bool `[B, L]`, True where there is a token.
    """

    def dense(h, name):
        return h @ weights[f"{name}.weight"].T + weights[f"{name}.bias"][None, None]

    def norm(h, name):
        centred = h - h.mean(axis=-1, keepdims=True)
        scaled = centred / jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"][None, None] + weights[f"{name}.bias"][None, None]

    def attend(h, name):
        q, k, v = (dense(h, f"{name}.self.{part}") for part in ("query", "key", "value"))
        q, k, v = (part.reshape(*part.shape[:2], _HEADS, -1) for part in (q, k, v))
        logits = jnp.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(NUM_FEATURES // _HEADS)
        weight = jax.nn.softmax(jnp.where(mask[:, None, None, :], logits, -1e9))
        return dense(jnp.einsum("bhqk,bkhd->bqhd", weight, v).reshape(h.shape), f"{name}.output.dense")

    h = weights["embeddings.word_embeddings.weight"][tokens]
    h += weights["embeddings.position_embeddings.weight"][None, : tokens.shape[1]]
    h = norm(h + weights["embeddings.token_type_embeddings.weight"][:1][None], "embeddings.LayerNorm")
    for i in range(_LAYERS):
        layer = f"encoder.layer.{i}"
        h = norm(h + attend(h, f"{layer}.attention"), f"{layer}.attention.output.LayerNorm")
        inner = jax.nn.gelu(dense(h, f"{layer}.intermediate.dense"), approximate=False)
        h = norm(h + dense(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    counted = mask[..., None].astype(h.dtype)
    pooled = (h * counted).sum(axis=1) / counted.sum(axis=1)
    return pooled / jnp.linalg.norm(pooled, axis=-1, keepdims=True)
