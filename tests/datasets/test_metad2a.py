import io
import itertools
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from experiments import convert
from nag_jax import datasets
from nag_jax.datasets import metad2a, tfds, triples
from nag_jax.evaluators import table_file
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.spaces.nasbench201 import NASBench201
from nag_jax.system.errors import InputError

CLASSES = "n01 1 zero\nn02 2 one\nn03 3 two\nn04 4 two\n"
ARRAYS = {
    "acc": np.array([50.0, 60.0, 70.0]),
    "task": np.array([1, 0, 1]),
    "ops": np.array([[3, 3, 3, 1, 3, 3], [0, 1, 2, 3, 4, 0], [4, 4, 4, 4, 4, 4]], np.int8),
    "task_classes": np.array([[1, 2], [3, 2], [4, 1]], np.int16),
    "perm": np.array([2, 0, 1]),
}


@pytest.fixture
def classes(tmp_path):
    (tmp_path / "classes.txt").write_text(CLASSES)
    return tmp_path / "classes.txt"


@pytest.fixture
def write(tmp_path):
    """Writes the arrays, changed, as npz; None drops one."""

    def run(**changes):
        arrays = {name: value for name, value in (ARRAYS | changes).items() if value is not None}
        np.savez(tmp_path / "triples.npz", **arrays)
        return tmp_path / "triples.npz"

    return run


@pytest.fixture(scope="module")
def published():
    """The published file, beside the checkout."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = folder / "metad2a_nb201_meta_train.npz"
    if not path.is_file():
        pytest.skip(f"needs MetaD2A's triples, absent at {path}")
    return metad2a.load(path=path, classes=folder / "imagenet32_classes.txt")


def test_a_small_file(write, classes):
    found = metad2a.load(path=write(), classes=classes)
    assert NASBench201().to_native(found.triples.tokens)[1] == (
        "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"
    )
    assert found.triples.values.tolist() == [50, 60, 70]
    assert found.triples.ids == ("metad2a/0", "metad2a/1", "metad2a/2")
    assert found.triples.tasks == (("n01", "n02"), ("n03", "n02"), ("n04", "n01"))
    assert found.class_names == {"n01": "zero", "n02": "one", "n03": "two", "n04": "two"}
    assert found.evaluation.tolist() == [2, 0, 1]
    assert metad2a.used_classes(found) == ["n01", "n02", "n03"]


def test_classes_are_described_by_their_names(write, classes, monkeypatch):
    numbers = {"zero": 0.0, "one": 1.0, "two": 2.0}
    monkeypatch.setattr(metad2a.class_names, "embed", lambda names: np.array([[numbers[name]] for name in names]))
    found = metad2a.load(path=write(), classes=classes)
    table = metad2a.name_table(found)
    rows, _ = datasets.class_rows(table, found.triples.tasks[:2])
    assert table.features[rows][..., 0, 0].tolist() == [[0, 1], [2, 1]]


def test_the_published_file(published):
    found = published.triples
    assert len(found.tokens) == 4630
    assert len(np.unique(found.tokens, axis=0)) == 1553
    assert len(found.ids) == 5000
    assert len(np.unique(found.task)) == 3031
    assert {len(task) for task in found.tasks} == {20}
    assert len(metad2a.used_classes(published)) == 600
    training, evaluation = metad2a.published_split(published)
    assert (len(training.tokens), len(evaluation.tokens)) == (4230, 400)
    assert training.values.mean() == pytest.approx(71.57, abs=0.005)
    assert training.values.std() == pytest.approx(6.69, abs=0.005)
    known = np.isin(evaluation.task, training.task).mean()
    assert known == pytest.approx(0.58, abs=0.01)


def test_operations_are_read_as_they_were_meant(published, shared):
    """Cells rank as on CIFAR-10 after as few epochs, and with no other reading of codes or edges as well."""
    metric = "cifar10_valid_acc_12ep"
    table = reporting_view(table_file.load(path=shared / "data" / "nb201_cifar.csv", metric=metric))
    space, ranks = NASBench201(), rankdata(published.triples.values)

    def agreement(ops):
        return np.corrcoef(ranks, rankdata(table.values(space.from_ops(ops), metric)))[0, 1]

    ops = space.to_ops(published.triples.tokens)
    found = agreement(ops)
    assert found == pytest.approx(0.334, abs=0.001)
    for exchanged in itertools.permutations(range(5)):
        assert agreement(np.array(exchanged)[ops]) < found - 0.04 or exchanged == (0, 1, 2, 3, 4)
    for order in ([0, 1, 3, 2, 4, 5], [5, 4, 2, 3, 1, 0], [3, 1, 2, 0, 4, 5]):
        assert agreement(ops[:, order]) < found - 0.02


def test_the_published_split_without_twins(published):
    space = NASBench201()
    training, evaluation = metad2a.published_split(published)
    kept = triples.without_twins(training, evaluation, space)
    pairs = [
        set(zip(part.task.tolist(), space.canonical(part.tokens).tolist(), strict=True)) for part in (kept, evaluation)
    ]
    assert not pairs[0] & pairs[1]
    assert 0 <= len(training.tokens) - len(kept.tokens) < 400


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"acc": None}, r"triples\.npz isn't MetaD2A's triples .*acc"),
        ({"ops": np.zeros((3, 8), int)}, r"operations must have the shape \[B, 6\]"),
        ({"ops": np.full((3, 6), 5)}, r"row 0: operations must be 0 to 4"),
        ({"ops": np.zeros((3, 6))}, "the array ops must have 2 dimensions"),
        ({"ops": np.full((3, 6), 0.9)}, "the array ops must have 2 dimensions"),
        ({"task": np.array([0, 2**32 + 1, 1])}, "task must be numbers of 32 bits, found 0 to 4294967297"),
        ({"task": np.array([0, 2**64 - 1, 1], np.uint64)}, "task must be whole numbers of at most 64 bits"),
        ({"task": np.array([0, 3, 1])}, "triple 1 is of the unknown data set 3: there are 0 to 2"),
        (
            {"task_classes": np.array([[1, 2], [5, 2]])},
            r"a data set has the class 5, which .*classes\.txt doesn't list",
        ),
        ({"acc": np.array([1.0, np.nan, 3.0])}, "triple 1 has not a finite value"),
        ({"acc": np.array([1.0, 2.0])}, "must have as many architectures"),
        ({"perm": np.array([0, 0, 1])}, "perm must hold each of 0 to 2 once"),
    ],
)
def test_bad_triples(write, classes, changes, message):
    with pytest.raises(InputError, match=message):
        metad2a.load(path=write(**changes), classes=classes)


def test_bad_files(write, classes, tmp_path):
    with pytest.raises(InputError, match=r"run python -m experiments\.convert metad2a .*x\.pt OUT\.npz first"):
        metad2a.load(path=tmp_path / "x.pt", classes=classes)
    with pytest.raises(InputError, match=r"there is no file of triples .*none\.npz"):
        metad2a.load(path=tmp_path / "none.npz", classes=classes)
    for content in ("", "n01 one\n", "n01 1 a\nn01 2 b\n", "n01 1 a\nn02 1 b\n"):
        classes.write_text(content)
        with pytest.raises(InputError, match=r"classes\.txt"):
            metad2a.load(path=write(), classes=classes)


class Graph:
    """Stands in for igraph's, which the published file holds too."""

    def __reduce__(self):
        return (type(self), (8, [(0, 1)], True), {"name": "cell"})

    def __init__(self, *_):
        pass


@pytest.fixture
def released(tmp_path, monkeypatch):
    """The three PyTorch files of `ARRAYS`; `form` says how cells are written."""
    module = types.ModuleType("igraph")
    module.__dict__["Graph"] = Graph
    monkeypatch.setattr(Graph, "__module__", "igraph")
    monkeypatch.setitem(sys.modules, "igraph", module)

    def save(name, content):
        buffer = io.BytesIO()
        pickle.Pickler(buffer, 2).dump(content)
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("archive/data.pkl", buffer.getvalue())

    def run(form, **changes):
        space = NASBench201()
        tokens = space.from_ops(ARRAYS["ops"])
        cells = {"str": space.to_native(tokens), "x": (np.asarray(space.encode(tokens)) / 2 + 0.5).tolist()}
        records = {name: ARRAYS[name].tolist() for name in ("acc", "task")} | {"g": [Graph()], form: cells[form]}
        save("meta_train_tasks_predictor.pt", records | changes)
        save("meta_train_tasks_predictor_idx.pt", ARRAYS["perm"].tolist())
        save("meta_train_task_lst.pt", ARRAYS["task_classes"].tolist())
        return tmp_path / "meta_train_tasks_predictor.pt"

    return run


def test_files_of_the_original_make_are_converted(shared, tmp_path, capsys):
    """NumPy's numbers and arrays, tensors, and graphs of igraph, in PyTorch's old format and in the one since 1.6."""
    path = shared / "faults" / "metad2a_original" / "meta_train_tasks_predictor.pt"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    convert.main(["metad2a", str(path), str(tmp_path / "out.npz")])
    assert "wrote" in capsys.readouterr().out
    with np.load(tmp_path / "out.npz") as found:
        assert found["acc"].tolist() == [70.0, 70.25, 70.5, 70.75]
        assert found["task"].tolist() == [0, 1, 1, 2]
        assert found["ops"].tolist() == [[4, 3, 2, 1, 1, 0], [0, 0, 0, 4, 3, 4], [2, 3, 4, 3, 3, 2], [2, 4, 1, 4, 3, 0]]
        assert found["task_classes"][:, :3].tolist() == [[6, 22, 29], [73, 133, 255], [52, 58, 79]]
        assert found["perm"].tolist() == [3, 0, 2, 1]


@pytest.mark.parametrize("form", ["str", "x"])
def test_the_released_files_are_converted(released, form, tmp_path, classes, capsys):
    convert.main(["metad2a", str(released(form)), str(tmp_path / "out.npz")])
    assert "wrote" in capsys.readouterr().out
    with np.load(tmp_path / "out.npz") as found:
        assert set(found) == set(ARRAYS)
        for name, expected in ARRAYS.items():
            np.testing.assert_array_equal(found[name], expected)
    assert metad2a.load(path=tmp_path / "out.npz", classes=classes).triples.values.tolist() == [50, 60, 70]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"str": ["|conv~0|"] * 3}, "row 0: .* is not a NAS-Bench-201 cell"),
        ({"acc": ["much"] * 3}, "have another form than MetaD2A's"),
        ({"task": {"0": 1}}, "have another form than MetaD2A's"),
        ({"task": [0.5, 0, 1]}, "task must be whole numbers"),
        ({"acc": [Graph()] * 3}, r"expected numbers, found <igraph\.Graph, which isn't read>"),
        ({"acc": [[1.0], [1.0, 2.0], 3.0]}, "have another form than MetaD2A's"),
        ({"g": [], "str": None}, "have another form than MetaD2A's"),
    ],
)
def test_other_released_files_are_refused(released, changes, message):
    with pytest.raises(InputError, match=message):
        metad2a.convert(released("str", **changes))


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("out.npz", "there is no PyTorch file"),
        ("out.txt", "the file to write must end in .npz"),
        ("none/out.npz", "there is no folder"),
    ],
)
def test_the_converter_refuses_what_it_cannot_read_or_write(released, out, message, tmp_path):
    missing = released("str").with_name("none.pt")
    with pytest.raises(InputError, match=message):
        convert.main(["metad2a", str(missing), str(tmp_path / out)])


def test_the_images_of_the_triples(write, classes, tmp_path, monkeypatch, digits, resnet_weights):
    """From a source like TFDS's, whose classes are WordNet ids: the features that the source of images gives."""
    wnids = dict(zip(("n01", "n02", "n03", "n04"), ("zero", "one", "two", "three"), strict=True))
    elements = [
        {"image": image[:, :, None], "label": i} for i, name in enumerate(wnids.values()) for image in digits[name][:9]
    ]
    asked = []

    def open_tfds(name, *, split, data_dir):
        asked.append((name, split, data_dir))
        return tfds.Labelled(elements, tuple(wnids))

    monkeypatch.setattr(datasets.images, "open_tfds", open_tfds)
    out = tmp_path / "features.npz"
    given = ["imagenet32", str(write()), str(classes), str(out), "--weights", str(resnet_weights)]
    convert.main([*given, "--images_per_class", "4", "--data_dir", "somewhere"])
    assert asked == [("imagenet_resized/32x32", "train", Path("somewhere"))]
    table = datasets.make("features", path=out)
    assert table.classes == ("n01", "n02", "n03")
    assert table.features.shape == (3, 4, 512)
    expected = datasets.make(
        "images", tfds="imagenet_resized/32x32", classes=["n02"], images_per_class=4, weights=resnet_weights
    )
    np.testing.assert_allclose(table.features[1], expected.features[0], rtol=1e-4, atol=1e-4)
    found = metad2a.load(path=write(), classes=classes).triples
    rows, mask = datasets.class_rows(table, [found.tasks[i] for i in np.unique(found.task)])
    assert rows.tolist() == [[0, 1], [2, 1]]
    assert mask.all()
