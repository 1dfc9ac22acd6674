"""Figures of architectures, in whatever way their space draws them."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from nag_jax.spaces.capabilities import Drawable
from nag_jax.system.errors import InputError
from nag_jax.system.style import STYLE, write


def draw_architectures(space: Drawable, tokens, titles: Sequence[str], path: str | Path) -> Figure:
    """Draws architectures as their space does, writes the figure as `PATH.png` and `PATH.svg`, and returns it.

    Args:
        space: the space of the architectures.
        tokens: `[B, N]`, best first.
        titles: B lines, one at each architecture.
        path: where to write, without suffix.

    Raises:
        InputError: there is no architecture, or not one title for each.
    """
    tokens = np.asarray(tokens)
    if not len(tokens) or len(tokens) != len(titles):
        raise InputError(f"expected an architecture or more and a title each, found {len(tokens)} and {len(titles)}")
    with mpl.rc_context(STYLE):
        figure = Figure(layout="constrained")
        space.draw(figure, tokens, titles)
        write(figure, path)
    return figure


def draw_best(space: object, tokens, titles: Sequence[str], folder: Path) -> None:
    """Draws architectures `[B, N]`, best first, as `best_cells` or the like; nothing where none can be drawn."""
    if len(tokens) and isinstance(space, Drawable):
        draw_architectures(space, tokens, titles, folder / f"best_{space.drawn_as}")
