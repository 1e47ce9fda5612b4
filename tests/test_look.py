"""What is told of the data before training, in the report after it, and what makes two files one data set."""

import json
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import actlab
from actlab import cli
from actlab.analysis.cells import varying
from actlab.engine import frames, scheduling, worker_pools
from actlab.engine.train_study import resolved_text
from actlab.study import columns
from actlab.study.labels import told_apart
from actlab.study.plan import plan
from actlab.study.reading import read
from tests.serial import SerialExecutor

ROWS = 60
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "count": np.arange(ROWS),
        "size": RNG.normal(size=ROWS),
        "open": np.arange(ROWS) % 3 == 0,
        "colour": np.array(["red", "green", "blue"])[np.arange(ROWS) % 3],
        "y": np.array(["p", "q "])[np.arange(ROWS) % 2],
    }
)
STUDY = """
study: s
data: {name: rows.csv, categorical: one_hot}
model: {depth: 2, width: 4}
train: {steps: 4, batch_size: 8}
measure: {every: 2, evaluate_every: 2, probes: [act_mean]}
report: {tables: [performance], figures: []}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A study, and its rows as several kinds of files, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "more").mkdir()
    TABLE.to_csv("rows.csv", index=False)
    text = (tmp_path / "rows.csv").read_text()
    (tmp_path / "copy.csv").write_text(text)
    (tmp_path / "more" / "again.csv").write_bytes(text.replace("\n", "\r\n").encode("utf-16"))
    TABLE.to_csv("rows.tsv", index=False, sep="\t", quoting=1)
    TABLE.to_parquet("rows.parquet")
    return tmp_path


COPIES = "data.name=rows.csv,copy.csv,more/again.csv,rows.tsv,rows.parquet"


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["actlab", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    return capsys.readouterr()


def test_plan_shows_what_was_understood_and_what_was_unsure(folder, monkeypatch, capsys):
    said = call(monkeypatch, capsys, "plan", "s.yaml", COPIES).out.splitlines()
    assert said[:8] == [
        "data rows.csv (also named copy.csv, again.csv, rows.tsv, rows.parquet: the same data, trained once)",
        "  target    classification of 'y', 2 classes: p: 30, q: 30",
        "  rows      60: 36 training, 12 validation, 12 test",
        "  features  4, 6 inputs; whole numbers (1): count; numbers (1): size; true or false (1): open; "
        "text (1): colour",
        "  texts     colour has 3: blue: 20, green: 20, red: 20",
        "  chance    test accuracy 0.5, by always saying the most frequent class of the training rows",
        "  unsure    column 'count' counts the rows (0 to 59); data.drop: [count] leaves it out",
        "  unsure    labels of 'y' are read without what cannot be seen (white space at their ends, other forms of a "
        "letter): 'q '",
    ]
    assert any(line.startswith("1 run to train") for line in said)


def test_plan_as_json_has_all_of_it(folder, monkeypatch, capsys):
    (folder / "rows.csv").write_text(
        "a,y\n" + "".join(f"{i % 7},class {i % 40}\n" for i in range(400))  # more classes than lines are printed for
    )
    plain = call(monkeypatch, capsys, "plan", "s.yaml").out
    assert "40 classes: class 0: 10" in plain
    assert "and 32 more" in plain
    planned = json.loads(call(monkeypatch, capsys, "plan", "s.yaml", "--json").out)
    (about,) = planned["data"]
    assert len(about["classes"]) == 40
    assert about["classes"]["class 7"] == {"train": 6, "validation": 2, "test": 2}
    assert about["columns"] == {"whole numbers": ["a"]}
    assert planned["to_train"] == len(planned["runs"]) == 1


def test_plan_describes_quantities_and_bundled_sets(folder, monkeypatch, capsys):
    said = call(monkeypatch, capsys, "plan", "s.yaml", "data={name: diabetes}", "data.seed=0,1").out
    assert said.count("data diabetes") == 1
    assert "regression, from 25 to 346" in said
    said = call(monkeypatch, capsys, "plan", "s.yaml", "data.drop=[count],[]", "data.seed=0,1").out
    assert [line for line in said.splitlines() if line.startswith("data ")] == [
        "data rows.csv, drop [count]",
        "data rows.csv, drop []",
    ]


def test_run_tells_it_before_training_and_the_report_afterwards(folder, monkeypatch, capsys):
    monkeypatch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
    order = []
    command = sys.modules["actlab.cli.run"]  # the name in the package is the function's
    told = command.tell
    monkeypatch.setattr(command, "tell", lambda planned, why: (order.append("told"), told(planned)))
    follow = actlab.engine.train_study.follow
    monkeypatch.setattr(
        actlab.engine.train_study, "follow", lambda *words: (order.append("trained"), follow(*words))[1]
    )
    said = call(monkeypatch, capsys, "run", "s.yaml", "data.name=copy.csv,rows.csv").err
    assert order == ["told", "trained"]
    assert "copy.csv (also named rows.csv: the same data, trained once): column 'count' counts the rows" in said
    results = actlab.load("results/s")
    assert len(results.runs) == 1
    (about,) = results.manifest["data"]
    assert about["names"] == ["copy.csv", "rows.csv"]
    call(monkeypatch, capsys, "run", "s.yaml", "data.name=rows.parquet")  # trains nothing, and is one name more
    report = (folder / "results" / "s" / "report.md").read_text()
    assert "copy.csv (also named rows.parquet, rows.csv: the same data, trained once): classification of 'y'" in report
    assert "trained once): column 'count' counts the rows" in report
    before = (folder / "results" / "s" / "report.md").read_bytes()
    actlab.report("results/s")
    assert (folder / "results" / "s" / "report.md").read_bytes() == before


def test_names_are_kept_that_data_had_before():
    one = {"names": ["b"], "settings": {}, "content": "1", "unsure": []}
    assert scheduling.with_names([one], [one | {"names": ["a"]}, one | {"content": "2", "names": ["c"]}]) == [
        one | {"names": ["b", "a"]}
    ]


def test_files_are_told_apart_by_as_little_as_does():
    assert told_apart(["/a/x/r.csv", "/b/x/r.csv", "/b/y/r.csv", "/q.csv", "/z/m.py:rows"]) == {
        "/a/x/r.csv": "a/x/r.csv",
        "/b/x/r.csv": "b/x/r.csv",
        "/b/y/r.csv": "y/r.csv",
        "/q.csv": "q.csv",
        "/z/m.py:rows": "m.py:rows",
    }


# Identity


def ids(*overrides):
    return list(plan(read("s.yaml", overrides)).runs)


def test_one_content_is_one_run_whatever_kind_of_file_it_is_in(folder):
    assert ids(COPIES) == ids()
    assert len(ids("data.name=rows.csv,rows.parquet", "data.seed=0,1")) == 2
    changed = TABLE.assign(size=np.nextafter(TABLE["size"], 9))
    changed.to_csv("rows.csv", index=False)
    assert not set(ids()) & set(ids("data.name=copy.csv"))


@pytest.mark.parametrize(
    "override",
    [
        "data.drop=[count]",
        "data.drop=[size]",
        "data.target=open",
        "data.na_values=[red]",
        "data.missing=mean",
        "data.seed=1",
        "data.standardize=false",
    ],
)
def test_what_changes_the_numbers_changes_the_run(override, folder):
    more = ["data.missing=drop_rows"] if "na_values" in override else []
    assert not set(ids(override, *more)) & set(ids(*more))


def test_a_run_does_not_depend_on_how_else_its_file_is_read(folder):
    alone = ids("data.drop=[count]"), ids("data.drop=[size]")
    together = ids("data.drop=[count],[size]")
    assert together == [*alone[0], *alone[1]]
    labels = [run.labels["data_drop"] for run in plan(read("s.yaml", ["data.drop=[count],[size]"])).runs.values()]
    assert labels == ["[count]", "[size]"]


def test_the_resolved_study_reads_its_data_the_same_way(folder):
    overrides = ["data.na_values=['/', 'NA', -999]", "data.missing=drop_rows", "data.drop=[count]", "data.header=true"]
    study = read("s.yaml", overrides)
    (folder / "r").mkdir()
    (folder / "r" / "study.yaml").write_text(resolved_text(study, folder / "r"))
    again = read("r/study.yaml")
    assert again.config.data.na_values == ("/", "NA", "-999")
    assert list(plan(again).runs) == list(plan(study).runs)


def test_runs_of_before_these_keys_are_in_the_same_cells(folder):
    (run,) = plan(read("s.yaml", ["data={name: iris}"])).runs.values()
    keys = [one.column for one in columns.settings() if one.key.startswith("data.") and one.column.startswith("data_")]
    assert {"data_drop", "data_missing", "data_na_values"} <= set(keys)
    now = pa.Table.from_pylist([dict(run.labels)])
    before = pa.Table.from_pylist([dict(run.labels) | {"run": "of before"}])
    before = before.drop_columns([key for key in keys if key != "data_seed"])
    rows = frames.in_order([now, before], columns.settings()).to_pandas()
    assert len(rows) == 2
    assert varying(rows, columns.settings()) == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.drop=true", "data.drop: expected a list of names, as in \\[a, b\\], not True"),
        ("data.drop=count,size", "data.drop=\\[count,size\\] is one list; a comma list sweeps"),
        ("data.na_values=-999,NA", "is one list; a comma list sweeps"),
        ("data.missing=median", "expected refuse, drop_rows or mean, not 'median'"),
        ("data.categorical=onehot", "expected refuse or one_hot"),
        ("data.decimal=';'", "data.decimal: expected"),
        ("data.separator=', '", "data.separator: "),
        ("data.na_values=[null]", "data.na_values: expected a list of"),
        ("data.seperator=','", "did you mean 'data.separator="),
    ],
)
def test_keys_are_validated(override, said, folder):
    with pytest.raises(actlab.study.reading.StudyError, match=said):
        read("s.yaml", [override])


@pytest.mark.parametrize("key", ["drop=[a]", "separator=';'", "missing=mean", "na_values=[]", "categorical=one_hot"])
def test_a_bundled_set_comes_as_it_is(key, folder):
    with pytest.raises(actlab.study.reading.StudyError, match=rf"iris: data\.{key.split('=')[0]} is for files"):
        plan(read("s.yaml", ["data={name: iris}", f"data.{key}"]))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.decimal=,", ","),
        ("data.separator=;", ";"),
        ("data.separator=|", "|"),
        ("data.drop=count", ("count",)),
        ("data.keep=#", ("#",)),
        ("data.na_values=-999.9", ("-999.9",)),
        ("data.na_values=?", ("?",)),
        ("data.na_values=[]", ()),
    ],
)
def test_one_name_and_bare_marks_are_taken_for_what_they_are_meant_as(override, said, folder):
    key = override.split("=")[0].split(".")[1]
    assert getattr(read("s.yaml", [override]).config.data, key) == said


def test_a_refusal_blames_the_key_that_is_at_fault(folder):
    """It was the last override of ``data``, whichever it was."""

    def refusal(*overrides):
        with pytest.raises(actlab.study.reading.StudyError) as caught:
            plan(read("s.yaml", overrides))
        return str(caught.value)

    assert refusal("data.name=gone.csv", "data.drop=[count]").startswith("override data.name=gone.csv: data:")
    assert refusal("data.categorical=refuse", "data.drop=[count]").startswith("s.yaml:3: data: ")
    assert refusal("data.missing=mean", "data.drop=[cuont]").startswith("override data.drop=[cuont]: data:")
    assert refusal("data.drop=[count]", "data.target=z").startswith("override data.target=z: data.target:")
    assert refusal("data.name=rows.parquet", "data.decimal='.'", "data.seed=1").startswith("override data.decimal")
    assert refusal("data.train_rows=1000", "data.seed=1").startswith("override data.train_rows=1000: data.train_rows:")


def test_data_of_one_content_are_described_once_whatever_their_columns_are_called(folder, monkeypatch, capsys):
    TABLE.rename(columns={"size": "length", "y": "kind"}).to_csv("other.csv", index=False)
    said = call(monkeypatch, capsys, "plan", "s.yaml", "data.name=rows.csv,other.csv", "data.seed=0,1").out.splitlines()
    assert [line for line in said if line.startswith("data ")] == [
        "data rows.csv (also named other.csv: the same data, trained once)"
    ]
    assert sum("labels of 'kind' are read without" in line for line in said) == 1
