"""Blueprints, from which standalone modules of one architecture are written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp


class Graph(Protocol):
    """A graph that a network is written into, an operation at a time; each method returns the name of its output.

    Tensors are images first, `[B, C, r, r]`. A `path` is that of a module in the Flax variables, with dots.
    """

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Adds an operation by its ONNX name."""
        ...

    def conv(self, h: str, path: str, *, stride: int = 1, groups: int = 1) -> str:
        """The convolution at `path`, padded by half its odd kernel; a dense layer there is one of 1 x 1."""
        ...

    def patches(self, h: str, path: str) -> str:
        """The convolution at `path` that goes from patch to patch: its stride is its kernel."""
        ...

    def leaf(self, path: str) -> str:
        """The variable at `path`, as it is."""
        ...

    def norm(self, h: str, path: str) -> str:
        """The batch norm at `path`, with its running statistics."""
        ...

    def conv_norm(self, h: str, path: str, *, stride: int = 1, groups: int = 1) -> str:
        """The convolution and batch norm of a module at `path` that names them `conv` and `norm`."""
        ...

    def dense(self, h: str, path: str) -> str:
        """The dense layer at `path`, of h `[B, C]`."""
        ...

    def zeros_like(self, h: str) -> str:
        """Zeros of the shape of h."""
        ...


@dataclass(frozen=True)
class Blueprint:
    """One architecture as a network of ours, and as what its export needs to know of it.

    Attributes:
        network: ours, a Flax module: images `[B, r, r, 3]` -> logits.
        title: what it is, in a few words.
        image_size: r of the space, the height of images.
        templates: the folder of the templates `network_flax.py.jinja` and `network_torch.py.jinja`.
        fields: what they are filled with.
        build: writes the network into a graph: (graph, name of the images `[B, 3, r, r]`) -> name of the logits.
        image_width: the width of images that aren't square; 0 for those that are.

    Example:
        >>> from nag_jax import spaces
        >>> space = spaces.make("nasbench201")
        >>> space.blueprint(space.from_index([4242])[0]).image_size
        32
    """

    network: Any
    title: str
    image_size: int
    templates: Path
    fields: Mapping[str, Any]
    build: Callable[[Graph, str], str]
    image_width: int = 0

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.image_size, self.image_width or self.image_size, 3

    def shapes(self) -> Any:
        """Shapes of the network's variables."""
        image = jnp.zeros((1, *self.image_shape), jnp.float32)
        return jax.eval_shape(self.network.init, jax.random.key(0), image)

    def num_params(self) -> int:
        """Parameters of the network."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.shapes()["params"]))
