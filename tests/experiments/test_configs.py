"""configs/nb201.py: every field can be overridden, with a value of its type and no other."""

import pytest
from absl import flags

from configs.nb201 import get_config
from nag_jax.settings.config import flatten

FIELDS = dict(flatten(get_config().to_dict()))
OTHER = {
    bool: lambda value: not value,
    int: lambda value: value + 3,
    float: lambda value: value + 0.25,
    str: lambda value: f"{value}x",
    tuple: lambda value: value + value[:1] if value else (1.0,),
}
ILL_TYPED = {bool: "perhaps", int: "1.5", float: "much"}


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_overridden_by_a_value_of_its_type(field, load):
    kind = type(FIELDS[field])
    other = OTHER[kind](FIELDS[field])
    found = dict(flatten(load("", f"{field}={other}").to_dict()))
    assert found[field] == other
    assert type(found[field]) is kind
    assert {name for name in found if found[name] != FIELDS[name]} == {field}


@pytest.mark.parametrize("field", [field for field, value in FIELDS.items() if type(value) in ILL_TYPED])
def test_an_ill_typed_value_is_refused(field, load):
    with pytest.raises(flags.IllegalFlagValueError, match=f"config.{field}"):
        load("", f"{field}={ILL_TYPED[type(FIELDS[field])]}")


@pytest.mark.parametrize("field", FIELDS)
def test_a_misspelt_field_is_refused(field, load):
    with pytest.raises((AttributeError, KeyError)):
        load("", f"{field}_x=1")


@pytest.mark.parametrize("variant", ["smoke", "paper"])
def test_variants_have_the_fields_of_the_default(variant):
    found = dict(flatten(get_config(variant).to_dict()))
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in FIELDS.items()}
    assert found["name"] == f"nb201-{variant}"


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="use none, 'smoke' or 'paper'"):
        get_config("tiny")


def test_smoke_differs_in_sizes_only():
    found = dict(flatten(get_config("smoke").to_dict()))
    changed = {field for field in FIELDS if found[field] != FIELDS[field]}
    assert all(isinstance(FIELDS[field], int) for field in changed - {"name", "guidance.sweep"})
    assert all(found[field] < FIELDS[field] for field in changed - {"name", "guidance.sweep"})
