"""A profile of the score network: its time against that of its matrix products, and where the rest goes."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxprs_in_params

from experiments.bench.timing import best_seconds
from nag_jax.networks.layers import ATTENTION, Attention, TimeEmbedding, dag_relations
from nag_jax.networks.score_network import GraphTransformer
from nag_jax.system import parallel


class Product(NamedTuple):
    """The sizes of one product `[rows, inner] @ [inner, columns]`."""

    rows: int
    inner: int
    columns: int


def dense_products(function: Callable[..., Any], *arguments: Any) -> list[Product]:
    """The products of a function's dense layers, read off its jaxpr, which may nest calls but no loops.

    Those with batch dimensions are left out: the many tiny products within attention count as its overhead. The one
    that lays out the biases of relations is counted, and negligible.
    """
    return list(_walk(jax.make_jaxpr(function)(*arguments).jaxpr))


def _walk(jaxpr: Any) -> Iterator[Product]:
    for equation in jaxpr.eqns:
        for nested in jaxprs_in_params(equation.params):
            yield from _walk(nested)
        if equation.primitive.name == "dot_general":
            (contracted, _), (batched, _) = equation.params["dimension_numbers"]
            left, right = (variable.aval for variable in equation.invars)
            if not batched:
                inner = int(np.prod([left.shape[axis] for axis in contracted]))
                yield Product(left.size // inner, inner, right.size // inner)


def flops(products: list[Product]) -> float:
    """Multiplications and additions of products."""
    return float(sum(2 * np.prod(product, dtype=float) for product in products))


def seconds_alone(products: list[Product], times: int) -> float:
    """Least seconds in which these products alone can be done, each size timed in a scan as long as a sampler's."""
    alone = {product: best_seconds(*_scanned(product, times)) / times for product in set(products)}
    return sum(alone[product] for product in products)


def _scanned(product: Product, times: int) -> tuple[Callable[..., Any], Any, Any]:
    rows, inner, columns = product

    def step(carry, _):
        # The small factor changes with the last result, so that no product can be left out or be done only once.
        a, b, out = carry
        b = b + 1e-9 * jax.lax.slice(out, (0, 0), (1, columns))
        return (a, b, a @ b), None

    def scan(a, b):
        return jax.lax.scan(step, (a, b, jnp.zeros((rows, columns))), length=times)[0]

    compiled = jax.jit(scan, compiler_options=parallel.compiler_options())
    return compiled, jnp.ones((rows, inner)), jnp.ones((inner, columns))


def repeated(function: Callable[..., Any], times: int, t_min: float) -> Callable[[Any], Any]:
    """Compiles as many evaluations of a function of (x, t `[B]`) as a sampler does, one after another, t falling."""

    def step(x, time):
        return x + 1e-6 * function(x, jnp.full(x.shape[0], time)), None

    grid = jnp.linspace(1.0, t_min, times)
    return jax.jit(lambda x: jax.lax.scan(step, x, grid)[0], compiler_options=parallel.compiler_options())


def phases(network: GraphTransformer, n: int, times: int) -> dict[str, float]:
    """Seconds of the network's parts in one evaluation of n samples, each timed alone and less its dense products."""
    relations = tuple(map(tuple, dag_relations(np.array(network.adjacency)).tolist()))
    pattern = ATTENTION[network.attention]
    attention = Attention(network.num_heads, relations, pattern, network.relation_bias, 0.0, network.dtype)
    time = TimeEmbedding(network.width, 4 * network.width, network.dtype)
    h, t = jnp.ones((n, len(network.adjacency), network.width)), jnp.ones(n)
    attention_params = attention.init(jax.random.key(0), h[:1], True)
    time_params = time.init(jax.random.key(0), t[:1])
    norms = 2 * network.num_blocks + (network.num_blocks if network.head == "concat" else 1)
    parts: dict[str, tuple[int, Callable[..., Any], Any]] = {
        "attention": (network.num_blocks, lambda h, t: attention.apply(attention_params, h, True), h),
        "normalisation": (norms, lambda h, t: jax.nn.standardize(h, epsilon=1e-6), h),
        "time embedding": (1, lambda h, t: time.apply(time_params, t), h[:, 0]),
    }
    found = {}
    for name, (count, function, start) in parts.items():
        own = seconds_alone(dense_products(function, start, t), times)
        found[name] = count * (best_seconds(repeated(function, times, 0.1), start) / times - own)
    return found
