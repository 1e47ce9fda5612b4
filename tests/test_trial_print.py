"""The page of a trial on paper: what a teacher hands out, two claims a row; where the rest is, it says."""

import re
from dataclasses import replace

from actlab.analysis import lineage, trial_page, verdicts
from actlab.analysis.claims import AT_LEAST, DOUBT, judge
from actlab.analysis.pages.document import html
from actlab.analysis.pages.shell import beside
from actlab.analysis.sections import Grid, Items, Section, Text, markdown
from actlab.later import pd

SAMPLES = {"adam": [0.3, 0.31, 0.3, 0.32, 0.31], "sgd": [0.1, 0.11, 0.1, 0.12, 0.11]}
FAULT = judge("S3a", "sigmoid", "vanishes", AT_LEAST, 0.2, SAMPLES, "its slope")
FAULT = replace(FAULT, evidence=f"{FAULT.evidence}{DOUBT}another rate does better")
REPAIR = judge("R2a", "relu", "survives", AT_LEAST, 0.2, SAMPLES["adam"], "its slope")
CLAIMS, NAMES = {"S3": "it vanishes", "R2": "it survives"}, {"S3": "sigmoid", "R2": "relu"}


def page() -> list[Section]:
    parts = [verdicts.Part("mine", "digits", "rule.py", "actlab trial t", (FAULT, REPAIR), study=True)]
    chain = lineage.table(lineage.links([{"fault": "S3a", "repair": "R2a"}], [FAULT, REPAIR]))
    made = verdicts.table(parts, CLAIMS)
    return trial_page.page("What is true?", made, parts, CLAIMS, NAMES, {}, chain)


def printed(text: str) -> str:
    """What paper shows of a page: no links to its parts, nothing that is for a screen."""
    text = re.sub(r"<nav .*?</nav>", "", text, flags=re.DOTALL)
    for name in ("section", "details", "li", "th", "td"):
        text = re.sub(rf'<{name}\b[^>]* class="[^"]*\bscreen"[^>]*>.*?</{name}>', "", text, flags=re.DOTALL)
    return text


def test_paper_has_of_each_claim_what_was_found_and_what_to_doubt_and_says_where_the_rest_is(tmp_path):
    text = html(page(), tmp_path)
    paper = printed(text)
    assert paper.count("<article>") == paper.count("</article>") == 2
    for whole in (text, paper):
        assert whole.count("Claimed: at least 0.2. Found:") == 2
        assert "The number: its slope" in whole
        assert "To doubt: another rate does better." in whole
        assert '<p class="paper">On paper each claim has' in whole
    for rest in ("rule.py", "actlab trial t", "Find a claim", trial_page.HOW_A_LINK):
        assert rest in text
        assert rest not in paper
    assert trial_page.UNDER in text
    assert trial_page.UNDER not in paper


def test_what_is_printed_is_a_matter_of_style(tmp_path):
    style = beside("page.css").partition("@media print")[2]
    assert ".skip, .screen, nav," in style
    assert ".cards { columns: 2;" in style
    assert "article figure ~ figure { display: none; }" in style
    assert "article" not in html([Section(1, "t"), Section(2, "a", (Text("b"),))], tmp_path)


def test_a_chapter_with_cards_has_an_element_of_its_own_and_others_have_none(tmp_path):
    one = Section(4, "R1", (Items(("found", "rule"), printed=1),), "r1", brief=True)
    text = html([Section(1, "t"), Section(2, "a"), one, Section(2, "b"), Section(3, "c")], tmp_path)
    assert text.count('<section class="cards">') == 1
    places = [text.index(one) for one in ('<section class="cards">', 'id="a"', "</section>", 'id="b"')]
    assert places == sorted(places)
    assert "<li>found</li>" in text
    assert '<li class="screen">rule</li>' in text


def test_a_column_and_a_text_that_paper_lacks_are_in_markdown(tmp_path):
    grid = Grid(pd.DataFrame({"a": ["1"], "b": ["2"]}), screen=("b",))
    fold, paper = Text("long", fold="why"), Text("on paper", paper=True)
    text = html([Section(1, "t", (grid, fold, paper))], tmp_path)
    assert '<td class="n screen">2</td>' in text
    assert '<th scope="col" class="screen">b</th>' in text
    said = markdown([Section(1, "t", (grid, fold, paper))])
    assert "<details><summary>why</summary>\n\nlong\n\n</details>" in said
    assert "on paper" not in said
    assert replace(fold, fold="") == Text("long")


def test_the_first_lines_say_what_it_is_how_to_read_a_number_and_what_to_doubt():
    begin = markdown(page()[:1])
    for said in (trial_page.WHAT, trial_page.HOW_TO_READ, "What to doubt:"):
        assert said in begin
    assert "1 of 2 verdicts is of claims that hold under some conditions" in begin
    assert "1 of 2 verdicts is on networks trained at a selected rate" in begin
    assert not trial_page.doubted([REPAIR])
