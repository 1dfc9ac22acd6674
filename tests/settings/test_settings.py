"""Settings: the configs that are made of them, and what they refuse, with the path of the field."""

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ml_collections import ConfigDict

from configs import nb201, nb201_bo
from nag_jax.settings import Front, Generate, Search, Transfer
from nag_jax.settings.config import flatten, from_config, make_config, to_config
from nag_jax.settings.evaluator import Evaluator
from nag_jax.settings.predictor import Labels
from nag_jax.settings.search import STRATEGIES
from nag_jax.settings.space import MobileNetSpace, Space
from nag_jax.system.errors import InputError
from nag_jax.system.fields import Names, check, leaves, to_dict

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = json.loads((Path(__file__).parent / "configs.json").read_text())
"""Config and variant to its fields; those of a variant where they differ from the default's."""
IMPOSSIBLE = {
    "at least 1": (0, -4),
    "at least 0": (-1,),
    "from 0 to 4294967295": (-1, 2**32, 2**63, -(2**63), 10**30),
    "more than 0": (0, -0.5),
    "more than 0 and at most 1": (0, -0.5, 1.01),
    "at least 0 and at most 1": (-0.01, 1.01),
    "at least 0 and less than 1": (-0.01, 1, 2),
    "128 to 224 in steps of 4": (124, 226),
    "numbers of at least 1": ((20, 0),),
    "two shares in order": ((0.5, 0.1), (0.1,), (0.0, 0.1)),
    "two times from 0 to 1 in order": ((0.7, 0.3), (0.1,), (0.0, 1.1)),
}
ALL = (Generate(), Search(), Transfer(), Generate(space=MobileNetSpace()), Front(objectives=("a", "b")))


def fields(kind=lambda leaf: True):
    """Every field of all settings once, as the settings and the leaf."""
    found = {leaf.path: (settings, leaf) for settings in ALL for leaf in leaves(settings) if kind(leaf)}
    return [pytest.param(*each, id=path) for path, each in found.items()]


def refusal(settings, field, value):
    """What is said of a config with that value."""
    config = to_config(settings)
    with config.ignore_type():
        config.update_from_flattened_dict({field: value})
    with pytest.raises(InputError) as refused:
        check(from_config(config))
    return str(refused.value)


def load(name):
    file, _, variant = name.partition(":")
    return importlib.import_module(f"configs.{file}").get_config(variant)


@pytest.mark.parametrize("name", GOLDEN)
def test_configs_have_the_fields_and_values_that_runs_were_made_with(name):
    """A workdir of an earlier run is refused where a field is new or another."""
    expected = GOLDEN[f"{name.partition(':')[0]}:"] | GOLDEN[name]
    assert json.loads(json.dumps(dict(flatten(load(name).to_dict())))) == expected


def test_a_config_loads_nothing_heavy():
    code = (
        "import sys\nfrom configs import nb_graph_transfer as made\nmade.get_config()\nassert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", GOLDEN)
def test_configs_can_be_and_are_settings(name):
    config = load(name)
    settings = from_config(config)
    check(settings)
    assert to_config(settings).to_dict() == config.to_dict()


@pytest.mark.parametrize(("settings", "leaf"), fields())
def test_every_field_is_documented_by_a_sentence(settings, leaf):
    assert leaf.doc[0].isupper()
    assert leaf.doc.endswith(".")
    assert leaf.doc.partition(" ")[0] not in ("Of", "As", "In", "For", "From", "With")


@pytest.mark.parametrize(("settings", "leaf"), fields(lambda leaf: type(leaf.value) in (int, float)))
def test_every_number_has_a_range(settings, leaf):
    free = {"guidance.scale"} | {f"strategies.{name}.scale" for name in Transfer().strategies}
    assert (leaf.allowed is None) == (leaf.path in free)


@pytest.mark.parametrize(("settings", "leaf"), fields(lambda leaf: leaf.allowed and leaf.allowed.words in IMPOSSIBLE))
def test_a_number_out_of_range_is_named(settings, leaf):
    for value in IMPOSSIBLE[leaf.allowed.words]:
        value = type(leaf.value)(value)
        says = f"config.{leaf.path} must be {leaf.allowed.words}, found {value!r}"
        assert refusal(settings, leaf.path, value) == says


@pytest.mark.parametrize(("settings", "leaf"), fields(lambda leaf: type(leaf.value) is float))
def test_a_number_that_is_not_finite_is_named(settings, leaf):
    for value in (float("nan"), float("inf"), -float("inf")):
        assert refusal(settings, leaf.path, value) == f"config.{leaf.path} must be finite, found {value}"


@pytest.mark.parametrize(
    ("settings", "leaf"), fields(lambda leaf: isinstance(leaf.allowed, Names) and not leaf.allowed.open)
)
def test_an_unknown_name_is_told_with_those_that_are_known(settings, leaf):
    says = refusal(settings, leaf.path, "nonsense")
    assert says.startswith(f"unknown config.{leaf.path} 'nonsense': use one of '")
    assert repr(leaf.value) in says


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("num_samples", "many", "config.num_samples must be a whole number, found 'many'"),
        ("num_samples", 1.5, "config.num_samples must be a whole number, found 1.5"),
        ("num_samples", True, "config.num_samples must be a whole number, found True"),
        ("guidance.scale", "big", "config.guidance.scale must be a number, found 'big'"),
        ("guidance.sweep", ("a",), "config.guidance.sweep must be a tuple of numbers, found ('a',)"),
        ("guidance.sweep", (), "config.guidance.sweep must be one finite number or more, as (0.0,1.0), found ()"),
        ("score.network.relation_bias", 1, "config.score.network.relation_bias must be True or False, found 1"),
        ("space.name", 7, "config.space.name must be text, found 7"),
        ("sde.ve.sigma_min", 100.0, "config.sde.ve.sigma_min, 100.0, must be less than config.sde.ve.sigma_max, 5.0"),
        ("sde.vp.beta_min", 20.0, "config.sde.vp.beta_min, 20.0, must be less than config.sde.vp.beta_max, 20.0"),
        ("labels.final", 1001, "config.labels.final, 1001, is more than config.num_samples, 1000: lower it"),
    ],
)
def test_what_can_not_be_is_told_in_one_line(field, value, says):
    assert refusal(Generate(), field, value) == says


def test_whole_numbers_are_numbers():
    check(dataclasses.replace(Generate(), guidance=dataclasses.replace(Generate().guidance, scale=2, sweep=(0, 1))))


def test_the_initial_design_counts():
    says = "config.search.initial, 101, is more than config.search.budget, 100: the initial design counts"
    assert refusal(Search(), "search.initial", 101) == says


def test_a_field_that_nobody_has_is_refused():
    config = nb201.get_config()
    with config.unlocked():
        config.sampler.steps = 3
    with pytest.raises(InputError, match=r"config\.sampler has no field 'steps': use some of \['final', 'kernels'"):
        from_config(config)


def test_blocks_of_ones_own_keep_their_options():
    config = nb201_bo.get_config("smoke")
    config.space = ConfigDict({"name": "my_space.py:make", "vertices": 5})
    config.strategies.greedy = ConfigDict({"name": "my_strategy.py:greedy", "parents": 3})
    with config.unlocked():
        config.evaluator.width = 128.0
    settings: Any = from_config(config)
    check(settings)
    assert settings.space == Space(name="my_space.py:make", own={"vertices": 5})
    assert settings.evaluator.own == {"width": 128.0}
    assert settings.strategies["greedy"].own == {"parents": 3}
    assert to_config(settings).to_dict() == config.to_dict()


def test_a_block_is_of_the_type_that_its_name_says():
    config = nb201_bo.get_config()
    settings: Any = from_config(config)
    kinds = {name: type(block) for name, block in settings.strategies.items()}
    assert kinds == {name: type(block) for name, block in STRATEGIES.items()}
    config.space.name = "mobilenet_v3"
    assert from_config(config).space == MobileNetSpace()
    config.space.name = "nasbench_graph"
    assert from_config(config).space == Space(name="nasbench_graph")


def test_fields_that_a_config_lacks_have_their_defaults():
    config = ConfigDict({"labels": {"training": 7}, "evaluator": {"metric": "qat"}})
    expected = Generate(labels=Labels(training=7), evaluator=Evaluator(metric="qat"))
    assert from_config(config) == expected


def test_settings_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Generate().seed = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_an_absent_field_has_no_entry():
    assert "constraints" not in to_dict(Generate())
    assert to_dict(Generate(constraints=""))["constraints"] == ""


@pytest.mark.parametrize(
    ("variants", "says"),
    [({"": {}, "smoke": {}}, "use none or 'smoke'"), ({"": {}, "a": {}, "b": {}}, "use none, 'a' or 'b'")],
)
def test_an_unknown_variant_is_refused(variants, says):
    with pytest.raises(ValueError, match=f"unknown variant 'tiny' of configs/mine.py: {says}"):
        make_config(Generate(name="mine"), "tiny", variants)
