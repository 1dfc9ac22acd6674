"""The page of every mode: that it needs nothing else, says what results.json says, and opens in a browser."""

import copy
import html
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from configs import nb201_bo, ofa_mbv3
from experiments import report
from experiments.runs import run
from nag_jax import spaces
from nag_jax.reports.page import page
from nag_jax.reports.page.drawing import inline
from nag_jax.reports.page.finished import read
from nag_jax.system.errors import InputError

SHARES = ("_share", "/validity_argmax", "/validity_threshold", "/connectivity", "/novelty")
SECTIONS = ["asked", "found", "against", "cost", "again", "config"]
FIGURES = {
    "generate": {"best_cells", "histograms", "quality_diversity"},
    "search": {"best_graphs", "anytime", "hypervolume", "trade_off", "regret", "labels_to_optimum"},
    "constraints": {"networks", "macs"},
    "stream": set(),
}
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def runs(load, tmp_path_factory):
    """A finished run of each kind, at tiny sizes."""
    folder = tmp_path_factory.mktemp("runs")
    run(load("smoke", "sampler.num_steps=4", "sampler.refine.trades=1"), folder / "generate")
    run(load("smoke", "mode=stream", f"score.checkpoint={folder / 'generate' / 'score'}"), folder / "stream")
    constrained = ofa_mbv3.get_config("smoke")
    run(constrained, folder / "constraints")
    searched = nb201_bo.get_config("smoke")
    searched.space.name = "nasbench_graph"
    searched.evaluator.update({"name": "nas_bench_graph", "dataset": "cora", "metric": "validation"})
    searched.search.update({"report": "test", "second": "latency"})
    searched.seeds, searched.run = 6, ("local_search", "random_search")
    run(searched, folder / "search")
    return {name: folder / name for name in FIGURES}


def each(name="kind"):
    return pytest.mark.parametrize(name, FIGURES)


def parsed(text: str) -> ET.Element:
    """The page as XML, which refuses what isn't closed, nested and quoted as it should be."""
    return ET.fromstring(text)


def opened(path: Path) -> ET.Element:
    return parsed((path / "report.html").read_text())


def drawn_in(document: ET.Element) -> list[str]:
    """The names of the figures of a page, in order."""
    return [figure.attrib["data-figure"] for figure in document.iter("figure") if "data-figure" in figure.attrib]


def at(results, pointer: str):
    """What a JSON pointer (RFC 6901) points to."""
    for key in pointer.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        results = results[int(key)] if isinstance(results, list) else results[key]
    return results


@each()
def test_all_sections_and_figures_are_there(runs, kind):
    document = opened(runs[kind])
    assert [section.get("id") for section in document.iter("section")] == SECTIONS
    for section in document.iter("section"):
        assert len("".join(section.itertext()).split()) > 5, section.get("id")
    drawn = drawn_in(document)
    assert sorted(drawn) == sorted(FIGURES[kind])


@each()
def test_figures_hold_marks_and_a_label(runs, kind):
    for drawing in opened(runs[kind]).iter("svg"):
        assert drawing.get("role") == "img"
        assert len(drawing.get("aria-label", "")) > 10
        assert len([*drawing.iter("path"), *drawing.iter("use")]) > 12
        assert len([text for text in drawing.iter("text") if text.text]) > 4


@each()
def test_the_page_needs_nothing_else(runs, kind):
    text = (runs[kind] / "report.html").read_text()
    assert len(text.encode()) < page.MOST_BYTES
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    document = parsed(text)
    assert not [element.tag for element in document.iter() if element.tag in ("script", "img", "iframe", "object")]
    links = [element.attrib[name] for element in document.iter() for name in ("href", "src") if name in element.attrib]
    assert all(link == "data:," or link.startswith("#") for link in links)


@each()
def test_ids_are_unique_and_references_lead_somewhere(runs, kind):
    document = opened(runs[kind])
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    used = set()
    for element in (element for drawing in document.iter("svg") for element in drawing.iter()):
        used |= {name for value in element.attrib.values() for name in re.findall(r"(?:url\(|^)#([\w-]+)", value)}
    assert used <= set(ids)
    assert used or not FIGURES[kind]


@each()
def test_values_are_those_of_the_results(runs, kind):
    results = json.loads((runs[kind] / "results.json").read_text())
    shown = {}
    for data in opened(runs[kind]).iter("data"):
        pointer = data.attrib["data-source"]
        value = at(results, pointer)
        assert data.get("value") == str(value)
        shown[pointer] = value, "".join(data.itertext())
        if isinstance(value, float) and not pointer.startswith(("/config", "/seconds")):
            written = re.match(r"[-+\d.,e]+", shown[pointer][1])
            assert written, pointer
            scale = 100 if pointer.endswith(SHARES) else 1
            assert float(written[0].replace(",", "")) / scale == pytest.approx(value, rel=0.05, abs=0.006), pointer
    expected = {
        "generate": ("/best/value", "/pools/random/value_mean", "/sweep/1/distinct", "/labels/by_purpose/final"),
        "search": (
            "/best/value",
            "/strategies/local_search/hypervolume_after/10/estimate",
            "/significance/5/difference/random_search",
        ),
        "constraints": ("/pools/constrained/feasible_share", "/pools/random/macs/mean"),
        "stream": ("/samples", "/distinct_canonical", "/labels/by_purpose/training"),
    }
    assert set(expected[kind]) <= set(shown)
    assert {"/git_commit", "/versions/jax", "/config/seed"} <= set(shown)


@each()
def test_labels_are_counted_by_purpose(runs, kind):
    results = json.loads((runs[kind] / "results.json").read_text())
    if kind == "constraints":
        assert "labels" not in results
        return
    assert sum(results["labels"]["by_purpose"].values()) == results["labels"]["paid"]
    if kind == "search":
        assert results["labels"]["by_purpose"] == {"initial design": 2 * 6 * 5, "search": 2 * 6 * 7}


def test_the_best_of_a_search_is_the_best_of_its_trajectories(runs):
    import pandas as pd

    best = json.loads((runs["search"] / "results.json").read_text())["best"]
    trials = pd.read_csv(runs["search"] / "trajectories.csv")
    assert best["value"] == trials["validation"].max()
    row = trials[(trials["strategy"] == best["strategy"]) & (trials["seed"] == best["seed"])].iloc[best["label"] - 1]
    assert (row["arch"], row["validation"]) == (best["architecture"], best["value"])


@each()
def test_the_page_is_made_again_from_the_files_alone(runs, kind, tmp_path):
    first = (runs[kind] / "report.html").read_bytes()
    copy = shutil.copytree(runs[kind], tmp_path / kind, ignore=shutil.ignore_patterns("*.db*", "score", "report.html"))
    page.write(page.Workdir(copy))
    assert (copy / "report.html").read_bytes() == first.replace(str(runs[kind]).encode(), str(copy).encode())


def test_a_page_is_whole_or_as_it_was(runs, tmp_path, monkeypatch):
    copy = shutil.copytree(runs["stream"], tmp_path / "run")
    before = (copy / "report.html").read_bytes()

    def die(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "read", die)
    with pytest.raises(KeyboardInterrupt):
        page.write(page.Workdir(copy))
    assert (copy / "report.html").read_bytes() == before


def hostile(path: Path, copy: Path) -> Path:
    """A copy of a run whose words and figures try to get code into the page."""
    shutil.copytree(path, copy)
    results = json.loads((copy / "results.json").read_text())
    attack = "<script>alert('&\"')</script>"
    results["config"]["name"] = results["best"]["architecture"] = results["command"] = attack
    results["strategies"][attack] = results["strategies"].pop("random_search")
    results["significance"] = {}
    (copy / "results.json").write_text(json.dumps(results))
    drawing = copy / "figures" / "anytime.svg"
    inside = (
        '<script>alert(1)</script><image href="http://localhost/x.png"/><g onclick="alert(1)"/>'
        '<a href="javascript:alert(1)"><text>x</text></a><path style="fill: url(http://localhost/x)" d="M 0 0"/></svg>'
    )
    drawing.write_text(drawing.read_text().replace("</svg>", inside))
    return copy


def test_nothing_of_a_run_becomes_code(runs, tmp_path):
    text = page.render([read(hostile(runs["search"], tmp_path / "run"))])
    assert html.escape("<script>") in text
    assert "localhost" not in text
    for element in parsed(text).iter():
        assert element.tag not in ("script", "image", "a")
        assert not [name for name in element.attrib if name.startswith("on")]


def test_colours_become_variables(runs):
    drawn = inline(runs["search"] / "figures" / "anytime.svg", "what was reached", "p-")
    assert "var(--x0072b2, #0072b2)" in drawn
    assert not re.search(r"(?<!, )#[0-9a-f]{6}", drawn)


def test_figures_that_do_not_fit_are_named_instead(runs, monkeypatch):
    run = read(runs["search"])
    monkeypatch.setattr(page, "_MOST_DRAWN", 40_000)
    text = page.render([run])
    left_out = [name for name in FIGURES["search"] if f"see {run.figures[name]}." in text]
    assert 0 < len(left_out) < len(FIGURES["search"])
    assert len(list(parsed(text).iter("svg"))) == len(FIGURES["search"]) - len(left_out)


def test_what_a_space_calls_its_drawings_is_their_title(runs, tmp_path):
    other = shutil.copytree(runs["generate"], tmp_path / "other")
    figures = other / "figures"
    (figures / "best_cells.svg").rename(figures / "best_circuits.svg")
    text = page.render([read(other)])
    assert "The best circuits" in text
    assert "Costs: " not in text


def test_runs_are_compared_side_by_side(runs, tmp_path):
    other = shutil.copytree(runs["generate"], tmp_path / "other")
    results = json.loads((other / "results.json").read_text())
    results["config"]["seed"], results["config"]["score"]["checkpoint"] = 1, "elsewhere"
    (other / "results.json").write_text(json.dumps(results))
    pair = [read(runs["generate"]), read(other)]
    text = page.render(pair)
    document = parsed(text)
    rows = {
        row[0].text: ["".join(cell.itertext()).strip() for cell in row[1:]]
        for table in document.iter("tbody")
        for row in table
    }
    assert rows["seed"] == ["0", "1"]
    assert rows["score.checkpoint"] == ["''", "'elsewhere'"]
    assert "sampler.num_steps" not in rows
    assert rows["labels paid for"] == ["44", "44"]
    drawn = drawn_in(document)
    assert drawn == [name for name in ("best_cells", "histograms", "quality_diversity") for _ in pair]
    assert "compare labels and time" not in text
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_runs_of_other_things_are_said_not_to_compare(runs):
    text = page.render([read(path) for path in runs.values()])
    parsed(text)
    assert "values only where their\nmetric, split and evaluator agree" in text
    assert len(text.encode()) < page.MOST_BYTES


def call(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["report", *map(str, arguments)])
    try:
        report.main()
    except SystemExit as stop:
        return stop.code  # pyright: ignore[reportReturnType]
    return 0


def test_the_command_writes_one_page(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, runs["generate"], runs["search"]) == 0
    assert capsys.readouterr().out == "compare.html\n"
    parsed((tmp_path / "compare.html").read_text())
    assert call(monkeypatch, runs["search"], "--out", "new/one.html") == 0
    assert (tmp_path / "new" / "one.html").read_bytes() == (runs["search"] / "report.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compare.html", "new"]


def unfinished(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder, "there is no folder"),
        (lambda folder: folder.mkdir() or folder, "it isn't a run"),
        (unfinished, "hasn't ended"),
        (lambda folder: (unfinished(folder) / "results.json").write_text("[") and folder, "not readable"),
        (lambda folder: (unfinished(folder) / "results.json").write_text("[]") and folder, "isn't what a run writes"),
    ],
)
def test_a_folder_that_is_no_finished_run_is_refused(make, says, tmp_path, monkeypatch, capsys):
    assert call(monkeypatch, make(tmp_path / "run"), "--out", tmp_path / "out.html") == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert says in message
    assert not (tmp_path / "out.html").exists()


def places(tree, keys=()):
    """The keys under which anything stands in a tree."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*keys, key)
        if isinstance(value, dict | list):
            yield from places(value, (*keys, key))


DELETED = object()
CHANGES = (DELETED, None, "text", -1, 1.5, 10**30, True, [], {}, [1, [2]], {"a": {"b": None}}, "\ud800")


@each()
def test_what_is_changed_in_the_results_by_hand_is_read_or_named(runs, kind, tmp_path):
    results = json.loads((runs[kind] / "results.json").read_text())
    (tmp_path / "config.json").write_text("{}")
    refused: list[str] = []
    for number, keys in enumerate(places(results)):
        # All changes of fields above, which are few, and one in turn of those below.
        for change in CHANGES if len(keys) < 3 and keys[0] != "config" else (CHANGES[number % len(CHANGES)],):
            changed = copy.deepcopy(results)
            parent = at(changed, "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in keys[:-1]))
            if change is not DELETED:
                parent[keys[-1]] = change
            else:
                del parent[keys[-1]]
            (tmp_path / "results.json").write_text(json.dumps(changed))
            try:
                told = page._tell(read(tmp_path), "run", [])
                assert [page.phases(told.run), page.settings(told.run), page.environment(told.run), told.glance]
            except InputError as error:
                refused.append(str(error))
    assert len(refused) > 50
    for message in refused:
        assert re.search(r"results\.json isn't what a run writes, for (/|names in /|it has none)", message), message
        assert "\n" not in message
        assert len(message) < 400 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (1, "/objective/facts must be an object, found [1, [2]]"),
        (2, "/budget is missing"),
        (3, "/strategies/bo_nag/reported_after/5/low is missing"),
    ],
)
def test_the_field_that_was_changed_is_named(shared, tmp_path, number, says):
    shutil.copy(shared / "faults" / f"results_{number}.json", tmp_path / "results.json")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=re.escape(says)):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "results.json is not readable"),
        ('{"a":' * 100 + "1" + "}" * 100, "at most 64 objects and lists within each other"),
        ('{"config": ' + "9" * 300 + "}", "/config must be a number of less than 64 bits"),
        ('{"config": {"name": "\\ud800"}}', "/config/name must be text in Unicode"),
        ('{"config": "\\u001b[2J' + "x" * 100_000 + '"}', r"/config must be an object, found '\x1b[2Jxxx"),
        ('{"config": {"' + "k" * 100_000 + '": 1e999}}', "/config/name is missing"),
    ],
    ids=range(6),
)
def test_results_that_no_page_can_show_are_refused_in_a_line(text, says, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(InputError) as error:
        read(tmp_path)
    assert says in str(error.value)
    assert len(str(error.value)) < 400 + len(str(tmp_path))
    assert "\x1b" not in str(error.value)


def test_a_broken_figure_is_refused(runs, tmp_path):
    copy = shutil.copytree(runs["search"], tmp_path / "run")
    (copy / "figures" / "anytime.svg").write_text("<svg")
    with pytest.raises(InputError, match=r"anytime\.svg is no readable figure"):
        page.render([read(copy)])


def test_help_says_what_it_does():
    out = subprocess.run(
        [sys.executable, "-m", "experiments.report", "--help"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "compares several" in out.stdout
    assert spaces.make("nasbench201")  # the checkout is importable, so that the help was of this command


PROBE = """<!DOCTYPE html><html><body style="margin:0"><pre id="found"></pre><iframe id="page" src="{url}"
style="border:0;width:390px;height:844px"></iframe><script>
document.getElementById("page").onload = event => {{
  const frame = event.target.contentWindow, root = frame.document.documentElement;
  const figures = [...frame.document.querySelectorAll("svg")].map(svg => {{
    const box = svg.getBoundingClientRect();
    const marks = [...svg.querySelectorAll("path, use, text")].filter(mark => {{
      const own = mark.getBoundingClientRect();
      return own.width + own.height > 0 && own.right > box.left && own.left < box.right;
    }});
    return {{width: box.width, height: box.height, marks: marks.length}};
  }});
  document.getElementById("found").textContent = JSON.stringify({{
    figures,
    overflow: root.scrollWidth - root.clientWidth,
    requests: frame.performance.getEntriesByType("resource").length,
    text: frame.document.body.innerText.length,
  }});
}};
</script></body></html>
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
@pytest.mark.parametrize("kind", [*FIGURES, "comparison"])
def test_a_browser_shows_it_on_a_phone(runs, kind, tmp_path):
    if kind == "comparison":
        (tmp_path / "page.html").write_text(page.render([read(path) for path in runs.values()]))
    else:
        shutil.copy(runs[kind] / "report.html", tmp_path / "page.html")
    (tmp_path / "probe.html").write_text(PROBE.format(url="page.html"))
    browser = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            "--disable-background-networking",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=600,1000",
            "--virtual-time-budget=10000",
            "--dump-dom",
            f"file://{tmp_path / 'probe.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in browser.stderr, browser.stderr
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', browser.stdout, re.DOTALL)[1]))  # pyright: ignore
    assert found["overflow"] <= 0
    assert found["requests"] == 0
    assert found["text"] > 500
    expected = FIGURES.get(kind) if kind in FIGURES else [name for names in FIGURES.values() for name in names]
    assert len(found["figures"]) == len(expected or ())
    for figure in found["figures"]:
        assert figure["width"] > 300
        assert figure["height"] > 80
        assert figure["marks"] > 20
