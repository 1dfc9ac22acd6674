"""The six calls that are enough for most: space, evaluator, fit, generate, search, study.

They are a door to the tasks that the command line runs, with the defaults of `configs/nb201.py` and
`configs/nb201_search.py`, and come to the same architectures from the same seed; searches without a model to those of
`generator.name=exact`, where the space has a closed form. Nothing is written anywhere but where a call is told to.
Whoever wants another predictor, kernel or guidance joins the rooms' functions, or uses the command line.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nag_jax import evaluators, settings, spaces
from nag_jax.evaluators import Evaluator, table_file
from nag_jax.evaluators.base import Unlabelled
from nag_jax.evaluators.function import Function, from_function
from nag_jax.generators.gaussian import sde
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.settings.evaluator import Evaluator as EvaluatorSettings
from nag_jax.settings.predictor import Labels
from nag_jax.settings.sampler import REFINED, Guidance, Sampler
from nag_jax.settings.score import Prior
from nag_jax.settings.space import Choices
from nag_jax.spaces import NodeSpace
from nag_jax.studies import Study, study
from nag_jax.studies.make import open_study, prepare
from nag_jax.system.errors import InputError
from nag_jax.system.events import Listener
from nag_jax.system.fields import check, to_dict
from nag_jax.system.seeds import check_seed
from nag_jax.tasks import constrained, learn
from nag_jax.tasks import generate as generating
from nag_jax.tasks.arguments import as_arguments
from nag_jax.tasks.check import check_setting
from nag_jax.tasks.fit import Model, fit_score
from nag_jax.tasks.found import Found, owned, read_found
from nag_jax.tasks.pool import Pool, make_pool
from nag_jax.tasks.sampling import choose_sampler
from nag_jax.tasks.setting import Given
from nag_jax.tasks.workdir import Unkept
from nag_jax.trials import Ledger

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Found", "Model", "Pool", "Study", "evaluator", "fit", "generate", "search", "space", "study"]

GENERATE = settings.Generate(sampler=Sampler(refine=REFINED.refine), guidance=Guidance(num_steps=REFINED.num_steps))
SEARCH = settings.Search()
"""The settings whose values `fit`, `generate` and `search` have where nothing else is given."""


def space(name: str, **options) -> NodeSpace:
    """Makes a search space.

    Args:
        name: a key of `spaces.REGISTRY`.
        **options: options of the space.

    Raises:
        InputError: no space has that name.

    Example:
        >>> space("nasbench201").size
        15625
    """
    return spaces.make(name, **options)


def evaluator(
    source: "str | Path | pd.DataFrame | Function",
    space: NodeSpace,
    *,
    metric: str | None = None,
    direction: str | None = None,
    unit: str | None = None,
    split: str | None = None,
    **options,
) -> Evaluator:
    """Makes what says how much an architecture is worth. Only `generate` and `search` call it, and count what they pay.

    Args:
        source: a key of `evaluators.REGISTRY`; or a table of your own with a column `arch` of the space's strings, as
            the path of a CSV or Parquet file or a data frame; or a function of such a string that returns a number.
        space: the space of the architectures.
        metric: what to search by: the column of a table, the name of a function's values.
        direction: `"max"`, which is the default, or `"min"`; of a table or a function, as the next two.
        unit: the unit of the metric, for reports.
        split: `"validation"` or `"test"`.
        **options: options of the evaluator; see `evaluators.REGISTRY`, `table_file.load` and `function.from_function`.

    Raises:
        InputError: there is no such evaluator, file or metric, or something in a table is wrong.

    Example:
        >>> cells = space("nasbench201")
        >>> evaluator("analog_nasbench", cells, metric="qat").num_distinct
        6466
        >>> evaluator(lambda arch: arch.count("nor_conv_3x3"), cells, metric="convolutions").metrics["convolutions"]
        Metric(name='convolutions', unit='', direction='max', split='none')
    """
    if callable(source):
        metric = metric or "value"
    given: dict[str, Any] = {"space": space, **options}
    if metric is not None:
        given |= {"metric": metric, **evaluators.of_metric(metric, direction=direction, unit=unit, split=split)}
    if callable(source):
        return from_function(source, **given)
    if isinstance(source, str) and (source in evaluators.REGISTRY or not Path(source).suffix):
        return evaluators.make(source, **given)
    if metric is None:
        raise InputError("a table needs the column to search by: name it, as metric='accuracy'")
    if isinstance(source, str | Path):
        return evaluators.make("table", path=source, **given)
    return table_file.from_frame(source, **given)


def fit(
    space: NodeSpace | str,
    *,
    process: SDE | None = None,
    network: Mapping[str, Any] | None = None,
    corpus: str | Path | Mapping[str, float] | None = None,
    folder: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    callback: Listener | None = None,
    **training,
) -> Model:
    """Trains a score network on the architectures of a space. No label is needed, and one model serves any objective.

    Args:
        space: the space to learn, or its name.
        process: the forward process; by default VE with sigma from 0.1 to 5.
        network: fields of the settings `score.network` that differ, as `{"width": 64}`.
        corpus: architectures to learn in place of the space, so that their like is generated: weights by architecture,
            or a file with a column `arch` and perhaps one `weight`. By default the whole space is learned.
        folder: keeps checkpoints, from which the same call goes on, or returns at once where it was done. It is what
            `config.score.checkpoint` of the command line names, too. By default nothing is kept.
        seed: makes the training repeatable, a whole number from 0 to 2^32 - 1.
        progress: shows a bar.
        callback: is told every `Event`: a phase begins, is so far, is over. What it raises ends the call.
        **training: fields of the settings `score.training` that differ, as `num_steps=600`.

    Raises:
        InputError: a field is unknown or can't be, an architecture isn't of the space, or the folder has a checkpoint
            of another model.

    Example:
        >>> fit("nasbench201", num_steps=1, network={"width": 8}, progress=False).space.name
        'nasbench201'
    """
    check_seed(seed)
    recipe = GENERATE.score.training.changed(training)
    check(recipe, "training")
    network = {**to_dict(GENERATE.score.network), **(network or {})}
    made = spaces.make(space) if isinstance(space, str) else space
    shown = {"quiet": not progress, "callback": callback}
    kept = {"corpus": corpus, "folder": folder, "seed": seed}
    return fit_score(made, process or sde.make("ve"), network, recipe, **kept, **shown)


def generate(
    model: Model,
    evaluator: Evaluator | None = None,
    *,
    num_samples: int = GENERATE.num_samples,
    labels: int = GENERATE.labels.training,
    final: int = GENERATE.labels.final,
    top_share: float = GENERATE.guidance.top_share,
    scale: float = GENERATE.guidance.scale,
    constraints: str = "",
    fixed: Mapping[str, str] = MappingProxyType({}),
    excluded: Mapping[str, str | Sequence[str]] = MappingProxyType({}),
    near: str = "",
    changes: float = Choices().changes,
    num_steps: int | None = None,
    sweeps: int | None = None,
    training: Mapping[str, Any] | None = None,
    ledger: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    callback: Listener | None = None,
) -> Pool:
    """Generates architectures; with an evaluator, good ones.

    Pays for `labels` random architectures, learns a predictor from them, lets it guide the generator, and pays for the
    `final` best of what was generated, in the predictor's order. Without an evaluator, or with one that has no
    objective, it pays for nothing.

    Args:
        model: what `fit` returned.
        evaluator: gives the true values of the objective.
        num_samples: samples to draw.
        labels: random architectures that the predictor learns from.
        final: generated architectures to pay for, at most as many as samples.
        top_share: the share of the space, by the predictor, that is aimed at; less gives fewer and better ones.
        scale: the strength of the guidance; 1 samples the posterior.
        constraints: bounds of costs that the evaluator knows, as `"macs <= 300e6; params <= 5e6"`.
        fixed: node to the class that all architectures have there, in the names of `space.describe()`.
        excluded: node to the class or classes that none has there; the node `"*"` stands for all nodes.
        near: an architecture that others are near to, in the space's notation; empty for none.
        changes: the nodes in which they differ from it on average, before guidance.
        num_steps: steps of the sampler; see `tasks.sampling.choose_sampler`.
        sweeps: Gibbs sweeps that refine guided samples; see there. None where the model learned a corpus.
        training: fields of the settings `predictor.training` that differ.
        ledger: the file of the labels: what it holds is not paid for again. By default they are kept in memory.
        seed: makes the call repeatable, a whole number from 0 to 2^32 - 1; the same one gives the same architectures.
        progress: shows bars.
        callback: is told every `Event`: a phase begins, is so far, is over, a label is stored. What it raises ends the
            call.

    Raises:
        InputError: a number can't be, the constraints can't be met, or there is nothing to learn from.

    Example:
        >>> cells = space("nasbench201")
        >>> model = fit(cells, num_steps=1, network={"width": 8}, progress=False)
        >>> accuracy = evaluator("analog_nasbench", cells)
        >>> small = {"num_samples": 64, "labels": 20, "final": 3, "num_steps": 2, "training": {"num_steps": 2}}
        >>> pool = generate(model, accuracy, progress=False, **small)
        >>> pool.labels_paid, pool.best in pool.architectures
        ({'training': 20, 'final': 3}, True)
    """
    check_seed(seed)
    space = spaces.restrict(model.space, fixed=fixed, excluded=excluded, near=near, changes=changes)
    source, recipe = evaluator or Unlabelled(space), GENERATE.predictor.training.changed(training or {})
    with as_arguments():
        metric = evaluators.objective(source)
        config = dataclasses.replace(
            GENERATE,
            seed=seed,
            num_samples=num_samples,
            evaluator=EvaluatorSettings(name=source.name, metric=metric.name if metric else ""),
            labels=Labels(training=labels, final=min(final, num_samples)),
            predictor=dataclasses.replace(GENERATE.predictor, training=recipe),
            guidance=dataclasses.replace(GENERATE.guidance, top_share=top_share, scale=scale, num_steps=0),
            score=dataclasses.replace(GENERATE.score, prior=Prior(corpus=model.corpus)),
            sampler=choose_sampler(space, num_steps, sweeps if metric and not model.corpus else sweeps or 0),
            constraints=constraints,
        )
        shown = {"quiet": not progress, "callback": callback}
        given = Given(space, source, model.generator, model.params, model.tokens, **shown)
        ready = check_setting(config, Unkept(), {}, given)
        if metric is None:
            name = "constrained" if ready.constraints else "unconditional"
            return make_pool(space, constrained.sample_pool(ready, name, model.params))
        run = learn.checked(ready)
        with Ledger.open(ledger, source) as book:
            run.workdir = Unkept(book)
            run.workdir.report(run.phases.events)
            learned = learn.learn(run)
            samples = generating.guided_pool(run, learned)
            generating.pay_for_best(run, samples, learned)
            return make_pool(space, samples, learned.predict, book, metric, learned.in_units)


def search(
    space: NodeSpace,
    evaluator: Evaluator,
    *,
    strategy: str = "bo_nag",
    budget: int = SEARCH.search.budget,
    initial: int = SEARCH.search.initial,
    batch_size: int = SEARCH.search.batch_size,
    constraints: str = "",
    model: Model | None = None,
    num_steps: int = SEARCH.sampler.num_steps,
    sweeps: int = SEARCH.sampler.refine.sweeps,
    ledger: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    callback: Listener | None = None,
    **options,
) -> Found:
    """Searches for the best architecture with a budget of labels.

    Args:
        space: the space to search.
        evaluator: gives the true values of the objective.
        strategy: a key of `nag_jax.strategies.REGISTRY`.
        budget: labels in all, those of the initial design included.
        initial: labels of the initial design, which is random.
        batch_size: labels between two decisions.
        constraints: bounds of costs, as in `generate`; only what keeps to them is labelled.
        model: what `fit` returned, for strategies that generate. By default their generator is exact where the space
            has a closed form, and trained first elsewhere.
        num_steps: steps of their sampler.
        sweeps: Gibbs sweeps that refine their samples.
        ledger: the file of the labels of this search alone: a search that was cut short goes on from there, and a
            finished one is read from there. By default they are kept in memory.
        seed: makes the call repeatable, a whole number from 0 to 2^32 - 1; the same one gives the same labels.
        progress: shows bars.
        callback: is told every `Event`: a phase begins, is so far, is over, a label is stored. What it raises ends the
            call, and the same one goes on from the ledger.
        **options: options of the strategy.

    Raises:
        InputError: a name or a number can't be, the constraints can't be met, or the ledger is of another search.

    Example:
        >>> cells = space("nasbench201")
        >>> by_size = evaluator(lambda arch: arch.count("nor_conv_3x3"), cells)
        >>> found = search(cells, by_size, strategy="local_search", budget=40, progress=False)
        >>> found.best_value, found.labels_paid
        (6.0, {'local_search, seed 0': 40})
    """
    with as_arguments():
        run = prepare(
            space,
            evaluator,
            strategy=strategy,
            seed=seed,
            budget=budget,
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
        purpose = f"{strategy}, seed {seed}"
        with open_study(run, run.objectives, strategy, seed, ledger) as opened:
            with owned(opened.ledger, purpose), run.phases("search", "label") as update:
                values = opened.optimize(
                    budget=budget, purposes=(purpose, purpose), progress=lambda paid: update(paid, budget)
                )
            return read_found(opened.ledger, values, run.metric, list(evaluator.metrics))
