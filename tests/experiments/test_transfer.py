"""Transfer in the modes that use it, on two data sets of made-up triples or on the real ones where they are."""

import gc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import nb201, nb201_bo, nb201_transfer, nb_graph_transfer
from experiments import runs
from nag_jax import datasets
from nag_jax.datasets import base, class_names
from nag_jax.evaluators import make
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.predictors.labels import normalize
from nag_jax.predictors.meta_gaussian_process import MetaGaussianProcess
from nag_jax.settings.config import from_config
from nag_jax.spaces import NASBench201
from nag_jax.system.errors import InputError
from nag_jax.tasks import build, transfer
from nag_jax.tasks.setting import split_space, train_score


@pytest.fixture(autouse=True)
def names(monkeypatch):
    """Class names as vectors without the text encoder's package: by their letters."""

    def embed(names):
        counts = np.array([[name.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for name in names])
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)

    monkeypatch.setattr(class_names, "embed", embed)
    monkeypatch.setattr(class_names, "_embed", embed)
    monkeypatch.setattr(class_names, "_tokenize", list)


@pytest.fixture
def files(tmp_path):
    """Made-up triples in MetaD2A's form, and a table of the new data set: many 3x3 convolutions are good."""
    space, rng = NASBench201(), np.random.default_rng(0)
    (tmp_path / "classes.txt").write_text("".join(f"n{i:03} {i + 1} {chr(97 + i)}{chr(98 + i)}\n" for i in range(20)))
    tokens = space.all_tokens()[rng.choice(15_625, 450)]
    ops = space.to_ops(tokens)
    np.savez(
        tmp_path / "triples.npz",
        acc=60.0 + 3.0 * (ops == 3).sum(axis=1) + rng.standard_normal(450),
        task=rng.integers(0, 12, 450),
        ops=ops.astype(np.int8),
        task_classes=np.stack([rng.choice(20, 5, replace=False) + 1 for _ in range(12)]).astype(np.int16),
        perm=rng.permutation(450),
    )
    tokens = space.all_tokens()[::7]
    values = 80.0 + 2.0 * (space.to_ops(tokens) == 3).sum(axis=1) + 0.1 * rng.standard_normal(len(tokens))
    rows = [f"{native},{value}\n" for native, value in zip(space.to_native(tokens), values, strict=True)]
    (tmp_path / "table.csv").write_text("".join(["arch,acc\n", *rows]))
    return tmp_path


@pytest.fixture(scope="module")
def score_network(tmp_path_factory):
    """That of all cells here, trained once."""
    run = runs.prepare(nb201.get_config("smoke"), tmp_path_factory.mktemp("cells"))
    train_score(run, split_space(run))
    return str(run.workdir.path / "score")


@pytest.fixture
def config(files, score_network):
    config: Any = nb201_transfer.get_config("smoke")
    config.score.checkpoint = score_network
    config.triples.metad2a.update({"path": str(files / "triples.npz"), "classes": str(files / "classes.txt")})
    config.evaluator.update({"name": "table", "path": str(files / "table.csv"), "metric": "acc"})
    config.meta.gaussian_process.update({"num_steps": 20, "subset": 200})
    config.num_samples = 200
    return config


def test_without_a_label_it_generates_what_is_good(config, files):
    results = runs.run(config, files / "run")
    assert results["labels"]["by_purpose"] == {"final": 4}
    guided, unconditional = (results["pools"][name]["value_mean"] for name in ("guided", "unconditional"))
    assert guided > unconditional + 2.0
    assert results["best"]["regret"] < 3.0
    assert runs.run(config, files / "run")["best"] == results["best"]


@pytest.mark.slow  # trains two generators of its own
@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_what_was_good_elsewhere_is_learned_too(config, files, scale):
    config.score.checkpoint, config.generator.name = "", "masked" if scale else "gaussian"
    config.score.prior.update({"tilt": 2.0, "scale": scale})
    config.score.training.num_steps = 200
    results = runs.run(config, files / "run")
    unconditional, random = (results["pools"][name]["value_mean"] for name in ("unconditional", "random"))
    assert unconditional > random + 1.0


def test_a_search_starts_where_transfer_ends(config, files):
    config.mode, config.seeds = "search", 1
    config.strategies.bo_nag.pool_size = 32
    config.run = ("bo_nag", "random_search")
    config.search.update({"budget": 6, "report_at": (2, 6), "initial": 2})
    results = runs.run(config, files / "search")
    after_2 = {name: results["strategies"][name]["reported_after"][2]["estimate"] for name in config.run}
    assert after_2["bo_nag"] > after_2["random_search"] + 1.0
    trials = (files / "search" / "trajectories.csv").read_bytes()
    gc.collect()  # the first run, which holds the workdir until it is gone
    runs.run(config, files / "search")
    assert (files / "search" / "trajectories.csv").read_bytes() == trials


def test_a_prior_is_in_standard_deviations_and_knows_how_data_sets_depart_from_their_mean(config, files):
    run = runs.prepare(config, files / "run")
    known = run.transfer
    assert known is not None
    assert known.target is not None
    assert isinstance(known.meta, MetaGaussianProcess)
    triples = known.triples
    meta = known.meta.fit(jax.random.key(0), triples.tokens, triples.task, triples.values, known.table)
    context = known.meta.embed(meta, jnp.asarray(known.target.features), jnp.asarray(known.target.mask))
    params = {"meta": meta, "context": context}
    x = run.space.encode(run.space.random(jax.random.key(1), 500))
    values = np.asarray(transfer.prior_of(run, known, params)(x))
    assert values.shape == (500, 1 + 12)
    predicted = np.asarray(known.predictor.apply(params, x, jnp.zeros(500)))[:, 0, 0]
    assert np.corrcoef(values[:, 0], predicted)[0, 1] > 0.999
    np.testing.assert_allclose([values[:, 0].mean(), values[:, 0].std()], [0, 1], atol=0.15)
    np.testing.assert_allclose(values[:, 1:].sum(axis=1), 0.0, atol=1e-3)
    assert values[:, 1:].std(axis=0).min() > 0.0


def describe_classes_by_images(files, **options):
    """Writes FEATURES.npz of the triples' 20 classes: images of real ones, each of which stands for several."""
    there = datasets.make("images", images_per_class=8, **options)
    rows = np.arange(20) % len(there.classes)
    classes = tuple(f"n{i:03}" for i in range(20))
    described = base.Description("classes", there.features[rows], there.mask[rows], classes)
    base.save(files / "features.npz", described)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussian_process", "network"])
def test_a_new_data_set_may_be_known_by_its_images(config, files, name, digits_folder, resnet_weights):
    """Digits, by frozen features for the process, and as pixels for the network, which learns what to see in them."""
    weights = {"weights": str(resnet_weights)} if name == "gaussian_process" else {}
    options = weights or {"image_size": 8}
    describe_classes_by_images(files, folder=digits_folder, **options)
    config.triples.metad2a.features = str(files / "features.npz")
    config.dataset.source = "images"
    config.dataset.images.update({"folder": str(digits_folder), "images_per_class": 8, **options})
    config.meta.name = name
    config.predictor.training.num_steps = 5
    results = runs.run(config, files / "run")
    assert results["labels"]["by_purpose"] == {"final": 4}
    if name == "gaussian_process":
        guided, unconditional = (results["pools"][name]["value_mean"] for name in ("guided", "unconditional"))
        assert guided > unconditional + 2.0


@pytest.mark.slow
def test_cifar10_is_known_by_its_images(config, files, shared, resnet_weights):
    folder, weights = shared / "data" / "cifar10_sample", str(resnet_weights)
    describe_classes_by_images(files, folder=folder, weights=weights)
    config.triples.metad2a.features = str(files / "features.npz")
    config.dataset.source = "images"
    config.dataset.images.update({"folder": str(folder), "weights": weights})
    table = {"path": str(shared / "data" / "nb201_cifar.csv"), "metric": "cifar10_valid_acc"}
    config.evaluator.update(table)
    results = runs.run(config, files / "run")
    assert results["labels"]["by_purpose"] == {"final": 4}
    guided, unconditional = (results["pools"][name]["value_mean"] for name in ("guided", "unconditional"))
    assert guided > unconditional + 1.0


@pytest.mark.slow
def test_the_published_form_trains_encoder_and_predictor_together(config, files):
    config.meta.name = "network"
    config.predictor.training.num_steps = 40
    results = runs.run(config, files / "run")
    assert results["labels"]["paid"] == 4
    assert (files / "run" / "meta").is_dir()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("triples.source", "imagenet", "unknown config.triples.source 'imagenet'"),
        ("triples.metad2a.path", "", "set config.triples.metad2a.path"),
        ("triples.metad2a.path", "nowhere.npz", "there is no file of triples nowhere.npz"),
        ("meta.name", "gru", "unknown config.meta.name 'gru'"),
        ("meta.labels", "best", "unknown config.meta.labels 'best'"),
        ("dataset.source", "landmarks", "use it with config.triples.source=nas_bench_graph"),
        ("dataset.source", "images", "set config.triples.metad2a.features"),
    ],
)
def test_bad_input_is_told_before_anything_is_made(config, files, field, value, message):
    config.update_from_flattened_dict({field: value})
    with pytest.raises(InputError, match=message):
        runs.run(config, files / "run")
    assert not (files / "run").exists()


def test_a_prior_needs_triples(files):
    config = nb201_bo.get_config("smoke")
    with config.unlocked():
        config.strategies.bo_nag.prior = True
    with pytest.raises(InputError, match="strategies with a prior need"):
        runs.run(config, files / "run")


@pytest.fixture
def graphs() -> Any:
    """Transfer to the data set `photo` of NAS-Bench-Graph, at tiny sizes."""
    pytest.importorskip("nas_bench_graph", reason="needs the package nas-bench-graph")
    config: Any = nb_graph_transfer.get_config("smoke")
    config.evaluator.dataset = "photo"
    return config


def prepared(config: Any) -> transfer.Transfer:
    space = build.make_space(from_config(config))
    found = transfer.prepare(from_config(config), space, build.make_evaluator(from_config(config), space))
    assert found is not None
    return found


def test_the_mean_of_several_metrics_is_learned_of_other_data_sets_alone(graphs):
    space = build.make_space(from_config(graphs))
    found = prepared(graphs).triples
    assert "photo" not in found.ids
    cora = reporting_view(make("nas_bench_graph", space=space, dataset="cora"))
    both = (cora.all("validation") + cora.all("test")) / 2
    np.testing.assert_allclose(found.values[found.task == found.ids.index("cora")], normalize(both, "normal"))
    graphs.triples.nas_bench_graph.metrics = ()
    alone = prepared(graphs).triples
    wanted = normalize(cora.all("validation"), "normal")
    np.testing.assert_allclose(alone.values[alone.task == alone.ids.index("cora")], wanted)


@pytest.mark.parametrize("metric", ["latency", "accuracy"])
def test_metrics_that_are_learned_together_have_one_unit(graphs, metric):
    graphs.triples.nas_bench_graph.metrics = ("validation", metric)
    with pytest.raises(InputError, match=rf"metrics names '{metric}': use some of \['validation', 'test'\]"):
        prepared(graphs)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["statistics", "landmarks"])
def test_graph_data_sets_are_learned_from_each_other(source, graphs, tmp_path):
    config = graphs
    config.dataset.source = source
    results = runs.run(config, tmp_path / "run")
    paid = {"final": 4} | ({"landmarks": 10} if source == "landmarks" else {})
    assert results["labels"]["by_purpose"] == paid
    assert results["pools"]["guided"]["value_mean"] > results["pools"]["unconditional"]["value_mean"]
