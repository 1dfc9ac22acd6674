"""The source text of standalone modules, from the templates of their space."""

from pathlib import Path

import jinja2

from nag_jax.spaces.blueprint import Blueprint

_SHARED = Path(__file__).parent / "templates"


def write_source(path: Path, blueprint: Blueprint, framework: str, *, about: str) -> None:
    """Writes a module with a class `Network`.

    Args:
        path: the file.
        blueprint: the blueprint of the architecture.
        framework: `"flax"` or `"torch"`.
        about: where it is from, for the module's docstring.
    """
    template = _environment(blueprint.templates).get_template(f"network_{framework}.py.jinja")
    given = {"title": blueprint.title, "image_size": blueprint.image_size, "about": about}
    path.write_text(template.render(**given, **blueprint.fields))


def _environment(templates: Path) -> jinja2.Environment:
    """The templates in a folder, which may include those that all spaces share."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([templates, _SHARED]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["docstring"] = lambda text: text.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    return environment
