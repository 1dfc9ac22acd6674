"""Vision transformers: how wide and how deep they are, and the heads and the hidden layer of each layer."""

from nag_jax.spaces.vit.space import VisionTransformer

__all__ = ["VisionTransformer"]
