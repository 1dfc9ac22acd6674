import jax
import numpy as np
import pytest

from nag_jax import guidance
from nag_jax.generators.gaussian.score_guides import ScoreGuide
from nag_jax.generators.sharded import COLLECTIVES
from nag_jax.guidance import Guide
from nag_jax.system.errors import InputError

KEY = jax.random.key(1)
N = 13
"""A multiple of no number of devices but one."""


@pytest.fixture(scope="module")
def alone(make_sampler, params):
    """What one device generates in one piece."""
    return make_sampler()(KEY, N, params)


# The sampler


def test_samples_are_cells_that_differ(alone, read_cells):
    assert (alone.tokens.shape, alone.tokens.dtype) == ((N, 8), np.int32)
    assert (alone.valid.shape, alone.sharp.shape) == ((N,), (N,))
    assert len(np.unique(read_cells(alone), axis=0)) == N


@pytest.mark.parametrize("devices", [2, 8])
def test_any_number_of_devices_generates_the_same_cells(make_sampler, params, alone, read_cells, devices):
    found = make_sampler(devices=devices)(KEY, N, params)
    np.testing.assert_array_equal(read_cells(found), read_cells(alone))


def test_any_length_of_segments_generates_the_same_cells(make_sampler, params, alone, read_cells):
    done = []
    found = make_sampler(segment_steps=3)(KEY, N, params, progress=lambda *steps: done.append(steps))
    np.testing.assert_array_equal(read_cells(found), read_cells(alone))
    assert done == [(3, 8), (6, 8), (8, 8)]


def test_fewer_samples_are_the_first_of_more(make_sampler, params, alone, read_cells):
    """Here with the program of 16; the tests above say that programs of 13, 14 and 16 agree."""
    found = make_sampler(devices=8)(KEY, 9, params)
    np.testing.assert_array_equal(read_cells(found), read_cells(alone)[:9])


def test_the_key_and_the_parameters_count(make_sampler, params, alone, read_cells):
    sampler = make_sampler()
    assert (read_cells(sampler(jax.random.key(2), N, params)) != read_cells(alone)).any(axis=1).all()
    favoured = params["params"] | {"head": jax.tree.map(np.copy, params["params"]["head"])}
    favoured["head"]["bias"][4] = 4.0  # logits of nor_conv_1x1
    found = read_cells(sampler(KEY, N, {"params": favoured}))[:, 1:-1]
    assert (found == 4).mean() > 0.7 > 0.4 > (read_cells(alone)[:, 1:-1] == 4).mean()


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
def test_a_later_start_goes_on_in_the_stream_and_traces_nothing(start, make_sampler, params, alone, read_cells):
    traces = []

    def update(beliefs, state, *, keys, args):
        traces.append(args)
        return tilted.update(beliefs, state, keys=keys, args=args)

    sampler = make_sampler(guide=tilted._replace(update=update))
    nothing = {"scale": np.float32(0.0)}
    np.testing.assert_array_equal(sampler.launch(KEY, 5, params, nothing).tokens, read_cells(alone)[:5])
    counts = len(traces)
    later = sampler.launch(KEY, 5, params, nothing, start=start)
    assert len(traces) == counts
    np.testing.assert_array_equal(later.tokens, read_cells(alone)[start : start + 5])
