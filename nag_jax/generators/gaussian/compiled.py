"""The compiled sampler over a mesh of devices."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from nag_jax.generators.gaussian.kernels import Kernel
from nag_jax.generators.gaussian.sampler import is_coupled, make_sampler
from nag_jax.generators.gaussian.score_model import ScoreModel
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
"""Operations by which devices exchange data, as XLA calls them."""
Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all."""


class Generator:
    """Compiles guided reverse diffusion once, and runs it for any key, parameters and guidance of the same shapes.

    Samples are cut over the mesh's devices; parameters and guidance are on all of them. A call compiles again only
    for another number of samples.

    Args:
        model: the score network and its parametrisation.
        kernels: correctors first.
        guide: (unguided score, guidance) -> the transform that bends it, where guidance is any pytree of arrays
            (parameters, scales); None generates unconditionally.
        num_steps: steps of the time grid.
        final: see `diffusion.sampler.make_sampler`.
        mesh: from `parallel.make_mesh`.
        segment_steps: steps a compiled piece; between pieces progress is reported.
    """

    def __init__(
        self,
        model: ScoreModel,
        kernels: Sequence[Kernel],
        *,
        guide: Callable[..., Any] | None,
        num_steps: int,
        mesh: jax.sharding.Mesh,
        final: str = "denoise",
        segment_steps: int = 50,
    ):
        self._mesh = mesh
        self._num_steps = num_steps
        self._segment_steps = segment_steps
        self._kernels = kernels

        def transform(params, guidance):
            return None if guide is None else guide(model.score_fn(params), guidance)

        def sampler(params, guidance):
            return make_sampler(
                model.score_fn(params),
                sde=model.sde,
                kernels=kernels,
                transform=transform(params, guidance),
                shape=model.shape,
                num_steps=num_steps,
                final=final,
            )

        self._transform = transform
        self._keys = jax.jit(
            lambda key, start, n: sample_keys(key, n, start=start),
            static_argnums=2,
            out_shardings=parallel.batched(mesh),
        )
        options = parallel.compiler_options()
        self._init = jax.jit(lambda params, guidance, keys: sampler(params, guidance).init(keys))
        self._advance = jax.jit(
            lambda params, guidance, carry, n: sampler(params, guidance).advance(carry, n),
            static_argnums=3,
            donate_argnums=2,
            compiler_options=options,
        )
        self._finish = jax.jit(
            lambda params, guidance, carry: sampler(params, guidance).finish(carry), compiler_options=options
        )

    def __call__(
        self, key: jax.Array, n: int, params: Any, guidance: Any = None, *, progress: Progress | None = None
    ) -> np.ndarray:
        """Generates n samples, x float32 `[n, N, V]`; the i-th depends on `key` and i alone unless samples are coupled.

        Raises:
            InputError: samples are coupled and n is not a multiple of the number of devices.
        """
        padded = parallel.padded_size(n, self._mesh)
        if padded != n and is_coupled(self._kernels, self._transform(params, guidance)):
            raise InputError(
                f"samples are coupled, so they can't be padded: make num_samples, {n}, a multiple of the "
                f"{self._mesh.size} devices, or use the uncoupled form (Langevin with norm='sample')"
            )
        return parallel.fetch(self.launch(key, padded, params, guidance, progress=progress))[:n]

    def launch(
        self,
        key: jax.Array,
        n: int,
        params: Any,
        guidance: Any = None,
        *,
        start: int = 0,
        progress: Progress | None = None,
    ) -> jax.Array:
        """Samples `start` to `start + n - 1` of the stream of `key`, x `[n, N, V]` cut over the devices.

        Returns before they are made, unless progress is reported. Another start compiles nothing anew.

        Args:
            key: of the stream.
            n: a multiple of the number of devices.
            params: of the score network.
            guidance: what the guide takes.
            start: the first sample's number; the last must be less than 2^31.
            progress: called after each piece.
        """
        keys = self._keys(key, np.int32(start), n)
        params, guidance = jax.device_put((params, guidance), parallel.replicated(self._mesh))
        carry = self._init(params, guidance, keys)
        for done in range(0, self._num_steps, self._segment_steps):
            steps = min(self._segment_steps, self._num_steps - done)
            carry = self._advance(params, guidance, carry, steps)
            if progress is not None:
                jax.block_until_ready(carry)
                progress(done + steps, self._num_steps)
        return self._finish(params, guidance, carry)

    def compiled(self, n: int, params: Any, guidance: Any = None) -> list[jax.stages.Compiled]:
        """The compiled programs of `launch` for n samples, to ask XLA about them."""
        keys = self._keys(jax.random.key(0), np.int32(0), n)
        params, guidance = jax.device_put((params, guidance), parallel.replicated(self._mesh))
        carry = self._init(params, guidance, keys)
        programs = (
            self._keys.lower(jax.random.key(0), np.int32(0), n),
            self._init.lower(params, guidance, keys),
            self._advance.lower(params, guidance, carry, min(self._segment_steps, self._num_steps)),
            self._finish.lower(params, guidance, carry),
        )
        return [program.compile() for program in programs]

    def compiled_text(self, n: int, params: Any, guidance: Any = None) -> str:
        """The same in XLA's own words; to look for collectives in."""
        return "\n".join(str(program.as_text()) for program in self.compiled(n, params, guidance))
