"""Settings of a search: its labels, and the strategies that decide on them."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from nag_jax.settings.names import ACQUISITIONS, EXECUTORS, MAXIMIZERS, NORMALIZATIONS, STRATEGY_NAMES, SURROGATES
from nag_jax.system.errors import InputError
from nag_jax.system.fields import COUNT, FRACTION, NOT_NEGATIVE, SHARE, Allowed, option, options_of_own, to_dict

_TIMES = Allowed("two times from 0 to 1 in order", lambda times: len(times) == 2 and 0 <= times[0] <= times[1] <= 1)


def _name(default: str) -> Any:
    return option(default, "The strategy; its block may have any name.", STRATEGY_NAMES)


@dataclasses.dataclass(frozen=True)
class Loop:
    """The labels of each seed of each strategy, and what reports say of them."""

    initial: int = option(10, "How many random labels all strategies begin with, the same ones; they count.", COUNT)
    budget: int = option(100, "How many labels are paid for in all.", COUNT)
    batch_size: int = option(1, "How many labels lie between two decisions.", COUNT)
    report: str = option("", "The metric of the reports; empty is the objective.")
    second: str = option("", "The metric that makes a hypervolume with the objective; empty makes none.")
    report_at: tuple[int, ...] = option(
        (20, 30, 50, 100, 200),
        "The numbers of labels that reports show, as far as the budget goes.",
        Allowed("numbers of at least 1", lambda numbers: all(number >= 1 for number in numbers)),
    )
    stop_at_best: bool = option(
        False, "Whether a seed ends at the table's best, after which no report changes; for benchmarks."
    )

    def check_together(self, path: str) -> None:
        """Raises InputError where the initial design is more than the budget."""
        if self.initial > self.budget:
            raise InputError(
                f"{path}.initial, {self.initial}, is more than {path}.budget, {self.budget}: the initial design counts"
            )


@dataclasses.dataclass(frozen=True)
class Executor:
    """What runs the trials of a search; see docs/scaling.md."""

    name: str = option("", "What runs trials; empty has the search call the evaluator itself, in batches.", EXECUTORS)
    address: str = option(
        "", "Where it is: the scheduler of Dask, the head of Ray, the folder of Slurm's logs; empty starts one here."
    )
    workers: int = option(1, "How many trials run at the same time.", COUNT)
    timeout: float = option(0.0, "How many seconds a trial may take; 0 is for no limit.", NOT_NEGATIVE)
    retries: int = option(0, "How often a trial that failed is tried again.", NOT_NEGATIVE)
    gpus: float = option(0.0, "How many GPUs a trial has, of Ray and Slurm.", NOT_NEGATIVE)
    cpus: int = option(0, "How many cores a trial has, of Ray and Slurm; 0 leaves it to them.", NOT_NEGATIVE)
    partition: str = option("", "The partition of Slurm; empty leaves it to Slurm.")
    own: Mapping[str, Any] = options_of_own()

    def options(self) -> dict[str, Any]:
        """What is given to `Asked.optimize`: what isn't left open."""
        given = {name: value for name, value in to_dict(self).items() if value and name != "name"}
        return {"executor": self.name, **given}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Strategy:
    """A strategy without options, or one of the user's own."""

    name: str = _name("random_search")
    prior: bool | None = option(None, "Whether the surrogate starts from the meta-predictor.")
    initial: int | None = option(
        None,
        "How many labels of the generated design a strategy with a prior begins with, if not search.initial.",
        COUNT,
    )
    own: Mapping[str, Any] = options_of_own()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Belief(Strategy):
    """What strategies have in common that maximise an acquisition."""

    surrogate: str = option("gaussian_process", "What is believed of unlabelled architectures.", SURROGATES)
    acquisition: str = option("ucb", "What labelling an architecture is worth.", ACQUISITIONS)
    labels: str = option("regret", "How labels are normalised.", NORMALIZATIONS)
    min_distance: int = option(2, "The least number of nodes in which members of a batch differ.", COUNT)
    capacity: int = option(64, "How many labels a fit is compiled for; it doubles as labels outgrow it.", COUNT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BO(Belief):
    """Bayesian optimisation that asks its acquisition about a listed or drawn pool."""

    name: str = _name("bo")
    maximizer: str = option(
        "random_and_mutation",
        "Which architectures the acquisition is asked about.",
        MAXIMIZERS,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BONAG(Belief):
    """Bayesian optimisation whose candidates are generated."""

    name: str = _name("bo_nag")
    pool_size: int = option(256, "How many architectures a round generates.", COUNT)
    rounds: int = option(2, "The number of rounds; each aims at the best of the one before.", COUNT)
    top_share: float = option(0.02, "The share of the space, by acquisition, that the first round aims at.", SHARE)
    scale: float = option(1.0, "The strength of the guidance.")
    near: float = option(
        0.5, "The share of a pool that begins near the best so far, instead of at pure noise.", FRACTION
    )
    near_times: tuple[float, ...] = option(
        (0.3, 0.7), "The least and greatest noise of what begins near, as times of the forward process.", _TIMES
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bananas(Strategy):
    """BANANAS: an ensemble of networks on path features."""

    name: str = _name("bananas")
    members: int = option(5, "The number of networks of the ensemble.", COUNT)
    pool_size: int = option(200, "How many mutated candidates a round has.", COUNT)
    labels: str = option("regret", "How labels are normalised.", NORMALIZATIONS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrontBO(Strategy):
    """Bayesian optimisation of several objectives by expected hypervolume improvement."""

    name: str = _name("front_bo")
    surrogate: str = option("gaussian_process", "What is believed of unlabelled architectures.", SURROGATES)
    labels: str = option("normal", "How labels are normalised.", NORMALIZATIONS)
    pool_size: int = option(0, "How many candidates a round has; 0 takes all of a small space.", NOT_NEGATIVE)
    bounds: str = option("", "What counts at all of each objective, as `accuracy >= 80`; empty where all does.")
    capacity: int = option(64, "How many labels a fit is compiled for; it doubles as labels outgrow it.", COUNT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegularizedEvolution(Strategy):
    """Regularized evolution."""

    name: str = _name("regularized_evolution")
    population: int = option(30, "How many of the youngest trials live.", COUNT)
    tournament: int = option(10, "How many of those are drawn, the best of which is mutated.", COUNT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TPE(Strategy):
    """Optuna's tree-structured Parzen estimator."""

    name: str = _name("tpe")
    multivariate: bool = option(
        True, "Whether nodes are modelled jointly; the strategy needs pip install 'nag-jax[tpe]'."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LLM(Strategy):
    """What a command proposes, as a script around a language model."""

    name: str = _name("llm")
    command: str = option("", "What the shell runs, the history on its stdin; see docs/agents.md.")
    timeout: float = option(0.0, "How many seconds an attempt may take; 0 is for no limit.", NOT_NEGATIVE)
    retries: int = option(2, "How many attempts follow one that failed or gave too few.", NOT_NEGATIVE)


AnyStrategy = Strategy | BO | BONAG | Bananas | FrontBO | RegularizedEvolution | TPE | LLM
STRATEGIES: Mapping[str, AnyStrategy] = {
    "bo_nag": BONAG(),
    "bo_exhaustive": BO(maximizer="exhaustive"),
    "bo_random": BO(maximizer="random"),
    "bo_mutation": BO(maximizer="mutation"),
    "bo_random_and_mutation": BO(maximizer="random_and_mutation"),
    "bananas": Bananas(),
    "regularized_evolution": RegularizedEvolution(),
    "local_search": Strategy(name="local_search"),
    "random_search": Strategy(name="random_search"),
    "tpe": TPE(),
    "llm": LLM(),
}
"""Blocks of strategies by their names in a config."""


def default_options(name: str) -> dict[str, Any]:
    """The options of the strategy of that name, as its settings have them; none for one of the user's own.

    Example:
        >>> default_options("regularized_evolution")
        {'population': 30, 'tournament': 10}
    """
    for block in (kind() for kind in typing.get_args(AnyStrategy)):
        if block.name == name:
            return {option: value for option, value in to_dict(block).items() if option != "name"}
    return {}
