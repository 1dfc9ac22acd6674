"""The tables of `experiments.bench.cells`."""

from typing import Any

from experiments.bench import machine


def page(known: dict[str, Any]) -> list[str]:
    """Markdown lines of all parts that were measured; see `machine.keep_parts`."""
    tables = {"law": ("Law", _law), "budgets": ("Budgets", _budgets), "speed": ("Speed", _speed)}
    return machine.sections(known, tables)


def _law(found: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"Unguided samples, {found[0]['samples']:,} a row, against the closed form of uniformly drawn graphs (targets:",
        "all valid, p above 0.01).",
        "",
        "| sampler | valid, % | p of sizes | p of edges | total variation of edges | distinct |",
        "|---|---|---|---|---|---|",
    ]
    for row in found:
        name = f"generator, {row['steps']} steps" if row["steps"] else "`random`, the closed form itself"
        name += f", then {row['sweeps']} Gibbs sweep of the prior" if row["sweeps"] else ""
        figures = (f"{100 * row['valid']:.2f}", f"{row['p_sizes']:.2g}", f"{row['p_edges']:.2g}")
        lines.append(f"| {name} | {' | '.join(figures)} | {row['variation_edges']:.3f} | {row['distinct']:,} |")
    return lines


def _budgets(found: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"Parameters within 2 % of a target, {found[0]['samples']:,} samples a row (target: at least 95 %).",
        "",
        "| target, M | graphs that have them | their share, % | samples that have them, % | valid, % | distinct |",
        "|---|---|---|---|---|---|",
    ]
    for row in found:
        figures = (f"{row['graphs']:,}", f"{100 * row['share_of_graphs']:.2f}", f"{100 * row['share']:.1f}")
        end = f"{100 * row['valid']:.1f} | {row['distinct']:,}"
        lines.append(f"| {row['target'] / 1e6:g} | {' | '.join(figures)} | {end} |")
    return lines


def _speed(found: dict[str, Any]) -> list[str]:
    seconds = f"{found['guided']:.2f} s guided (target: at most 1), {found['unguided']:.2f} s unguided"
    return [f"{found['samples']:,} samples in {found['steps']} steps, compiled: {seconds}."]
