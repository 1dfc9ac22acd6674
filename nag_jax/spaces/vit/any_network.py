"""The networks of all vision transformers of a space at once: the largest one, of which tokens say what is used."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.any_network import AnyNetwork
from nag_jax.spaces.vit.blueprint import network_blueprint
from nag_jax.spaces.vit.layers import Layer, hidden_width
from nag_jax.spaces.vit.network import Used, VisionTransformerNetwork
from nag_jax.system.errors import InputError
from nag_jax.system.once import once

if TYPE_CHECKING:
    from nag_jax.spaces.vit.space import Sizes, VisionTransformer


@once
def any_transformer(space: "VisionTransformer", *, num_classes: int) -> AnyNetwork:
    """The networks of all architectures of a space, which tell so many classes apart.

    Raises:
        InputError: the space is made for another number of classes, or `init` gets images of another size.
    """
    if num_classes != space.num_outputs:
        raise InputError(
            f"the examples have {num_classes} classes, and the space {space.name} is made for {space.num_outputs}, "
            f"which its costs depend on: make it with num_classes={num_classes}"
        )
    widths, heads, head_widths, ratios = (space.numbers(name) for name in ("width", "heads", "head width", "ratio"))
    hidden = np.array([[hidden_width(width, ratio) for ratio in ratios] for width in widths])  # by the classes of both
    nodes = space.layer_nodes
    largest = Layer(int(heads.max()), int(head_widths.max()), int(hidden.max()))
    network = VisionTransformerNetwork(int(widths.max()), (largest,) * len(nodes), space.patches.size, num_classes)

    def used(tokens):
        def of(values, *places):
            # At least 1, for layers that aren't there: sizes are divided by.
            return jnp.maximum(jnp.asarray(values, jnp.int32)[places], 1)

        return tuple(
            Used(
                width=of(widths, tokens[0]),
                heads=of(heads, tokens[attention]),
                head_width=of(head_widths, tokens[attention]),
                hidden=of(hidden, tokens[0], tokens[ratio]),
                present=tokens[attention] != space.absent,
            )
            for attention, ratio in nodes
        )

    def init(key, tokens, images):
        if images.shape[1:3] != space.patches.image:
            found, made = (" x ".join(map(str, size)) for size in (images.shape[1:3], space.patches.image))
            raise InputError(
                f"examples are {found} pixels, and the space {space.name} is made for {made}: make it with that "
                "image_size, image_width and a patch that divides them"
            )
        return {"params": network.init(key, images, used(tokens))["params"], "batch_stats": {}}

    def apply(variables, tokens, images, train=False):
        return network.apply({"params": variables["params"]}, images, used(tokens), train=train), {}

    return AnyNetwork(
        init=init,
        apply=apply,
        specialise=lambda variables, tokens: specialise(variables, space.sizes(tokens), largest),
        blueprint=lambda tokens: network_blueprint(space.sizes(tokens), space.patches, num_classes),
    )


def specialise(variables: Any, sizes: "Sizes", largest: Layer) -> dict[str, Any]:
    """The variables of one network that are those of the network of the largest layers."""
    params, width = variables["params"], sizes.width
    own = {
        "patches": {"kernel": params["patches"]["kernel"][..., :width], "bias": params["patches"]["bias"][:width]},
        "positions": {"kernel": params["positions"]["kernel"][:, :width]},
        "norm": _norm(params["norm"], width),
        "classifier": params["classifier"] | {"kernel": params["classifier"]["kernel"][:width]},
    }
    for i, layer in enumerate(sizes.layers):
        given = params[f"layer_{i}"]
        own[f"layer_{i}"] = {
            "attention_norm": _norm(given["attention_norm"], width),
            "attention": _attention(given["attention"], width, layer, largest),
            "hidden_norm": _norm(given["hidden_norm"], width),
            "expand": _dense(given["expand"], width, layer.hidden),
            "project": _dense(given["project"], layer.hidden, width),
        }
    return {"params": own, "batch_stats": {}}


def _norm(module: Any, width: int) -> dict[str, Any]:
    return {name: leaf[:width] for name, leaf in module.items()}


def _dense(module: Any, inputs: int, outputs: int) -> dict[str, Any]:
    return {"kernel": module["kernel"][:inputs, :outputs], "bias": module["bias"][:outputs]}


def _attention(module: Any, width: int, layer: Layer, largest: Layer) -> dict[str, Any]:
    """Of every head that is used, its first channels."""
    every = np.arange(largest.heads * largest.head_width).reshape(largest.heads, largest.head_width)
    inner = every[: layer.heads, : layer.head_width].ravel()
    own = {
        name: {"kernel": module[name]["kernel"][:width, inner], "bias": module[name]["bias"][inner]}
        for name in ("query", "key", "value")
    }
    return own | {"out": {"kernel": module["out"]["kernel"][inner, :width], "bias": module["out"]["bias"][:width]}}
