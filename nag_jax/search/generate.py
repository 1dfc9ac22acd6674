"""Generating pools of architectures: the compiled sampler over a mesh, and what is done with a pool."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from nag_jax import parallel
from nag_jax.diffusion.kernels import Kernel
from nag_jax.diffusion.noise import sample_keys
from nag_jax.diffusion.sampler import is_coupled, make_sampler
from nag_jax.errors import InputError
from nag_jax.guidance.base import ScoreTransform
from nag_jax.spaces import Space
from nag_jax.training.score import ScoreModel

TRAINING, FINAL = "training", "final"
"""Purposes in ledgers: of the labels that a predictor learns from, and of those of the best that were generated."""
COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
"""Operations by which devices exchange data, as XLA calls them."""
Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all."""
MOST_DRAWS = 10**6
"""With which `random_distinct` gives up: 64 times all cells of NAS-Bench-201, and 1 GB of memory."""


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
        guide: Callable[..., ScoreTransform] | None,
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


def random_distinct(
    space: Space, key: jax.Array, n: int, *, covers: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray:
    """The first n architectures of a random stream that differ up to `canonical`: tokens `[n, N]`.

    Args:
        space: to draw from.
        key: of the stream.
        n: how many.
        covers: tokens `[B, N]` -> bool `[B]`, to skip those that an evaluator doesn't know.

    Raises:
        InputError: a stream of a million draws, or of 4 n if that is more, has fewer than n.
    """
    size, most = 4 * n, max(4 * n, MOST_DRAWS)
    while True:
        tokens = np.asarray(space.random(key, size))
        if covers is not None:
            tokens = tokens[covers(tokens)]
        first = distinct_rows(space.canonical(tokens))
        if len(first) >= n:
            return tokens[first[:n]]
        if size == most:
            raise InputError(f"found only {len(first):,} of {n:,} architectures that differ: ask for fewer")
        size = min(4 * size, most)


def distinct_rows(keys: np.ndarray) -> np.ndarray:
    """Where each key comes first, in increasing order."""
    return np.sort(np.unique(keys, return_index=True)[1])


def rank(space: Space, tokens: np.ndarray, predictions: np.ndarray, *, exclude=None) -> np.ndarray:
    """Rows of a pool in the order of the predictions, best first, each thing that is computed once.

    Args:
        space: of the pool.
        tokens: valid architectures `[B, N]`.
        predictions: `[B]`, higher is better.
        exclude: keys of `space.canonical` to leave out, as those of architectures already labelled.
    """
    keys = space.canonical(tokens)
    order = np.argsort(-predictions, kind="stable")
    order = order[distinct_rows(keys[order])]
    return order if exclude is None else order[~np.isin(keys[order], exclude)]


def tally(
    tokens: np.ndarray, predict: Callable[[np.ndarray], np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each architecture of a pool once, best by the predictor first.

    Args:
        tokens: valid architectures `[B, N]`.
        predict: tokens `[B, N]` -> predictions `[B]`, higher is better; None for no predictor.

    Returns:
        Tokens `[D, N]`, how often each is in the pool `[D]`, and their predictions `[D]`, NaN without a predictor.

    Example:
        >>> cells = np.array([[0, 1], [0, 2], [0, 2]])
        >>> [column.tolist() for column in tally(cells, lambda tokens: tokens[:, 1].astype(float))]
        [[[0, 2], [0, 1]], [2, 1], [2.0, 1.0]]
    """
    unique, counts = np.unique(tokens, axis=0, return_counts=True)
    if predict is None or not len(unique):
        return unique, counts, np.full(len(unique), np.nan)
    predictions = predict(unique)
    order = np.argsort(-predictions, kind="stable")
    return unique[order], counts[order], predictions[order]


def rank_new(
    space: Space,
    x,
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    may_be_labelled: Callable[[np.ndarray], np.ndarray],
    labelled: np.ndarray,
) -> np.ndarray:
    """The generated architectures that can be labelled, each once, best by the predictor first: tokens `[m, N]`.

    Args:
        space: of the pool.
        x: the pool `[n, N, V]`.
        predict: tokens `[B, N]` -> predictions `[B]`, higher is better.
        may_be_labelled: tokens `[B, N]` -> bool `[B]`.
        labelled: architectures that have a label, tokens `[L, N]`; they and what computes the same are left out.

    Raises:
        InputError: there is none.
    """
    tokens, valid = map(np.asarray, space.decode(x))
    tokens = tokens[valid]
    tokens = tokens[may_be_labelled(tokens)]
    order = rank(space, tokens, predict(tokens), exclude=space.canonical(labelled)) if len(tokens) else []
    if not len(order):
        raise InputError(
            "no generated architecture is valid, within the constraints, known to the evaluator and still without "
            "a label: raise num_samples, lower labels.training, or train the score network longer"
        )
    return tokens[order]
