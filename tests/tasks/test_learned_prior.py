"""What a prior learns from: a corpus's weights, or what is good on other data sets."""

from typing import Any

import jax
import numpy as np
import pytest

from configs import nb201, nb201_transfer, nb_graph_transfer
from nag_jax import spaces
from nag_jax.datasets.triples import TaskTable, Triples
from nag_jax.generators.contract import Generator
from nag_jax.generators.fit import WEIGHTED_ROWS, Corpus, batch_loss, weighted_rows
from nag_jax.settings.config import from_config
from nag_jax.system.errors import InputError
from nag_jax.tasks.check import check_setting
from nag_jax.tasks.corpus import read_corpus
from nag_jax.tasks.learned_prior import embeddings, for_each, of_others
from nag_jax.tasks.workdir import Unkept

SPACE = spaces.make("nasbench_graph")
GOOD, BAD = "0012|gcn|gat|fc|skip", "0123|gin|gat|fc|gcn"
TABLE = TaskTable(
    np.array([[[0.0]], [[2.0]]], np.float32), np.ones((2, 1), bool), np.array([[0], [1]]), np.ones((2, 1), bool)
)


def shares(corpus):
    """How often each architecture comes, in percent."""
    rows, counts = np.unique(corpus.tokens, axis=0, return_counts=True)
    return dict(zip(SPACE.to_native(rows), (100 * counts / WEIGHTED_ROWS).round(2).tolist(), strict=True))


def triples():
    """Both on two data sets, which agree on neither."""
    tokens = SPACE.from_native([GOOD, BAD, GOOD, BAD])
    return Triples(tokens, np.array([0, 0, 1, 1]), np.array([1.0, 0.0, 1.0, 2.0]), ("a", "b"), (("a",), ("b",)))


def test_rows_stand_for_weights_to_within_one():
    weights = np.random.default_rng(0).exponential(size=500) ** 3
    counts = np.bincount(weighted_rows(weights, 1), minlength=500)
    assert np.abs(counts - WEIGHTED_ROWS * weights / weights.sum()).max() < 1.0 + 1e-6


def test_a_corpus_is_read_with_its_weights(tmp_path):
    (tmp_path / "corpus.csv").write_text(f"arch,weight\n{GOOD},3\n{BAD},1\n")
    assert shares(read_corpus(tmp_path / "corpus.csv", SPACE, 0)) == {GOOD: 75.0, BAD: 25.0}
    (tmp_path / "corpus.csv").write_text(f"arch\n{GOOD}\n{BAD}\n")
    assert shares(read_corpus(tmp_path / "corpus.csv", SPACE, 0)) == {GOOD: 50.0, BAD: 50.0}
    assert shares(read_corpus({GOOD: 9.0, BAD: 1.0}, SPACE, 0)) == {GOOD: 90.0, BAD: 10.0}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (f"arch,weight\n{GOOD},3\n{BAD},-1\n", r"line 3.*a weight must be a positive number, found -1"),
        (f"arch,weight\n{GOOD},much\n", "line 2: the column 'weight' must hold numbers, found 'much'"),
        ("arch,weight\n0012|gcn,1\n", "is not a NAS-Bench-Graph architecture"),
        ("arch,weight\n", "has no architectures"),
    ],
)
def test_a_bad_corpus_is_refused_with_its_place(tmp_path, rows, message):
    (tmp_path / "corpus.csv").write_text(rows)
    with pytest.raises(InputError, match=message):
        read_corpus(tmp_path / "corpus.csv", SPACE, 0)


def test_architectures_count_by_the_tilt_of_what_they_were_elsewhere():
    everywhere = shares(of_others(triples(), 1.0, 0))
    assert everywhere == {GOOD: 50.0, BAD: 50.0}  # both have a mean of 1
    each = for_each(triples(), TABLE, 1.0, 0)
    weights = np.exp(triples().values)
    found = [(each.task == task).mean() for task in (0, 1)]
    np.testing.assert_allclose(found, [weights[:2].sum() / weights.sum(), weights[2:].sum() / weights.sum()], atol=1e-4)
    assert shares(each)[BAD] == round(100 * weights[[1, 3]].sum() / weights.sum(), 2)


def test_embeddings_are_in_units_of_the_known_data_sets():
    np.testing.assert_allclose(embeddings(TABLE), [[-1.0], [1.0]], atol=1e-5)
    new = np.array([[[0.0], [4.0]], [[9.0], [9.0]]], np.float32), np.array([[True, True], [False, False]])
    np.testing.assert_allclose(embeddings(TABLE, new), [[1.0]], atol=1e-5)


def test_a_batch_has_the_data_sets_of_its_architectures():
    def loss(params, key, tokens, contexts):
        return abs(tokens[:, 0] - contexts[:, 0]).sum()

    unused: Any = None
    spy = Generator(init=unused, loss=loss, believe=unused, sampler=unused)
    corpus = Corpus(np.arange(6)[:, None], np.array([2, 2, 1, 1, 0, 0]), np.array([[4.0], [2.0], [0.0]]))
    # Architecture a is of the data set whose embedding is a or a - 1.
    assert 0 < batch_loss(spy, batch_size=64)(None, jax.random.key(0), corpus) <= 64


@pytest.mark.parametrize(
    ("config", "fields", "message"),
    [
        (nb201, {"prior.corpus": "nowhere.csv", "refine": True}, "config.sampler.refine draws choices anew"),
        (nb201, {"prior.tilt": 1.0}, "config.score.prior.tilt learns from the data sets of a transfer"),
        (nb201, {"prior.scale": 1.0}, "config.score.prior.scale, 1.0, needs a tilt"),
        (nb201, {"prior.corpus": "a.csv", "prior.tilt": 1.0}, "has a corpus and a tilt"),
        (nb201, {"prior.corpus": "a.csv", "train_fraction": 0.5}, "holds out architectures of a space"),
        (nb201, {"prior.corpus": "a.csv", "generator": "exact"}, "the exact generator learns nothing"),
        (nb_graph_transfer, {"prior.tilt": 1.0, "prior.scale": 1.0}, "found gaussian: set config.generator.name"),
        (nb_graph_transfer, {"prior.tilt": 1.0, "mode": "search"}, "and config.mode=generate"),
        (nb201_transfer, {"prior.tilt": 1.0, "generator": "exact"}, "the exact generator learns nothing"),
    ],
)
def test_what_can_t_be_learned_is_refused(config, fields, message):
    made = config.get_config("smoke")
    made.sampler.refine.sweeps = 2 if fields.pop("refine", False) else 0
    made.generator.name = fields.pop("generator", "gaussian")
    made.mode = fields.pop("mode", "generate")
    made.score.update_from_flattened_dict(fields)
    with pytest.raises(InputError, match=message):
        check_setting(from_config(made), Unkept(), {})
