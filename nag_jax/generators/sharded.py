"""Sampling over a mesh of devices, compiled once."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nag_jax.generators.contract import Generator, Samples
from nag_jax.system import interrupts, parallel
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys
from nag_jax.system.once import once

COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
"""Operations by which devices exchange data, as XLA calls them."""
Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all."""


class ShardedSampler:
    """Compiles guided sampling once, and runs it for any key, parameters and arguments of the same shapes.

    Samples are cut over the mesh's devices; parameters and arguments are on all of them. A call compiles again only
    for another number of samples.

    Args:
        generator: what samples.
        guide: a `guidance.Guide` that bends its beliefs, or None.
        num_steps: steps of a sample.
        mesh: what `parallel.make_mesh` returned.
        segment_steps: steps of a compiled piece; between pieces progress is reported.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        guide: Any = None,
        num_steps: int,
        mesh: jax.sharding.Mesh,
        segment_steps: int = 50,
    ):
        self._mesh = mesh
        self._num_steps = num_steps
        self._segment_steps = segment_steps
        self._coupled = generator.coupled or (guide is not None and guide.coupled)

        def sampler(params, args):
            return generator.sampler(params, num_steps=num_steps, guide=guide, args=args, start=None)

        self._keys = jax.jit(
            lambda key, start, n: sample_keys(key, n, start=start),
            static_argnums=2,
            out_shardings=parallel.batched(mesh),
        )
        options = parallel.compiler_options()
        self._init = jax.jit(lambda params, args, keys: sampler(params, args).init(keys))
        self._advance = jax.jit(
            lambda params, args, carry, n: sampler(params, args).advance(carry, n),
            static_argnums=3,
            donate_argnums=2,
            compiler_options=options,
        )
        self._finish = jax.jit(
            lambda params, args, carry: sampler(params, args).finish(carry), compiler_options=options
        )

    def __call__(
        self, key: jax.Array, n: int, params: Any, args: Any = None, *, progress: Progress | None = None
    ) -> Samples:
        """Generates n samples as NumPy arrays; the i-th depends on `key` and i alone unless samples are coupled.

        Raises:
            InputError: samples are coupled and n is not a multiple of the number of devices.
        """
        padded = parallel.padded_size(n, self._mesh)
        if padded != n and self._coupled:
            raise InputError(
                f"samples are coupled, so they can't be padded: make num_samples, {n}, a multiple of the "
                f"{self._mesh.size} devices, or use the uncoupled form (Langevin with norm='sample')"
            )
        samples = parallel.fetch(self.launch(key, padded, params, args, progress=progress))
        return jax.tree.map(lambda column: column[:n], samples)

    def launch(
        self,
        key: jax.Array,
        n: int,
        params: Any,
        args: Any = None,
        *,
        start: int = 0,
        progress: Progress | None = None,
    ) -> Samples:
        """Samples `start` to `start + n - 1` of the stream of `key`, cut over the devices.

        Returns before they are made, unless progress is reported. Another start compiles nothing anew.

        Args:
            key: the key of the stream.
            n: a multiple of the number of devices.
            params: the generator's parameters.
            args: what the guide is given.
            start: the first sample's number; the last must be less than 2^31.
            progress: called after each piece.
        """
        keys = self._keys(key, np.int32(start), n)
        params, args = jax.device_put((params, args), parallel.replicated(self._mesh))
        carry = self._init(params, args, keys)
        for done in range(0, self._num_steps, self._segment_steps):
            interrupts.check()
            steps = min(self._segment_steps, self._num_steps - done)
            carry = self._advance(params, args, carry, steps)
            if progress is not None:
                jax.block_until_ready(carry)
                progress(done + steps, self._num_steps)
        return self._finish(params, args, carry)

    def compiled(self, n: int, params: Any, args: Any = None) -> list[jax.stages.Compiled]:
        """The compiled programs of `launch` for n samples, to ask XLA about them."""
        keys = self._keys(jax.random.key(0), np.int32(0), n)
        params, args = jax.device_put((params, args), parallel.replicated(self._mesh))
        carry = self._init(params, args, keys)
        programs = (
            self._keys.lower(jax.random.key(0), np.int32(0), n),
            self._init.lower(params, args, keys),
            self._advance.lower(params, args, carry, min(self._segment_steps, self._num_steps)),
            self._finish.lower(params, args, carry),
        )
        return [program.compile() for program in programs]

    def compiled_text(self, n: int, params: Any, args: Any = None) -> str:
        """The same in XLA's own words; to look for collectives in."""
        return "\n".join(str(program.as_text()) for program in self.compiled(n, params, args))


sharded = once(ShardedSampler)
"""Makes a sampler, once for equal arguments, so that repeated calls share its compiled programs."""
