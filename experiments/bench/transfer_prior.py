"""What makes a pool of ten for a data set never seen: a learned prior, a predictor, or both; parts of `transfer`.

Each arm is an order of architectures without repeats: as they were drawn, or by a ranking. A ten is ten that follow
each other. Of a ranking the first ten are what one would label; the next nine show how much of their figure is luck.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.stats import rankdata

from experiments.bench.transfer_tables import OWN, SCALES
from nag_jax import spaces
from nag_jax.datasets.triples import Triples, select
from nag_jax.evaluators import make, nas_bench_graph
from nag_jax.evaluators.reporting import ReportingView, reporting_view
from nag_jax.generators.contract import Generator, Samples
from nag_jax.generators.sharded import sharded
from nag_jax.settings.config import from_config
from nag_jax.spaces import NodeSpace
from nag_jax.system.keys import sample_keys
from nag_jax.system.once import jitted
from nag_jax.tasks import build, learn, learned_prior, transfer
from nag_jax.tasks.check import check_setting
from nag_jax.tasks.learn import Run
from nag_jax.tasks.pool import rank
from nag_jax.tasks.setting import Given, split_space, train_score, unlabelled
from nag_jax.tasks.workdir import Unkept

TEN, TENS = 10, 10
FOR_ALL, FOR_ONE = "prior for all", "prior for the data set"
CANDIDATES = {FOR_ALL: (2.0, 4.0, 8.0, 16.0), FOR_ONE: (1.0, 2.0, 4.0)}
"""Tilts that folds choose from."""
FOLD_TENS = 100
DRAWS = 2000
"""Samples of which those are the first that differ."""
_BLOCK = 2048
_ORDERS = 2


class Prior(NamedTuple):
    """A generator that learned from other data sets.

    Attributes:
        run: its run.
        params: its parameters.
        draws: tokens `[m, N]`, each once, as they were drawn.
        density: tokens `[B, N]` -> their log-density `[B]`.
    """

    run: Run
    params: Any
    draws: np.ndarray
    density: Callable[[np.ndarray], np.ndarray]


def orders(config: Any, seeds: int, tilts: dict[str, float]) -> Iterator[tuple[int, str, np.ndarray]]:
    """The orders of the arms that learn, tokens `[m, N]`, by seed and name.

    One meta-predictor serves all seeds, and guides the first.

    Args:
        config: a config of transfer, for the new data set.
        seeds: the number of seeds of networks and samples.
        tilts: the tilts of the prior for all data sets and of that for the new one, by `FOR_ALL` and `FOR_ONE`.
    """
    config.seed, config.generator.name = 0, "masked"
    plain = made(config, 0.0, 0.0)
    source = plain.transfer
    assert source is not None
    predictor = transfer.learn(plain, source, None, plain.pay_for_labels)
    everything, values = reachable(plain), predicted(plain, predictor)
    predictions = values(everything)
    yield 0, "the predictor ranks all", everything[np.argsort(-predictions, kind="stable")]
    for seed in range(seeds):
        config.seed = seed
        prior = learned(made(config, tilts[FOR_ALL], 0.0, source))
        density = prior.density(everything)
        yield seed, f"{FOR_ALL}, drawn", prior.draws
        yield seed, f"{FOR_ALL}, ranks all", everything[np.argsort(-density, kind="stable")]
        pool = prior.draws[: config.num_samples]
        yield seed, f"{FOR_ALL}, and the predictor ranks what is drawn", by(plain.space, pool, values)
        if seed == 0:
            yield seed, f"{FOR_ALL}, guided and ranked by the predictor", guided(prior, predictor, values)
        both = rankdata(density) + rankdata(predictions)
        yield seed, f"{FOR_ALL}, ranks all together with the predictor", everything[np.argsort(-both, kind="stable")]
        params = None
        for scale in SCALES:
            prior = learned(made(config, tilts[FOR_ONE], scale, source), params)
            params = prior.params
            yield seed, f"{FOR_ONE}, scale {scale:g}, drawn", prior.draws


def made(config: Any, tilt: float, scale: float, source: transfer.Transfer | None = None) -> Run:
    """A run of a prior, of the triples that were read already where a source is given."""
    config.score.prior.tilt, config.score.prior.scale = tilt, scale
    frozen = from_config(config)
    space = spaces.make(frozen.space.name)
    setting = check_setting(frozen, Unkept(), {}, Given(space, build.make_evaluator(frozen, space), quiet=True))
    source = source or transfer.prepare(frozen, space, setting.evaluator)
    assert source is not None
    learned_prior.learn_from_others(setting, source)
    objectives = build.make_objectives(frozen, setting.evaluator)
    assert objectives is not None
    return Run(objectives=objectives, predictor=source.predictor, transfer=source, **setting.shared())


def learned(run: Run, params: Any = None) -> Prior:
    """The generator of a run, trained unless its parameters are given, and drawn from."""
    params = train_score(run, split_space(run)) if params is None else params
    sampler = sharded(run.generator, num_steps=run.space.width, mesh=run.mesh)
    draws = kept(run, sampler(run.key("draws"), DRAWS, params))
    return Prior(run, params, draws, lambda tokens: log_density(run.generator, params, tokens))


def guided(prior: Prior, predictor: Any, values: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What the predictor makes of a prior: a pool of the config's size, guided, in the predictor's order."""
    run = prior.run
    args = learn.aim(run, prior.params, predictor, None, unlabelled(run, split_space(run)))
    samples = learn.make_sampler(run, guided=True)(run.key("guided"), run.config.num_samples, prior.params, args)
    return by(run.space, kept(run, samples), values)


def kept(run: Run, samples: Samples) -> np.ndarray:
    """The valid samples that the evaluator knows, each thing that is computed once, in their order."""
    tokens = samples.tokens[samples.valid]
    tokens = tokens[run.evaluator.covers(tokens)]
    return tokens[rank(run.space, tokens, -np.arange(len(tokens)))]


def by(space: NodeSpace, tokens: np.ndarray, values: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Architectures in the order of their values, each thing that is computed once."""
    return tokens[rank(space, tokens, values(tokens))]


def reachable(run: Run) -> np.ndarray:
    """All architectures that the evaluator knows, each once, `[M, N]`."""
    tokens = run.space.all_tokens()
    tokens = tokens[run.evaluator.covers(tokens)]
    return tokens[rank(run.space, tokens, np.zeros(len(tokens)))]


def predicted(run: Run, params: Any) -> Callable[[np.ndarray], np.ndarray]:
    """What the predictor says of tokens `[B, N]`, `[B]`, higher is better."""

    def value(params, tokens):
        x = run.space.encode(tokens)
        return run.predictor.apply(params, x, jax.numpy.zeros(len(tokens), np.float32))[:, 0].mean(axis=-1)

    compiled = jax.jit(value)
    return lambda tokens: in_blocks(lambda block: compiled(params, block), tokens)


def log_density(generator: Generator, params: Any, tokens: np.ndarray) -> np.ndarray:
    """The log-density `[B]` that a masked generator gives tokens `[B, N]`, the mean over orders of revealing them.

    Where k of N nodes are shown, the k + 1st is any of the rest; nodes that are shown have the logarithm 0.
    """
    n = tokens.shape[1]

    def density(params, tokens):
        def order(key):
            keys, total = sample_keys(key, len(tokens)), 0.0
            for shown in range(n):
                progress = jax.numpy.full(len(tokens), shown / n, np.float32)
                logits = generator.believe(params, keys, tokens, progress).logits
                of_token = jax.numpy.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
                total += of_token.sum(axis=-1) / (n - shown)
            return total

        return jax.lax.map(order, jax.random.split(jax.random.key(0), _ORDERS)).mean(axis=0)

    compiled = jitted(density)
    return in_blocks(lambda block: compiled(params, block), tokens)


def in_blocks(value: Callable[[Any], Any], tokens: np.ndarray) -> np.ndarray:
    """The values `[B]` of tokens `[B, N]`, so many at once that they compile once."""
    starts = range(0, len(tokens), _BLOCK)
    blocks = [np.resize(tokens[start : start + _BLOCK], (_BLOCK, tokens.shape[1])) for start in starts]
    return np.concatenate([np.asarray(value(block)) for block in blocks])[: len(tokens)]


def graph_figures(config: Any, seeds: int) -> dict[str, Any]:
    """Figures of all arms on one data set of NAS-Bench-Graph, of tens in their order, and the tilts that were chosen.

    Tilts are chosen without the new data set: each of the others in turn stands for it, and the closed form of the
    prior, which the rest gives, for the network. The least mean regret wins.
    """
    space, rng = spaces.make("nasbench_graph"), np.random.default_rng(0)
    evaluators = {
        name: make("nas_bench_graph", space=space, dataset=name, metric="validation")
        for name in nas_bench_graph.DATASETS
    }
    views = {name: reporting_view(each) for name, each in evaluators.items()}
    name, frozen = config.evaluator.dataset, from_config(config)
    source = transfer.prepare(frozen, space, evaluators[name])
    assert source is not None
    tilts = {kind: choose_tilt(source.triples, kind, evaluators, views) for kind in CANDIDATES}
    view, covers = views[name], evaluators[name].covers

    def tens(order):
        return [ten_figures(view, order[i : i + TEN]) for i in range(0, min(TENS * TEN, len(order) // TEN * TEN), TEN)]

    known = view.architectures()
    found = {
        "random": [tens(known[rng.permutation(len(known))]) for _ in range(TENS)],
        OWN: [tens(known[np.argsort(-view.all("validation"), kind="stable")])],
    }
    for kind, tilt in tilts.items():
        tokens, (p,) = closed_form(source.triples, kind, (tilt,))
        tokens, p = tokens[covers(tokens)], p[covers(tokens)]
        found[f"closed form of the {kind}, drawn"] = [tens(tokens[draw(p, rng)]) for _ in range(TENS)]
        if kind == FOR_ALL:
            found[f"closed form of the {kind}, ranks all"] = [tens(tokens[np.argsort(-p, kind="stable")])]
    for _, arm, order in orders(config, seeds, tilts):
        found.setdefault(arm, []).append(tens(order))
    return {"tilts": tilts, "tens": found}


def ten_figures(view: ReportingView, tokens: np.ndarray) -> tuple[float, float]:
    """Of ten architectures the test regret of the best by validation, and the mean test regret."""
    test, best = view.values(tokens, "test"), view.best("test")
    return best - float(test[np.argmax(view.values(tokens, "validation"))]), best - float(test.mean())


def closed_form(triples: Triples, kind: str, tilts: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """The architectures of triples, and by tilt the chances of a prior for each; see `tasks.learned_prior`.

    Returns:
        Tokens `[M, N]` and chances `[T, M]`, up to a factor.
    """
    tokens, inverse = np.unique(triples.tokens, axis=0, return_inverse=True)
    inverse, values = inverse.ravel(), triples.values.astype(float)
    if kind == FOR_ALL:
        means = np.bincount(inverse, values) / np.bincount(inverse)
        return tokens, np.stack([np.exp(tilt * means) for tilt in tilts])
    return tokens, np.stack([np.bincount(inverse, np.exp(tilt * values)) for tilt in tilts])


def draw(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows for `TENS` tens drawn one by one with chances `[M]`, without repeats."""
    return np.argsort(-(np.log(p) + rng.gumbel(size=len(p))))[: TENS * TEN]


def choose_tilt(
    triples: Triples, kind: str, evaluators: Mapping[str, Any], views: Mapping[str, ReportingView]
) -> float:
    """The tilt of least mean regret where each data set of the triples in turn is the new one."""
    tilts, rng = CANDIDATES[kind], np.random.default_rng(0)
    regrets = np.zeros(len(tilts))
    for task in np.unique(triples.task):
        name = triples.ids[task]
        tokens, chances = closed_form(select(triples, triples.task != task), kind, tilts)
        there = evaluators[name].covers(tokens)
        test, validation = (views[name].values(tokens[there], metric) for metric in ("test", "validation"))
        for i, p in enumerate(chances):
            rows = np.concatenate([draw(p[there], rng).reshape(TENS, TEN) for _ in range(FOLD_TENS // TENS)])
            best = rows[np.arange(len(rows)), np.argmax(validation[rows], axis=1)]
            regrets[i] += (views[name].best("test") - test[best]).mean()
    return tilts[int(np.argmin(regrets))]


def cifar_figures(config: Any, metric: str, seeds: int) -> dict[str, Any]:
    """Figures of all arms on CIFAR by MetaD2A's triples, and the tilt, which held-out triples choose.

    Of each order the labels until the best of a test metric, and of its tens the best and the mean of that metric.
    """
    config.generator.name = "masked"
    frozen, space = from_config(config), spaces.make("nasbench201")
    evaluator = build.make_evaluator(frozen, space)
    source, view = transfer.prepare(frozen, space, evaluator), reporting_view(evaluator)
    assert source is not None
    tilt = choose_tilt_by_triples(config, source)
    found: dict[str, list[Any]] = {}

    def add(arm, order):
        values = view.values(order, metric)
        hits = np.flatnonzero(values >= view.best(metric))
        tens = values[: min(TENS, len(values) // TEN) * TEN].reshape(-1, TEN)
        figures = {"labels": int(hits[0]) + 1 if len(hits) else None}
        found.setdefault(arm, []).append(figures | {"tens": np.stack([tens.max(1), tens.mean(1)], 1).tolist()})

    known, rng = view.architectures(), np.random.default_rng(0)
    for _ in range(TENS):
        add("random", known[rng.permutation(len(known))])
    for _, arm, order in orders(config, seeds, dict.fromkeys(CANDIDATES, tilt)):
        add(arm, order)
    return {"tilt": tilt, "arms": found}


def choose_tilt_by_triples(config: Any, source: transfer.Transfer) -> float:
    """The tilt with which a prior of four fifths of the architectures gives the rest of the triples the highest mean.

    Their mean label, each counted by the density that the prior gives its architecture.
    """
    config.seed, means = 0, []
    held_out = spaces.make("nasbench201").canonical(source.triples.tokens) % 5 == 0
    rest, judges = select(source.triples, ~held_out), select(source.triples, held_out)
    for tilt in CANDIDATES[FOR_ALL]:
        run = made(config, tilt, 0.0, dataclasses.replace(source, triples=rest))
        weights = np.exp(learned(run).density(judges.tokens))
        means.append(float(weights @ judges.values / weights.sum()))
    return CANDIDATES[FOR_ALL][int(np.argmax(means))]
