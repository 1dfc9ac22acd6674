"""The networks of all cells at once."""

from nag_jax.spaces.any_network import AnyNetwork
from nag_jax.spaces.nasbench201.blueprint import cell_blueprint
from nag_jax.spaces.nasbench201.network import AnyCellNetwork, specialise
from nag_jax.spaces.nasbench201.space import EDGES, FIRST_OPERATION, OPERATIONS
from nag_jax.system.once import once


@once
def any_cell_network(*, num_classes: int, channels: int, cells: int, stages: int) -> AnyNetwork:
    """The networks of all cells, of these sizes; see `CellNetwork`."""
    sizes = {"num_classes": num_classes, "channels": channels, "cells": cells, "stages": stages}
    network = AnyCellNetwork(channels, cells, num_classes, stages)

    def edges(tokens):
        named = (OPERATIONS[token - FIRST_OPERATION] for token in tokens[1:-1])
        return tuple((source, target, name) for (source, target), name in zip(EDGES, named, strict=True))

    def operations(tokens):
        return tokens[1:-1] - FIRST_OPERATION

    def apply(variables, tokens, images, train=False):
        if not train:
            return network.apply(variables, images, operations(tokens)), variables["batch_stats"]
        logits, changed = network.apply(variables, images, operations(tokens), train=True, mutable=["batch_stats"])
        return logits, changed["batch_stats"]

    return AnyNetwork(
        init=lambda key, tokens, images: network.init(key, images, operations(tokens)),
        apply=apply,
        specialise=lambda variables, tokens: specialise(variables, edges(tokens)),
        blueprint=lambda tokens: cell_blueprint(edges(tokens), **sizes),
    )
