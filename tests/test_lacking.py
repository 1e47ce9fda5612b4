"""Runs that were stored before a measure existed: its columns are empty, and whoever reads them is told so."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import actlab
from actlab.analysis.compare import format
from actlab.checksums import file_sha256
from actlab.engine.files import write_text
from actlab.engine.lacking import asked
from actlab.engine.manifest import read_manifest, write_manifest
from actlab.measures import DEFAULT_PROBES, MEASURES, named

DEPTH = Path(__file__).parents[1] / "results" / "depth"
SLOPES = named("slopes", per="run")
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def rewritten(tmp_path):
    """Return what copies some runs of the depth study, changed: (change of a table, probes) -> folder."""

    def make(change, probes="default"):
        folder = tmp_path / "depth"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(DEPTH, folder, ignore=shutil.ignore_patterns("figures", "tables", "report.md"))
        parts = sorted((folder / "parts").glob("*.parquet"))
        rows = pa.concat_tables(map(pq.read_table, parts), promote_options="permissive").replace_schema_metadata(None)
        rows = rows.take([i for i, depth in enumerate(rows["depth"].to_pylist()) if depth in (2, 5)][::15])
        for part in parts[1:]:
            part.unlink()
        pq.write_table(change(rows), parts[0])
        write_manifest(folder, read_manifest(folder) | {"parts": {parts[0].name: file_sha256(parts[0])}})
        text = (folder / "study.yaml").read_text()
        assert "probes: default" in text
        text = text.replace("probes: default", f"probes: {probes}").replace("claims:", "# claims:")
        write_text(folder / "study.yaml", text)
        return folder

    return make


def without(*names):
    gone = {f"{frame}.{start}{name}" for frame in ("steps", "layers") for start in ("", "log10_") for name in names}
    return lambda rows: rows.drop_columns([column for column in rows.column_names if column in {*gone, *names}])


def test_what_a_study_asks_for():
    assert asked({}) == asked({"measure": {"probes": "default"}})
    assert set(asked({})) == {*DEFAULT_PROBES, *SLOPES}
    assert set(asked({"measure": {"probes": ["act_var", "hist_z", "mine.py:own"]}})) == {"act_var", *SLOPES}


def test_what_was_not_measured_then_is_empty_and_named(rewritten):
    folder = rewritten(without("act_var", "correlation", "weight_slope", "signal_grad_norm"))
    results = actlab.load(folder)
    new = {"act_var", "correlation", "weight_slope", "signal_grad_norm"}
    assert set(results.lacking) == new
    assert set(results.lacking.values()) == {len(results.runs)}
    for name in ("act_var", "log10_act_var", "correlation", "signal_grad_norm", "log10_signal_grad_norm"):
        assert results.steps[name].isna().all(), name
    for name in ("act_var", "correlation", "log10_signal_grad_norm"):
        assert results.layers[name].isna().all(), name
    assert results.runs["weight_slope"].isna().all()
    assert results.layers["act_mean"].notna().all()
    actlab.report(folder)
    (line,) = [line for line in (folder / "report.md").read_text().splitlines() if line.startswith("Empty, because")]
    assert all(f"`{name}`" in line for name in results.lacking)
    slopes = (folder / "tables" / "vanishing_slopes.md").read_text()
    assert "Without *weight slope*: these runs were made before that was measured." in slopes
    assert "undefined" not in slopes.partition("\n\n")[2].partition("\n\n")[0]
    compared = actlab.compare(folder, metric="act_var", by="activation", over="depth")
    assert (compared["n"] == 0).all()
    assert "Empty where runs were made before it was measured: in depth." in format(compared)
    assert "Empty" not in format(actlab.compare(folder, metric="act_mean", by="activation", over="depth"))


def test_what_the_study_does_not_ask_for_is_not_missed(rewritten):
    folder = rewritten(without("act_var", "correlation"), probes="[act_mean, correlation]")
    results = actlab.load(folder)
    assert set(results.lacking) == {"correlation"}
    assert "act_var" not in results.steps


def test_runs_of_two_versions_in_one_folder(rewritten):
    """The older half has no value, and the newer ones keep theirs."""

    def half(rows):
        for column in ("steps.correlation", "layers.correlation"):
            values = [None if i % 2 else value for i, value in enumerate(rows[column].to_pylist())]
            place = rows.column_names.index(column)
            rows = rows.set_column(place, column, [values])
        return rows

    folder = rewritten(half)
    results = actlab.load(folder)
    number = len(results.runs)
    assert results.lacking == {"correlation": number // 2}
    lost = results.steps.groupby("run")["correlation"].agg(lambda values: values.isna().all())
    assert lost.sum() == number // 2
    actlab.report(folder)
    assert f"`correlation` ({number // 2} runs)" in (folder / "report.md").read_text()


def test_the_committed_studies_lack_what_was_added_since():
    for study in ("depth", "dying_relu"):
        results = actlab.load(DEPTH.parent / study)
        for name in results.lacking:
            frame = results.steps if name in results.steps else results.runs
            assert frame[name].isna().all(), name
            assert name in MEASURES
        asked_for = {name for name in asked(results.study) if MEASURES[name].per == "layer"}
        assert {name for name in asked_for if name not in results.lacking} <= set(results.layers)
        assert np.isfinite(results.layers["signal_grad_norm"]).any()
