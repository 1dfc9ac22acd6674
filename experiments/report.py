"""`python -m experiments.report RUN [RUN ...]`: makes a run's page again, or one page of several runs side by side."""

import argparse
from pathlib import Path

from nag_jax.reports.page import page
from nag_jax.reports.page.finished import read
from nag_jax.system import started
from nag_jax.system.errors import InputError
from nag_jax.tasks.workdir import Workdir

from . import command_line


def main(arguments: list[str] | None = None) -> None:
    """Writes the page and prints its path; exits with 2 and one line where the input is wrong."""
    parser = argparse.ArgumentParser(
        prog=started.usage_of("experiments.report"),
        description="Makes the page of a finished run again, or one page that compares several, from their files "
        "alone: nothing is computed or paid for.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="workdir of a finished run, as runs/nb201")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="the page; by default report.html in the folder of a single run, and compare.html for several",
    )
    given = parser.parse_args(arguments)
    only = given.runs[0] / page.NAME if len(given.runs) == 1 else Path("compare.html")
    out = given.out or only
    try:
        text = page.render([read(path) for path in given.runs])
        Workdir(out.parent).write(out.name, lambda path: path.write_text(text, encoding="utf-8"))
    except InputError as error:
        command_line.fail(str(error))
    except OSError as error:
        command_line.fail(f"{out} can't be written ({error}): name another file with --out")
    print(out)


if __name__ == "__main__":
    with command_line.ending("experiments.report", goes_on=False):
        main()
