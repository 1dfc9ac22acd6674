"""Model cards of trained networks: what was trained, on what and how, how good it is, and the command for it."""

from collections.abc import Mapping
from typing import Any

from nag_jax.settings.config import flatten


def model_card(results: Mapping[str, Any]) -> str:
    """The card of the network that a run of the mode `train` kept, as Markdown.

    Args:
        results: what stands in the run's `results.json`.
    """
    found, data, config = results["trained"], results["dataset"], results["config"]
    kept, seeds = found["kept"], found["test_accuracy_of_seeds"]
    examples = ", ".join(f"{count:,} for {part}" for part, count in data["examples"].items())
    rows = {
        "architecture": f"`{found['architecture']}` of {results['objective']['space']}",
        "data set": f"{data['name']}, {len(data['classes'])} classes",
        "examples": f"{examples}; parts drawn with seed {config['dataset']['seed']} where the source names none",
        "inputs": f"{' x '.join(map(str, data['shape']))}, less {_numbers(data['mean'])}, divided by "
        f"{_numbers(data['std'])} (of the channels of the training part)",
        "parameters": f"{found['params']:,}",
        "test accuracy": f"{kept['test_accuracy']:.2f} % (95 %: {kept['low']:.2f} to {kept['high']:.2f}, Wilson)",
        "test accuracy of all seeds": f"{seeds['estimate']:.2f} % in the mean of {len(found['seeds'])}"
        f"{_interval(seeds)}",
        "validation accuracy": f"{kept['validation_accuracy']:.2f} %",
        "chosen by": f"{results['objective']['metric']} among {results['stages'][0]['count']} that were generated, by "
        f"successive halving; of {len(found['seeds'])} seeds the best, seed {kept['seed']}",
        "time": f"{kept['seconds']:.0f} s of training, {results['training_seconds']:.0f} s with all that were compared",
        "machine": f"{results['devices']['count']} of {results['devices']['kind']}",
        "code": f"nag_jax at {results['git_commit']}",
    }
    lines = ["# A trained network", "", "| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows.items())]
    lines += ["", "## Recipe", "", "| field | value |", "|---|---|"]
    lines += [f"| `{name}` | `{value!r}` |" for name, value in flatten(config["training"])]
    if results.get("command"):
        lines += ["", "## Command", "", f"    {results['command']}"]
    limits = (
        "It is as good as these figures say on inputs like those of the test part, which was read once, after the "
        "network was chosen. Nothing is known of others."
    )
    return "\n".join([*lines, "", "## Limits", "", limits]) + "\n"


def _numbers(values: list[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _interval(found: Mapping[str, Any]) -> str:
    low, high = found["low"], found["high"]
    known = low is not None and low == low
    return f" (95 %: {low:.2f} to {high:.2f}, Student)" if known else ""
