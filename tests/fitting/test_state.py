import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nag_jax.fitting.state import init_state, make_optimizer, train_step
from nag_jax.system.errors import InputError

WARMUP, STEPS, RATE = 4, 12, 0.1


def updates(gradients, *, start=1.0, **options):
    """What the optimiser adds to one parameter at each of the gradients."""
    defaults = {"num_steps": STEPS, "warmup_steps": WARMUP, "decay": "constant", "clip_norm": 1.0}
    optimizer = make_optimizer(learning_rate=RATE, **(defaults | options))

    @jax.jit
    def run(gradients):
        def step(carry, gradient):
            state, param = carry
            update, state = optimizer.update(gradient, state, param)
            return (state, param + update), update

        param = jnp.float32(start)
        return jax.lax.scan(step, (optimizer.init(param), param), gradients)[1]

    return np.asarray(run(jnp.asarray(gradients, jnp.float32)))


@pytest.mark.parametrize("decay", ["constant", "cosine"])
def test_the_rate_warms_up_and_decays(decay):
    """Adam moves by the rate itself while the gradient stays the same."""
    found = -updates(np.full(STEPS + 1, 0.5), decay=decay)
    rest = np.arange(STEPS + 1 - WARMUP) / (STEPS - WARMUP)
    after = RATE * (0.5 * (1.0 + np.cos(np.pi * rest)) if decay == "cosine" else np.ones_like(rest))
    np.testing.assert_allclose(found, [*(RATE * np.arange(WARMUP) / WARMUP), *after], atol=1e-5)


def test_no_warm_up_starts_at_the_full_rate():
    assert updates([0.5], warmup_steps=0)[0] == pytest.approx(-RATE, rel=1e-4)


def test_gradients_are_clipped_by_their_global_norm():
    options = {"warmup_steps": 0, "clip_norm": 2.0}
    np.testing.assert_allclose(updates([0.1, 50.0], **options), updates([0.1, 2.0], **options), rtol=1e-5)
    assert np.abs(updates([0.1, 50.0], **options)[1] - updates([0.1, 1.0], **options)[1]) > 1e-3


def test_weights_decay_by_the_rate():
    assert updates([0.0], warmup_steps=0, weight_decay=0.01, start=3.0)[0] == pytest.approx(-RATE * 0.01 * 3.0)
    assert updates([0.0], warmup_steps=0, start=3.0)[0] == 0.0


def test_an_unknown_decay_gets_the_choices():
    with pytest.raises(InputError, match="unknown decay 'linear': use 'cosine' or 'constant'"):
        make_optimizer(learning_rate=0.1, num_steps=10, warmup_steps=1, decay="linear", clip_norm=1.0)


def test_a_step_descends_with_its_own_key_and_averages():
    """With gradient descent and a gradient drawn from the key, everything has a closed form."""

    def loss(params, key, data):
        return params["p"] * (jax.random.normal(key) + data)

    optimizer = optax.sgd(0.5)
    key = jax.random.key(3)
    step = jax.jit(lambda state: train_step(state, key, 2.0, loss_fn=loss, optimizer=optimizer, ema_decay=0.3))
    state = init_state({"p": jnp.float32(1.0)}, optimizer)
    assert (int(state.step), float(state.ema["p"])) == (0, 1.0)
    param = average = 1.0
    for n in range(1, 8):
        gradient = float(jax.random.normal(jax.random.fold_in(key, n - 1))) + 2.0
        before = param
        state, value = step(state)
        param -= 0.5 * gradient
        decay = min(0.3, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * param
        assert int(state.step) == n
        assert float(value) == pytest.approx(before * gradient, rel=1e-4)
        assert float(state.params["p"]) == pytest.approx(param, rel=1e-4)
        assert float(state.ema["p"]) == pytest.approx(average, rel=1e-4)
    assert (1 + 1) / (10 + 1) < 0.3 < (1 + 7) / (10 + 7)  # so that both branches were met


def test_the_average_starts_as_a_copy():
    """Not as the same buffer, which could not be donated twice."""
    state = init_state({"p": jnp.ones(3)}, optax.sgd(0.1))
    assert state.ema["p"] is not state.params["p"]
    assert state.ema["p"].unsafe_buffer_pointer() != state.params["p"].unsafe_buffer_pointer()
