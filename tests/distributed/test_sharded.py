import jax
import numpy as np
import pytest

from nag_jax import guidance
from nag_jax.generators.gaussian.score_guides import ScoreGuide
from nag_jax.generators.sharded import COLLECTIVES
from nag_jax.guidance import Guide
from nag_jax.spaces.distinct import distinct_rows, random_distinct
from nag_jax.system.errors import InputError
from nag_jax.tasks.pool import rank

KEY = jax.random.key(1)
N = 13
"""A multiple of no number of devices but one."""


@pytest.fixture(scope="module")
def alone(make_sampler, params):
    """What one device generates in one piece."""
    return make_sampler()(KEY, N, params)


# The sampler


def test_samples_are_cells_that_differ(alone, cells):
    assert (alone.tokens.shape, alone.tokens.dtype) == ((N, 8), np.int32)
    assert (alone.valid.shape, alone.sharp.shape) == ((N,), (N,))
    assert len(np.unique(cells(alone), axis=0)) == N


@pytest.mark.parametrize("devices", [2, 8])
def test_any_number_of_devices_generates_the_same_cells(make_sampler, params, alone, cells, devices):
    found = make_sampler(devices=devices)(KEY, N, params)
    np.testing.assert_array_equal(cells(found), cells(alone))


def test_any_length_of_segments_generates_the_same_cells(make_sampler, params, alone, cells):
    done = []
    found = make_sampler(segment_steps=3)(KEY, N, params, progress=lambda *steps: done.append(steps))
    np.testing.assert_array_equal(cells(found), cells(alone))
    assert done == [(3, 8), (6, 8), (8, 8)]


def test_fewer_samples_are_the_first_of_more(make_sampler, params, alone, cells):
    """Here with the program of 16; the tests above say that programs of 13, 14 and 16 agree."""
    found = make_sampler(devices=8)(KEY, 9, params)
    np.testing.assert_array_equal(cells(found), cells(alone)[:9])


def test_the_key_and_the_parameters_count(make_sampler, params, alone, cells):
    sampler = make_sampler()
    assert (cells(sampler(jax.random.key(2), N, params)) != cells(alone)).any(axis=1).all()
    favoured = params["params"] | {"head": jax.tree.map(np.copy, params["params"]["head"])}
    favoured["head"]["bias"][4] = 4.0  # logits of nor_conv_1x1
    found = cells(sampler(KEY, N, {"params": favoured}))[:, 1:-1]
    assert (found == 4).mean() > 0.7 > 0.4 > (cells(alone)[:, 1:-1] == 4).mean()


def some_score(score_fn, args):
    """A guide that takes a share of the unguided score, and says that samples are coupled."""

    def update(score, state, *, x, t, keys):
        return args["share"] * score_fn(x, t), state

    return ScoreGuide(lambda x: (), update, coupled=True)


together = Guide(lambda beliefs: (), lambda beliefs, state, *, keys, args: (beliefs, state), coupled=True)


@pytest.mark.parametrize("source", ["kernel", "scores", "beliefs"])
def test_coupled_samples_are_never_padded(make_sampler, params, source):
    if source == "kernel":
        sampler = make_sampler(("langevin", "euler_maruyama"), norm="batch", devices=8)
    elif source == "scores":
        sampler = make_sampler(devices=8, score_guide=some_score)
    else:
        sampler = make_sampler(devices=8, guide=together)
    with pytest.raises(InputError) as error:
        sampler(KEY, 12, params, {"share": 1.0})
    assert str(error.value) == (
        "samples are coupled, so they can't be padded: make num_samples, 12, a multiple of the 8 devices, or use the "
        "uncoupled form (Langevin with norm='sample')"
    )


def test_other_guidance_of_the_same_shape_traces_and_compiles_nothing(make_sampler, params, alone):
    """Coupled samples of a fitting number, guided by any pytree, with the unguided score at hand."""
    traces, compiled = [], []

    def guide(score_fn, args):
        traces.append(args)
        return some_score(score_fn, args)

    def listen(event, duration_secs, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    sampler = make_sampler(devices=2, score_guide=guide, segment_steps=4)
    made = len(traces)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        whole = sampler(KEY, 4, params, {"share": np.float32(1.0)})
        counts = len(traces), len(compiled)
        assert counts[0] - made == 3  # of the start, of a segment, of the end
        half = sampler(KEY, 4, params, {"share": np.float32(0.5)})
        assert (len(traces), len(compiled)) == counts
        assert len(compiled) >= 3
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    np.testing.assert_array_equal(whole.tokens, alone.tokens[:4])
    assert (half.tokens != whole.tokens).any()


tilted = guidance.make("class_tilt", value_fn=lambda x, progress, args: x[:, :, 5].sum(axis=1))
"""Guidance of the default kind, by the share of convolutions."""


def test_devices_exchange_nothing_in_an_uncoupled_sampler(make_sampler, params):
    """Parameters are on all devices and samples stay where they begin."""
    text = make_sampler(devices=8, guide=tilted).compiled_text(16, params, {"scale": np.float32(1.0)})
    assert "num_partitions=8" in text
    assert {name: text.count(f" {name}") for name in COLLECTIVES} == dict.fromkeys(COLLECTIVES, 0)


def test_collectives_of_a_coupled_sampler_are_seen(make_sampler, params):
    text = make_sampler(("langevin", "euler_maruyama"), norm="batch", devices=8).compiled_text(16, params)
    assert text.count(" all-reduce") > 0


@pytest.mark.parametrize("start", [5, 8])
def test_a_later_start_goes_on_in_the_stream_and_traces_nothing(start, make_sampler, params, alone, cells):
    traces = []

    def update(beliefs, state, *, keys, args):
        traces.append(args)
        return tilted.update(beliefs, state, keys=keys, args=args)

    sampler = make_sampler(guide=tilted._replace(update=update))
    nothing = {"scale": np.float32(0.0)}
    np.testing.assert_array_equal(sampler.launch(KEY, 5, params, nothing).tokens, cells(alone)[:5])
    counts = len(traces)
    later = sampler.launch(KEY, 5, params, nothing, start=start)
    assert len(traces) == counts
    np.testing.assert_array_equal(later.tokens, cells(alone)[start : start + 5])


# Random architectures


def test_random_distinct_is_the_stream_without_repetitions(nb201):
    found = random_distinct(nb201, jax.random.key(3), 300)
    stream = np.asarray(nb201.random(jax.random.key(3), 1200))
    expected, seen = [], set()
    for tokens, key in zip(stream, nb201.canonical(stream).tolist(), strict=True):
        if key not in seen:
            seen.add(key)
            expected.append(tokens)
    np.testing.assert_array_equal(found, expected[:300])


def test_fewer_random_architectures_are_the_first_of_more(nb201):
    more = random_distinct(nb201, jax.random.key(3), 300)
    np.testing.assert_array_equal(random_distinct(nb201, jax.random.key(3), 20), more[:20])
    assert (random_distinct(nb201, jax.random.key(4), 20) != more[:20]).any()


def test_random_distinct_goes_on_until_it_has_enough_that_are_covered(nb201):
    """One cell in 25 is, so that the first 4 n draws are too few."""

    def covers(tokens):
        return (tokens[:, 1:3] == 5).all(axis=1)

    found = random_distinct(nb201, jax.random.key(3), 30, covers=covers)
    stream = np.asarray(nb201.random(jax.random.key(3), 1920))
    stream = stream[covers(stream)]
    np.testing.assert_array_equal(found, stream[distinct_rows(nb201.canonical(stream))][:30])
    assert covers(np.asarray(nb201.random(jax.random.key(3), 120))).sum() < 30


class TwoCells:
    """A space of which a stream shows two architectures and no more, in as many draws as one likes."""

    def __init__(self):
        self.asked = []

    def random(self, key, n):
        self.asked.append(n)
        return np.array([[0], [1], [0]])

    def canonical(self, tokens):
        return tokens[:, 0]


def test_random_distinct_gives_up_after_a_million_draws():
    space = TwoCells()
    assert random_distinct(space, KEY, 2).tolist() == [[0], [1]]  # type: ignore[arg-type]
    assert space.asked == [8]
    with pytest.raises(InputError, match=r"found only 2 of 3 architectures that differ: ask for fewer"):
        random_distinct(space, KEY, 3)  # type: ignore[arg-type]
    assert max(space.asked) == 10**6
    with pytest.raises(InputError, match=r"found only 2 of 300,000 architectures"):
        random_distinct(space, KEY, 300_000)  # type: ignore[arg-type]
    assert max(space.asked) == 1_200_000


@pytest.mark.parametrize(
    ("keys", "rows"), [([5, 3, 5, 1, 3, 9], [0, 1, 3, 5]), ([], []), ([2, 2, 2], [0]), ([3, 2, 1], [0, 1, 2])]
)
def test_distinct_rows(keys, rows):
    assert distinct_rows(np.array(keys, int)).tolist() == rows


# Ranking


@pytest.fixture(scope="module")
def pool(nb201):
    """Five cells: rows 0 and 3 are one string, rows 1 and 4 compute the same thing, row 2 is apart."""
    keys = nb201.canonical(nb201.all_tokens())
    other = int(np.nonzero(keys != np.arange(len(keys)))[0][-1])
    return nb201.from_index(np.array([7, other, 15_000, 7, keys[other]]))


def test_rank_takes_what_is_computed_once_at_its_best(nb201, pool):
    assert rank(nb201, pool, np.array([0.1, 0.5, 0.3, 0.2, 0.6])).tolist() == [4, 2, 3]
    assert rank(nb201, pool, np.array([0.1, 0.5, 0.3, 0.05, 0.4])).tolist() == [1, 2, 0]


def test_rank_keeps_the_order_of_the_pool_among_equals(nb201, pool):
    assert rank(nb201, pool, np.zeros(5)).tolist() == [0, 1, 2]
    tokens = random_distinct(nb201, jax.random.key(0), 60)
    predictions = np.repeat([1.0, 3.0, 2.0], 20)
    expected = [*range(20, 40), *range(40, 60), *range(20)]
    assert rank(nb201, tokens, predictions).tolist() == expected


def test_rank_excludes_by_what_is_computed(nb201, pool):
    predictions = np.array([0.1, 0.5, 0.3, 0.2, 0.6])
    assert rank(nb201, pool, predictions, exclude=nb201.canonical(pool[[1]])).tolist() == [2, 3]
    assert rank(nb201, pool, predictions, exclude=nb201.canonical(pool)).tolist() == []
    assert rank(nb201, pool, predictions, exclude=np.array([], np.int64)).tolist() == [4, 2, 3]
