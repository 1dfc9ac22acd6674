import collections
import datetime
import os
import pickle

import numpy as np
import pytest

from nag_jax.system import foreign
from nag_jax.system.errors import InputError
from nag_jax.system.foreign import Budget
from nag_jax.system.inert_pickle import Opaque, load, make_dictionary
from nag_jax.system.pickled_numbers import FUNCTIONS, numbers

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
OLD = b"\x80\x02cnumpy.core.multiarray\n"


def read(data, size=None):
    functions = FUNCTIONS | {"collections.OrderedDict": make_dictionary}
    return load(data, budget=Budget(len(data) if size is None else size), functions=functions)[0]


def pushed(value, protocol=2):
    """The opcodes that put a plain value on the stack."""
    return pickle.dumps(value, protocol)[2:-1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        None,
        [
            True,
            False,
            0,
            255,
            256,
            65_536,
            -1,
            2**31,
            -(2**63),
            2**1000,
            0.5,
            "text",
            "\u00e4\U0001f600",
            b"",
            b"bytes",
        ],
        {"a": 1, 2: (), (1, "b"): ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)), None: {}},
        list(range(3000)),
        ["x" * 300, b"y" * 300],
        collections.OrderedDict(a=1, b=[2]),
    ],
)
def test_plain_values(protocol, value):
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(4, pickle.HIGHEST_PROTOCOL + 1))
def test_sets(protocol):
    assert read(pickle.dumps([{1, 2}, frozenset("ab")], protocol)) == [{1, 2}, frozenset("ab")]


def test_shared_objects_are_shared():
    row: list = [1]
    found = read(pickle.dumps([row, row]))
    assert found[0] is found[1]
    row.append(row)
    found = read(pickle.dumps(row))
    assert found[1] is found


@pytest.mark.parametrize("protocol", range(2, 5))
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", ">f8", ">i4"])
def test_numpy_scalars_and_arrays(protocol, dtype):
    array = np.array([[1, 0, 1], [0, 0, 1]], dtype)
    content = [array, array.T, array[0, 0], np.asfortranarray(array), array, np.zeros((0, 3), dtype)]
    found = read(pickle.dumps(content, protocol))
    for one, expected in zip(found, content, strict=True):
        np.testing.assert_array_equal(one, expected)
        assert one.dtype == array.dtype.newbyteorder("=")
    assert found[4] is found[0], "an array that is there twice is one"
    assert not found[0].flags.writeable


def test_names_of_numpy_before_2():
    scalar = OLD + b"scalar\n" + pushed((np.dtype("<f8"), b"\0" * 6 + b"\xf0?")) + b"R."
    assert read(scalar) == 1.0


@pytest.mark.parametrize(
    "value", [eval, os.system, datetime.date(2020, 1, 1), np.array([{}], object), np.array("text"), 1j, np.dtype("O")]
)
def test_all_else_is_opaque(value):
    found = read(pickle.dumps({"here": value, "there": 1}))
    assert isinstance(found["here"], Opaque)
    assert found["there"] == 1
    with pytest.raises(InputError, match=r"expected numbers, found <.*, which isn't read>"):
        numbers([found["here"]], Budget(0))


class Runs:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,), {"state": 1}, iter([1, 2]), iter([("a", 1)])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_called(tmp_path, protocol):
    found = read(pickle.dumps(Runs(str(tmp_path / "ran")), protocol))
    assert found.name == f"{os.mkdir.__module__}.mkdir"
    assert found.state == {"state": 1}
    assert not (tmp_path / "ran").exists()


def nested_tuples(depth):
    return b"\x80\x02})" + b"\x85" * depth + b"Ns."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x02Nr\x00\xc2\xeb\x0b.", "leaves a gap in what it remembers"),
        (nested_tuples(200_000), "has a key of tuple, expected text or a number"),
        (b"\x80\x02]]\x85\x93.", "names a class by what is no text|pop from empty"),
        (b"\x80\x02cos\nsystem\n}b.", "the pickle alters what is no object"),
        (b"\x80\x02K\x01)R.", "calls what is no name"),
        (b"\x80\x02cos\nsystem\n)RK\x01\x85R.", "calls what is no name"),
        (b"\x80\x02K\x01Q.", "refers to something outside"),
        (b"\x80\x05\x97.", "has the opcode 151"),
        (b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b".", "ends too early"),
        (
            OLD + b"scalar\n" + pickle.dumps((np.dtype("<f8"), b"1234"), 2)[2:-1] + b"R.",
            "a number of float64 has 4 bytes",
        ),
    ],
)
def test_bombs_and_damage(data, message):
    with pytest.raises((InputError, IndexError), match=message):
        read(data)


def array_of(shape, content=b"\0" * 8):
    dtype = pickle.dumps(np.dtype("<f8"), 2)[2:-1]
    state = b"(K\x01" + pushed(shape) + dtype + b"\x89" + b"C" + bytes([len(content)]) + content + b"t"
    return OLD + b"_reconstruct\n" + pushed((0,)) + b"R" + state + b"b."


@pytest.mark.parametrize("shape", [(2,), (10**12,), (-1, -1), (True,), (1.0,), ("1",)])
def test_arrays_have_exactly_the_bytes_of_their_shape(shape):
    assert read(array_of((1, 1))).tolist() == [[0.0]]
    with pytest.raises(InputError, match="bytes, and its shape needs others"):
        read(array_of(shape))


def test_what_is_copied_again_and_again_counts(monkeypatch):
    monkeypatch.setattr(foreign, "_FREE", 10**6)
    text = b"X" + (6000).to_bytes(4, "little") + b"a" * 6000
    encoded = b"(" + b"h\x00h\x01h\x02\x86R" * 500 + b"t."
    for data in (b"\x80\x04c_codecs\nencode\n\x94" + text + b"\x94\x8c\x06latin1\x94" + encoded, b"\x8f" * 20_000):
        with pytest.raises(InputError, match="and would become more than"):
            read(data, size=1000)


def test_numbers_count_what_is_there_twice_and_never_recurse():
    row: list = list(range(1000))
    with pytest.raises(InputError, match="would become more"):
        numbers([[row] * 1000] * 1000, Budget(0))
    row.append(row)
    with pytest.raises(InputError, match="nested more than 8 times"):
        numbers(row, Budget(0))
    for ragged in ([[1], [1, 2]], [[1], 2], ["1"], [None], [2**70]):
        with pytest.raises(InputError, match=r"form no array|expected numbers"):
            numbers(ragged, Budget(0))
