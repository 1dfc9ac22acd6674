"""Asking one search for less than all of its space, or by another strategy, with the labels that it has."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from nag_jax import spaces
from nag_jax.settings.search import Loop
from nag_jax.settings.space import Choices
from nag_jax.strategies.course import Course
from nag_jax.tasks import search as searching
from nag_jax.tasks.searched import Search
from nag_jax.tasks.setting import Given, split_space, train_score
from nag_jax.tasks.workdir import Unkept


def narrow(
    run: Search,
    strategy: str,
    *,
    constraints: str = "",
    fixed: Mapping[str, str] = MappingProxyType({}),
    excluded: Mapping[str, Sequence[str]] = MappingProxyType({}),
    near: str = "",
    changes: float = Choices().changes,
) -> Course:
    """The course of a strategy in a part of a search's space, before its first label.

    It is told the labels of the whole space, and has no initial design of its own.

    Args:
        run: the search.
        strategy: the name of a block of its `config.strategies`.
        constraints: bounds of costs, beside those that the search has.
        fixed: node to the class that all architectures have there.
        excluded: node to the classes that none has there; the node `"*"` stands for all nodes.
        near: an architecture that others are near to; empty for none.
        changes: the nodes in which they differ from it on average.

    Raises:
        InputError: a name is unknown, or nothing keeps to all of it.
    """
    part = spaces.restrict(run.space, fixed=fixed, excluded=excluded, near=near, changes=changes)
    config = dataclasses.replace(
        run.config,
        run=(strategy,),
        search=Loop(initial=1, budget=1),
        constraints="; ".join(filter(None, [run.config.constraints, constraints])),
    )
    inside = searching.check(config, Unkept(), Given(part, run.evaluator, quiet=True))
    if searching.needs_score(config):
        run.score_params = train_score(run, split_space(run))
    made = searching.make_strategy(inside, strategy, run.score_params)
    return searching.make_course(inside, strategy, made, run.config.seed)
