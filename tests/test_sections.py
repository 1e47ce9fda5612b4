"""A report is data before it is Markdown: who renders it finds texts, tables and what each picture is drawn from."""

from pathlib import Path

import pandas as pd
import pytest

from actlab.analysis import panels, report, style
from actlab.analysis.document import document, titled
from actlab.analysis.escaping import plain
from actlab.analysis.figures import FIGURES
from actlab.analysis.making import Made
from actlab.analysis.pages.document import in_html
from actlab.analysis.sections import FOLD_FROM, Grid, Items, Link, Picture, Section, Text, markdown
from actlab.analysis.tables import TABLES
from actlab.analysis.why_not import NEEDS, not_applicable
from tests.synthetic import frames


@pytest.fixture(scope="module")
def cells():
    return report.study_cells({}, {}, *frames(seeds=2))


def test_a_short_question_is_the_title_of_a_report_and_its_name_a_label_below():
    assert titled("depth", "Which *still* train?") == (plain("Which *still* train?"), "Study: `depth`")
    assert titled("small_data", "x" * 500) == (plain("small_data"), "x" * 500)


def test_every_block_has_its_markdown():
    short = pd.DataFrame({"a": ["`x`", "y|z"]})
    page = markdown(
        [
            Section(1, "s", (Text("Why?"), Text(""))),
            Section(3, "t", (Grid(short), Text("Note.", "tables/t.csv"))),
            Section(2, "made", (Items(("jax 1", "cpu")), Grid(pd.concat([short] * FOLD_FROM), "all"))),
        ]
    )
    table = "| a    |\n|:-----|\n| `x`  |\n| y\\|z |"
    assert page.startswith(
        f"# s\n\nWhy?\n\n### t\n\n{table}\n\nNote. [CSV](tables/t.csv)\n\n## made\n\n- jax 1\n- cpu\n\n"
    )
    assert f"<details><summary>{2 * FOLD_FROM} rows: show all</summary>" in page


def test_links_lead_to_the_sections_that_have_their_name():
    links = ((Link("table", "table-t"), Link("figure", "figure-t")), ())
    page = markdown([Section(2, "found", (Items(("One.", "Two."), links),)), Section(3, "t", (), "table-t")])
    assert page == (
        '## found\n\n- One. ([table](#table-t), [figure](#figure-t))\n- Two.\n\n<a id="table-t"></a>\n\n### t\n'
    )


def test_a_picture_can_be_drawn_from_what_the_report_holds(cells, tmp_path):
    names = ("accuracy_by_depth", "moments")
    drawings = {name: FIGURES[name].make(cells) for name in names}
    made = Made(tmp_path, {"trained": TABLES["trained"].make(cells)}, drawings)
    sections = document({"study": "s"}, {}, cells, made)
    assert [one.heading for one in sections if one.level == 2] == [
        "What was found",
        "What to doubt",
        "Figures",
        "Tables",
        "What was run",
        "How it was made",
    ]
    pictures = [block for section in sections for block in section.blocks if isinstance(block, Picture)]
    assert [one.file for one in pictures] == [f"figures/{name}.png" for name in names]
    for picture in pictures:
        with style.apply():
            assert panels.render(picture.spec, picture.frame).axes[0].get_lines()


def test_what_does_not_apply_is_named_below_its_heading(cells, tmp_path):
    sections = document({}, {}, cells, Made(tmp_path, {"selection": None}, {"dying": None}))
    by_heading = {one.heading: one.blocks for one in sections}
    assert by_heading["Tables"] == (Text(not_applicable(["selection"])),)
    assert by_heading["Figures"] == (Text(not_applicable(["dying"])),)
    assert {*NEEDS} <= {*TABLES, *FIGURES}
    assert "dying (needs dead units measured" in not_applicable(["dying"])


def test_what_follows_from_an_item_stands_below_it():
    block = Items(("a", "b <i>", "c", "d"), (), (False, True, True, False))
    assert markdown([Section(1, "h", (block,))]) == "# h\n\n- a\n  - b <i>\n  - c\n- d\n"
    page = in_html(block, Path(), {}, ())
    assert "".join(page.split()) == "<ul><li>a<ul><li>b&lt;i&gt;</li><li>c</li></ul></li><li>d</li></ul>"
