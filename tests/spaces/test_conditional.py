"""Declared spaces whose nodes are there only with some classes of others, against lists of all their architectures."""

import itertools
import json
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from nag_jax.generators.gaussian import kernels, sde
from nag_jax.generators.gaussian.guided import plain
from nag_jax.generators.gaussian.parametrization import posterior_score
from nag_jax.generators.gaussian.sampler import sample
from nag_jax.spaces import Block, DagSpace, chain, repeat
from nag_jax.spaces.costs import Cost, reachable
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

LAYER = {"norm": ["pre", "post"], "heads": ["2 heads", "4 heads", "8 heads"], "ratio": ["ratio 2", "ratio 4"]}
WIDE = LAYER | {"activation": ["relu", "gelu", "swiglu"]}


def transformer(least=1, most=2, layer=None, **options):
    blocks = chain({"in": ["input"]}, repeat("layer", layer or LAYER, range(least, most + 1)), {"out": ["output"]})
    return DagSpace("transformer", **blocks._asdict(), **options)


def nested(**options):
    """Stages of layers, both of a depth; convolutions have a kernel, and one block is optional."""
    layer = Block({"op": ["conv", "attention"], "kernel": ["3", "5"]}, [("op", "kernel")], {"kernel": ("op", ["conv"])})
    stages = repeat("stage", chain(repeat("layer", layer, (1, 2)), {"down": ["stride"]}), (0, 2))
    extra = repeat("extra", {"gate": ["on", "off"]}, (0, 1))
    return DagSpace("nested", **chain({"in": ["input"]}, stages, extra, {"out": ["output"]})._asdict(), **options)


def listed(space):
    """All architectures, by going through all combinations of classes: slow and plain."""
    found, names = [], space.node_names
    when = space.describe()["when"]
    choices = [[c for c in np.nonzero(row)[0] if c != space.absent] for row in space.allowed]

    def extend(row):
        if len(row) == len(names):
            found.append(row)
            return
        node = len(row)
        condition = when.get(names[node])
        there = condition is None or space.class_names[row[names.index(condition[0])]] in condition[1]
        for token in choices[node] if there else [space.absent]:
            extend([*row, token])

    extend([])
    return np.array(found, np.int32)


SPACES = {
    "transformer": transformer,
    "nested": nested,
    "transformer, all depths alike": lambda: transformer(uniform="choices"),
    "nested, all choices alike": lambda: nested(uniform="choices"),
}


@pytest.fixture(params=SPACES, scope="module")
def space(request):
    return SPACES[request.param]()


@pytest.fixture
def log_prior(request, space):
    """Of each architecture, `[S]`."""
    every = space.all_tokens()
    if "alike" not in request.node.callspec.params["space"]:
        return np.full(len(every), -np.log(len(every)))
    counts = (space.allowed & (np.arange(space.num_classes) != space.absent)).sum(axis=1)
    return -np.where(every != space.absent, np.log(counts), 0.0).sum(axis=1)


@pytest.mark.parametrize("space", ["transformer", "nested"], indirect=True)
def test_the_list_is_that_of_all_combinations(space):
    every = space.all_tokens()
    np.testing.assert_array_equal(every, listed(space))
    assert space.size == space.num_canonical == len(every)
    assert space.contains(every).all()


def test_sizes_are_counted_exactly():
    assert transformer().size == 12 + 12**2
    assert nested().size == (1 + (3 + 3**2) ** 2) * 3
    assert transformer(2, 12, WIDE).size == sum(36**depth for depth in range(2, 13))
    assert transformer(2, 40).size == sum(12**depth for depth in range(2, 41))  # beyond 64 bits


def test_an_absent_node_has_that_class_and_no_other():
    space = transformer()
    every, absent = space.all_tokens(), space.class_names.index("absent")
    assert (space.class_names[-1], space.absent) == ("absent", absent)
    shallow = every[every[:, 1] == space.class_names.index("layer x1")]
    assert len(shallow) == 12
    assert (shallow[:, 5:8] == absent).all()
    assert not (every[len(shallow) :] == absent).any()
    chosen = every[-1:].copy()
    chosen[:, 6] = absent
    assert not space.contains(chosen)[0]
    shallow[0, 6] = every[-1, 6]
    assert not space.contains(shallow[:1])[0]
    with pytest.raises(InputError, match=r"row 0: .* is not an architecture of transformer"):
        space.canonical(shallow[:1])


def draws(space, n, seed=0):
    return np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(seed), n))


def test_draws_are_as_often_as_they_should_be(space, log_prior):
    n = 40 * space.size
    found = np.searchsorted(np.sort(space.canonical(space.all_tokens())), space.canonical(draws(space, n)))
    order = np.argsort(space.canonical(space.all_tokens()))
    counts = np.bincount(found, minlength=space.size)
    expected = n * np.exp(log_prior)[order]
    often = expected >= 5  # what is rarer counts together, as the test demands
    counts = np.append(counts[often], counts[~often].sum() + 5)
    expected = np.append(expected[often], expected[~often].sum() + 5)
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_all_depths_are_drawn_alike_where_choices_are():
    space = transformer(2, 12, WIDE, uniform="choices")
    depths = (draws(space, 5_500)[:, 2:-1:4] != space.absent).sum(axis=1)
    assert stats.chisquare(np.bincount(depths)[2:]).pvalue > 1e-3
    depths = (draws(transformer(2, 12, WIDE), 2_000)[:, 2:-1:4] != space.absent).sum(axis=1)
    assert (depths == 12).mean() == pytest.approx(35 / 36, abs=0.02)


def test_the_posterior_is_that_of_the_list(space, log_prior):
    every = np.eye(space.num_classes)[space.all_tokens()]
    evidence = np.random.default_rng(0).normal(size=(4, *space.allowed.shape)).astype(np.float32)
    posterior = jax.jit(space.class_posterior)
    for scale in (0.0, 1.0, 8.0):
        joint = np.einsum("bnv,snv->bs", scale * evidence, every) + log_prior
        weights = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        expected = np.einsum("bs,snv->bnv", weights, every)
        np.testing.assert_allclose(posterior(scale * evidence), expected, atol=1e-5)
    assert np.isfinite(jax.grad(lambda e: (space.class_posterior(e) ** 2).sum())(evidence)).all()


def test_the_posterior_of_strong_evidence_is_finite_and_right():
    """At the end of sampling the evidence of 48 nodes adds up to millions."""
    space = transformer(2, 12, WIDE)
    tokens = draws(space, 8)
    found = jax.jit(space.class_posterior)(1e5 * space.encode(tokens))
    np.testing.assert_allclose(found, np.eye(space.num_classes)[tokens], atol=1e-5)


def test_moments_are_those_of_the_list(space, log_prior):
    rng = np.random.default_rng(1)
    every = np.eye(space.num_classes)[space.all_tokens()]
    evidence = rng.normal(size=(3, *space.allowed.shape)).astype(np.float32)
    table = rng.normal(size=space.allowed.shape).astype(np.float32)
    joint = np.einsum("bnv,snv->bs", evidence, every) + log_prior
    weights = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    sums = np.einsum("snv,nv->s", every, table)
    given = np.einsum("bs,snv->bnvs", weights, every)
    given = given / np.maximum(given.sum(axis=-1, keepdims=True), 1e-30)
    mean = given @ sums
    variance = given @ sums**2 - mean**2
    p = np.einsum("bs,snv->bnv", weights, every).astype(np.float32)
    found = jax.jit(space.conditional_moments)(p, table)
    where = np.broadcast_to(space.allowed, p.shape) & (p > 1e-6)
    np.testing.assert_allclose(np.asarray(found[0])[where], mean[where], atol=1e-5)
    np.testing.assert_allclose(np.asarray(found[1])[where], variance[where], atol=2e-5)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("space", ["transformer", "nested"], indirect=True)
def test_the_reach_of_a_cost_is_exact(space):
    table = np.random.default_rng(2).normal(size=space.allowed.shape)
    costs = np.einsum("snv,nv->s", np.eye(space.num_classes)[space.all_tokens()], table)
    assert reachable(space, Cost(1.0, table)) == pytest.approx((1 + costs.min(), 1 + costs.max()), abs=1e-6)


@pytest.mark.parametrize("space", ["transformer", "nested"], indirect=True)
def test_strings_leave_out_what_is_not_there(space):
    every = space.all_tokens()
    strings = space.to_native(every)
    assert len(set(strings)) == space.size
    assert not any("absent" in string or "stride" in string for string in strings)
    np.testing.assert_array_equal(space.from_native(strings), every)


def test_strings_can_be_read():
    space = nested()
    assert space.from_native(["stage x0|extra x0"])[0].tolist().count(space.absent) == space.num_nodes - 4
    string = "stage x2|layer x1|conv|3|layer x2|attention|conv|5|extra x1|off"
    assert space.to_native(space.from_native([string])) == [string]


@pytest.mark.parametrize(
    ("string", "message"),
    [
        (
            "layer x3|pre|2 heads|ratio 2",
            "node 'layer depth' can't be 'layer x3', only one of .*'layer x2'",
        ),
        ("layer x1|pre|2 heads", "expected 4 classes joined by '|', for layer depth, layer 1 norm.*, found 3"),
        ("layer x1|pre|2 heads|ratio 2|post|4 heads|ratio 2", "expected 4 classes .*, found 7"),
        ("layer x2|pre|2 heads|ratio 2|post|4 heads|absent", "node 'layer 2 ratio' can't be 'absent'"),
        ("layer x1|pre|2 heads|" + "long" * 10_000, "'layer x1.*' is not an architecture of transformer: node"),
    ],
)
def test_a_wrong_string_gets_one_line(string, message):
    with pytest.raises(InputError, match=f"row 1: .*{message.replace('|', '[|]')}") as caught:
        transformer().from_native(["layer x1|pre|2 heads|ratio 2", string])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 800


def mutants(space, tokens, n, seed):
    return np.asarray(jax.jit(space.mutate)(jax.random.key(seed), np.repeat(tokens, n, axis=0)))


@pytest.mark.parametrize("space", ["transformer", "nested"], indirect=True)
def test_mutations_change_one_choice(space):
    parents = draws(space, 400)
    children = mutants(space, parents, 1, seed=3)
    assert space.contains(children).all()
    in_both = (parents != space.absent) & (children != space.absent)
    assert (((parents != children) & in_both).sum(axis=1) == 1).all()


def test_mutations_lead_from_each_architecture_to_each_other():
    space = transformer(layer={"norm": ["pre", "post"], "heads": ["2", "4"]})
    every = space.all_tokens()
    parents, children = np.repeat(every, 200, axis=0), mutants(space, every, 200, seed=4)
    keys = np.sort(space.canonical(every))
    leads = np.zeros((len(every), len(every)), bool)
    leads[np.searchsorted(keys, space.canonical(parents)), np.searchsorted(keys, space.canonical(children))] = True
    assert not leads.diagonal().any()
    for _ in range(5):
        leads |= leads @ leads
    assert leads.all()


def test_what_a_mutation_opens_is_drawn():
    space = transformer()
    children = mutants(space, space.from_native(["layer x1|post|4 heads|ratio 4"]), 4_000, seed=5)
    deeper = children[children[:, 5] != space.absent]
    assert len(deeper) == pytest.approx(1_000, abs=150)  # one of four choices
    assert len(np.unique(deeper[:, 2:5], axis=0)) == 1  # the first layer stays
    _, counts = np.unique(deeper[:, 5:8], axis=0, return_counts=True)
    assert len(counts) == 12
    assert stats.chisquare(counts).pvalue > 1e-3


def test_neighbors_are_all_changes_of_one_choice():
    space = transformer()
    shallow = space.from_native(["layer x1|post|4 heads|ratio 4"])[0]
    assert set(space.to_native(space.neighbors(shallow))) == {
        "layer x2|post|4 heads|ratio 4|pre|2 heads|ratio 2",
        "layer x1|pre|4 heads|ratio 4",
        "layer x1|post|2 heads|ratio 4",
        "layer x1|post|8 heads|ratio 4",
        "layer x1|post|4 heads|ratio 2",
    }


def names(space, edges):
    return [(space.node_names[source], space.node_names[target]) for source, target in edges]


def test_edges_lead_past_what_is_not_there():
    space = nested()
    tokens = space.from_native(["stage x0|extra x0", "stage x2|layer x1|attention|layer x2|conv|3|conv|5|extra x1|on"])
    assert names(space, space.edges(tokens[0])) == [
        ("in", "stage depth"),
        ("stage depth", "extra depth"),
        ("extra depth", "out"),
    ]
    assert names(space, space.edges(tokens[1]))[2:5] == [
        ("stage 1 layer depth", "stage 1 layer 1 op"),
        ("stage 1 layer 1 op", "stage 1 down"),
        ("stage 1 down", "stage 2 layer depth"),
    ]
    assert space.connected(space.all_tokens()).all()


@pytest.mark.parametrize("blocking", [[], ["absent"]])
def test_the_dag_is_the_union_of_all_edges_and_conditions(blocking):
    space = nested(blocking=blocking)
    union = np.zeros_like(space.adjacency)
    for row in space.all_tokens():
        union[tuple(np.array(space.edges(row)).T)] = True
    for node, (parent, _) in space.describe()["when"].items():
        union[space.node_names.index(parent), space.node_names.index(node)] = True
    np.testing.assert_array_equal(space.adjacency, union)


def test_absent_nodes_block_where_that_is_declared():
    space = nested(blocking=["absent"])
    every = space.all_tokens()
    is_full = [string.startswith("stage x2") and string.count("layer x2") == 2 for string in space.to_native(every)]
    gated = space.connected(every)
    assert 0 < gated.sum() < len(every)
    assert not gated[~np.array(is_full)].any()


def test_words_of_paths_leave_out_what_is_not_there():
    space = transformer(layer={"heads": ["2 heads", "4 heads"]})
    terms = space.path_terms()
    assert terms is not None
    words = {tuple(space.class_names[c] for c in word) for word in terms.spellings}
    assert ("layer x1", "2 heads") in words
    assert not any("absent" in word for word in words)


def test_what_always_holds_is_no_condition():
    space = transformer(2, 2)
    assert space.absent is None
    assert "absent" not in space.class_names
    assert not space.is_ruled
    assert space.describe()["when"] == {}
    assert set(transformer(1, 2).describe()["when"]) == {"layer 2 norm", "layer 2 heads", "layer 2 ratio"}


def test_the_description_is_json():
    described = transformer().describe()
    assert json.loads(json.dumps(described))["when"]["layer 2 norm"] == ["layer depth", ["layer x2"]]
    assert described["nodes"]["layer 1 norm"] == ["pre", "post"]
    assert described["rule"] is None


ABSENT = 11
"""The class of absent nodes of `transformer`, after in and out, two depths and seven choices."""


def equal_heads(tokens):
    """Both layers have as many heads."""
    return (tokens[:, 3] == tokens[:, 6]) | (tokens[:, 6] == ABSENT)


def test_a_rule_may_stand_beside_conditions():
    space = transformer(valid=equal_heads)
    assert space.absent == ABSENT
    assert space.size == 12 + 12**2 // 3
    assert space.describe()["rule"] == "Both layers have as many heads."
    parents = space.all_tokens()
    children = mutants(space, parents, 1, seed=6)
    assert space.contains(children).all()
    assert (children != parents).any(axis=1).all()
    assert space.contains(space.neighbors(parents[0])).all()
    p = jax.jit(space.class_posterior)(jnp.zeros((1, *space.allowed.shape)))
    np.testing.assert_allclose(p[0], np.eye(space.num_classes)[parents].mean(axis=0), atol=1e-5)
    with pytest.raises(InputError, match="a rule beside conditions needs 1,000,000 combinations or fewer"):
        transformer(2, 12, valid=lambda tokens: tokens[:, 3] == tokens[:, 6])
    with pytest.raises(InputError, match="beside a rule uniform must be 'architectures', found 'choices'"):
        transformer(valid=equal_heads, uniform="choices")


def test_fingerprints_tell_conditions_apart():
    layer = {"a": ["x", "y"], "b": ["x", "y"], "c": ["x", "y"]}
    variants: list[dict[str, Any]] = [
        {},
        {"when": {"c": ("a", ["x"])}},
        {"when": {"c": ("b", ["x"])}},
        {"when": {"c": ("b", ["y"])}},
        {"when": {"c": ("b", ["y"])}, "uniform": "choices"},
        {"when": {"c": ("b", ["y"])}, "blocking": ["absent"]},
    ]
    spaces = [DagSpace("same", nodes=layer, edges=[("a", "b"), ("b", "c")], **options) for options in variants]
    assert len({space.fingerprint for space in spaces}) == len(spaces)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"when": {"z": ("a", ["x"])}}, "when names 'z', which is no node of .*'a', 'b'"),
        ({"when": {"a": ("b", ["x"])}}, "when of node 'a' must be about a node before it, found 'b'"),
        ({"when": {"b": ("b", ["x"])}}, "about a node before it, found 'b'"),
        ({"when": {"b": ("q", ["x"])}}, "about a node before it, found 'q'"),
        ({"when": {"b": ("a", ["q"])}}, r"when of node 'b': expected a list of classes.*found \['q'\]"),
        (
            {"when": {"b": ("a", ["z"])}},
            r"'b' can't be there when 'a' is one of \['z'\]: name some of \['x', 'y'\]",
        ),
        ({"when": {"b": ("a", [])}}, r"node 'b' can't be there when 'a' is one of \[\]"),
        ({"when": {"b": ("a", "x")}}, r"when of node 'b' must be \(an earlier node, a list of its classes\), found"),
        ({"when": {"b": "a"}}, "when of node 'b' must be"),
        ({"when": {"b": ("a", ["x"])}, "nodes": {"a": ["x", "y"], "b": ["absent"]}}, "the class 'absent' is that of"),
        ({"uniform": "depths"}, r"uniform must be one of \('architectures', 'choices'\), found 'depths'"),
    ],
)
def test_what_is_wrong_is_named(options, message):
    declared = {"nodes": {"a": ["x", "y"], "b": ["x", "y", "z"]}, "edges": [("a", "b")]}
    with pytest.raises(InputError, match=message) as caught:
        DagSpace("small", **(declared | options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("depths", [(), (0,), (1, 1), (-1, 2), (1.5, 2), "12"])
def test_wrong_depths_are_named(depths):
    with pytest.raises(InputError, match="repeat 'layer': expected depths that are whole numbers"):
        repeat("layer", LAYER, depths)


def test_blocks_of_a_chain_have_different_nodes():
    with pytest.raises(InputError, match="blocks in a chain must have different nodes, found 'norm' twice"):
        chain(LAYER, LAYER)


def test_blocks_side_by_side_are_joined_at_both_ends():
    sides = Block({"left": ["conv"], "right": ["pool"]}, [])
    assert chain({"in": ["input"]}, sides, {"out": ["output"]}).edges == list(
        itertools.chain([("in", "left"), ("in", "right")], [("left", "out"), ("right", "out")])
    )


def test_a_large_space_is_drawn_in_a_tenth_of_a_second():
    space = transformer(2, 12, WIDE)
    assert space.num_nodes == 51
    draw = jax.jit(space.random, static_argnums=1)
    draw(jax.random.key(0), 1_000).block_until_ready()
    times = []
    for seed in range(20):
        start = time.process_time()
        draw(jax.random.key(seed), 1_000).block_until_ready()
        times.append(time.process_time() - start)
    assert min(times) < 0.1


def test_samples_by_the_exact_score_are_valid():
    space, process = transformer(2, 6, uniform="choices"), sde.make("ve")
    x = sample(
        sample_keys(jax.random.key(0), 300),
        plain(posterior_score(process, space.class_posterior)),
        sde=process,
        kernels=[kernels.make("ancestral", process)],
        shape=space.allowed.shape,
        num_steps=30,
    )
    tokens, valid = map(np.asarray, space.decode(x))
    assert valid.all()
    assert set((tokens[:, 2:-1:3] != space.absent).sum(axis=1).tolist()) == set(range(2, 7))
