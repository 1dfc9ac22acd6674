"""The figure of a run's best architectures, in whatever way their space is drawn."""

from collections.abc import Sequence
from pathlib import Path

from nag_jax.reports.graph_figures import draw_architectures
from nag_jax.spaces import MobileNetV3, NASBench201, Space

_NAMES = {NASBench201: "best_cells", MobileNetV3: "best_networks"}


def draw_best(space: Space, tokens, titles: Sequence[str], folder: Path) -> None:
    """Draws architectures `[B, N]`, best first, under their titles; nothing where there are none."""
    if len(tokens):
        draw_architectures(space, tokens, titles, folder / _NAMES.get(type(space), "best_graphs"))
