"""The scores and tables of `experiments.bench.suite`."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nag_jax.reports.ranks import rank_strategies
from nag_jax.reports.statistics import mean_interval

NEAR = 0.01
"""A regret, in units of a task's reach, that counts as having arrived: 99 % of the way from the median to the best."""
CENSORED = 1.5
"""How many budgets a search counts that never arrived."""
AT = (50, 100)


def scores(kept: Mapping[tuple[str, str], Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """A row for each task and choice, means over seeds.

    The columns are `regret 50` and so on, of the best label's truth; `recommended 50` and so on, of the recommendation;
    `area`, the mean regret over the budget; `labels`, until one within `NEAR` was met; and `optimum`, the median labels
    until the best truth was met.

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
        row["optimum"] = float(np.median(arrival(met[seeds], 1e-6)))
        yield row


def arrival(regrets: np.ndarray, near: float) -> np.ndarray:
    """By how many labels each search `[S, T]` met a regret of at most `near`, `[S]`; `CENSORED` budgets if never."""
    inside = regrets <= near
    return np.where(inside.any(axis=1), inside.argmax(axis=1) + 1.0, CENSORED * regrets.shape[1])


def page(found: pd.DataFrame) -> list[str]:
    """Markdown lines: what was chosen with each family left out, ranks over tasks, and every family's figures."""
    whole = found.groupby("choice")["task"].nunique()
    found = found[found["choice"].isin(whole[whole == whole.max()].index)]
    lines = [
        f"{found['task'].nunique()} tasks in {found['family'].nunique()} families, which count alike. Regrets are those "
        "of truths, in units of the way from a table's median to its best; labels are those until 99 % of it. "
        f"A search that never arrived counts {CENSORED:g} budgets.",
        "",
    ]
    for column in (*(f"regret {n}" for n in AT), "labels"):
        lines += [f"## By {column}", "", *_chosen(found, column), "", *_ranks(found, column), ""]
        lines += [*_families(found, column), ""]
    return [*lines, "## The best label and the recommendation", "", *_recommendations(found)]


def by_family(found: pd.DataFrame, column: str) -> pd.DataFrame:
    """Means over the tasks of each family: a row a choice, a column a family."""
    return found.pivot_table(index="choice", columns="family", values=column, aggfunc="mean")


def left_out(table: pd.DataFrame) -> pd.DataFrame:
    """For each family what the others choose: the choice, its figure there, and the best choice's.

    The others choose by the mean over their families of `relative_figures`, so that no family decides alone.

    Example:
        >>> table = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 4.0], "c": [3.0, 2.5]}, index=["x", "y"])
        >>> left_out(table)["chosen"].tolist()
        ['x', 'x', 'x']
    """
    relative = relative_figures(table)
    rows = {}
    for family in table:
        chosen = relative.drop(columns=family).mean(axis=1).idxmin()
        rows[family] = {
            "chosen": chosen,
            "figure": table.loc[chosen, family],
            "best choice": table[family].idxmin(),
            "best": table[family].min(),
        }
    return pd.DataFrame(rows).T


def relative_figures(table: pd.DataFrame) -> pd.DataFrame:
    """Figures over the family's mean figure, 1 where all choices have none."""
    means = table.mean(axis=0)
    return (table / means.where(means > 0)).fillna(1.0)


def _chosen(found: pd.DataFrame, column: str) -> list[str]:
    table = left_out(by_family(found, column))
    lines = [
        "| family left out | chosen by the others | its figure | best choice there | its figure |",
        "|---" * 5 + "|",
    ]
    for family, row in table.iterrows():
        lines.append(f"| {family} | {row['chosen']} | {row['figure']:.4f} | {row['best choice']} | {row['best']:.4f} |")
    ratio = table["figure"].astype(float).mean() / table["best"].astype(float).mean()
    return [*lines, "", f"Mean figure of what is chosen over the mean of the best choices: {ratio:.3f}."]


def _ranks(found: pd.DataFrame, column: str) -> list[str]:
    table = found.pivot_table(index="task", columns="choice", values=column)
    ranking = rank_strategies({name: -table[name].to_numpy() for name in table})
    ordered = sorted(ranking.mean_ranks.items(), key=lambda each: each[1])
    relative = relative_figures(by_family(found, column)).mean(axis=1)
    lines = ["| choice | mean rank over tasks | mean figure, of the family's mean |", "|---|---|---|"]
    lines += [f"| {name} | {rank:.2f} | {relative[name]:.3f} |" for name, rank in ordered]
    return [
        *lines,
        "",
        f"Friedman's test: p = {ranking.p:.2g}; critical difference of mean ranks (Nemenyi, 5 %): "
        f"{ranking.critical_difference:.2f}.",
    ]


def _families(found: pd.DataFrame, column: str) -> list[str]:
    table = by_family(found, column)
    digits = 1 if column == "labels" else 4
    lines = ["| choice | " + " | ".join(table.columns) + " |", "|---" * (1 + table.shape[1]) + "|"]
    return lines + [
        f"| {name} | " + " | ".join(f"{v:.{digits}f}" for v in row) + " |" for name, row in table.iterrows()
    ]


def _recommendations(found: pd.DataFrame) -> list[str]:
    lines = ["Regret of the recommendation less that of the best label, mean over tasks.", ""]
    lines += ["| choice | " + " | ".join(f"after {n} labels" for n in AT) + " |", "|---" * (1 + len(AT)) + "|"]
    for name, group in found.groupby("choice"):
        cells = [mean_interval(group[f"recommended {n}"] - group[f"regret {n}"]) for n in AT]
        lines.append(
            f"| {name} | " + " | ".join(f"{c.estimate:+.4f} ({c.low:+.4f} to {c.high:+.4f})" for c in cells) + " |"
        )
    return lines
