"""Learned priors: what a generator learns in place of a space, where some architectures are known to be good.

A corpus of one's own is read by `tasks.corpus`. An architecture of other data sets counts as much on each as

    exp(tilt * z)

with z its normalised label there. Without data sets it counts by the mean of its z over all that have it: what is good
nearly everywhere, and not what one of them says by chance. For a data set, the generator learns what is good on each of
the others, and is asked for one that it never saw by its embedding.
"""

import numpy as np

from nag_jax.datasets.triples import TaskTable, Triples
from nag_jax.generators.fit import Corpus, weighted_rows
from nag_jax.generators.masked import Condition
from nag_jax.system.errors import InputError
from nag_jax.tasks import build
from nag_jax.tasks.setting import Setting
from nag_jax.tasks.transfer import Transfer


def of_others(triples: Triples, tilt: float, seed: int) -> Corpus:
    """The architectures that are good on other data sets, whichever those are.

    Args:
        triples: architectures and their normalised labels on other data sets; higher is better.
        tilt: how much labels count.
        seed: the seed of what is rounded.
    """
    tokens, inverse = np.unique(triples.tokens, axis=0, return_inverse=True)
    means = np.bincount(inverse.ravel(), triples.values) / np.bincount(inverse.ravel())
    return Corpus(tokens[weighted_rows(_tilted(means, tilt), seed)])


def for_each(triples: Triples, table: TaskTable, tilt: float, seed: int) -> Corpus:
    """The architectures that are good on other data sets, each with its data set; see `of_others`."""
    rows = weighted_rows(_tilted(triples.values, tilt), seed)
    return Corpus(triples.tokens[rows], triples.task[rows].astype(np.int32), embeddings(table))


def learn_from_others(run: Setting, source: Transfer) -> None:
    """Makes a transfer learn its generator from other data sets too, as `config.score.prior` says.

    Raises:
        InputError: the new data set can't be known before labels are paid for.
    """
    given, seed = run.config.score.prior, run.config.seed
    if not given.scale:
        run.corpus = of_others(source.triples, given.tilt, seed)
        return
    if source.target is None or len(source.target.item_shape) != 1:
        raise InputError(
            "config.score.prior.scale needs features of the new data set, which config.dataset.source=landmarks pays "
            "for and pixels aren't: set scale to 0, or describe it otherwise"
        )
    run.corpus = for_each(source.triples, source.table, given.tilt, seed)
    context = embeddings(source.table, (source.target.features, source.target.mask))[0]
    condition = Condition(tuple(context.tolist()), given.dropout, given.scale)
    run.generator = build.make_generator(run.config, run.space, None, condition=condition)


def _tilted(values: np.ndarray, tilt: float) -> np.ndarray:
    return np.exp(tilt * (np.asarray(values, np.float64) - np.max(values)))


def embeddings(table: TaskTable, target: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """The embeddings of data sets: means over their classes of the means over items, in units of the known ones.

    Args:
        table: what the known data sets look like.
        target: the features `[C, I, F]` and the mask `[C, I]` of a new one; None embeds those of the table.

    Returns:
        float32 `[T, F]`, or `[1, F]` of the new one; each feature has mean 0 and standard deviation 1 over the table.
    """

    def mean(features, mask):
        of_class = (features * mask[..., None]).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)[:, None]
        return of_class[mask.any(axis=1)].mean(axis=0)

    features, items = np.asarray(table.features), np.asarray(table.items)
    known = np.stack(
        [mean(features[rows], items[rows] & mask[:, None]) for rows, mask in zip(table.rows, table.mask, strict=True)]
    )
    found = known if target is None else mean(*map(np.asarray, target))[None]
    return ((found - known.mean(axis=0)) / (known.std(axis=0) + 1e-6)).astype(np.float32)
