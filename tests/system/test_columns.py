import time

import pytest

from nag_jax.system import foreign
from nag_jax.system.columns import check_csv
from nag_jax.system.errors import InputError


def test_plain_tables_pass(tmp_path):
    path = tmp_path / "t.csv"
    for content in ("a,b\n1,2\n", "\ufeffa,b\n1,2\n", ",a\n0,1\n", ""):
        path.write_text(content, encoding="utf-8")
        check_csv(path)


def test_a_million_columns_are_refused_at_once(tmp_path):
    (tmp_path / "t.csv").write_text("," * 1_000_000)
    start = time.monotonic()
    with pytest.raises(InputError, match=r"t\.csv has 1,000,001 columns, expected at most 10,000: leave some out"):
        check_csv(tmp_path / "t.csv")
    assert time.monotonic() - start < 10, "pandas takes a minute"


def test_cells_count_with_what_they_become(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "_FREE", 1000)
    (tmp_path / "t.csv").write_text("a,b\n" + "x,y\n" * 1000)
    with pytest.raises(InputError, match=r"t\.csv has 4,004 bytes and would become more than the 33,032"):
        check_csv(tmp_path / "t.csv")


def test_a_name_that_comes_twice(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(InputError, match=r"t\.csv has the column 'a' 2 times"):
        check_csv(tmp_path / "t.csv")
