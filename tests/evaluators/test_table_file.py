from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nag_jax
from nag_jax.evaluators import Metric, table_file, table_formats
from nag_jax.system.errors import InputError

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def load(path, metric="valid_acc", **options):
    return table_file.load(path=path, metric=metric, **options)


def test_a_csv_file_gives_its_labels(table_path, space, cells):
    table = load(table_path)
    labels = table(space.from_native([cells[2], cells[0]]))
    assert labels["valid_acc"].tolist() == [50.25, 93.5]
    assert labels["latency"].tolist() == [5.025, 9.35]
    assert table.objective == "valid_acc"


def test_metrics_are_the_numeric_columns_without_gaps(table_path):
    assert list(load(table_path).metrics) == ["valid_acc", "latency"]


def test_directions_units_and_splits_have_defaults_and_options(table_path):
    metrics = load(table_path).metrics
    assert metrics["valid_acc"] == Metric("valid_acc", unit="", direction="max", split="validation")
    assert metrics["latency"] == Metric("latency", unit="", direction="max", split="none")
    metrics = load(
        table_path, directions={"latency": "min"}, units={"latency": "ms"}, splits={"valid_acc": "test"}
    ).metrics
    assert metrics["valid_acc"] == Metric("valid_acc", unit="", direction="max", split="test")
    assert metrics["latency"] == Metric("latency", unit="ms", direction="min", split="none")
    assert load(table_path, metrics="latency:min:ms").metrics["latency"] == metrics["latency"]
    with pytest.raises(InputError, match=r"unknown metric of .*'latncy'"):
        load(table_path, metrics="latncy:min")


@pytest.mark.parametrize(
    ("column", "split"),
    [
        ("cifar10_valid_acc_12ep", "validation"),
        ("val_acc", "validation"),
        ("interval", "none"),
        ("cifar10_TEST", "test"),
        ("train_loss", "train"),
        ("cifar10-valid_ori-test", "test"),
        ("cifar10_valid_train_acc", "train"),
        ("validationAccuracy", "validation"),
        ("x-valid@200", "validation"),
        ("TestAcc", "test"),
        ("test1", "test"),
        ("invalid_rate", "none"),
        ("latest_acc", "none"),
        ("contest_score", "none"),
        ("constraint", "none"),
    ],
)
def test_the_split_is_guessed_from_the_name(write_csv, cells, column, split):
    assert load(write_csv(f"arch,{column}", f"{cells[0]},1"), column).metrics[column].split == split


def test_parquet_and_csv_are_the_same_table(table_path, tmp_path):
    parquet = tmp_path / "table.parquet"
    pd.read_csv(table_path).to_parquet(parquet)
    assert load(parquet).fingerprint == load(table_path).fingerprint


def test_a_parquet_file_is_known_by_its_content_and_may_have_arch_as_index(table_path, tmp_path):
    path = tmp_path / "table.bin"
    pd.read_csv(table_path).set_index("arch").to_parquet(path)
    assert load(path).fingerprint == load(table_path).fingerprint


def test_nullable_integers_and_32_bit_floats_are_numbers(tmp_path, cells):
    path = tmp_path / "table.parquet"
    accuracies = np.array([1, 2, 3, 4], np.float32)
    frame = pd.DataFrame({"arch": cells, "params": pd.array([1, 2, None, 4], "Int64"), "acc": accuracies})
    frame.to_parquet(path)
    assert list(load(path, "acc").metrics) == ["acc"]
    table = load(path, "params", allow_failed=True)
    np.testing.assert_array_equal(table(table.architectures())["params"], [1, 2, np.nan, 4])


def test_blank_lines_and_a_byte_order_mark_do_not_matter(tmp_path, cells):
    path = tmp_path / "table.csv"
    path.write_text(f"\ufeffarch,acc\n{cells[0]},1\n\n{cells[1]},2\n\n", encoding="utf-8")
    table = load(path, "acc")
    assert table(table.architectures())["acc"].tolist() == [1, 2]


def test_a_column_that_comes_twice_is_refused(write_csv, cells):
    with pytest.raises(InputError, match=r"table\.csv has the column 'acc' 2 times: rename or remove"):
        load(write_csv("arch,acc,acc", f"{cells[0]},1,2"), "acc")
    with pytest.raises(InputError, match=r"the column 'arch' 2 times"):
        load(write_csv("arch,arch,acc", f"{cells[0]},{cells[1]},2", name="b"), "acc")
    table = load(write_csv("arch,acc,acc.1,,", f"{cells[0]},1,2,,", name="c"), "acc.1")
    assert list(table.metrics) == ["acc", "acc.1"]


def test_a_data_frame_needs_columns_of_one_name_each(cells):
    frame = pd.DataFrame({"arch": cells[:2], "acc": [1.0, 2.0]})
    repeated = pd.concat([frame, frame[["acc"]]], axis=1)
    for bad in (
        repeated,
        repeated.rename(columns={"acc": "x"}),
        repeated.set_index("arch"),
        pd.DataFrame({"arch": cells[:2], 1: 1.0, "1": 2.0}),
        frame.set_index("arch", drop=False),
    ):
        with pytest.raises(InputError, match=r"^the data frame has the column '\w+' 2 times: rename"):
            table_file.from_frame(bad, metric="acc")


def test_a_data_frame_with_columns_of_several_levels_is_refused(cells):
    columns = pd.MultiIndex.from_product([["arch", "acc"], ["a", "b"]])
    frame = pd.DataFrame([[*cells[:2], 1.0, 2.0]], columns=columns)
    with pytest.raises(InputError, match=r"has columns of 2 levels, as \('arch', 'a'\): give every column one name"):
        table_file.from_frame(frame, metric="acc")


def test_what_is_no_data_frame_is_refused(space, cells):
    columns = {"arch": cells[:2], "acc": [1.0, 2.0]}
    for wrong in (columns, pd.Series(columns["acc"]), [columns], None, 3, np.ones((2, 2))):
        with pytest.raises(InputError, match=r"expected a pandas\.DataFrame, .* make a data frame of it"):
            nag_jax.evaluator(wrong, space, metric="acc")  # pyright: ignore[reportArgumentType]


def test_a_parquet_file_whose_footer_is_damaged_is_refused(shared):
    path = shared / "faults" / "damaged_metadata.parquet"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    with pytest.raises(InputError, match=r"can't be read as CSV or Parquet \(KeyError: 'start'\): export it again"):
        load(path, "acc")


def test_a_parquet_file_with_a_flipped_byte_is_read_or_refused(tmp_path, cells):
    """Its pages have no checksum, so some changes are only seen by who keeps one."""
    path = tmp_path / "table.parquet"
    pd.DataFrame({"arch": cells, "acc": [1.0, 2.0, 3.0, 4.0]}).to_parquet(path)
    content = path.read_bytes()
    for place in range(len(content) - 600, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            load(path, "acc")
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.csv: expected a CSV or Parquet file, found nothing"):
        load(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="expected a CSV or Parquet file, found a folder"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("binary.csv", b"\xff\xfe\x00\x01" * 20),
        ("uneven.csv", b"arch,acc\n|none~0|,1\n|none~0|,1,2,3\n"),
        ("wide.csv", b"arch,acc\n|none~0|,1,2\n|none~0|,1,3\n"),
        ("cut.parquet", b"PAR1\x00\x01\x02"),
        ("text.parquet", b"arch,acc\n|none~0|,1\n"),
    ],
)
def test_an_unreadable_file_is_refused_in_one_line(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{name} can't be read as CSV or Parquet") as caught:
        load(path, "acc")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cell", "arch_str", "ArchitectureString"])
def test_the_column_of_architectures_is_known_by_its_strings(name, write_csv, cells):
    table = load(write_csv(f"i,note,{name},acc", f"1,x,{cells[0]},93", f"2,y,{cells[1]},91"), "acc")
    assert table(table.architectures())["acc"].tolist() == [93, 91]


def test_the_column_of_architectures_may_be_named(write_csv, cells):
    path = write_csv("arch,other,acc", f"{cells[0]},{cells[1]},93")
    assert load(path, "acc", column="other").covers(load(path, "acc").architectures()).tolist() == [False]
    with pytest.raises(InputError, match=r"has no column 'nope' of architecture strings: name one of arch, other, acc"):
        load(path, "acc", column="nope")


def test_a_table_without_architectures_or_with_several_columns_of_them_is_refused(write_csv, cells):
    with pytest.raises(
        InputError, match=r"no column 'arch' .* none that holds those of nasbench201: name one .* a, acc"
    ):
        load(write_csv("a,acc", "nonsense,1"), "acc")
    with pytest.raises(InputError, match=r"several, a, b that hold those of nasbench201: name one with column"):
        load(write_csv("a,b,acc", f"{cells[0]},{cells[1]},1", name="two"), "acc")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_and_tabs_separate_too(separator, table_path, tmp_path):
    path = tmp_path / "table.txt"
    path.write_text(table_path.read_text().replace(",", separator))
    assert load(path).fingerprint == load(table_path).fingerprint


def test_between_semicolons_commas_are_decimal_points(tmp_path, cells):
    path = tmp_path / "table.csv"
    path.write_text(f"arch;acc;note\n{cells[0]};93,25;a,b\n{cells[1]};-1,5;c\n")
    table = load(path, "acc")
    assert table(table.architectures())["acc"].tolist() == [93.25, -1.5]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("t.xlsx", b"PK\x03\x04rest", r"t\.xlsx is an Excel workbook, .*: save its sheet as CSV"),
        ("t.json", b' [{"arch": "x"}]', r"t\.json is JSON, .*: write it as CSV"),
        ("t.csv", b'{"arch": {"0": "x"}}', r"t\.csv is JSON"),
        ("t.db", b"SQLite format 3\x00", r"t\.db is an SQLite file"),
        ("t.pkl", b"\x80\x04\x95", r"t\.pkl is a pickle"),
    ],
)
def test_files_of_other_kinds_are_named_as_what_they_are(name, content, kind, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=kind):
        load(tmp_path / name, "acc")


def test_repeats_are_averaged_on_request_and_rows_are_counted(write_csv, cells):
    path = write_csv("arch,acc,late", f"{cells[1]},90,1", f"{cells[0]},92,2", f"{cells[1]},91,", f"{cells[1]},92,3")
    with pytest.raises(InputError, match=r"line 4: .* is already on line 2; .* average_repeats=True"):
        load(path, "acc")
    table = load(path, "acc", average_repeats=True, allow_failed=True)
    labels = table(table.architectures())
    assert (labels["acc"].tolist(), labels["late"].tolist()) == ([91, 92], [2, 2])
    assert (table.rows, table.num_distinct) == (4, 2)
    assert "4 rows for 2 architectures of 'nasbench201'" in repr(table)


@pytest.mark.parametrize(
    ("columns", "metric", "split", "title"),
    [
        (("cifar10", "cifar100", "ImageNet16-120"), "cifar10", "test", "CIFAR-10 test accuracy"),
        (
            ("cifar10-valid", "cifar10-test", "imagenet-test"),
            "cifar10-valid",
            "validation",
            "CIFAR-10 validation accuracy",
        ),
        (("CIFAR10TestAccuracy", "CIFAR100TestAccuracy"), "CIFAR100TestAccuracy", "test", "CIFAR-100 test accuracy"),
    ],
)
def test_exports_of_the_benchmarks_are_recognised_by_their_columns(columns, metric, split, title, write_csv, cells):
    path = write_csv(",".join(["index", "arch_str", *columns]), ",".join(["0", cells[0], *["90"] * len(columns)]))
    table = load(path, metric)
    assert list(table.metrics) == list(columns)
    found = table.metrics[metric]
    assert (found.unit, found.split, found.label) == ("%", split, title)
    assert load(path, title).objective == metric


def test_costs_in_an_export_are_better_where_less(write_csv, cells):
    header = "arch,cifar10_valid_acc,cifar100_test_loss,cifar10_params,flops,cifar10_latency"
    metrics = load(write_csv(header, f"{cells[0]},90,0.5,1,2,3"), "cifar10_valid_acc").metrics
    assert [metric.direction for metric in metrics.values()] == ["max", "min", "min", "min", "min"]
    assert metrics["cifar100_test_loss"].split == "test"


def test_an_unknown_metric_gets_the_numeric_columns_closest_first(table_path):
    message = r"'valid_ac': did you mean 'valid_acc'\? There are valid_acc, latency, measured_late$"
    with pytest.raises(InputError, match=message):
        load(table_path, "valid_ac")


def test_the_columns_of_architectures_is_no_metric(table_path):
    with pytest.raises(InputError, match=r"unknown metric of .* 'arch'"):
        load(table_path, "arch")


def test_a_metric_of_text_is_refused_with_the_first_offender(table_path, write_csv, cells):
    with pytest.raises(InputError, match="line 2: the column 'note' must hold numbers, found 'n0'"):
        load(table_path, "note")
    path = write_csv("arch,acc,loss", f"{cells[0]},1,2", f"{cells[1]},1.5 %,2", f"{cells[2]},x,3", name="b")
    with pytest.raises(InputError, match=r"line 3: .*'acc' must hold numbers, found '1\.5 %'.*column: loss"):
        load(path, "acc")


def test_a_string_that_is_no_architecture_is_refused_with_its_line(write_csv, cells):
    path = write_csv("arch,acc", f"{cells[0]},1", "", f"{cells[1]},2", "|nor_conv_5x5~0|,3")
    with pytest.raises(InputError, match=r"table\.csv, line 5: '\|nor_conv_5x5~0\|'"):
        load(path, "acc")


def test_parquet_rows_are_counted_from_zero(tmp_path, cells):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"arch": [*cells[:2], "nonsense"], "acc": [1.0, 2.0, 3.0]}).to_parquet(path)
    with pytest.raises(InputError, match=r"table\.parquet, row 2 \(from 0\): 'nonsense'"):
        load(path, "acc")


def test_an_empty_architecture_is_refused_with_its_line(write_csv, cells):
    with pytest.raises(InputError, match="line 3: the column 'arch' is empty"):
        load(write_csv("arch,acc", f"{cells[0]},1", ",2"), "acc")


def test_an_architecture_that_comes_twice_is_refused_with_both_lines(write_csv, cells):
    path = write_csv("arch,acc", f"{cells[0]},1", f"{cells[1]},2", f"{cells[0]},3")
    with pytest.raises(InputError, match=r"line 4: .* is already on line 2"):
        load(path, "acc")


def test_a_gap_in_the_metric_is_refused_unless_allowed(table_path, space, cells):
    with pytest.raises(InputError, match=r"line 5: the label 'measured_late' is nan.*allow_failed=True"):
        load(table_path, "measured_late")
    table = load(table_path, "measured_late", allow_failed=True)
    assert np.isnan(table(space.from_native([cells[3]]))["measured_late"]).all()
    assert list(table.metrics) == ["valid_acc", "latency", "measured_late"]


def test_a_table_without_rows_is_refused(write_csv):
    with pytest.raises(InputError, match=r"table\.csv has no rows"):
        load(write_csv("arch,acc"), "acc")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"directions": {"latncy": "min"}}, "'latncy': did you mean 'latency'"),
        ({"units": {"note": "m"}}, "unknown metric of .* 'note'"),
        ({"directions": {"latency": "down"}}, "unknown direction of the metric 'latency' 'down'"),
        ({"splits": {"latency": "testing"}}, "unknown split of the metric 'latency' 'testing'"),
    ],
)
def test_options_about_columns_are_checked(table_path, options, message):
    with pytest.raises(InputError, match=message):
        load(table_path, **options)


def test_the_real_benchmark_reads_whole(space):
    path = SHARED / "data" / "nb201_cifar.csv"
    if not path.is_file():
        pytest.skip("needs the NAS-Bench-201 table nb201_cifar.csv")
    table = load(path, "cifar10_valid_acc")
    assert table.covers(space.from_index(np.arange(space.size))).all()
    assert table.num_distinct == 6466
    assert table.metrics["cifar100_test_acc"].split == "test"


def test_a_small_parquet_file_does_not_become_gigabytes(tmp_path, cells):
    """Twenty million equal rows are 150 kB, and ten long texts, each ten thousand times, are 10 MB."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "table.parquet"
    one = pa.table({"arch": pa.array([cells[0]] * 10**6).dictionary_encode(), "acc": [0.0] * 10**6})
    with pq.ParquetWriter(path, one.schema, compression="zstd", store_schema=False) as writer:
        for _ in range(20):
            writer.write_table(one)
    with pytest.raises(InputError, match=r"table\.parquet has .* bytes and would become more than"):
        load(path)


def test_equal_texts_of_a_parquet_file_share_their_memory(tmp_path):
    frame = pd.DataFrame({"arch": ["a" * 1000, "b" * 1000] * 100, "acc": 1.0})
    frame.to_parquet(tmp_path / "table.parquet")
    found, _ = table_formats.read(tmp_path / "table.parquet")
    assert found["arch"].tolist() == frame["arch"].tolist()
    assert len({id(text) for text in found["arch"]}) == 2
