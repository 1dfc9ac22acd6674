"""What the tests of evaluators share: the space, and a table small enough to read."""

import pytest

from nag_jax import spaces

CELLS = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|",
    "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
)


@pytest.fixture(scope="session")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="session")
def cells():
    """Four native strings whose cells compute four different things."""
    return CELLS


@pytest.fixture
def write_csv(tmp_path):
    """Writes lines as a CSV file and returns its path."""

    def write(*lines, name="table.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def table_path(write_csv, cells):
    """A table of four cells with two metrics, a column with a gap, and one of text."""
    return write_csv(
        "arch,valid_acc,latency,measured_late,note",
        f"{cells[0]},93.5,9.35,93.5,n0",
        f"{cells[1]},89.5,8.95,89.5,n1",
        f"{cells[2]},50.25,5.025,50.25,n2",
        f"{cells[3]},10.0,1.0,,n3",
    )
