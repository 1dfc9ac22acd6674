"""Generate neural architectures for an objective with guided diffusion.

Six calls are enough, `space`, `evaluator`, `fit`, `generate`, `search` and `study`; see `nag_jax.api`. They are loaded
when first asked for, so that `import nag_jax` is light.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nag_jax.api import Found, Model, Pool, Study, evaluator, fit, generate, search, space, study

__version__ = "0.1.0"

__all__ = ["Found", "Model", "Pool", "Study", "evaluator", "fit", "generate", "search", "space", "study"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("nag_jax.api"), name)
    raise AttributeError(f"module 'nag_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
