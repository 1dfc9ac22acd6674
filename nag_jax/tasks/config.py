"""The type of configs in signatures."""

from typing import Any

Config = Any
"""An `ml_collections.ConfigDict`, whose fields have types that only the config file knows."""
