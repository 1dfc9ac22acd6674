"""The contract of spaces: a set of architectures that can be named, drawn at random, read, written and told apart."""

from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np


@runtime_checkable
class Space(Protocol):
    """A set of architectures, which are `tokens`, int32 `[B, W]`, in memory.

    A graph of variable size is packed and padded into its row. What a space can do beside this is asked for by
    capability; see `capabilities`.
    """

    @property
    def name(self) -> str:
        """What messages and files call the space; the name in the registry."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies what tokens mean, so that ledgers and checkpoints never mix two spaces."""
        ...

    @property
    def width(self) -> int:
        """W, the tokens of an architecture."""
        ...

    def to_native(self, tokens) -> list[str]:
        """Writes tokens `[B, W]` as B strings of the space's own notation."""
        ...

    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Reads B strings of the space's own notation into tokens `[B, W]`.

        Raises:
            InputError: a string is not an architecture of the space; the message has its row, from 0.
        """
        ...

    def contains(self, tokens) -> jax.Array:
        """Bool `[B]`: which rows of tokens `[B, W]` are an architecture. Jittable."""
        ...

    def canonical(self, tokens) -> np.ndarray:
        """Keys `[B]`, equal for architectures that compute the same thing.

        int64, or strings of letters, all of one length, where the architectures are more than int64 has values.
        """
        ...

    def random(self, key, n: int) -> jax.Array:
        """Draws n architectures, tokens `[n, W]`; the i-th depends on `key` and i alone. Jittable in `key`."""
        ...

    def describe(self) -> dict[str, Any]:
        """What the space is, as JSON can hold it: its choices, its rules in words, and example strings."""
        ...
