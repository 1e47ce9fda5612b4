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
from tests.moving import home, serial, tables, without_training
from tests.typed import typed

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
        (there / "report.stamp").unlink()  # its report is written again
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

    code, _, err = typed(capsys, "plan", "moved/study.yaml", "--out", "moved")
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
    code, _, err = typed(capsys, "run", "moved/study.yaml", "--out", "moved", given)
    assert code == 2
    assert "is not what the stored runs of moved were trained on" in err
    assert "--out" in err
    code, out, _ = typed(capsys, "plan", "moved/study.yaml", "--out", "new", given)
    assert (code, "8 runs to train" in out) == (0, True)


def test_an_altered_copy_is_named_where_it_is_read_and_refreshed_where_it_is_not(home, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(home / "r", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    copy = folder / "sources" / "site_b" / "rows.csv"
    right = copy.read_bytes()
    copy.write_bytes(right + b"1,1,a\n")
    code, _, err = typed(capsys, "plan", "mine/study.yaml", "--out", "mine")
    assert code == 2
    assert "mine/sources/site_b/rows.csv: was altered since" in err
    advice = re.search(r"data\.name=\S+", err)[0].replace("/path/to/rows.csv", str(home / "site_b" / "rows.csv"))
    assert "0 runs to train" in typed(capsys, "plan", "mine/study.yaml", "--out", "mine", advice)[1]
    assert typed(capsys, "report", "mine")[0] == 0  # which needs no data
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


@pytest.fixture
def small(home, tmp_path, monkeypatch):
    """A copy of the trained folder, the originals gone; and how to run its own study, which trains nothing."""
    folder = shutil.copytree(home / "r", tmp_path / "small")
    monkeypatch.chdir(tmp_path)

    def again(*overrides, **options):
        said = []
        with monkeypatch.context() as patch:
            patch.setattr(actlab, "write_report", lambda *_: [])
            without_training(folder / "study.yaml", list(overrides), folder, monkeypatch, note=said.append, **options)
        return said

    hidden = home.rename(home.with_name("hidden"))
    yield folder, hidden, again
    hidden.rename(home)


def contents(manifest, *keys):
    return [one["content"] for key in keys for one in manifest[key]]


def test_what_was_taken_out_can_be_put_back_where_the_originals_are_gone(small, tmp_path, monkeypatch, capsys):
    folder, _, again = small
    text, noted = (folder / "study.yaml").read_text(), read_manifest(folder)
    own, csv = f"{folder}/sources/act.py:bent", "site_b/rows.csv"
    again("model.activation=relu")
    again(f"data.name={folder}/sources/site_a/rows.csv")
    after = read_manifest(folder)
    assert after["sources"] == noted["sources"]
    assert contents(after, "data", "earlier_data") == contents(noted, "data")
    assert len(after["data"]) == 1  # the report tells of it alone
    (folder / "study.yaml").write_text(text)  # by the file
    assert again() == []
    back = read_manifest(folder)
    assert (back["sources"], contents(back, "data")) == (noted["sources"], contents(noted, "data"))
    assert "earlier_data" not in back
    again("model.activation=relu")
    again(f"model.activation=relu,{own}")  # and by an override
    assert set(actlab.load(folder).runs["activation"]) == {"relu", "bent"}
    again(f"data.name={folder}/sources/site_a/rows.csv")
    for place, asked in ((csv, f"data.name={folder}/sources/{csv}"), ("helper.py", f"model.activation={own}")):
        path = folder / "sources" / place
        right = path.read_bytes()
        again("model.activation=relu")
        path.write_bytes(right + b"\n1,1,a\n")
        again("model.activation=relu")  # what is altered is not noted anew
        for words in (["run"], ["plan"]):
            code, _, err = typed(capsys, *words, "small/study.yaml", asked)
            assert (code, "was altered since `actlab run` wrote it" in err) == (2, True), err
        path.write_bytes(right)
    # One of the user's own is not the folder's, and says what to do.
    (tmp_path / "act.py").write_bytes((folder / "sources" / "act.py").read_bytes())
    code, _, err = typed(capsys, "plan", "small/study.yaml", "model.activation=act.py:bent")
    assert (code, "act.py: lies outside the study's own sources/" in err, "elsewhere" in err) == (2, True, True)


def test_prune_and_merge_know_what_was_left_out(small, tmp_path, monkeypatch, capsys):
    folder, hidden, again = small
    again(f"data.name={folder}/sources/site_a/rows.csv", "model.activation=relu")
    other = shutil.copytree(folder, tmp_path / "other")
    code, out, err = typed(capsys, "merge", "small", "other", "--out", "both")
    assert (code, "both holds 2 runs, 2 of them in several folders" in out) == (0, True), err
    assert "both: 6 stored runs are not asked for by its study.yaml (" in err
    for name in ("sources", "data", "earlier_data"):
        assert read_manifest(tmp_path / "both")[name] == read_manifest(folder)[name]
    both = tmp_path / "both"
    shutil.copy(hidden / "r" / "study.yaml", both / "study.yaml")
    code, out, err = typed(capsys, "plan", "both/study.yaml")
    assert (code, "0 runs to train" in out) == (0, True), err
    # The old file, given again, is what the folder knows.
    (folder / "sources" / "site_b" / "rows.csv").unlink()
    again()
    code, out, err = typed(capsys, "plan", "small/study.yaml", f"data.name={hidden}/site_b/rows.csv", "--out", "small")
    assert (code, "0 runs to train" in out) == (0, True), err
    again(prune=True)
    noted = read_manifest(folder)
    assert "earlier_data" not in noted
    assert set(noted["sources"]) == {"site_a/rows.csv", "mine.py", "claims.py"}
    left = {path.relative_to(folder / "sources").as_posix() for path in (folder / "sources").rglob("*.*")}
    assert left == set(noted["sources"])
    without = read_manifest(other)
    (other / "sources" / "helper.py").write_text("SLOPE = 2.0\n")
    (other / "sources" / "mine.csv").write_text("1")
    again_other = tmp_path / "other" / "study.yaml"
    without_training(again_other, [], other, monkeypatch, prune=True)
    assert set(read_manifest(other)["sources"]) == set(noted["sources"]) < set(without["sources"])
    gone = {path.relative_to(other / "sources").as_posix() for path in (other / "sources").rglob("*.*")} - left
    assert gone == {"helper.py", "mine.csv"}  # altered, or never ours


def test_copies_that_are_left_out_are_gone_wherever_they_were(small, home, monkeypatch, tmp_path):
    folder, hidden, again = small
    (line,) = again("data.copy=false")
    assert "site_a/rows.csv, site_b/rows.csv in" in line
    assert "are the only copies that this study names, and kept though data.copy is false" in line
    assert "`data.name=/path/to/rows.csv,/path/to/rows.csv`, with the original's path, removes them" in line
    again(f"data.name={folder}/sources/site_a/rows.csv", "data.copy=true")  # one of the two is taken out first
    lines = again(f"data.name={hidden}/site_a/rows.csv", "model.activation=relu", "data.copy=false")
    assert "site_a/rows.csv, site_b/rows.csv are removed from" in lines[0]
    assert "(model.activation: bent; data.name: site_b/rows.csv); kept" in lines[1]
    assert list((folder / "sources").glob("site_*")) == []
    assert not [place for place in read_manifest(folder)["sources"] if place.endswith(".csv")]


def test_a_copy_whose_place_changes_is_moved(tmp_path, monkeypatch):
    """Data that enter the matrix are told from those of other machines by a folder."""
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "rows.csv").write_text("x,y\n" + "".join(f"{i * i % 17},{'ab'[i % 2]}\n" for i in range(60)))
    (tmp_path / "s.yaml").write_text(
        "study: s\ndata: {name: e/rows.csv}\nmodel: {depth: 1, width: 2}\ntrain: {steps: 2, batch_size: 8}\n"
        "measure: {every: 2, evaluate_every: 2, probes: [act_mean]}\nreport: {tables: [performance], figures: []}\n"
    )
    monkeypatch.setattr(actlab, "write_report", lambda *_: [])
    actlab.run(tmp_path / "s.yaml", out=tmp_path / "r")
    assert [path.name for path in (tmp_path / "r" / "sources").iterdir()] == ["rows.csv"]
    swept = [f"sweep.matrix={{data.name: [{tmp_path}/e/rows.csv]}}"]
    without_training(tmp_path / "s.yaml", swept, tmp_path / "r", monkeypatch)
    assert list(read_manifest(tmp_path / "r")["sources"]) == ["e/rows.csv"]
    assert not (tmp_path / "r" / "sources" / "rows.csv").exists()
    without_training(tmp_path / "s.yaml", [*swept, "data.copy=false"], tmp_path / "r", monkeypatch)
    assert list((tmp_path / "r" / "sources").rglob("*")) == []
