"""The layers of once-for-all's MobileNetV3 of width 1.0, with their parameters and multiply-accumulates.

Source: Cai et al., ICLR 2020, and Howard et al., ICCV 2019, for squeeze-and-excitation and activations.
"""

from typing import NamedTuple

IMAGE_CHANNELS, STEM, CLASSES = 3, 16, 1000
WIDTHS = (24, 40, 80, 112, 160)
STRIDES = (2, 2, 2, 1, 2)
"""Of the first layer of each stage; that of the stem is 2, and of its fixed block 1."""
HARD_SWISH = (False, False, True, True, True)
SQUEEZE = (False, True, False, True, True)
FINAL_EXPAND, FEATURES = 960, 1280


class Layer(NamedTuple):
    """An inverted residual block: expand, convolve depthwise, squeeze and excite, project.

    Attributes:
        stage: the number of its stage in the network, from 0.
        position: its position in the stage, from 0.
        kernel: the kernel size of the depthwise convolution.
        inputs: channels.
        inner: channels between expansion and projection; equal to `inputs` where nothing is expanded.
        outputs: channels.
        stride: the stride of the depthwise convolution.
        squeezed: channels within squeeze-and-excitation, 0 for none.
        hard_swish: whether activations are hard swishes, not ReLUs.
    """

    stage: int
    position: int
    kernel: int
    inputs: int
    inner: int
    outputs: int
    stride: int
    squeezed: int
    hard_swish: bool

    @property
    def params(self) -> int:
        """Parameters, with those of the batch norms."""
        expand = (self.inputs + 2) * self.inner if self.inner != self.inputs else 0
        depthwise = (self.kernel**2 + 2) * self.inner
        squeeze = (2 * self.inner + 1) * self.squeezed + self.inner if self.squeezed else 0
        return expand + depthwise + squeeze + (self.inner + 2) * self.outputs

    def macs(self, size: int) -> int:
        """Multiply-accumulates on an image of `size` x `size`."""
        after = strided(size, self.stride)
        expand = size**2 * self.inputs * self.inner if self.inner != self.inputs else 0
        depthwise = after**2 * self.kernel**2 * self.inner
        return expand + depthwise + 2 * self.inner * self.squeezed + after**2 * self.inner * self.outputs


FIXED_BLOCK = Layer(-1, 0, 3, STEM, STEM, STEM, 1, 0, False)
"""The block between the stem's convolution and the first stage, which all networks have."""


def layer_at(stage: int, position: int, kernel: int, expansion: int) -> Layer:
    """The layer with that setting at that place."""
    before = WIDTHS[stage - 1] if stage else STEM
    inputs = WIDTHS[stage] if position else before
    inner = _divisible(inputs * expansion)
    return Layer(
        stage=stage,
        position=position,
        kernel=kernel,
        inputs=inputs,
        inner=inner,
        outputs=WIDTHS[stage],
        stride=1 if position else STRIDES[stage],
        squeezed=_divisible(inner // 4) if SQUEEZE[stage] else 0,
        hard_swish=HARD_SWISH[stage],
    )


def sizes(resolution: int) -> list[int]:
    """The image sizes before the first stage and after each of them."""
    found = [strided(resolution, 2)]
    for stride in STRIDES:
        found.append(strided(found[-1], stride))
    return found


def fixed_params() -> int:
    """Parameters outside of the searched layers."""
    stem = (9 * IMAGE_CHANNELS + 2) * STEM
    head = (WIDTHS[-1] + 2) * FINAL_EXPAND + FINAL_EXPAND * FEATURES + (FEATURES + 1) * CLASSES
    return stem + FIXED_BLOCK.params + head


def fixed_macs(image: list[int]) -> int:
    """Multiply-accumulates outside of the searched layers, for the sizes that `sizes` gives."""
    stem = image[0] ** 2 * 9 * IMAGE_CHANNELS * STEM
    head = image[-1] ** 2 * WIDTHS[-1] * FINAL_EXPAND + FINAL_EXPAND * FEATURES + FEATURES * CLASSES
    return stem + FIXED_BLOCK.macs(image[0]) + head


def strided(size: int, stride: int) -> int:
    """The image size after a convolution padded by half its odd kernel."""
    return -(-size // stride)


def _divisible(channels: int) -> int:
    """The multiple of 8 nearest to a number of channels, but not more than a tenth below it."""
    nearest = max(8, (channels + 4) // 8 * 8)
    return nearest + 8 if 10 * nearest < 9 * channels else nearest
