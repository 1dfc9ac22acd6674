"""The declaration of a space of cells: operations, most vertices and edges, inputs per vertex."""

from collections.abc import Sequence

from nag_jax.system.errors import InputError, quoted

MOST_VERTICES = 10
"""With 10 vertices the dynamic programme takes about a million additions for one cell."""
UNIFORM = ("graphs", "cells")


def check_declaration(
    name: str,
    ops: Sequence[str],
    most_vertices: int,
    most_edges: int,
    in_degree: int | None,
    uniform: str,
    named: Sequence[str],
) -> None:
    """Raises InputError where a declaration can't be meant."""
    reserved = {"input", "output", "off", "on", "absent"}
    bad = [op for op in ops if not op or op in reserved or {"|", "~", "\n"} & set(op)]
    if bad or not ops or len(set(ops)) != len(ops):
        raise InputError(
            f"space {name!r}: ops must be one name or more that differ, without '|' and '~' and none of "
            f"{sorted(reserved)}, found {quoted(list(ops))}"
        )
    if not 3 <= most_vertices <= MOST_VERTICES:
        raise InputError(f"space {name!r}: most_vertices must be 3 to {MOST_VERTICES}, found {most_vertices}")
    if most_edges < 1 or (in_degree is not None and in_degree < 1):
        raise InputError(f"space {name!r}: most_edges and in_degree must be at least 1")
    if uniform not in UNIFORM:
        raise InputError(f"space {name!r}: uniform must be one of {UNIFORM}, found {quoted(uniform)}")
    if unknown := sorted(set(named) - set(ops)):
        raise InputError(f"space {name!r}: {quoted(unknown[0])} is none of the operations {list(ops)}")
