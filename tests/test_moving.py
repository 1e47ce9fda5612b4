"""A copied folder is whole: it can be extended elsewhere, where nothing is left of what it was made from."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import actlab
from actlab.checksums import file_sha256
from actlab.engine import data_copies
from actlab.engine.manifest import read_manifest
from actlab.study import plan as planning
from actlab.study.reading import StudyError, read
from tests.moving import command, home, serial, tables, without_training

__all__ = ["home", "serial"]


def test_a_run_copies_small_data_and_says_so_in_one_line(home):
    (said,) = json.loads((home / "said.json").read_text())
    assert "now holds the data, site_a/rows.csv (" in said
    assert "data.copy=false leaves them out" in said
    for site in ("site_a", "site_b"):
        copy = home / "r" / "sources" / site / "rows.csv"
        assert copy.read_bytes() == (home / site / "rows.csv").read_bytes()
        assert read_manifest(home / "r")["sources"][f"{site}/rows.csv"] == file_sha256(copy)
    study = actlab.load(home / "r").study
    assert study["data"]["name"] == "sources/site_a/rows.csv"
    assert study["sweep"]["matrix"]["data.name"] == ["sources/site_a/rows.csv", "sources/site_b/rows.csv"]
    assert sorted(set(actlab.load(home / "r").runs["data"])) == ["site_a/rows.csv", "site_b/rows.csv"]


def test_a_copied_folder_is_extended_where_the_originals_are_gone(home, tmp_path, monkeypatch):
    there = shutil.copytree(home / "r", tmp_path / "elsewhere" / "mine")
    hidden = home.rename(home.with_name("hidden"))
    try:
        monkeypatch.chdir(tmp_path)
        before, said = actlab.load(there).runs, []
        without_training(there / "study.yaml", [], there, monkeypatch, note=said.append)
        assert (said, tables(there)) == ([], tables(hidden / "r"))
        results = actlab.run(there / "study.yaml", ["sweep.seeds=3"], out=there)
        assert (len(before), len(results.runs)) == (8, 12)
        old = results.runs[results.runs["run"].isin(before["run"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(old[list(before)], before, check_exact=True)
        assert sorted(set(results.runs["data"])) == ["site_a/rows.csv", "site_b/rows.csv"]
        assert {"claims.csv", "losses.csv", "performance.csv"} <= tables(there).keys()
    finally:
        hidden.rename(home)


def test_names_and_copies_change_no_run(home):
    here = planning.plan(read(home / "s.yaml"))
    copied = planning.plan(read(home / "r" / "study.yaml"))
    left_out = planning.plan(read(home / "s.yaml", ["data.copy=false"]))
    assert set(here.runs) == set(copied.runs) == set(left_out.runs)
    assert here.prefixes == copied.prefixes
    assert [run.labels for run in here.runs.values()] == [run.labels for run in copied.runs.values()]


def test_data_that_are_not_copied_are_asked_for_and_held_against_what_was_trained_on(
    home, tmp_path, monkeypatch, capsys
):
    folder = shutil.copytree(home / "r", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    asked = ["sweep.seeds=2"]
    monkeypatch.setattr(data_copies, "MOST_BYTES", 400)  # one of the two is larger
    for path in (folder / "sources").glob("site_*/*"):
        path.unlink()
    sizes = {site: (home / site / "rows.csv").stat().st_size for site in ("site_a", "site_b")}
    monkeypatch.setattr(data_copies, "MOST_BYTES", min(sizes.values()))
    said = []
    without_training(home / "s.yaml", asked, folder, monkeypatch, note=said.append)
    (kept,) = (folder / "sources").glob("site_*/rows.csv")
    large = next(site for site in sizes if site != kept.parent.name)
    assert f"without {large}/rows.csv" in said[0]
    assert "of data are copied" in said[0]
    there = folder.rename(tmp_path / "moved")
    # Named by where it was; nothing is there any more.
    path = there / "study.yaml"
    text = path.read_text()
    (other,) = set(re.findall(r"\S*\.\./\S*rows\.csv", text))
    path.write_text(text.replace(other, "../gone/rows.csv"))

    code, _, err = command(monkeypatch, capsys, "plan", "moved/study.yaml", "--out", "moved")
    assert code == 2
    assert "rows.csv, which this study learns from, is not in its folder" in err
    (advice,) = re.findall(r"data\.name=\S+", err)
    assert "/path/to/rows.csv" in advice
    assert f"moved/sources/{kept.parent.name}/rows.csv" in advice

    loaded = actlab.load("moved")
    whole = f"give it by its path: `actlab run moved/study.yaml {advice} --out moved`"
    with pytest.raises(StudyError, match=re.escape(whole)):
        loaded.data(loaded.runs["run"].iloc[0])  # where nothing is typed that an override could follow

    new = tmp_path / "under another name.csv"
    shutil.copy(home / large / "rows.csv", new)
    given = shlex.split(advice.replace("/path/to/rows.csv", f"'{new.name}'"))[0]
    results = without_training("moved/study.yaml", [given], Path("moved"), monkeypatch)
    assert sorted(set(results.runs["data"])) == ["site_a/rows.csv", "site_b/rows.csv"]
    assert tables(there) == tables(home / "r")
    planned = planning.plan(
        read(there / "study.yaml", [given, "sweep.seeds=3"]), called_before=data_copies.known_names(results.manifest)
    )
    assert {run.labels["data"] for run in planned.runs.values()} == {"rows.csv"}

    new.write_text(new.read_text() + "1,1,a\n")
    code, _, err = command(monkeypatch, capsys, "run", "moved/study.yaml", "--out", "moved", given)
    assert code == 2
    assert "is not what the stored runs of moved were trained on" in err
    assert "--out" in err
    code, out, _ = command(monkeypatch, capsys, "plan", "moved/study.yaml", "--out", "new", given)
    assert (code, "8 runs to train" in out) == (0, True)


def test_an_altered_copy_is_named_where_it_is_read_and_refreshed_where_it_is_not(home, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(home / "r", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    copy = folder / "sources" / "site_b" / "rows.csv"
    right = copy.read_bytes()
    copy.write_bytes(right + b"1,1,a\n")
    code, _, err = command(monkeypatch, capsys, "plan", "mine/study.yaml", "--out", "mine")
    assert code == 2
    assert "mine/sources/site_b/rows.csv: was altered since" in err
    advice = re.search(r"data\.name=\S+", err)[0].replace("/path/to/rows.csv", str(home / "site_b" / "rows.csv"))
    assert "0 runs to train" in command(monkeypatch, capsys, "plan", "mine/study.yaml", "--out", "mine", advice)[1]
    assert command(monkeypatch, capsys, "report", "mine")[0] == 0  # which needs no data
    said = []
    without_training(home / "s.yaml", [], folder, monkeypatch, note=said.append)
    assert copy.read_bytes() == right
    assert "now holds the data" in said[0]


def test_data_can_be_left_out(home, tmp_path, monkeypatch):
    folder = shutil.copytree(home / "r", tmp_path / "mine")
    said = []
    without_training(home / "s.yaml", ["data.copy=false"], folder, monkeypatch, note=said.append)
    assert list((folder / "sources").glob("*/rows.csv")) == []
    assert "data.copy is false" in said[0]
    study = actlab.load(folder).study
    assert study["data"]["copy"] is False
    assert study["data"]["name"].endswith("/home/site_a/rows.csv")
    assert not [place for place in read_manifest(folder)["sources"] if place.endswith(".csv")]
    # What a folder alone has is never removed from it.
    own = shutil.copytree(home / "r", tmp_path / "own")
    without_training(own / "study.yaml", ["data.copy=false"], own, monkeypatch)
    assert len(list((own / "sources").glob("*/rows.csv"))) == 2


@pytest.mark.parametrize("kind", ["csv", "tsv", "npz", "parquet"])
def test_every_kind_of_file_is_copied(kind, tmp_path):
    path = tmp_path / f"rows.{kind}"
    frame = pd.DataFrame({"x": np.arange(60.0) ** 2 % 7, "y": np.arange(60) % 2})
    if kind == "npz":
        np.savez(path, x=frame[["x"]].to_numpy(), y=frame["y"].to_numpy())
    elif kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    (tmp_path / "s.yaml").write_text(f"study: s\ndata: {{name: {path.name}}}\ntrain: {{batch_size: 8}}\n")
    study = read(tmp_path / "s.yaml")
    copies = data_copies.copies_of(study, planning.plan(study), tmp_path / "r", {})
    assert copies.files == {path.name: path}
    assert copies.names == {str(path): f"sources/{path.name}"}


def test_what_a_function_reads_is_no_data_file(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n\ndef rows():\n    x = np.loadtxt(__file__[:-7] + 'x.txt')\n"
        "    return x[:, None], np.arange(60) % 2\n"
    )
    np.savetxt(tmp_path / "x.txt", np.arange(60.0) ** 2 % 7)
    (tmp_path / "s.yaml").write_text("study: s\ndata: {name: mine.py:rows}\ntrain: {batch_size: 8}\n")
    study = read(tmp_path / "s.yaml")
    assert data_copies.copies_of(study, planning.plan(study), tmp_path / "r", {}) == data_copies.Copies()
