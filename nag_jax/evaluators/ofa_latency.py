"""Latency of MobileNetV3 sub-networks, learned from measurements: a cost that adds up over layers.

A layer's share is linear in the number of pixels, so the model is a ridge regression on the classes of the layers, each
once alone and once times the pixels, and on the pixels and the image's side. Being additive, it has an exact range and
moments, as all constraints want.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from nag_jax.spaces.costs import Cost
from nag_jax.spaces.mobilenet_v3 import RESOLUTIONS, MobileNetV3
from nag_jax.system.columns import check_csv
from nag_jax.system.errors import InputError, quoted

if TYPE_CHECKING:
    import pandas as pd

_FIELDS = ("ks", "e", "d", "r")
_PREFIX = "lat_"
_FOLDS = 5
_PENALTIES = (0.1, 1.0, 10.0, 100.0)
_LEAST_ROWS = 50


class Latency(NamedTuple):
    """A latency model of one device at one resolution.

    Attributes:
        cost: the latency in ms, as a sum over layers.
        facts: how it does on measurements that it was not fitted to, in five folds: `held_out_rmse_ms`,
            `held_out_error_percent` (mean of absolute relative errors), `held_out_spearman`; and `measurements`.
    """

    cost: Cost
    facts: dict[str, float]


def read_latencies(path: str | Path, space: MobileNetV3) -> dict[str, Latency]:
    """Fits a model to each device's column of a CSV file of measurements, by the device's name.

    Args:
        path: a CSV file with columns `ks`, `e` (20 numbers each) and `d` (5), separated by spaces, `r`, and one `lat_`
            column of ms per device.
        space: the space whose resolution the models are for; measurements at all resolutions are fitted.

    Raises:
        InputError: the file is missing or unreadable, a column is missing or comes twice, a row isn't a network, a
            latency isn't a positive number, or there are fewer than 50 rows.
    """
    import pandas as pd

    frame = _read(Path(path))
    tokens = _read_networks(frame, path)
    pixels = (np.asarray(frame["r"], float) / max(RESOLUTIONS)) ** 2
    found = {}
    for column in (name for name in frame.columns if name.startswith(_PREFIX)):
        values = np.asarray(pd.to_numeric(frame[column], errors="coerce"), float)
        if not (good := np.isfinite(values) & (values > 0)).all():
            line = int(np.argmin(good)) + 2
            raise InputError(
                f"{path}, line {line}: {quoted(column)} must be a latency in ms, found "
                f"{quoted(frame[column][line - 2])}; delete the row"
            )
        found[column.removeprefix(_PREFIX)] = _fit(space, tokens, pixels, values)
    return found


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    if not path.is_file():
        raise InputError(
            f"{path}: expected a CSV file of latencies, found {'a folder' if path.exists() else 'nothing'}"
        )
    try:
        check_csv(path)
        frame = pd.read_csv(path, dtype={"ks": str, "e": str, "d": str})
    except InputError:
        raise
    except Exception as error:  # a damaged file may raise nearly anything
        raise InputError(f"{path} can't be read as CSV ({error}): export it again") from error
    missing = [name for name in _FIELDS if name not in frame]
    if missing or not any(name.startswith(_PREFIX) for name in frame.columns):
        raise InputError(
            f"{path} has no column {quoted((missing or [_PREFIX + 'DEVICE'])[0])}: it needs ks, e, d, r and lat_*"
        )
    if len(frame) < _LEAST_ROWS:
        raise InputError(f"{path} has {len(frame)} rows, too few to fit a latency to: measure {_LEAST_ROWS} or more")
    return frame


def _read_networks(frame: "pd.DataFrame", path: str | Path) -> np.ndarray:
    """Tokens `[R, 20]`."""
    tokens = []
    for row, (kernels, expansions, depths, resolution) in enumerate(frame[list(_FIELDS)].itertuples(index=False)):
        try:
            form = {
                name: [int(n) for n in str(text).split()]
                for name, text in (("ks", kernels), ("e", expansions), ("d", depths))
            }
            if int(resolution) != resolution:
                raise InputError(f"'r' must be a whole number of pixels, found {resolution!r}")
            tokens.append(MobileNetV3(resolution=int(resolution)).from_ofa([form])[0])
        except (ValueError, OverflowError) as error:
            raise InputError(f"{path}, line {row + 2}: {str(error).removeprefix('row 0: ')}") from error
    return np.array(tokens)


def _fit(space: MobileNetV3, tokens: np.ndarray, pixels: np.ndarray, values: np.ndarray) -> Latency:
    entries = (tokens[..., None] == np.arange(space.num_classes)).reshape(len(tokens), -1).astype(float)
    design = np.concatenate([entries, entries * pixels[:, None], pixels[:, None], pixels[:, None] ** 0.5], axis=1)
    fold = np.random.default_rng(0).permutation(len(tokens)) % _FOLDS

    by_penalty = {penalty: np.empty(len(values)) for penalty in _PENALTIES}
    for i in range(_FOLDS):
        rest = _Ridge(design[fold != i])
        for penalty, predicted in by_penalty.items():
            weights, offset = rest.fit(values[fold != i], penalty)
            predicted[fold == i] = design[fold == i] @ weights + offset
    penalty = min(by_penalty, key=lambda one: float(np.mean((by_penalty[one] - values) ** 2)))
    predicted = by_penalty[penalty]
    weights, offset = _Ridge(design).fit(values, penalty)
    size = (space.resolution / max(RESOLUTIONS)) ** 2
    alone, times_pixels = weights[:-2].reshape(2, *space.allowed.shape)
    return Latency(
        Cost(
            offset + size * weights[-2] + size**0.5 * weights[-1],
            np.where(space.allowed, alone + size * times_pixels, 0.0),
        ),
        {
            "measurements": float(len(values)),
            "held_out_rmse_ms": float(np.sqrt(np.mean((predicted - values) ** 2))),
            "held_out_error_percent": float(100.0 * np.mean(np.abs(predicted / values - 1.0))),
            "held_out_spearman": float(spearmanr(predicted, values).statistic),  # pyright: ignore[reportAttributeAccessIssue],
        },
    )


class _Ridge:
    """Ridge regressions on one design, whose columns are standardised."""

    def __init__(self, design: np.ndarray):
        self._mean, deviation = design.mean(axis=0), design.std(axis=0)
        self._deviation = np.where(deviation > 0, deviation, np.inf)  # a column that never varies gets no weight
        self._scaled = (design - self._mean) / self._deviation
        self._gram = self._scaled.T @ self._scaled

    def fit(self, values: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
        """Weights and offset."""
        gram = self._gram + penalty * np.eye(len(self._gram))
        weights = np.linalg.solve(gram, self._scaled.T @ (values - values.mean())) / self._deviation
        return weights, float(values.mean() - self._mean @ weights)
