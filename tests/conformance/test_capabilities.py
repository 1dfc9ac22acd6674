"""What a space offers works: every space of the registry, and a declared one, is asked for all that it has.

A new entry of the registry is tested without touching this file.
"""

import jax
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.export import export_network
from nag_jax.reports.architectures import draw_best
from nag_jax.spaces.capabilities import Buildable, Drawable, HasCosts

B = 3
DECLARED = spaces.DagSpace(
    "declared", nodes={"in": ["input"], "a": ["conv", "pool"], "out": ["output"]}, edges=[("in", "a"), ("a", "out")]
)
SPACES = {name: spaces.make(name) for name in sorted(spaces.REGISTRY)} | {"declared": DECLARED}


def offering(capability):
    """The spaces that offer it."""
    names = [name for name, space in SPACES.items() if isinstance(space, capability)]
    return pytest.mark.parametrize("space", [SPACES[name] for name in names], ids=names)


def drawn_at_random(space):
    return np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), B))


@offering(Drawable)
def test_it_draws(space, tmp_path):
    draw_best(space, drawn_at_random(space), ["one", "two", "three"], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"best_{space.drawn_as}.{kind}" for kind in ("png", "svg")}
    text = (tmp_path / f"best_{space.drawn_as}.svg").read_text()
    assert all(title in text for title in ("one", "two", "three"))


@offering(HasCosts)
def test_its_costs_are_the_same_of_tokens_and_of_one_hot_rows(space):
    tokens = drawn_at_random(space)
    assert space.costs()
    for cost in space.costs().values():
        values = cost.of(tokens)
        assert (values.shape, values.dtype) == ((B,), np.float64)
        np.testing.assert_allclose(cost.relaxed(space.encode(tokens)), values, rtol=1e-4)
    lines = space.cost_lines(tokens)
    assert len(lines) == B
    assert all(line and "\n" not in line for line in lines)


def test_spaces_offer_what_they_should():
    """So that none of the tests here passes for want of spaces."""
    assert {name for name, space in SPACES.items() if isinstance(space, Buildable)} >= {"mobilenet_v3", "nasbench201"}
    assert {name for name, space in SPACES.items() if isinstance(space, HasCosts)} >= {"mobilenet_v3"}
    assert {name for name, space in SPACES.items() if isinstance(space, Drawable)} == set(SPACES)
    assert not isinstance(DECLARED, Buildable | HasCosts)


@offering(Buildable)
def test_its_blueprint_is_of_the_architecture_and_has_templates(space):
    first, second, _ = drawn_at_random(space)
    blueprint = space.blueprint(first)
    assert blueprint.num_params() > 0
    assert blueprint.fields != space.blueprint(second).fields
    if isinstance(space, HasCosts):
        assert blueprint.num_params() == space.costs()["params"].of(first[None])[0]
    for framework in ("flax", "torch"):
        assert (blueprint.templates / f"network_{framework}.py.jinja").is_file()


@pytest.mark.slow  # compiles networks of full size
@offering(Buildable)
def test_its_networks_are_exported(space, tmp_path):
    found = export_network(space.blueprint(drawn_at_random(space)[0]), tmp_path, about="at random")
    assert found["network_flax.py"].check is not None
    assert all(export.check is not None or export.missing for export in found.values())
