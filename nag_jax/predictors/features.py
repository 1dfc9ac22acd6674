"""Features of relaxed architectures, for surrogates: polynomials in the one-hot entries, so differentiable in x."""

import math
from collections.abc import Callable, Collection, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.predictors.wiring import chooses_wiring, links, profile
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.paths import PathTerms
from nag_jax.system.errors import InputError

_SAMPLE = 1024
FeatureFn = Callable[[Array], Array]
"""x `[B, N, V]` -> features `[B, F]`."""


def one_hot(space: NodeSpace) -> FeatureFn:
    """The one-hot entries, in 0..1 for architectures, of the nodes and classes where there is a choice."""
    rows, classes = np.nonzero(space.allowed & (space.allowed.sum(axis=1, keepdims=True) > 1))
    columns = rows * space.num_classes + classes
    return lambda x: (x.reshape(x.shape[0], -1)[:, columns] + 1.0) / 2.0


def path_counts(space: NodeSpace) -> FeatureFn:
    """What the paths from input to output do, softly: how many have each word, pass each class, or have each length.

    For architectures these are counts, equal wherever skips and blocked paths make no difference.

    Raises:
        InputError: the space has too many paths to list.
    """
    terms = _terms(space)
    summaries = np.concatenate([np.eye(terms.num_words, dtype=np.float32), _classes(terms), _lengths(terms)], axis=1)
    return _sums(space, terms, summaries[terms.words])


def live_one_hot(space: NodeSpace) -> FeatureFn:
    """The one-hot entries of nodes that an unblocked path from input to output passes, and which nodes none passes.

    Softly, an entry is the sum over such paths of the products of their one-hot entries, at most 1.

    Raises:
        InputError: the space has too many paths to list.
    """
    terms = _terms(space)
    places = _places(terms)
    nodes = sorted({node for node, _ in places})
    passes = np.zeros((len(terms.entries), len(places)), np.float32)
    for term, entries in enumerate(terms.entries):
        passes[term, [places.index(entry) for entry in entries]] = 1.0
    of_node = np.array([[place[0] == node for node in nodes] for place in places], np.float32)
    flows = _sums(space, terms, passes)

    def features(x):
        live = jnp.minimum(flows(x), 1.0)
        return jnp.concatenate([live, 1.0 - live @ of_node], axis=1)

    return features


def class_counts(space: NodeSpace) -> FeatureFn:
    """How many of the nodes where there is a choice have each class."""
    has_choice = (space.allowed.sum(axis=1) > 1)[None, :, None]
    return lambda x: (has_choice * (x + 1.0) / 2.0).sum(axis=1)


def live_counts(space: NodeSpace) -> FeatureFn:
    """How many nodes of each class an unblocked path passes.

    Raises:
        InputError: the space has too many paths to list.
    """
    classes = [place[1] for place in _places(_terms(space))]
    of_class = (np.array(classes)[:, None] == np.unique(classes)).astype(np.float32)
    live = live_one_hot(space)
    return lambda x: live(x)[:, : len(classes)] @ of_class


def path_profile(space: NodeSpace) -> FeatureFn:
    """The logarithms of how many paths, plus 1, pass each class or have each length; see `path_counts`.

    Raises:
        InputError: the space has too many paths to list.
    """
    terms = _terms(space)
    return _log_counts(space, terms, [_classes(terms), _lengths(terms)])


def path_depth_profile(space: NodeSpace) -> FeatureFn:
    """Those of `path_profile`, and the same of how many paths have each depth.

    A path's depth is how many of its operations have weights. In spaces that name no class without weights there are
    no depths beside the lengths.

    Raises:
        InputError: the space has too many paths to list.
    """
    terms = _terms(space)
    depths = [_lengths(terms, space.weightless)] if space.weightless else []
    return _log_counts(space, terms, [_classes(terms), _lengths(terms), *depths])


def attributes(space: NodeSpace) -> FeatureFn:
    """The values that the attributes of each node's class have, as one-hot entries: classes that share one are alike.

    Raises:
        InputError: the space's classes have no attributes.
    """
    entries = [values[:, None] == np.unique(values) for values in _attribute_table(space).T]
    entries = np.concatenate(entries, axis=1).astype(np.float32)
    has_choice = (space.allowed.sum(axis=1) > 1)[None, :, None]
    return lambda x: jnp.einsum("bnv,vf->bnf", has_choice * (x + 1.0) / 2.0, entries).reshape(x.shape[0], -1)


def attribute_values(space: NodeSpace) -> FeatureFn:
    """The attributes of each node's class as numbers, so that near ones are alike, in units of their spread.

    Raises:
        InputError: the space's classes have no attributes.
    """
    table = _attribute_table(space)
    table = (table - table.mean(axis=0)) / (table.std(axis=0) + 1e-12)
    has_choice = (space.allowed.sum(axis=1) > 1)[None, :, None]
    return lambda x: jnp.einsum("bnv,va->bna", has_choice * (x + 1.0) / 2.0, table).reshape(x.shape[0], -1)


def attribute_totals(space: NodeSpace) -> FeatureFn:
    """Each attribute summed over the nodes, in units of its largest value.

    Raises:
        InputError: the space's classes have no attributes.
    """
    table = _attribute_table(space)
    table = table / (np.abs(table).max(axis=0, keepdims=True) + 1e-12)
    return lambda x: jnp.einsum("bnv,va->ba", (x + 1.0) / 2.0, table)


REGISTRY = {
    "attribute_totals": attribute_totals,
    "attribute_values": attribute_values,
    "attributes": attributes,
    "class_counts": class_counts,
    "links": links,
    "live_counts": live_counts,
    "live_one_hot": live_one_hot,
    "one_hot": one_hot,
    "path_counts": path_counts,
    "path_depth_profile": path_depth_profile,
    "path_profile": path_profile,
    "profile": profile,
}


def make(name: str, space: NodeSpace) -> FeatureFn:
    """Makes the features of that name.

    Raises:
        InputError: no features have that name, or the space doesn't have them.

    Example:
        >>> from nag_jax import spaces
        >>> space = spaces.make("nasbench_graph")
        >>> make("one_hot", space)(space.encode(space.all_tokens()[:2])).shape
        (2, 45)
    """
    if name not in REGISTRY:
        raise InputError(f"unknown features {name!r}: use some of {sorted(REGISTRY)}")
    return REGISTRY[name](space)


def standardized(names: Sequence[str], space: NodeSpace) -> FeatureFn:
    """Those features side by side, each of mean 0 and together of square 1 over random architectures of the space."""
    functions = [make(name, space) for name in names]

    def raw(x):
        return jnp.concatenate([function(x) for function in functions], axis=1)

    sample = raw(space.encode(space.random(jax.random.key(0), _SAMPLE)))
    mean, scale = sample.mean(axis=0)[None], (sample.std(axis=0)[None] + 1e-3) * math.sqrt(sample.shape[1])
    return lambda x: (raw(x) - mean) / scale


def default(space: NodeSpace) -> tuple[str, ...]:
    """The most telling features that the space has, from coarse to fine."""
    if chooses_wiring(space):
        return ("profile", "links")
    if space.path_terms() is not None:
        return ("path_counts", "live_one_hot")
    return ("attribute_totals", "attributes") if space.class_attributes else ("one_hot",)


def path_encoding(space: NodeSpace) -> tuple[str, ...]:
    """What comes closest to White et al.'s path encoding; one-hot entries where the space has too many paths."""
    if chooses_wiring(space):
        return ("profile",)
    return ("path_counts",) if space.path_terms() is not None else ("one_hot",)


def for_trend(space: NodeSpace) -> tuple[str, ...]:
    """Features that a surrogate may extrapolate from few labels, since their effect is about linear.

    None where paths are too many to list and classes have attributes, whose totals are the coarse group of the kernel
    and extrapolate as well.
    """
    if chooses_wiring(space):
        return ("profile",)
    if space.path_terms() is not None:
        return ("path_profile",)
    return () if space.class_attributes else ("one_hot",)


def for_costs(space: NodeSpace) -> tuple[str, ...]:
    """What a latency follows from, from coarse to fine: all nodes, those that reach no output too, for they run."""
    has_paths = not chooses_wiring(space) and space.path_terms() is not None
    return ("one_hot", "live_one_hot") if has_paths else ("one_hot",)


def for_transfer(space: NodeSpace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """For a predictor of many data sets: features whose effect is about linear, and all, from coarse to fine."""
    if chooses_wiring(space):
        return ("profile",), ("profile", "links", "one_hot")
    if space.path_terms() is None:
        return ("one_hot",), ("one_hot",)
    return ("live_counts", "path_depth_profile"), ("path_depth_profile", "one_hot")


def _terms(space: NodeSpace) -> PathTerms:
    terms = space.path_terms()
    if terms is None:
        raise InputError(f"{space.name} has too many paths to count: use the features {list(default(space))}")
    return terms


def _attribute_table(space: NodeSpace) -> np.ndarray:
    """The attributes of classes, float32 `[V, A]`."""
    if not space.class_attributes:
        raise InputError(f"the classes of {space.name} have no attributes: use the features {list(default(space))}")
    return np.array(list(space.class_attributes.values()), np.float32).T


def _places(terms: PathTerms) -> list[tuple[int, int]]:
    """The nodes and classes that paths pass, in order."""
    return sorted({entry for entries in terms.entries for entry in entries})


def _sums(space: NodeSpace, terms: PathTerms, weights: np.ndarray) -> FeatureFn:
    """The products of the terms' entries, summed with weights `[M, F]`."""
    selectors = _selectors(space, terms)

    def features(x):
        # Products with constant matrices, for gathers and their gradients are slow on CPU.
        entries = jnp.concatenate([(x.reshape(x.shape[0], -1) + 1.0) / 2.0, jnp.ones((x.shape[0], 1), x.dtype)], axis=1)
        products = entries @ selectors[0]
        for selector in selectors[1:]:
            products = products * (entries @ selector)
        return products @ weights

    return features


def _log_counts(space: NodeSpace, terms: PathTerms, summaries: Sequence[np.ndarray]) -> FeatureFn:
    """The logarithms of 1 plus how many paths have words of each kind, of summaries `[W, F]` side by side."""
    counts = _sums(space, terms, np.concatenate(summaries, axis=1)[terms.words])
    return lambda x: jnp.log1p(jnp.maximum(counts(x), 0.0))


def _classes(terms: PathTerms) -> np.ndarray:
    """How often each class occurs in a word, `[W, V']`."""
    found = sorted({c for spelling in terms.spellings for c in spelling})
    return np.array([[spelling.count(c) for c in found] for spelling in terms.spellings], np.float32)


def _lengths(terms: PathTerms, uncounted: Collection[int] = ()) -> np.ndarray:
    """One-hot lengths of the words, `[W, L]`, to which uncounted classes add nothing."""
    lengths = np.array([sum(c not in uncounted for c in spelling) for spelling in terms.spellings])
    return (lengths[:, None] == np.unique(lengths)).astype(np.float32)


def _selectors(space: NodeSpace, terms: PathTerms) -> list[np.ndarray]:
    """0/1 matrices `[N V + 1, M]` that pick the i-th factor of each term.

    The last row stands for the constant 1, the factor of terms that have fewer.
    """
    constant = space.num_nodes * space.num_classes
    longest = max(map(len, terms.entries))
    selectors = [np.zeros((constant + 1, len(terms.entries)), np.float32) for _ in range(longest)]
    for term, entries in enumerate(terms.entries):
        columns = [node * space.num_classes + c for node, c in entries]
        for i, column in enumerate(columns + [constant] * (longest - len(entries))):
            selectors[i][column, term] = 1.0
    return selectors


def square_distances(a: Array, b: Array) -> Array:
    """Squared distances `[A, B]` between the rows of two matrices."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2.0 * a @ b.T
    return jnp.maximum(squares, 0.0)
