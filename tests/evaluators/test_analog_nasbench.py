import importlib.metadata
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from nag_jax import evaluators, spaces
from nag_jax.evaluators import analog_nasbench, table_file
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.system.errors import InputError

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
NUM_CELLS = 15625


@pytest.fixture(scope="module")
def benchmark():
    return analog_nasbench.load()


@pytest.fixture(scope="module")
def view(benchmark):
    return reporting_view(benchmark)


@pytest.fixture
def all_of_one(space):
    return lambda op: space.from_native([f"|{op}~0|+|{op}~0|{op}~1|+|{op}~0|{op}~1|{op}~2|"])


def test_it_has_13_accuracies_and_8_spreads(benchmark):
    accuracies = [*analog_nasbench.ACCURACIES, *analog_nasbench.DRIFTS]
    spreads = [f"{name}_std" for name in analog_nasbench.DRIFTS]
    assert len(accuracies) == 13
    assert set(benchmark.metrics) == {*accuracies, *spreads}
    for name, metric in benchmark.metrics.items():
        assert metric.name == name
        assert metric.split == "test"
        assert metric.direction == ("min" if name in spreads else "max")
        assert metric.unit == ("% (std)" if name in spreads else "%")


def test_it_has_every_cell_of_the_space_once(benchmark):
    index = benchmark.space.to_index(benchmark.architectures())
    assert np.sort(index).tolist() == list(range(NUM_CELLS))
    assert benchmark.num_distinct == benchmark.space.num_canonical


def test_cells_at_chance_are_those_without_a_path(benchmark, view):
    at_chance = view.all("baseline") <= 10.5
    assert at_chance.sum() == 341
    np.testing.assert_array_equal(at_chance, ~benchmark.space.connected(benchmark.architectures()))


def test_the_best_cell_is_the_known_one(benchmark, view):
    best = int(np.argmax(view.all("baseline")))
    assert benchmark.space.to_native(benchmark.architectures()[best : best + 1]) == [
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    ]
    assert view.best("baseline") == pytest.approx(94.0664)


@pytest.mark.parametrize(
    ("op", "accuracy"),
    [
        ("nor_conv_3x3", 93.24),
        ("nor_conv_1x1", 89.53),
        ("skip_connect", 60.78),
        ("avg_pool_3x3", 50.29),
        ("none", 10.00),
    ],
)
def test_uniform_cells_have_the_known_accuracies(benchmark, all_of_one, op, accuracy):
    assert benchmark(all_of_one(op))["baseline"] == pytest.approx(accuracy, abs=0.005)


def test_the_first_record_of_the_file_keeps_all_its_values(benchmark, all_of_one):
    labels = benchmark(all_of_one("skip_connect"))
    assert labels["ptq"][0] == pytest.approx(59.2256)
    assert labels["qat"][0] == pytest.approx(37.5616)
    assert labels["noisy"][0] == 10.0
    assert labels["analog"][0] == pytest.approx(57.49)
    assert labels["analog_drift_60"][0] == pytest.approx(87.4944)
    assert labels["analog_drift_60_std"][0] == pytest.approx(0.3806)
    assert labels["analog_drift_3600"][0] == pytest.approx(53.79)
    assert labels["analog_drift_3600_std"][0] == pytest.approx(2.82)


def test_it_ranks_cells_as_nas_bench_201_does(view):
    path = SHARED / "data" / "nb201_cifar.csv"
    if not path.is_file():
        pytest.skip("needs the NAS-Bench-201 table nb201_cifar.csv")
    official = table_file.load(path=path, metric="cifar10_test_acc")
    ours = rankdata(view.values(official.architectures(), "baseline"))
    theirs = rankdata(reporting_view(official).all("cifar10_test_acc"))
    assert np.corrcoef(ours, theirs)[0, 1] == pytest.approx(0.991, abs=0.0005)


def test_an_unknown_metric_gets_the_names():
    with pytest.raises(InputError, match=r"unknown metric of .* 'basline': did you mean 'baseline'\?.*qat"):
        evaluators.make("analog_nasbench", metric="basline")


def test_another_space_is_refused():
    namesake = spaces.DagSpace("nasbench201", nodes={"a": ["x", "y"]}, edges=[])
    for another in (spaces.make("mobilenet_v3"), namesake):  # what tokens mean counts, not what the space is called
        with pytest.raises(InputError, match=f"cells of nasbench201, not of '{another.name}': use that space"):
            evaluators.make("analog_nasbench", space=another)


def test_a_missing_package_gets_the_command(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(InputError, match=r"pip install 'analog-nasbench>=0\.1\.3,<0\.2'"):
        evaluators.make("analog_nasbench")


def test_the_package_is_never_imported(benchmark):
    assert benchmark.name == "analog_nasbench"
    assert "analognasbench" not in sys.modules


class RunsCode:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def record_module(monkeypatch):
    """Stands in for the package's module, so that a test may pickle by its names."""
    module = types.ModuleType("analognasbench.data")
    for name in ("Architecture", "DriftMeasurement"):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    monkeypatch.setitem(sys.modules, "analognasbench", types.ModuleType("analognasbench"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path, protocol):
    path, trace = tmp_path / "data.anb", tmp_path / "ran"
    path.write_bytes(pickle.dumps(RunsCode(os.mkdir, str(trace)), protocol))
    with pytest.raises(InputError, match=r"which isn't read|opcode"):
        analog_nasbench.read_records(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists(), "the pickle must be one that an ordinary unpickler would have run"


def make_records(module, changes):
    """One record as the package would pickle it, its attributes changed; None drops one."""
    record = module.Architecture()
    record.architecture = (0, 1, 2, 3, 4, 0)
    for i, name in enumerate(analog_nasbench.ACCURACIES):
        setattr(record, f"{name}_accuracy", 50.0 + i)
    for i, name in enumerate(analog_nasbench.DRIFTS):
        drift = module.DriftMeasurement()
        drift.value, drift.uncertainty = 60.0 + i, 1.0 + i
        setattr(record, name, drift)
    for name, value in changes.items():
        if value is None:
            delattr(record, name)
        else:
            setattr(record, name, value)
    return {record.architecture: record}


def test_records_are_reindexed_to_the_official_order(tmp_path, monkeypatch):
    path = tmp_path / "data.anb"
    path.write_bytes(pickle.dumps(make_records(record_module(monkeypatch), {}), 4))
    ops, columns = analog_nasbench.read_records(path)
    # the file: 01 skip, 02 none, 03 conv3x3, 12 conv1x1, 13 pool, 23 skip
    assert ops.tolist() == [[1, 0, 2, 3, 4, 1]]
    assert columns["analog"].tolist() == [54.0]
    assert columns["analog_drift_2592000"].tolist() == [67.0]
    assert columns["analog_drift_2592000_std"].tolist() == [8.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"ptq_accuracy": None},
        {"ptq_accuracy": "much"},
        {"analog_drift_60": 3.0},
        {"architecture": (0, 0, 0, 0, 0, 5)},
        {"architecture": (0, 0, 0, 0, 0)},
        {"architecture": (0.5, 0, 0, 0, 0, 0)},
        {"ptq_accuracy": eval},
    ],
)
def test_records_of_another_form_are_refused(tmp_path, monkeypatch, changes):
    path = tmp_path / "data.anb"
    path.write_bytes(pickle.dumps(make_records(record_module(monkeypatch), changes), 4))
    with pytest.raises(InputError, match=r"is not the table of analog-nasbench .*--force-reinstall"):
        analog_nasbench.read_records(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04}\x94(", pickle.dumps({}), pickle.dumps([1, 2])])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "data.anb"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"data\.anb is not the table of analog-nasbench"):
        analog_nasbench.read_records(path)
