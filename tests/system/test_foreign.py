import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest

from nag_jax.system.errors import InputError
from nag_jax.system.foreign import Archive, Budget, load_json, most_bytes, read_npz
from nag_jax.system.whole import whole_numbers


def test_the_bound():
    assert most_bytes(0) == 2**28
    assert most_bytes(10**9) == 2**28 + 8 * 10**9
    budget = Budget(10)
    budget.take(2**28 + 80)
    with pytest.raises(InputError, match="it has 10 bytes and would become more than the 268,435,536 that it may"):
        budget.take(1)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yz"]), "c": np.array(True), "d": np.zeros((0, 4))}
    save(tmp_path / "f.npz", **arrays)
    found = read_npz(tmp_path / "f.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def npy(shape, dtype: Any = "<f8", content=b""):
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + content


@pytest.mark.parametrize(
    "content",
    [
        npy((10**9,)),
        npy((2,), content=b"\0" * 8),
        npy((1,), content=b"\0" * 9),
        npy((10**12,), "<U0"),
        npy((0, 10**15)),
        npy((-1,), content=b"\0" * 8),
        npy((1,), "|O", content=b"\x80\x02N."),
        npy((1,), "<c8", content=b"\0" * 8),
        npy((1,), [("a", "<f8")], content=b"\0" * 8),
        b"text",
    ],
)
def test_arrays_that_are_no_arrays(tmp_path, content):
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises((InputError, ValueError)):
        read_npz(tmp_path / "f.npz")


def test_a_bomb_is_not_inflated(tmp_path):
    """300 MB of zeros are 1.3 MB."""
    path = tmp_path / "f.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.npy", "w") as member,
    ):
        member.write(npy((300 * 2**17,)))
        for _ in range(75):
            member.write(bytes(2**22))
    with pytest.raises(InputError, match="larger together than such a file may become"):
        read_npz(path)


def test_members_that_share_bytes(tmp_path):
    path = tmp_path / "f.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"\0" * 10_000)
        for i in range(10):
            info = zipfile.ZipInfo(f"b{i}")
            info.file_size = info.compress_size = 10_000
            info.header_offset = 0
            info.CRC = 0
            archive.filelist.append(info)
    with path.open("rb") as file, pytest.raises(InputError, match="larger together"):
        Archive(file, compressed=False)


def test_members_of_one_name_and_of_other_compressions(tmp_path):
    path = tmp_path / "f.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", b"2")
    with path.open("rb") as file, pytest.raises(InputError, match="one name"):
        Archive(file, compressed=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"1")
    with path.open("rb") as file, pytest.raises(InputError, match="is compressed, expected deflate"):
        Archive(file, compressed=True)


def test_json():
    assert load_json('{"a": [1, null]}') == {"a": [1, None]}
    for text in ("[" * 100_000, b"\xff", "{", json.dumps("x" * 2**26), "1" * 5000):
        with pytest.raises(ValueError, match=r"."):
            load_json(text)


@pytest.mark.parametrize(
    "values", [[0.0], [0.9], ["1"], [True], [2**63], [2**64], [[1], [1, 2]], [None], np.uint64(2**63)]
)
def test_only_whole_numbers_are_whole_numbers(values):
    with pytest.raises(InputError, match=r"things must (be|form an array of) whole numbers"):
        whole_numbers(values, "things")


def test_whole_numbers():
    assert whole_numbers([], "things").dtype == np.int64
    assert whole_numbers(np.array([3], np.uint64), "things").tolist() == [3]
