"""What standalone modules of one architecture are written from, and the random weights that they are checked with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.export.onnx_graph import Graph

Variables = dict[str, dict[str, Any]]
"""Flax's `params` and `batch_stats`, as NumPy arrays."""


@dataclass(frozen=True)
class Blueprint:
    """One architecture as a network of ours, and as what the generators need to know of it.

    Attributes:
        network: ours, a Flax module: images `[B, r, r, 3]` -> logits.
        title: what it is, in a few words.
        image_size: r of the space.
        template: the templates' name, `templates/{template}_flax.py.jinja` and `templates/{template}_torch.py.jinja`.
        fields: what they are filled with.
        build: writes the network into an ONNX graph: (graph, name of the images `[B, 3, r, r]`) -> name of the logits.

    Example:
        >>> from nag_jax import export, spaces
        >>> space = spaces.make("nasbench201")
        >>> export.make_blueprint(space, space.from_index([4242])[0]).image_size
        32
    """

    network: Any
    title: str
    image_size: int
    template: str
    fields: Mapping[str, Any]
    build: Callable[[Graph, str], str]

    def shapes(self) -> Any:
        """Shapes of the network's variables."""
        image = jnp.zeros((1, self.image_size, self.image_size, 3), jnp.float32)
        return jax.eval_shape(self.network.init, jax.random.key(0), image)

    def num_params(self) -> int:
        """Parameters of the network."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.shapes()["params"]))


def random_variables(blueprint: Blueprint, seed: int = 0) -> Variables:
    """Variables of the network that keep activations near unit size, and in which no two leaves are alike.

    Kernels are Gaussian with the variance of 1 / fan-in. Batch norms are not at their initial values, with which
    exchanged scales, offsets or statistics would go unnoticed.
    """
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        name = path[-1].key
        normal = rng.standard_normal(leaf.shape)
        if name == "kernel":
            values = normal / np.sqrt(np.prod(leaf.shape[:-1]))
        elif name == "var":
            values = rng.uniform(0.5, 1.5, leaf.shape)
        else:
            values = float(name == "scale") + 0.1 * normal
        return values.astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, blueprint.shapes())
