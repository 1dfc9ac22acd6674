"""Runs of training: one architecture from its first step to its last, stopped and resumed anywhere."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from nag_jax.datasets.examples.parts import Part, Parts
from nag_jax.fitting.checkpoint import Checkpoints, abstract_like
from nag_jax.spaces.any_network import AnyNetwork
from nag_jax.system import interrupts, parallel
from nag_jax.system.errors import InputError
from nag_jax.training.recipe import Recipe
from nag_jax.training.step import Programs, State, Variables, make_programs

CURVE: tuple[str, ...] = ("training_loss", "validation_accuracy", "seconds")
"""What is known of every epoch: the mean loss, the accuracy of the moving average in %, and seconds since the start."""
CHUNK = 200
"""Steps of one call, between which a run can be stopped and saved."""
EVALUATED = 256
"""Examples that are evaluated at a time."""
DIVERGED = 10.0
"""How many times the loss of a guess the training loss may be, before a run counts as diverged."""


@dataclasses.dataclass(frozen=True, eq=False)
class Setting:
    """What all runs of a space and a data set share.

    Attributes:
        network: the networks of the space.
        data: the parts of the data set.
        recipe: how architectures are trained.
        mesh: the devices.
    """

    network: AnyNetwork
    data: Parts
    recipe: Recipe
    mesh: Any

    def __post_init__(self):
        size = self.recipe.batch_size
        if size > self.data.training.size or size % self.mesh.size:
            raise InputError(
                f"batches of {size} must be no more than the {self.data.training.size} training examples, and divide "
                f"over {self.mesh.size} devices: choose another batch_size"
            )

    @property
    def programs(self) -> Programs:
        """What is compiled, once for all runs."""
        return make_programs(self.network, self.recipe, len(self.data.classes), self.mesh)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of the training part; what is left of every epoch's order waits for the next."""
        return self.data.training.size // self.recipe.batch_size

    def place(self, tree: Any) -> Any:
        """The arrays on all devices."""
        return jax.device_put(tree, parallel.replicated(self.mesh))


class Run(NamedTuple):
    """A training so far.

    Attributes:
        state: the state after the last step.
        curve: float32 `[epochs, 3]`, see `CURVE`; NaN for epochs that aren't done.
        reason: why it failed, in one line; empty where it didn't.
    """

    state: State
    curve: np.ndarray
    reason: str = ""

    @property
    def epochs(self) -> int:
        """Epochs that are done."""
        return int(np.isfinite(self.curve[:, 2]).sum())

    @property
    def seconds(self) -> float:
        """What they took."""
        return float(self.curve[self.epochs - 1, 2]) if self.epochs else 0.0

    def until(self, epochs: int) -> "Run":
        """What was known of it after so many epochs; its state stays that after the last step."""
        return self._replace(curve=np.where(np.arange(len(self.curve))[:, None] < epochs, self.curve, np.nan))


@jax.enable_x64(False)
def train(
    setting: Setting,
    key: jax.Array,
    tokens: np.ndarray,
    run: Run,
    *,
    epochs: int,
    kept: Checkpoints | None = None,
    on_epoch: Callable[[Run], None] | None = None,
) -> Run:
    """Trains an architecture for so many of the recipe's epochs, or goes on from where it was stopped.

    A step depends on the key, its number and the data alone, so that a run ends with the same bits on the same machine,
    however often it was stopped.

    Args:
        setting: the networks, the data, the recipe and the devices.
        key: the key of all randomness of the run.
        tokens: the architecture, `[W]`.
        run: the run so far, as `resume` gives it; its state is used up.
        epochs: how many epochs are done in the end, at most the recipe's; the learning rate is that of all.
        kept: where to save; None keeps nothing.
        on_epoch: called after each epoch.
    """
    placed = setting.place((key, np.asarray(tokens), *setting.data.training[:2]))
    steps, validation = setting.steps_per_epoch, Evaluated(setting, setting.data.validation)
    every, before, started = setting.recipe.checkpoint_every, run.seconds, time.perf_counter()
    saved = started
    while (done := int(run.state.step)) < epochs * steps and not run.reason:
        interrupts.check()
        stop = min(done + CHUNK, (done // steps + 1) * steps)
        state = setting.programs.advance(run.state, *placed, stop)
        run = run._replace(state=state, reason=_failure(state, steps, len(setting.data.classes)))
        if stop % steps == 0 and not run.reason:
            accuracy = validation.accuracy(state.average, placed[1])
            point = float(state.losses) / steps, accuracy, before + time.perf_counter() - started
            run = run._replace(curve=_with(run.curve, stop // steps - 1, point))
            if on_epoch is not None:
                on_epoch(run)
        now = time.perf_counter()
        if kept is not None and not run.reason and (stop == epochs * steps or now - saved > every):
            kept.save(stop, {"state": run.state, "curve": run.curve})
            saved = now
    if kept is not None:
        kept.close()
    return run


def resume(setting: Setting, kept: Checkpoints | None, key: jax.Array, tokens: np.ndarray) -> Run:
    """The newest state that was kept, or that before the first step.

    Raises:
        InputError: the newest checkpoint can't be restored.
    """
    tokens, inputs = np.asarray(tokens), setting.data.training.inputs[:1]
    curve = np.full((setting.recipe.epochs, len(CURVE)), np.nan, np.float32)
    if kept is None or kept.latest_step() is None:
        return Run(setting.programs.init(*setting.place((key, tokens, inputs))), curve)
    state = jax.eval_shape(setting.programs.init, key, tokens, inputs)
    target = abstract_like({"state": state, "curve": curve}, parallel.replicated(setting.mesh))
    found = kept.restore(target)
    return Run(found["state"], np.asarray(found["curve"]))


def compile_programs(setting: Setting, tokens: np.ndarray) -> None:
    """Compiles all programs of a setting by a run of no step, so that no architecture is charged for it."""
    run = resume(setting, None, jax.random.key(0), tokens)
    placed = setting.place((jax.random.key(0), np.asarray(tokens), *setting.data.training[:2]))
    state = setting.programs.advance(run.state, *placed, 0)
    Evaluated(setting, setting.data.validation).accuracy(state.average, placed[1])


class Evaluated:
    """The examples of a part, to be evaluated by batches of one size, so that one program serves all parts.

    Args:
        setting: the networks and the devices.
        part: the part.
    """

    def __init__(self, setting: Setting, part: Part):
        self._setting = setting
        self._labels = part.labels
        size = parallel.padded_size(EVALUATED, setting.mesh)
        padding = ((0, -part.size % size), *((0, 0) for _ in part.inputs.shape[1:]))
        padded = np.pad(part.inputs, padding).reshape(-1, size, *part.inputs.shape[1:])
        self._batches = [jax.device_put(batch, parallel.batched(setting.mesh)) for batch in padded]

    def logits(self, variables: Variables, tokens: Any) -> np.ndarray:
        """Float32 `[n, K]` of the part's examples."""
        found = [self._setting.programs.logits(variables, tokens, batch) for batch in self._batches]
        return np.concatenate(parallel.fetch(found))[: len(self._labels)]

    def accuracy(self, variables: Variables, tokens: Any) -> float:
        """The share of the part's examples whose class is told right, in %."""
        return 100.0 * float((self.logits(variables, tokens).argmax(axis=1) == self._labels).mean())


def _with(curve: np.ndarray, epoch: int, point: tuple[float, float, float]) -> np.ndarray:
    changed = curve.copy()
    changed[epoch] = point
    return changed


def _failure(state: State, steps_per_epoch: int, num_classes: int) -> str:
    """Why a run can't go on after this step, empty where it can."""
    step = int(state.step)
    mean = float(state.losses) / ((step - 1) % steps_per_epoch + 1)
    if np.isfinite(mean) and mean <= DIVERGED * np.log(num_classes):
        return ""
    return (
        f"the training loss is {mean:.3g} in epoch {(step - 1) // steps_per_epoch + 1}, and that of a guess "
        f"{np.log(num_classes):.3g}: lower the learning rate"
    )
