"""Readers of weights, of MetaD2A as published and as converted, and of tables."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nag_jax.datasets import metad2a, statistics
from nag_jax.evaluators import analog_nasbench, nas_bench_graph, ofa_accuracy, ofa_latency, table_file
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.spaces.mobilenet_v3 import MobileNetV3
from nag_jax.spaces.nasbench_graph import NASBenchGraph
from nag_jax.system.torch_file import read_torch_file
from nag_jax.system.weights_file import read_weights
from tests.campaigns import originals
from tests.campaigns.mutations import with_pickle
from tests.campaigns.reader import CELLS, TEXT, UNSEALED, Reader, file

READERS: dict[str, Reader] = {}

# Weights and PyTorch files


def _pickles(data: bytes) -> list[bytes]:
    return [with_pickle(data, pickled) for pickled in originals.attacks()]


def _state(tensor, _graph):
    return {
        "epoch": 3,
        "state_dict": {"a.weight": tensor(np.arange(6, dtype="f4").reshape(2, 3)), "n": tensor(np.arange(2))},
    }


_STATE = originals.torch_pickle(_state)
READERS["torch zip"] = Reader(file("w.pth", originals.torch_zip(*_STATE)), read_torch_file, UNSEALED, _pickles)
READERS["torch before 1.6"] = Reader(file("w.pth", originals.torch_old(*_STATE)), read_torch_file, UNSEALED, _pickles)
READERS["weights pth"] = Reader(file("w.pth", originals.torch_old(*_STATE)), read_weights, UNSEALED, _pickles)
READERS["weights npz"] = Reader(
    file("w.npz", originals.npz(a=np.arange(6.0), b=np.ones((2, 2), "f4"))), read_weights, UNSEALED
)
READERS["safetensors"] = Reader(
    file("w.safetensors", originals.safetensors({"a": ("F32", [2], b"\0" * 8), "b": ("BF16", [2, 1], b"\x80?\0\0")})),
    read_weights,
    UNSEALED,
)
READERS["ofa accuracy"] = Reader(
    file(
        "acc.pth",
        originals.torch_zip(
            *originals.torch_pickle(
                lambda tensor, _: {
                    "0.weight": tensor(np.ones((4, 128), "f4")),
                    "0.bias": tensor(np.ones(4, "f4")),
                    "2.weight": tensor(np.ones((1, 4), "f4")),
                }
            )
        ),
    ),
    ofa_accuracy.read_predictor,
    UNSEALED,
    _pickles,
)


def _latencies() -> str:
    space = MobileNetV3(resolution=160)
    drawn = space.to_ofa(space.random(jax.random.key(0), 55))
    rows = [
        ",".join([*(" ".join(map(str, form[name])) for name in ("ks", "e", "d")), "160", str(10 + i / 7)])
        for i, form in enumerate(drawn)
    ]
    return "\n".join(["ks,e,d,r,lat_phone", *rows, ""])


READERS["ofa latency"] = Reader(
    lambda folder: file("lat.csv", _latencies())(folder),
    lambda path: ofa_latency.read_latencies(path, MobileNetV3(resolution=160)),
    TEXT,
)

# MetaD2A, as published and as converted

_CLASSES = "\n".join(f"n{i:02} {i} name{i}" for i in range(1, 5)) + "\n"


def _converted(folder: Path) -> Path:
    file("classes.txt", _CLASSES)(folder)
    ops = np.array([[3, 3, 3, 1, 3, 3], [0, 1, 2, 3, 4, 0], [4, 4, 4, 4, 4, 4]], np.int8)
    arrays = {"acc": np.array([50.0, 60.0, 70.0]), "task": np.array([1, 0, 1]), "ops": ops, "perm": np.array([2, 0, 1])}
    return file("t.npz", originals.npz(**arrays, task_classes=np.array([[1, 2], [3, 2], [4, 1]], np.int16)))(folder)


def _read_converted(path: Path) -> Any:
    return metad2a.load(path=path.with_name("t.npz"), classes=path.with_name("classes.txt"))


READERS["metad2a"] = Reader(_converted, _read_converted, UNSEALED)
READERS["metad2a classes"] = Reader(lambda folder: _converted(folder).with_name("classes.txt"), _read_converted, TEXT)

_PUBLISHED = ("meta_train_tasks_predictor.pt", "meta_train_tasks_predictor_idx.pt", "meta_train_task_lst.pt")


def _published(folder: Path) -> Path:
    records = originals.torch_pickle(
        lambda tensor, graph: {
            "acc": [70.0, np.float64(70.5), 71.0],
            "task": [0, 1, np.int64(1)],
            "g": [graph()] * 3,
            "x": [tensor(np.eye(8, 7, dtype="f4"))] * 3,
            "str": CELLS,
            "matrix": [np.eye(4)] * 3,
        }
    )
    file(_PUBLISHED[0], originals.torch_zip(*records))(folder)
    file(_PUBLISHED[1], originals.torch_old(*originals.torch_pickle(lambda tensor, _: tensor(np.array([2, 0, 1])))))(
        folder
    )
    file(_PUBLISHED[2], originals.torch_old(pickle.dumps([[1, 2], [3, 2]], 2), {}))(folder)
    return folder / _PUBLISHED[0]


for _name in _PUBLISHED:
    READERS[_name] = Reader(
        lambda folder, name=_name: _published(folder).with_name(name),
        lambda path: metad2a.convert(path.with_name(_PUBLISHED[0])),
        UNSEALED,
        _pickles,
    )

# Tables


def _pickled(records: Any) -> Callable[[Path], Path]:
    return lambda folder: file("table.bin", pickle.dumps(records, 4))(folder)


def _analog() -> bytes:
    with originals.named("analognasbench.data.Architecture", "analognasbench.data.DriftMeasurement") as (cell, drift):
        one = cell()
        vars(one).update({f"{name}_accuracy": 50.0 for name in analog_nasbench.ACCURACIES}, architecture=(0,) * 6)
        for name in analog_nasbench.DRIFTS:
            vars(one)[name] = drift()
            vars(vars(one)[name]).update(value=50.0, uncertainty=1.0)
        return pickle.dumps({(0, 1, 2, 3, 4, 0): one}, 4)


READERS["analog_nasbench"] = Reader(
    file("data.anb", _analog()), analog_nasbench.read_records, UNSEALED, lambda data: originals.attacks()
)
READERS["nas_bench_graph"] = Reader(
    _pickled({40_012: {"valid_perf": 0.5, "perf": np.float64(0.25), "latency": 0.003, "para": 1.5}}),
    lambda path: nas_bench_graph.read_records(path, NASBenchGraph()),
    UNSEALED,
    lambda data: originals.attacks(),
)


def _table(path: Path) -> Any:
    view = reporting_view(table_file.load(path=path, metric="acc"))
    return view.architectures(), view.all("acc")


def _parquet(folder: Path) -> Path:
    import pandas as pd

    frame = pd.DataFrame({"arch": CELLS, "acc": [90.0, 80.0, 70.0], "late": [1, 2, 3]})
    frame.to_parquet(folder / "table.parquet")
    return folder / "table.parquet"


READERS["table csv"] = Reader(
    file("table.csv", "arch,acc,late\n" + "".join(f"{cell},{90 - i},{i}\n" for i, cell in enumerate(CELLS))),
    _table,
    TEXT,
    lambda data: [data.replace(b"90", b"x" * 1_600_000), data + b"\0" * 100, b"," * 1_000_000, b'"' + data * 50],
)


def _equal_rows() -> bytes:
    import pandas as pd

    out = io.BytesIO()
    pd.DataFrame({"arch": CELLS[:1] * 10**6, "acc": 0.0, **{f"c{i}": 0.0 for i in range(30)}}).to_parquet(out)
    return out.getvalue()


READERS["table parquet"] = Reader(_parquet, _table, UNSEALED, lambda data: [_equal_rows()])
READERS["statistics csv"] = Reader(
    file("s.csv", "name,nodes,edges,features,classes,homophily\nmine,2708,5278,1433,7,.81\n"),
    lambda path: statistics.load(name="mine", path=path),
    TEXT,
)
