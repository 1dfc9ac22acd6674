"""Architectures as batches of jraph."""

import jax
import jax.numpy as jnp
import jraph
import numpy as np


def batch_of(tokens, adjacency: np.ndarray, num_classes: int) -> jraph.GraphsTuple:
    """Architectures of one DAG as one batch: nodes one-hot `[B*N, V]`, an edge wherever a node feeds another.

    Args:
        tokens: `[B, N]`.
        adjacency: bool `[N, N]`, the DAG.
        num_classes: V.
    """
    tokens = jnp.asarray(tokens)
    batch, num_nodes = tokens.shape
    senders, receivers = np.nonzero(adjacency)
    offsets = num_nodes * np.arange(batch)[:, None]
    return jraph.GraphsTuple(
        nodes=jax.nn.one_hot(tokens.reshape(-1), num_classes, dtype=jnp.float32),
        edges=None,
        senders=jnp.asarray((senders + offsets).reshape(-1)),
        receivers=jnp.asarray((receivers + offsets).reshape(-1)),
        globals=None,
        n_node=jnp.full(batch, num_nodes, jnp.int32),
        n_edge=jnp.full(batch, len(senders), jnp.int32),
    )
