"""The five calls that are enough for most: space, evaluator, fit, generate, search.

They join what the rooms offer as the command line does, with the defaults of `configs/nb201.py` and
`configs/nb201_bo.py`, and come to the same architectures from the same seed. Nothing is written anywhere but where a
call is told to. Whoever wants another predictor, kernel or guidance joins the rooms' functions, or uses the command
line.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nag_jax import evaluators, spaces
from nag_jax import predictors as models
from nag_jax.evaluators import Evaluator, Metric, table_file
from nag_jax.evaluators.function import Function, from_function
from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.fitting.recipe import Recipe
from nag_jax.generators.contract import Generator, Samples
from nag_jax.generators.fit import check_batches, draw_share, fit_generator
from nag_jax.generators.gaussian import kernels, sde
from nag_jax.generators.gaussian.generator import gaussian
from nag_jax.generators.gaussian.score_model import make_score_model
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.generators.sharded import ShardedSampler
from nag_jax.guidance.constraints import Constraints, parse
from nag_jax.predictors import Predictor
from nag_jax.predictors.fit import fit_predictor, predict
from nag_jax.predictors.labels import normalize
from nag_jax.predictors.views import denoised_view
from nag_jax.settings import Generate, Search
from nag_jax.settings.search import default_options
from nag_jax.spaces import Space
from nag_jax.spaces.distinct import random_distinct
from nag_jax.strategies import loop, needs_generator
from nag_jax.strategies import make as make_strategy
from nag_jax.strategies.bo_nag import Source
from nag_jax.system import parallel
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.fields import to_dict
from nag_jax.system.keys import stream_key
from nag_jax.system.once import once
from nag_jax.system.progress import Phases
from nag_jax.system.seeds import check_seed
from nag_jax.tasks.aim import feasible, make_aim, make_guidance, measure
from nag_jax.tasks.pool import FINAL, TRAINING, rank_new, tally
from nag_jax.trials import Ledger

if TYPE_CHECKING:
    import pandas as pd

GENERATE, SEARCH = Generate(), Search()
"""The settings whose values `fit`, `generate` and `search` have where nothing else is given."""


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A trained score network: what the architectures of a space look like. Made by `fit`.

    Attributes:
        space: of the architectures.
        generator: what learned them.
        params: its parameters.
        tokens: what it learned from, or a sample of that, `[M, N]`.

    Example:
        >>> model = fit(space("nasbench201"), num_steps=1, network={"width": 8}, progress=False)
        >>> model.tokens.shape
        (15625, 8)
    """

    space: Space
    generator: Generator = dataclasses.field(repr=False)
    params: Any = dataclasses.field(repr=False)
    tokens: np.ndarray = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """Generated architectures, each once. Made by `generate`.

    Attributes:
        architectures: in the space's own notation; best by the predictor first, where there is one.
        times_generated: how often each was, int `[D]`.
        predictions: the predictor's, in its own unit, higher is better, `[D]`; NaN without one.
        values: the labels of those that were paid for, in the metric's unit, `[D]`; NaN for the others.
        metric: the objective, or None.
        best: the best of those that were paid for, or None.
        best_value: its value, or NaN.
        labels_paid: labels in the ledger by purpose.
        num_samples: samples that were drawn, invalid ones included.

    Example:
        >>> model = fit(space("nasbench201"), num_steps=1, network={"width": 8}, progress=False)
        >>> pool = generate(model, num_samples=8, num_steps=2, progress=False)
        >>> pool.num_samples, pool.best, pool.labels_paid
        (8, None, {})
    """

    architectures: list[str] = dataclasses.field(repr=False)
    times_generated: np.ndarray = dataclasses.field(repr=False)
    predictions: np.ndarray = dataclasses.field(repr=False)
    values: np.ndarray = dataclasses.field(repr=False)
    metric: Metric | None
    best: str | None
    best_value: float
    labels_paid: dict[str, int]
    num_samples: int

    def __len__(self) -> int:
        return len(self.architectures)


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """What a search paid for, in order. Made by `search`.

    Attributes:
        architectures: in the space's own notation.
        values: of the objective, in its unit, `[M]`; NaN for failed trials.
        labels: of all metrics of the evaluator by name, `[M]` each.
        metric: the objective.
        best: the architecture with the best value; None where all failed.
        best_value: its value, or NaN.
        labels_paid: labels in the ledger by purpose.

    Example:
        >>> graphs = space("nasbench_graph")
        >>> cora = evaluator("nas_bench_graph", graphs, dataset="cora", metric="validation")
        >>> found = search(graphs, cora, strategy="random_search", budget=10, progress=False)
        >>> len(found), sorted(found.labels), found.best in found.architectures
        (10, ['latency', 'parameters', 'test', 'validation'], True)
    """

    architectures: list[str] = dataclasses.field(repr=False)
    values: np.ndarray = dataclasses.field(repr=False)
    labels: dict[str, np.ndarray] = dataclasses.field(repr=False)
    metric: Metric
    best: str | None
    best_value: float
    labels_paid: dict[str, int]

    def best_so_far(self) -> np.ndarray:
        """The best value after each label `[M]`; NaN before the first that didn't fail."""
        best = np.fmax.accumulate(self.metric.sign * self.values)
        return self.metric.sign * best

    def __len__(self) -> int:
        return len(self.architectures)


def space(name: str, **options) -> Space:
    """Makes a search space.

    Args:
        name: a key of `spaces.REGISTRY`.
        **options: of the space.

    Raises:
        InputError: no space has that name.

    Example:
        >>> space("nasbench201").size
        15625
    """
    return spaces.make(name, **options)


def evaluator(
    source: "str | Path | pd.DataFrame | Function",
    space: Space,
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
        space: of the architectures.
        metric: what to search by: the column of a table, the name of a function's values.
        direction: `"max"`, which is the default, or `"min"`; of a table or a function, as the next two.
        unit: for reports.
        split: `"validation"` or `"test"`.
        **options: of the evaluator; see `evaluators.REGISTRY`, `table_file.load` and `function.from_function`.

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
    space: Space,
    *,
    process: SDE | None = None,
    network: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    **training,
) -> Model:
    """Trains a score network on the architectures of a space. No label is needed, and one model serves any objective.

    Args:
        space: to learn.
        process: the forward process; by default VE with sigma from 0.1 to 5.
        network: fields of `tasks.settings.Network` that differ, as `{"width": 64}`.
        folder: keeps checkpoints, from which the same call goes on, or returns at once where it was done. It is what
            `config.score.checkpoint` of the command line names, too. By default nothing is kept.
        seed: makes the training repeatable, a whole number from 0 to 2^32 - 1.
        progress: shows a bar.
        **training: fields of the settings `score.training` that differ, as `num_steps=600`.

    Raises:
        InputError: a field is unknown or can't be, or the folder has a checkpoint of another model.

    Example:
        >>> fit(space("nasbench201"), num_steps=1, network={"width": 8}, progress=False).space.name
        'nasbench201'
    """
    check_seed(seed)
    recipe, mesh = _changed(GENERATE.score.training, training), parallel.make_mesh()
    score = make_score_model(space, process or sde.make("ve"), {**to_dict(GENERATE.score.network), **(network or {})})
    generator = gaussian(space, score, [kernels.make("ancestral", score.sde)])
    tokens = draw_share(stream_key(seed, "split"), space)
    checkpoints = Checkpoints(folder, dict(generator.description)) if folder is not None else None
    if checkpoints is None or checkpoints.latest_step() != recipe.num_steps:
        check_batches(recipe, mesh)
    with Phases(quiet=not progress)("score network") as update:
        params = fit_generator(
            stream_key(seed, "score"),
            generator,
            space,
            tokens,
            recipe,
            mesh=mesh,
            checkpoints=checkpoints,
            progress=update,
        )
    return Model(space, generator, params, tokens)


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
    num_steps: int = GENERATE.sampler.num_steps,
    training: Mapping[str, Any] | None = None,
    ledger: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Pool:
    """Generates architectures; with an evaluator, good ones.

    Pays for `labels` random architectures, learns a predictor from them, lets it guide the generator, and pays for the
    `final` best of what was generated, in the predictor's order. Without an evaluator, or with one that has no
    objective, it pays for nothing.

    Args:
        model: from `fit`.
        evaluator: of the objective.
        num_samples: samples to draw.
        labels: random architectures that the predictor learns from.
        final: generated architectures to pay for.
        top_share: the share of the space, by the predictor, that is aimed at; less gives fewer and better ones.
        scale: of the guidance; 1 samples the posterior.
        constraints: on costs that the evaluator knows, as `"macs <= 300e6; params <= 5e6"`.
        num_steps: of the sampler.
        training: fields of the settings `predictor.training` that differ.
        ledger: file of the labels: what it holds is not paid for again. By default they are kept in memory.
        seed: makes the call repeatable, a whole number from 0 to 2^32 - 1; the same one gives the same architectures.
        progress: shows bars.

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
    metric = None if evaluator is None else _objective(evaluator)
    recipe = _changed(GENERATE.predictor.training, training or {})
    _check_generate(evaluator if metric else None, num_samples, labels, final, top_share, num_steps)
    bounds = _constraints(model.space, evaluator, constraints)
    mesh, phases = parallel.make_mesh(), Phases(quiet=not progress)

    def sample(guide, args, stream):
        sampler = _make_sampler(model.generator, guide=guide, num_steps=num_steps, mesh=mesh)
        with phases(f"{stream} samples") as update:
            return sampler(stream_key(seed, stream), num_samples, model.params, args, progress=update)

    if evaluator is None or metric is None:
        if not bounds:
            return _pool(model.space, sample(None, None, "unconditional"))
        return _pool(model.space, sample(bounds.guide(), {"bands": bounds.bands()}, "constrained"))

    with Ledger.open(ledger, evaluator) as book:
        with phases("labels for training", "label") as update:
            tokens = random_distinct(model.space, stream_key(seed, "labels"), labels, covers=evaluator.covers)
            values = book.label(tokens, TRAINING, update)[metric.name]
        good = np.isfinite(values)
        if good.sum() < 2:
            raise InputError(f"{good.sum()} of {labels} labels are finite, too few to learn from: ask for more")
        predictor = _predictor(model)
        with phases("predictor") as update:
            params = fit_predictor(
                stream_key(seed, "predictor"),
                predictor,
                denoised_view(model.space, model.generator, model.params, share=GENERATE.predictor.soft_share),
                tokens[good],
                normalize(values[good], GENERATE.predictor.labels, maximize=metric.direction == "max"),
                recipe,
                mesh=mesh,
                progress=update,
            )
        with phases("aim"):
            target, spread = measure(
                stream_key(seed, "spread"),
                model.generator,
                model.params,
                predictor,
                params,
                model.space,
                feasible(bounds, model.tokens),
                top_share=top_share,
                softness=GENERATE.guidance.softness,
            )
            aim = make_aim(params, target, spread, scale=scale) | {"bands": bounds.bands()}
        samples = sample(make_guidance(predictor, constraints=bounds or None).guide, aim, "guided")

        def predicted(tokens):
            return predict(predictor, params, model.space.encode(tokens))[0]

        with phases("labels of the best", "label") as update:
            best = rank_new(
                model.space,
                samples,
                predicted,
                may_be_labelled=_may_be_labelled(evaluator, bounds),
                labelled=tokens[good],
            )[:final]
            book.label(best, FINAL, update)
        return _pool(model.space, samples, predicted, book, metric)


def search(
    space: Space,
    evaluator: Evaluator,
    *,
    strategy: str = "bo_nag",
    budget: int = SEARCH.search.budget,
    initial: int = SEARCH.search.initial,
    batch_size: int = SEARCH.search.batch_size,
    constraints: str = "",
    model: Model | None = None,
    num_steps: int = SEARCH.sampler.num_steps,
    ledger: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    **options,
) -> Found:
    """Searches for the best architecture with a budget of labels.

    Args:
        space: to search.
        evaluator: of the objective.
        strategy: a key of `nag_jax.strategies.REGISTRY`.
        budget: labels in all, those of the initial design included.
        initial: labels of the initial design, which is random.
        batch_size: labels between two decisions.
        constraints: see `generate`; nothing else is labelled.
        model: from `fit`, for strategies that generate; by default it is trained first.
        num_steps: of their sampler.
        ledger: file of the labels of this search alone: a search that was cut short goes on from there, and a finished
            one is read from there. By default they are kept in memory.
        seed: makes the call repeatable, a whole number from 0 to 2^32 - 1; the same one gives the same labels.
        progress: shows bars.
        **options: of the strategy.

    Raises:
        InputError: a name or a number can't be, the constraints can't be met, or the ledger is of another search.

    Example:
        >>> cells = space("nasbench201")
        >>> by_size = evaluator(lambda arch: arch.count("nor_conv_3x3"), cells)
        >>> found = search(cells, by_size, strategy="local_search", budget=40, progress=False)
        >>> found.best_value, found.labels_paid
        (6.0, {'local_search, seed 0': 40})
    """
    metric = _objective(evaluator)
    if metric is None:
        raise InputError(f"the evaluator {evaluator.name!r} has no metric to search by: name one, as metric='accuracy'")
    check_seed(seed)
    _check_positive(budget=budget, initial=initial, batch_size=batch_size, num_steps=num_steps)
    if initial > budget:
        raise InputError(f"initial, {initial}, is more than budget, {budget}: the initial design counts")
    if budget > evaluator.num_distinct:
        raise InputError(
            f"budget is {budget:,}, and {evaluator.name} has {evaluator.num_distinct:,} architectures that differ: "
            "ask for fewer"
        )
    bounds = _constraints(space, evaluator, constraints)
    may_be_labelled = _may_be_labelled(evaluator, bounds)
    options = {**default_options(strategy), **options}
    generates, purpose = needs_generator(strategy), f"{strategy}, seed {seed}"
    with Ledger.open(ledger, evaluator) as book, _own(book, purpose):
        if generates:
            model = model or fit(space, seed=seed, progress=progress)
            options["generator"] = Source(
                model.generator, model.params, num_steps, bounds.guide(), {"bands": bounds.bands()}
            )
        made = make_strategy(strategy, space, covers=may_be_labelled, **options)
        with Phases(quiet=not progress)("search", "label") as update:
            values = loop.search_labels(
                stream_key(seed, strategy),
                made,
                book,
                metric,
                budget=budget,
                initial=initial,
                design=lambda n: random_distinct(space, stream_key(seed, loop.INITIAL), n, covers=may_be_labelled),
                batch_size=batch_size,
                purposes=(purpose, purpose),
                progress=lambda paid: update(paid, budget),
            )
        trials = book.trials()[: len(values)]
        architectures = [trial.architecture for trial in trials]
        labels = {name: np.array([trial.values[name] for trial in trials]) for name in evaluator.metrics}
        best, best_value = _best(architectures, values, metric)
        return Found(architectures, values, labels, metric, best, best_value, book.paid_by_purpose())


@contextmanager
def _own(book: Ledger, purpose: str) -> Iterator[None]:
    """Holds a ledger that has no labels but those of one search, for as long as that takes.

    Raises:
        InputError: it holds labels of something else, or does so once another search has ended.
    """

    def check():
        if others := book.paid_by_purpose().keys() - {purpose}:
            raise InputError(f"{book.path} holds labels of something else, {sorted(others)}: give this search its own")

    check()
    with book.alone():
        check()
        yield


def _objective(evaluator: Evaluator) -> Metric | None:
    if not hasattr(evaluator, "metrics"):
        found = quoted(evaluator)
        raise InputError(f"{found} is no evaluator: make one of it, with nag_jax.evaluator({found}, space)")
    return evaluators.objective(evaluator)


def _changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other numbers."""
    known = [field.name for field in dataclasses.fields(recipe)]
    if unknown := sorted(set(changes) - set(known)):
        raise InputError(f"training has no field {unknown}: use {known}")
    recipe = dataclasses.replace(recipe, **changes)
    _check_positive(
        num_steps=recipe.num_steps,
        batch_size=recipe.batch_size,
        chunk_steps=recipe.chunk_steps,
        checkpoint_every=recipe.checkpoint_every,
    )
    return recipe


def _check_positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise InputError(f"{name} must be at least 1, found {value}")


def _check_generate(
    evaluator: Evaluator | None, num_samples: int, labels: int, final: int, top_share: float, num_steps: int
) -> None:
    """Raises InputError where a number of `generate` can't be."""
    _check_positive(num_samples=num_samples, num_steps=num_steps)
    if evaluator is None:
        return
    _check_positive(final=final)
    if labels < 2:
        raise InputError(f"labels must be at least 2, found {labels}")
    if not 0 < top_share <= 1:
        raise InputError(f"top_share must be more than 0 and at most 1, found {top_share}")
    if labels + final > evaluator.num_distinct:
        raise InputError(
            f"labels and final ask for {labels + final:,} labels, and {evaluator.name} has "
            f"{evaluator.num_distinct:,} architectures that differ: ask for fewer"
        )


def _constraints(space: Space, evaluator: Evaluator | None, text: str) -> Constraints:
    return _make_constraints(space, getattr(evaluator, "costs", {}), parse(text))


_make_sampler, _make_constraints = once(ShardedSampler), once(Constraints)


def _may_be_labelled(evaluator: Evaluator, bounds: Constraints) -> Callable[[np.ndarray], np.ndarray]:
    return lambda tokens: evaluator.covers(tokens) & bounds.hold(tokens)


def _predictor(model: Model) -> Predictor:
    given = GENERATE.predictor
    return models.make(
        given.name,
        members=given.members,
        adjacency=model.space.adjacency,
        num_classes=model.space.num_classes,
        **to_dict(given.directional_gcn),
    )


def _pool(
    space: Space, samples: Samples, predicted=None, book: Ledger | None = None, metric: Metric | None = None
) -> Pool:
    """The valid architectures of samples, each once, with what is known of them."""
    tokens, counts, predictions = tally(samples.tokens[samples.valid], predicted)
    values = np.full(len(tokens), np.nan)
    best, best_value, paid = None, np.nan, {}
    architectures = space.to_native(tokens)
    if book is not None and metric is not None:
        known = {trial.key: trial.values[metric.name] for trial in book.trials()}
        values = np.array([known.get(key, np.nan) for key in space.canonical(tokens).tolist()])
        best, best_value = _best(architectures, values, metric)
        paid = book.paid_by_purpose()
    return Pool(architectures, counts, predictions, values, metric, best, best_value, paid, len(samples.tokens))


def _best(architectures: list[str], values: np.ndarray, metric: Metric) -> tuple[str | None, float]:
    if not np.isfinite(values).any():
        return None, np.nan
    i = int(np.nanargmax(metric.sign * values))
    return architectures[i], float(values[i])
