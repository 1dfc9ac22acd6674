"""The wiring of declared spaces: who feeds whom, where nodes may be absent."""

import numpy as np

from nag_jax.spaces.declared.conditions import Conditions


def bridged(flow: np.ndarray, bridges: np.ndarray) -> np.ndarray:
    """Who feeds whom, bool `[N, N]`, where some nodes pass on what they get.

    Args:
        flow: bool `[N, N]`, the declared edges.
        bridges: bool `[N, N]`, whether a node (row) may be left out on a way that starts or ends at another (column).
    """
    feeds = flow.copy()
    for target in range(len(flow)):
        reaches = np.repeat(
            flow[None, :, target], len(flow), axis=0
        )  # of ways from a source (row) over a node (column)
        for node in range(target)[::-1]:
            left_out = reaches[:, node] & bridges[node] & bridges[node, target]
            if left_out.any():
                reaches |= left_out[:, None] & flow[None, :, node]
        feeds[:, target] = reaches.diagonal()
    return feeds


def edges_between(flow: np.ndarray, present: np.ndarray, *, is_passing: bool) -> list[tuple[int, int]]:
    """The edges of one architecture, sources first.

    Args:
        flow: bool `[N, N]`, the declared edges.
        present: bool `[N]`, the nodes that are there.
        is_passing: whether absent nodes pass their input on.
    """
    bridges = np.broadcast_to(~present[:, None] & is_passing, flow.shape)
    sources, targets = np.nonzero(bridged(flow, bridges) & present & present[:, None])
    return list(zip(sources.tolist(), targets.tolist(), strict=True))


def all_edges(flow: np.ndarray, tree: Conditions, *, is_passing: bool) -> np.ndarray:
    """The edges of all architectures together, and one from each node to those whose condition is about it.

    Args:
        flow: bool `[N, N]`, the declared edges.
        tree: the conditions.
        is_passing: whether absent nodes pass their input on.
    """
    nodes = np.nonzero(tree.conditional)[0]
    bridges = np.zeros(flow.shape, bool)
    if is_passing:
        is_absent = np.repeat(tree.allowed[None], len(nodes), axis=0)  # one question per node: what else may be there?
        is_absent[np.arange(len(nodes)), nodes] = np.arange(tree.allowed.shape[1]) == tree.absent
        bridges[nodes] = (tree.possible(is_absent) & tree.choices).any(axis=-1)
    edges = bridged(flow, bridges)
    edges[tree.parents[nodes], nodes] = True
    return edges


def reaches_output(flow: np.ndarray, passes: np.ndarray) -> np.ndarray:
    """Bool `[B]`: whether nodes that pass something on lead from a node that nothing feeds to one that feeds nothing.

    Args:
        flow: bool `[N, N]`, the declared edges.
        passes: bool `[B, N]`.
    """
    reached = passes.copy()
    reached[:, flow.any(axis=0)] = False
    for node in range(len(flow)):
        reached[:, node] |= passes[:, node] & reached[:, flow[:, node]].any(axis=1)
    return np.asarray(reached[:, ~flow.any(axis=1)].any(axis=1))
