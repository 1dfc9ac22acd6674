"""Capabilities of spaces beside the core: small protocols, and the questions that the rooms ask about them.

None of them loads what it takes to do the work: a space imports that when it is asked to do it.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

import jax
import numpy as np

from nag_jax.spaces.contract import Space
from nag_jax.spaces.paths import PathTerms, Wiring

if TYPE_CHECKING:
    from jraph import GraphsTuple
    from matplotlib.figure import Figure

    from nag_jax.spaces.any_network import AnyNetwork
    from nag_jax.spaces.blueprint import Blueprint
    from nag_jax.spaces.choices import Choices
    from nag_jax.spaces.costs import AnyCost


class TokenSpace(Space, Protocol):
    """A space whose tokens are classes, so that generators can relax them: tokens `[B, W]` to x `[B, W, V]`."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The V classes."""
        ...

    @property
    def node_names(self) -> tuple[str, ...]:
        """What the W tokens are called."""
        ...

    @property
    def num_classes(self) -> int:
        """V, the classes of a token."""
        ...

    @property
    def allowed(self) -> np.ndarray:
        """Bool `[W, V]`, the classes that each token may take."""
        ...

    @property
    def adjacency(self) -> np.ndarray:
        """Bool `[W, W]`, strictly upper triangular; `[i, j]` says that token i bears on token j."""
        ...

    @property
    def coordinates(self) -> np.ndarray:
        """Where each token stands, int `[W, C]`, for networks to embed."""
        ...

    def encode(self, tokens) -> Any:
        """Tokens `[B, W]` to x float32 `[B, W, V]`: one-hot rows scaled to -1 and +1. Jittable."""
        ...

    def decode(self, x, *, rule: str = "argmax") -> tuple[jax.Array, jax.Array]:
        """Reads x `[B, W, V]` as tokens int32 `[B, W]`, and bool `[B]`: whether they are an architecture. Jittable."""
        ...


class ChoiceSpace(TokenSpace, Protocol):
    """A space whose draws are independent choices, so that samples can be refined: see `Choices`."""

    @property
    def choices(self) -> "Choices":
        """The choices that `random` draws one by one, of which it keeps what the space contains."""
        ...


@runtime_checkable
class Listable(Protocol):
    """A space whose architectures may be few enough to list."""

    @property
    def size(self) -> int:
        """How many architectures there are."""
        ...

    @property
    def listable(self) -> bool:
        """Whether `all_tokens` can list it."""
        ...

    def all_tokens(self) -> np.ndarray:
        """Every architecture, tokens `[size, W]` in lexicographic order.

        Raises:
            InputError: there are too many.
        """
        ...


@runtime_checkable
class Counted(Protocol):
    """A space of which somebody may have counted what differs."""

    @property
    def size(self) -> int:
        """How many architectures there are."""
        ...

    @property
    def num_canonical(self) -> int | None:
        """How many classes of `canonical` there are, or None where nobody has counted them."""
        ...


@runtime_checkable
class Mutable(Protocol):
    """A space whose architectures can be changed a little."""

    def mutate(self, key, tokens) -> jax.Array:
        """One random change of each architecture, tokens `[B, W]`; architecture i uses `fold_in(key, i)`. Jittable."""
        ...

    def neighbors(self, tokens) -> np.ndarray:
        """All architectures that one change makes of one (tokens `[W]`): `[M, W]`."""
        ...


@runtime_checkable
class HasPosterior(Protocol):
    """A space that may know its class probabilities given evidence, in closed form."""

    @property
    def has_posterior(self) -> bool:
        """Whether `class_posterior` can be computed."""
        ...

    @property
    def is_ruled(self) -> bool:
        """Whether a denoiser should be told, by `class_posterior`, which classes go together."""
        ...

    def class_posterior(self, log_likelihood) -> jax.Array:
        """What `random` draws, given evidence about every token: the marginal probabilities `[B, W, V]`. Jittable."""
        ...


@runtime_checkable
class HasPaths(Protocol):
    """A space whose architectures lead from an input to an output."""

    def connected(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether the output depends on the input at all."""
        ...

    def path_terms(self) -> PathTerms | None:
        """The paths from input to output as products of one-hot entries, or None where they are too many to list."""
        ...

    def wiring(self, x) -> Wiring | None:
        """How x `[B, W, V]` is wired, differentiably, where its tokens choose that; None where all share one DAG."""
        ...


@runtime_checkable
class HasGraph(Protocol):
    """A space whose architectures are graphs of their tokens."""

    def edges(self, tokens) -> list[tuple[int, int]]:
        """Which token feeds which in one architecture (tokens `[W]`): pairs, sources first."""
        ...

    def graph(self, tokens) -> "GraphsTuple":
        """The B architectures as one jraph batch: nodes one-hot `[B*W, V]`."""
        ...


@runtime_checkable
class HasCosts(Protocol):
    """A space whose architectures have costs that a formula gives, and so nobody pays for."""

    def costs(self) -> Mapping[str, "AnyCost"]:
        """The costs by name."""
        ...

    def cost_lines(self, tokens) -> list[str]:
        """The cost that says most of each architecture of tokens `[B, W]`, in words for a title: B lines."""
        ...


@runtime_checkable
class Drawable(Protocol):
    """A space that draws its architectures.

    Attributes:
        drawn_as: what is drawn, in the plural, as `"cells"`: files of figures are called by it.
    """

    drawn_as: str

    def draw(self, figure: "Figure", tokens, titles: Sequence[str]) -> None:
        """Draws architectures into an empty figure, and gives it the size that they need.

        Args:
            figure: a new one, whose style is set.
            tokens: `[B, W]`, best first, B at least 1.
            titles: B lines, one at each architecture.
        """
        ...


@runtime_checkable
class Buildable(Protocol):
    """A space whose architectures are networks that can be built, and exported as modules of their own."""

    def blueprint(self, tokens) -> "Blueprint":
        """The network of one architecture, tokens `[W]`."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """A space whose architectures one compiled program can train."""

    def any_network(self, *, num_classes: int, **sizes: int) -> "AnyNetwork":
        """The networks of all its architectures, which tell so many classes apart; sizes are the space's own."""
        ...


def can_list(space: Space) -> TypeGuard[Listable]:
    """Whether the space can list its architectures."""
    return isinstance(space, Listable) and space.listable


def has_posterior(space: Space) -> TypeGuard[HasPosterior]:
    """Whether the space has its class probabilities in closed form."""
    return isinstance(space, HasPosterior) and space.has_posterior


def closed_form(space: Space) -> Callable[[jax.Array], jax.Array] | None:
    """The class probabilities that a denoiser should be told; None where classes don't depend on each other."""
    return space.class_posterior if has_posterior(space) and space.is_ruled else None


def num_distinct(space: Space) -> int:
    """How many labels can be paid for in a space: as many as are asked for where nobody has counted."""
    if isinstance(space, Counted):
        return space.num_canonical or space.size
    return sys.maxsize
