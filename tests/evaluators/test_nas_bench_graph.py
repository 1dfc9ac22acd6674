import importlib.metadata
import os
import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest
from scipy.stats import rankdata

from nag_jax import evaluators, spaces
from nag_jax.evaluators import nas_bench_graph
from nag_jax.evaluators.nas_bench_graph import DATASETS
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger

SPEARMAN = {
    "cora": 0.732,
    "citeseer": 0.928,
    "pubmed": 0.539,
    "cs": 0.962,
    "physics": 0.868,
    "photo": 0.914,
    "computers": 0.723,
    "arxiv": 0.974,
    "proteins": 0.498,
}
"""Of validation with test."""


@pytest.fixture(scope="module")
def graphs():
    return spaces.make("nasbench_graph")


@pytest.fixture(scope="module", params=DATASETS)
def benchmark(request, graphs):
    return evaluators.make("nas_bench_graph", dataset=request.param, space=graphs)


@pytest.fixture(scope="module")
def cora(graphs):
    return evaluators.make("nas_bench_graph", dataset="cora", space=graphs)


@pytest.fixture(scope="module")
def proteins(graphs):
    return evaluators.make("nas_bench_graph", dataset="proteins", space=graphs)


def dataset_of(benchmark):
    return benchmark._table.source.removeprefix("nas_bench_graph, ")


# The installed tables


def test_every_label_is_the_packages(benchmark):
    package = pytest.importorskip("nas_bench_graph", reason="needs the package nas-bench-graph")
    records = package.light_read(dataset_of(benchmark))
    tokens = benchmark.architectures()
    keys = benchmark.space.canonical(tokens).tolist()
    assert set(keys) == set(records)
    labels = benchmark(tokens)
    for metric, field, scale in (
        ("validation", "valid_perf", 100),
        ("test", "perf", 100),
        ("latency", "latency", 1000),
        ("parameters", "para", 1),
    ):
        np.testing.assert_allclose(labels[metric], [scale * records[key][field] for key in keys], rtol=1e-12)


def test_an_architecture_of_the_documentation_is_found_as_the_package_finds_it(graphs, cora):
    package = pytest.importorskip("nas_bench_graph", reason="needs the package nas-bench-graph")
    record = package.light_read("cora")[package.Arch([0, 1, 2, 1], ["gcn", "gin", "fc", "cheb"]).valid_hash()]
    labels = cora(graphs.from_native(["0121|gcn|gin|fc|cheb"]))
    assert labels["test"] == pytest.approx(100 * record["perf"])


def test_it_has_26206_architectures_and_2021_on_proteins(benchmark):
    expected = 2_021 if dataset_of(benchmark) == "proteins" else 26_206
    assert len(benchmark.architectures()) == benchmark.num_distinct == expected


def test_validation_and_test_disagree_as_known(benchmark):
    view = reporting_view(benchmark)
    ranks = rankdata(view.all("validation")), rankdata(view.all("test"))
    assert np.corrcoef(*ranks)[0, 1] == pytest.approx(SPEARMAN[dataset_of(benchmark)], abs=0.001)


def test_labels_are_in_the_units_that_the_metrics_say(benchmark):
    view = reporting_view(benchmark)
    for metric in ("validation", "test"):
        assert 1.0 < view.all(metric).min() < view.all(metric).max() < 96.0
        assert view.best(metric) == view.all(metric).max() > 70.0
    assert 0.3 < view.best("latency") == view.all("latency").min()
    assert view.all("latency").max() < 600.0
    assert 0.03 < view.best("parameters") == view.all("parameters").min()
    assert view.all("parameters").max() < 9.0


def test_metrics(benchmark):
    unit = "% ROC-AUC" if dataset_of(benchmark) == "proteins" else "%"
    found = {name: (m.name, m.unit, m.direction, m.split) for name, m in benchmark.metrics.items()}
    assert found == {
        "validation": ("validation", unit, "max", "validation"),
        "test": ("test", unit, "max", "test"),
        "latency": ("latency", "ms", "min", "none"),
        "parameters": ("parameters", "M", "min", "none"),
    }
    assert benchmark.objective == "validation"
    assert benchmark.name == "nas_bench_graph"


def test_data_sets_have_their_own_fingerprints(cora, proteins):
    assert cora.fingerprint != proteins.fingerprint
    assert cora.fingerprint == evaluators.make("nas_bench_graph", dataset="cora", metric="latency").fingerprint


# One row a class


def test_all_descriptions_of_an_architecture_have_its_labels(graphs, cora):
    every = graphs.all_tokens()
    assert cora.covers(every).all()
    keys, values = graphs.canonical(every), cora(every)["test"]
    order = np.argsort(keys, kind="stable")
    same = np.diff(keys[order]) == 0
    assert same.sum() == 59_040 - 26_206
    assert (np.diff(values[order])[same] == 0).all()


def test_proteins_covers_only_its_five_operations(graphs, proteins):
    every = graphs.all_tokens()
    five = np.isin(every[:, 1:], [graphs.class_names.index(name) for name in ("gcn", "sage", "arma", "fc", "skip")])
    np.testing.assert_array_equal(proteins.covers(every), five.all(axis=1))
    with pytest.raises(InputError, match=r"proteins has no architecture '0000\|gat\|gat\|gat\|gat' \(it has 2,021"):
        proteins(every[:1])


def test_it_does_not_cover_what_is_no_architecture(proteins, graphs):
    skips = [graphs.class_names.index("skip")] * 4
    assert proteins.covers(np.array([[0, *skips], [9, 9, 9, 9, 9]])).tolist() == [False, False]


def test_a_ledger_pays_once_for_a_class(tmp_path, graphs, proteins):
    tokens = graphs.from_native(["0123|skip|gcn|sage|fc", "0123|gcn|sage|fc|skip", "0123|gcn|sage|skip|fc"])
    with Ledger.open(tmp_path / "ledger.sqlite", proteins) as ledger:
        labels = ledger.label(tokens, purpose="test")
        assert ledger.num_paid == 1
    assert len(set(labels["validation"].tolist())) == 1


# Options


def test_an_unknown_data_set_gets_the_names():
    with pytest.raises(
        InputError, match=r"unknown data set of nas_bench_graph 'coral': did you mean 'cora'\?.*proteins"
    ):
        evaluators.make("nas_bench_graph", dataset="coral")


def test_the_data_set_must_be_given():
    with pytest.raises(InputError, match="the evaluator 'nas_bench_graph' needs the option 'dataset'"):
        evaluators.make("nas_bench_graph")


def test_an_unknown_metric_gets_the_names():
    with pytest.raises(InputError, match=r"unknown metric of nas_bench_graph, proteins 'tset': did you mean 'test'\?"):
        evaluators.make("nas_bench_graph", dataset="proteins", metric="tset")


def test_another_space_is_refused(space):
    with pytest.raises(InputError, match="architectures of nasbench_graph, not of 'nasbench201'"):
        evaluators.make("nas_bench_graph", dataset="cora", space=space)


def test_a_missing_package_gets_the_command(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(InputError, match=r"nas_bench_graph needs .*pip install 'nag-jax\[graphs\]'"):
        evaluators.make("nas_bench_graph", dataset="cora")


def test_the_package_is_never_imported():
    code = (
        "import sys; from nag_jax import evaluators; evaluators.make('nas_bench_graph', dataset='proteins'); "
        "sys.exit('nas_bench_graph' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Files of another form


GOOD = {40_012: {"valid_perf": 0.5, "perf": np.float64(0.25), "latency": 0.003, "para": np.float64(1.5)}}


@pytest.fixture
def read(tmp_path, graphs):
    def read(content, protocol=4):
        path = tmp_path / "cora.bench"
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
        return nas_bench_graph.read_records(path, graphs)

    return read


@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
def test_records_are_read_whatever_wrote_them(read, graphs, protocol):
    tokens, columns = read(GOOD, protocol)
    assert graphs.to_native(tokens) == ["0013|gat|gat|gcn|gin"]
    assert {name: values.tolist() for name, values in columns.items()} == {
        "validation": [50.0],
        "test": [25.0],
        "latency": [3.0],
        "parameters": [1.5],
    }


class RunsCode:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_a_pickle_that_runs_code_is_refused_unrun(read, tmp_path):
    trace = tmp_path / "ran"
    evil = pickle.dumps({40_012: RunsCode(os.mkdir, str(trace))})
    with pytest.raises(InputError, match=r"not the table"):
        read(evil)
    assert not trace.exists()
    pickle.loads(evil)
    assert trace.exists(), "the pickle must be one that an ordinary unpickler would have run"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"\x80\x04}\x94(",
        {},
        [1, 2],
        {88_888: GOOD[40_012]},
        {40_012: {**GOOD[40_012], "perf": "much"}},
        {40_012: {"valid_perf": 0.5}},
        {40_012: 3.0},
        {40_012.5: GOOD[40_012]},
        {40_012: {**GOOD[40_012], "perf": np.dtype(object)}},
        {40_012: {**GOOD[40_012], "perf": np.zeros(3)}},
    ],
)
def test_a_damaged_file_is_refused(read, content):
    with pytest.raises(
        InputError, match=r"cora\.bench is not the table of nas-bench-graph .*--force-reinstall"
    ) as caught:
        read(content)
    assert "\n" not in str(caught.value)


def test_random_architectures_are_covered(graphs, cora):
    tokens = np.asarray(jax.jit(graphs.random, static_argnums=1)(jax.random.key(0), 100))
    assert cora.covers(tokens).all()
    assert all(np.isfinite(values).all() for values in cora(tokens).values())
