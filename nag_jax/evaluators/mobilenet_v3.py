"""The evaluator of MobileNetV3 sub-networks, without training: costs, and accuracy and latency from given files."""

import hashlib
from pathlib import Path

import numpy as np

from nag_jax.evaluators.base import OfWholeSpace, own_space
from nag_jax.evaluators.ofa_accuracy import Layers, predict_accuracy, read_predictor
from nag_jax.evaluators.ofa_latency import read_latencies
from nag_jax.objectives.metric import Metric
from nag_jax.spaces import MobileNetV3, Space
from nag_jax.spaces.costs import Cost
from nag_jax.system.errors import InputError
from nag_jax.system.names import check_name

ACCURACY, LATENCY = "accuracy", "latency"


class MobileNetV3Evaluator(OfWholeSpace):
    """Evaluates any network of the space, by formula and by models; there is no table.

    Attributes:
        name: `"mobilenet_v3"`.
        space: the space of the networks, at its resolution.
        metrics: `macs` and `params`, counts; `accuracy` in %, where its predictor was given; `latency_DEVICE` in ms for
            every device of the measurements, or `latency` of the one chosen.
        costs: those of the metrics that add up over layers, which constraints can be put on.
        facts: what is known of the models behind metrics, as their error on what they were not fitted to.
        objective: what to search by; None where nothing but costs is known, which no search is needed for.
        batch_size: networks per call.
        metric_file: the file that an objective is read from, and where it comes from, for messages.
        fingerprint: the digest of the files' content and the resolution.
    """

    name = "mobilenet_v3"
    batch_size = 4096
    metric_file = (
        "config.evaluator.accuracy_file, once-for-all's accuracy predictor acc_predictor.pth, which its authors "
        "publish (github.com/mit-han-lab/once-for-all)"
    )

    def __init__(
        self,
        space: MobileNetV3,
        costs: dict[str, Cost],
        metrics: dict[str, Metric],
        *,
        accuracy: Layers | None,
        objective: str | None,
        facts: dict[str, dict[str, float]],
    ):
        self.space = space
        self.costs = costs
        self.metrics = metrics
        self.objective = objective
        self.facts = facts
        self._accuracy = accuracy
        self.fingerprint = self._digest()

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluates tokens `[B, 20]`: float64 `[B]` for each metric."""
        found = {name: cost.of(tokens) for name, cost in self.costs.items()}
        if self._accuracy is not None:
            found[ACCURACY] = predict_accuracy(self._accuracy, self.space, tokens)
        return {name: found[name] for name in self.metrics}

    def _digest(self) -> str:
        digest = hashlib.sha256(f"{self.space.name} at {self.space.resolution}, {sorted(self.metrics)}".encode())
        for name in sorted(self.costs):
            digest.update(np.float64(self.costs[name].constant).tobytes() + self.costs[name].table.tobytes())
        for array in (*self._accuracy.kernels, *self._accuracy.biases) if self._accuracy is not None else ():
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def load(
    *,
    metric: str | None = None,
    accuracy_file: str | Path | None = None,
    latency_file: str | Path | None = None,
    device: str | None = None,
    space: Space | None = None,
) -> MobileNetV3Evaluator:
    """Makes the evaluator. Costs need no file; each file that is given adds its metrics.

    Args:
        metric: what to search by; by default `"accuracy"` where it is known, and nothing where not.
        accuracy_file: once-for-all's accuracy predictor: its `.pth` or the same weights as npz or safetensors. It was
            fitted to accuracies on images held out of ImageNet's training set.
        latency_file: measured latencies; see `ofa_latency.read_latencies`.
        device: the device whose latency becomes the metric `latency`; by default every device has its own.
        space: MobileNetV3 at its resolution; at 224 pixels by default.

    Raises:
        InputError: a file is missing or isn't what it should be, there is no such metric or device, or the space is
            another.
    """
    own = own_space(space, MobileNetV3(), has="evaluator mobilenet_v3 knows networks")
    costs, facts = own.costs(), {}
    metrics = {name: Metric(name, direction="min") for name in ("macs", "params")}
    if device and not latency_file:
        raise InputError("evaluator mobilenet_v3 knows no latency without measurements: give it latency_file")
    if latency_file:
        models = read_latencies(latency_file, own)
        if device:
            check_name(device, models, f"device of {latency_file}")
        for name, model in models.items():
            if not device or name == device:
                metric_name = LATENCY if device else f"{LATENCY}_{name}"
                costs[metric_name], facts[metric_name] = model.cost, model.facts
                metrics[metric_name] = Metric(metric_name, unit="ms", direction="min")
    accuracy = read_predictor(accuracy_file) if accuracy_file else None
    if accuracy is not None:
        metrics = {ACCURACY: Metric(ACCURACY, unit="%", direction="max", split="validation"), **metrics}
    if metric == ACCURACY and accuracy is None:
        raise InputError(
            f"there is no {ACCURACY!r} without its predictor, only {', '.join(metrics)}: give evaluator mobilenet_v3 "
            "accuracy_file"
        )
    if metric:
        check_name(metric, metrics, "metric of mobilenet_v3")
    objective = metric or (ACCURACY if accuracy is not None else None)
    return MobileNetV3Evaluator(own, costs, metrics, accuracy=accuracy, objective=objective, facts=facts)
