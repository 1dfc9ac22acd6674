"""What a space may offer beside the core: small protocols, asked for with `isinstance` where one is needed.

None of them loads what it takes to do the work: a space imports that when it is asked to do it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nag_jax.spaces.blueprint import Blueprint
    from nag_jax.spaces.costs import Cost


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
            tokens: `[B, N]`, best first, B at least 1.
            titles: B lines, one at each architecture.
        """
        ...


@runtime_checkable
class HasCosts(Protocol):
    """A space whose architectures have costs that a formula gives, and so nobody pays for."""

    def costs(self) -> Mapping[str, "Cost"]:
        """The costs by name, each a sum over nodes."""
        ...

    def cost_lines(self, tokens) -> list[str]:
        """The cost that says most of each architecture of tokens `[B, N]`, in words for a title: B lines."""
        ...


@runtime_checkable
class Buildable(Protocol):
    """A space whose architectures are networks that can be built, and exported as modules of their own."""

    def blueprint(self, tokens) -> "Blueprint":
        """The network of one architecture, tokens `[N]`."""
        ...
