import itertools

import jax
import numpy as np
import pytest

from nag_jax import evaluators, spaces
from nag_jax.evaluators.ofa_accuracy import features
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.spaces.mobilenet_v3 import SKIP
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger

LARGEST, SMALLEST = np.full((1, 20), 8), np.tile([0, 0, SKIP, SKIP], 5)[None]


@pytest.fixture(scope="module")
def space():
    return spaces.make("mobilenet_v3")


@pytest.fixture(scope="module")
def tokens(space):
    return np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 300))


def write_predictor(path, *, widths=(128, 400, 1)):
    rng = np.random.default_rng(0)
    arrays = {}
    for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        arrays[f"{2 * i}.weight"] = rng.standard_normal((outputs, inputs)) / inputs**0.5
        arrays[f"{2 * i}.bias"] = rng.standard_normal(outputs)
    np.savez(path, allow_pickle=False, **arrays)
    return arrays


def write_latencies(path, space, tokens, latency):
    rows = ["ks,e,d,r,lat_phone,lat_other"]
    for form, value in zip(space.to_ofa(tokens), latency, strict=True):
        fields = [" ".join(map(str, form[name])) for name in ("ks", "e", "d")]
        rows.append(",".join([*fields, "224", f"{value}", f"{2 * value}"]))
    path.write_text("\n".join(rows) + "\n")


def test_costs_need_no_file(space, tokens):
    evaluator = evaluators.make("mobilenet_v3")
    assert list(evaluator.metrics) == ["macs", "params"]
    assert evaluator.objective is None  # type: ignore[attr-defined]
    assert evaluator(LARGEST)["params"].tolist() == [7_664_760]
    np.testing.assert_array_equal(evaluator(tokens)["macs"], space.costs()["macs"].of(tokens))


def test_the_resolution_is_the_spaces():
    low, high = (evaluators.make("mobilenet_v3", space=spaces.make("mobilenet_v3", resolution=r)) for r in (128, 224))
    assert low(LARGEST)["macs"] < high(LARGEST)["macs"]
    assert low.fingerprint != high.fingerprint


def test_the_predictor_is_a_perceptron_on_its_features(space, tokens, tmp_path):
    arrays = write_predictor(tmp_path / "p.npz")
    evaluator = evaluators.make("mobilenet_v3", accuracy_file=tmp_path / "p.npz")
    hidden = np.maximum(features(space, tokens) @ arrays["0.weight"].T + arrays["0.bias"], 0.0)
    expected = 100.0 * (hidden @ arrays["2.weight"].T + arrays["2.bias"])[:, 0]
    np.testing.assert_allclose(evaluator(tokens)["accuracy"], expected, rtol=1e-4, atol=1e-3)
    assert next(iter(evaluator.metrics)) == "accuracy"


def test_features_leave_skipped_layers_empty(space):
    rows = features(space, np.concatenate([LARGEST, SMALLEST]))
    assert rows.shape == (2, 128)
    assert rows.sum(axis=1).tolist() == [41, 21]
    assert rows[0].nonzero()[0].tolist() == [*range(2, 60, 3), *range(62, 120, 3), 127]


def test_the_published_predictor_gives_its_known_value(shared, tokens):
    evaluator = evaluators.make("mobilenet_v3", accuracy_file=shared / "data" / "ofa_acc_predictor.npz")
    assert evaluator(LARGEST)["accuracy"][0] == pytest.approx(83.59, abs=0.01)
    assert 77 < evaluator(tokens)["accuracy"].min() < evaluator(tokens)["accuracy"].max() < 85


def test_latencies_that_add_up_are_learned_exactly(space, tokens, tmp_path):
    cost = 3.0 + space.costs()["macs"].of(tokens) / 1e8
    write_latencies(tmp_path / "lat.csv", space, tokens, cost)
    evaluator = evaluators.make("mobilenet_v3", latency_file=tmp_path / "lat.csv")
    assert list(evaluator.metrics) == ["macs", "params", "latency_phone", "latency_other"]
    fresh = np.asarray(space.random(jax.random.key(1), 100))
    expected = 3.0 + space.costs()["macs"].of(fresh) / 1e8
    np.testing.assert_allclose(evaluator(fresh)["latency_phone"], expected, rtol=0.02)
    facts = evaluator.facts["latency_phone"]  # type: ignore[attr-defined]
    assert facts["measurements"] == 300
    assert facts["held_out_error_percent"] < 2
    one = evaluators.make("mobilenet_v3", latency_file=tmp_path / "lat.csv", device="other")
    assert list(one.metrics) == ["macs", "params", "latency"]
    np.testing.assert_allclose(one(fresh)["latency"], 2 * expected, rtol=0.02)


def test_the_published_latencies_are_predicted_within_five_percent(shared):
    path = shared / "data" / "ofa_mbv3_latency_ms.csv"
    evaluator = evaluators.make("mobilenet_v3", latency_file=path)
    for facts in evaluator.facts.values():  # type: ignore[attr-defined]
        assert facts["held_out_error_percent"] < 5
        assert facts["held_out_spearman"] > 0.85


def test_there_is_no_table_to_report_from():
    with pytest.raises(InputError, match="'mobilenet_v3' has no table to report from"):
        reporting_view(evaluators.make("mobilenet_v3"))


def test_a_ledger_tells_all_networks_apart(space, tokens, tmp_path):
    evaluator = evaluators.make("mobilenet_v3")
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        ledger.label(tokens, "test")
        assert ledger.num_paid == len(np.unique(tokens, axis=0))
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        assert ledger.is_paid(tokens).all()
        assert [trial.key for trial in ledger.trials()][:3] == space.canonical(tokens[:3]).tolist()


def test_wrong_files_and_names_are_refused(space, tokens, tmp_path):
    write_predictor(tmp_path / "p.npz", widths=(128, 400, 2))
    with pytest.raises(InputError, match="is not once-for-all's accuracy predictor"):
        evaluators.make("mobilenet_v3", accuracy_file=tmp_path / "p.npz")
    with pytest.raises(InputError, match=r"there is no 'accuracy' without its predictor.*accuracy_file"):
        evaluators.make("mobilenet_v3", metric="accuracy")
    with pytest.raises(InputError, match="no latency without measurements: give it latency_file"):
        evaluators.make("mobilenet_v3", device="phone")
    with pytest.raises(InputError, match="not of 'nasbench201': use that space"):
        evaluators.make("mobilenet_v3", space=spaces.make("nasbench201"))
    path = tmp_path / "lat.csv"
    write_latencies(path, space, tokens[:60], np.linspace(1.0, 2.0, 60))
    with pytest.raises(InputError, match=r"unknown device of .* 'phoney': did you mean 'phone'"):
        evaluators.make("mobilenet_v3", latency_file=path, device="phoney")
    good = path.read_text().splitlines()
    for line, found in (
        (good[1].replace(",1.0,", ",-1,"), "line 2: 'lat_phone' must be a latency in ms"),
        (good[1].replace(",224,", ",225,"), "line 2: unknown resolution 225"),
        ("3 3" + good[1][good[1].index(",") :], "line 2: 'ks' must be 20 numbers"),
    ):
        path.write_text("\n".join([good[0], line, *good[2:]]))
        with pytest.raises(InputError, match=found):
            evaluators.make("mobilenet_v3", latency_file=path)
    path.write_text("\n".join([good[0].replace("other", "phone"), *good[1:]]))
    with pytest.raises(InputError, match="has the column 'lat_phone' 2 times: rename or remove the others"):
        evaluators.make("mobilenet_v3", latency_file=path)
    path.write_text("\n".join(good[:20]))
    with pytest.raises(InputError, match="19 rows, too few"):
        evaluators.make("mobilenet_v3", latency_file=path)
    path.write_text("ks,e,d,lat_phone\n")
    with pytest.raises(InputError, match="no column 'r'"):
        evaluators.make("mobilenet_v3", latency_file=path)
