"""Runs of training: what they learn, that they go on to the same bits, and that nothing compiles twice."""

import dataclasses

import jax
import numpy as np
import pytest

from nag_jax.evaluators.trained import TrainedEvaluator
from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.system.errors import InputError
from nag_jax.system.fields import check
from nag_jax.training import run as runs
from nag_jax.training.recipe import Recipe
from nag_jax.training.run import Evaluated, Setting, compile_programs, resume, train
from nag_jax.training.step import learning_rate

CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def tokens(space):
    return space.from_native([CELL])[0]


def trained(setting, tokens, epochs=6, kept=None, **options):
    return train(setting, KEY, tokens, resume(setting, kept, KEY, tokens), epochs=epochs, kept=kept, **options)


def assert_same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(found.state), jax.device_get(expected.state))
    np.testing.assert_array_equal(found.curve[:, :2], expected.curve[:, :2])


@pytest.fixture(scope="module")
def whole(setting, tokens):
    return trained(setting, tokens)


def test_it_learns_and_says_so_epoch_by_epoch(setting, whole):
    assert (whole.epochs, whole.reason) == (6, "")
    assert int(whole.state.step) == 6 * setting.steps_per_epoch
    loss, accuracy, seconds = whole.curve.T
    assert loss[-1] < loss[0]
    assert accuracy[-1] >= 80.0
    assert (np.diff(seconds) > 0).all()


def test_a_training_goes_on_from_any_step_to_the_same_bits(setting, tokens, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "CHUNK", 1)
    for last in (1, 4, 6):  # in the middle of an epoch of 3, after its first step, and at its last
        kept = Checkpoints(tmp_path / str(last), {"a": 1}, max_to_keep=1)
        with monkeypatch.context() as patched:
            patched.setattr(Setting, "programs", setting.programs._replace(advance=stopping(setting, last)))
            with pytest.raises(KeyboardInterrupt):
                trained(setting, tokens, kept=kept)
        kept.close()
        assert kept.latest_step() == last
        assert_same(trained(setting, tokens, kept=kept), whole)


def stopping(setting, last):
    """The program that advances, which is interrupted after so many calls."""
    advance, calls = setting.programs.advance, []

    def counted(*arguments):
        calls.append(1)
        if len(calls) > last:
            raise KeyboardInterrupt
        return advance(*arguments)

    return counted


def test_stages_are_parts_of_one_training(setting, tokens, whole, tmp_path):
    kept = Checkpoints(tmp_path / "kept", {"a": 1}, max_to_keep=1)
    first = trained(setting, tokens, epochs=2, kept=kept)
    assert first.epochs == 2
    assert np.isnan(first.curve[2:]).all()
    assert_same(trained(setting, tokens, kept=kept), whole)
    assert_same(trained(setting, tokens, kept=kept), whole)  # with nothing left to do


def test_architectures_of_one_class_are_trained_apart(setting, space, tmp_path):
    """A ledger may have the first at fewer epochs, and be asked for the other at more."""
    twins = space.from_native(
        [
            "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|avg_pool_3x3~1|skip_connect~2|",
            "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|none~0|none~1|skip_connect~2|",
        ]
    )
    assert len(set(space.canonical(twins).tolist())) == 1
    evaluator = TrainedEvaluator(space, setting, {}, "validation_accuracy", tmp_path)
    assert [evaluator.train(row, epochs)[0].epochs for row, epochs in zip(twins, (1, 2), strict=True)] == [1, 2]


def test_fewer_epochs_are_those_of_a_training_that_went_further(setting, space, tokens, tmp_path):
    evaluator = TrainedEvaluator(space, setting, {}, "validation_accuracy", tmp_path)
    (long,) = evaluator.outcomes(tokens[None], fidelity="epochs=3")
    (short,) = evaluator.outcomes(tokens[None], fidelity="epochs=1")
    assert [point["epoch"] for point in short.curve] == [1]
    assert short.curve[0] == long.curve[0]
    assert short.labels["training_loss"] == long.curve[0]["training_loss"] != long.labels["training_loss"]


def test_another_architecture_and_other_seeds_compile_nothing(setting, space, whole):
    compilations = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compilations.append(event) if event.endswith("backend_compile_duration") else None
    )
    for i, tokens in enumerate(space.from_index([0, 15624, 7777])):
        key = jax.random.key(i)
        train(setting, key, tokens, resume(setting, None, key, tokens), epochs=1)
    compile_programs(setting, space.from_index([5])[0])
    assert compilations == []


def test_a_training_that_breaks_is_a_failure_with_a_reason(setting, tokens, striped):
    broken = striped.training._replace(inputs=striped.training.inputs * np.float32(np.nan))
    run = trained(dataclasses.replace(setting, data=striped._replace(training=broken)), tokens)
    assert run.reason == "the training loss is nan in epoch 1, and that of a guess 0.693: lower the learning rate"
    assert run.epochs == 0


def test_padding_of_the_last_batch_counts_for_nothing(setting, tokens, whole, striped):
    logits = Evaluated(setting, striped.test).logits(whole.state.average, tokens)
    assert logits.shape == (striped.test.size, 2)
    few = striped.test._replace(inputs=striped.test.inputs[:5], labels=striped.test.labels[:5])
    np.testing.assert_allclose(Evaluated(setting, few).logits(whole.state.average, tokens), logits[:5], rtol=1e-5)


def test_the_learning_rate_rises_and_falls():
    recipe = Recipe(epochs=10, learning_rate=0.5, warmup_epochs=2)
    rates = np.array([learning_rate(step, 5, recipe) for step in range(50)])
    assert rates.argmax() == 9
    assert rates.max() == pytest.approx(0.5)
    assert (np.diff(rates[:10]) > 0).all()
    assert (np.diff(rates[10:]) < 0).all()
    assert 0 < rates[-1] < 0.01


def test_what_does_not_go_together_is_refused(setting):
    with pytest.raises(InputError, match="batches of 64 must be no more than the 52 training examples"):
        dataclasses.replace(setting, recipe=Recipe())
    with pytest.raises(InputError, match=r"warmup_epochs, 3, must be less than config.epochs, 2"):
        check(Recipe(epochs=2, warmup_epochs=3))
