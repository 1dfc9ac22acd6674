"""Transfer within a mode: a predictor learned from triples of other data sets, for one that it never saw."""

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax import datasets, settings
from nag_jax.datasets import landmarks, metad2a, triples
from nag_jax.datasets.base import Description
from nag_jax.datasets.triples import TaskTable, Triples
from nag_jax.evaluators import Metric, nas_bench_graph
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.fitting.fit import fit_recipe
from nag_jax.predictors import Predictor
from nag_jax.predictors.fit import meta_loss
from nag_jax.predictors.labels import normalize
from nag_jax.predictors.meta_gaussian_process import MetaGaussianProcess
from nag_jax.predictors.meta_predictor import MetaPredictor
from nag_jax.spaces import NodeSpace
from nag_jax.strategies.surrogates.gaussian_process import PriorFn
from nag_jax.system.errors import InputError
from nag_jax.tasks import build
from nag_jax.tasks.setting import Setting

LANDMARKS = "landmarks"
"""Purpose of labels in the ledger, and the source of descriptions that pays for them."""
PayFn = Callable[[np.ndarray, str, Callable[[int, int], None]], np.ndarray]
"""(tokens `[B, N]`, purpose, progress) -> labels `[B]` in the unit of the objective."""
_STANDARD_SAMPLES = 1024
_MOST_DIRECTIONS = 16
"""Data sets whose predictions say how the truth may depart from what is predicted; a prediction costs as many."""


@dataclasses.dataclass
class Transfer:
    """What is learned from, and for what.

    Attributes:
        triples: the triples of other data sets, with normalised values; higher is better.
        table: what those data sets look like.
        target: the new data set; None until its landmarks are paid for.
        landmarks: tokens `[k, N]` to pay for, none for other sources.
        meta: what learns.
    """

    triples: Triples
    table: TaskTable
    target: Description | None
    landmarks: np.ndarray
    meta: MetaGaussianProcess | MetaPredictor

    @property
    def predictor(self) -> Predictor:
        """The predictor of the new data set; its parameters are those that `learn` returns."""

        def init(key):
            raise NotImplementedError("it is learned from triples")

        def apply(params, x, t, context=None, *, dropout_key=None):
            return self.meta.apply(params["meta"], x, t, params["context"])

        return Predictor(init, apply)


def prepare(config: Any, space: NodeSpace, evaluator) -> Transfer | None:
    """Reads the triples and describes the new data set; None where the config transfers nothing.

    Raises:
        InputError: a file, a name or a number is wrong.
    """
    if not isinstance(config, settings.Transfer):
        return None
    objectives = build.make_objectives(config, evaluator)
    if objectives is None or not objectives.is_single or objectives.names != (config.evaluator.metric,):
        raise InputError(
            "transfer learns one objective, config.evaluator.metric: leave config.objectives empty and "
            "config.utility.name at 'identity'"
        )
    dataset: Any = config.dataset
    if config.triples.source == "nas_bench_graph":
        _check_learned(_learned_metrics(config), evaluator.metrics, config.evaluator.metric)
    sign = evaluator.metrics[config.evaluator.metric].sign
    where = np.zeros((0, space.num_nodes), np.int32)
    if config.dataset.source == LANDMARKS:
        if config.triples.source != "nas_bench_graph":
            raise InputError(
                "config.dataset.source=landmarks needs labels of the same architectures on all data sets: "
                "use it with config.triples.source=nas_bench_graph"
            )
        where = landmarks.choose(space, dataset.landmarks.k, covers=_covered_by_all(space))
    if config.triples.source == "metad2a":
        found, table = _read_metad2a(config)
    else:
        found, table = _read_graphs(config, space, where)
    target = None if len(where) else datasets.make(config.dataset.source, **_source_options(config))
    if target is not None and target.item_shape != table.features.shape[2:]:
        raise InputError(
            f"data set {target.name!r} has items of the shape {list(target.item_shape)}, and those of the triples have "
            f"{list(table.features.shape[2:])}: describe both by the same source"
        )
    values = _normalized(found, config.meta.labels, per_dataset=config.meta.per_dataset, maximize=sign > 0)
    meta = build.make_meta(config, space, table.features.shape[2:])
    return Transfer(found._replace(values=values), table, target, where, meta)


def learn(run: Setting, transfer: Transfer, score_params: Any, pay: PayFn) -> dict[str, Any]:
    """Fits the meta-predictor, or restores it, and embeds the new data set, once.

    Args:
        run: the run.
        transfer: what `prepare` returned.
        score_params: the generator's parameters, for a network that is shown its beliefs.
        pay: pays for landmarks.

    Returns:
        Parameters of `transfer.predictor`.
    """
    found, config = transfer.triples, run.config
    target = transfer.target
    if target is None:
        with run.phases("landmarks", "label") as progress:
            labels = pay(transfer.landmarks, LANDMARKS, progress)
        target = landmarks.load(labels=labels, name=config.evaluator.dataset)
    with run.phases("meta-predictor") as progress:
        if isinstance(transfer.meta, MetaGaussianProcess):
            params = transfer.meta.fit(
                run.key("meta-predictor"),
                found.tokens,
                found.task,
                found.values,
                transfer.table,
                progress=progress,
            )
        else:
            params = _fit_network(run, transfer, transfer.meta, score_params, progress)
        context = jax.jit(transfer.meta.embed)(params, target.features, target.mask)
    return {"meta": params, "context": context}


def prior_of(run: Setting, transfer: Transfer, params: dict[str, Any]) -> PriorFn:
    """What is known before the first label, for surrogates: the predictor, and how predictions differ by data set.

    The new data set is expected to depart from what is predicted for it as the data sets that were learned from depart
    from their mean: along `(f_t - mean of f) / sqrt(T)` for T of them, all or a random choice of 16, which is a sample
    of the covariance that functions have across data sets. Each f is in standard deviations over random architectures
    of the space.

    Args:
        run: the run.
        transfer: what `prepare` returned.
        params: the parameters of `transfer.predictor`.
    """
    present = np.unique(transfer.triples.task)
    drawn = np.random.default_rng(run.config.seed).permutation(present)[:_MOST_DIRECTIONS]
    known = jax.lax.map(lambda task: transfer.meta.embed(params["meta"], *transfer.table.of(task)), jnp.asarray(drawn))
    contexts = jnp.concatenate([params["context"][None], known])

    def values(x):
        t = jnp.zeros(x.shape[0], jnp.float32)
        of_each = jax.vmap(lambda context: transfer.meta.apply(params["meta"], x, t, context)[:, 0].mean(axis=-1))
        return of_each(contexts).T

    sample = jax.jit(values)(run.space.encode(run.space.random(run.key("prior"), _STANDARD_SAMPLES)))
    mean, std = sample.mean(axis=0, keepdims=True), sample.std(axis=0, keepdims=True) + 1e-6

    def prior(x):
        scores = (values(x) - mean) / std
        others = scores[:, 1:]
        departures = (others - others.mean(axis=1, keepdims=True)) / others.shape[1] ** 0.5
        return jnp.concatenate([scores[:, :1], departures], axis=1)

    return prior


def _fit_network(run: Setting, transfer: Transfer, meta: MetaPredictor, score_params: Any, progress) -> Any:
    training, found = run.config.predictor.training, transfer.triples
    view = build.make_view(run.config, run.space, run.generator, score_params)
    described = {
        "space": run.space.fingerprint,
        "encoder": run.config.meta.encoder,
        "predictor": run.config.predictor.name,
        "data_sets": len(transfer.table.rows),
    }
    with run.workdir.checkpoints("meta", described, max_to_keep=1) or nullcontext() as checkpoints:
        return fit_recipe(
            meta.init,
            meta_loss(meta, view, batch_size=training.batch_size),
            run.key("meta-predictor"),
            (found.tokens, found.values.astype(np.float32)[:, None], found.task, transfer.table),
            training,
            mesh=run.mesh,
            checkpoints=checkpoints,
            progress=progress,
        )


_DOWNLOADS = {
    "path": "the file that `python -m experiments.convert metad2a` makes of MetaD2A's meta_train_tasks_predictor.pt, "
    "which its authors publish (github.com/HayeonLee/MetaD2A)",
    "classes": "the list of down-sampled ImageNet's classes, `wnid id name` per line, which comes with that data set "
    "(image-net.org)",
}
"""Files that triples of MetaD2A are read from, and where they come from."""


def _read_metad2a(config: Any) -> tuple[Triples, TaskTable]:
    given = config.triples.metad2a
    for field, needed in _DOWNLOADS.items():
        if not getattr(given, field):
            raise InputError(f"set config.triples.metad2a.{field}: it is {needed}")
    data = metad2a.load(path=given.path, classes=given.classes)
    if given.published_split:
        data = data._replace(triples=metad2a.published_split(data)[0])
    if config.dataset.source == "class_names":
        classes = metad2a.name_table(data)
    elif given.features:
        classes = datasets.base.load(path=given.features)
    else:
        raise InputError(
            "set config.triples.metad2a.features to the file that `python -m experiments.convert imagenet32` writes, "
            "or config.dataset.source=class_names, which needs no images"
        )
    return data.triples, triples.task_table(data.triples, classes)


def _read_graphs(config: Any, space: NodeSpace, where: np.ndarray) -> tuple[Triples, TaskTable]:
    """All data sets of NAS-Bench-Graph but that of the evaluator."""
    new, metric = config.evaluator.dataset, config.evaluator.metric
    learned = _learned_metrics(config) or (metric,)
    values, tasks = {}, {}
    for name in nas_bench_graph.DATASETS:
        if name == new:
            continue
        view = reporting_view(nas_bench_graph.load(dataset=name, space=space))
        values[name] = view.architectures(), np.mean([view.all(each) for each in learned], axis=0)
        if len(where):
            tasks[name] = landmarks.load(labels=view.values(where, metric), name=name)
        else:
            tasks[name] = datasets.make(config.dataset.source, name=name)
    found = triples.join(values, tasks)
    return found, triples.task_table(found)


def _learned_metrics(config: Any) -> tuple[str, ...]:
    """Metrics of other data sets whose mean is learned; none for the objective alone, as without such a block."""
    return config.triples.nas_bench_graph.metrics if hasattr(config.triples, "nas_bench_graph") else ()


def _check_learned(learned: tuple[str, ...], metrics: Mapping[str, Metric], objective: str) -> None:
    """Raises InputError where the mean of the metrics that are learned means nothing to the objective."""
    kind = metrics[objective].unit, metrics[objective].sign
    alike = [name for name, metric in metrics.items() if (metric.unit, metric.sign) == kind]
    if unknown := [name for name in learned if name not in alike]:
        raise InputError(
            f"config.triples.nas_bench_graph.metrics names {unknown[0]!r}: use some of {alike}, which have the unit of "
            f"the objective, {objective}, or () for the objective alone"
        )


def _covered_by_all(space: NodeSpace):
    """Whether all data sets of NAS-Bench-Graph have an architecture, as a function of tokens."""
    tables = [nas_bench_graph.load(dataset=name, space=space) for name in nas_bench_graph.DATASETS]
    return lambda tokens: np.all([table.covers(tokens) for table in tables], axis=0)


def _source_options(config: Any) -> dict[str, Any]:
    source = config.dataset.source
    return build.options(getattr(config.dataset, source)) if hasattr(config.dataset, source) else {}


def _normalized(found: Triples, labels: str, *, per_dataset: bool, maximize: bool) -> np.ndarray:
    """Values in units that mean the same: over all triples, or data set by data set."""
    if not per_dataset:
        return normalize(found.values, labels, maximize=maximize)
    values = np.zeros(len(found.values), np.float32)
    for task in np.unique(found.task):
        rows = found.task == task
        values[rows] = normalize(found.values[rows], labels, maximize=maximize)
    return values
