"""The story's derivations, by their records; and its page, which is what the program writes of them and the studies."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from actlab import cli
from actlab.activations import CATALOGUE
from actlab.analysis import story
from actlab.analysis.claims import AT_LEAST, judge
from actlab.analysis.findings import decided
from actlab.analysis.intervals import Interval
from actlab.theory.story import CHAIN, ROWS, Number

RESULTS = Path(__file__).parents[1] / "results"
STATEMENTS = {
    f"{row.name}, {kind} {i}": one
    for row in ROWS.values()
    for kind, ones in (("step", row.steps), ("correction", row.corrections))
    for i, one in enumerate(ones, start=1)
}
CHECKED = [name for name, one in STATEMENTS.items() if one.numbers]
STEPS = [name for name in STATEMENTS if ", step" in name]
DECIMAL = re.compile(r"(?<![\d.])[-−]?\d+\.\d+")


@pytest.fixture(scope="module")
def numbers():
    """What every statement rests on, computed once."""
    return {name: STATEMENTS[name].numbers() for name in CHECKED}


@pytest.mark.parametrize("name", CHECKED)
def test_what_is_stated_is_true(name, numbers):
    assert numbers[name]
    assert not [number for number in numbers[name] if not number.holds]


def test_every_step_is_computed():
    assert not [name for name in STEPS if not STATEMENTS[name].numbers]


def decimals(text):
    return [one.replace("−", "-") for one in DECIMAL.findall(text)]


@pytest.mark.parametrize("name", CHECKED)
def test_every_decimal_in_a_statement_is_a_rounding_of_what_was_computed(name, numbers):
    """Whatever the tolerance of its check; only the signs of what one says "loses" differ."""
    one = STATEMENTS[name]
    texts = [one.why, one.latex, one.text] if name in STEPS else [one.said, one.holds]
    computed = [number.computed for number in numbers[name]]
    for decimal in (found for text in texts for found in decimals(text)):
        digits = len(decimal.partition(".")[2])
        near = [abs(abs(value) - abs(float(decimal))) for value in computed]
        assert min(near) <= 0.5000001 * 10.0**-digits, (name, decimal)


@pytest.mark.parametrize("name", STEPS)
def test_unicode_and_latex_state_the_same_numbers(name):
    one = STATEMENTS[name]
    assert sorted(set(decimals(one.latex))) == sorted(set(decimals(one.text)))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_a_row_says_in_short_is_what_its_steps_state(row):
    stated = {one for step in row.steps for one in decimals(step.text)}
    said = {one for text in (row.fact, row.problem, row.solution, row.comparison) for one in decimals(text)}
    of_others = {"0.01", "0.25", "1.702", "-0.627"}  # values of parameters; and what is "lost"
    assert {one for one in said if one not in stated} <= of_others | {one.lstrip("-") for one in stated}


def test_a_number_is_compared_as_it_says():
    nan = float("nan")
    for relation, (true, false) in {
        "=": (1.0, 1.1),
        "≤": (1.0, 1.1),
        "≥": (1.0, 0.9),
        "<": (0.9, 1.0),
        ">": (1.1, 1.0),
    }.items():
        assert Number("x", true, 1.0, relation).holds
        assert not Number("x", false, 1.0, relation).holds
        assert not Number("x", nan, 1.0, relation).holds


# The page


WORDS = """
    alpha beta varphi sigma delta lambda mu nu chi pi ell Phi infty partial frac tfrac sqrt sum prod lim max min ln log
    tanh mathbb operatorname text left right bigl bigr bigg lVert rVert odot cdot pm to in dots quad qquad leq geq
    iff Rightarrow begin end mathsf
"""
COMMANDS = set(WORDS.split())


@pytest.mark.parametrize("name", STEPS)
def test_latex_is_what_github_renders(name):
    """KaTeX 0.16 in its strict mode took all of it; here: known commands, balanced pairs, ASCII."""
    latex = STATEMENTS[name].latex
    assert latex.isascii()
    assert set(re.findall(r"\\([A-Za-z]+)", latex)) <= COMMANDS
    assert latex.count("{") == latex.count("}")
    assert len(re.findall(r"\\left\b", latex)) == len(re.findall(r"\\right\b", latex))
    assert not set("$`") & set(latex)


@pytest.mark.parametrize("name", STEPS)
def test_formulas_fit_a_terminal(name):
    assert all(len(line) <= 72 and not set("\\${}") & set(line) for line in STATEMENTS[name].text.split("\n"))


def said_by(*words):
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    return done.output if done.exception is None else str(done.exception)


@pytest.fixture
def studies(tmp_path, monkeypatch):
    """A folder with what the committed studies' claims came to, under each of their conditions."""
    for path in RESULTS.glob("*/tables/claims*.csv"):
        (tmp_path / path.relative_to(RESULTS.parent)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / path.relative_to(RESULTS.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_committed_page_is_what_the_program_writes(studies, monkeypatch):
    """Its graphs are those of ``describe``."""
    graphs = lambda drawn, curves, looks, out: {
        name: [out / "figures" / f"{name}.{kind}" for kind in ("png", "svg")] for name in drawn["activation"]
    }
    monkeypatch.setattr("actlab.analysis.catalogue.write_graphs", graphs)
    said = said_by("describe", "--story", "--out", "results/catalogue")
    assert "results/catalogue/story.md" in said
    for name in ("story.md", "tables/story.csv", "tables/story.md", "tables/story.tex"):
        assert (studies / "results/catalogue" / name).read_bytes() == (RESULTS / "catalogue" / name).read_bytes(), name


def test_every_link_of_the_page_leads_somewhere():
    text = (RESULTS / "catalogue" / "story.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 30
    heads = {f"#{head}" for head in re.findall("^## (.+)$", text, re.MULTILINE)}
    for link in links:
        file, _, anchor = link.partition("#")
        assert link in heads or (RESULTS / "catalogue" / file).exists(), link
        assert not (file and anchor) or f'<a id="{anchor}">' in (RESULTS / "catalogue" / file).read_text(), link


def test_every_claim_is_told_with_each_verdict_or_as_not_yet_tried(studies):
    known = story.verdicts(Path("results"))
    text = " ".join(said_by("describe", "--story").split())
    for row in ROWS.values():
        for claim, said in row.claims.items():
            judged = known[[story.belongs(one, claim) for one in known["id"]]]
            if judged.empty:
                assert f"{claim} {said}: not yet tried" in text
            for one in judged.to_dict("records"):
                assert f"{one['id']} {one['statement']}: {one['verdict']}" in text
    assert {"R3a", "R3b", "V1", "D1a"} <= set(re.findall(r"\b[A-Z]\d[a-z]?\b", text))
    for claim in CHAIN:
        assert claim in text


def test_a_trial_stands_in_the_place_of_single_studies_and_a_quick_one_nowhere(tmp_path):
    row = dict.fromkeys(story.COLUMNS, "x") | {"estimate": 1.0, "low": 0.5, "high": 1.5}
    for name, claims, more in (
        ("alone", ("R3a", "V1"), {}),
        ("claims", ("R3b",), {"scope": "digits", "study": "dying"}),
        ("claims_quick", ("R1",), {"scope": "digits", "study": "cost"}),
    ):
        path = tmp_path / name / "tables" / "claims.csv"
        path.parent.mkdir(parents=True)
        pd.DataFrame([row | {"id": one} | more for one in claims]).to_csv(path, index=False)
    known = story.verdicts(tmp_path)
    assert known[["id", "study"]].to_numpy().tolist() == [["R3b", "dying"], ["V1", "alone"]]
    assert known.loc[0, "file"].endswith("claims/report.md#r3b")


def test_the_story_fits_a_terminal(studies, monkeypatch):
    text = said_by("describe", "--story")
    assert max(map(len, text.splitlines())) <= 80
    assert not set("\\$`") & set(text)


def test_one_activation_and_no_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = said_by("describe", "--story", "gelu")
    assert text.startswith("gelu\n")
    assert "G2" in text
    assert "relu\n" not in text
    assert "none in results/ here" in text
    assert "supported" not in text


def test_what_the_story_does_not_tell_of_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "does not tell of 'tanh'; choose from sigmoid, relu" in said_by("describe", "--story", "tanh")
    assert "does not tell of 'leaky_relu(negative_slope=0.2)'" in said_by(
        "describe", "--story", "leaky_relu:negative_slope=0.2"
    )


def test_a_table_that_is_none_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results" / "mine" / "tables" / "claims.csv"
    path.parent.mkdir(parents=True)
    path.write_text("id,verdict\n1,2\n", encoding="utf-8")
    assert "results/mine/tables/claims.csv: has no column activation; `actlab report results/mine`" in said_by(
        "describe", "--story"
    )
    path.write_bytes(b"\xff\xfe\x00")
    assert "results/mine/tables/claims.csv: cannot be read" in said_by("describe", "--story")


def test_where_a_claim_is_true_is_what_was_found_there_not_what_a_text_says():
    """A name may hold the very words between which the text of all conditions was cut."""
    interval = Interval(0.2, 0.15, 0.25, 20, "t")
    trap = "a; contradicted at b"
    one = judge("R1", "relu", "cheap", AT_LEAST, 0.1, {trap: interval, "c": replace(interval, low=0, high=0.05)}, "e")
    assert story.measured(vars(one)) == f"true only if {trap}: 0.200 [0.150, 0.250]"
    assert f"supported at {trap}: 0.200 [0.150, 0.250]; contradicted at c: " in decided.with_its_number(one)


def test_a_strangers_statement_makes_no_heading_and_no_link():
    found = {
        "id": "R1",
        "activation": "relu",
        "statement": "<b> [a](b) *c*",
        "form": "at least",
        "estimate": 1.0,
        "low": 0.5,
        "high": 1.5,
        "verdict": "supported",
        "condition": "",
        "study": "mine",
        "file": "results/mine/tables/claims.md",
    }
    (line, *_) = story.findings({"name": "relu", "claims": {"R1": "cheap"}}, pd.DataFrame([found]), Path("results/x"))
    assert line == (
        r"R1, *&lt;b&gt; [a\](b) \*c\**: **supported: 1.00 [0.50, 1.50]** ([mine](../mine/tables/claims.md))"
    )


def test_the_formula_is_the_catalogues(studies):
    text = said_by("describe", "--story")
    for name in ROWS:
        assert " ".join(CATALOGUE[name].formula.split()) in " ".join(text.split())


def test_a_finding_and_its_conditions_are_written_with_one_number_format():
    """The estimate of the least favourable condition stands twice in a finding that is open: alike."""
    samples = {"A": [0.0, 0.2, -0.2, 0.1, -0.1], "B": [0.1, 0.3, -0.1, 0.2, 0.0]}
    verdict = judge("S1c", "sigmoid", "it costs depth", AT_LEAST, 0.05, samples, "shares")
    said = story.measured(vars(verdict))
    least = said.removeprefix("inconclusive: ").partition(" (")[0]
    assert said.startswith("inconclusive: ")
    assert said.count(least) == 2
