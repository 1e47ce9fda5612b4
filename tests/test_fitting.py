"""Tables on a terminal: no line is wider, nothing goes unsaid, and what is piped or asked for stays Markdown."""

import io
import re

import pytest

from actlab.activations import CATALOGUE
from actlab.analysis.compare import compare, format
from actlab.analysis.worked_example import worked_example_text
from actlab.cli import output, terminal
from tests.synthetic import frames
from tests.test_worked_example import tables_of

WIDTHS = [60, 80, 110]


@pytest.fixture(scope="module")
def compared():
    """Comparisons of a synthetic study: means, differences, and several measures."""
    study = [("one", *frames(("sigmoid", "relu", "elu"), (2, 5, 7), seeds=6))]
    over = ["learning_rate"]
    return {
        "means": compare(study, "test_accuracy", over=over),
        "differences": compare(study, "test_accuracy", over=over, against="relu"),
        "several": compare(study, preset="dying", over=over),
    }


def printed(frame, style, monkeypatch, width=None):
    """What is printed of a comparison on a terminal of a width, or into a pipe."""
    console = terminal.PlainConsole(file=io.StringIO(), force_terminal=width is not None, width=width or 80, height=24)
    monkeypatch.setattr(output, "out", console)
    monkeypatch.setattr(terminal, "out", console)
    output.say_comparison(frame, style)
    return console.file.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["means", "differences", "several"])
def test_a_comparison_fits_its_terminal_and_names_what_it_leaves_out(compared, name, width, monkeypatch):
    frame = compared[name]
    shown = printed(frame, "", monkeypatch, width)
    assert max(map(len, shown.splitlines())) <= width
    assert "|" not in shown
    heads = [one.strip() for one in format(frame).splitlines()[0].strip("|").split("|")]
    words = set(re.split(r"[\s,:]+", shown))
    assert {word for head in heads for word in re.split(r"[\s,:]+", head)} <= words
    assert ("for want of room: --format markdown, csv" in re.sub(r"\s+", " ", shown)) == ("without " in shown)


def test_what_is_piped_or_asked_for_stays_markdown(compared, monkeypatch):
    frame = compared["differences"]
    asked = printed(frame, "markdown", monkeypatch, 80)
    assert asked == printed(frame, "", monkeypatch) == f"{format(frame)}\n"
    assert asked.startswith("| activation")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_worked_example_stands_in_blocks_and_loses_nothing(width):
    tables = [*tables_of([CATALOGUE.find("relu"), CATALOGUE.find("gelu")])]
    whole, shown = worked_example_text(*tables), worked_example_text(*tables, width=width)
    sentences = ("x = ", "Plain gradient descent", "alike in")
    lines = [line for line in shown.splitlines() if not line.startswith(sentences)]
    assert max(map(len, lines)) <= width
    assert set(whole.replace("-", " ").split()) == set(shown.replace("-", " ").split())


def test_runs_that_are_all_alike_are_told_of_once():
    """Where no unit ever dies a cell is 0 alone, and one sentence below says of how many runs, and what they bound."""
    runs, steps, layers = frames(("sigmoid", "relu"), (2, 5), seeds=6)
    for frame in (runs, steps, layers):
        for column in ("dead_fraction", "died_fraction", "ever_dead_fraction", "born_dead_fraction", "weak_fraction"):
            if column in frame:
                frame[column] = 0.0
    text = format(compare([("one", runs, steps, layers)], preset="dying", over=["learning_rate"]))
    table, _, note = text.partition("\n\n")
    assert "alike" not in table
    assert "share" not in table
    assert len(re.findall("A number alone: all ", note)) == 1
    assert "*alike*" not in note
