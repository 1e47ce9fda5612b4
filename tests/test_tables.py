"""Properties of tables: every run accounted for, selection blind to the test split, the same bytes each time."""

import io
import math
import re

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import layout, parts, report
from actlab.analysis.cells import build_cells, varying
from actlab.analysis.estimates import records_at
from actlab.analysis.pages import report_page
from actlab.analysis.parts import OF_THEORY, PartError
from actlab.analysis.pipe_tables import pipe_table
from actlab.analysis.tables import TABLES
from actlab.analysis.tables.base import positions
from actlab.analysis.tables.standing import PLACE, SPEED
from actlab.registry import Registry
from actlab.study.selection import Select
from tests.predicted import predictions_of
from tests.synthetic import frames
from tests.thinned import thinned

SEEDS = 6


@pytest.fixture(scope="module")
def study():
    """Six activations, one of which learns; some deep runs diverge at the highest rate."""
    return frames(("sigmoid", "relu", "leaky_relu(negative_slope=0.2)", "prelu", "elu"), (2, 5, 7), seeds=SEEDS)


@pytest.fixture(scope="module")
def cells(study):
    """Of the study, in which some of relu's networks are born with a dead layer."""
    runs, steps, layers = study
    dead = runs.loc[(runs["activation"] == "relu") & (runs["seed"] == 0), "run"]
    born = steps["run"].isin(dead) & steps["network_dead"].notna()
    with_dead = steps.assign(network_dead=steps["network_dead"].mask(born, 1.0))
    return build_cells(runs, with_dead, layers, Select(), predictions=predictions_of(*study))


def shuffled(study, seed):
    return tuple(frame.sample(frac=1, random_state=seed) for frame in study)


def test_the_synthetic_study_has_what_the_tests_need(study):
    assert 0 < (study[0]["status"] == "diverged").sum() < len(study[0]) / 4


@pytest.mark.parametrize("seeds", thinned([3, 21], 2))
def test_the_order_of_rows_changes_no_byte(seeds, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "write_report", report_page.write_report)  # elsewhere in the tests no page is made
    study = frames(("relu", "prelu", "elu"), (2, 5, 7) if seeds == 3 else (3,), seeds=seeds)
    wanted = {"study": "x", "report": {"figures": []}}
    texts = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        paths = report.write(folder, wanted, {}, *shuffled(study, seed))
        texts.append({path.relative_to(folder): path.read_bytes() for path in paths})
    assert texts[0] == texts[1]
    tables = sum(one.default and name not in OF_THEORY for name, one in TABLES.items())
    reports = 2  # for reading, and the page to explore
    assert len(texts[0]) == 3 * tables + reports


@pytest.mark.parametrize("name", TABLES)
def test_every_run_is_in_the_mean_or_accounted_for(cells, name):
    frame = TABLES[name].make(cells).frame
    frame = frame[~frame["measure"].isin([PLACE, SPEED])] if "measure" in frame else frame  # ranks, no means
    lost = frame["diverged"] + sum(frame[key] for key in ("missing", "censored") if key in frame)
    mean = frame["method"] != "Wilson"
    assert (frame["n"] + lost == frame["runs"])[mean].all() or name == "selection"
    assert (frame["runs"] == SEEDS).all()
    known = frame["low"].notna()
    assert known.any()
    assert (frame["low"] <= frame["mean"])[known].all()
    assert (frame["low"] < frame["high"])[known].all()  # never of width 0


def test_diverged_runs_are_counted_where_they_happened(study):
    cells = build_cells(*study)  # no selection: all rates are shown
    table = TABLES["performance"].make(cells)
    diverged = study[0][study[0]["status"] == "diverged"]
    assert table.frame["diverged"].sum() == len(diverged)
    text = table.wide.to_string()
    assert sum(int(n) for n in re.findall(rf"(\d+) of {SEEDS} diverged", text)) == len(diverged)
    assert f"{len(diverged)} of {len(study[0])} runs diverged" in table.note


def test_selection_never_looks_at_the_test_split(study):
    runs, steps, layers = study
    blind = runs.assign(
        **{name: runs[name].sample(frac=1, random_state=0).to_numpy() for name in runs if "test_" in name}
    )
    for a, b in zip(
        build_cells(runs, steps, layers, Select()).selected["run"],
        build_cells(blind, steps, layers, Select()).selected["run"],
        strict=True,
    ):
        assert a == b
    with pytest.raises(ValueError, match="only a validation metric"):
        Select(by="test_loss")


def test_a_rate_with_a_diverged_run_ranks_last_however_good():
    runs, steps, layers = frames(("elu",), (2,), (1e-3, 1e-2), seeds=3)
    better = (runs["learning_rate"] == 1e-2).to_numpy()
    runs.loc[better, "validation_loss"] = 0.001
    assert set(build_cells(runs, steps, layers, Select()).selected["learning_rate"]) == {1e-2}
    runs.loc[runs.index[better][0], ["status", "validation_loss"]] = ["diverged", math.nan]
    assert set(build_cells(runs, steps, layers, Select()).selected["learning_rate"]) == {1e-3}


def test_selection_by_accuracy_takes_the_highest():
    runs, steps, layers = frames(("elu",), (2,), (1e-3, 1e-2), seeds=2)
    runs["validation_accuracy"] = np.where(runs["learning_rate"] == 1e-3, 0.9, 0.2)
    chosen = build_cells(runs, steps, layers, Select(by="validation_accuracy")).selected
    assert set(chosen["learning_rate"]) == {1e-3}


def test_nothing_is_selected_where_nothing_was_swept():
    cells = build_cells(*frames(("relu",), (2,), (1e-3,)), Select())
    assert cells.select is None
    assert TABLES["selection"].make(cells) is None


def test_every_varying_setting_makes_rows_of_its_own():
    study = frames(("relu", "elu"), (2, 5), seeds=5, data=("digits", "wine"), optimizer=("adam", "sgd"), width=(8, 16))
    cells = build_cells(*study, Select())
    assert cells.keys == ["data", "activation", "depth", "width", "optimizer", "learning_rate"]
    frame = TABLES["performance"].make(cells).frame
    assert len(frame) == 2**5
    assert (frame["runs"] == 5).all()
    assert frame["best"].sum() == 4  # one in each data set and depth


def test_what_follows_from_other_settings_makes_no_key(study):
    assert varying(study[0]) == ["activation", "depth", "learning_rate"]  # not weight_init_used, not learnable_per
    runs = study[0].assign(train_rows=[100, 200] * (len(study[0]) // 2))
    assert "train_rows" in varying(runs)


def test_the_best_is_bold_and_ties_are_marked(cells):
    table = TABLES["performance"].make(cells)
    assert table.frame.groupby("depth")["best"].sum().eq(1).all()
    for depth, rows in table.frame.groupby("depth"):
        best = rows[rows["best"]].iloc[0]
        assert best["mean"] == rows.loc[rows["n_trained"] == rows["runs"], "mean"].max()
        bold = [cell for cell in table.wide[f"depth {depth}"] if cell.startswith("**")]
        assert len(bold) == 1
        assert f"{best['mean']:.3f} [{best['low']:.3f}, {best['high']:.3f}]" in bold[0]
        for mark, name in (("†", "as_good"), ("?", "undecided")):
            assert sum(mark in cell for cell in table.wide[f"depth {depth}"]) == rows[name].sum()


def test_gradient_norms_are_geometric_means_at_the_ends_of_the_network(cells):
    frame = TABLES["gradient_norms"].make(cells).frame
    row = frame[(frame["activation"] == "sigmoid") & (frame["depth"] == 7) & (frame["measure"] == "signal_grad_norm")]
    first = row[(row["at"] == "final") & (row["position"] == "first")].iloc[0]
    chosen = cells.selected[(cells.selected["activation"] == "sigmoid") & (cells.selected["depth"] == 7)]
    layers = cells.layers[cells.layers["run"].isin(chosen["run"])]
    values = layers[(layers["step"] == 200) & (layers["layer"] == 1)]["signal_grad_norm"]
    assert first["mean"] == pytest.approx(float(np.exp(np.log(values).mean())))
    assert sorted(row.loc[row["at"] == "init", "layer"]) == [1, 4, 7]


def test_a_norm_of_zero_is_counted_not_averaged(study):
    runs, steps, layers = study
    layers = layers.assign(signal_grad_norm=layers["signal_grad_norm"].where(layers["run"] != runs["run"].iloc[0], 0.0))
    frame = TABLES["gradient_norms"].make(build_cells(runs, steps, layers)).frame
    touched = frame[frame["missing"] > 0]
    assert set(touched["activation"]) == {runs["activation"].iloc[0]}
    assert np.isfinite(touched["mean"]).all()


def test_the_deepest_trained_depth_is_censored_at_the_end_of_the_grid():
    runs, steps, layers = frames(("relu", "elu"), (2, 5, 7), (1e-3,), seeds=5)
    runs["trained"] = (runs["activation"] == "relu") | (runs["depth"] < 5)
    runs.loc[(runs["depth"] == 5) & (runs["activation"] == "elu") & (runs["seed"] < 3), "trained"] = True  # 60 %
    table = TABLES["trained"].make(build_cells(runs, steps, layers))
    assert table.wide["deepest"].tolist() == ["≥ 7", "2"]


def test_revival_is_a_share_of_the_ever_dead(study):
    cells = build_cells(*study)
    frame = TABLES["death"].make(cells).frame
    rates = frame[(frame["measure"] == "revival_rate") & (frame["n"] > 0)]
    assert set(rates["activation"]) == {"relu"}  # the others never die: undefined, not 0
    end = records_at(cells.steps, cells.runs, "final", ["revived_fraction", "ever_dead_fraction"]).set_index("run")
    one = rates.iloc[0]
    runs = cells.runs[
        (cells.runs[["activation", "depth", "learning_rate"]] == one[["activation", "depth", "learning_rate"]]).all(
            axis=1
        )
    ]
    ratio = end.loc[runs["run"], "revived_fraction"] / end.loc[runs["run"], "ever_dead_fraction"]
    assert one["mean"] == pytest.approx(ratio.mean())
    assert "every 100 steps" in TABLES["death"].make(cells).note


def test_learned_parameters_are_not_taken_for_measures(study):
    runs, steps, layers = study
    layers = layers.assign(my_probe=np.random.default_rng(0).normal(size=len(layers)))
    frame = TABLES["learned_parameters"].make(build_cells(runs, steps, layers, Select())).frame
    assert set(frame["measure"]) == {"alpha"}
    assert set(frame["activation"]) == {"prelu"}
    assert TABLES["learned_parameters"].make(build_cells(*frames(("relu",)))) is None
    runs, steps, layers = frames(("prelu",))  # no other is there to show what is not learned
    layers = layers.assign(my_probe=np.random.default_rng(0).normal(size=len(layers)))
    frame = TABLES["learned_parameters"].make(build_cells(runs, steps, layers, Select())).frame
    assert set(frame["measure"]) == {"alpha"}


def test_the_note_says_how_intervals_are_made_and_what_they_cannot_know():
    table = TABLES["performance"].make(build_cells(*frames(("relu",), (1,), (1e-3,), seeds=20)))
    assert table.frame["method"].tolist() == ["logit t"]
    assert "logit t" in table.note
    assert "20 runs per cell" in table.note
    assert "20 runs can miss an outcome that up to 16 % of runs have." in table.note


@pytest.mark.parametrize("seeds", [3, 4])
def test_too_few_seeds_have_median_and_range_and_no_mark(seeds):
    runs, steps, layers = frames(("relu", "elu"), (2, 5), (1e-3,), seeds=seeds)
    table = TABLES["performance"].make(build_cells(runs, steps, layers))
    assert table.frame[["low", "high"]].isna().all(axis=None)
    assert not table.frame[["best", "as_good", "undecided"]].any(axis=None)
    text = table.wide.to_string()
    assert not {"*", "†", "?"} & set(text)
    assert "Fewer than 5 runs per cell: nothing is marked as best." in table.note
    assert "Fewer than 5 runs per cell: nothing is marked as best." in report.headline({}, {}, runs, steps, layers)
    cell = runs[(runs["activation"] == "elu") & (runs["depth"] == 2)]["test_accuracy"]
    assert f"{cell.median():.3f} ({cell.min():.3f} to {cell.max():.3f})" in text
    few = f"{seeds} runs per cell: too few for an interval; shown is the median (least to greatest)."
    assert few in table.note
    assert table.note.count("per cell") == 2  # not said twice
    assert table.note.endswith("more seeds: `actlab run study.yaml sweep.seeds=5 --out .` in this study's folder.")
    assert f"{seeds} runs can miss an outcome that up to {56 if seeds == 3 else 49} % of runs have." in table.note


def test_nothing_is_marked_where_few_runs_are_beside_a_cell_that_was_not_compared():
    runs, steps, layers = frames(("relu", "elu", "gelu"), (2,), (1e-3,), seeds=4)
    runs.loc[runs.index[0], ["status", "test_accuracy"]] = ["diverged", math.nan]
    table = TABLES["performance"].make(build_cells(runs, steps, layers))
    assert not {"*", "†", "?"} & set(table.wide.to_string())
    assert "4 runs per cell: too few for an interval" in table.note
    assert "3 of 4 trained: " in table.wide.to_string()
    assert "nothing is marked as best" in table.note


def test_one_activation_is_the_best_of_none():
    table = TABLES["performance"].make(build_cells(*frames(("relu",), (2,), (1e-3,), seeds=5)))
    assert "Nothing is marked as best: no column has two cells" in table.note
    assert "Bold" not in table.note


def test_the_terminal_says_all_that_the_note_says_of_marks():
    study = frames(("relu", "elu"), (2, 5), (1e-3,), seeds=6)
    note = TABLES["performance"].make(build_cells(*study)).note
    marks = note[note.index("**Bold**") :].replace("**Bold**", "*")
    assert marks in " ".join(report.headline({}, {}, *study).split("\n"))


def test_the_terminal_says_what_a_share_is():
    runs, steps, layers = frames(("relu", "elu"), (2,), (1e-3,), seeds=2)
    study = runs.assign(test_accuracy=0.917), steps, layers
    text = " ".join(report.headline({}, {}, *study).split("\n"))
    assert "0.917 (2 of 2 alike, share in [0.34, 1.00])" in text
    assert "share: Wilson's interval of the share of runs that are alike." in text
    assert "*share*: Wilson's interval" in TABLES["performance"].make(build_cells(*study)).note


def test_a_loss_of_regression_is_said_to_have_which_scale():
    study = frames(("relu", "elu"), (2,), (1e-3,), seeds=2, task="regression")
    scale = "mean squared error in units of the training targets' variance"
    assert f"Final test loss ({scale})." in TABLES["performance"].make(build_cells(*study)).note
    assert f"Test loss: {scale}." in " ".join(report.headline({}, {}, *study).split("\n"))
    assert scale not in report.headline({}, {}, *frames(("relu", "elu"), (2,), (1e-3,), seeds=2)).replace("\n", " ")


@pytest.mark.parametrize("name", ["gradient_norms", "vanishing_slopes", "moments"])
def test_a_value_at_init_is_not_lost_to_a_later_divergence(name):
    runs, steps, layers = frames(("relu", "elu"), (5,), (1e-3,), seeds=3)
    runs.loc[runs["activation"] == "relu", ["status", "diverged_step"]] = ["diverged", 50.0]
    table = TABLES[name].make(build_cells(runs, steps, layers))
    relu = table.frame[table.frame["activation"] == "relu"]
    init, final = relu[relu["at"] == "init"], relu[relu["at"] == "final"]
    assert (init["n"] == 3).all()
    assert (init["diverged"] == 0).all()
    assert (final["n"] == 0).all()
    assert (final["diverged"] == 3).all()
    assert not re.search(r"\(3 of 3 diverged\)", table.wide.to_string())
    assert "at the end they enter no mean and are counted in their cells; at init, before they diverged" in table.note


def test_equal_values_are_printed_as_what_they_are():
    runs, steps, layers = frames(("relu", "elu"), (2,), (1e-3,), seeds=5)
    runs.loc[runs["activation"] == "relu", "test_accuracy"] = 0.1
    table = TABLES["performance"].make(build_cells(runs, steps, layers))
    assert "0.100 (5 of 5 alike, share in [0.57, 1.00])" in table.wide.to_string()
    assert r"0.100 (5 of 5 alike, share in [0.57,~1.00])" in layout.to_latex(table)
    row = table.frame[table.frame["activation"] == "relu"].iloc[0]
    assert (row["median"], row["share"]) == (0.1, 1.0)
    assert math.isnan(row["low"])


def test_one_shallow_regression_run_makes_a_report(tmp_path):
    study = frames(("relu",), (1,), (1e-3,), seeds=1, task="regression")
    paths = report.write(tmp_path, {"study": "tiny", "report": {"figures": []}}, {}, *study)
    assert "test loss" in (tmp_path / "tables" / "performance.csv").read_text().replace("_", " ")
    assert "Not applicable" in (tmp_path / "report.md").read_text()
    assert not any(path.stem == "vanishing_slopes" for path in paths)


@pytest.mark.parametrize("name", TABLES)
def test_csv_gives_the_numbers_back(cells, name):
    frame = TABLES[name].make(cells).frame
    back = pd.read_csv(io.StringIO(layout.to_csv(frame)))
    pd.testing.assert_frame_equal(back, frame.reset_index(drop=True), check_dtype=False, rtol=1e-9)


@pytest.mark.parametrize("name", TABLES)
def test_latex_leaves_no_special_character_bare(cells, name):
    text = layout.to_latex(TABLES[name].make(cells))
    body = re.sub(r"\\label\{.*?\}", "", text.split("\n", 2)[2])
    assert not re.search(r"(?<!\\)[%#]|(?<!\\)_(?![\dwb])|[*`](?!$)", body, re.MULTILINE)
    assert body.isascii()


def test_markdown_keeps_labels_whole_and_pipes_apart():
    wide = pd.DataFrame({"a": ["`leaky_relu(negative_slope=0.2)`", "x|y"]})
    lines = pipe_table(wide).splitlines()
    assert "`leaky_relu(negative_slope=0.2)`" in lines[2]
    assert r"x\|y" in lines[3]


def test_an_unknown_table_is_named(study, tmp_path):
    with pytest.raises(PartError, match="unknown table 'nope'"):
        report.write(tmp_path, {"report": {"tables": ["nope"]}}, {}, *study)
    assert not list(tmp_path.iterdir())


OWN = """
import actlab
from actlab.analysis.cells import cell_keys
from actlab.analysis.drawings import NAMED_LINES, Spec, drawing
from actlab.analysis.estimates import summarise
from actlab.analysis.layout import Table, pivot


def numbers(cells):
    values = cells.selected[["run"]].assign(measure="train_loss", value=cells.selected["train_loss"])
    return summarise(values, cells.selected, cell_keys(cells))


@actlab.table
def losses(cells):
    frame = numbers(cells)
    return Table("Losses of my own", "Means.", frame, pivot(frame, ["activation"], ["depth"]))


@actlab.figure
def loss_by_depth(cells):
    spec = Spec(NAMED_LINES, x="depth", lines="activation", looks=cells.looks)
    return drawing(cells, numbers(cells), spec, "Losses by depth", "Means.")


@actlab.table
def performance(cells):
    return None


def undecorated(cells):
    return None
"""


def test_a_table_and_a_figure_from_a_file_stand_in_the_report(study, tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "mine.py").write_text(OWN)
    wanted = {"tables": ["trained", "sources/mine.py:losses"], "figures": ["sources/mine.py:loss_by_depth"]}
    report.write(tmp_path, {"study": "x", "report": wanted}, {}, *study)
    back = pd.read_csv(tmp_path / "tables" / "losses.csv")
    selected = build_cells(*study, Select()).selected
    sigmoid = selected[(selected["activation"] == "sigmoid") & (selected["depth"] == 2)]
    row = back[(back["activation"] == "sigmoid") & (back["depth"] == 2)]
    assert row["mean"].tolist() == [pytest.approx(sigmoid["train_loss"].mean())]
    assert (tmp_path / "figures" / "loss_by_depth.png").is_file()
    text = (tmp_path / "report.md").read_text()
    assert "### Losses of my own" in text
    assert "![Losses by depth](figures/loss_by_depth.png)" in text
    assert not {"losses", "undecorated"} & set(TABLES)  # a user's own is found, never listed


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["sources/mine.py:lossses"], "no function 'lossses'; did you mean 'losses'"),
        (["sources/mine.py:undecorated"], "decorate it with @actlab.table"),
        (["performance", "sources/mine.py:performance"], "there is another table of that name"),
        (["sources/other.py:losses"], "no such file"),
    ],
)
def test_a_table_from_a_file_that_cannot_be_used(study, tmp_path, names, message):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "mine.py").write_text(OWN)
    wanted = {"tables": [*names, "trained"], "figures": []}
    with pytest.raises(parts.ReportError, match=message):
        report.write(tmp_path, {"report": wanted}, {}, *study)
    assert (tmp_path / "tables" / "trained.csv").exists()
    assert (tmp_path / "tables" / "performance.csv").exists() == ("performance" in names)


def test_a_table_that_is_no_default_is_made_for_who_names_it(study, tmp_path, monkeypatch):
    part = parts.Part("trained", TABLES["trained"].make, default=False)
    monkeypatch.setitem(TABLES.records, "trained", part)
    for tables, there in ((None, False), (["trained"], True)):
        report.write(tmp_path, {"report": {"figures": [], "tables": tables}}, {}, *study)
        assert (tmp_path / "tables" / "trained.csv").exists() == there


def test_a_table_is_made_once(study):
    calls = []

    def counted(cells):
        calls.append(cells)

    once = parts.declare(Registry("table", PartError), counted, default=True, kind=parts.Table)
    cells = build_cells(*study)
    assert once(cells) is once(cells) is None
    assert len(calls) == 1
    once(build_cells(*study))  # other cells, another table
    assert len(calls) == 2


def test_auto_and_the_diverged_runs_are_in_the_report(study, tmp_path):
    report.write(
        tmp_path,
        {"study": "x", "question": "Why?", "report": {"figures": [], "tables": []}},
        {"versions": {"jax": "1"}},
        *study,
    )
    text = (tmp_path / "report.md").read_text()
    assert "`glorot_normal` for `sigmoid`" in text
    assert "Why?" in text
    assert "jax 1" in text
    diverged = study[0][study[0]["status"] == "diverged"]
    assert f"{len(diverged)} of {len(study[0])} runs diverged" in text


@pytest.mark.parametrize(
    ("kept", "depths", "places"),
    [
        ((1, 2, 4, 8, 10), (10,), {(10, 1): "first", (10, 4): "middle kept", (10, 10): "last"}),
        ((1, 2, 4, 7), (2, 7), {(2, 1): "first", (2, 2): "last", (7, 1): "first", (7, 4): "middle", (7, 7): "last"}),
        ((1, 2, 5, 10), (10,), {(10, 1): "first", (10, 5): "middle", (10, 10): "last"}),
        ((1, 2, 4, 8, 10), (4, 10), {(4, 2): "middle kept", (10, 4): "middle kept", (4, 4): "last"}),
        ((1, 10), (10,), {(10, 1): "first", (10, 10): "last"}),
    ],
)
def test_the_middle_is_the_middle_layer_or_is_said_to_be_the_nearest_that_was_kept(kept, depths, places):
    runs, steps, layers = frames(("relu", "prelu"), depths, seeds=2)
    cells = build_cells(runs, steps, layers[layers["layer"].isin(kept)], Select())
    found = {(row.depth, row.layer): row.position for row in positions(cells).itertuples()}
    assert places.items() <= found.items()
    assert ("middle kept" in found.values()) != ("middle" in found.values()) or len(set(found.values())) == 2
    for name in ("gradient_norms", "moments", "learned_parameters"):
        table = TABLES[name].make(cells)
        assert ("nearest to the middle" in table.note) == ("middle kept" in places.values()), name
        for row in places.items() if name == "gradient_norms" else ():
            assert (table.frame.loc[table.frame["depth"] == row[0][0], "position"] == row[1]).any()
