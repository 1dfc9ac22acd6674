"""What commands print: the words of a run as they are, and words in place of figures that there aren't."""

import types

import pytest
from rich.table import Table

from experiments import compilation_cache, export, terminal
from nag_jax.export import Export
from nag_jax.settings import Search
from nag_jax.settings.search import Loop

NAMES = ["acc[/b]", "acc[top1]", "my [exp] run", "pip install 'nag-jax[onnx]'", ":smile:", "[bold]x", "\\[x]"]


@pytest.mark.parametrize("name", NAMES)
def test_brackets_are_printed(name, capsys):
    table = Table(name, title=name)
    table.add_row(name)
    console = terminal.console()
    console.print(table)
    console.print(name)
    assert capsys.readouterr().out.count(name) == 4


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_of_a_run_prints_its_names(name, capsys, tmp_path, load):
    run = types.SimpleNamespace(config=load("smoke"), workdir=types.SimpleNamespace(path=tmp_path / name))
    results = {
        "objective": {"metric": name, "unit": "%", "split": "test", "evaluator": "table", "best_of_table": None},
        "best": {"of": 4, "architecture": name, "value": 1.0, "regret": None},
        "pools": {name: {"distinct": 1}},
        "labels": {"paid": 1, "by_purpose": {name: 1}},
        "seconds": {"report": 1.0},
    }
    terminal._generated(run, results)  # pyright: ignore[reportArgumentType]
    assert capsys.readouterr().out.count(name) == 5


def test_control_characters_are_printed_as_escapes(capsys):
    name = "acc\x1b]0;owned\x07\u202e\x9b"
    table = Table(name, title=name)
    table.add_row(name)
    console = terminal.console()
    console.print(table)
    console.print(name, soft_wrap=True)
    found = capsys.readouterr().out
    assert found.replace("\n", "").isprintable()
    assert found.count(r"acc\x1b]0;o") == 4


def test_the_hint_of_an_export_keeps_its_brackets(capsys, tmp_path):
    choice = types.SimpleNamespace(native="x", space=types.SimpleNamespace(name="y"))
    hint = "it needs onnx: pip install 'nag-jax[onnx]'"
    export.summarize(choice, {"onnx": Export(None, None, hint)}, tmp_path)  # pyright: ignore[reportArgumentType]
    assert hint in capsys.readouterr().out


@pytest.mark.parametrize(
    ("difference", "p", "says"),
    [
        (0.123, 0.03, "+0.12 (p = 0.03)"),
        (-0.1, float("nan"), "-0.10 (no p: fewer than 6 seeds can't show a difference at 5 %)"),
        (0.0, None, "+0.00 (no p: fewer than 6 seeds can't show a difference at 5 %)"),
        (float("nan"), float("nan"), "unknown, for one of them has no label"),
        (None, None, "unknown, for one of them has no label"),
    ],
)
def test_a_p_that_there_is_not_is_explained(difference, p, says):
    assert terminal.write_difference(difference, p) == says


def searched(seeds, after, p=None, **best):
    """What stands in the `results.json` of a search that reached `after` by number of labels."""
    objective = {"metric": "valid", "unit": "%", "split": "validation", "direction": "max", "best_of_table": 91.5}
    found = {"architecture": "|a~0|", "value": 91.0, "reported": 90.0, "strategy": "bo_nag", "seed": 0, "label": 7}
    strategy = {"failed": 0, "reported_after": after, "labels_to_optimum": {"median": 7.0}}
    test = {"strategy": "bo_nag", "best_baseline": "random", "difference": {"random": 0.5}, "p": {"random": p}}
    return {
        "objective": objective,
        "reported": objective | {"metric": "test", "split": "test"},
        "best": None if best.get("best", 0) is None else found,
        "labels": {"paid": 12 * seeds},
        "seeds": seeds,
        "strategies": {"bo_nag": strategy},
        "significance": {12: test} if seeds > 1 else {},
    }


@pytest.fixture
def told(capsys, tmp_path):
    """What is printed of a search of 12 labels."""

    def tell(results):
        config = Search(seeds=results["seeds"], search=Loop(initial=5, budget=12, report_at=(5, 10, 50)))
        evaluator = types.SimpleNamespace(name="table")
        run = types.SimpleNamespace(config=config, workdir=types.SimpleNamespace(path=tmp_path), evaluator=evaluator)
        terminal._searched(run, results)  # pyright: ignore[reportArgumentType]
        return capsys.readouterr().out

    return tell


def interval(estimate, half=float("nan")):
    return {"estimate": estimate, "low": estimate - half, "high": estimate + half}


def test_a_search_prints_its_best_and_its_last_label(told, tmp_path):
    said = told(searched(1, {5: interval(80.0), 12: interval(90.0)}))
    assert "of the best by valid, seed 0" in said
    assert "12 labels" in said
    assert "10 labels" not in said, "no strategy has a value there"
    assert "best of 12 labels: |a~0|" in said
    assert "valid 91 %, test 90 %, 0.5 from the table's best; label 7 of bo_nag, seed 0" in said
    assert f"python -m experiments.export {tmp_path}" in said
    assert "±" not in said


@pytest.mark.parametrize(("seeds", "title"), [(2, "mean of 2 seeds"), (3, "mean of 3 seeds ± 95 %")])
def test_two_seeds_have_no_interval(seeds, title, told):
    said = told(searched(seeds, {12: interval(90.0, 1.0 if seeds > 2 else float("nan"))}))
    assert title in " ".join(said.split())
    assert ("±" in said) == (seeds > 2)
    assert "nan" not in said


def test_a_search_without_a_label_says_so(told):
    said = told(searched(1, {}, best=None))
    assert "all 12 labels failed, so there is no best" in said


@pytest.fixture
def kept_in(monkeypatch):
    """Calls `use_compilation_cache` in an environment: where programs are kept."""
    import jax

    def call(**environment):
        for name in ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        found = {}
        monkeypatch.setattr(jax.config, "update", found.__setitem__)
        compilation_cache.use_compilation_cache()
        return found.get("jax_compilation_cache_dir")

    return call


def test_programs_are_kept_where_the_environment_says(kept_in, monkeypatch, tmp_path):
    monkeypatch.setattr(compilation_cache.Path, "home", lambda: tmp_path)
    assert kept_in() == str(tmp_path / ".cache" / "nag_jax" / "xla")
    assert kept_in(XDG_CACHE_HOME="/caches") == "/caches/nag_jax/xla"
    assert kept_in(JAX_COMPILATION_CACHE_DIR="/xla") is None  # which JAX reads itself


def test_a_user_without_a_home_needs_none(kept_in, monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(compilation_cache.Path, "home", home)
    assert kept_in(XDG_CACHE_HOME="/caches", JAX_COMPILATION_CACHE_DIR="/xla") is None
    assert kept_in(XDG_CACHE_HOME="/caches") == "/caches/nag_jax/xla"
    assert kept_in() is None
