"""Pareto fronts: what no other architecture beats in everything, how good a front is, and which few to take of it.

Values `[n, M]` are higher is better throughout. Measures are taken in the unit cube of a `Box`, as is usual: exact, by
moocore (López-Ibáñez, Paquete and Stützle, 2010).
"""

from typing import NamedTuple

import numpy as np

from nag_jax.system.errors import InputError

SAME_RANK = 0.999
"""Spearman correlation from which on two objectives are called one."""


class Box(NamedTuple):
    """The part of the objectives' values that counts.

    Attributes:
        worst: the reference point `[M]`: what isn't better in every objective counts nothing.
        best: the ideal `[M]`, the greatest value of each objective.

    Example:
        >>> Box(np.array([0.0, 0.0]), np.array([2.0, 4.0])).scale(np.array([[1.0, 3.0]])).tolist()
        [[0.5, 0.75]]
    """

    worst: np.ndarray
    best: np.ndarray

    def scale(self, values: np.ndarray) -> np.ndarray:
        """Values `[..., M]` where the worst is 0 and the best 1."""
        return (np.asarray(values, np.float64) - self.worst) / np.where(
            self.best > self.worst, self.best - self.worst, 1.0
        )

    def inside(self, values: np.ndarray) -> np.ndarray:
        """Bool `[n]`: which of values `[n, M]` are finite and beat the worst, or equal it, in everything."""
        return np.asarray(np.isfinite(values).all(axis=-1) & (values >= self.worst).all(axis=-1))


def around(values: np.ndarray) -> Box:
    """A box a tenth wider below than finite values `[n, M]`, so that the ends of their front count.

    Example:
        >>> around(np.array([[0.0, 1.0], [1.0, 0.0]])).worst.tolist()
        [-0.1, -0.1]
    """
    least, most = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    return Box(least - 0.1 * np.where(most > least, most - least, 1.0), most)


class Measures(NamedTuple):
    """How good a set of architectures is, beside a reference front.

    Attributes:
        hypervolume: what the set dominates of the box, in 0..1.
        hypervolume_share: the same over that of the reference front.
        coverage: share of the classes of the reference front that are in the set.
        igd_plus: mean distance of the reference front's points to what the set has at least (Ishibuchi et al., 2015).
        epsilon: the most by which the set lags behind the reference front (additive epsilon).
    """

    hypervolume: float
    hypervolume_share: float
    coverage: float
    igd_plus: float
    epsilon: float


def non_dominated(values: np.ndarray) -> np.ndarray:
    """Rows int64 of values `[n, M]` that no other beats, equal ones included; NaN never counts.

    Example:
        >>> non_dominated(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0]])).tolist()
        [0, 1]
    """
    import moocore

    known = np.flatnonzero(np.isfinite(values).all(axis=-1))
    if not len(known):
        return known
    return known[np.asarray(moocore.is_nondominated(values[known], maximise=True, keep_weakly=True))]


def front_ranks(values: np.ndarray) -> np.ndarray:
    """The number of each of values `[n, M]` in non-dominated sorting, int64 `[n]`: 0 is the front, NaN comes last."""
    import moocore

    known = np.flatnonzero(np.isfinite(values).all(axis=-1))
    ranks = np.full(len(values), len(values), np.int64)
    if len(known):
        ranks[known] = np.asarray(moocore.pareto_rank(values[known], maximise=True))
    return ranks


def hypervolume(values: np.ndarray, box: Box) -> float:
    """The share of a box that values `[n, M]` dominate."""
    import moocore

    points = box.scale(values[box.inside(values)])
    return float(moocore.hypervolume(-points, ref=np.zeros(len(box.worst)))) if len(points) else 0.0


def measure(values: np.ndarray, keys: np.ndarray, front: np.ndarray, front_keys: np.ndarray, box: Box) -> Measures:
    """How good a set is beside a reference front; what lies outside the box doesn't count.

    Args:
        values: those of the set, `[n, M]`.
        keys: canonical keys of the set, `[n]`.
        front: values of the reference front, `[R, M]`, inside the box.
        front_keys: canonical keys of it, `[R]`.
        box: what counts.
    """
    import moocore

    inside = box.inside(values)
    wanted, whole = np.unique(front_keys), hypervolume(front, box)
    if not inside.any():
        return Measures(0.0, 0.0, 0.0, float("inf"), float("inf"))
    points, reference, share = -box.scale(values[inside]), -box.scale(front), hypervolume(values, box)
    return Measures(
        hypervolume=share,
        hypervolume_share=share / whole if whole else 1.0,
        coverage=float(np.isin(wanted, keys[inside]).mean()),
        igd_plus=float(moocore.igd_plus(points, ref=reference)),
        epsilon=float(moocore.epsilon_additive(points, ref=reference)),
    )


def choose(values: np.ndarray, box: Box, n: int) -> np.ndarray:
    """Rows int64 `[m]` of values `[P, M]`, one after the other the one that adds most hypervolume.

    Ends early where nothing adds any; a greedy choice reaches 1 - 1/e of the best n (Nemhauser et al., 1978).
    """
    candidates = non_dominated(np.where(box.inside(values)[:, None], values, np.nan))
    gains = {int(row): hypervolume(values[[row]], box) for row in candidates}
    chosen: list[int] = []
    while gains and len(chosen) < n:
        reached = hypervolume(values[chosen], box) if chosen else 0.0
        best, gain = -1, 0.0
        for row, most in sorted(gains.items(), key=lambda item: -item[1]):
            if most <= gain:  # what a row adds only falls, so that the rest can't add more
                break
            gains[row] = hypervolume(values[[*chosen, row]], box) - reached
            if gains[row] > gain:
                best, gain = row, gains[row]
        if best < 0:
            break
        chosen.append(best)
        del gains[best]
    return np.array(chosen, np.int64)


def redundant(values: np.ndarray, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of objectives whose values `[n, M]` rank architectures alike, so that one of them says nothing.

    Example:
        >>> redundant(np.array([[1.0, 10.0, 3.0], [2.0, 20.0, 1.0], [3.0, 30.0, 2.0]]), ("a", "b", "c"))
        [('a', 'b')]
    """
    from scipy.stats import spearmanr

    if len(values) < 3:
        raise InputError(f"expected values of 3 architectures or more to compare objectives by, found {len(values)}")
    found = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            pair = values[:, [i, j]]
            varies = (np.ptp(pair, axis=0) > 0).all()
            if varies and spearmanr(pair[:, 0], pair[:, 1]).statistic > SAME_RANK:  # pyright: ignore
                found.append((names[i], names[j]))
    return found
