import itertools

import jax
import numpy as np
import pytest
from scipy.stats import chi2

from nag_jax import spaces
from nag_jax.generators.contract import sample
from nag_jax.generators.exact import ClosedForm, exact
from nag_jax.generators.gaussian import kernels, sde
from nag_jax.spaces import DagSpace
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys


def apart(tokens):
    """No two neighbours are of one class."""
    return (tokens[:, 1:] != tokens[:, :-1]).all(axis=1)


def chain(length):
    nodes = {f"n{i}": ["a", "b", "c"] for i in range(length)}
    return DagSpace("apart", nodes=nodes, edges=list(itertools.pairwise(nodes)), valid=apart)


def make(space):
    model = ClosedForm(space, sde.make("ve", sigma_max=10.0))
    return exact(model, [kernels.make("ancestral", model.sde)])


def test_it_draws_a_ruled_space_uniformly_and_learns_nothing():
    space, n = chain(4), 2000
    generator = make(space)
    assert not generator.learns
    assert generator.init(jax.random.key(0)) == {}
    found = jax.jit(lambda keys: sample(generator, {}, keys, num_steps=60))(sample_keys(jax.random.key(0), n))
    assert np.asarray(found.valid).mean() > 0.995
    tokens = np.asarray(found.tokens)[np.asarray(found.valid)]
    _, counts = np.unique(tokens, axis=0, return_counts=True)
    expected = len(tokens) / space.size
    assert len(counts) == space.size == 24
    assert chi2.sf(((counts - expected) ** 2 / expected).sum(), space.size - 1) > 1e-3


def test_a_space_without_a_closed_form_is_refused():
    space = DagSpace(
        "many",
        nodes=dict.fromkeys(map(str, range(20)), ("a", "b")),
        edges=[("0", "19")],
        valid=lambda t: t[:, 0] != t[:, 1],
    )
    with pytest.raises(InputError, match=r"no closed form.*set config\.generator\.name=gaussian"):
        ClosedForm(space, sde.make("ve"))


def test_equal_closed_forms_make_one_generator():
    space = spaces.make("nasbench201")
    assert make(space).sampler is make(space).sampler
