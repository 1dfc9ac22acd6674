"""What the numbers of a config may be: a field has the same range wherever its name stands."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from nag_jax.system.errors import InputError
from nag_jax.system.seeds import check_seed
from nag_jax.tasks.config import Config

_Range = tuple[str, Callable[[float], bool]]

_COUNT: _Range = ("at least 1", lambda value: value >= 1)
_POSITIVE: _Range = ("more than 0", lambda value: value > 0)
_NOT_NEGATIVE: _Range = ("at least 0", lambda value: value >= 0)
_SHARE: _Range = ("more than 0 and at most 1", lambda value: 0 < value <= 1)
_RATE: _Range = ("at least 0 and less than 1", lambda value: 0 <= value < 1)

RANGES: dict[str, _Range] = {
    "num_samples": _COUNT,
    "seeds": _COUNT,
    "search.initial": _COUNT,
    "search.budget": _COUNT,
    "labels.training": _NOT_NEGATIVE,
    "labels.final": _COUNT,
    "timeout": _NOT_NEGATIVE,
    "retries": _NOT_NEGATIVE,
    "workers": _NOT_NEGATIVE,
    "chunk_size": _COUNT,
    "num_steps": _COUNT,
    "guidance.num_steps": _NOT_NEGATIVE,
    "batch_size": _COUNT,
    "pool_size": _COUNT,
    "rounds": _COUNT,
    "chunk_steps": _COUNT,
    "checkpoint_every": _COUNT,
    "members": _COUNT,
    "width": _COUNT,
    "mlp_width": _COUNT,
    "head_width": _COUNT,
    "num_blocks": _COUNT,
    "num_layers": _COUNT,
    "num_heads": _COUNT,
    "learning_rate": _POSITIVE,
    "clip_norm": _POSITIVE,
    "snr": _POSITIVE,
    "sigma_min": _POSITIVE,
    "sigma_max": _POSITIVE,
    "beta_min": _POSITIVE,
    "beta_max": _POSITIVE,
    "warmup_steps": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "softness": _NOT_NEGATIVE,
    "max_norm": _NOT_NEGATIVE,
    "train_fraction": _SHARE,
    "top_share": _SHARE,
    "soft_share": ("at least 0 and at most 1", lambda value: 0 <= value <= 1),
    "dropout": _RATE,
    "ema_decay": _RATE,
}
"""Field, or its whole path where the name alone says too little, to its range in words and as a test."""


def check_numbers(config: Config) -> None:
    """Raises InputError where a number of the config can't be, by itself or beside another."""
    check_seed(config.seed, "config.seed")
    found = dict(leaves(config.to_dict()))
    for path, value in found.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"config.{path} must be finite, found {value}")
        words, holds = RANGES.get(path) or RANGES.get(path.rpartition(".")[2]) or ("", lambda value: True)
        if not holds(value):
            raise InputError(f"config.{path} must be {words}, found {value}")
    if "guidance" in config:
        _check_sweep(config.guidance.sweep)
    for process, low, high in (
        ("ve", "sigma_min", "sigma_max"),
        ("vp", "beta_min", "beta_max"),
        ("sub_vp", "beta_min", "beta_max"),
    ):
        bounds = config.sde[process]
        if bounds[low] >= bounds[high]:
            raise InputError(
                f"config.sde.{process}.{low}, {bounds[low]}, must be less than "
                f"config.sde.{process}.{high}, {bounds[high]}"
            )
    for small, large, mends in (
        ("labels.final", "num_samples", "lower it"),
        ("search.initial", "search.budget", "the initial design counts"),
    ):
        if small in found and large in found and found[small] > found[large]:
            raise InputError(f"config.{small}, {found[small]}, is more than config.{large}, {found[large]}: {mends}")


def _check_sweep(scales: Any) -> None:
    if not scales or not all(isinstance(scale, int | float) and math.isfinite(scale) for scale in scales):
        raise InputError(f"config.guidance.sweep must hold one finite number or more, as (0.0,1.0), found {scales}")


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field that isn't a block of others, as `("sde.ve.sigma_min", 0.1)`."""
    if not isinstance(tree, dict):
        yield path, tree
        return
    for name, value in tree.items():
        yield from leaves(value, f"{path}.{name}" if path else name)
