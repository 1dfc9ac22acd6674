"""Export: networks to take home, which need nothing of nag_jax."""

from nag_jax.export.files import Export, export_network
from nag_jax.spaces.blueprint import Blueprint

__all__ = ["Blueprint", "Export", "export_network"]
