"""Whatever a file, a command or a user puts into a message, it stays one short line that a terminal survives."""

import pickle

import numpy as np
import pytest

from experiments import command_line
from nag_jax import spaces
from nag_jax.evaluators import Metric, table_file
from nag_jax.evaluators.command import read_labels
from nag_jax.system import options
from nag_jax.system.errors import InputError, quoted, shown

STRANGE = "a\x1b[31mb\x00\x9b1;31m\u202ec\ud800\r\n  d\te"
ESCAPED = r"a\x1b[31mb\x00\x9b1;31m\u202ec\ud800 d\te"


def is_harmless(message, longest=1500):
    return message.isprintable() and len(message) <= longest


def test_what_comes_from_outside_is_escaped_and_cut_and_stays_as_it_is():
    assert shown(STRANGE) == ESCAPED
    assert shown(shown(STRANGE)) == ESCAPED
    for long in ("x" * 10**6, "\x00" * 10**6, "a\n" * 10**6):
        cut = shown(long, 100)
        assert is_harmless(cut, 100)
        assert shown(cut, 100) == cut
    assert shown("what is wrong: " + "x" * 5000 + "; what mends it").endswith("x; what mends it")


def test_letters_of_any_script_stay_readable():
    assert shown("größer 猫 แมว 🐈 'two  blanks'") == "größer 猫 แมว 🐈 'two  blanks'"


def test_any_value_can_be_quoted():
    texts = STRANGE, "x" * 10**6, b"\x1b" * 10**4, ["x" * 10**5] * 10**3, {"a": {STRANGE: STRANGE}}
    for value in (*texts, 10**5000, -(10**300)):
        assert is_harmless(quoted(value), 500)


def test_short_values_are_quoted_as_python_does_it():
    for value in ("cell one", "it's", 1.5, None, ["a", "b"], {"a": 1}, ("a",), np.float64(2)):
        assert quoted(value) == repr(value)


def test_a_deep_value_can_be_quoted():
    deep = []
    for _ in range(10**5):
        deep = [deep]
    assert is_harmless(quoted(deep))


def test_an_error_is_harmless_whatever_it_is_made_of():
    error = InputError(f"{STRANGE}: expected a number; {'x' * 10**6}; correct it")
    assert str(error).startswith(f"{ESCAPED}: expected a number")
    assert str(error).endswith("correct it")
    assert is_harmless(str(error))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_terminal_gets_no_control_characters(capsys):
    with pytest.raises(SystemExit):
        command_line.fail(f"what a library says {STRANGE}")
    assert capsys.readouterr().err == f"error: what a library says {ESCAPED}\n"


@pytest.mark.parametrize("name", ["nasbench201", "nasbench_graph", "mobilenet_v3"])
def test_an_architecture_is_shown_short(name):
    for cell in (STRANGE, "x" * 1_600_000, "[" * 10**5, "{" * 10**5):
        with pytest.raises(InputError) as caught:
            spaces.make(name).from_native([cell])
        assert is_harmless(str(caught.value), 1000)
        assert "row 0: " in str(caught.value)


def test_a_table_s_cells_columns_and_name_are_shown_short(tmp_path):
    cell = "x" * 1_600_000
    path = tmp_path / "a\x1b[31m.csv"
    for content in (
        f"arch,acc\n{cell},1\n",
        f"arch,{cell}\na,1\n",
        f"arch,acc\na,{cell}\n",
        f"{cell},acc\na,1\n",
        "arch,acc\n\x1b]0;owned\x07,1\n",
        "\x1b]0;owned\x07,acc\na,1\n",
    ):
        path.write_text(content)
        with pytest.raises(InputError) as caught:
            table_file.load(path=path, metric="acc")
        assert is_harmless(str(caught.value))
        assert r"a\x1b[31m.csv" in str(caught.value)


def test_names_of_options_and_of_what_they_choose_are_shown_short():
    for name in (STRANGE, "x" * 10**6):
        with pytest.raises(InputError) as caught:
            options.find("kernel", name, {"ancestral": test_letters_of_any_script_stay_readable})
        assert is_harmless(str(caught.value), 500)
        assert "use one of ['ancestral']" in str(caught.value)


def test_why_a_trial_failed_is_shown_short():
    for output in (STRANGE, f'{{"acc": "{"x" * 10**6}"}}', f'{{"{"x" * 10**6}": 1}}', '{"acc": "\\u001b"}'):
        _, reason = read_labels(output, {"acc": Metric("acc")})
        assert is_harmless(reason, 800), reason[:1000]
