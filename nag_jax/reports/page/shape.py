"""The shape of a `results.json` that others can read; a file that was changed by hand may hold anything."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from nag_jax.system.errors import InputError

DEEPEST = 64
"""Objects and lists within each other; a run writes six."""
_MOST = 2**63
"""What counts and sums stay below, and floats can take."""
_SHOWN = 60
"""Characters of a value or of a field's name in a message."""


class Kind(NamedTuple):
    """A kind of value: its name for messages, and whether a value is one."""

    words: str
    holds: Callable[[Any], bool]


class Each(NamedTuple):
    """An object of any keys, or a list, whose values are all alike.

    Attributes:
        shape: the shape of each value.
        container: dict or list.
        keys: what keys must be besides text.
        filled: whether there must be a value.
    """

    shape: Any
    container: type = dict
    keys: Kind | None = None
    filled: bool = False


ANYTHING = Kind("a value", lambda value: True)
TEXT = Kind("text", lambda value: isinstance(value, str))
NUMBER = Kind("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool))
KNOWN = Kind("a number or null", lambda value: value is None or NUMBER.holds(value))
COUNT = Kind("a whole number from 0", lambda value: NUMBER.holds(value) and value == value // 1 >= 0)
SOME = Kind("a whole number from 1", lambda value: COUNT.holds(value) and value > 0)
DIRECTION = Kind("'max' or 'min'", lambda value: value in ("max", "min"))
OBJECT = Each(ANYTHING)
_LABELS = Kind("numbers of labels", lambda key: key.isascii() and key.isdigit())

# A field whose name ends in a question mark may be missing or null; the star stands for fields that aren't named.
_FACTS = {"metric": TEXT, "title?": TEXT, "direction": DIRECTION, "unit?": TEXT, "split?": TEXT}
_METRIC = _FACTS | {"objectives?": Each(_FACTS, list)}
_LABELLED = _METRIC | {"evaluator": TEXT}
_CURVE = Each({"estimate": KNOWN, "low": KNOWN, "high": KNOWN}, keys=_LABELS)
_POOL = {
    f"{name}?": NUMBER
    for name in (
        *("validity_argmax", "validity_threshold", "distinct", "distinct_canonical", "novelty", "feasible_share"),
        *("diversity", "feasible_diversity", "predicted_mean", "value_mean", "value_best", "pool_regret"),
        *("guidance_gap", "hypervolume", "hypervolume_share", "coverage", "predicted_hypervolume"),
    )
} | {"*": Kind("a value, or an object whose mean is a number", lambda value: _is_cost(value))}
_SAMPLED = {"config": {"num_samples": COUNT}}
_STRATEGY = {
    "failed": COUNT,
    "reported_after": _CURVE,
    "hypervolume_after?": _CURVE,
    "labels_to_optimum?": {"median?": NUMBER},
}

ANY_RUN = {
    "config": {
        "name": TEXT,
        "mode": TEXT,
        "seed": ANYTHING,
        "space": {"name": TEXT},
        "evaluator": OBJECT,
        "constraints?": TEXT,
        "triples?": OBJECT,
    },
    "objective?": _METRIC,
    "constraints?": Each(TEXT, list),
    "git_commit?": TEXT,
    "command?": TEXT,
    "versions": OBJECT,
}
"""Of what every reader needs."""
PAGE = {
    "seconds": Each(NUMBER),
    "devices": {"count": COUNT, "kind": TEXT},
    "labels?": {"paid": COUNT, "failed": COUNT, "by_purpose": Each(COUNT)},
}
"""Of what the page of any run needs besides."""
_TRAINING = {
    "seed": COUNT,
    "epochs": COUNT,
    **dict.fromkeys(("test_accuracy", "low", "high", "training_loss", "validation_accuracy", "seconds"), NUMBER),
}
OF_KIND: dict[str, dict[str, Any]] = {
    "generate": _SAMPLED
    | {
        "objective": _LABELLED | {"space": TEXT, "best_of_table?": NUMBER, "facts?": OBJECT},
        "best": {
            "architecture": TEXT,
            "value": NUMBER,
            "regret?": NUMBER,
            "rank_by_predictor": COUNT,
            "of": COUNT,
            "objectives?": Each(NUMBER),
        },
        "pools": Each(_POOL, filled=True),
        "baselines?": Each(_POOL | {"predictions": COUNT, "seconds?": NUMBER}),
        "sweep": Each(_POOL | {"scale": ANYTHING}, list),
    },
    "front": _SAMPLED
    | {
        "front": {
            "objectives": Each(_FACTS | {"kind": TEXT}, list),
            "bounds": TEXT,
            "redundant": Each(Each(TEXT, list), list),
            "models": Each(OBJECT),
            "measurements": {"paid": COUNT},
        },
        "space": TEXT,
        "evaluator": TEXT,
        "pools": Each(_POOL, filled=True),
        "chosen": Each({"architecture": TEXT}, list),
    },
    "constraints": _SAMPLED
    | {
        "space": TEXT,
        "evaluator": TEXT,
        "pools": Each(_POOL, filled=True),
        "times_fewer_samples_than_filtering?": NUMBER,
        "facts?": OBJECT,
    },
    "train": {
        "objective": _LABELLED | {"space": TEXT},
        "trained": {
            "architecture": TEXT,
            "params": COUNT,
            "weights": TEXT,
            "kept": _TRAINING,
            "seeds": Each(_TRAINING, list, filled=True),
            "test_accuracy_of_seeds": {"estimate": NUMBER, "low?": NUMBER, "high?": NUMBER},
        },
        "dataset": {
            "name": TEXT,
            "classes": Each(TEXT, list),
            "examples": Each(COUNT),
            "shape": Each(COUNT, list),
            "mean": Each(NUMBER, list),
            "std": Each(NUMBER, list),
        },
        "stages": Each({"purpose": TEXT, "count": COUNT, "epochs": COUNT}, list, filled=True),
        "training_seconds": NUMBER,
        "config": {"training": {"epochs": COUNT}},
    },
    "stream": _SAMPLED
    | {
        "objective?": _LABELLED,
        "samples": SOME,
        "valid": COUNT,
        "distinct": COUNT,
        "distinct_canonical": COUNT,
        "files": COUNT,
        "samples_per_second?": NUMBER,
    },
    "search": {
        "objective": _METRIC | {"best_of_table?": NUMBER},
        "reported": _METRIC | {"best_of_table?": NUMBER},
        "space": TEXT,
        "evaluator": TEXT,
        "best?": {
            "architecture": TEXT,
            "value": NUMBER,
            "reported?": NUMBER,
            "strategy": TEXT,
            "seed": COUNT,
            "label": COUNT,
            "objectives?": Each(NUMBER),
        },
        "seeds": COUNT,
        "initial": COUNT,
        "budget": COUNT,
        "strategies": Each(_STRATEGY, filled=True),
        "significance": Each({"difference": Each(KNOWN), "p": Each(KNOWN)}, keys=_LABELS),
    },
}
"""What the page of a run needs that did this."""


def check(value: Any, shape: Any, where: str = "") -> None:
    """Raises InputError, with the field's JSON pointer (RFC 6901), where a value hasn't the shape."""
    if isinstance(shape, Kind):
        _require(shape.holds(value), value, where, shape.words)
        return
    _require(isinstance(value, shape.container if isinstance(shape, Each) else dict), value, where, _words(shape))
    if isinstance(shape, Each):
        _require(bool(value) or not shape.filled, value, where, "filled")
        for key, item in _items(value):
            if shape.keys is not None:
                _require(shape.keys.holds(key), key, f"names in {where}", shape.keys.words)
            check(item, shape.shape, f"{where}/{key}")
        return
    named = {field.removesuffix("?"): inner for field, inner in shape.items() if field != "*"}
    for name, inner in named.items():
        optional = f"{name}?" in shape
        if name not in value and not optional:
            raise InputError(f"{_shown(f'{where}/{name}', str)} is missing")
        if value.get(name) is not None or not optional:
            check(value[name], inner, f"{where}/{name}")
    for name in value.keys() - named:
        check(value[name], shape.get("*", ANYTHING), f"{where}/{name}")


def check_values(value: Any, where: str = "", depth: int = 0) -> None:
    """Raises InputError, likewise, for what no page can show: endless depth and numbers, and halves of characters."""
    _require(depth <= DEEPEST, "more", where, f"at most {DEEPEST} objects and lists within each other")
    if isinstance(value, str):
        _require(not any("\ud800" <= character <= "\udfff" for character in value), value, where, "text in Unicode")
    elif isinstance(value, int):
        _require(abs(value) < _MOST, value, where, "a number of less than 64 bits")
    elif isinstance(value, list | dict):
        for key, item in _items(value):
            check_values(str(key), f"names in {where}")
            check_values(item, f"{where}/{key}", depth + 1)


def _items(value: list | dict) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value)


def _is_cost(value: Any) -> bool:
    return not isinstance(value, dict) or KNOWN.holds(value.get("mean"))


def _words(shape: Any) -> str:
    return "a list" if isinstance(shape, Each) and shape.container is list else "an object"


def _require(holds: bool, value: Any, where: str, words: str) -> None:
    if not holds:
        raise InputError(f"{_shown(where or '/', str)} must be {words}, found {_shown(value, repr)}")


def _shown(value: Any, form: Callable[[Any], str]) -> str:
    """A value or a name as a message shows it: without control characters, and cut."""
    text = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in form(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
