"""Searches of the suite's tasks by strategies that have no choices of theirs here: what the choices must beat."""

from collections.abc import Sequence

import jax
import numpy as np

from experiments.bench.labelling import label_rows
from experiments.bench.suite_search import Searched, initial_rows, running_best
from experiments.bench.suite_tasks import Listed, Task
from nag_jax import strategies
from nag_jax.settings.search import default_options
from nag_jax.spaces.rows import Rows

PEERS = ("regularized_evolution", "tpe", "bananas", "local_search", "random_search")
INITIAL = 10


def search(where: Listed, tasks: Sequence[Task], seeds: Sequence[int], name: str, budget: int) -> Searched:
    """Searches each task with the seed beside it by a strategy with its default options; see `suite_search.search`."""
    found = [_search_one(where, task, seed, name, budget) for task, seed in zip(tasks, seeds, strict=True)]
    return Searched(*(np.stack(column) for column in zip(*found, strict=True)))


def _search_one(where: Listed, task: Task, seed: int, name: str, budget: int) -> Searched:
    space, known = where.space, np.flatnonzero(np.isfinite(task.observed))
    is_whole = space.listable and len(known) == len(where.tokens)
    rows = None if is_whole else Rows(space, where.tokens[known])
    strategy = strategies.make(name, space, rows=rows, **default_options(name))
    place = {key: row for row, key in enumerate(space.canonical(where.tokens).tolist())}
    chosen = label_rows(
        strategy,
        jax.random.key(seed),
        initial_rows(task, seed, INITIAL),
        where.tokens,
        task.observed[:, None],
        lambda tokens: np.array([place[key] for key in space.canonical(tokens).tolist()]),
        budget=budget,
    )
    return Searched(chosen, running_best(chosen[None], task.observed[chosen][None])[0])
