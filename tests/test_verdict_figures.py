"""A picture for every verdict: each condition's numbers, kept as data, drawn where they are and marked as decided."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from actlab.analysis import verdict_figures, verdicts
from actlab.analysis.claims import (
    AT_LEAST,
    AT_MOST,
    COLUMNS,
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    WITHIN,
    as_table,
    failed,
    judge,
)
from actlab.analysis.findings.decided import stored
from actlab.analysis.judging import computed, judge_law
from actlab.analysis.layout import write_table

SAMPLES = {
    "sgd, depth 5": [0.30, 0.31, 0.30, 0.32, 0.31],
    "adam": [0.1, 0.11, 0.1, 0.12, 0.11],
    "wide": [0.1, 0.5, 0.2, 0.3, 0.1],
    "alike": [0.5] * 5,
    "none": [math.nan],
}
WORDS = [SUPPORTED, CONTRADICTED, INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE]
SOME = judge("T1", "relu", "is large", AT_LEAST, 0.2, SAMPLES, "its size", "act_mean")


def test_what_is_found_under_each_condition_is_kept_in_the_order_given():
    assert [one.condition for one in SOME.under] == list(SAMPLES)
    assert [one.verdict for one in SOME.under] == WORDS
    assert judge("T", "", "s", AT_LEAST, 0.2, SAMPLES["adam"], "e").under == ()


def test_it_is_stored_beside_the_table_of_claims_which_stays_as_it_was(tmp_path):
    law = judge_law("L", "relu", "none", 0.0, [0.0], "e")
    write_table(as_table([SOME, law], [], 0, 0), tmp_path)
    assert (tmp_path / "claims.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    read, other = stored(tmp_path / "claims.csv")
    assert other.under == ()
    assert [one.condition for one in read.under] == list(SAMPLES)
    assert [one.more for one in read.under] == [one.more for one in SOME.under]
    for name in ("estimate", "low", "high", "n"):
        there = [float(getattr(one, name)) for one in read.under]
        assert np.allclose(there, [float(getattr(one, name)) for one in SOME.under], rtol=1e-9, equal_nan=True)
    write_table(as_table([law], [], 0, 0), tmp_path / "other")
    assert not (tmp_path / "other" / "claims-conditions.csv").exists()


def test_a_point_stands_where_it_was_found_and_looks_as_it_was_decided():
    (axes,) = verdict_figures.draw(SOME).axes
    points = {line.get_ydata()[0]: line for line in axes.lines if len(line.get_ydata()) == 1}
    for place, row in enumerate(SOME.under[:4]):
        look = verdict_figures.DRAWN_AS[row.verdict]
        assert points[place].get_xdata()[0] == row.estimate
        assert points[place].get_marker() == look["marker"]
        assert to_hex(points[place].get_color()) == look["color"].lower()
    assert [text.get_text() for text in axes.texts] == ["no interval", "no value"]
    assert axes.texts[0].xy == (SOME.under[3].estimate, 3)
    bars = [list(line.get_xdata()) for line in axes.lines if list(line.get_ydata()) == [0, 0]]
    assert bars == [[SOME.under[0].low, SOME.under[0].high]]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(SAMPLES)


@pytest.mark.parametrize(
    ("form", "delta", "shaded"),
    [(AT_LEAST, [0.2], (0.2, 1.0)), (AT_MOST, [0.2], (0.0, 0.2)), (WITHIN, [-0.2, 0.2], (-0.2, 0.2))],
)
def test_what_is_claimed_is_shaded_and_ends_at_delta(form, delta, shaded):
    one = replace(SOME, form=form)
    (axes,) = verdict_figures.draw(one).axes
    dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == delta
    assert verdict_figures.shaded(one, 0.0, 1.0) == [shaded]
    low, high = axes.get_xlim()
    assert all(low < x < high for x in delta)


def test_an_interval_without_an_end_reaches_the_end_of_the_axis():
    (axes,) = verdict_figures.draw(replace(SOME, under=(replace(SOME.under[0], high=math.inf),))).axes
    assert max(max(line.get_xdata()) for line in axes.lines if line.get_ydata()[0] == 0) == axes.get_xlim()[1]


COMPUTED = judge("M", "mish", "s", AT_LEAST, 0.0, computed(0.0), "e")
LAW = judge_law("L", "", "s", 0.0, [0.0, 1.0], "e")
LONG = replace(SOME, under=tuple(replace(row, condition="a name of 7 of 20 words, " * 4) for row in SOME.under))


@pytest.mark.parametrize("one", [COMPUTED, LAW])
def test_what_is_computed_and_what_is_a_law_have_pictures_too(one):
    part = verdicts.Part("mine", "", "", "", (one, failed("f", "why")))
    assert verdicts.figures_of([part]) == {("mine", one.id): one.id}
    assert verdict_figures.draw(one).axes
    assert verdict_figures.rows_of(failed("f", "why")) == ()


def test_a_picture_says_what_its_rows_do_not_that_a_verdict_is_capped():
    why = "selected values at an end of their grid"
    capped = replace(SOME, verdict=INCONCLUSIVE, condition=f"(would be 'x', but for {why}: relu 0.1) {SOME.condition}")
    assert verdict_figures.title(capped).endswith(
        f"is large — inconclusive (would be true only under some conditions, but for {why})"
    )
    assert verdict_figures.title(SOME).endswith("is large — true only under some conditions")


def test_verdicts_of_one_id_have_files_of_their_own():
    parts = [verdicts.Part(name, "", "", "", (SOME, replace(SOME, id="t/1"))) for name in "ab"]
    names = verdicts.figures_of(parts)
    assert len({name.lower() for name in names.values()}) == len(names) == 4


def test_one_number_is_drawn_low_and_without_an_empty_side():
    one = judge("T", "relu", "is large", AT_LEAST, 0.2, SAMPLES["adam"], "its size", "act_mean")
    alone, several = verdict_figures.draw(one), verdict_figures.draw(SOME)
    assert alone.get_figheight() < 1.35 < several.get_figheight()
    assert not alone.axes[0].spines["left"].get_visible()
    (legend,) = alone.legends
    assert "interval of 95 %" in [text.get_text() for text in legend.get_texts()]


def test_what_counts_in_names_are_of_is_written_once_below_and_all_stands_within_the_picture():
    ends = "networks have a wholly dead layer)"
    rows = [replace(row, condition=f"sgd at {i} (1 of {i} {ends}") for i, row in enumerate(SOME.under)]
    figure = verdict_figures.draw(replace(SOME, under=tuple(rows), evidence="a long name of what it is, " * 6))
    (axes,) = figure.axes
    assert axes.get_yticklabels()[0].get_text() == "sgd at 0 (1 of 0)"
    assert figure.legends[0].get_title().get_text().startswith(f"(k of n): k of n {ends[:-1]}\n")
    figure.canvas.draw()
    box, whole = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 > -0.05
    assert box.x1 < whole[0] + 0.05


def test_what_is_held_back_has_a_mark_of_its_own_with_its_reason_in_the_key():
    held = replace(SOME.under[0], verdict=INCONCLUSIVE, more="would be 'supported', but for its selection: at an end")
    figure = verdict_figures.draw(replace(SOME, under=(held, SOME.under[2])))
    marks = [line.get_marker() for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert marks == ["s", "D"]
    assert "held back: its selection" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_what_is_claimed_has_one_colour_in_the_picture_and_in_its_key():
    figure = verdict_figures.draw(SOME)
    zone, key = figure.axes[0].patches[0], figure.legends[0].get_patches()[0]
    assert zone.get_facecolor() == key.get_facecolor()
    assert zone.get_facecolor()[3] == 1.0
    assert max(zone.get_facecolor()[:3]) - min(zone.get_facecolor()[:3]) > 0.1  # no near-white


def test_a_share_alone_has_no_negative_side():
    law = judge_law("L", "", "s", 0.0, [0.0], "share of units that were dead")
    low, high = verdict_figures.draw(law).axes[0].get_xlim()
    assert -0.05 < low < 0
    assert high == 1


@pytest.mark.parametrize(("delta", "side"), [(0.9, "left"), (0.1, "right")])
def test_a_mark_without_an_interval_says_so_on_the_side_that_is_clear_of_delta(delta, side):
    rows = (replace(SOME.under[0], low=0.0, high=1.0), replace(SOME.under[3], estimate=delta - (side == "left") * 0.9))
    (axes,) = verdict_figures.draw(replace(SOME, effect=delta, under=rows)).axes
    (said,) = axes.texts
    assert said.get_text() == "no interval"
    assert said.xy == (rows[1].estimate, 1)
    low, high = axes.get_xlim()
    assert low <= said.xy[0] <= high
    exact = judge("E", "elu", "s", WITHIN, 0.01, {"α = 1": computed(0.0), "α = 2": computed(1.0)}, "e")
    assert not verdict_figures.draw(exact).axes[0].texts


def test_letters_are_7_pt_at_least_in_a_column_of_paper():
    """A page of A4 with margins of 1 cm has two columns with 2 rem between them: no picture is shrunk into one."""
    column = (210 / 25.4 - 2 / 2.54 - 2 * 10 / 72) / 2
    assert column >= verdict_figures.WIDTH
    for one in (SOME, LAW, COMPUTED, LONG):
        figure = verdict_figures.draw(one)
        figure.canvas.draw()
        texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
        assert min(text.get_fontsize() for text in texts) >= 7
        assert figure.get_tightbbox().width < column


def test_names_of_several_lines_do_not_touch():
    (axes,) = verdict_figures.draw(LONG).axes
    axes.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))


def test_no_value_stands_clear_of_the_line_of_delta():
    rows = (replace(SOME.under[0], low=0.0, estimate=0.5, high=1.0), SOME.under[4])
    (axes,) = verdict_figures.draw(replace(SOME, effect=0.5, under=rows)).axes
    low, high = axes.get_xlim()
    assert abs(axes.texts[0].get_position()[0] - 0.5) > 0.2 * (high - low)


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ("gap (as error), at the end, a minus b, paired; none diverged", "gap (as error), a minus b"),
        ("gain of a minus b, its slope; the line misses c minus d", "gain of a minus b"),
        (
            "|slope| of a minus that of b, decades per layer, at the end",
            "|slope| of a minus that of b, decades per layer",
        ),
        ("jump between z = ∓1e-06, on a grid", "jump between z = ∓1e−6"),
    ],
)
def test_an_axis_says_what_its_numbers_are_and_leaves_the_rest_to_the_page(evidence, said):
    assert verdict_figures.axis(replace(SOME, evidence=evidence, unit="")) == said
