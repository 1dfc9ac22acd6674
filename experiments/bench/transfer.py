"""Transfer: how well a meta-predictor ranks, what it generates for a data set never seen, and where a search starts.

    python -m experiments.bench.transfer --triples=../shared/data/metad2a_nb201_meta_train.npz \
        --classes=../shared/data/imagenet32_classes.txt --table=../shared/data/nb201_cifar.csv

Writes experiments/results/transfer.md and transfer.json. The parts, chosen by --parts: `ranking`, Spearman correlation
on the published evaluation triples; `cifar` and `cifar_search`, generation and search for CIFAR-10 and CIFAR-100, of
which no label was used; `graph` and `graph_search`, each data set of NAS-Bench-Graph from the other eight; and
`graph_prior` and `cifar_prior`, what a learned prior, a predictor or both make of ten. Each run is kept in --workdir: a
stopped benchmark goes on, and one with more seeds adds to what is there. Parts that aren't run keep their figures, and
each says how it was made.
"""

import argparse
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from absl import logging
from scipy.stats import rankdata, spearmanr

from configs import nb201_transfer, nb_graph_transfer
from experiments import command_line, runs
from experiments.bench import machine, transfer_prior, transfer_tables
from experiments.bench.search import read_results, train_once
from experiments.compilation_cache import use_compilation_cache
from nag_jax import spaces
from nag_jax.datasets import metad2a, statistics
from nag_jax.evaluators import make, nas_bench_graph
from nag_jax.evaluators.reporting import ReportingView, reporting_view
from nag_jax.predictors.meta_gaussian_process import MetaGaussianProcess
from nag_jax.settings.config import from_config
from nag_jax.settings.transfer import CIFAR10
from nag_jax.tasks import build, transfer
from nag_jax.tasks.pool import FINAL
from nag_jax.tasks.workdir import Workdir
from nag_jax.trials import Ledger

PARTS = ("ranking", "cifar", "cifar_prior", "cifar_search", "graph", "graph_prior", "graph_search")
CIFAR = ("cifar10", "cifar100")
_CIFAR100_NAMES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
    "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
    "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard "
    "lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear "
    "pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark "
    "shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone "
    "television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)


def main() -> None:
    """Runs the parts and writes the tables."""
    arguments = parse()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    command = "python -m experiments.bench.transfer --triples=... --classes=... --table=nb201_cifar.csv"
    run = {
        part: (_further(arguments), functools.partial(globals()[f"run_{part}"], arguments)) for part in arguments.parts
    }
    known = machine.keep_parts(arguments.results / "transfer.json", command, run)
    lines = ["# Transfer to data sets never seen", "", *transfer_tables.page(known)]
    text = "\n".join(lines).rstrip() + "\n"
    (arguments.results / "transfer.md").write_text(text)
    print(text)


def parse() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triples", help="npz file of MetaD2A's triples")
    parser.add_argument("--classes", help="text file of their classes, `wnid id name` a line")
    parser.add_argument("--table", help="CSV with columns arch, cifar10_valid_acc, cifar10_test_acc, ...")
    parser.add_argument("--parts", nargs="*", default=list(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--datasets", nargs="*", default=list(nas_bench_graph.DATASETS), help="of NAS-Bench-Graph")
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/transfer"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.parts) - set(PARTS)):
        parser.error(f"unknown part {unknown[0]!r}: use some of {PARTS}")
    needs = {"ranking": ("triples", "classes")} | dict.fromkeys(PARTS[1:4], ("triples", "classes", "table"))
    for part in arguments.parts:
        for flag in needs.get(part, ()):
            if getattr(arguments, flag) is None:
                parser.error(f"part {part!r} needs --{flag}; --parts={' '.join(PARTS[4:])} needs no file")
    return arguments


def _further(arguments: argparse.Namespace) -> str:
    """The arguments that say how much was measured, as the command has them."""
    few = (
        ""
        if len(arguments.datasets) == len(nas_bench_graph.DATASETS)
        else f"--datasets {' '.join(arguments.datasets)} "
    )
    return f"{few}--seeds {arguments.seeds}"


def run_ranking(arguments: argparse.Namespace) -> dict[str, Any]:
    """Spearman correlation on the published evaluation triples, by what the predictor knows of the data set."""
    space = spaces.make("nasbench201")
    config = _cifar_config(arguments, "cifar10")
    config.triples.metad2a.published_split = True
    settings = from_config(config)
    source = transfer.prepare(settings, space, build.make_evaluator(settings, space))
    assert source is not None
    assert isinstance(source.meta, MetaGaussianProcess)
    evaluation = metad2a.published_split(metad2a.load(path=arguments.triples, classes=arguments.classes))[1]
    found: dict[str, list[float]] = {"its own embedding": [], "zeros": [], "another data set's embedding": []}
    for seed in range(arguments.seeds):
        triples = source.triples
        params = source.meta.fit(jax.random.key(seed), triples.tokens, triples.task, triples.values, source.table)
        contexts = jax.lax.map(lambda i, p=params: source.meta.embed(p, *source.table.of(i)), evaluation.task)
        others = contexts[np.random.default_rng(seed).permutation(len(contexts))]
        for name, context in zip(found, (contexts, jnp.zeros_like(contexts), others), strict=True):
            values = _predict_each(source.meta, params, space.encode(evaluation.tokens), context)
            found[name].append(float(np.asarray(spearmanr(values, evaluation.values))[0]))
    return found


def _predict_each(meta, params, x, contexts) -> np.ndarray:
    one = jax.jit(lambda x, context: meta.apply(params, x[None], jnp.zeros(1), context).mean())
    return np.array([float(one(*pair)) for pair in zip(x, contexts, strict=True)])


def run_cifar(arguments: argparse.Namespace) -> dict[str, Any]:
    """Generates and ranks without a label, and pays in that order."""
    return {name: [_generated(arguments, name, seed) for seed in range(arguments.seeds)] for name in CIFAR}


def _generated(arguments: argparse.Namespace, dataset: str, seed: int) -> dict[str, float | None]:
    config = _cifar_config(arguments, dataset)
    config.seed = seed
    config.labels.final = transfer_tables.RANKED
    config.guidance.sweep = (1.0,)
    view = _finish(arguments, config, f"cifar/{dataset}/{seed}")
    test = view.values(_final_tokens(arguments, config, f"cifar/{dataset}/{seed}"), f"{dataset}_test_acc")
    hits = np.flatnonzero(test >= view.best(f"{dataset}_test_acc"))
    return {
        "labels_to_optimum": int(hits[0]) + 1 if len(hits) else None,
        "best_of_first": float(test[0]),
        "best_of_10": float(test[:10].max()),
        "mean_of_10": float(test[:10].mean()),
    }


def run_cifar_search(arguments: argparse.Namespace) -> dict[str, Any]:
    """Searches validation accuracy from what transfer knows, and from scratch: labels to the optima of both figures."""
    found = {}
    for name in CIFAR:
        config = _cifar_config(arguments, name)
        config.seeds, config.search.budget, config.search.stop_at_best = arguments.seeds, transfer_tables.SEARCHED, True
        config.search.report = f"{name}_test_acc"
        config.score.checkpoint = train_once(arguments, False)
        path = arguments.workdir / "cifar_search" / name
        results = runs.run(config, path)
        found[name] = {
            strategy: {
                "test": _labels_to_report(config, path, strategy),
                "validation": _labels_to_best(results, strategy),
            }
            for strategy in config.run
        }
    return found


def _labels_to_report(config: Any, path: Path, strategy: str) -> list[int | None]:
    """By seed, how many labels were paid until one was of an architecture whose reported figure is the best there is.

    The search doesn't see that figure; an architecture counts once it is labelled, whether or not it is preferred.
    """
    settings = from_config(config)
    space = build.make_space(settings)
    view = reporting_view(build.make_evaluator(settings, space))
    trials = pd.read_csv(path / "trajectories.csv")
    trials = trials[trials.strategy == strategy]
    values = view.values(space.from_native(list(trials.arch)), config.search.report)
    labels = trials.labels.where(values >= view.best(config.search.report)).groupby(trials.seed).min()
    return [None if np.isnan(n) else int(n) for n in labels]


def run_graph(arguments: argparse.Namespace) -> dict[str, Any]:
    """Test regret of the best by validation of ten, on each data set in turn."""
    tables = {
        name: reporting_view(make("nas_bench_graph", space=spaces.make("nasbench_graph"), dataset=name))
        for name in nas_bench_graph.DATASETS
    }
    found = {}
    for name in arguments.datasets:
        regrets = {"generated": [_graph_regret(arguments, tables[name], name, seed) for seed in range(arguments.seeds)]}
        found[name] = regrets | _baselines(tables, name, arguments.seeds)
    return found


def _graph_regret(arguments: argparse.Namespace, view: ReportingView, dataset: str, seed: int) -> float:
    config = nb_graph_transfer.get_config()
    config.seed, config.evaluator.dataset, config.guidance.sweep = seed, dataset, (1.0,)
    _finish(arguments, config, f"graph/{dataset}/{seed}")
    return _regret(view, _final_tokens(arguments, config, f"graph/{dataset}/{seed}"))


def _baselines(tables: dict[str, ReportingView], dataset: str, seeds: int) -> dict[str, list[float]]:
    """Ten random architectures, the ten best by mean ranks elsewhere, those of the nearest data set, and its own."""
    view = tables[dataset]
    tokens = view.architectures()
    others = [name for name in tables if name not in (dataset, "proteins")]
    features = {name: statistics.load(name=name).features[0, 0] for name in tables}
    nearest = min(others, key=lambda name: float(((features[name] - features[dataset]) ** 2).sum()))

    def mean_rank(*metrics):
        of_each = [sum(tables[name].values(tokens, metric) for metric in metrics) for name in others]
        return np.mean([rankdata(values) for values in of_each], axis=0)

    scores = {
        "mean rank elsewhere": mean_rank("validation"),
        "nearest data set's": tables[nearest].values(tokens, "validation"),
        transfer_tables.BOTH: mean_rank("validation", "test"),
        transfer_tables.OWN: view.values(tokens, "validation"),
    }
    draws = [np.random.default_rng(seed).choice(len(tokens), 10, replace=False) for seed in range(10 * seeds)]
    return {"random": [_regret(view, tokens[rows]) for rows in draws]} | {
        name: [_regret(view, tokens[np.argsort(-score, kind="stable")[:10]])] for name, score in scores.items()
    }


def run_graph_prior(arguments: argparse.Namespace) -> dict[str, Any]:
    """What makes a pool of ten, on each data set in turn."""
    found = {}
    for name in arguments.datasets:
        config = nb_graph_transfer.get_config()
        config.evaluator.dataset = name
        measure = functools.partial(transfer_prior.graph_figures, config, arguments.seeds)
        found[name] = _kept(arguments.workdir / "graph_prior" / f"{name}_{arguments.seeds}.json", measure)
    return found


def run_cifar_prior(arguments: argparse.Namespace) -> dict[str, Any]:
    """What makes a pool of ten for CIFAR-10 and CIFAR-100."""
    found = {}
    for name in CIFAR:
        config = _cifar_config(arguments, name)
        measure = functools.partial(transfer_prior.cifar_figures, config, f"{name}_test_acc", arguments.seeds)
        found[name] = _kept(arguments.workdir / "cifar_prior" / f"{name}_{arguments.seeds}.json", measure)
    return found


def _kept(path: Path, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was measured, from its file once that is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        Workdir(path.parent).write_json(path.name, measure())
        jax.clear_caches()  # as in `_finish`
    return json.loads(path.read_text())


def _regret(view: ReportingView, tokens: np.ndarray) -> float:
    """Test regret of the best of tokens `[n, N]` by validation."""
    best = tokens[[int(np.argmax(view.values(tokens, "validation")))]]
    return view.best("test") - float(view.values(best, "test")[0])


def run_graph_search(arguments: argparse.Namespace) -> dict[str, Any]:
    """Searches from what transfer knows, and from scratch: the best by validation so far, by both of its figures."""
    found = {}
    for name in arguments.datasets:
        config = nb_graph_transfer.get_config()
        config.evaluator.dataset = name
        config.seeds, config.search.budget, config.search.report_at = (
            arguments.seeds,
            max(transfer_tables.GRAPH_LABELS),
            transfer_tables.GRAPH_LABELS,
        )
        config.score.checkpoint = train_once(arguments, True)
        path = arguments.workdir / "graph_search" / name
        runs.run(config, path)
        found[name] = {
            strategy: {
                "test": {n: interval["estimate"] for n, interval in figures["reported_after"].items()},
                "validation": figures["searched_after"],
            }
            for strategy, figures in read_results(path)["strategies"].items()
        }
    return found


def _cifar_config(arguments: argparse.Namespace, dataset: str) -> Any:
    config = nb201_transfer.get_config()
    config.triples.metad2a.update({"path": arguments.triples, "classes": arguments.classes})
    names = CIFAR10 if dataset == "cifar10" else tuple(_CIFAR100_NAMES.split())
    config.dataset.class_names.update({"classes": names, "name": dataset})
    config.evaluator.name, config.evaluator.metric = "table", f"{dataset}_valid_acc"
    config.evaluator.path = arguments.table or ""
    return config


def _finish(arguments: argparse.Namespace, config: Any, name: str) -> ReportingView:
    """Runs a generation unless it is finished, and opens the table that it reads."""
    config.score.checkpoint = train_once(arguments, config.space.name == "nasbench_graph")
    path = arguments.workdir / name
    if not (path / "results.json").exists():
        runs.run(config, path)
        jax.clear_caches()  # what a run compiled is of no use to the next, and dozens of runs exhaust memory maps
    settings = from_config(config)
    return reporting_view(build.make_evaluator(settings, build.make_space(settings)))


def _final_tokens(arguments: argparse.Namespace, config: Any, name: str) -> np.ndarray:
    """What a run paid for at the end, in the predictor's order."""
    settings = from_config(config)
    space = build.make_space(settings)
    with Ledger.open(arguments.workdir / name / "trials.db", build.make_evaluator(settings, space)) as ledger:
        trials = [trial for trial in ledger.trials() if trial.purpose == FINAL]
    return space.from_native([trial.architecture for trial in trials])


def _labels_to_best(results: dict[str, Any], strategy: str) -> list[int | None]:
    labels = results["strategies"][strategy]["labels_to_optimum"]["by_seed"]
    return [n if n is not None and np.isfinite(n) else None for n in labels]


if __name__ == "__main__":
    with command_line.ending("experiments.bench.transfer"):
        main()
