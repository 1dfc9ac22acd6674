"""Tables that can't be used: refused with the file, the place in it, and what to do."""

import pandas as pd
import pytest

ROWS = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|,93.5",
    "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|,89.5",
    "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|,50.25",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,10.0",
)
STRANGE = ROWS[1].replace("nor_conv_1x1~2", "sep_conv_5x5~2")


def table_flags(path, metric="acc"):
    return [
        f"--config.evaluator.{field}={value}"
        for field, value in [("name", "table"), ("path", path), ("metric", metric)]
    ]


@pytest.fixture
def refused_table(refused, tmp_path):
    """Writes lines into a CSV file, whose use must be refused."""

    def check(*lines, says, metric="acc"):
        path = tmp_path / "mine.csv"
        path.write_text("".join(f"{line}\n" for line in lines))
        refused(*table_flags(path, metric), says=(str(path), *says))
        assert path.read_text() == "".join(f"{line}\n" for line in lines)

    return check


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((), ("No columns to parse", "export it again")),
        (("arch,acc",), ("no rows", "expected an architecture a row")),
        (("cell,acc", "one,93.0", "two,89.0"), ("column", "cell, acc")),
        (("arch,accuracy", *ROWS), ("metric", "'acc'", "accuracy")),
        (("arch,acc", *ROWS[:2], STRANGE), ("line 4", "sep_conv_5x5", "nor_conv_3x3")),
        (("arch,acc", *ROWS[:2], "cell one,93.0"), ("line 4", "'cell one'")),
        (("arch,acc", *ROWS[:2], ",93.0"), ("line 4", "'arch' is empty", "fill it in")),
        (("arch,acc", *ROWS[:3], ROWS[0]), ("line 5", "already on line 2", "keep one row")),
        (
            ("arch,acc", *ROWS[:3], ROWS[3].replace("10.0", "")),
            ("line 5", "'acc' is nan", "fill it in", "allow_failed"),
        ),
        (("arch,acc", *ROWS[:3], ROWS[3].replace("10.0", "nan")), ("line 5", "'acc' is nan", "allow_failed")),
        (("arch,acc", *ROWS[:3], ROWS[3].replace("10.0", "inf")), ("line 5", "'acc' is inf", "fill it in")),
        (
            ("arch,acc", *ROWS[:3], ROWS[3].replace("10.0", "bad")),
            ("line 5", "must hold numbers", "'bad'", "correct it"),
        ),
    ],
)
def test_a_bad_table_is_refused(lines, says, refused_table):
    refused_table(*lines, says=says)


def test_more_labels_than_the_table_has_are_refused(refused, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["arch,acc", *ROWS, ""]))
    refused(*table_flags(path), says=("44 labels", "table has 4 architectures that differ", "ask for fewer"))


def test_a_missing_table_is_refused(refused, tmp_path):
    path = tmp_path / "nowhere.csv"
    refused(*table_flags(path), says=(str(path), "found nothing", "correct the path"))


def test_a_folder_is_refused(refused, tmp_path):
    refused(*table_flags(tmp_path), says=(str(tmp_path), "found a folder", "correct the path"))


def test_a_damaged_parquet_file_is_refused(refused, tmp_path):
    path = tmp_path / "mine.parquet"
    pd.DataFrame({"arch": ["|none~0|"], "acc": [1.0]}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    refused(*table_flags(path), says=(str(path), "can't be read as CSV or Parquet", "export it again"))


def test_a_bad_row_of_a_parquet_file_is_named(refused, tmp_path):
    path = tmp_path / "mine.parquet"
    pd.DataFrame({"arch": [ROWS[0].split(",")[0], "cell one"], "acc": [1.0, 2.0]}).to_parquet(path)
    refused(*table_flags(path), says=(str(path), "row 1 (from 0)", "'cell one'"))


def test_a_direction_that_is_none_is_refused(refused, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["arch,acc", *ROWS, ""]))
    flag = "--config.evaluator.direction=down"
    refused(*table_flags(path), flag, says=("direction", "'down'", "max", "min"))
