import numpy as np
import pytest

from nag_jax.evaluators import Metric
from nag_jax.evaluators.table import TableEvaluator
from nag_jax.system.errors import InputError


@pytest.fixture
def build(space, cells):
    """Makes a table of the four cells with the metric `acc`, some arguments replaced."""

    def build(**changes):
        arguments = {
            "name": "table",
            "space": space,
            "source": "here",
            "tokens": space.from_native(list(cells)),
            "columns": {"acc": np.array([4.0, 3.0, 2.0, 1.0]), "loss": np.array([0.1, 0.2, 0.3, 0.4])},
            "metrics": {"acc": Metric("acc"), "loss": Metric("loss", direction="min")},
            "objective": "acc",
        }
        return TableEvaluator(**(arguments | changes))

    return build


def test_a_call_returns_every_metric_in_the_order_asked(build):
    table = build()
    labels = table(table.architectures()[[2, 0, 2]])
    assert labels["acc"].tolist() == [2.0, 4.0, 2.0]
    assert labels["loss"].tolist() == [0.3, 0.1, 0.3]
    assert labels["acc"].dtype == np.float64


def test_labels_handed_out_are_copies(build):
    table = build()
    tokens = table.architectures()
    table(tokens)["acc"][:] = 0
    tokens[:] = 0
    assert table(table.architectures())["acc"].tolist() == [4.0, 3.0, 2.0, 1.0]


def test_no_public_attribute_holds_labels(build):
    table = build()
    public = {name: getattr(table, name) for name in dir(table) if not name.startswith("_")}
    assert set(public) == {
        "architectures",
        "batch_size",
        "covers",
        "fingerprint",
        "metrics",
        "name",
        "num_distinct",
        "objective",
        "rows",
        "space",
    }


def test_covers_says_what_the_table_has(build, space):
    table = build()
    other = space.from_index([7])
    assert table.covers(np.concatenate([table.architectures(), other])).tolist() == [True] * 4 + [False]


def test_another_architecture_is_an_input_error_with_its_string(build, space):
    other = space.from_index([7])
    with pytest.raises(InputError) as caught:
        build()(np.concatenate([build().architectures(), other]))
    assert space.to_native(other)[0] in str(caught.value)
    assert "4 of the 15,625" in str(caught.value)


def test_cells_that_compute_the_same_count_as_one(build, space, cells):
    skip_then_conv = "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|"
    conv_then_skip = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|skip_connect~2|"
    same = space.from_native([skip_then_conv, conv_then_skip])
    keys = space.canonical(same)
    table = build(tokens=np.concatenate([space.from_native(list(cells[:2])), same]))
    assert table.num_distinct == (3 if keys[0] == keys[1] else 4)


def test_fingerprint_identifies_the_content(build):
    table = build()
    backwards = build(
        tokens=table.architectures()[::-1],
        columns={"loss": np.array([0.4, 0.3, 0.2, 0.1]), "acc": np.array([1.0, 2.0, 3.0, 4.0])},
        source="elsewhere",
    )
    assert backwards.fingerprint == table.fingerprint
    acc, loss = np.array([4.0, 3.0, 2.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.4])
    other_value = build(columns={"acc": acc + 0.1, "loss": loss})
    other_metric = build(columns={"acc": acc}, metrics={"acc": Metric("acc")})
    assert len({table.fingerprint, other_value.fingerprint, other_metric.fingerprint}) == 3


def test_an_architecture_that_comes_twice_is_refused(build):
    tokens = build().architectures()
    tokens[3] = tokens[1]
    with pytest.raises(InputError, match=r"here, row 3: '\|nor_conv_1x1.*is already on row 1"):
        build(tokens=tokens)


def test_nan_is_refused_unless_allowed(build):
    columns = {"acc": np.array([4.0, np.nan, 2.0, np.nan]), "loss": np.zeros(4)}
    with pytest.raises(InputError, match=r"here, row 1: .* 'acc' is nan.*like that: 2.*allow_failed=True"):
        build(columns=columns)
    table = build(columns=columns, allow_failed=True)
    assert np.isnan(table(table.architectures())["acc"]).tolist() == [False, True, False, True]


def test_infinity_is_always_refused(build):
    columns = {"acc": np.array([4.0, 3.0, -np.inf, 1.0]), "loss": np.zeros(4)}
    with pytest.raises(InputError, match="row 2: the label 'acc' is -inf"):
        build(columns=columns, allow_failed=True)


def test_an_empty_table_is_refused(build):
    with pytest.raises(InputError, match="here has no rows"):
        build(tokens=np.zeros((0, 8), np.int32), columns={"acc": np.zeros(0), "loss": np.zeros(0)})


def test_an_unknown_objective_is_refused(build):
    with pytest.raises(InputError, match=r"metric of here 'los': did you mean 'loss'\? There are acc, loss"):
        build(objective="los")


def test_a_row_may_hold_for_a_class(build, space):
    """A skip and a convolution of the input do the same on either side of a skip."""
    one, other, third = (
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|",
        "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|",
        "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|",
    )
    row, same, another = (space.from_native([cell]) for cell in (one, other, third))
    assert space.canonical(row) == space.canonical(same) != space.canonical(another)
    columns = {"acc": np.array([4.0]), "loss": np.array([0.1])}
    table = build(tokens=row, columns=columns, one_a_class=True)
    assert table(same)["acc"] == [4.0]
    assert table.covers(np.concatenate([row, same, another])).tolist() == [True, True, False]
    assert not build(tokens=row, columns=columns).covers(same)
    assert table.architectures().tolist() == row.tolist()
    with pytest.raises(InputError, match=r"it has 1 of the 6,466 of nasbench201"):
        table(another)
    both = {name: np.repeat(values, 2) for name, values in columns.items()}
    with pytest.raises(InputError, match=r"row 1: .* is already on row 0"):
        build(tokens=np.concatenate([row, same]), columns=both, one_a_class=True)


def test_twins_may_share_the_mean_of_their_labels(space):
    everything = space.all_tokens()
    keys = space.canonical(everything)
    twins = everything[keys == np.unique(keys)[np.unique(keys, return_counts=True)[1] == 2][0]]
    tokens = np.concatenate([twins, everything[keys != space.canonical(twins)[0]][:1]])
    table = TableEvaluator(
        name="table",
        space=space,
        source="here",
        tokens=tokens,
        columns={"acc": np.array([4.0, 2.0, 1.0]), "fast": np.array([np.nan, 2.0, np.nan])},
        metrics={"acc": Metric("acc"), "fast": Metric("fast")},
        objective="acc",
        allow_failed=True,
        average_twins=True,
    )
    labels = table(tokens)
    assert labels["acc"].tolist() == [3.0, 3.0, 1.0]
    np.testing.assert_array_equal(labels["fast"], [2.0, 2.0, np.nan])
