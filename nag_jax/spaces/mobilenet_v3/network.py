"""MobileNetV3 with any blocks, as once-for-all has them (Howard et al., ICCV 2019; Cai et al., ICLR 2020)."""

from typing import Protocol

import flax.linen as nn
import jax


class Block(Protocol):
    """What describes an inverted residual block; `Layer` of `layers.py` does, and says what is what."""

    stage: int
    position: int
    kernel: int
    inputs: int
    inner: int
    outputs: int
    stride: int
    squeezed: int
    hard_swish: bool


class MobileNet(nn.Module):
    """The whole network. Images are float32 `[B, r, r, 3]`.

    Attributes:
        blocks: descriptions of the inverted residual blocks in order.
        final_expand: channels of the last convolution.
        features: the number of features of the layer before the classifier.
        num_classes: the number of classes that the classifier tells apart.
        dropout: rate before the classifier, in training.
    """

    blocks: tuple[Block, ...]
    final_expand: int = 960
    features: int = 1280
    num_classes: int = 1000
    dropout: float = 0.0

    @nn.compact
    def __call__(self, images, *, train: bool = False):
        """Class logits `[B, num_classes]`.

        Args:
            images: `[B, r, r, 3]`.
            train: whether norms use their batch (and `batch_stats` change), and dropout is on.
        """
        h = nn.hard_swish(_ConvNorm(self.blocks[0].inputs, 3, stride=2, name="stem")(images, train))
        for block in self.blocks:
            h = InvertedResidual(block, name=block_name(block))(h, train)
        h = nn.hard_swish(_ConvNorm(self.final_expand, 1, name="final_expand")(h, train)).mean(axis=(1, 2))
        h = nn.hard_swish(nn.Dense(self.features, use_bias=False, name="features")(h))
        h = nn.Dropout(self.dropout, deterministic=not train)(h)
        return nn.Dense(self.num_classes, name="classifier")(h)


def block_name(block: Block) -> str:
    """The name of a block in parameters: its place, whatever blocks are left out before it."""
    return f"stage_{block.stage}_{block.position}" if block.stage >= 0 else "fixed"


class InvertedResidual(nn.Module):
    """Expand, convolve depthwise, squeeze and excite, project; plus the input where shapes allow.

    Attributes:
        block: its description.
    """

    block: Block

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, inputs]` to `[B, ceil(s / stride), ceil(s / stride), outputs]`."""
        block = self.block
        activation = nn.hard_swish if block.hard_swish else nn.relu
        inner = h
        if block.inner != block.inputs:
            inner = activation(_ConvNorm(block.inner, 1, name="expand")(h, train))
        depthwise = _ConvNorm(block.inner, block.kernel, stride=block.stride, groups=block.inner, name="depthwise")
        inner = activation(depthwise(inner, train))
        if block.squeezed:
            inner = inner * SqueezeExcite(block.squeezed, name="squeeze_excite")(inner)
        out = _ConvNorm(block.outputs, 1, name="project")(inner, train)
        return out + h if block.stride == 1 and block.inputs == block.outputs else out


class SqueezeExcite(nn.Module):
    """Weights of channels from their means.

    Attributes:
        squeezed: hidden channels.
    """

    squeezed: int

    @nn.compact
    def __call__(self, h):
        """Weights `[B, 1, 1, C]` of h `[B, s, s, C]`."""
        hidden = nn.relu(nn.Dense(self.squeezed, name="reduce")(h.mean(axis=(1, 2))))
        return nn.hard_sigmoid(nn.Dense(h.shape[-1], name="expand")(hidden))[:, None, None]


class _ConvNorm(nn.Module):
    """A convolution padded by half its kernel, and a batch norm."""

    channels: int
    kernel: int
    stride: int = 1
    groups: int = 1

    @nn.compact
    def __call__(self, h, train: bool) -> jax.Array:
        half = self.kernel // 2
        h = nn.Conv(
            self.channels,
            (self.kernel, self.kernel),
            strides=self.stride,
            padding=((half, half), (half, half)),
            feature_group_count=self.groups,
            use_bias=False,
            name="conv",
        )(h)
        return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, name="norm")(h)
