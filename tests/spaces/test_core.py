"""A space of variable size with the core and tokens to relax, nothing else: rooms ask before they use more."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.evaluators.function import from_function
from nag_jax.evaluators.lookup import ArchitectureTable
from nag_jax.generators.contract import read
from nag_jax.generators.fit import UNLISTED_SAMPLE, draw_share
from nag_jax.generators.gaussian import sde
from nag_jax.generators.gaussian.score_model import make_score_model
from nag_jax.reports.architectures import draw_best
from nag_jax.reports.metrics import pool_metrics
from nag_jax.spaces import NodeSpace, Space
from nag_jax.spaces import capabilities as offered
from nag_jax.spaces.distinct import random_distinct
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger

LETTERS = "ab"
PAD = len(LETTERS)


class Words:
    """Words of one to four letters, packed to the left and padded."""

    name = fingerprint = "words"
    width = 4
    class_names = (*LETTERS, "pad")
    node_names = ("first", "second", "third", "fourth")
    num_classes = PAD + 1
    allowed = np.array([[True, True, place > 0] for place in range(4)])
    adjacency = np.triu(np.ones((4, 4), bool), 1)
    coordinates = np.arange(4)[:, None]

    def to_native(self, tokens):
        return ["".join(LETTERS[token] for token in row if token != PAD) for row in np.asarray(tokens)]

    def from_native(self, architectures):
        words = [[LETTERS.index(letter) for letter in word] for word in architectures]
        return np.array([word + [PAD] * (self.width - len(word)) for word in words], np.int32).reshape(-1, self.width)

    def contains(self, tokens):
        is_pad = jnp.asarray(tokens) == PAD
        return ~is_pad[:, 0] & (is_pad[:, 1:] | ~is_pad[:, :-1]).all(axis=1)

    def canonical(self, tokens):
        return np.asarray(tokens, np.int64) @ 3 ** np.arange(self.width)

    def random(self, key, n):
        def one(key):
            length_key, letter_key = jax.random.split(key)
            length = jax.random.randint(length_key, (), 1, self.width + 1)
            letters = jax.random.randint(letter_key, (self.width,), 0, PAD, jnp.int32)
            return jnp.where(jnp.arange(self.width) < length, letters, PAD).astype(jnp.int32)

        return jax.vmap(one)(jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n)))

    def describe(self):
        return {"name": self.name, "letters": LETTERS}

    def encode(self, tokens):
        return 2.0 * jax.nn.one_hot(tokens, self.num_classes) - 1.0

    def decode(self, x, *, rule="argmax"):
        tokens = jnp.argmax(x, axis=-1).astype(jnp.int32)
        return tokens, self.contains(tokens)


WORDS = Words()


@pytest.fixture(scope="module")
def tokens():
    return random_distinct(WORDS, jax.random.key(0), 6)


def test_the_core_is_nine_things():
    members = {name for name in vars(Space) if not name.startswith("_")}
    assert len(members) == 9
    assert members < {name for name in dir(WORDS) if not name.startswith("_")}
    assert isinstance(WORDS, Space)
    assert not isinstance(WORDS, NodeSpace)


def test_it_offers_nothing_else():
    capabilities = [
        *(offered.Listable, offered.Counted, offered.Mutable, offered.HasPosterior, offered.HasPaths),
        *(offered.HasGraph, offered.HasCosts, offered.Drawable, offered.Buildable),
    ]
    assert [capability for capability in capabilities if isinstance(WORDS, capability)] == []
    assert not offered.can_list(WORDS)
    assert offered.closed_form(WORDS) is None


def test_its_architectures_differ_in_size(tokens):
    assert len({len(word) for word in WORDS.to_native(tokens)}) > 1
    np.testing.assert_array_equal(WORDS.from_native(WORDS.to_native(tokens)), tokens)


def test_it_is_learned_from_draws_without_a_closed_form():
    assert len(draw_share(jax.random.key(0), WORDS, 0.5)) == UNLISTED_SAMPLE
    model = make_score_model(WORDS, sde.make("ve"), {"width": 8})
    assert model.shape == (4, 3)
    assert model.class_posterior is None


def test_a_pool_of_it_has_metrics_but_no_connectivity(tokens, tmp_path):
    found = pool_metrics(WORDS, read(WORDS, WORDS.encode(tokens)))
    assert (found.samples, found.validity_argmax, found.distinct, found.connectivity) == (6, 1.0, 6, None)
    draw_best(WORDS, tokens, ["a word"] * 6, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_its_labels_are_paid_for_once(tokens):
    evaluator = from_function(lambda word: len(word), space=WORDS)
    ledger = Ledger.open(None, evaluator)
    for _ in range(2):
        labels = ledger.label(tokens, purpose="test")
        assert labels["value"].tolist() == [len(word) for word in WORDS.to_native(tokens)]
    assert ledger.num_paid == 6


def test_a_table_of_it_has_a_row_per_architecture(tokens):
    table = ArchitectureTable(WORDS, "words.csv", tokens[:4], {"value": np.arange(4.0)})
    assert table.rows(tokens).tolist() == [0, 1, 2, 3, -1, -1]
    with pytest.raises(InputError, match=r"has no architecture '[ab]+' \(it has 4\): ask only"):
        table.known_rows(tokens)
    by_class = ArchitectureTable(WORDS, "words.csv", tokens[:4], {"value": np.arange(4.0)}, one_a_class=True)
    assert by_class.rows(tokens).tolist() == [0, 1, 2, 3, -1, -1]
