"""NAS-Bench-Graph (Qin et al., NeurIPS 2022): graph neural networks of four operations in nine macro structures."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.nodes import NodeSpace, check_inside
from nag_jax.spaces.paths import Wiring
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.whole import whole_numbers

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
"""The package's operations, in its order: seven graph convolutions, a fully connected layer, the identity."""
LINKS = np.array(
    [
        (0, 0, 0, 0),
        (0, 0, 0, 1),
        (0, 0, 1, 1),
        (0, 0, 1, 2),
        (0, 0, 1, 3),
        (0, 1, 1, 1),
        (0, 1, 1, 2),
        (0, 1, 2, 2),
        (0, 1, 2, 3),
    ]
)
"""What each of the four operations reads in each macro structure, `[9, 4]`: 0 the input, i the i-th operation."""
MACROS = tuple("".join(map(str, links)) for links in LINKS.tolist())
"""The macro structures' names, which are their link lists: "0012" for [0, 0, 1, 2]."""

_NODES = len(LINKS[0])
_SKIP = OPERATIONS.index("skip")
_FIRST_TOKEN = np.array([0] + [len(MACROS)] * _NODES)
"""Token of the first class of each node: of `MACROS[0]`, then four times of `OPERATIONS[0]`."""
_PLACES = len(OPERATIONS) ** np.arange(_NODES, -1, -1)
_KEY_PLACES = 10 ** np.arange(_NODES, -1, -1)
_READS = (LINKS[:, :, None] == np.arange(1, _NODES + 1)).astype(np.float32)
"""Which operation reads which in each macro structure, `[9, 4, 4]`."""
_INTERCHANGEABLE = {"0000": (0, 1, 2, 3), "0001": (1, 2), "0011": (2, 3), "0111": (1, 2, 3), "0122": (2, 3)}
"""Operations with the same input and no reader, which may swap places. In "0012" the two chains may swap."""


class NASBenchGraph(NodeSpace):
    """59,040 descriptions of the benchmark's 26,206 architectures: a macro structure, then four operations.

    Every operation reads the input or one earlier operation, and what nobody reads goes to the output. All combinations
    are architectures but those of four skips, one a macro structure, which the benchmark leaves out. Many describe the
    same network: `canonical` says which, by the benchmark's own rule.

    Node 0 is the macro structure and nodes 1 to 4 are the operations. The DAG is shared by all architectures while
    the links are not, so an edge says "may feed": the macro structure bears on every operation, and an operation
    feeds every later one that reads it in some macro structure, which is each of them.

    Example:
        >>> NASBenchGraph().size
        59040
    """

    name = "nasbench_graph"
    class_names = (*MACROS, *OPERATIONS)

    def __init__(self):
        self.allowed = np.zeros((1 + _NODES, len(self.class_names)), bool)
        self.allowed[0, : len(MACROS)] = True
        self.allowed[1:, len(MACROS) :] = True
        self.adjacency = np.zeros((1 + _NODES, 1 + _NODES), bool)
        self.adjacency[0, 1:] = True
        for reader, links in enumerate(LINKS.T, start=1):
            self.adjacency[links[links > 0], reader] = True

    @property
    def node_names(self) -> tuple[str, ...]:
        """`macro`, and the operations as `op1` to `op4`."""
        return "macro", *(f"op{i}" for i in range(1, _NODES + 1))

    @property
    def size(self) -> int:
        """59,040."""
        return len(MACROS) * (len(OPERATIONS) ** _NODES - 1)

    @property
    def num_canonical(self) -> int:
        """26,206."""
        return len(_keys())

    def contains(self, tokens) -> jax.Array:
        """Bool `[B]`: whether every node of tokens `[B, N]` has an allowed class and not all are skips. Jittable."""
        skips = jnp.asarray(tokens)[..., 1:] == _FIRST_TOKEN[-1] + _SKIP
        return super().contains(tokens) & ~skips.all(axis=-1)

    def all_tokens(self) -> np.ndarray:
        """The 59,040 architectures, tokens `[59040, 5]` in lexicographic order."""
        tokens = super().all_tokens()
        return tokens[~_only_skips(np.arange(len(tokens)))]

    def random(self, key, n: int) -> jax.Array:
        """Draws n of the 59,040 uniformly; the i-th depends on `key` and i alone. Jittable in `key`.

        So an architecture is drawn in proportion to its descriptions, of which it has 1 to 54.
        """
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n, dtype=jnp.int32))
        index = jax.vmap(lambda k: jax.random.randint(k, (), 0, self.size, jnp.int32))(keys)
        # Four skips come last in each macro structure (see _only_skips), so the others are numbered without a gap.
        macro, operations = jnp.divmod(index, len(OPERATIONS) ** _NODES - 1)
        digits = operations[:, None] // jnp.asarray(_PLACES[None, 1:]) % len(OPERATIONS)
        return (jnp.concatenate([macro[:, None], digits], axis=1) + _FIRST_TOKEN[None]).astype(jnp.int32)

    def class_posterior(self, log_likelihood) -> jax.Array:
        """See `NodeSpace.class_posterior`: that of independent nodes, given that not all operations are skips."""
        p = super().class_posterior(log_likelihood)
        skip = self.class_names.index("skip")
        only_skips = p[:, 1:, skip].prod(axis=-1)[:, None, None]
        lost = only_skips * (jnp.arange(self.num_classes, dtype=jnp.int32) == skip)[None, None]
        operations = (p[:, 1:] - lost) / (1.0 - only_skips)
        return jnp.concatenate([p[:, :1], operations], axis=1)

    def moves(self, tokens) -> jax.Array:
        """See `NodeSpace.moves`; the last operation that isn't a skip doesn't become one."""
        skip = self.class_names.index("skip")
        last = (jnp.asarray(tokens)[1:] == skip).sum() == _NODES - 1
        return super().moves(tokens) & ~(last & (jnp.arange(self.num_classes, dtype=jnp.int32) == skip))[None]

    def to_native(self, tokens) -> list[str]:
        """Strings of the package's link list and operations, as `0012|gcn|gat|fc|skip`."""
        names = np.array(self.class_names, object)
        self._index(tokens)
        return ["|".join(row) for row in names[np.asarray(tokens)].tolist()]

    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Tokens `[B, 5]` of strings as `to_native` writes them; see `NodeSpace.from_native`.

        The package also takes link lists that are not among the nine, as [0, 1, 2, 1] in its documentation, and puts
        their operations into another order. So does this: `0121|gcn|gin|fc|cheb` is read as `0112|gcn|gin|cheb|fc`.
        """
        tokens = np.empty((len(architectures), self.num_nodes), np.int32)
        for row, architecture in enumerate(architectures):
            links, *operations = architecture.split("|")
            order = _orders().get(links)
            if order is None or len(operations) != _NODES or not set(operations) <= set(OPERATIONS):
                raise InputError(
                    f"row {row}: {quoted(architecture)} is not a NAS-Bench-Graph architecture; expected a string like "
                    f"'0012|gcn|gat|fc|skip' with links of {MACROS} and operations of {OPERATIONS}"
                )
            if set(operations) == {"skip"}:
                raise InputError(
                    f"row {row}: {quoted(architecture)} has no operation but skips, and the benchmark leaves those "
                    "out; "
                    "make one of them another operation"
                )
            tokens[row] = [order[0], *(len(MACROS) + OPERATIONS.index(operations[i]) for i in order[1])]
        return tokens

    def canonical(self, tokens) -> np.ndarray:
        """Keys int64 `[B]`: the package's own, `Arch.valid_hash`, which its files are keyed by; 26,206 in all.

        Its digits are those of the class's representative: the macro structure in `MACROS`, then the operations in
        `OPERATIONS`. The rule is the package's: a skip that can be passed over moves to the front, directly behind the
        input, and operations that may swap places are put in order. A skip that nothing reads stays beside the
        others with the same input, unless nothing but skips lies between it and the network's input.

        Raises:
            InputError: tokens are not of the space, as `decode` may give for invalid samples.
        """
        return _key_table()[self._index(tokens)]

    def from_keys(self, keys) -> np.ndarray:
        """Tokens `[B, 5]` of the representatives of keys `[B]`; `canonical` gives the keys back.

        Raises:
            InputError: a number is not a key; the message has its row, from 0.
        """
        keys = whole_numbers(keys, "keys")
        if not (known := np.isin(keys, _keys())).all():
            row = int(np.argmin(known))
            raise InputError(f"row {row}: {keys[row]} is not a key of NAS-Bench-Graph; expected one of canonical()")
        return (keys[:, None] // _KEY_PLACES % 10 + _FIRST_TOKEN).astype(np.int32)

    def wiring(self, x) -> Wiring:
        """The links of the macro structure, each weighted by how much x `[B, 5, V]` has chosen it; see `Wiring`."""
        weights = (jnp.asarray(x, jnp.float32) + 1.0) / 2.0
        macro, operations = weights[:, 0, : len(MACROS)], weights[:, 1:, len(MACROS) :]
        return Wiring(
            sources=macro @ (LINKS == 0).astype(np.float32),
            links=jnp.einsum("bm,mij->bij", macro, _READS),
            sinks=macro @ (1.0 - _READS.max(axis=1)),
            classes=operations[..., :_SKIP],
            passing=operations[..., _SKIP],
        )

    def edges(self, tokens) -> list[tuple[int, int]]:
        """See `NodeSpace.edges`; node 0 stands for the network's input, and what feeds nothing goes to its output."""
        return [(int(source), node) for node, source in enumerate(LINKS[tokens[0]], start=1)]

    def connected(self, tokens) -> np.ndarray:
        """Bool `[B]`: always True, since every operation reads something and passes something on."""
        return np.ones(len(tokens), bool)

    def _index(self, tokens) -> np.ndarray:
        """Lexicographic index int64 `[B]` among all 59,049 combinations, those of four skips included.

        Raises:
            InputError: tokens are not of the space.
        """
        tokens = np.asarray(tokens)
        index = (tokens - _FIRST_TOKEN) @ _PLACES
        inside = self.allowed[np.arange(self.num_nodes), tokens].all(axis=1) & ~_only_skips(index)
        check_inside(tokens, inside, "a NAS-Bench-Graph architecture")
        return index


@functools.cache
def _orders() -> dict[str, tuple[int, tuple[int, ...]]]:
    """For each link list there can be, the macro structure that it is, and the operation for each place there."""
    macro_of = {macro: index for index, macro in enumerate(MACROS)}
    orders = {}
    for links in itertools.product(*map(range, range(1, _NODES + 1))):
        for order in itertools.permutations(range(_NODES)):
            place = {0: 0, **{old + 1: new + 1 for new, old in enumerate(order)}}
            name = "".join(str(place[links[old]]) for old in order)
            if name in macro_of:
                orders["".join(map(str, links))] = macro_of[name], order
                break
    return orders


def _only_skips(index: np.ndarray) -> np.ndarray:
    """Bool: which lexicographic indices are those of four skips; `skip` is the last operation, so they come last."""
    return index % _PLACES[0] == _PLACES[0] - 1


@functools.cache
def _keys() -> np.ndarray:
    """The 26,206 keys in ascending order."""
    table = _key_table()
    return np.unique(table[~_only_skips(np.arange(len(table)))])


@functools.cache
def _key_table() -> np.ndarray:
    """Keys int64 `[59049]` of all combinations, in lexicographic order."""
    codes = np.arange(len(MACROS) * len(OPERATIONS) ** _NODES)[:, None] // _PLACES % len(OPERATIONS)
    links, ops = _move_skips(LINKS[codes[:, 0]], codes[:, 1:])
    macros, ops = _relist(links, ops)
    return np.column_stack([macros, _sort_interchangeable(macros, ops)]) @ _KEY_PLACES


def _move_skips(links: np.ndarray, ops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moves every skip that can be passed over to the front; links and ops `[R, 4]`."""
    for k in range(_NODES):
        is_read = (links == k + 1).any(axis=1)
        is_alone = (links == links[:, [k]]).sum(axis=1) == 1
        moves = (ops[:, k] == _SKIP) & (is_read | is_alone | _only_skips_before(k, links, ops))
        sources = np.where(links == k + 1, links[:, [k]], links)  # what read the skip now reads what it read
        sources = sources + (sources <= k)  # those in front of it make room; who read the input reads the skip
        order = [k, *(i for i in range(_NODES) if i != k)]
        moved_links = np.column_stack([np.zeros(len(links), links.dtype), sources[:, order[1:]]])
        links = np.where(moves[:, None], moved_links, links)
        ops = np.where(moves[:, None], ops[:, order], ops)
    return links, ops


def _only_skips_before(k: int, links: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """Bool `[R]`: whether operation k and all between it and the input are skips."""
    rows = np.arange(len(links))
    node = np.full(len(links), k)
    result = np.ones(len(links), bool)
    for _ in range(_NODES):
        inside = node >= 0
        result &= ~inside | (ops[rows, node] == _SKIP)
        node = np.where(inside, links[rows, node] - 1, -1)
    return result


def _relist(links: np.ndarray, ops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Macro structures `[R]` of any links `[R, 4]`, and the operations `[R, 4]` in the order that they have there."""
    names, inverse = np.unique(links @ 10 ** np.arange(_NODES - 1, -1, -1), return_inverse=True)
    macros, orders = zip(*(_orders()[f"{name:0{_NODES}}"] for name in names), strict=True)
    return np.array(macros)[inverse], np.take_along_axis(ops, np.array(orders)[inverse], axis=1)


def _sort_interchangeable(macros: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """Operations `[R, 4]` with those that may swap places in ascending order."""
    ops = ops.copy()
    for macro, places in _INTERCHANGEABLE.items():
        which = np.ix_(macros == MACROS.index(macro), places)
        ops[which] = np.sort(ops[which], axis=1)
    first, second, third, fourth = ops.T
    swap = (macros == MACROS.index("0012")) & ((first > second) | ((first == second) & (third > fourth)))
    ops[swap] = ops[swap][:, [1, 0, 3, 2]]
    return ops
