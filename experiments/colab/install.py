"""Installs what the notebooks lack and leaves all that is installed as it is, above all JAX.

Run by their first cell, in the checkout's folder, from which `nag_jax` is then imported.
"""

import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def read_requirements() -> list[Requirement]:
    """What `requirements.txt` asks for."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    return [Requirement(line) for line in lines if line]


def installed() -> dict[str, str]:
    """Every installed package and its version."""
    return {package.name: package.version for package in importlib.metadata.distributions()}


def main() -> None:
    """Installs what is missing, with every installed version as a constraint; says what is older than asked for."""
    here = {name.lower().replace("_", "-"): version for name, version in installed().items()}
    needed = read_requirements()
    missing = [str(need) for need in needed if need.name not in here]
    if missing:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            constraints.writelines(f"{name}=={version}\n" for name, version in here.items())
            constraints.flush()
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", constraints.name, *missing]
            subprocess.run(command, check=True)
    for need in needed:
        version = here.get(need.name)
        if version and not need.specifier.contains(version, prereleases=True):
            print(f"{need.name} {version} is kept, though nag_jax is made for {need.specifier}")


if __name__ == "__main__":
    main()
