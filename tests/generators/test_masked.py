import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from nag_jax.generators.contract import Start, sample
from nag_jax.generators.fit import Corpus, fit_generator
from nag_jax.generators.masked import Condition, masked
from nag_jax.settings import Generate
from nag_jax.spaces import DagSpace, restrict
from nag_jax.system import parallel
from nag_jax.system.keys import sample_keys

NETWORK = {"width": 16, "num_blocks": 2, "num_heads": 2, "mlp_width": 32, "attention": "all"}
SMALL = {"width": 8, "num_blocks": 1, "num_heads": 2, "mlp_width": 8, "attention": "all"}
NODES = {f"n{i}": ["a", "b", "c"] for i in range(4)}


def apart(tokens):
    """No two neighbours are of one class."""
    return (tokens[:, 1:] != tokens[:, :-1]).all(axis=1)


class Hidden(DagSpace):
    """A space that doesn't tell its closed form."""

    @property
    def has_posterior(self) -> bool:
        return False


def chain(kind) -> Any:
    return kind("apart", nodes=NODES, edges=list(itertools.pairwise(NODES)), valid=apart)


def drawn(generator, params, n, **options):
    keys = sample_keys(jax.random.key(0), n)
    return jax.jit(lambda params: sample(generator, params, keys, **{"num_steps": 4, **options}))(params)


def test_node_by_node_it_is_exact_given_the_closed_form():
    """Its network says nothing before it is trained."""
    space, n = chain(DagSpace), 4000
    generator = masked(space, NETWORK)
    found = drawn(generator, generator.init(jax.random.key(1)), n)
    assert np.asarray(found.valid).all()
    _, counts = np.unique(np.asarray(found.tokens), axis=0, return_counts=True)
    assert len(counts) == space.size == 24
    assert chi2.sf(((counts - n / 24) ** 2 / (n / 24)).sum(), 23) > 1e-3


def test_the_last_node_keeps_to_a_rule_that_nobody_learned():
    space = chain(Hidden)
    part = restrict(space, fixed={"n0": "a", "n1": "b", "n3": "a"})
    generator = masked(part, NETWORK)
    found = drawn(generator, generator.init(jax.random.key(1)), 200)
    assert set(map(tuple, np.asarray(found.tokens).tolist())) == {(0, 1, 2, 0)}


@pytest.mark.slow  # trains for half a minute
def test_it_learns_a_rule_and_completes():
    space = chain(Hidden)
    generator = masked(space, NETWORK)
    fields = {"num_steps": 1500, "batch_size": 128, "learning_rate": 3e-3, "decay": "cosine", "ema_decay": 0.99}
    recipe = Generate().score.training.changed(fields)
    mesh = parallel.make_mesh()
    params = fit_generator(jax.random.key(0), generator, space, space.all_tokens(), recipe, mesh=mesh)
    found = drawn(generator, params, 4000)
    assert np.asarray(found.valid).mean() > 0.99
    part: Any = restrict(space, fixed={"n0": "a", "n2": "b"})
    found = drawn(masked(part, NETWORK), params, 4000)
    every, tokens = part.all_tokens(), np.asarray(found.tokens)[np.asarray(found.valid)]
    shares = (tokens[:, None] == every[None]).all(axis=2).mean(axis=0)
    assert np.abs(shares - 1 / len(every)).sum() / 2 < 0.03


def test_samples_that_start_at_an_architecture_keep_some_of_it():
    space = chain(DagSpace)
    generator = masked(space, NETWORK)
    params = generator.init(jax.random.key(0))
    tokens = space.random(jax.random.key(1), 300)
    near = drawn(generator, params, 300, start=Start(tokens, jnp.full(300, 0.5)))
    assert ((np.asarray(near.tokens) == np.asarray(tokens)).sum(axis=1) >= 2).all()
    np.testing.assert_array_equal(drawn(generator, params, 300, start=Start(tokens, jnp.ones(300))).tokens, tokens)


def test_it_learns_what_each_data_set_likes_and_scale_says_how_much_that_counts():
    """On the first everything is of class a, on the second of class b."""
    space: Any = DagSpace("free", nodes=NODES, edges=list(itertools.pairwise(NODES)))
    likes = np.repeat(np.array([[0], [1]], np.int32), 4, axis=1)
    corpus = Corpus(likes, np.arange(2, dtype=np.int32), np.array([[-1.0], [1.0]], np.float32))

    def generator(context, scale):
        return masked(space, SMALL, Condition((context,), dropout=0.5, scale=scale))

    fields = {"num_steps": 100, "batch_size": 64, "learning_rate": 1e-2, "warmup_steps": 0, "ema_decay": 0.9}
    recipe = Generate().score.training.changed(fields)
    params = fit_generator(jax.random.key(0), generator(0.0, 0.0), space, corpus, recipe, mesh=parallel.make_mesh())
    cases, keys = [(-1.0, 1.0), (1.0, 1.0), (-1.0, 0.0), (1.0, 2.0)], sample_keys(jax.random.key(0), 1)

    @jax.jit
    def chances_of_a(params):
        """Of all nodes, where nothing is shown."""
        tokens, nothing = jnp.asarray(likes[:1]), jnp.zeros(1)
        found = [generator(*case).believe(params, keys, tokens, nothing).probabilities() for case in cases]
        return jnp.stack([p[0, :, 0].mean() for p in found])

    first, second, without, exaggerated = chances_of_a(params)
    assert first > 0.95
    assert second < 0.05
    assert 0.3 < without < 0.7
    assert exaggerated < second
