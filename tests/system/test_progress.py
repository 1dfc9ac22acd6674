import io
import re
import sys
import time

import pytest

from nag_jax.system.progress import Phases


class Terminal(io.StringIO):
    """What stands in for a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Makes one of stderr, which pytest puts back between fixtures and tests."""

    def make():
        monkeypatch.setattr(sys, "stderr", Terminal())
        return sys.stderr

    return make


def last_line(shown: str) -> str:
    return shown.rstrip("\n").rpartition("\r")[2]


def test_a_file_gets_one_line_per_phase(capsys):
    phases = Phases()
    with phases("labels", "label") as progress:
        for done in range(50):
            progress(done + 1, 50)
    with phases("aim"):
        pass
    with phases("score network") as progress:
        progress(20, 1040, float("nan"))
        progress(1040, 1040, 0.25)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.sub(r"\d+\.\d s", "N s", err).splitlines() == [
        "labels                  : N s, 50 labels",
        "aim                     : N s",
        "score network           : N s, 1,040 steps (20 restored), loss=0.2500",
    ]


def test_the_name_stands_there_as_soon_as_the_phase_begins(capsys):
    with Phases()("search", "label") as progress:
        assert capsys.readouterr().err == "search                  : "
        progress(1, 1)
    assert capsys.readouterr().err.endswith(" s, 1 label\n")


def test_an_error_within_a_phase_begins_a_line(capsys):
    phases = Phases()
    with pytest.raises(KeyError), phases("search"):
        raise KeyError
    assert capsys.readouterr().err == "search                  : \n"
    assert phases.seconds == {}


def test_seconds_are_those_since_the_phase_began(terminal):
    shown_on, phases = terminal(), Phases()
    with phases("samples", "sample") as progress:
        time.sleep(1.05)
        progress(5, 10)
        progress(10, 10)
    assert phases.seconds["samples"] >= 1.05
    shown = last_line(shown_on.getvalue())
    assert "10/10" in shown
    assert "[00:01<" in shown
    rate = re.findall(r"([\d.]+)sample/s", shown)
    assert float(rate[0]) < 10 / 1.05 + 0.01


def test_the_rate_leaves_out_what_was_restored(terminal):
    shown_on = terminal()
    with Phases()("score network") as progress:
        progress(3000, 3010, float("nan"))
        time.sleep(0.2)
        progress(3010, 3010, 0.5)
    shown = last_line(shown_on.getvalue())
    assert "3010/3010" in shown
    assert "loss=0.5000" in shown
    assert float(re.findall(r"([\d.]+)step/s", shown)[0]) < 10 / 0.2 + 0.01


def test_a_phase_that_reports_nothing_ends_with_a_full_bar(terminal):
    shown_on = terminal()
    with Phases()("aim"):
        pass
    assert "100%" in last_line(shown_on.getvalue())


def test_other_processes_show_nothing(capsys):
    phases = Phases(quiet=True)
    with phases("aim") as progress:
        progress(1, 2, 0.5)
    assert capsys.readouterr() == ("", "")
    assert list(phases.seconds) == ["aim"]
