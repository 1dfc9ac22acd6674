"""Drawings of MobileNetV3's networks: a bar per layer, as high as its expansion, in the colour of its kernel."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nag_jax.spaces.drawing import stacked
from nag_jax.spaces.mobilenet_v3.layout import EXPANSIONS, KERNELS, STAGES
from nag_jax.system.style import COLORS

_KERNEL_COLORS = dict(zip(KERNELS, COLORS[1:], strict=False))


def draw_networks(
    figure: Figure, networks: Sequence[Sequence[tuple[int, int, int, int]]], titles: Sequence[str]
) -> None:
    """Draws networks one under another.

    Args:
        figure: an empty one.
        networks: (stage, position, kernel, expansion) of the layers of each network.
        titles: one line above each network.
    """
    rows = stacked(figure, titles, width=6.4, below=0.9)
    for axes, layers in zip(rows, networks, strict=True):
        for stage, position, kernel, expansion in layers:
            axes.bar(5 * stage + position, expansion, 0.8, color=_KERNEL_COLORS[kernel])
    rows[-1].set(yticks=EXPANSIONS, ylim=(0, 1.08 * max(EXPANSIONS)), xlim=(-0.7, 23.7))
    rows[-1].set_xticks([5 * stage + 1.5 for stage in range(STAGES)], [f"stage {i + 1}" for i in range(STAGES)])
    rows[len(rows) // 2].set_ylabel("expansion")
    handles = [Patch(color=color, label=f"kernel {kernel}") for kernel, color in _KERNEL_COLORS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
