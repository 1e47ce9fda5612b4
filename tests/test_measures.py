"""Properties of the records of measures: whatever reads them says the same, and nothing is measured without one."""

import inspect
import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import actlab
from actlab import measures
from actlab.analysis import documents, layout, panels, run_summary
from actlab.analysis.cells import build_cells
from actlab.analysis.compare import DYING, CompareError, compare, format, own_measures
from actlab.analysis.estimates import available, records_at
from actlab.analysis.figures import FIGURES
from actlab.analysis.intervals import quantity_of
from actlab.analysis.parts import OF_THEORY
from actlab.analysis.tables import TABLES
from actlab.analysis.tables.units import DEATHS
from actlab.engine.files import StoreError
from actlab.engine.manifest import read_manifest, write_manifest
from actlab.measures import MEASURES, PROBES, Measure, MeasureError, about
from actlab.nn import histograms, jacobians, probes
from actlab.study.selection import Select
from tests.core import measure_layers
from tests.synthetic import frames
from tests.test_records import row_of, some_records
from tests.thinned import thinned

ROOT = Path(__file__).parents[1]

# What spans decades, and what is yes or no of a run: said here once more, against a record changed by mistake.
GEOMETRIC = {"signal_grad_norm", "weight_grad_norm", "weight_grad_rms", "update_ratio"}
GEOMETRIC |= {"act_var", "act_var_within", "preact_second_moment", "partial_jacobian_norm"}
OF_NETWORKS = {"jacobian_mean_square", "jacobian_square_variance", "jacobian_largest", "jacobian_smallest"}
YES_OR_NO = {"network_dead", "trained", "target_reached"}


# The records


def test_a_name_is_given_once_and_every_measure_says_what_it_is():
    catalogue = measures.catalogue
    assert len(MEASURES) == len(
        (*catalogue.LAYERS, *catalogue.LAYER_JACOBIANS, *catalogue.BINNED, *catalogue.OUTPUT_JACOBIANS, *catalogue.RUNS)
    )
    for name, one in MEASURES.items():
        assert one.name == name
        assert one.definition, name
        assert one.definition.strip(".;, ") == one.definition, name
        low, high = one.range
        assert low is None or high is None or low < high, name
        assert one.better in ("", "higher", "lower"), name


def test_means_are_those_that_are_stated():
    assert {name for name, one in MEASURES.items() if one.over_seeds == "geometric"} == GEOMETRIC | OF_NETWORKS
    assert {name for name, one in MEASURES.items() if one.over_layers == "geometric"} == GEOMETRIC
    assert {name for name, one in MEASURES.items() if one.over_seeds == "share"} == YES_OR_NO
    for name in GEOMETRIC | OF_NETWORKS:  # the logarithm of anything else is not defined
        assert MEASURES[name].range == (0.0, None)
    for name, one in MEASURES.items():
        assert bool(one.over_layers) == (one.per == "layer"), name


@pytest.mark.parametrize("name", [name for name, one in MEASURES.items() if one.function])
def test_the_function_that_a_record_names_exists(name):
    one = MEASURES[name]
    rooms = {"histograms": histograms, "jacobian": jacobians}
    function = getattr(rooms.get(one.group, probes), one.function)
    if one.group == "activations":
        assert set(inspect.signature(function).parameters) <= set(measures.ARGUMENTS)
        assert probes.PROBES[name] is function


def test_the_lists_of_the_numerical_core_are_those_of_the_records():
    assert (*probes.GRADIENTS, *probes.DEATH, *probes.PROBES) == PROBES
    assert tuple(n for n, one in MEASURES.items() if one.log10) == (*probes.GRADIENTS[:3], *measures.JACOBIANS)


def test_what_is_expensive_is_no_default():
    assert {name for name, one in MEASURES.items() if one.expensive} == {
        "effective_rank",
        "stable_rank",
        "duplicate_fraction",
        *OF_NETWORKS,
    }
    assert not any(one.default and one.expensive for one in MEASURES.values())


@pytest.mark.parametrize("name", sorted({*DYING, *DEATHS}))
def test_presets_name_measures(name):
    assert name in MEASURES


def test_every_column_that_a_run_stores_has_a_record():
    records = some_records()
    records["layers"] = dict.fromkeys((*probes.DEATH, "update_ratio", *probes.PROBES), records["layers"]["act_mean"])
    one = np.ones((6, 1))
    records["log10"] = {"partial_jacobian_norm": records["layers"]["act_mean"]}
    records["jacobian"] = {key: {"mantissa": one, "exponent": one.astype(int)} for key in sorted(OF_NETWORKS)}
    row = row_of(
        records, columns=(*PROBES, *measures.JACOBIANS), target_variances={"train": 1.0, "validation": 1.0, "test": 1.0}
    )
    stored = {name.partition(".")[2] or name for name in row} - {"run", "seed", "status", "step", "layer"}
    named = {name.removeprefix("log10_") for name in stored - {"weights"}}
    assert named == set(MEASURES) - {"revival_rate", *measures.HISTOGRAMS}
    assert {name for name in stored if name.startswith("log10_")} == {
        column for one in MEASURES.values() for column in (one.column, one.mean_column) if column != one.name
    }


def test_labels_and_headings_are_the_records():
    for name, one in MEASURES.items():
        assert layout.words(name) == one.words
    assert layout.words("learning_rate") == about("learning_rate").axis == "learning rate"


@pytest.mark.parametrize("page", ["json", "measures", "python", "study"])
def test_the_documents_are_current(page):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert documents.rewrite(text) == text, f"python -m actlab.analysis.documents docs/{page}.md"


def test_every_table_stands_in_a_document():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
    for name, table in documents.TABLES.items():
        assert f"<!-- begin {name}" in text
        assert table() in text


def test_the_documents_name_what_a_measure_may_ask_for():
    text = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
    for name in measures.ARGUMENTS:
        assert f"`{name}`" in text


# Reading: one pooling, whoever asks


@pytest.fixture(scope="module")
def study():
    """Runs that diverge, networks that are born with a dead layer, a measure in every column."""
    runs, steps, layers = with_every_measure(frames(("sigmoid", "relu", "prelu"), (2, 5), seeds=5))
    dead = runs.loc[(runs["activation"] == "relu") & (runs["seed"] == 0), "run"]
    born = steps["run"].isin(dead) & steps["network_dead"].notna()
    return runs, steps.assign(network_dead=steps["network_dead"].mask(born, 1.0)), layers


@pytest.fixture(scope="module")
def sound():
    """The same with one learning rate, at which none diverges."""
    return with_every_measure(frames(("sigmoid", "relu", "prelu"), (2, 5), (1e-3,), seeds=5))


def with_every_measure(study):
    runs, steps, layers = study
    for split in ("train", "validation", "test"):
        runs, steps = (frame.assign(**{f"{split}_r2": 1 - frame[f"{split}_loss"] / 2}) for frame in (runs, steps))
    rng = np.random.default_rng(0)
    lost = layers["act_mean"].isna()
    for name in sorted(OF_NETWORKS):
        ended = steps["run"].map(runs.set_index("run")["status"]) == "ok"
        steps = steps.assign(**{name: np.where(ended, 10.0 ** rng.normal(size=len(steps)), np.nan)})
    for name in [name for name in (*PROBES, "partial_jacobian_norm") if name not in layers]:
        drawn = 10.0 ** rng.normal(size=len(layers)) if name in GEOMETRIC else rng.uniform(size=len(layers))
        layers = layers.assign(**{name: np.where(lost, np.nan, drawn)})
        steps = steps.merge(layers.groupby(["run", "step"])[name].mean().reset_index(), on=["run", "step"])
    for name in GEOMETRIC & set(layers):  # stored as arithmetic means, they are taken from all layers
        logs = layers.assign(_=np.log10(layers[name])).groupby(["run", "step"])["_"].mean()
        steps[name] = 10.0 ** logs.reindex(pd.MultiIndex.from_frame(steps[["run", "step"]])).to_numpy()
    return runs, steps, layers


def average(values, name):
    values = np.asarray(values, float)
    return 10 ** np.log10(values).mean() if name in GEOMETRIC | OF_NETWORKS else values.mean()


@pytest.mark.parametrize(
    "name", thinned([name for name in MEASURES if name not in ("revival_rate", *measures.HISTOGRAMS)], 3)
)
def test_a_comparison_pools_as_the_record_says(sound, name):
    runs, steps, layers = sound
    if name == "diverged_step":  # of no sound run
        return
    comparison = compare([("one", *sound)], name, ["activation", "depth"])
    if name == "steps_to_target":  # of all runs, those that never got there among them
        assert set(comparison["method"]) == {"Kaplan–Meier median"}
        return
    frame = steps[steps["step"] == 200] if name in steps else runs[["run", name]]
    values = frame[["run", name]].merge(runs[["run", "activation", "depth"]], on="run").dropna()
    assert len(values) or comparison["mean"].isna().all()
    for _, row in comparison.dropna(subset="mean").iterrows():
        chosen = values[(values["activation"] == row["activation"]) & (values["depth"] == row["depth"])]
        assert row["mean"] == pytest.approx(average(chosen[name], name))
    expected = quantity_of(MEASURES[name]).method + (" of log10" if name in GEOMETRIC | OF_NETWORKS else "")
    assert set(comparison["method"]) - {"none"} <= {expected}
    assert (comparison["method"] == "none").equals(comparison["low"].isna())
    if name in YES_OR_NO:
        assert set(comparison["method"]) == {"Wilson"}
    if name in layers:
        by_layer = compare([("one", *sound)], name, ["activation", "depth", "layer"])
        row = by_layer[by_layer["layer"] == 4].iloc[0]
        of_cell = runs.loc[(runs["activation"] == row["activation"]) & (runs["depth"] == 5), "run"]
        chosen = layers[layers["run"].isin(of_cell) & (layers["step"] == 200) & (layers["layer"] == 4)]
        assert row["mean"] == pytest.approx(average(chosen[name], name))


def agree(frame, study, by):
    """Whether every row of a table or figure is what a comparison gives for the same cell; how many rows there were."""
    seen = 0
    within = [name for name in ("at", "step") if name in frame]
    for key, rows in frame.groupby(["measure", *within]):
        name, at = (*key, "final")[:2]
        if name not in MEASURES or name == "revival_rate":
            continue
        layer = ["layer"] if "layer" in frame else []
        other = compare([("one", *study)], name, [*by, *layer], at=at)
        pairs = rows.merge(other, on=[*by, *layer], suffixes=("", "_other"))
        assert len(pairs) == len(rows)
        for column in ("mean", "low", "high", "n"):
            if column == "low":  # a picture has the range of runs in the place of an interval that misleads
                ranges = pairs.get("greatest", pairs["low"]).notna()
                pairs = pairs[~(pairs["low"].isna() & ranges & pairs["low_other"].notna())]
            np.testing.assert_allclose(pairs[column], pairs[f"{column}_other"], rtol=1e-12, err_msg=f"{name} {column}")
        assert (pairs["method"] == pairs["method_other"]).all()
        seen += len(pairs)
    return seen


@pytest.mark.parametrize(
    "name", thinned([name for name in TABLES if name not in ("selection", "standing", *OF_THEORY)], 3)
)
def test_tables_and_comparisons_agree(study, name):
    frame = TABLES[name].make(build_cells(*study)).frame
    frame = frame[frame["measure"] != "steps_to_target"]  # of which that has medians
    assert agree(frame, study, ["activation", "depth", "learning_rate"]) > 0 or name in (
        "learned_parameters",
        "revivals",
    )


MAPS = ("dying", "weakening", "revival", "trained_by_rate", "layers_over_training")
# No comparison has norms relative to the last layer, nor initialisers or numbers of rows where there is one.
OF_LAYERS = ("gradient_by_layer", "gradient_by_layer_at_end", "histograms")
OF_THEIR_OWN = ("gap_by_rows", "dead_by_depth", *OF_LAYERS, *MAPS, *OF_THEORY)


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in OF_THEIR_OWN])
def test_figures_and_comparisons_agree(sound, name):
    frame = FIGURES[name].make(build_cells(*sound)).frame
    assert agree(frame, sound, ["activation", "depth"]) > 0 or name == "learned_parameters"


@pytest.mark.parametrize("name", ["dying", "weakening", "trained_by_rate"])
def test_maps_and_comparisons_agree(study, name):
    assert agree(FIGURES[name].make(build_cells(*study)).frame, study, ["activation", "depth", "learning_rate"]) > 0


# Reading what is stored as log10


def logged(study):
    """Return a study as one that stores norms in log scale has it: see ``Measure.column`` and ``mean_column``."""
    runs, steps, layers = study
    for name, one in MEASURES.items():
        if one.per != "layer" or name not in layers:
            continue
        if one.mean_column != name:
            by_run = layers.assign(_=np.log10(layers[name])).groupby(["run", "step"])["_"].mean().to_numpy()
            steps = steps.sort_values(["run", "step"]).assign(**{one.mean_column: by_run}).drop(columns=name)
        if one.column != name:
            layers = layers.assign(**{one.column: np.log10(layers[name])}).drop(columns=name)
    return runs, steps, layers


@pytest.fixture(scope="module")
def in_logs(study):
    in_logs = logged(study)
    assert "log10_signal_grad_norm" in in_logs[2]
    assert "signal_grad_norm" not in in_logs[2]
    assert "log10_act_var" in in_logs[1]
    return in_logs


@pytest.mark.parametrize("name", thinned([name for name in TABLES if name not in OF_THEORY], 3))
def test_tables_do_not_depend_on_the_scale_in_which_norms_are_stored(study, in_logs, name):
    one, other = (TABLES[name].make(build_cells(*frames_, Select())) for frames_ in (study, in_logs))
    pd.testing.assert_frame_equal(one.frame, other.frame, rtol=1e-12)
    assert one.wide.equals(other.wide)


WITHOUT = ("dead_by_depth", "histograms", *OF_THEORY)  # of initialisers, histograms, and predictions: none is here


@pytest.mark.parametrize("name", thinned([name for name in FIGURES if name not in WITHOUT], 3))
def test_figures_do_not_depend_on_the_scale_in_which_norms_are_stored(study, in_logs, name):
    one, other = (FIGURES[name].make(build_cells(*frames_, Select())) for frames_ in (study, in_logs))
    pd.testing.assert_frame_equal(one.frame, other.frame, rtol=1e-12)


@pytest.mark.parametrize("name", thinned(sorted(GEOMETRIC), 3))
def test_means_over_layers_are_geometric_or_unknown(study, in_logs, name):
    """Earlier versions stored arithmetic means: from all layers, where there are, the geometric ones are taken."""
    by = ["activation", "depth", "learning_rate", "seed"]
    new, old = (compare([("one", *frames_)], name, by).dropna(subset="mean") for frames_ in (in_logs, study))
    pd.testing.assert_frame_equal(new, old)
    assert new.attrs["thinned"] == old.attrs["thinned"] == []
    runs, steps, layers = study
    row = old[old["depth"] == 5].iloc[0]
    run = runs.loc[(runs[by] == row[by]).all(axis=1), "run"].iloc[0]
    chosen = layers[(layers["run"] == run) & (layers["step"] == 200)]
    assert row["mean"] == pytest.approx(average(chosen[name], name))
    thinned = compare([("old", runs, steps, layers[layers["layer"] != 2]), ("new", *in_logs)], name, by)
    assert thinned.attrs["thinned"] == ["old"]
    assert thinned.loc[thinned["study"] == "old", "mean"].isna().all()
    assert "Undefined where not all layers were kept, of which a geometric mean is meant: in old." in format(thinned)
    assert compare([("old", *study)], name, [*by, "layer"]).attrs["thinned"] == []
    assert compare([("old", *study)], "act_mean", by).attrs["thinned"] == []


def test_a_measure_goes_by_either_of_its_names(study, in_logs):
    for frames_ in (study, in_logs):
        one, other = (
            compare([("one", *frames_)], name, over=["learning_rate"])
            for name in ("signal_grad_norm", "log10_signal_grad_norm")
        )
        pd.testing.assert_frame_equal(one, other)
    with pytest.raises(CompareError, match="did you mean 'signal_grad_norm'"):
        compare([("one", *in_logs)], "signal_grad_nrom")
    with pytest.raises(CompareError, match="nearest are 0, 50, 100"):
        compare([("one", *in_logs)], "signal_grad_norm", at=51)


def test_a_card_draws_norms_in_their_own_scale(study, in_logs, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(run_summary, "gradients", lambda axes, layers: drawn.append(layers))
    run = study[0].loc[study[0]["status"] == "ok", "run"].iloc[0]
    for frames_ in (study, in_logs):
        run_summary.run_summary(run, *frames_, tmp_path)
    one, other = drawn
    for name in ("signal_grad_norm", "weight_grad_norm"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12)


def test_a_norm_beyond_float64_is_no_missing_one(in_logs):
    runs, steps, layers = in_logs
    deep = layers.assign(log10_signal_grad_norm=layers["log10_signal_grad_norm"] - 400)
    table, frame = (TABLES["gradient_norms"].make(build_cells(runs, steps, of, Select())) for of in (deep, layers))
    signal_as_it_was = frame.frame[frame.frame["measure"] == "signal_grad_norm"]
    frame = table.frame
    signal = frame[frame["measure"] == "signal_grad_norm"]
    assert (signal["n"] == 5).all()
    assert (signal["missing"] == 0).all()
    assert (signal["mean"] == 0).all()
    np.testing.assert_allclose(signal["log10_mean"], np.log10(signal_as_it_was["mean"]) - 400, rtol=1e-12)
    np.testing.assert_allclose(signal["log10_low"], np.log10(signal_as_it_was["low"]) - 400, rtol=1e-12)
    wide = table.wide[table.wide["measure"] == "signal gradient"]
    assert wide["first"].str.match(r"\d\.\de−4\d\d \[\d\.\de−4\d\d, \d\.\de−[34]\d\d\]").all()
    other = frame[frame["measure"] != "signal_grad_norm"]  # which float64 has
    np.testing.assert_allclose(10 ** other["log10_mean"], other["mean"], rtol=1e-12)
    text = format(
        compare(
            [("one", runs, steps, deep)], "signal_grad_norm", ["activation", "layer"], over=["depth", "learning_rate"]
        )
    )
    assert "e−40" in text
    exact = layers.assign(log10_signal_grad_norm=-np.inf)  # a norm of 0 has no logarithm
    frame = TABLES["gradient_norms"].make(build_cells(runs, steps, exact, Select())).frame
    assert (frame.loc[frame["measure"] == "signal_grad_norm", "missing"] == 5).all()


def test_figures_draw_what_lies_beyond_float64(in_logs, tmp_path):
    runs, steps, layers = in_logs
    deep = layers.assign(log10_signal_grad_norm=layers["log10_signal_grad_norm"] - 400)
    drawing = FIGURES["gradient_norms"].make(build_cells(runs, steps, deep, Select()))
    figure = panels.render(drawing.spec, drawing.frame)
    axes = figure.axes[0]
    assert axes.get_yscale() == "linear"
    drawn = np.concatenate([line.get_ydata() for line in axes.lines])
    first = drawing.frame["activation"] == drawing.frame["activation"].iloc[0]
    np.testing.assert_allclose(np.sort(drawn), np.sort(drawing.frame.loc[first, "log10_mean"]))
    low, high = axes.get_ylim()
    assert low < drawn.min() < drawn.max() < high < -390
    assert axes.yaxis.get_major_formatter()(-401.0, 0) == "$10^{-401}$"
    run = runs.loc[runs["status"] == "ok", "run"].iloc[0]
    of_run = run_summary.natural(deep[deep["run"] == run])
    card = run_summary.style.new_figure(3, 3).subplots()
    run_summary.gradients(card, of_run)
    drawn = np.concatenate([line.get_ydata() for line in card.lines])
    assert drawn.min() < -390
    assert card.get_ylim()[0] < drawn.min()


def test_parts_of_two_versions_are_read_as_one(study, in_logs):
    """Runs of a study that was begun by one version and continued by the next."""
    runs, _, layers = study
    half = set(runs["run"][::2])
    mixed = pd.concat([layers[layers["run"].isin(half)], in_logs[2][~in_logs[2]["run"].isin(half)]])
    names = ["signal_grad_norm", "act_var"]
    assert available(mixed, names) == names
    at_end = records_at(mixed, runs, "final", names)
    assert "signal_grad_norm" not in at_end
    logs = at_end.set_index(["run", "layer"])["log10_signal_grad_norm"].sort_index()
    whole = records_at(layers, runs, "final", names).set_index(["run", "layer"])["signal_grad_norm"].sort_index()
    np.testing.assert_allclose(10**logs, whole, rtol=1e-12)


# A user's measures in what is stored


def test_records_survive_json():
    plain = json.loads(json.dumps(measures.to_plain(MEASURES.values()), allow_nan=False))
    assert measures.from_plain(plain) == dict(MEASURES)
    assert measures.from_plain({}) == {}
    assert measures.from_plain({"x": {"of_tomorrow": 3}}) == {"x": Measure("x")}


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        (["x"], "expected records by name"),
        ({"x": 3}, "x: expected its facts by name"),
        ({"x": {"label": 3}}, "x: label: cannot be 3"),
        ({"x": {"range": [0.0]}}, "x: range: cannot be"),
        ({"x": {"over_seeds": "geometrical"}}, "did you mean 'geometric'"),
        ({"x": {"over_layers": "rms"}}, "choose from arithmetic, geometric"),
    ],
)
def test_a_manifest_that_is_not_readable_is_named(plain, message):
    with pytest.raises(MeasureError, match=message):
        measures.from_plain(plain)


def test_what_a_user_said_of_a_measure_is_read_from_the_manifest(sound):
    runs, steps, layers = sound
    mine = 10.0 ** np.random.default_rng(1).normal(size=len(layers))
    study = (runs, steps.assign(spread=1.0), layers.assign(spread=mine))
    record = Measure("spread", label="my spread", over_seeds="geometric", over_layers="geometric")
    own = own_measures({"one": {"measures": measures.to_plain([record])}, "two": {}})
    by = ["activation", "layer"]
    plain, declared = (
        compare([("one", *study)], "spread", by, own=records, over=["depth", "learning_rate"])
        for records in (None, own)
    )
    chosen = study[2].merge(runs[["run", "activation", "seed"]], on="run").query("step == 200 and layer == 1")
    chosen = chosen[chosen["activation"] == declared["activation"].iloc[0]]
    by_seed = chosen.assign(logs=np.log10(chosen["spread"])).groupby("seed")[["spread", "logs"]].mean()
    assert plain["mean"].iloc[0] == pytest.approx(by_seed["spread"].mean())
    assert declared["mean"].iloc[0] == pytest.approx(10 ** by_seed["logs"].mean())
    assert "| my spread" in format(declared)
    other = {"measures": measures.to_plain([replace(record, over_seeds="arithmetic")])}
    with pytest.raises(CompareError, match="'spread' has arithmetic means in study 'two'"):
        own_measures({"one": {"measures": measures.to_plain([record])}, "two": other})
    bounded = {"measures": measures.to_plain([replace(record, range=(0.0, 1.0))])}  # another kind, another interval
    with pytest.raises(CompareError, match="'spread' has the range"):
        own_measures({"one": {"measures": measures.to_plain([record])}, "two": bounded})


def test_a_study_is_compared_and_reported_with_the_records_of_its_manifest(tmp_path):
    folder = tmp_path / "dying_relu"
    shutil.copytree(ROOT / "results" / "dying_relu", folder, ignore=shutil.ignore_patterns("figures", "tables"))
    manifest = read_manifest(folder)
    manifest["measures"] = {"alpha": {"label": "learned slope", "over_layers": "geometric"}}
    write_manifest(folder, manifest)
    over = "depth,learning_rate,weight_init,bias_init,optimizer"
    comparison = actlab.compare(folder, metric="alpha", by="activation", over=over)
    assert comparison.attrs["words"] == "learned slope"
    assert comparison.attrs["thinned"] == ["dying_relu"]
    manifest["measures"] = {"alpha": {"over_seeds": "none"}}
    write_manifest(folder, manifest)
    for command in (actlab.compare, actlab.report):
        with pytest.raises(StoreError, match=r"manifest\.json: measures: alpha: over_seeds 'none'"):
            command(folder)


# The new functions, and one old trap


def layer_measure(name, values):
    return float(measure_layers((name,), *(jnp.asarray(values)[None],) * 3, {})[name][0])


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_duplicates_whatever_their_size(scale):
    rng = np.random.default_rng(0)
    h = rng.normal(size=(40, 7)).astype(np.float32)
    h[:, 1] = -3 * h[:, 0] + 5  # goes along with unit 0, the other way round
    h[:, 3] = h[:, 2] + 0.5 * rng.normal(size=40)  # correlation about .9
    h[:, 4] = h[:, 5] = 0.7  # two constant units are alike, and yet duplicate nothing
    h[:, 6] = h[:, 2] * 1e-6  # a small copy
    h *= np.float32(scale)
    assert layer_measure("duplicate_fraction", h) == pytest.approx(4 / 7)


def test_a_spread_far_from_zero_is_centred_first():
    rng = np.random.default_rng(0)
    h = (1000 + 1e-3 * rng.normal(size=(64, 5))).astype(np.float32)
    h[:, 4] = h[:, 0]
    assert layer_measure("duplicate_fraction", h) == pytest.approx(2 / 5)


def test_duplicates_of_one_unit_and_of_nothing_finite():
    assert layer_measure("duplicate_fraction", np.random.default_rng(0).normal(size=(9, 1))) == 0
    h = np.ones((4, 3), np.float32)
    assert layer_measure("duplicate_fraction", h) == 0
    h[1, 1] = np.nan
    z = jnp.zeros((1, 4, 3))
    assert np.isnan(measure_layers(("duplicate_fraction",), z, jnp.asarray(h)[None], z, {})["duplicate_fraction"])
    assert np.isnan(layer_measure("zero_fraction", h))


def test_only_exact_zeros_are_zero():
    h = np.array([[0.0, -0.0, 1e-37], [2.0, 0.0, -1.0]], np.float32)
    assert layer_measure("zero_fraction", h) == pytest.approx(3 / 6)


def test_the_correlation_of_more_rows_than_int32_has_pairs():
    rng = np.random.default_rng(0)
    z = (rng.normal(size=(60_000, 2)) + np.array([1.0, 0.0])).astype(np.float32)
    unit = z.astype(float) / np.linalg.norm(z.astype(float), axis=1, keepdims=True)
    mean = unit.mean(axis=0)
    rows = len(z)
    expected = (mean @ mean - 1 / rows) / (1 - 1 / rows)
    assert float(jax.jit(probes.correlation)(z)) == pytest.approx(expected, rel=1e-4)
