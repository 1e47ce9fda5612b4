"""How verdicts are written where people read them: words beside a verdict, numbers in texts, the table of a report."""

import math
from dataclasses import replace

import pytest

from actlab.analysis import surprises, trial_page, verdicts
from actlab.analysis.claims import (
    AT_LEAST,
    AT_MOST,
    CONTRADICTED,
    DOUBT,
    INCONCLUSIVE,
    ONLY_IF,
    SUPPORTED,
    as_table,
    judge,
)
from actlab.analysis.conditions import in_brief, spread
from actlab.analysis.document import table_section
from actlab.analysis.intervals import Interval
from actlab.analysis.judging import computed, judge_law
from actlab.analysis.layout import pipe_table, to_csv, to_latex
from actlab.analysis.pages.document import html
from actlab.analysis.pages.shell import html_page
from actlab.analysis.sections import Section, markdown
from tests.browser import chromium, open_page

HOLDS, FAILS, OPEN = Interval(0.5, 0.4, 0.6, 20, "t"), Interval(0.0, -0.1, 0.1, 20, "t"), Interval(0.3, 0, 0.6, 20, "t")


def verdict_of(claim="M3b", evidence="its gap", **under):
    return judge(claim, "mish", f"says {claim}", AT_LEAST, 0.2, under, evidence)


PARTLY = verdict_of(rows_50=OPEN, rows_200=OPEN, rows_1000=FAILS)
BOTH = verdict_of("S1b", "its gap at z = ∓1e-06", a=HOLDS, b=FAILS, c=FAILS)
BOTH = replace(BOTH, evidence=f"{BOTH.evidence}{DOUBT}another rate does better")


def all_of(*those):
    return verdicts.table([verdicts.Part("mine", "digits", "", "actlab trial t", those)], {})


@pytest.mark.parametrize(
    ("under", "word", "said"),
    [
        ({"a": HOLDS, "b": HOLDS}, SUPPORTED, "at both conditions"),
        ({"a": FAILS, "b": FAILS, "c": FAILS}, CONTRADICTED, "at all 3 conditions"),
        ({"a": FAILS, "b": OPEN, "c": OPEN}, CONTRADICTED, "at 1 of 3 conditions; 2 open"),
        ({"a": HOLDS, "b": FAILS, "c": OPEN}, ONLY_IF, "at 1 of 3 conditions; contradicted at 1; 1 open"),
        ({"a": HOLDS, "b": OPEN}, INCONCLUSIVE, "supported at 1 of 2 conditions; 1 open"),
        ({"a": OPEN, "b": OPEN}, INCONCLUSIVE, "at both conditions"),
    ],
)
def test_a_verdict_says_at_how_many_conditions_it_is_so(under, word, said):
    one = verdict_of(**under)
    assert one.verdict == word
    assert spread(one) == said
    assert in_brief(one) == f"**{word}** ({said})"


def test_what_is_contradicted_at_some_conditions_and_open_at_others_says_so_beside_the_word():
    told = "contradicted{} (at 1 of 3 conditions; 2 open)"
    made = all_of(PARTLY, BOTH)
    assert told.format("**") in pipe_table(made.wide)
    assert told.format("") in to_latex(made)
    page = markdown(trial_page.page("?", made, [verdicts.Part("mine", "", "", "", (PARTLY, BOTH))], {}, {}, {}))
    assert f"says M3b — {told.format('')}" in page
    assert page.count(told.format("**")) == 2  # among the surprises, and in the table of all
    assert made.frame["verdict"].tolist() == [CONTRADICTED, ONLY_IF]
    assert ",contradicted," in to_csv(made.frame)


def test_a_paper_names_the_condition_of_either_number_and_how_many_measurements_are_behind_it():
    law = judge_law("L1d", "", "none", 0.0, [0.0, 0.0], "share")
    exact = judge("E2", "", "smooth", AT_MOST, 0.1, {"α = 1": computed(0.0), "α = 2": computed(1.0)}, "jump")
    text = to_latex(all_of(BOTH, law, exact, verdict_of("R1", a=HOLDS)))
    for said in (
        "at a: 0.50 [0.40,~0.60]; not at b: 0.00 [$-$0.10,~0.10] (1 more), n~=~20",
        "0 to 0, n~=~2",
        r"at $\alpha$ = 1: 0, computed; not at $\alpha$ = 2: 1.00, computed",
        "0.50 [0.40,~0.60], n~=~20",
        "so under some conditions, and not under others",
    ):
        assert said in text, said
    assert "the conditions named" not in text
    assert "0 [0,~0]" not in text


def test_numbers_in_what_a_number_is_are_typeset_in_tables_pages_and_sentences():
    assert "z = ∓1e−6" in as_table([BOTH], [], 0, 0).wide["evidence"].iloc[0]
    assert "z = ∓1e−6" in surprises.sentence(BOTH)
    assert "z = ∓1e−6" in markdown([verdicts.of_verdict(BOTH, verdicts.Part("mine", "", "", "", ()), {})])
    assert r"z = $\mp{}$$10^{-6}$" in to_latex(as_table([BOTH], [], 0, 0))
    assert "1e-06" in as_table([BOTH], [], 0, 0).frame["evidence"].iloc[0]  # a file of numbers stays as it is


def test_the_first_screen_says_that_what_a_formula_decides_is_left_out():
    exact = judge("M1c", "mish", "bounded", AT_MOST, 100, computed(10_000.0), "largest")
    measured = verdict_of("M2a", evidence="a gain", a=FAILS, b=FAILS)
    assert [one.id for one in surprises.surprising([exact, measured])] == ["M2a"]
    assert "what a formula alone decides, without a measurement, is left out" in surprises.lead(5)


def test_held_back_is_explained_by_the_rule_that_does_it():
    (said,) = [one for one in trial_page.GLOSSARY if "Held back" in one]
    rule, _, doubt = said.partition(" A selected rate")
    assert "at an end of its grid" in rule
    assert "before the grid was widened, where today's rule would select another" in rule
    assert "clearly outscores on the test split holds nothing back" in doubt
    assert "told as a doubt" in doubt


def test_a_report_has_the_word_and_a_count_in_the_cell_and_conditions_and_doubts_folded_below(tmp_path):
    table = as_table([BOTH, PARTLY], [], 0, 0)
    section = table_section(table, table.note)
    shown, conditions, doubts, _ = section.blocks
    assert shown.frame["verdict"].tolist() == [in_brief(BOTH), in_brief(PARTLY)]
    assert not any("another rate" in text for text in shown.frame["evidence"])
    assert doubts.frame.to_numpy().tolist() == [["S1b", "another rate does better"]]
    assert conditions.frame["claim"].tolist() == ["S1b"] * 3 + ["M3b"] * 3
    assert conditions.frame["verdict"].tolist() == [row.verdict for row in (*BOTH.under, *PARTLY.under)]
    assert html([Section(2, "Tables"), section], tmp_path).count("<details><summary>") == 2
    said = markdown([section])
    assert "<details><summary>6 rows: show the conditions</summary>" in said
    assert "<details><summary>1 row: show what to doubt of selections</summary>" in said
    assert "contradicted at b: 0.00" in pipe_table(table.wide)  # the file of the table has all in one place
    few = judge("R1", "", "s", AT_LEAST, 0.2, [math.nan], "e")
    assert as_table([few], [], 0, 0).on_page is None


def test_a_table_of_verdicts_is_filtered_by_their_words(tmp_path):
    table = as_table([BOTH, PARTLY, verdict_of("M3c", a=FAILS, b=FAILS)], [], 0, 0)
    body = html([Section(2, "Tables"), table_section(table, table.note)], tmp_path, ["claim", "verdict"])
    page = tmp_path / "page.html"
    page.write_text(html_page("t", body, scripts=("tables.js",)), encoding="utf-8")
    with chromium(tmp_path) as driver:
        open_page(driver, page)
        first = driver.find_element("css selector", ".controls")
        *_, verdict = first.find_elements("css selector", "select")
        assert [one.text for one in verdict.find_elements("css selector", "option")] == ["all", CONTRADICTED, ONLY_IF]
        verdict.send_keys(CONTRADICTED)
        shown = driver.find_elements("css selector", ".controls + .scroll")[0]
        cells = shown.find_elements("css selector", "tbody tr td:first-child")
        assert [one.text for one in cells] == ["M3b", "M3c"]
