"""The source text of standalone modules, from the templates beside this file."""

from pathlib import Path

import jinja2

from nag_jax.export.blueprint import Blueprint

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)
_TEMPLATES.filters["docstring"] = lambda text: text.replace("\\", "\\\\").replace('"""', r"\"\"\"")


def write_source(path: Path, blueprint: Blueprint, framework: str, *, about: str) -> None:
    """Writes a module with a class `Network`.

    Args:
        path: the file.
        blueprint: of the architecture.
        framework: `"flax"` or `"torch"`.
        about: where it is from, for the module's docstring.
    """
    template = _TEMPLATES.get_template(f"{blueprint.template}_{framework}.py.jinja")
    given = {"title": blueprint.title, "image_size": blueprint.image_size, "about": about}
    path.write_text(template.render(**given, **blueprint.fields))
