"""NATS-Bench's size space: five widths of one network."""

from nag_jax.spaces.nats_size.space import NATSSize

__all__ = ["NATSSize"]
