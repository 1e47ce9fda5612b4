"""Folders of one study become one, as one machine would have made it, or are refused with the way out."""

import re
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

import actlab
from actlab.checksums import file_sha256
from actlab.engine import control, joined_sources, merging, store, weight_files
from actlab.engine.manifest import read_manifest, write_manifest
from actlab.outputs import OutputError
from actlab.study import plan as planning
from actlab.study.reading import read
from tests.moving import cut, home, home_folder, parts, serial, snapshot, tables, without_training, write_rows
from tests.test_union import matrix, of
from tests.thinned import thinned
from tests.typed import typed

__all__ = ["home", "serial"]


SEEDS = {"seeds": (["sweep.seeds=[0]"], ["sweep.seeds=[1]"])}
SPLITS = {
    **SEEDS,
    "overlapping": (["sweep.seeds=[0]"], ["sweep.seeds=2"]),
    "three corners of four": (
        ["data.name={a}", "model.activation=relu"],
        ["data.name={a}", "model.activation={act}"],
        ["data.name={b}", "model.activation=relu"],
    ),
}


def named(home, overrides):
    places = {"act": home / "act.py:bent", "a": home / "site_a/rows.csv", "b": home / "site_b/rows.csv"}
    return [one.format(**places) for one in overrides]


@pytest.mark.parametrize("split", thinned(SPLITS, 3))
def test_merged_folders_are_what_one_machine_would_have_given(split, home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folders = []
    for i, overrides in enumerate(SPLITS[split]):
        at = tmp_path / f"m{i}"
        at.mkdir()
        folders.append(cut(home, at / "mine", monkeypatch, named(home, overrides)))
    before = [snapshot(folder) for folder in folders]
    names = [folder.relative_to(tmp_path) for folder in folders]
    code, out, err = typed(capsys, "merge", *names, "--out", "both")
    assert code == 0, err
    assert [snapshot(folder) for folder in folders] == before
    merged = tmp_path / "both"
    whole = home / "r"
    assert len(actlab.load(merged).runs) == (6 if split == "three corners of four" else 8)
    assert set(planning.plan(read(merged / "study.yaml")).runs) == store.Stored(merged).read().planned
    assert "not trained yet" not in out
    said = []
    hidden = home.rename(home.with_name("hidden"))  # the merged folder is whole, too
    try:
        actlab.report(merged)
        given = tables(merged)
        without_training(merged / "study.yaml", [], merged, monkeypatch, note=said.append)
    finally:
        hidden.rename(home)
    assert [one.partition(": ")[2].partition(":")[0] for one in said] == ["the report is up to date"]
    assert tables(merged) == given
    if split != "three corners of four":
        assert given == tables(whole)
        for name in ("runs", "steps", "layers"):
            one, other = getattr(actlab.load(merged), name), getattr(actlab.load(whole), name)
            pd.testing.assert_frame_equal(one, other[list(one)], check_exact=True)
        assert store.part_names(merged) == store.part_names(whole)


@pytest.fixture(scope="module")
def machines(serial, tmp_path_factory):
    """The folders of two machines, each with one of the seeds; the second was executed by another version."""
    at = tmp_path_factory.mktemp("machines")
    with pytest.MonkeyPatch.context() as patch:
        made = [cut(home_folder(), at / name, patch, [f"sweep.seeds=[{i}]"]) for i, name in enumerate("AB")]
    write_rows(made[1], lambda row: True, lambda row: row | {"jax": "9.9", "runs_per_call": 7})
    return made


@pytest.fixture
def two(machines, tmp_path, monkeypatch):
    """Copies of them, to be altered."""
    monkeypatch.chdir(tmp_path)
    return [shutil.copytree(folder, tmp_path / folder.name) for folder in machines]


def nothing_written(tmp_path):
    return not (tmp_path / "C").exists() and not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_where_runs_were_executed_may_differ_and_is_kept(home, two):
    shutil.copytree(two[1], "B2")
    write_rows(Path("B2"), lambda row: True, lambda row: row | {"jax": "8.8", "platform": "another"})
    merged = actlab.merge("A", "B", "B2", out="C")
    assert (merged.runs, merged.shared, merged.missing) == (8, 4, 0)
    runs = actlab.load("C").runs
    assert set(runs[runs["seed"] == 1]["jax"]) == {"9.9"}
    assert "9.9" not in set(runs[runs["seed"] == 0]["jax"])


def test_runs_that_do_not_agree_are_named(two, tmp_path, monkeypatch, capsys):
    shutil.copytree("B", "B2")

    def other(row):
        if row["activation"] == "relu" and row["data_content"] == first:
            return row | {
                "test_loss": row["test_loss"] + 0.25,
                "steps.train_loss": [9.0] * len(row["steps.train_loss"]),
            }
        return row

    first = sorted({row["data_content"] for part in parts(Path("B")) for row in part.table.to_pylist()})[0]
    write_rows(Path("B2"), lambda row: True, other)
    code, _, err = typed(capsys, "merge", "A", "B", "B2", "--out", "C")
    assert code == 1
    assert nothing_written(tmp_path)
    assert "1 run is not the same" in err
    assert re.search(
        r"activation=relu, .*seed=1 \([0-9a-f]{12}\): test_loss is \S+ in B and \S+ in B2, 0.25 apart", err
    )
    assert "1 more columns differ" in err
    # What one of them has not measured is no disagreement, and what the other has is kept.
    shutil.rmtree("B2")
    shutil.copytree("B", "B2")
    write_rows(Path("B2"), lambda row: True, lambda row: row | {"steps.act_mean": None, "layers.act_mean": None})
    assert actlab.merge("A", "B2", "B", out="C").shared == 4
    assert actlab.load("C").layers["act_mean"].notna().all()


def alter(text):
    def change(folder):
        path = folder / "study.yaml"
        old, new = text
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def damage(folder):
    path = folder / "parts" / store.part_names(folder)[0]
    path.write_bytes(path.read_bytes()[:-7])


def other_function(folder):
    path = folder / "sources" / "act.py"
    path.write_text(path.read_text().replace("slope * z", "slope * z + 0.0"))
    manifest = read_manifest(folder)
    write_manifest(folder, {**manifest, "sources": {**manifest["sources"], "act.py": file_sha256(path)}})


def altered_source(folder):
    path = folder / "sources" / "helper.py"
    path.write_text(path.read_text() + "SLOPE = 2.0\n")


REFUSED = {
    "another study": (alter(("study: mine", "study: yours")), 2, "study: 'mine' in A and 'yours' in B", "compare"),
    "another base": (alter(("  depth: 2", "  depth: 3")), 2, "model.depth: 2 in A and 3 in B", "under sweep.matrix"),
    "another measure": (alter(("  every: 2", "  every: 1")), 2, "measure.every: 2 in A and 1 in B", "compare"),
    "seeds of other cells": (
        alter(("    - sources/act.py:bent\n", "")),
        2,
        "sweep.seeds: 0 in A and 1 in B, of different cells",
        "(`actlab run A/study.yaml sweep.seeds=2 --out A` and `actlab run B/study.yaml sweep.seeds=2 --out B`;",
    ),
    "a damaged part": (damage, 1, "B: damaged", "trains again what is lost"),
    "another function": (other_function, 2, "sources/act.py: is another in A, B, and so is what", "rename one"),
    "an altered source": (altered_source, 1, "B/sources/helper.py: was altered since", "from a copy"),
    "no study": (lambda folder: (folder / "manifest.json").unlink(), 2, "B: is not a study's folder", ""),
    "not readable": (lambda folder: (folder / "study.yaml").write_text("study: [\n"), 2, "B/study.yaml", ""),
}


def test_what_is_not_one_study_is_refused_with_the_way_out(two, tmp_path, monkeypatch, capsys):
    whole = shutil.copytree("B", tmp_path / "kept")
    for case, (change, code, what, way) in REFUSED.items():
        shutil.rmtree("B")
        shutil.copytree(whole, "B")
        change(Path("B"))
        got, _, err = typed(capsys, "merge", "A", "B", "--out", "C")
        said = " ".join(err.split())
        assert (got, what in said, way in said) == (code, True, True), (case, got, said)
        assert nothing_written(tmp_path), case
    assert "Traceback" not in err


def test_folders_that_cannot_be_merged_are_named(two, tmp_path, monkeypatch, capsys):
    Path("full").mkdir()
    Path("full", "note").touch()
    for words, what in {
        ("A", "--out", "C"): "name two or more",
        ("A", "B", "A/", "--out", "C"): "A: is named twice",
        ("A", "B", "--out", "full"): "full: holds something already",
        ("A", "B", "--out", "A"): "A: holds something already",
        ("A", "B", "--out", "A/parts/new"): "lies in A, which is not altered",
        ("A", "nowhere", "--out", "C"): "nowhere: there is no such folder",
    }.items():
        code, _, err = typed(capsys, "merge", *words)
        assert (code, what in " ".join(err.split())) == (2, True), (words, err)
        assert nothing_written(tmp_path)
    before = snapshot(Path("B"))
    with control.study_lock(Path("B")):
        code, _, err = typed(capsys, "merge", "A", "B", "--out", "C")
        assert code == 2
        assert "B: another `actlab run` or `report` is at work here (process" in " ".join(err.split())
    assert snapshot(Path("B")) == before
    assert nothing_written(tmp_path)


def test_what_is_interrupted_or_cannot_be_written_leaves_nothing(two, tmp_path, monkeypatch):
    for error, raised in ((KeyboardInterrupt, KeyboardInterrupt), (OSError(28, "No space left"), OutputError)):
        with monkeypatch.context() as patch:
            patch.setattr(merging, "write_manifest", mock.Mock(side_effect=error))
            with pytest.raises(raised):
                actlab.merge("A", "B", out="new/C")
        assert not (tmp_path / "new").exists()
        assert nothing_written(tmp_path)
    Path("C").mkdir()  # an empty one will do
    assert actlab.merge("A", "B", out="C").runs == 8


def test_of_weights_files_the_one_that_is_as_it_was_written_is_taken(two, tmp_path, monkeypatch, capsys):
    Path("my A").symlink_to("A")  # a name that a shell would take for two
    name, numbers = parts(Path("A"))[0].table["run"][0].as_py(), [0.5] * 6
    for folder in ("A", "B"):
        weight_files.write(Path(folder), "0" * 16, 12, {name: ({"readout.bias": np.ones(3, np.float32)}, numbers)})
    path, other = (Path(folder, "weights", f"{'0' * 16}-12.safetensors") for folder in ("A", "B"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    alter(("keep_weights: none", "keep_weights: final"))(Path("B"))
    code, out, err = typed(capsys, "merge", "my A", "B", "--out", "my C")
    assert code == 0, err
    assert Path("my C", "weights", path.name).read_bytes() == whole
    assert "actlab report 'my C'\n" in out
    assert "altered" not in err
    assert "B: its measure.keep_weights is another than in my A, which is taken" in " ".join(err.split())
    for content, said in (
        (path.read_bytes(), "was altered: the weights of a run in it are not those of its checksum; taken as it is"),
        (b"", "cut short or altered, and left behind"),
    ):
        path.write_bytes(content)
        other.write_bytes(content)
        shutil.rmtree("my C")
        code, _, err = typed(capsys, "merge", "A", "B", "--out", "my C")
        assert code == 0
        assert f"A/weights/{path.name}, B/weights/{path.name}: {said}" in " ".join(err.split())
        assert "`actlab run 'my C/study.yaml' --out 'my C'` trains its runs again" in " ".join(err.split())


def test_a_merge_runs_no_code_and_takes_unfinished_runs_as_planned(two, tmp_path, monkeypatch, capsys):
    for folder in two:
        for name in ("act.py", "claims.py", "mine.py"):
            path = folder / "sources" / name
            path.write_text("from pathlib import Path\nPath('ran').touch()\n" + path.read_text())
        manifest = read_manifest(folder)
        sums = {place: file_sha256(folder / "sources" / place) for place in manifest["sources"]}
        write_manifest(folder, {**manifest, "sources": sums})
    lost = sorted(row["run"] for part in parts(Path("B")) for row in part.table.to_pylist())[0]
    write_rows(Path("B"), lambda row: row["run"] != lost)
    Path("B", "parts", "0123456789ab.checkpoint").write_bytes(b"half")
    code, out, err = typed(capsys, "merge", "A", "B", "--out", "C")
    assert code == 0
    assert not Path("ran").exists()
    assert "B: what is trained of a run that is not finished is not taken along" in " ".join(err.split())
    assert "C holds 7 runs" in out
    assert "1 run is not trained yet" in out
    assert not list(Path("C", "parts").glob("*.checkpoint"))
    assert store.Stored("C").read().missing == 1


def test_a_function_that_only_one_folder_names_and_comments_are_no_conflict(two, monkeypatch):
    path = Path("B", "sources", "act.py")
    path.write_text("# of the second machine\n" + path.read_text() + "\n\ndef other(z):\n    return z\n")
    manifest = read_manifest(Path("B"))
    sums = {**manifest["sources"], "act.py": file_sha256(path)}
    write_manifest(Path("B"), {**manifest, "sources": sums})
    assert actlab.merge("A", "B", out="C").runs == 8
    without_training("C/study.yaml", [], Path("C"), monkeypatch)


def test_other_data_by_one_name_is_another_study(two, tmp_path, monkeypatch, capsys):
    manifest = read_manifest(Path("B"))
    other = [{**one, "content": "0" * 12} for one in manifest["data"]]
    write_manifest(Path("B"), {**manifest, "data": other})
    for name in "AB":  # of one data set each
        path = Path(name, "study.yaml")
        text = path.read_text()
        at = text.index("    data.name:")
        path.write_text(text[:at] + text[text.index("    model.activation:") :])
    code, _, err = typed(capsys, "merge", "A", "B", "--out", "C")
    assert code == 2
    assert "data.name: A and B were trained on data that hold something else" in " ".join(err.split())


def test_labels_of_merged_studies_are_told_apart():
    files = joined_sources.Joined({}, [], [], [], {"sources/v1.py:relu": "1f" * 20}, {"sources/a/rows.csv": ("2e",)})
    study = of(matrix=matrix(activation=["relu", "sources/v1.py:relu"]))
    assert files.prefixes(study) == {"activation": {("1f" * 20)[:12]: "v1.py:"}}
