"""Networks whose architecture is an input, so that one compiled program trains every architecture of a space."""

from collections.abc import Callable
from typing import Any, NamedTuple

from nag_jax.spaces.blueprint import Blueprint


class AnyNetwork(NamedTuple):
    """The networks of all architectures of a space at once. `init` and `apply` are jittable.

    Variables are Flax's collections `params` and `batch_stats`, the latter empty where there are none; they have room
    for whatever an architecture may use.

    Attributes:
        init: (key, tokens `[W]`, images `[B, h, w, 3]`) -> fresh variables for that architecture.
        apply: (variables, tokens, images, train) -> logits `[B, num_classes]` and the new `batch_stats`.
        specialise: (variables, tokens) -> the variables that `blueprint(tokens).network` gives the same logits with.
        blueprint: tokens `[W]` -> the network of that architecture alone, which can be exported.

    Example:
        >>> from nag_jax import spaces
        >>> space = spaces.make("nasbench201")
        >>> network = space.any_network(num_classes=10, channels=4, cells=1)
        >>> network.blueprint(space.from_index([4242])[0]).num_params()
        11446
    """

    init: Callable[..., Any]
    apply: Callable[..., tuple[Any, Any]]
    specialise: Callable[..., Any]
    blueprint: Callable[..., Blueprint]
