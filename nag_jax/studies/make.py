"""Opening a study: its search is that of the command line, with the same defaults."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nag_jax import evaluators, settings, spaces
from nag_jax.evaluators import Evaluator
from nag_jax.evaluators.told import Told
from nag_jax.objectives import Objectives, Utility, utility
from nag_jax.settings.evaluator import Evaluator as EvaluatorSettings
from nag_jax.settings.score import Generator
from nag_jax.settings.search import Loop, Strategy, default_options
from nag_jax.spaces import NodeSpace
from nag_jax.strategies import needs_surrogate, takes_known
from nag_jax.strategies.course import Course
from nag_jax.strategies.scalarized import scalarized
from nag_jax.studies.study import Study
from nag_jax.system.errors import InputError
from nag_jax.system.events import Listener
from nag_jax.system.seeds import check_seed
from nag_jax.tasks import search as searching
from nag_jax.tasks.arguments import as_arguments
from nag_jax.tasks.asked import WEEK
from nag_jax.tasks.fit import Model
from nag_jax.tasks.sampling import choose_sampler
from nag_jax.tasks.searched import Search
from nag_jax.tasks.setting import Given, split_space, train_score
from nag_jax.tasks.workdir import Unkept
from nag_jax.trials import Ledger
from nag_jax.trials.opening import read_identity

DEFAULTS = settings.Search()
"""The settings whose values a study has where nothing else is given."""


def study(
    space: NodeSpace | str,
    *,
    objectives: Mapping[str, str] | None = None,
    evaluator: Evaluator | None = None,
    ledger: str | Path | None = None,
    strategy: str = "bo_nag",
    seed: int = 0,
    lease: float = WEEK,
    initial: int = DEFAULTS.search.initial,
    batch_size: int = DEFAULTS.search.batch_size,
    utility: Utility | None = None,
    constraints: str = "",
    model: Model | None = None,
    num_steps: int = DEFAULTS.sampler.num_steps,
    sweeps: int = DEFAULTS.sampler.refine.sweeps,
    progress: bool = True,
    callback: Listener | None = None,
    **options,
) -> Study:
    """Opens a study, which is asked for architectures and told what came of them.

    All that it knows is in its ledger: it may be killed, opened again elsewhere, and asked by many processes at once.

    Args:
        space: the space to search, or its name.
        objectives: `"max"` or `"min"` by the name of each metric that counts, in order. By default those that the
            ledger has, or the evaluator's objective.
        evaluator: gives true values, for `Study.optimize`; by default the study is told them.
        ledger: the SQLite file, on a local disk; made where there is none. By default all is kept in memory.
        strategy: a key of `nag_jax.strategies.REGISTRY`, or `FILE.py:NAME` of your own.
        seed: makes the study repeatable, a whole number from 0 to 2^32 - 1.
        lease: seconds that a proposal is pending; after them it may be proposed again.
        initial: labels of the initial design, which is random.
        batch_size: labels between two decisions of `Study.optimize`.
        utility: makes one number of several objectives. By default a strategy weighs them anew at every ask, so that it
            spreads over their front; `front_bo` does so by itself.
        constraints: bounds of costs, as `"macs <= 300e6; params <= 5e6"`; only what keeps to them is proposed.
        model: what `nag_jax.fit` returned, for strategies that generate. By default their generator is exact where the
            space has a closed form, and trained at the first ask elsewhere.
        num_steps: steps of their sampler.
        sweeps: Gibbs sweeps that refine their samples.
        progress: shows bars.
        callback: is told every `Event`: a phase begins, is so far, is over, a label is stored.
        **options: options of the strategy.

    Raises:
        InputError: a name or a number can't be, there are no objectives, or the ledger is of something else.

    Example:
        >>> mine = study("nasbench_graph", objectives={"accuracy": "max"}, strategy="random_search")
        >>> [trial] = mine.ask()
        >>> mine.tell(trial, {"accuracy": 81.5}).status
        'done'
    """
    space = spaces.make(space) if isinstance(space, str) else space
    if lease <= 0:
        raise InputError(f"the lease of a study must be more than 0 seconds, found {lease}")
    if evaluator is None:
        objectives = objectives or stored_objectives(ledger)
    source = evaluator or Told(space, objectives or {})
    run = prepare(
        space,
        source,
        strategy=strategy,
        seed=seed,
        budget=max(initial, 1),
        initial=initial,
        batch_size=batch_size,
        constraints=constraints,
        model=model,
        num_steps=num_steps,
        sweeps=sweeps,
        quiet=not progress,
        options=options,
        callback=callback,
    )
    counted = choose_objectives(source, objectives, utility)
    return open_study(run, counted, strategy, seed, ledger, lease=lease, spreads=utility is None)


def open_study(
    run: Search,
    objectives: Objectives,
    strategy: str,
    seed: int,
    ledger: str | Path | None,
    *,
    lease: float = WEEK,
    spreads: bool = False,
) -> Study:
    """The study of one seed of one strategy of a search.

    Args:
        run: the search, checked.
        objectives: the metrics that count.
        strategy: the name of the strategy's block in the search's settings.
        seed: the seed.
        ledger: the file, or None.
        lease: seconds that a proposal is pending.
        spreads: whether several objectives are weighed anew at every ask, instead of by their utility.
    """

    def make_course() -> Course:
        params = train_score(run, split_space(run)) if searching.needs_score(run.config) else None
        if objectives.is_single or not spreads or takes_known(run.config.strategies[strategy].name):
            made = searching.make_strategy(dataclasses.replace(run, objectives=objectives), strategy, params)
        else:
            first = Objectives(objectives.metrics[:1])
            made = scalarized(searching.make_strategy(dataclasses.replace(run, objectives=first), strategy, params))
        return dataclasses.replace(searching.make_course(run, strategy, made, seed), objectives=objectives)

    book = Ledger.open(ledger, run.evaluator)
    Unkept(book).report(run.phases.events)
    return Study(
        book,
        make_course,
        objectives,
        evaluator=run.evaluator,
        strategy=strategy,
        believes=needs_surrogate(run.config.strategies[strategy].name),
        lease=lease,
    )


@as_arguments()
def prepare(
    space: NodeSpace,
    evaluator: Evaluator,
    *,
    strategy: str,
    seed: int,
    budget: int,
    initial: int,
    batch_size: int,
    constraints: str,
    model: Model | None,
    num_steps: int,
    sweeps: int,
    quiet: bool,
    options: Mapping[str, Any],
    callback: Listener | None = None,
) -> Search:
    """The search of one seed of one strategy, checked; the arguments are those of `study` and `nag_jax.search`.

    Raises:
        InputError: a name or a number can't be, or the constraints can't be met; in the words of the arguments.
    """
    check_seed(seed)
    metric = evaluators.objective(evaluator)
    if metric is None:
        raise InputError(f"evaluator {evaluator.name!r} has no metric to search by: name one, as metric='accuracy'")
    config = dataclasses.replace(
        DEFAULTS,
        seed=seed,
        seeds=1,
        evaluator=EvaluatorSettings(name=evaluator.name, metric=metric.name),
        sampler=choose_sampler(space, num_steps, sweeps),
        search=Loop(initial=initial, budget=budget, batch_size=batch_size),
        strategies={strategy: Strategy(name=strategy, own={**default_options(strategy), **options})},
        run=(strategy,),
        constraints=constraints,
    )
    given = Given(space, evaluator, quiet=quiet, callback=callback)
    if model is not None:
        given = given._replace(generator=model.generator, score_params=model.params, training_tokens=model.tokens)
    elif space.has_posterior:
        config = dataclasses.replace(config, generator=Generator(name="exact"))
    return searching.check(config, Unkept(), given)


def choose_objectives(evaluator: Evaluator, named: Mapping[str, str] | None, given: Utility | None) -> Objectives:
    """The metrics of the evaluator that count; several without a utility are compared by the first of them.

    Raises:
        InputError: the evaluator doesn't measure one of them, or in the other direction.
    """
    names = list(named or [getattr(evaluators.objective(evaluator), "name", "")])
    for name in names:
        if name not in evaluator.metrics:
            raise InputError(f"{evaluator.name} doesn't measure {name!r}: name some of {sorted(evaluator.metrics)}")
        metric = evaluator.metrics[name]
        if named and named[name] != metric.direction:
            raise InputError(f"{name!r} of {evaluator.name} is to be {metric.direction!r}, found {named[name]!r}")
    metrics = tuple(evaluator.metrics[name] for name in names)
    if given is None and len(metrics) > 1:
        given = utility.weighted_sum(weights=(1.0, *[0.0] * (len(metrics) - 1)))
    return Objectives(metrics) if given is None else Objectives(metrics, given)


def stored_objectives(ledger: str | Path | None) -> dict[str, str]:
    """The objectives of the study that has the ledger; none where there isn't one."""
    path = None if ledger is None else Path(ledger)
    if path is None or not path.exists() or not path.stat().st_size:
        return {}
    found = read_identity(path)
    return json.loads(found["fingerprint"]) if found.get("evaluator") == Told.name else {}
