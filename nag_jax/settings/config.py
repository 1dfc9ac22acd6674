"""Settings as `ml_collections.ConfigDict`s, whose fields a config file and the command line override."""

from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from nag_jax.settings.runs import Front, Generate, Search, Settings, Train, Transfer
from nag_jax.system.fields import from_dict, to_dict


def make_config(settings: Settings, variant: str, changes: Mapping[str, Mapping[str, Any]]) -> Any:
    """The `ConfigDict` of settings in one of their variants.

    Args:
        settings: what all variants start from; their name is that of the config's file.
        variant: the name of the variant, "" for the default one.
        changes: the variants by name, each the fields in which it differs, as `{"labels.training": 50}`.

    Raises:
        ValueError: there is no such variant.
    """
    if variant not in changes:
        *names, last = ["none", *(repr(name) for name in changes if name)]
        raise ValueError(f"unknown variant {variant!r} of configs/{settings.name}.py: use {', '.join(names)} or {last}")
    config = to_config(settings)
    config.update_from_flattened_dict(dict(changes[variant]))
    config.name = f"{settings.name}-{variant}" if variant else settings.name
    return config


def to_config(settings: Settings) -> ConfigDict:
    """Settings as a `ConfigDict`.

    Example:
        >>> to_config(Search()).search.budget
        100
    """
    return ConfigDict(to_dict(settings))


def from_config(config: ConfigDict) -> Settings:
    """The settings that a `ConfigDict` has; fields that it lacks have their defaults. They aren't checked.

    Raises:
        InputError: it has a field that no settings have.

    Example:
        >>> from_config(to_config(Generate(seed=1))) == Generate(seed=1)
        True
    """
    return from_dict(config.to_dict(), Generate(), Search(), Transfer(), Train(), Front())


def flatten(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of nested dictionaries that isn't one itself, as `("sde.ve.sigma_min", 0.1)`."""
    for name, value in tree.items():
        place = f"{path}.{name}" if path else name
        if isinstance(value, Mapping):
            yield from flatten(value, place)
        else:
            yield place, value
