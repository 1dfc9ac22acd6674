"""Strategies: which architectures to label next.

`REGISTRY` maps a name to the function that makes the strategy of a domain; its keyword arguments are the options.

The room shares its name with the last of the library's five calls, `nag_jax.strategies(space, evaluator, ...)`, so the
module can be called: see `nag_jax.api.search`.
"""

import inspect
from collections.abc import Callable

import numpy as np

from nag_jax.objectives import Utility
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.rows import Rows
from nag_jax.strategies.bananas import bananas
from nag_jax.strategies.base import Domain, Strategy
from nag_jax.strategies.bo import bo
from nag_jax.strategies.bo_nag import bo_nag
from nag_jax.strategies.front_bo import front_bo
from nag_jax.strategies.llm import llm
from nag_jax.strategies.local_search import local_search
from nag_jax.strategies.random_search import random_search
from nag_jax.strategies.regularized_evolution import regularized_evolution
from nag_jax.strategies.tpe import tpe
from nag_jax.system.options import check_options, find

REGISTRY = {
    "bananas": bananas,
    "bo": bo,
    "bo_nag": bo_nag,
    "front_bo": front_bo,
    "llm": llm,
    "local_search": local_search,
    "random_search": random_search,
    "regularized_evolution": regularized_evolution,
    "tpe": tpe,
}

__all__ = [
    "REGISTRY",
    "Domain",
    "Strategy",
    "make",
    "needs_generator",
    "needs_surrogate",
    "runs_command",
    "takes_known",
]


def make(
    name: str,
    space: NodeSpace,
    *,
    covers: Callable[[np.ndarray], np.ndarray] | None = None,
    utility: Utility | None = None,
    rows: Rows | None = None,
    **options,
) -> Strategy:
    """Makes the strategy of that name.

    Args:
        name: a key of `REGISTRY`, or `FILE.py:NAME` of a function of your own, whose first argument is `domain`.
        space: the space to search.
        covers: tokens `[B, N]` -> bool `[B]`: which architectures can be labelled; None for all.
        utility: makes one number of several objectives; None where there is one.
        rows: the architectures that can be labelled, where they are few of a large space; see `Domain`.
        **options: keyword arguments of the function there.

    Raises:
        InputError: no strategy has that name, it has no such option or lacks one that it needs, or an option is wrong.

    Example:
        >>> import jax
        >>> from nag_jax import spaces
        >>> key, strategy = jax.random.key(0), make("random_search", spaces.make("nasbench_graph"))
        >>> tokens, state = strategy.ask(key, strategy.init(key), 10)
        >>> tokens.shape
        (10, 5)
    """
    return check_options("strategy", name, REGISTRY, options, given=("domain",))(
        Domain(space, covers, utility, rows), **options
    )


def takes_known(name: str) -> bool:
    """Whether the strategy has the option `known`: objectives that need no label, as costs by formula.

    Example:
        >>> takes_known("front_bo"), takes_known("bo")
        (True, False)
    """
    return "known" in _options(name)


def needs_generator(name: str) -> bool:
    """Whether the strategy has the option `generator`, for which a score network has to be trained.

    Example:
        >>> needs_generator("bo_nag"), needs_generator("bo")
        (True, False)
    """
    return "generator" in _options(name)


def needs_surrogate(name: str) -> bool:
    """Whether the strategy believes something of unlabelled architectures, so that it can be asked what.

    Example:
        >>> needs_surrogate("bananas"), needs_surrogate("random_search")
        (True, False)
    """
    return bool({"surrogate", "members"} & _options(name))


def runs_command(name: str) -> bool:
    """Whether the strategy has the option `command`, whose every run may cost something.

    Example:
        >>> runs_command("llm"), runs_command("bo")
        (True, False)
    """
    return "command" in _options(name)


def _options(name: str) -> set[str]:
    """The names of a strategy's options."""
    return set(inspect.signature(find("strategy", name, REGISTRY)).parameters)
