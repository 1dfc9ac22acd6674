import jax
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.generators.gaussian import kernels, sampler
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.guided import by_beliefs, plain
from nag_jax.generators.gaussian.parametrization import posterior_score
from nag_jax.guidance.constraints import Constraint, Constraints, parse
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys


@pytest.fixture(scope="module")
def space():
    return spaces.make("mobilenet_v3")


def test_constraints_are_read_in_all_their_forms():
    assert parse("macs <= 300e6") == [Constraint("macs", -np.inf, 300e6)]
    assert parse("macs>=.5e8") == [Constraint("macs", 0.5e8, np.inf)]
    assert parse(" 200e6 <=macs<= 2.2E8 ; params <= 5000000;") == [
        Constraint("macs", 200e6, 220e6),
        Constraint("params", -np.inf, 5e6),
    ]
    assert parse("1e6 <= params") == [Constraint("params", 1e6, np.inf)]
    assert parse("") == []
    assert [str(c) for c in parse("200e6 <= macs <= 220e6")] == ["2e+08 <= macs <= 2.2e+08"]


@pytest.mark.parametrize(
    "text",
    [
        *("macs", "macs < 3", "3 <= macs >= 2", "macs <= fast", "300e6 >= macs", "<= 3", "a b <= 3"),
        *("macs <= \u0663\u0660\u0660", "\uff13e6 <= macs", "macs <= 3\u00b2", "m\u0430cs <= 3"),
    ],
)
def test_what_is_no_constraint_is_refused(text):
    with pytest.raises(InputError, match=r"isn't understood: write 'macs <= 300e6'"):
        parse(text)


@pytest.mark.parametrize("text", ["macs <= 1e999", "macs >= -1e999", "-1e999 <= macs <= 3e8", "macs <= 1" + "0" * 400])
def test_infinite_bounds_are_refused(text):
    with pytest.raises(InputError, match=r"constraint '.*' must have finite numbers: lower them, or leave"):
        parse(text)


def test_bands_without_values_are_refused():
    with pytest.raises(InputError, match="holds for no value"):
        parse("2e8 <= macs <= 1e8")


def test_unknown_costs_and_unreachable_bands_are_refused(space):
    with pytest.raises(InputError, match=r"unknown cost 'flops', use one of params, macs"):
        Constraints(space, space.costs(), parse("flops <= 3e8"))
    with pytest.raises(
        InputError, match=r"no network .* has macs <= 1e\+08 besides params <= 5e\+06: macs reaches from 1.21279e\+08"
    ):
        Constraints(space, space.costs(), parse("params <= 5e6; macs <= 1e8"))


def test_the_filter_keeps_what_holds(space):
    constraints = Constraints(space, space.costs(), parse("macs <= 250e6; params <= 5e6"))
    tokens = np.asarray(space.random(jax.random.key(0), 500))
    macs, params = (space.costs()[name].of(tokens) for name in ("macs", "params"))
    np.testing.assert_array_equal(constraints.hold(tokens), (macs <= 250e6) & (params <= 5e6))
    assert not Constraints(space, space.costs(), [])
    assert Constraints(space, {}, []).hold(tokens).all()


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("184e6 <= macs <= 192e6", 0.95),  # the first percentile, and the last
        ("365e6 <= macs <= 380e6", 0.95),
        ("macs <= 220e6; params <= 4.2e6", 0.95),
        # two narrow bands at once: what the one decides the other does not know
        ("250e6 <= macs <= 260e6; 4.6e6 <= params <= 4.8e6", 0.65),
    ],
)
def test_guided_samples_keep_to_them(space, text, least):
    """By the exact score, so that nothing but the guidance is tested."""
    constraints, sde = Constraints(space, space.costs(), parse(text)), sdes.make("ve")
    bands = {"bands": constraints.bands()}
    draw = jax.jit(
        lambda keys: sampler.sample(
            keys,
            by_beliefs(plain(posterior_score(sde, space.class_posterior)), constraints.guide(), bands, sde),
            sde=sde,
            kernels=[kernels.make("ancestral", sde)],
            shape=space.allowed.shape,
            num_steps=40,
        )
    )
    tokens, valid = map(np.asarray, space.decode(draw(sample_keys(jax.random.key(1), 600))))
    assert valid.mean() > 0.98
    assert constraints.hold(tokens[valid]).sum() / 600 > least
    assert len(np.unique(tokens, axis=0)) > 590
