"""Readers of what runs leave, of data sets, and of strings."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from nag_jax import datasets, evaluators
from nag_jax.datasets import class_names
from nag_jax.datasets.wordpiece import tokenize
from nag_jax.evaluators import command
from nag_jax.fitting.checkpoint import Checkpoints, abstract_like
from nag_jax.guidance import constraints
from nag_jax.objectives.metric import parse_metrics
from nag_jax.reports.page import page
from nag_jax.reports.page.drawing import inline
from nag_jax.reports.page.finished import read as read_finished
from nag_jax.spaces.mobilenet_v3 import MobileNetV3
from nag_jax.spaces.nasbench201 import NASBench201
from nag_jax.spaces.nasbench_graph import NASBenchGraph
from nag_jax.tasks import learn
from nag_jax.tasks.aim import PROGRESS
from nag_jax.tasks.workdir import Workdir
from nag_jax.trials import Ledger
from tests.campaigns.reader import CELLS, TEXT, UNSEALED, Reader, file, text

READERS: dict[str, Reader] = {}

# Runs


class _Numbers:
    """An evaluator whose labels are the cells' numbers."""

    name, fingerprint, batch_size = "numbers", "v1", 3

    def __init__(self):
        self.space = NASBench201()
        self.metrics = {"number": evaluators.Metric("number")}

    def __call__(self, tokens):
        return {"number": self.space.to_index(tokens).astype(float)}


def _ledger(folder: Path) -> Path:
    evaluator: Any = _Numbers()
    with Ledger.open(folder / "ledger.db", evaluator) as ledger:
        ledger.label(evaluator.space.from_index(np.arange(5000, 15_000, 500)), "training")
    return folder / "ledger.db"


def _read_ledger(path: Path) -> Any:
    evaluator: Any = _Numbers()
    with Ledger.open(path, evaluator) as ledger:
        return ledger.trials(), ledger.paid_by_purpose()


READERS["ledger"] = Reader(_ledger, _read_ledger, "what SQLite itself leaves unused may change")

_CONFIG = {
    "name": "run",
    "mode": "generate",
    "num_samples": 64,
    "seed": 0,
    "scale": [0.5, 1.0],
    "space": {"name": "nasbench201"},
    "evaluator": {"name": "table"},
}
_ABOUT = {"metric": "acc", "unit": "%", "direction": "max", "split": "test", "best_of_table": 94.0}
_POOL = {
    "samples": 64,
    "validity_argmax": 1.0,
    "distinct": 60,
    "distinct_share": 0.9,
    "novelty": None,
    "value_mean": 9.5,
}
_RESULTS = {
    "objective": {**_ABOUT, "evaluator": "table", "space": "nasbench201", "facts": {}},
    "constraints": [],
    "best": {"architecture": CELLS[0], "value": 93.2, "regret": 0.8, "rank_by_predictor": 2, "of": 4},
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
_BAND = {"estimate": 93.5, "low": 93.0, "high": 94.0}
_SEARCHED = {
    **{name: _RESULTS[name] for name in ("labels", "seconds", "devices", "versions", "git_commit", "command")},
    "config": {**_CONFIG, "mode": "search"},
    "objective": _ABOUT,
    "reported": _ABOUT,
    "space": "nasbench201",
    "evaluator": "table",
    "best": {"architecture": CELLS[0], "value": 93.5, "reported": 93.2, "strategy": "bo", "seed": 0, "label": 7},
    "seeds": 2,
    "initial": 4,
    "budget": 8,
    "strategies": {
        name: {"failed": 0, "reported_after": {"4": _BAND, "8": _BAND}, "labels_to_optimum": {"median": 7}}
        for name in ("bo", "random_search")
    },
    "significance": {"8": {"difference": {"random_search": 0.1}, "p": {"random_search": 0.5}}},
}


def _run(folder: Path, results: dict[str, Any] = _RESULTS) -> Path:
    (folder / "figures").mkdir()
    file("figures/quality.svg", _SVG)(folder)
    file("config.json", json.dumps(_CONFIG, indent=1))(folder)
    spread = [0.5] * len(PROGRESS)
    file("aim.json", json.dumps({"networks": 7, "target": 0.5, "spread": spread}))(folder)
    return file("results.json", json.dumps(results, indent=1))(folder)


def _aim(path: Path) -> Any:
    return learn.read_aim(Workdir(path.parent), 7)


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
READERS["results.json of a search"] = Reader(
    lambda folder: _run(folder, _SEARCHED), lambda path: page.render([read_finished(path.parent)]), TEXT
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


def _black() -> bytes:
    out = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(out, "PNG")
    return out.getvalue()


for _suffix in (".png", ".jpg"):
    READERS[f"image {_suffix}"] = Reader(
        _image(_suffix),
        lambda path: datasets.make("images", folder=path.parents[1], images_per_class=1, image_size=8),
        "a changed pixel is a pixel",
        lambda data: [_black()],
    )


_VOCABULARY = {piece: i for i, piece in enumerate(("[UNK]", "[CLS]", "[SEP]", "cat", "great", "w", "##hi", "##te"))}


def _names(path: Path) -> Any:
    """What the text encoder is given, whose network has a bound of its own."""
    names = class_names._read(path)
    return names, [tokenize(name, _VOCABULARY, max_tokens=256) for name in names]


READERS["class names"] = Reader(file("classes.txt", "cat\ngreat_white_shark\nd\u00f6g\n"), _names, TEXT)

# Strings

READERS["constraints"] = text(
    "200e6 <= macs <= 220e6; params <= 5e6", lambda text: list(map(str, constraints.parse(text)))
)
READERS["metrics"] = text("acc:max:%:validation, latency:min:ms", parse_metrics)
READERS["labels of a command"] = text(
    'epoch 1\n{"acc": 93.5}\n',
    lambda text: command.read_labels(text, {"acc": evaluators.Metric("acc")}),
)
READERS["nasbench201 string"] = text(CELLS[0], lambda text: NASBench201().from_native([text]))
READERS["nasbench_graph string"] = text("0013|gat|gat|gcn|gin", lambda text: NASBenchGraph().from_native([text]))
READERS["mobilenet_v3 JSON"] = text(
    json.dumps({"ks": [3] * 20, "e": [4] * 20, "d": [2] * 5, "r": [160]}),
    lambda text: MobileNetV3(resolution=160).from_native([text]),
)
READERS["mobilenet_v3 string"] = text(
    "_".join(["2-3-6_2-5-4_0-0-0_0-0-0"] * 5), lambda text: MobileNetV3(resolution=160).from_native([text])
)
