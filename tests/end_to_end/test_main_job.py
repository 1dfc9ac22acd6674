"""The main job from the command line to its results, first and again."""

import json
import re
import subprocess

import numpy as np
import pytest

from nag_jax import evaluators, spaces
from nag_jax.evaluators.reporting import reporting_view

PHASES = [
    "score network",
    "labels for training",
    "predictor",
    "aim",
    "unconditional samples",
    "guided samples",
    "sweep of scales",
    "labels of the best",
    "report",
]
FIGURES = [f"{name}.{kind}" for name in ("best_cells", "histograms", "quality_diversity") for kind in ("png", "svg")]


@pytest.fixture(scope="module")
def results(undisturbed):
    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    return json.loads((undisturbed.path / "results.json").read_text(), parse_constant=refuse)


@pytest.fixture(scope="module")
def table(undisturbed):
    return undisturbed.listing()


@pytest.fixture(scope="module")
def trials(undisturbed):
    """Of each trial: native string, purpose, labels."""
    return [(row[2], row[3], json.loads(row[5])) for row in undisturbed.trials()]


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="module")
def view(space):
    """The true values of all cells."""
    return reporting_view(evaluators.make("analog_nasbench", space=space))


def test_a_first_run_ends_well_in_the_default_workdir(first_job):
    assert first_job.returncode == 0, first_job.stderr[-3000:]
    assert [path.name for path in first_job.args.iterdir()] == ["runs"]
    assert [path.name for path in (first_job.args / "runs").iterdir()] == ["nb201-smoke"]
    assert "Traceback" not in first_job.stderr
    assert "Warning" not in first_job.stderr


def test_everything_is_written_and_nothing_partial_left(undisturbed):
    assert {path.name for path in undisturbed.path.iterdir()} == {
        "lock",
        "config.json",
        "trials.db",
        "aim.json",
        "events.jsonl",
        "score",
        "predictor",
        "architectures.csv",
        "results.json",
        "report.html",
        "figures",
    }
    figures = undisturbed.path / "figures"
    assert sorted(path.name for path in figures.iterdir()) == FIGURES
    for path in figures.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    for path in figures.glob("*.svg"):
        assert path.read_text().rstrip().endswith("</svg>")


def test_the_page_names_the_command_that_runs_it_again(results, undisturbed, smoke_flag):
    assert results["command"] == f"python -m experiments.main {smoke_flag}"
    assert f"<code>{results['command']}</code>" in (undisturbed.path / "report.html").read_text()


def test_every_phase_has_a_line_and_a_time_below_what_runs_and_where(first_job, results):
    assert list(results["seconds"]) == PHASES
    header, *lines = first_job.stderr.splitlines()
    assert re.fullmatch(
        r"nb201-smoke: generate in nasbench201, evaluator analog_nasbench, seed 0, on \d x cpu, into .+", header
    )
    assert [line.partition(":")[0].strip() for line in lines] == PHASES
    for line, seconds in zip(lines, results["seconds"].values(), strict=True):
        assert float(re.findall(r": (\d+\.\d) s", line)[0]) == pytest.approx(seconds, abs=0.1)


def test_pools_have_all_metrics(results):
    assert list(results["pools"]) == ["random", "unconditional", "guided"]
    assert [point["scale"] for point in results["sweep"]] == [0.0, 1.0]
    for pool in [*results["pools"].values(), *results["sweep"]]:
        assert pool["samples"] == 64
        assert pool["distinct_canonical"] <= pool["distinct"] <= 64
        assert pool["value_min"] <= pool["value_mean"] <= pool["value_max"] == pool["value_best"] <= 94.0664
        assert pool["pool_regret"] >= 0
        assert pool["pool_regret"] >= pool["guidance_gap"]
        for share in ("validity_threshold", "validity_argmax", "connectivity", "distinct_share"):
            assert 0 <= pool[share] <= 1
        assert 0 < pool["diversity"] < 6
        assert pool["novelty"] is None, "all of the space was learned from, so novelty would be 0 by construction"
    assert results["pools"]["guided"]["value_mean"] > results["pools"]["unconditional"]["value_mean"]
    assert results["expected_distinct_share"] == pytest.approx(15625 * (1 - (1 - 1 / 15625) ** 64) / 64)


def test_the_scale_of_the_guided_pool_is_on_the_curve(results):
    guided = results["pools"]["guided"]
    assert results["sweep"][1] == {"scale": 1.0, **guided}


def test_objective_and_labels_are_named(results):
    assert results["objective"] == {
        "metric": "baseline",
        "unit": "%",
        "direction": "max",
        "split": "test",
        "evaluator": "analog_nasbench",
        "space": "nasbench201",
        "best_of_table": 94.0664,
        "facts": {},
        "title": "CIFAR-10 accuracy",
    }
    assert results["labels"] == {
        "paid": 44,
        "failed": 0,
        "failed_because": {},
        "by_purpose": {"training": 40, "final": 4},
    }


def test_the_run_can_be_traced_to_code_config_and_machine(results, undisturbed, root, environment):
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert results["git_commit"].removesuffix("+changes") == commit.strip()
    assert results["devices"]["count"] == 1
    assert results["devices"]["platform"] == "cpu"
    assert {"python", "jax", "jaxlib", "flax", "optax", "numpy"} <= set(results["versions"])
    assert all(version for name, version in results["versions"].items() if name != "nag-jax")
    assert results["config"] == json.loads((undisturbed.path / "config.json").read_text())
    assert results["config"]["name"] == "nb201-smoke"


def test_the_score_network_is_compared_with_its_closed_form(results):
    score = results["score_network"]
    assert score["ratio"] == pytest.approx(score["loss"] / score["closed_form"])
    assert 0.9 < score["ratio"] < 1.1


def test_architectures_are_listed_as_they_were_counted(table, results, space):
    assert list(table.columns) == ["pool", "arch", "times_generated", "predicted", "label_baseline"]
    assert list(table["pool"].unique()) == ["guided", "unconditional"]
    for name, rows in table.groupby("pool"):
        pool = results["pools"][name]
        assert len(rows) == rows["arch"].nunique() == pool["distinct"]
        assert rows["times_generated"].sum() == round(pool["validity_argmax"] * pool["samples"])
        assert rows["predicted"].is_monotonic_decreasing
        tokens = space.from_native(list(rows["arch"]))
        assert len(np.unique(space.canonical(tokens))) == pool["distinct_canonical"]


def test_pool_values_are_those_of_the_listed_architectures(table, results, space, view):
    for name, rows in table.groupby("pool"):
        values = view.values(space.from_native(list(rows["arch"])), "baseline")
        pool = results["pools"][name]
        assert pool["value_mean"] == pytest.approx(values.mean())
        assert pool["value_max"] == pytest.approx(values.max())
        best = np.sort(view.all("baseline"))[-len(values) :].mean()
        assert pool["pool_regret"] == pytest.approx(best - values.mean())


def test_the_ledger_holds_exactly_what_was_paid(trials, space, view):
    assert [purpose for _, purpose, _ in trials] == ["training"] * 40 + ["final"] * 4
    tokens = space.from_native([native for native, _, _ in trials])
    assert len(np.unique(space.canonical(tokens))) == 44
    paid = [labels["baseline"] for _, _, labels in trials]
    np.testing.assert_array_equal(paid, view.values(tokens, "baseline"))


def test_listed_labels_are_the_paid_ones(table, trials, space):
    paid = {
        key: labels["baseline"]
        for key, (_, _, labels) in zip(
            space.canonical(space.from_native([native for native, _, _ in trials])).tolist(), trials, strict=True
        )
    }
    keys = space.canonical(space.from_native(list(table["arch"]))).tolist()
    expected = [paid.get(key, np.nan) for key in keys]
    np.testing.assert_array_equal(table["label_baseline"], expected)
    guided = table[table["pool"] == "guided"]
    assert guided["label_baseline"].notna().sum() >= 4


def test_the_final_labels_went_to_the_best_predictions(table, trials):
    guided = table[table["pool"] == "guided"].set_index("arch")
    final = [native for native, purpose, _ in trials if purpose == "final"]
    predictions = guided.loc[final, "predicted"]
    assert predictions.is_monotonic_decreasing
    unpaid = guided[guided["label_baseline"].isna()]
    assert unpaid["predicted"].max() <= predictions.min()


def test_the_best_is_the_best_of_the_final_trials(results, trials):
    final = [(labels["baseline"], native) for native, purpose, labels in trials if purpose == "final"]
    value, native = max(final)
    best = results["best"]
    assert (best["architecture"], best["value"], best["of"]) == (native, value, 4)
    assert best["regret"] == pytest.approx(94.0664 - value)
    assert final[best["rank_by_predictor"] - 1] == (value, native)


def test_the_summary_names_the_best(first_job, results, undisturbed):
    best = results["best"]
    assert f"best of the 4 paid at the end: {best['architecture']}\n" in first_job.stdout
    assert f"{best['value']:.6g} %, {best['regret']:.3g} from the table's best 94.0664" in first_job.stdout
    assert "labels paid: 44 (40 for training, 4 for final)" in first_job.stdout
    assert f"{undisturbed.path.relative_to(first_job.args)}, told in report.html" in first_job.stdout
    for pool in ("random", "unconditional", "guided"):
        assert pool in first_job.stdout
        assert f"{results['pools'][pool]['value_mean']:.2f}" in first_job.stdout


def test_a_second_run_pays_for_nothing_and_restores_what_was_trained(
    first_job, undisturbed, smoke, command_line, tmp_path
):
    copy = undisturbed.copy(tmp_path / "run")
    ledger = (copy.path / "trials.db").read_bytes()
    job, run = smoke(workdir=copy.path)
    command_line.wait(job)
    assert job.status == 0, job.stderr[-3000:]
    assert (run.path / "trials.db").read_bytes() == ledger
    assert run.architectures == undisturbed.architectures
    first, second = undisturbed.results, run.results
    for same in ("objective", "labels", "best", "pools", "sweep", "score_network", "config"):
        assert second[same] == first[same]
    assert "loss=" in first_job.stderr
    assert "loss=" not in job.stderr, "nothing is trained again"
    for phase in ("score network", "predictor"):
        assert second["seconds"][phase] < first["seconds"][phase]
