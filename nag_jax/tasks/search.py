"""The task `search`: strategies decide what to label next, seed by seed, with every label counted."""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nag_jax import settings
from nag_jax.evaluators import Evaluator
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.objectives import Metric
from nag_jax.spaces.distinct import random_distinct
from nag_jax.strategies import Strategy, loop, needs_generator, runs_command
from nag_jax.strategies.course import Course
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.extras import check_installed
from nag_jax.system.fields import to_dict
from nag_jax.system.seeds import check_seed
from nag_jax.tasks import build, drive, transfer
from nag_jax.tasks.asked import Asked
from nag_jax.tasks.check import check_setting
from nag_jax.tasks.contract import Task
from nag_jax.tasks.learn import Run
from nag_jax.tasks.measure import Work, measure_strategy, seconds_between
from nag_jax.tasks.plan import Plan, words_of_seeds
from nag_jax.tasks.prior import Prior, learn_prior
from nag_jax.tasks.searched import Search, Searched
from nag_jax.tasks.setting import Given, check_score, plan_score, split_space, train_score
from nag_jax.tasks.strategy import make_strategy as of_block
from nag_jax.tasks.workdir import Workdir
from nag_jax.trials import Ledger, Trial

OPEN_FIELDS = ("seeds", "run", "executor")
"""What may change between runs in one workdir: more seeds, other strategies, and what runs the trials."""


def run(ready: Search) -> Searched:
    """Runs all strategies on all seeds.

    Seeds that are finished are skipped and others go on where they were, to the same sequence of labels.
    """
    parallel.on_first(ready.claim)
    params = train_score(ready, split_space(ready)) if needs_score(ready.config) else None
    if ready.source:
        ready.source.score_params = params
    prior = learn_prior(ready.source, ready.seeds) if ready.source else None
    parallel.on_first(lambda: search_all(ready, params, prior))
    return Searched(ready)


def plan(ready: Search) -> Plan:
    """What `run` would do and cost."""
    config, run = ready.config, ready
    seeds = run.seeds
    labels, work, done = {loop.INITIAL: (0, 0), loop.SEARCH: (0, 0)}, [], []
    for name in config.run:
        trials = parallel.on_first(lambda name=name: run.trials(name)) or {}
        wanted, finished = 0, 0
        for found in trials.values():
            over = run.is_over(found)
            wanted, finished = wanted + (len(found) if over else config.search.budget), finished + over
        paid = Counter(trial.purpose for found in trials.values() for trial in found)
        initial = len(seeds) * run.initial(name)
        for purpose, count in ((loop.INITIAL, initial), (loop.SEARCH, wanted - initial)):
            labels[purpose] = (labels[purpose][0] + count, labels[purpose][1] + paid[purpose])
        work.append(Work(name, wanted, "labels", paid.total(), _seconds_a_label(run, name, trials)))
        if paid:
            done.append(f"{name}: {finished} of {len(seeds)} seeds, {paid.total():,} labels")
    unknown = [entry.name for entry in work if entry.left and entry.seconds is None]
    notes = [f"Ledgers will say how long a label of {', '.join(unknown)} takes once some are paid"] if unknown else []
    if run.evaluator.batch_size == 1 and any(entry.left for entry in work):
        notes.append("The evaluator's own time comes on top, where no label is paid yet")
    return Plan(
        setting=run,
        metric=run.metric,
        labels=labels,
        samples={},
        work=[*(plan_score(run) if needs_score(config) else []), *work],
        done=done,
        strategies=f"{', '.join(config.run)}; {words_of_seeds(config)}",
        notes=notes,
    )


def _seconds_a_label(run: Search, name: str, trials: dict[int, list[Trial]]) -> float | None:
    """Seconds per label: by the ledgers, or what deciding on one takes here; None where that needs a prior or costs."""
    if seconds := seconds_between(trials.values(), loop.SEARCH):
        return seconds
    if run.config.strategies[name].prior or runs_command(run.config.strategies[name].name):
        return None
    params = run.generator.init(jax.random.key(0)) if needs_score(run.config) else None
    known = max(run.config.search.budget // 2, run.initial(name))  # the more labels, the longer it takes
    tokens = random_distinct(run.space, run.seed_key(run.config.seed, loop.INITIAL), known, covers=run.may_be_labelled)
    return measure_strategy(make_strategy(run, name, params), tokens, len(run.objectives), run.config.search.batch_size)


def search_all(run: Search, params: Any, prior: Prior | None) -> None:
    """Runs all strategies on all seeds, given the generator's parameters and what transfer knows."""
    config = run.config
    work = [(name, seed) for name in config.run for seed in run.seeds]
    with run.phases("search", "label") as progress:
        strategy, made = None, None
        for i, (name, seed) in enumerate(work):
            done, total = i * config.search.budget, len(work) * config.search.budget
            progress(done, total)
            if _is_finished(run, name, seed):
                continue
            if strategy is None or made != name:
                strategy, made = make_strategy(run, name, params, prior), name
            design = prior.designs[seed] if prior and config.strategies[name].prior else None
            with run.workdir.ledger(run.evaluator, run.ledger_name(name, seed)) as ledger:
                report = functools.partial(_report, progress, done, total)
                search_seed(run, name, strategy, seed, ledger, design=design, progress=report)
        progress(len(work) * config.search.budget, len(work) * config.search.budget)


def check(config: settings.Search, workdir: Workdir, given: Given | None = None) -> Search:
    """Builds everything and checks all that can be wrong; changes nothing.

    Raises:
        InputError: something in the config, the data or the workdir is wrong.
    """
    setting = check_setting(config, workdir, _identity(config), given)
    check_seed(config.seed + config.seeds - 1, "config.seed + config.seeds - 1, the last seed,")
    space, evaluator = setting.space, setting.evaluator
    objectives = build.make_objectives(config, evaluator)
    if objectives is None:
        file = getattr(evaluator, "metric_file", "")
        raise InputError(
            f"{evaluator.name} has no metric to search by: name one with config.evaluator.metric"
            + (f", or give {file}" if file else "")
        )
    reported = _metric(config, "report", evaluator) or objectives.metric
    if config.search.budget > setting.num_distinct:
        raise InputError(
            f"config.search.budget is {config.search.budget:,}, and {evaluator.name} has {setting.num_distinct:,} "
            "architectures that differ: ask for fewer"
        )
    if config.executor.name:
        drive.check(config.executor.options())
    if not config.run:
        raise InputError(f"config.run must name a strategy: use some of {sorted(config.strategies)}")
    for name in config.run:
        check_strategy(config, name)
    if needs_score(config):
        check_score(setting)
    if config.search.second:
        check_installed("moocore", extra="hypervolume", needed_by="a search with config.search.second")
    run = Search(
        objectives=objectives,
        reported=reported,
        second=_metric(config, "second", evaluator),
        goal=reporting_view(evaluator, space).best_worth(objectives) if config.search.stop_at_best else None,
        source=None,
        **setting.shared(),
    )
    if _needs_prior(config):
        known = transfer.prepare(config, space, evaluator)
        if known is None or len(known.landmarks):
            raise InputError(
                "strategies with a prior need config.triples, and a config.dataset.source other than landmarks, which "
                "would be paid for outside of a search's budget"
            )
        run.source = Run(objectives=objectives, predictor=known.predictor, transfer=known, **setting.shared())
    for name in config.run:
        make_strategy(run, name, None)
    return run


def _identity(config: settings.Search) -> dict[str, Any]:
    """The fields that make a workdir this config's."""
    return {name: value for name, value in to_dict(config).items() if name not in OPEN_FIELDS}


def check_strategy(config: settings.Search, name: str) -> None:
    """Raises InputError where `config.run` names no strategy of `config.strategies`."""
    if name not in config.strategies:
        raise InputError(f"config.run names {name!r}: use some of {sorted(config.strategies)}")


def make_strategy(run: Search, name: str, params: Any, prior: Prior | None = None) -> Strategy:
    """The strategy of `config.strategies` under that name; one that generates gets the score network.

    The surrogate of one whose field `prior` is set starts from the prior.
    """
    return of_block(run, run.config.strategies[name], params, prior)


def search_seed(
    run: Search,
    name: str,
    strategy: Strategy,
    seed: int,
    ledger: Ledger,
    *,
    design: np.ndarray | None = None,
    purposes: tuple[str, str] = (loop.INITIAL, loop.SEARCH),
    progress: Callable[[int], None],
) -> np.ndarray:
    """Pays for labels until the seed is over; see `strategies.loop.search_labels`, also for what is returned."""
    course = make_course(run, name, strategy, seed, design=design)
    executor = run.config.executor
    if executor.name:
        asked = Asked(ledger, lambda: course, run.objectives, evaluator=run.evaluator, strategy=name)
        return asked.optimize(budget=run.config.search.budget, goal=run.goal, progress=progress, **executor.options())
    return loop.search_labels(
        course,
        ledger,
        budget=run.config.search.budget,
        goal=run.goal,
        purposes=purposes,
        origin=name,
        progress=progress,
    )


def make_course(run: Search, name: str, strategy: Strategy, seed: int, *, design: np.ndarray | None = None) -> Course:
    """The course of a strategy's seed; the initial design is random, or the first of the given tokens."""

    def first(n):
        if design is not None:
            return design[:n]
        return random_distinct(
            run.space, run.seed_key(seed, loop.INITIAL), n, covers=run.may_be_labelled, rows=run.feasible_rows
        )

    return Course(
        key=run.seed_key(seed, name),
        strategy=strategy,
        space=run.space,
        objectives=run.objectives,
        initial=run.initial(name),
        design=first,
        batch_size=run.config.search.batch_size,
    )


def _report(progress: Callable[[int, int], None], done: int, total: int, paid: int) -> None:
    progress(done + paid, total)


def needs_score(config: settings.Search) -> bool:
    """Whether a strategy of the config generates, or learns a prior with the generator's network."""
    return _needs_prior(config) or any(needs_generator(config.strategies[name].name) for name in config.run)


def _needs_prior(config: settings.Search) -> bool:
    return any(config.strategies[name].prior for name in config.run if name in config.strategies)


def _is_finished(run: Search, name: str, seed: int) -> bool:
    path = run.ledger_name(name, seed)
    if not run.workdir.holds(path):
        return False
    with run.workdir.ledger(run.evaluator, path) as ledger:
        return run.is_over(ledger.trials())


def _metric(config: settings.Search, field: str, evaluator: Evaluator) -> Metric | None:
    """The metric that a field of `config.search` names, None where it is empty."""
    name = getattr(config.search, field)
    if name and name not in evaluator.metrics:
        raise InputError(f"config.search.{field} names {name!r}: use one of {sorted(evaluator.metrics)}")
    return evaluator.metrics[name] if name else None


def task() -> Task:
    """The task."""
    return Task(check, plan, run)
