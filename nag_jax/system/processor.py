"""The name of this machine's processor."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's model as Linux names it; elsewhere what Python knows of it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
