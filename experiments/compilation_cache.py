"""The cache of compiled programs, which all commands share."""

import os
from pathlib import Path


def use_compilation_cache() -> None:
    """Keeps compiled programs between runs, in JAX_COMPILATION_CACHE_DIR or the user's cache folder."""
    import jax

    if not os.environ.get("JAX_COMPILATION_CACHE_DIR") and (folder := _cache_folder()):
        jax.config.update("jax_compilation_cache_dir", str(folder / "nag_jax" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def _cache_folder() -> Path | None:
    """The user's cache folder, or None for one without a home, as of a container: programs then aren't kept."""
    if folder := os.environ.get("XDG_CACHE_HOME"):
        return Path(folder)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return None
