"""Costs of the phases of a run, measured on one step of each with untrained networks."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import jax
import numpy as np

from nag_jax.fitting.fit import make_chunk
from nag_jax.fitting.recipe import Recipe
from nag_jax.fitting.state import LossFn, init_state
from nag_jax.generators.sharded import ShardedSampler
from nag_jax.strategies import Strategy
from nag_jax.system import parallel
from nag_jax.trials import Trial

MEASURED_SAMPLES = 1000
"""Of these a device generates at most to find out what one costs."""


class Work(NamedTuple):
    """A phase that computes.

    Attributes:
        name: the name of the phase.
        count: steps, evaluations or labels in all.
        unit: what is counted, in the plural.
        done: how many of them an earlier run has done.
        seconds: each of them takes, or None where nobody knows yet.
        memory: bytes that a device holds meanwhile, or None likewise.
    """

    name: str
    count: int
    unit: str
    done: int = 0
    seconds: float | None = None
    memory: int | None = None

    @property
    def left(self) -> int:
        """How many of them are left to do."""
        return max(0, self.count - self.done)


def plan_fit(
    name: str,
    recipe: Recipe,
    done: int,
    parts: Callable[[], tuple[Callable[[jax.Array], Any], LossFn, Any]],
    *,
    mesh: jax.sharding.Mesh,
) -> Work:
    """The training of a network as far as it isn't done; `parts` gives its init, loss and data where some is left."""
    work = Work(name, recipe.num_steps, "steps", done)
    if not work.left:
        return work
    seconds, memory = measure_fit(*parts(), recipe, mesh=mesh)
    return work._replace(seconds=seconds, memory=memory)


def measure_fit(
    init: Callable[[jax.Array], Any],
    loss: LossFn,
    data: Any,
    recipe: Recipe,
    *,
    mesh: jax.sharding.Mesh,
) -> tuple[float, int]:
    """Seconds of a step of `training.fit`, once compiled, and the bytes that it takes per device."""
    optimizer = recipe.optimizer()
    everywhere, key = parallel.replicated(mesh), jax.random.key(0)
    state = jax.jit(lambda key: init_state(init(key), optimizer), out_shardings=everywhere)(key)
    data = jax.device_put(data, everywhere)
    step = make_chunk(loss, optimizer, ema_decay=recipe.ema_decay).lower(state, key, data, 1).compile()
    state, _ = jax.block_until_ready(step(state, key, data))
    start = time.perf_counter()
    jax.block_until_ready(step(state, key, data))
    return time.perf_counter() - start, _memory(step)


def measure_sampler(
    sampler: ShardedSampler, n: int, params: Any, guidance: Any, *, evaluations: int, mesh: jax.sharding.Mesh
) -> tuple[float, int]:
    """Seconds per evaluation of the network and bytes per device of n samples; scaled up from a few of them.

    Args:
        sampler: a sampler of so few steps that it evaluates the network `evaluations` times.
        n: samples.
        params: parameters of the score network, of any values.
        guidance: what its guide is given, of any values too.
        evaluations: how often one call evaluates the network.
        mesh: the sampler's mesh.
    """
    few = min(n, MEASURED_SAMPLES * mesh.size)
    few = few if few == n else few - few % mesh.size
    sampler(jax.random.key(0), few, params, guidance)
    start = time.perf_counter()
    sampler(jax.random.key(0), few, params, guidance)
    seconds = time.perf_counter() - start
    padded = parallel.padded_size(few, mesh)
    memory = max(_memory(program) for program in sampler.compiled(padded, params, guidance))
    return seconds / evaluations * n / few, round(memory * n / few)


def measure_strategy(strategy: Strategy, tokens: np.ndarray, num_objectives: int, n: int) -> float:
    """Seconds per label that a strategy takes to decide on n of them, once compiled.

    Args:
        strategy: it, not told anything.
        tokens: architectures of its space `[m, N]`, which it is told with labels of any values.
        num_objectives: the number of objectives that count.
        n: how many labels it decides on at once.
    """
    rng, seconds = np.random.default_rng(0), 0.0
    state = strategy.tell(strategy.init(jax.random.key(0)), tokens, rng.normal(size=(len(tokens), num_objectives)))
    for _ in range(2):  # the first time compiles
        start = time.perf_counter()
        tokens, state = strategy.ask(jax.random.key(1), state, n)
        state = strategy.tell(state, tokens, rng.normal(size=(len(tokens), num_objectives)))
        seconds = time.perf_counter() - start
    return seconds / n


def seconds_between(seeds: Iterable[Sequence[Trial]], purpose: str) -> float | None:
    """The median time per label between two decisions by the ledgers, or None where there are too few.

    Args:
        seeds: the trials of each seed, in the order of payment.
        purpose: the purpose of the labels that count.
    """
    gaps = []
    for trials in seeds:
        times = [datetime.fromisoformat(trial.time).timestamp() for trial in trials if trial.purpose == purpose]
        asked, labels = np.unique(times, return_counts=True)
        gaps += (np.diff(asked) / labels[1:]).tolist()
    return float(np.median(gaps)) if gaps else None


def _memory(program: jax.stages.Compiled) -> int:
    """Bytes that a compiled program holds on a device while it runs, as XLA plans them."""
    found: Any = program.memory_analysis()
    kept = found.argument_size_in_bytes + found.output_size_in_bytes - found.alias_size_in_bytes
    return kept + found.temp_size_in_bytes
