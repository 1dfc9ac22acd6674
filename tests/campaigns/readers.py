"""Every reader of foreign bytes, each with a file that it takes and what it makes of it."""

import json
import pickle
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image

from nag_jax import datasets, evaluators, spaces
from nag_jax.datasets import class_names, metad2a, statistics
from nag_jax.evaluators import Ledger, analog_nasbench, command, nas_bench_graph, ofa_accuracy, ofa_latency, table_file
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.fitting.checkpoint import Checkpoints, abstract_like
from nag_jax.guidance import constraints
from nag_jax.reports.page import page
from nag_jax.reports.page.drawing import inline
from nag_jax.reports.page.finished import read as read_finished
from nag_jax.spaces.mobilenet_v3 import MobileNetV3
from nag_jax.system.torch_file import read_torch_file
from nag_jax.system.weights_file import read_weights
from nag_jax.tasks import learn
from nag_jax.tasks.aim import PROGRESS
from nag_jax.tasks.workdir import Workdir
from tests.campaigns import originals
from tests.campaigns.mutations import with_pickle

UNSEALED = "the format has no checksum of its content: another number is a number, and its integrity is its user's"
TEXT = "text has no checksum: another word or number that is one is taken for it"
_CELLS = [
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
]


class Reader(NamedTuple):
    """One reader of foreign bytes.

    Attributes:
        make: writes a file that it takes, and what belongs beside it, into an empty folder; gives that file.
        read: reads the file and gives what is compared; raises InputError.
        why: why it may take changed bytes for another content.
        attacks: files made to attack it, from the one that it takes.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    why: str
    attacks: Callable[[bytes], list[bytes]] = lambda data: []


READERS: dict[str, Reader] = {}
"""By name. Whoever reads another kind of file adds it here."""


def _file(name: str, content: bytes | str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def _text(content: str, read: Callable[[str], Any]) -> Reader:
    """A reader of strings, as of flags."""
    return Reader(_file("text", content), lambda path: read(path.read_bytes().decode("utf-8", "replace")), TEXT)


# Weights and PyTorch files


def _pickles(data: bytes) -> list[bytes]:
    return [with_pickle(data, pickled) for pickled in originals.attacks()]


def _state(tensor, _graph):
    return {
        "epoch": 3,
        "state_dict": {"a.weight": tensor(np.arange(6, dtype="f4").reshape(2, 3)), "n": tensor(np.arange(2))},
    }


_STATE = originals.torch_pickle(_state)
READERS["torch zip"] = Reader(_file("w.pth", originals.torch_zip(*_STATE)), read_torch_file, UNSEALED, _pickles)
READERS["torch before 1.6"] = Reader(_file("w.pth", originals.torch_old(*_STATE)), read_torch_file, UNSEALED, _pickles)
READERS["weights pth"] = Reader(_file("w.pth", originals.torch_old(*_STATE)), read_weights, UNSEALED, _pickles)
READERS["weights npz"] = Reader(
    _file("w.npz", originals.npz(a=np.arange(6.0), b=np.ones((2, 2), "f4"))), read_weights, UNSEALED
)
READERS["safetensors"] = Reader(
    _file("w.safetensors", originals.safetensors({"a": ("F32", [2], b"\0" * 8), "b": ("BF16", [2, 1], b"\x80?\0\0")})),
    read_weights,
    UNSEALED,
)
READERS["ofa accuracy"] = Reader(
    _file(
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
    lambda folder: _file("lat.csv", _latencies())(folder),
    lambda path: ofa_latency.read_latencies(path, MobileNetV3(resolution=160)),
    TEXT,
)

# MetaD2A, as published and as converted

_CLASSES = "\n".join(f"n{i:02} {i} name{i}" for i in range(1, 5)) + "\n"


def _converted(folder: Path) -> Path:
    _file("classes.txt", _CLASSES)(folder)
    ops = np.array([[3, 3, 3, 1, 3, 3], [0, 1, 2, 3, 4, 0], [4, 4, 4, 4, 4, 4]], np.int8)
    arrays = {"acc": np.array([50.0, 60.0, 70.0]), "task": np.array([1, 0, 1]), "ops": ops, "perm": np.array([2, 0, 1])}
    return _file("t.npz", originals.npz(**arrays, task_classes=np.array([[1, 2], [3, 2], [4, 1]], np.int16)))(folder)


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
            "str": _CELLS,
            "matrix": [np.eye(4)] * 3,
        }
    )
    _file(_PUBLISHED[0], originals.torch_zip(*records))(folder)
    _file(_PUBLISHED[1], originals.torch_old(*originals.torch_pickle(lambda tensor, _: tensor(np.array([2, 0, 1])))))(
        folder
    )
    _file(_PUBLISHED[2], originals.torch_old(pickle.dumps([[1, 2], [3, 2]], 2), {}))(folder)
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
    return lambda folder: _file("table.bin", pickle.dumps(records, 4))(folder)


def _analog() -> bytes:
    with originals.named("analognasbench.data.Architecture", "analognasbench.data.DriftMeasurement") as (cell, drift):
        one = cell()
        vars(one).update({f"{name}_accuracy": 50.0 for name in analog_nasbench.ACCURACIES}, architecture=(0,) * 6)
        for name in analog_nasbench.DRIFTS:
            vars(one)[name] = drift()
            vars(vars(one)[name]).update(value=50.0, uncertainty=1.0)
        return pickle.dumps({(0, 1, 2, 3, 4, 0): one}, 4)


READERS["analog_nasbench"] = Reader(
    _file("data.anb", _analog()), analog_nasbench.read_records, UNSEALED, lambda data: originals.attacks()
)
READERS["nas_bench_graph"] = Reader(
    _pickled({40_012: {"valid_perf": 0.5, "perf": np.float64(0.25), "latency": 0.003, "para": 1.5}}),
    lambda path: nas_bench_graph.read_records(path, spaces.make("nasbench_graph")),
    UNSEALED,
    lambda data: originals.attacks(),
)


def _table(path: Path) -> Any:
    view = reporting_view(table_file.load(path=path, metric="acc"))
    return view.architectures(), view.all("acc")


def _parquet(folder: Path) -> Path:
    import pandas as pd

    frame = pd.DataFrame({"arch": _CELLS, "acc": [90.0, 80.0, 70.0], "late": [1, 2, 3]})
    frame.to_parquet(folder / "table.parquet")
    return folder / "table.parquet"


READERS["table csv"] = Reader(
    _file("table.csv", "arch,acc,late\n" + "".join(f"{cell},{90 - i},{i}\n" for i, cell in enumerate(_CELLS))),
    _table,
    TEXT,
    lambda data: [data.replace(b"90", b"x" * 1_600_000), data + b"\0" * 100, b"," * 1_000_000, b'"' + data * 50],
)
READERS["table parquet"] = Reader(_parquet, _table, UNSEALED)
READERS["statistics csv"] = Reader(
    _file("s.csv", "name,nodes,edges,features,classes,homophily\nmine,2708,5278,1433,7,.81\n"),
    lambda path: statistics.load(name="mine", path=path),
    TEXT,
)

# Runs


class _Numbers:
    """An evaluator whose labels are the cells' numbers."""

    name, fingerprint, batch_size = "numbers", "v1", 3

    def __init__(self):
        self.space = spaces.make("nasbench201")
        self.metrics = {"number": evaluators.Metric("number")}

    def __call__(self, tokens):
        return {"number": self.space.to_index(tokens).astype(float)}


def _ledger(folder: Path) -> Path:
    evaluator = _Numbers()
    with Ledger.open(folder / "ledger.db", evaluator) as ledger:
        ledger.label(evaluator.space.from_index(np.arange(5000, 15_000, 500)), "training")
    return folder / "ledger.db"


def _read_ledger(path: Path) -> Any:
    evaluator = _Numbers()
    with Ledger.open(path, evaluator) as ledger:
        return [(trial.architecture, trial.labels) for trial in ledger.trials()], ledger.paid_by_purpose()


READERS["ledger"] = Reader(_ledger, _read_ledger, "what SQLite itself leaves unused may change")

_CONFIG = {"name": "run", "space": {"name": "nasbench201"}, "num_samples": 64, "seed": 0, "scale": [0.5, 1.0]}
_ABOUT = {
    "metric": "acc",
    "unit": "%",
    "direction": "max",
    "split": "test",
    "evaluator": "table",
    "space": "nasbench201",
}
_POOL = {
    "samples": 64,
    "validity_argmax": 1.0,
    "distinct": 60,
    "distinct_share": 0.9,
    "novelty": None,
    "value_mean": 9.5,
}
_RESULTS = {
    "objective": {**_ABOUT, "evaluator": "table", "space": "nasbench201", "best_of_table": 94.0, "facts": {}},
    "constraints": [],
    "best": {"architecture": _CELLS[0], "value": 93.2, "regret": 0.8, "rank_by_predictor": 2, "of": 4},
    "pools": dict.fromkeys(("random", "unconditional", "guided"), _POOL),
    "expected_distinct_share": 0.99,
    "sweep": [{"scale": 1.0, **_POOL}],
    "score_network": {"loss": 0.04, "closed_form": 0.04, "ratio": 1.0},
    "labels": {"paid": 44, "failed": 0, "by_purpose": {"training": 40, "final": 4}, "failed_because": {}},
    "seconds": {"predictor": 30.1, "report": 18.0},
    "devices": {"count": 1, "kind": "cpu", "platform": "cpu"},
    "versions": {"python": "3.11.7", "jax": "0.10.2"},
    "git_commit": "57fdfc1df2c560d1dfcf8389897e903f06f2e2d0",
    "command": "python -m experiments.main --config=configs/nb201.py:smoke",
    "config": _CONFIG,
}


def _run(folder: Path) -> Path:
    (folder / "figures").mkdir()
    _file("figures/quality.svg", _SVG)(folder)
    _file("config.json", json.dumps(_CONFIG, indent=1))(folder)
    spread = [0.5] * len(PROGRESS)
    _file("aim.json", json.dumps({"networks": 7, "target": 0.5, "spread": spread}))(folder)
    return _file("results.json", json.dumps(_RESULTS, indent=1))(folder)


def _aim(path: Path) -> Any:
    run: Any = types.SimpleNamespace(workdir=types.SimpleNamespace(path=path.parent))
    return learn._stored_aim(run, 7)


_SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 90 60">
<defs><style type="text/css">*{}</style><path id="m" d="M 0 0 L 1.2345 1"/></defs>
<g id="figure_1"><use xlink:href="#m" x="1" y="2" style="fill: #0072b2"/><text x="1">a</text></g></svg>"""
_ENTITIES = b"".join(b"<!ENTITY e%d '%s'>" % (i, b"&e%d;" % (i - 1) * 9) for i in range(2, 12))
_ENTITIES = b"<!DOCTYPE x [<!ENTITY e1 'lol'>" + _ENTITIES + b"]>"
_NESTED = [
    json.dumps(_RESULTS).replace("94.0", piece).encode()
    for piece in (
        "[" * 100_000,
        "1e999",
        "9" * 5000,
        "{" * 5000,
        '"' + "\\u001b[31m" * 9 + '"',
        '"' + "x" * 10**6 + '"',
    )
]
READERS["results.json"] = Reader(
    _run, lambda path: page.render([read_finished(path.parent)]), TEXT, lambda data: _NESTED
)
READERS["config.json"] = Reader(
    lambda folder: _run(folder).with_name("config.json"),
    lambda path: Workdir(path.parent).check(_CONFIG),
    TEXT,
    lambda data: [b"[" * 100_000, b'{"a":' * 5000, b"\xff\xfe", b'{"' + b"k" * 10**6 + b'": 1}'],
)
READERS["aim.json"] = Reader(
    lambda folder: _run(folder).with_name("aim.json"), _aim, TEXT, lambda data: [b"[" * 100_000, b"[]", b"1" * 5000]
)
READERS["svg"] = Reader(
    lambda folder: _run(folder).parent / "figures" / "quality.svg",
    lambda path: str(inline(path, "a figure", "p-")),
    TEXT,
    lambda data: [
        b"<svg viewBox='0 0 1 1'>" + b"<g>" * 20_000 + b"</g>" * 20_000 + b"</svg>",
        b"<script viewBox='0 0 1 1'>alert(1)</script>",
        _ENTITIES + b"<svg viewBox='0 0 1 1'>&e11;</svg>",
    ],
)


def _checkpoint(folder: Path, part: str) -> Path:
    with Checkpoints(folder / "fit", {"space": "nasbench201"}) as checkpoints:
        checkpoints.save(3, _NETWORK)
    files = [path for path in sorted((folder / "fit").rglob("*")) if path.is_file() and part in str(path)]
    return max(files, key=lambda path: path.stat().st_size)


_NETWORK = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(3, np.int32)}


def _restore(path: Path) -> Any:
    folder = next(parent for parent in path.parents if parent.name == "fit")
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with Checkpoints(folder, {"space": "nasbench201"}) as checkpoints:
        return jax.tree.map(np.asarray, checkpoints.restore(abstract_like(_NETWORK, device)))


for _part in ("description", "state", "_CHECKPOINT_METADATA"):
    READERS[f"checkpoint {_part}"] = Reader(
        lambda folder, part=_part: _checkpoint(folder, part), _restore, "what Orbax itself writes and never uses"
    )

# Data sets


def _features(folder: Path) -> Path:
    table = datasets.base.describe("two", [np.ones((3, 4)), np.ones((2, 4))], classes=("cats", "dogs"))
    datasets.base.save(folder / "f.npz", table)
    return folder / "f.npz"


READERS["features npz"] = Reader(_features, lambda path: datasets.base.load(path=path), UNSEALED)


def _image(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "images" / "cats" / f"a{suffix}"
        path.parent.mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return make


for _suffix in (".png", ".jpg"):
    READERS[f"image {_suffix}"] = Reader(
        _image(_suffix),
        lambda path: datasets.make("images", folder=path.parents[1], images_per_class=1, image_size=8),
        "a changed pixel is a pixel",
    )


def _names(path: Path) -> Any:
    class_names.embed = lambda names: np.zeros((len(names), 4), np.float32)  # what is read is the list
    return class_names.load(classes=path, name="mine")


READERS["class names"] = Reader(_file("classes.txt", "cat\ngreat_white_shark\nd\u00f6g\n"), _names, TEXT)

# Strings

READERS["constraints"] = _text(
    "200e6 <= macs <= 220e6; params <= 5e6", lambda text: list(map(str, constraints.parse(text)))
)
READERS["metrics"] = _text("acc:max:%:validation, latency:min:ms", command.parse_metrics)
READERS["labels of a command"] = _text(
    'epoch 1\n{"acc": 93.5}\n',
    lambda text: command.read_labels(text, {"acc": evaluators.Metric("acc")}),
)
READERS["nasbench201 string"] = _text(_CELLS[0], lambda text: spaces.make("nasbench201").from_native([text]))
READERS["nasbench_graph string"] = _text(
    "0013|gat|gat|gcn|gin", lambda text: spaces.make("nasbench_graph").from_native([text])
)
READERS["mobilenet_v3 JSON"] = _text(
    json.dumps({"ks": [3] * 20, "e": [4] * 20, "d": [2] * 5, "r": [160]}),
    lambda text: MobileNetV3(resolution=160).from_native([text]),
)
READERS["mobilenet_v3 string"] = _text(
    "_".join(["2-3-6_2-5-4_0-0-0_0-0-0"] * 5), lambda text: MobileNetV3(resolution=160).from_native([text])
)
