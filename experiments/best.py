"""The figure of a run's best architectures, in whatever way their space is drawn."""

from collections.abc import Sequence
from pathlib import Path

from nag_jax.analysis import figures, graph_figures
from nag_jax.spaces import MobileNetV3, NASBench201, NASBenchGraph, Space

_DRAWN = {
    NASBench201: ("best_cells", figures.draw_cells),
    MobileNetV3: ("best_networks", figures.draw_networks),
    NASBenchGraph: ("best_graphs", graph_figures.draw_graph_networks),
}


def draw_best(space: Space, tokens, titles: Sequence[str], folder: Path) -> None:
    """Draws architectures `[B, N]`, best first, under their titles; nothing where nobody knows how to draw them."""
    for kind, (name, draw) in _DRAWN.items():
        if isinstance(space, kind) and len(tokens):
            draw(space, tokens, titles, folder / name)
