"""Writes docs/configuration.md: every field of every config, from the comments beside the fields and their values.

python -m experiments.reference
"""

import ast
import importlib
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments import command_line
from nag_jax.tasks.config import Config
from nag_jax.tasks.ranges import RANGES, leaves

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "configuration.md"
VARIANTS = {"nb201": ("", "paper")}
"""Of configs that have more than the default one and `smoke`, which changes sizes alone."""
_INTRODUCTION = """# Configuration

Every field of every config, made from the files in [configs](../configs) by `python -m experiments.reference`. Any of
them is overridden on the command line as `--config.FIELD=VALUE`, tuples as
`--config.run="('bo_nag', 'random_search')"`. A misspelt field or an ill-typed value is refused before anything starts,
and `--dry_run` checks the rest.

A default is that of the first config that has the field; the others follow where they differ. The variant `smoke` of
each config changes sizes alone, and isn't listed.
"""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page())
    print(f"wrote {PAGE}")


def page() -> str:
    """The text of docs/configuration.md."""
    described, values = descriptions(), defaults()
    lines = [_INTRODUCTION, "| config | what |", "|---|---|"]
    for path in sorted((ROOT / "configs").glob("[!_]*.py")):
        title = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
        lines.append(f"| [{path.name}](../configs/{path.name}) | {title} |")
    block = None
    for field in sorted(values, key=lambda field: "." in field):
        if block != (block := _block(field)):
            lines += ["", f"## {block}", "", "| field | what | default | range |", "|---|---|---|---|"]
        words = (RANGES.get(field) or RANGES.get(field.rpartition(".")[2]) or ("",))[0]
        lines.append(f"| `{field}` | {describe(field, described)} | {_values(values[field])} | {words} |")
    return "\n".join(lines) + "\n"


def describe(field: str, described: dict[str, str]) -> str:
    """What a field is: its own comment, or that of the field with the same name beside its block.

    Raises:
        KeyError: it has none.
    """
    if field in described:
        return described[field]
    top, name = field.partition(".")[0], field.rpartition(".")[2]
    for other, text in described.items():
        if other.partition(".")[0] == top and other.rpartition(".")[2] == name:
            return text
    raise KeyError(f"the field {field} has no comment in configs/")


def descriptions() -> dict[str, str]:
    """Field to the comment beside it."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "configs").glob("[!_]*.py")):
        text = path.read_text()
        comments = _comments(text)
        for field, line in _fields(ast.parse(text)):
            if line in comments:
                found.setdefault(field, comments[line])
    return found


def defaults() -> dict[str, dict[str, Any]]:
    """Field to its value in each config that has it, by the config's name."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((ROOT / "configs").glob("[!_]*.py")):
        for variant in VARIANTS.get(path.stem, ("",)):
            config: Config = importlib.import_module(f"configs.{path.stem}").get_config(variant)
            for field, value in leaves(config.to_dict()):
                found.setdefault(field, {})[f"{path.stem}:{variant}" if variant else path.stem] = value
    return found


def _comments(text: str) -> dict[int, str]:
    """Line to the comment at its end."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip()
    }


def _fields(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Fields that the file sets, with the line that each stands on."""
    named = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Attribute):
            continue
        path = ast.unparse(node.targets[0]).partition(".")[2]
        if isinstance(node.value, ast.Call) and node.value.args and isinstance(node.value.args[0], ast.Dict):
            yield from _entries(node.value.args[0], path, named)
        else:
            yield path, node.lineno


def _entries(block: ast.AST, path: str, named: dict[str, ast.Dict]) -> Iterator[tuple[str, int]]:
    """Fields of a dictionary, of those that it is joined from, and of those inside it."""
    if isinstance(block, ast.Name) and block.id in named:
        block = named[block.id]
    if isinstance(block, ast.BinOp):
        for part in (block.left, block.right):
            yield from _entries(part, path, named)
    if not isinstance(block, ast.Dict):
        return
    for key, value in zip(block.keys, block.values, strict=True):
        if key is None:
            yield from _entries(value, path, named)
        elif isinstance(key, ast.Constant):
            yield f"{path}.{key.value}", key.lineno
            yield from _entries(value, f"{path}.{key.value}", named)


def _block(field: str) -> str:
    return field.partition(".")[0] if "." in field else "The run"


def _values(values: dict[str, Any]) -> str:
    """The first config's value, and those of the configs that differ."""
    (first, default), *others = values.items()
    parts = [f"`{default!r}`" if first == "nb201" else f"`{default!r}` ({first})"]
    parts += [f"`{value!r}` ({name})" for name, value in others if value != default]
    return ", ".join(parts)


if __name__ == "__main__":
    with command_line.ending("experiments.reference"):
        main()
