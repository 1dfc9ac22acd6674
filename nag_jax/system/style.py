"""The style of all figures: their colours, and how they are drawn and written.

Nothing here or in the figures touches pyplot, so no display, backend or global figure is involved.
"""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

INK, MUTED, FAINT = "#222222", "#6b6b6b", "#d9d9d9"
COLORS = ("#767676", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's colour-blind safe palette, behind a grey for whatever others are measured against."""

STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "font.size": 10,
    "font.family": "sans-serif",
    "text.parse_math": False,  # a $ in a name of the user's is a dollar
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.framealpha": 1.0,
    "legend.edgecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "nag_jax",
}


def write(figure: Figure, path: str | Path) -> None:
    """Writes the figure as `PATH.png` and `PATH.svg`, the same bytes for the same figure."""
    for suffix, metadata in ((".png", None), (".svg", {"Date": None})):
        figure.savefig(f"{path}{suffix}", metadata=metadata)
