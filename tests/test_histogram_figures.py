"""Properties of figures of histograms: shares are of what was counted, all is inside the axes or said to lie beyond."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import StepPatch

from actlab.analysis import panels, report, style
from actlab.analysis.binned import CUT, LEAST, axis_of, both_ends, shares
from actlab.analysis.cells import build_cells
from actlab.analysis.figures import FIGURES
from actlab.measures import HISTOGRAMS, MEASURES
from actlab.measures.bins import bounds
from tests.synthetic import frames, histograms

HERE = ("run", "at", "layer", "of")


@pytest.fixture(scope="module")
def study():
    runs, steps, layers = frames(("relu", "elu"), (2, 5), (1e-3, 1e-2), seeds=2, every=100)
    lost = (runs["seed"] == 1) & (runs["depth"] == 5) & (runs["learning_rate"] == 1e-3) & (runs["activation"] == "elu")
    return runs.assign(status=runs["status"].mask(lost, "diverged")), steps, layers


@pytest.fixture(scope="module")
def counts(study):
    return histograms(*study)


@pytest.fixture(scope="module")
def drawing(study, counts):
    return FIGURES["histograms"].make(build_cells(*study, histograms=counts.sample(frac=1, random_state=1)))


def pages_of(drawing, measure):
    return [rows for page, rows in drawing.pages.items() if f"measure={measure}" in page]


def drawn(drawing, rows):
    with style.apply():
        return [one for one in panels.render(drawing.spec, rows).axes if one.get_visible()]


def test_a_layers_shares_are_of_all_that_was_counted_there(study, counts, drawing):
    frame, runs = drawing.frame, study[0]
    row = ["activation", "learning_rate", "measure", "at", "layer"]
    np.testing.assert_allclose(frame.groupby(row)["mean"].sum(), 1.0, rtol=1e-12)
    ok = runs[(runs["depth"] == 5) & (runs["status"] == "ok")]
    own = counts[counts["run"].isin(ok["run"]) & (counts["step"] == 200)]
    assert frame.loc[frame["at"] == "final", "count"].sum() == own["count"].sum()
    diverged = int((runs["depth"] == 5).sum() - len(ok))
    assert diverged > 0  # and none of those is counted at the end
    assert set(frame.loc[frame["at"] == "init", "n"]) == {2}
    assert frame.loc[frame["at"] == "final", "n"].min() < 2


def test_each_measure_has_its_picture_and_the_title_the_depth(drawing):
    assert [page.rpartition("=")[2] for page in drawing.pages][::2] == list(HISTOGRAMS)
    assert drawing.title.endswith("5 hidden layers")
    assert "1 to 2 runs" in drawing.caption


@pytest.mark.parametrize("measure", HISTOGRAMS)
def test_no_bin_of_weight_lies_beyond_the_axis(drawing, measure):
    (rows, _) = pages_of(drawing, measure)
    axis = axis_of(rows)
    heavy = rows.loc[rows["mean"] >= LEAST, "bin"]  # no bin is as wide as a decade
    there = np.isfinite(axis.left[heavy])
    assert (axis.left[heavy][there] >= axis.low).all()
    assert (axis.right[heavy][there] <= axis.high).all()
    assert (rows["mean"][~np.isfinite(axis.left[rows["bin"]])].sum() > 0) == (measure != "hist_delta")
    for axes in drawn(drawing, rows):
        room = 0.01 * (axis.high - axis.low)  # an outermost bin that holds much is seen beside the frame
        assert axes.get_xlim()[0] < axis.low - room < axis.high + room < axes.get_xlim()[1]
        low, high = axes.get_ylim()
        for patch in axes.patches:
            across, heights = patch.get_path().vertices.T
            if isinstance(patch, StepPatch):  # what lies beyond is said, not drawn
                assert (across >= axis.low - 1e-6).all()
                assert (across <= axis.high + 1e-6).all()
            assert ((heights >= low) & (heights <= high)).all()


def test_bins_lie_in_order_without_gaps_but_the_one_about_0():
    frame = pd.DataFrame({"measure": "hist_z", "at": "init", "layer": 1, "bin": [5, 65, 120], "mean": [0.3, 0.4, 0.3]})
    axis = axis_of(frame)
    places = np.flatnonzero(np.isfinite(axis.left))
    steps = axis.left[places][1:] - axis.right[places][:-1]
    np.testing.assert_allclose(np.sort(steps)[:-1], 0.0, atol=1e-9)
    assert steps.max() == pytest.approx(0.5)  # a quarter of a decade to either side
    low, high = np.array(bounds("hist_z")).T
    inner = places[(low[places] > 0) & np.isfinite(high[places])]
    np.testing.assert_allclose([axis.place(x) for x in low[inner]], axis.left[inner], atol=1e-9)


def test_what_lies_beyond_all_edges_is_said(study, counts, drawing):
    assert "Of no layer 1 % lie beyond an end of the axis" in drawing.caption
    one = counts[counts["layer"] == 5].head(1).assign(of="hist_z", bin=130, count=100)
    made = FIGURES["histograms"].make(build_cells(*study, histograms=pd.concat([counts, one])))
    (frame,) = [rows for rows in pages_of(made, "hist_z") if (rows["bin"] == 130).any()]
    share = frame.loc[frame["bin"] == 130, "mean"].item()
    assert share > CUT
    assert f"the most are {100 * share:.2g} % (pre-activations z: `" in made.caption
    triangles = [line for axes in drawn(made, frame) for line in axes.get_lines() if line.get_marker() in "<>"]
    assert [line.get_marker() for line in triangles] == [">"]
    assert len(triangles[0].get_ydata()) == 1
    assert 4 < triangles[0].get_ydata()[0] < 5  # the fifth row
    assert axis_of(frame).high == axis_of(frame).place(1e4)  # beyond the edge no bin is drawn


def test_gradients_that_are_exactly_0_are_explained(study, counts, drawing):
    assert "exactly 0" not in drawing.caption
    zero = counts["of"].eq("hist_delta") & counts["step"].eq(200) & counts["layer"].eq(1)
    made = FIGURES["histograms"].make(build_cells(*study, histograms=counts.assign(bin=counts["bin"].mask(zero, 0))))
    assert "exactly 0 behind a flat piece of the activation, or where float32 rounds it to 0" in made.caption


def test_at_the_end_those_are_counted_that_trained(study, counts):
    runs = study[0]
    untrained = (runs["depth"] == 5) & (runs["seed"] == 1) & (runs["activation"] == "relu")
    runs = runs.assign(trained=~untrained, status="ok")
    made = FIGURES["histograms"].make(build_cells(runs, *study[1:], histograms=counts))
    n = made.frame.groupby(["activation", "at"])["n"].max()
    assert (n["relu", "init"], n["relu", "final"], n["elu", "final"]) == (2, 1, 2)
    assert (
        "those that trained are drawn after initialisation (relu, learning rate 0.001: 1 of 2 trained" in made.caption
    )
    titles = [axes.get_title() for axes in drawn(made, pages_of(made, "hist_z")[0])]
    assert titles == ["relu\n2 runs; end: 1 of 2 trained", "elu\n2 runs"]


def test_a_panel_of_which_no_run_trained_says_so(study, counts):
    runs = study[0]
    runs = runs.assign(trained=runs["activation"] != "relu", status="ok")
    made = FIGURES["histograms"].make(build_cells(runs, *study[1:], histograms=counts))
    titles = [axes.get_title() for axes in drawn(made, pages_of(made, "hist_z")[0])]
    assert titles == ["relu\n2 runs; end: 0 of 2 trained", "elu\n2 runs"]


def test_what_is_nearer_to_0_than_the_axis_shows_stands_beside_its_row(drawing):
    (rows, _) = pages_of(drawing, "hist_h")
    axes = drawn(drawing, rows)[0]
    texts = [one.get_text() for one in axes.texts]
    assert len(texts) == 5
    first = rows[(rows["activation"] == rows["activation"].iloc[0]) & (rows["layer"] == 1)]
    zero = first[first["bin"] == 65].set_index("at")["mean"]
    assert [abs(100 * zero[at] - float(text)) < 3 for at, text in zip(zero.index, texts[0].split(" → "), strict=True)]


@pytest.mark.parametrize("measure", ["hist_z", "hist_h"])
def test_an_axis_has_one_notation(study, counts, measure):
    far = counts[counts["layer"] == 5].head(1).assign(of=measure, bin=130, count=100)
    made = FIGURES["histograms"].make(build_cells(*study, histograms=pd.concat([counts, far])))
    for rows in pages_of(made, measure):
        texts = {one.get_text().lstrip("−") for one in drawn(made, rows)[-1].get_xticklabels()} - {"0", "1", ""}
        assert len({"^" in text for text in texts}) == 1, texts


def test_a_study_without_histograms_has_no_such_figure(study, tmp_path):
    assert FIGURES["histograms"].make(build_cells(*study)) is None
    empty = pd.DataFrame(columns=["run", "step", "layer", "of", "bin", "count"])
    assert FIGURES["histograms"].make(build_cells(*study, histograms=empty)) is None


def test_a_report_has_them_where_they_were_measured(study, counts, tmp_path):
    asked = {"study": "x", "report": {"tables": [], "html": False, "figures": ["histograms"], "figure_format": ["svg"]}}
    asked["report"]["titles"] = {"histograms": "How values lie"}
    report.write(tmp_path, asked, {}, *study, histograms=counts)
    page = (tmp_path / "report.md").read_text()
    assert page.count("![How values lie](figures/histograms-") == 3
    assert "How values lie (activations h)" in "".join(
        path.read_text() for path in (tmp_path / "figures").glob("*.svg")
    )


def test_a_runs_card_has_its_histograms(study, counts, tmp_path):
    runs, steps, layers = study
    run = runs.loc[runs["status"] == "ok", "run"].iloc[0]
    report.run_summary(run, runs, steps, layers, tmp_path, histograms=counts)
    card = (tmp_path / f"run-{run}.svg").read_text()
    assert all(MEASURES[name].label.partition(" ")[0] in card for name in HISTOGRAMS)


def test_counts_of_a_diverged_run_are_those_of_its_start_alone(study, counts):
    lost = study[0][study[0]["status"] != "ok"]
    assert set(both_ends(counts, study[1], lost)["at"]) == {"init"}
    made = shares(both_ends(counts, study[1], study[0]), ["run"])
    assert len(made.drop_duplicates(["run", "measure", "at", "layer"])) == len(
        both_ends(counts, study[1], study[0]).drop_duplicates([*HERE])
    )
