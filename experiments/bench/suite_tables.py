"""The scores and tables of `experiments.bench.suite`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nag_jax.reports.ranks import rank_strategies
from nag_jax.reports.statistics import mean_interval
from nag_jax.reports.trajectories import holm, labels_to_reach, paired_p_value

Frame = Any
"""A `pandas.DataFrame`, whose stubs take what is selected from one for many other things."""
NEAR = 0.01
"""A regret, in units of a task's reach, that counts as having arrived: 99 % of the way from the median to the best."""
_SAME = 1e-6
"""A regret that is none."""
CENSORED = 1.5
"""How many budgets a search counts that never arrived."""
AT = (50, 100)
MEASURES = (*(f"regret {count}" for count in AT), "labels")
"""What choices are ranked by."""


def scores(kept: Mapping[tuple[str, str], Mapping[str, np.ndarray]]) -> Frame:
    """A row for each task and choice, means over seeds.

    The columns are `regret 50` and so on, of the best label's truth; `recommended 50` and so on, of the recommendation;
    `area`, the mean regret over the budget; `labels`, until one within `NEAR` was met; `optimum`, the median labels
    until the best truth was met; and `reached`, the share of seeds that met it.

    Args:
        kept: what was kept of searches, by space and choice.
    """
    return pd.DataFrame(row for (space, name), file in kept.items() for row in _of_file(space, name, file))


def _of_file(space: str, name: str, file: Mapping[str, np.ndarray]) -> Iterable[dict[str, Any]]:
    tasks, families = file["tasks"], file["families"]
    met, best, recommended = (file[column].astype(np.float64) for column in ("met", "best", "recommended"))
    for task in dict.fromkeys(tasks.tolist()):
        seeds = tasks == task
        row = {"space": space, "family": families[seeds][0].item(), "task": task, "choice": name}
        for count in AT:
            row |= {f"regret {count}": best[seeds][:, min(count, best.shape[1]) - 1].mean()}
            row |= {f"recommended {count}": recommended[seeds][:, min(count, best.shape[1]) - 1].mean()}
        row["area"] = best[seeds].mean()
        row["labels"] = arrival(met[seeds], NEAR).mean()
        row["optimum"] = float(np.median(arrival(met[seeds], _SAME)))
        row["reached"] = (met[seeds] <= _SAME).any(axis=1).mean()
        yield row


def arrival(regrets: np.ndarray, near: float) -> np.ndarray:
    """By how many labels each search `[S, T]` met a regret of at most `near`, `[S]`; `CENSORED` budgets if never."""
    return np.minimum(labels_to_reach(-regrets, -near), CENSORED * regrets.shape[1])


def page(found: Frame, *, chosen: str, peers: Sequence[str]) -> list[str]:
    """Markdown lines: what was chosen with each family left out, ranks, every family's figures, recommendations.

    Args:
        found: the scores.
        chosen: the choice that strategies have now.
        peers: what that is tested against.
    """
    whole = found.groupby("choice")["task"].nunique()
    found = found[found["choice"].isin(whole[whole == whole.max()].index)]
    names = [name for name in (chosen, *peers) if name in set(found["choice"])]
    choices = found[~found["choice"].isin(set(peers[1:]))]
    return [
        f"{found['task'].nunique()} tasks in {found['family'].nunique()} families, which count alike. Regrets are of "
        "truths, in units of the way from a table's median to its best; labels are those until 99 % of it. "
        f"A search that never arrived counts {CENSORED:g} budgets, in medians too. Choices are ranked by "
        "task and measure, and ranks averaged by family.",
        "",
        "## With one family left out",
        "",
        *_chosen(choices),
        "",
        "## Choices",
        "",
        *_ranks(choices),
        "",
        f"## {chosen} and others",
        "",
        *_tests(found, names),
        "",
        "## Families: mean regret after 50 and 100 labels",
        "",
        *_families(found, names),
        "",
        "## The best of the table: median labels until it, and the share of seeds that met it",
        "",
        *_optima(found, names),
        "",
        "## The best label and the recommendation",
        "",
        *_recommendations(choices),
    ]


def ranks_by_family(found: Frame) -> Frame:
    """Mean ranks over tasks and measures: a row a choice, a column a family; 1 is best.

    Example:
        >>> row = {"family": "f", "task": "t", "regret 100": 0.0, "labels": 1.0}
        >>> found = pd.DataFrame([{**row, "choice": c, "regret 50": r} for c, r in (("a", 0.5), ("b", 0.1))])
        >>> ranks_by_family(found)["f"].round(3).to_dict()
        {'a': 1.667, 'b': 1.333}
    """
    families = found.drop_duplicates("task").set_index("task")["family"]
    ranked = [found.pivot_table(index="task", columns="choice", values=m).rank(axis=1) for m in MEASURES]
    mean: Frame = sum(ranked[1:], ranked[0]) / len(ranked)
    return mean.groupby(families).mean().T


def left_out(ranks: Frame) -> dict[str, str]:
    """The choice of the best mean rank over all other families, by the family that is left out.

    Example:
        >>> left_out(pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0], "c": [1.0, 2.0]}, index=["x", "y"]))["b"]
        'x'
    """
    return {family: str(ranks.drop(columns=family).mean(axis=1).idxmin()) for family in ranks}


def _chosen(found: Frame) -> list[str]:
    figures = {m: found.pivot_table(index="choice", columns="family", values=m) for m in MEASURES}
    heads = " | ".join(f"{m} | the best choice's" for m in MEASURES)
    lines = [f"| family left out | chosen by the others | {heads} |", "|---" * (2 + 2 * len(MEASURES)) + "|"]
    by_choice = left_out(ranks_by_family(found))
    for family, choice in by_choice.items():
        cells = [f"{_shown(m, t.loc[choice, family])} | {_shown(m, t[family].min())}" for m, t in figures.items()]
        lines.append(f"| {family} | {choice} | {' | '.join(cells)} |")
    for m, t in figures.items():
        short = np.array([t.loc[choice, family] - t[family].min() for family, choice in by_choice.items()])
        lines += [
            "",
            f"{m}: {_shown(m, short.mean())} worse than the family's best choice, {_shown(m, short.max())} at most.",
        ]
    return lines


def _ranks(found: Frame) -> list[str]:
    ranks = ranks_by_family(found).mean(axis=1).sort_values()
    means = found.groupby(["choice", "family"])[list(MEASURES)].mean().groupby("choice").mean()
    lines = ["| choice | mean rank | " + " | ".join(MEASURES) + " |", "|---" * (2 + len(MEASURES)) + "|"]
    for name, rank in ranks.items():
        lines.append(f"| {name} | {rank:.2f} | " + " | ".join(_shown(m, means.loc[name, m]) for m in MEASURES) + " |")
    return lines


def _tests(found: Frame, names: Sequence[str]) -> list[str]:
    first, *others = names
    lines = ["Mean ranks over tasks, and p of Wilcoxon's test against the first, corrected by Holm.", ""]
    lines += ["| | " + " | ".join(MEASURES) + " |", "|---" * (1 + len(MEASURES)) + "|"]
    cells: dict[str, list[str]] = {name: [] for name in names}
    friedman = []
    for measure in MEASURES:
        table = found.pivot_table(index="task", columns="choice", values=measure)[list(names)]
        ranking = rank_strategies({name: -table[name].to_numpy() for name in names})
        p = holm({name: paired_p_value(table[first], table[name]) for name in others})
        friedman.append(f"{measure} {ranking.p:.2g}")
        for name in names:
            cells[name].append(f"{ranking.mean_ranks[name]:.2f}" + (f" (p = {p[name]:.2g})" if name in p else ""))
    lines += [f"| {name} | {' | '.join(row)} |" for name, row in cells.items()]
    return [*lines, "", f"Friedman's test, p: {', '.join(friedman)}."]


def _families(found: Frame, names: Sequence[str]) -> list[str]:
    lines = ["| family | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    means = found.groupby(["family", "choice"])[[f"regret {n}" for n in AT]].mean()
    for family in dict.fromkeys(found["family"]):
        cells = [", ".join(f"{v:.3f}" for v in means.loc[(family, name)]) for name in names]
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return lines


def _optima(found: Frame, names: Sequence[str]) -> list[str]:
    lines = ["| task | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    of_task = found.set_index(["task", "choice"])[["optimum", "reached"]]
    for task in dict.fromkeys(found["task"]):
        cells = [of_task.loc[(task, name)] for name in names]
        shown = [f"{cell['optimum']:g}, {100 * cell['reached']:.0f} %" for cell in cells]
        lines.append(f"| {task} | {' | '.join(shown)} |")
    return lines


def _recommendations(found: Frame) -> list[str]:
    kinds = [str(f).split(", ")[-1] if str(f).endswith("noise") else "as measured" for f in found["family"]]
    found = found.assign(kind=kinds)
    shown = list(dict.fromkeys(kinds))
    lines = ["Regret after 50 labels of what has the highest posterior mean, less that of the best label.", ""]
    lines += ["| choice | all tasks | " + " | ".join(shown) + " |", "|---" * (2 + len(shown)) + "|"]
    for name, group in found.groupby("choice"):
        less = group["recommended 50"] - group["regret 50"]
        every = mean_interval(less)
        cells = [f"{less[group['kind'] == kind].mean():+.4f}" for kind in shown]
        whole = f"{every.estimate:+.4f} ({every.low:+.4f} to {every.high:+.4f})"
        lines.append(f"| {name} | {whole} | {' | '.join(cells)} |")
    return lines


def _shown(measure: str, value: float) -> str:
    return f"{value:.1f}" if measure == "labels" else f"{value:.4f}"
