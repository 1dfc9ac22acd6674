"""What a service can be asked: its methods, with the JSON schema of their parameters, and checks by it."""

from collections.abc import Mapping
from typing import Any

from nag_jax.system.errors import InputError, quoted
from nag_jax.system.names import check_name

MOST = 1000
"""Architectures of one request: more than anybody reads, and few enough to be answered soon."""


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_COUNT = {"type": "integer", "minimum": 1, "maximum": MOST, "default": 1}
_STRING = {"type": "string"}
_ARCHITECTURES = {"type": "array", "items": _STRING, "minItems": 1, "maxItems": MOST}
_VALUES = {"type": "object", "additionalProperties": {"type": "number"}}
_TOLD = _object(("architecture",), architecture=_STRING, values=_VALUES, reason=_STRING)

METHODS: dict[str, dict[str, Any]] = {
    "describe": {"does": "Says what is searched, how, and what is left of the budget.", "params": _object()},
    "ask": {
        "does": "Proposes architectures, which are pending from then on; of a part of the space, where it is told one.",
        "params": _object(
            n=_COUNT,
            strategy={**_STRING, "description": "what decides, of the strategies that `describe` lists"},
            constraints={**_STRING, "description": "bounds of costs, as 'macs <= 300e6; params <= 5e6'"},
            fixed={"type": "object", "additionalProperties": _STRING, "description": "node to its class"},
            excluded={
                "type": "object",
                "additionalProperties": {"type": "array", "items": _STRING},
                "description": "node to classes that it doesn't have; '*' stands for all nodes",
            },
            near={**_STRING, "description": "an architecture that others are like"},
            changes={"type": "number", "minimum": 0, "description": "nodes in which they differ from it on average"},
        ),
    },
    "predict": {
        "does": "Says what the labels so far tell of architectures; null before there are two.",
        "params": _object(("architectures",), architectures=_ARCHITECTURES),
    },
    "check": {
        "does": "Says whether strings are architectures that may be labelled, and whether they are.",
        "params": _object(("architectures",), architectures=_ARCHITECTURES),
    },
    "evaluate": {
        "does": "Pays for labels, up to the budget; those that are paid for already are free.",
        "params": _object(("architectures",), architectures=_ARCHITECTURES, origin=_STRING),
    },
    "tell": {
        "does": "Stores labels that were paid for elsewhere, or why there are none.",
        "params": _object(
            ("trials",), trials={"type": "array", "items": _TOLD, "minItems": 1, "maxItems": MOST}, origin=_STRING
        ),
    },
    "best": {
        "does": "Lists the best labelled architectures, by a metric or the objective, or the front of all objectives.",
        "params": _object(n=_COUNT, metric=_STRING, front={"type": "boolean", "default": False}),
    },
    "explain": {
        "does": "Says what architectures are made of, what they cost, and which labelled ones are like them.",
        "params": _object(("architectures",), architectures=_ARCHITECTURES),
    },
    "history": {
        "does": "Lists the trials after the one of that number, in their order.",
        "params": _object(since={"type": "integer", "minimum": 0, "default": 0}),
    },
}
"""The methods by name: what each does, and the JSON schema of its parameters."""
_TYPES = {"string": str, "boolean": bool, "array": list, "object": Mapping, "integer": int, "number": int | float}


def check_params(value: Any, schema: Mapping[str, Any], where: str = "params") -> None:
    """Checks a value by the part of JSON Schema that `METHODS` uses.

    Raises:
        InputError: the value isn't as the schema has it, with the place.

    Example:
        >>> check_params({"n": 3}, METHODS["ask"]["params"])
        >>> check_params({"n": 0}, METHODS["ask"]["params"])
        Traceback (most recent call last):
            ...
        nag_jax.system.errors.InputError: params.n must be at least 1, found 0
    """
    kind = schema["type"]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise InputError(f"{where} must be of type {kind}, found {quoted(value)}")
    given: Any = value  # of that kind, which the type checker can't know
    size, least, most = (len(given), "minItems", "maxItems") if kind == "array" else (given, "minimum", "maximum")
    if least in schema and size < schema[least]:
        raise InputError(f"{where} must be at least {schema[least]}, found {quoted(size)}")
    if most in schema and size > schema[most]:
        raise InputError(f"{where} must be at most {schema[most]}, found {quoted(size)}")
    for i, item in enumerate(given if kind == "array" else ()):
        check_params(item, schema["items"], f"{where}[{i}]")
    if kind != "object":
        return
    known, others = schema.get("properties", {}), schema["additionalProperties"]
    if missing := [name for name in schema.get("required", ()) if name not in value]:
        raise InputError(f"{where} lacks {quoted(missing[0])}: give it")
    for name, item in given.items():
        if not others:
            check_name(name, known, f"name in {where}")
        check_params(item, known.get(name, others), f"{where}.{name}")
