"""Random numbers with one key per sample, so that no result depends on devices, processes or chunks."""

import zlib

import jax
import jax.numpy as jnp

from nag_jax.system.seeds import check_seed


def stream_key(seed: int, name: str) -> jax.Array:
    """The key of a named stream of randomness: of the seed and the name alone. See `check_seed`."""
    return jax.random.fold_in(jax.random.key(check_seed(seed)), zlib.crc32(name.encode()))


def sample_keys(key, n: int, *, start=0) -> jax.Array:
    """The keys `[n]` of samples `start` to `start + n - 1`; the i-th depends on `key` and i alone."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, start + jnp.arange(n, dtype=jnp.int32))


def fold_in(keys, data) -> jax.Array:
    """Folds one integer (or one per sample) into the keys `[B]`."""
    return jax.vmap(jax.random.fold_in, (0, None if jnp.ndim(data) == 0 else 0))(keys, data)


def normal(keys, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal noise float32 `[B, *shape]`, one key per sample."""
    return jax.vmap(lambda key: jax.random.normal(key, shape, jnp.float32))(keys)


def uniform(keys, *, low: float = 0.0, high: float = 1.0) -> jax.Array:
    """Uniform draws float32 `[B]`, one key per sample."""
    return jax.vmap(lambda key: jax.random.uniform(key, (), jnp.float32, low, high))(keys)


def expand(values, x) -> jax.Array:
    """Reshapes values `[B]` to `[B, 1, ...]` so that they broadcast against x `[B, ...]`."""
    return values.reshape(values.shape + (1,) * (x.ndim - values.ndim))
