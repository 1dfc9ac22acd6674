"""The command `nag`: its words, and configs by their names from any folder."""

import importlib
import sys
from importlib.machinery import ModuleSpec

import pytest
from absl.testing import flagsaver

from experiments import main, nag
from nag_jax.reports import facts
from nag_jax.system import started


@pytest.fixture
def typed(monkeypatch):
    """Has this process be `nag` with these arguments."""

    def type_in(*arguments):
        monkeypatch.setattr(sys, "argv", ["/somewhere/bin/nag", *arguments])
        monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)

    return type_in


@pytest.fixture
def ran(monkeypatch, tmp_path, typed, listening):
    """`nag` with these arguments, from an empty folder -> the config that it would have run."""

    def run(*arguments):
        typed(*arguments)
        monkeypatch.chdir(tmp_path)
        with flagsaver.flagsaver(), pytest.raises(SystemExit, match=r"^$"):  # as absl ends
            nag.main()
        return seen[0]

    seen = []
    monkeypatch.setattr(main, "main", lambda argv: seen.append(main._CONFIG.value))
    return run


def test_it_says_what_it_does(typed, capsys):
    typed()
    nag.main()
    said = capsys.readouterr().out
    assert all(f"    nag {word} " in said for word in nag.COMMANDS)


def test_an_unknown_word_is_one_line(typed, capsys):
    typed("rum", "nb201")
    with pytest.raises(SystemExit) as ended:
        nag.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"error: there is no command 'rum': use {', '.join(nag.COMMANDS)}, or see nag --help\n"
    )


@pytest.mark.parametrize("name", ["nb201", "nb201.py", "configs/nb201.py"])
def test_configs_are_found_by_name_from_any_folder(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main._config_file(name) == main.CONFIGS / "nb201.py"
    for other in ("nb102", "mine/nb201.py", "", "/nb201.py"):
        assert main._config_file(other) is None


def test_a_file_that_is_there_comes_before_a_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nb201.py").touch()
    assert str(main._config_file("nb201.py")) == "nb201.py"


def test_it_runs_a_config_by_name(ran):
    config = ran("run", "nb201:smoke", "--config.seed=3")
    assert (config.name, config.seed) == ("nb201-smoke", 3)


def test_search_is_one_search(ran):
    config = ran("search", "--config.search.budget=20")
    assert (config.name, config.mode, config.seeds, config.search.budget) == ("nb201_search", "search", 1, 20)


def test_a_report_that_goes_wrong_is_one_line(typed, capsys, tmp_path, listening):
    typed("report", str(tmp_path / "none"))
    with pytest.raises(SystemExit) as ended:
        nag.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("word", sorted(nag.COMMANDS.keys() - {"run", "search", "serve"}))
def test_every_word_that_takes_no_config_has_help(word, typed, capsys):
    typed(word, "--help")
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"experiments.{word}").main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: nag {word} ")


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("experiments.main", "python -m experiments.main --x 'a b'"),
        ("nag_jax.experiments.main", "python -m nag_jax.experiments.main --x 'a b'"),
        ("nag_jax.__main__", "python -m nag_jax --x 'a b'"),
        ("experiments.bench.search", None),
        ("pytest.__main__", None),
    ],
)
def test_a_run_knows_how_it_was_started(module, command, typed, monkeypatch):
    typed("--x", "a b")
    assert started.command() == "nag --x 'a b'"
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", ModuleSpec(module, None))
    assert started.command() == command


def test_the_commit_is_none_of_a_repository_around_an_environment(monkeypatch, tmp_path):
    assert len(facts.git_commit() or "0" * 40) >= 40
    inside = tmp_path / "venv" / "nag_jax" / "reports" / "facts.py"
    monkeypatch.setattr(facts, "__file__", str(inside))
    assert facts.git_commit() is None
