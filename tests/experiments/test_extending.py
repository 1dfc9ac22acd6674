"""The examples of docs/extending.md, as files in the working folder, do what it says of them."""

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from experiments import runs
from nag_jax import evaluators, guidance, spaces, strategies
from nag_jax.generators.gaussian import kernels, sde
from nag_jax.generators.gaussian.guided import by_beliefs, plain
from nag_jax.generators.gaussian.parametrization import posterior_score
from nag_jax.generators.gaussian.sampler import sample
from nag_jax.objectives import utility as utilities
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys
from nag_jax.system.options import own
from nag_jax.trials import Ledger

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
FILES = {block.partition("\n")[0].removeprefix("# "): block for language, block in BLOCKS if language == "python"}
SMALL = {"name": "my_space.py:make", "vertices": 5, "most_edges": 6}
TRAIN = f"{sys.executable} -S train.py"


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    """The working folder, with the files of the document."""
    folder, before = tmp_path_factory.mktemp("mine"), Path.cwd()
    for name, block in FILES.items():
        (folder / name).write_text(block, encoding="utf-8")
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def space(folder):
    return spaces.make("my_space.py:make")


def random_tokens(space, n, seed=0):
    return np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(seed), n))


def test_every_python_block_is_a_file():
    names = {
        "my_space",
        "my_dag",
        "my_transformer",
        "train",
        "my_evaluator",
        "my_guidance",
        "my_utility",
        "my_strategy",
        "my_config",
    }
    assert set(FILES) == {f"{name}.py" for name in names}


def test_the_utility_pays_for_what_is_too_dear():
    utility = utilities.make("my_utility.py:within", 2, most=3.0)
    values = np.array([[90.0, -2.0], [91.0, -3.5]])
    np.testing.assert_allclose(utility(values), [90.0, 86.0])
    np.testing.assert_allclose(jax.grad(lambda values: utility(values).sum())(values), [[1.0, 0.0], [1.0, 10.0]])


def reaches_output(links, vertices):
    reached = {0}
    for i, j in sorted(links, key=lambda link: link[1]):
        reached |= {j} if i in reached else set()
    return vertices - 1 in reached


@pytest.mark.parametrize(("vertices", "most"), [(4, 4), (5, 6)])
def test_the_space_is_what_its_rule_says(vertices, most):
    space = spaces.make("my_dag.py:make", vertices=vertices, most_edges=most)
    pairs = list(itertools.combinations(range(vertices), 2))
    wirings = sum(
        reaches_output(links, vertices) for n in range(most + 1) for links in itertools.combinations(pairs, n)
    )
    assert space.size == wirings * 3 ** (vertices - 2)
    assert space.connected(space.all_tokens()).all()


def test_the_space_takes_30_lines():
    assert len(FILES["my_dag.py"].strip().splitlines()) <= 32  # with its name and the rule's docstring
    assert spaces.make("my_dag.py:make").size == 17_955


def test_cells_take_a_call():
    space: Any = spaces.make("my_space.py:make")
    assert len(FILES["my_space.py"].strip().splitlines()) <= 12
    assert (space.size, space.layout.vertices, space.limits.edges) == (1_312, 5, 6)


def test_the_transformer_takes_30_lines():
    assert len(FILES["my_transformer.py"].strip().splitlines()) <= 32
    space = spaces.make("my_transformer.py:make")
    assert space.size == sum(54**depth for depth in range(2, 13))
    assert f"{space.size:.1e}" == "6.3e+20"
    tokens = random_tokens(space, 550)
    assert set((tokens[:, 2:-1:4] != space.absent).sum(axis=1).tolist()) == set(range(2, 13))


SIZE = """
import numpy as np

from nag_jax.evaluators import Metric


class Size:
    name, batch_size, fingerprint = "size", 1024, "made up"
    metrics = {"size": Metric("size")}

    def __init__(self, *, space, metric="size"):
        self.space, self.objective, self.num_distinct = space, metric, space.size
        self._weights = np.array(space.class_attributes["heads"]) + np.array(space.class_attributes["ratio"])

    def covers(self, tokens):
        return np.asarray(self.space.contains(tokens))

    def __call__(self, tokens):
        return {"size": self._weights[tokens].sum(axis=1).astype(float)}
"""


@pytest.mark.slow
def test_the_main_job_generates_transformers(folder, load):
    (folder / "my_size.py").write_text(SIZE)
    few = ("labels.training=20", "num_samples=32", "sampler.num_steps=3", "guidance.num_steps=3")
    config = load("smoke", "evaluator.name=my_size.py:Size", "evaluator.metric=size", *few)
    config.space = ConfigDict({"name": "my_transformer.py:make"})
    results = runs.run(config, folder / "transformers")
    assert {name: pool["validity_argmax"] for name, pool in results["pools"].items()} == {
        "random": 1.0,
        "unconditional": 1.0,
        "guided": 1.0,
    }
    assert (folder / "transformers" / "figures").is_dir()


@pytest.fixture(scope="module")
def generated(folder, load):
    """The main job on all of it, at tiny sizes."""
    config = load(
        "smoke",
        "evaluator.name=command",
        f"evaluator.command={TRAIN}",
        "evaluator.metric=accuracy",
        "evaluator.metrics=latency:min:ms",
        "evaluator.workers=2",
        "guidance.transform=my_guidance.py:late_tilt",
        "labels.training=20",
    )
    config.space = ConfigDict(SMALL)
    with config.unlocked():
        config.guidance.power = 2.0
    return runs.run(config, folder / "generated")


def test_the_main_job_takes_the_space_the_command_and_the_guidance(generated, folder):
    space = spaces.make(**SMALL)
    assert generated["objective"]["evaluator"] == "command"
    assert generated["objective"]["best_of_table"] is None
    assert generated["pools"]["guided"]["validity_argmax"] == 1.0
    assert generated["labels"]["by_purpose"] == {"training": 20, "final": 4}
    evaluator = evaluators.make("command", space=space, command=TRAIN, metric="accuracy", metrics="latency:min:ms")
    with Ledger.open(folder / "generated" / "trials.db", evaluator) as ledger:
        trials = ledger.trials()
        assert all(bool(trial.reason) == trial.failed for trial in trials)
    for trial in trials:
        convolutions = trial.architecture.count("conv3x3")
        expected = 0.1 * convolutions if convolutions else np.nan
        np.testing.assert_allclose(trial.values["latency"], expected)


def test_the_command_by_hand():
    (example,) = [block for language, block in BLOCKS if language == "sh" and block.startswith("echo")]
    done = subprocess.run(["/bin/sh", "-c", example], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {"accuracy": 70 + 3 + 3 + 1.5 + 0.5 * 5, "latency": 0.2}


def test_the_request_by_hand_is_what_the_command_gets(space, folder):
    (example,) = [block for language, block in BLOCKS if language == "sh" and block.startswith("echo")]
    shown = json.loads(example.split("'")[1])
    evaluator = evaluators.make("command", space=space, command="cat > got.json; echo '{\"a\": 1}'", metric="a")
    assert evaluator(np.array([shown["tokens"]]))["a"].tolist() == [1.0]
    assert json.loads((folder / "got.json").read_text()) == shown


def test_a_failed_trial_is_recorded_with_its_reason(space, folder, caplog):
    evaluator = evaluators.make("command", space=space, command=TRAIN, metric="accuracy")
    tokens = space.from_native(["conv1x1~0|conv1x1~0|output~1~2"])
    with Ledger.open(folder / "failed.db", evaluator) as ledger:
        assert np.isnan(ledger.label(tokens, "test")["accuracy"]).all()
        assert [trial.reason for trial in ledger.trials()] == ["exit status 1: nothing to train"]
    assert "nothing to train" in caplog.text


def test_the_evaluator(space, folder):
    evaluator = evaluators.make("my_evaluator.py:Parameters", space=space, metric="parameters")
    tokens = random_tokens(space, 50)
    with Ledger.open(folder / "parameters.db", evaluator) as ledger:
        found = ledger.label(tokens, "test")["parameters"]
        assert ledger.num_paid == len(np.unique(space.canonical(tokens)))
    for native, value in zip(space.to_native(tokens), found, strict=True):
        assert value == pytest.approx((9 * native.count("conv3x3") + native.count("conv1x1")) * 128**2 / 1e6)


def test_the_guidance_bends_the_pool(space):
    process = sde.make("ve")
    wanted = space.class_names.index("conv3x3")

    def convolutions(x, progress, args):
        return x[:, :, wanted].sum(axis=1)

    def counts(scale, **options):
        guide = guidance.make("my_guidance.py:late_tilt", value_fn=convolutions, **options)
        score = plain(posterior_score(process, space.class_posterior))
        x = sample(
            sample_keys(jax.random.key(0), 64),
            by_beliefs(score, guide, {"scale": scale}, process),
            sde=process,
            kernels=[kernels.make("ancestral", process)],
            shape=space.allowed.shape,
            num_steps=20,
        )
        tokens, valid = map(np.asarray, space.decode(x))
        assert valid.all()
        return (tokens == wanted).sum(axis=1)

    assert counts(2.0).mean() > counts(0.0).mean() + 0.5
    assert abs(counts(0.0).mean() - 1.0) < 0.4  # a third of three vertices
    assert counts(2.0, power=8.0).mean() < counts(2.0).mean()


def best_found(name, space, evaluator, labels):
    """The fewest parameters after so many labels."""
    strategy = strategies.make(name, space)
    state, found = strategy.init(jax.random.key(0)), []
    for i in range(labels):
        tokens, state = strategy.ask(jax.random.key(i), state, 1)
        values = evaluator(tokens)["parameters"]
        state = strategy.tell(state, tokens, -values[:, None])
        found += values.tolist()
    return min(found), len(np.unique(space.canonical(state.tokens)))


def test_the_strategy_finds(space):
    evaluator = evaluators.make("my_evaluator.py:Parameters", space=space)
    least, differing = best_found("my_strategy.py:greedy", space, evaluator, 25)
    assert least == 0.0  # three poolings, as one architecture of 27
    assert differing == 25


def test_the_config_runs(folder):
    config = own("my_config.py:get_config")("smoke")
    assert config.run == ("greedy", "bo_nag", "random_search")
    config.run, config.seeds = ("greedy", "random_search"), 1
    results = runs.run(config, folder / "searched")
    assert results["evaluator"] == "parameters"
    assert set(results["strategies"]) == {"greedy", "random_search"}
    trials = (folder / "searched" / "trajectories.csv").read_text().splitlines()
    assert len(trials) == 1 + 2 * config.search.budget


@pytest.mark.slow
def test_the_config_runs_with_generation(folder):
    config = own("my_config.py:get_config")("smoke")
    results = runs.run(config, folder / "searched with generation")
    assert set(results["strategies"]) == {"greedy", "bo_nag", "random_search"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.py:make", "there is no file 'nowhere.py'"),
        ("my_space.py:mak", "my_space.py has no function or class 'mak'"),
        ("my_space.py:ON", "my_space.py has no function or class 'ON'"),
        ("broken.py:make", r"broken.py, line 2: ZeroDivisionError: division by zero"),
        ("unfinished.py:make", r"unfinished.py, line 1: SyntaxError"),
    ],
)
def test_a_wrong_reference_gets_one_line(name, message, folder):
    (folder / "broken.py").write_text("x = 0\ny = 1 / x\n")
    (folder / "unfinished.py").write_text("def make(:\n")
    with pytest.raises(InputError, match=message) as caught:
        spaces.make(name)
    assert "\n" not in str(caught.value)


def test_options_of_ones_own_are_checked(space):
    with pytest.raises(InputError, match=r"'my_strategy.py:greedy' has no option \['parent'\]"):
        strategies.make("my_strategy.py:greedy", space, parent=3)
    with pytest.raises(InputError, match="'parent'"):
        evaluators.make("my_evaluator.py:Parameters", space=space, parent=3)
