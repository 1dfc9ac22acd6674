"""Writes docs/configuration.md: every field of every config, as `nag_jax.settings` documents it.

python -m experiments.reference
"""

import ast
import importlib
from pathlib import Path

from nag_jax.settings.config import from_config
from nag_jax.system.fields import Leaf, leaves

from . import command_line

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "configuration.md"
FIRST = "nb201"
"""The config whose values are the defaults, of the main job."""
VARIANTS = {FIRST: ("", "paper")}
"""Of configs that have more than the default one and `smoke`, which changes sizes alone."""
_INTRODUCTION = """# Configuration

Every field of every config, made from `nag_jax.settings` by `python -m experiments.reference`; the files in
[configs](../configs) say only where they differ. Any field is overridden on the command line as
`--config.FIELD=VALUE`, tuples as `--config.run="('bo_nag', 'random_search')"`. A misspelt field or an ill-typed value
is refused before anything starts, and `--dry_run` checks the rest.

A default is that of the first config that has the field; the others follow where they differ. The variant `smoke` of
each config changes sizes alone, and isn't listed.
"""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page())
    print(f"wrote {PAGE}")


def page() -> str:
    """The text of docs/configuration.md."""
    lines = [_INTRODUCTION, "| config | what |", "|---|---|"]
    for path in sorted((ROOT / "configs").glob("[!_]*.py")):
        title = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
        lines.append(f"| [{path.name}](../configs/{path.name}) | {title} |")
    blocks: dict[str, list[str]] = {"The run": []}
    for field, by_config in fields().items():
        block = field.partition(".")[0] if "." in field else "The run"
        blocks.setdefault(block, []).append(_row(field, by_config))
    for block, rows in blocks.items():
        lines += ["", f"## {block}", "", "| field | what | default | range |", "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def fields() -> dict[str, dict[str, Leaf]]:
    """Every field of the configs, with what it is in each config that has it, by the config's name."""
    found: dict[str, dict[str, Leaf]] = {}
    paths = sorted((ROOT / "configs").glob("[!_]*.py"), key=lambda path: (path.stem != FIRST, path.stem))
    for path in paths:
        for variant in VARIANTS.get(path.stem, ("",)):
            config = importlib.import_module(f"configs.{path.stem}").get_config(variant)
            for leaf in leaves(from_config(config)):
                found.setdefault(leaf.path, {})[f"{path.stem}:{variant}" if variant else path.stem] = leaf
    return found


def _row(field: str, by_config: dict[str, Leaf]) -> str:
    """A row of the table: the first config's value, and those of the configs that differ."""
    (name, first), *others = by_config.items()
    values = [f"`{first.value!r}`" if name == FIRST else f"`{first.value!r}` ({name})"]
    values += [f"`{leaf.value!r}` ({name})" for name, leaf in others if leaf.value != first.value]
    words = first.allowed.words if first.allowed else ""
    return f"| `{field}` | {first.doc} | {', '.join(values)} | {words} |"


if __name__ == "__main__":
    with command_line.ending("experiments.reference"):
        main()
