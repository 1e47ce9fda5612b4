"""``actlab new``: what it writes runs as it is, and says of a file how it was understood."""

import math
import re
import shlex
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import actlab
from actlab.analysis import claims_file
from actlab.analysis.cells import build_cells
from actlab.cli import new_study as new
from actlab.data import files
from actlab.engine import worker_pools
from actlab.study.plan import plan
from actlab.study.reading import parse, read
from actlab.study.selection import Select
from tests.serial import SerialExecutor
from tests.test_odd_data import REFUSED, SEEDS, mutated, npz, parquet
from tests.typed import typed

ROOT = Path(__file__).parents[1]
ROWS = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=ROWS)
KINDS = np.array(["p", "q"])[np.arange(ROWS) % 2]


@pytest.fixture
def actlab_command(tmp_path, monkeypatch, capsys):
    """Give what calls the command line in this process, in a folder of its own: (exit code, output, messages)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
    return partial(typed, capsys)


def commands(said):
    """The commands that an output proposes, as they are typed."""
    return [shlex.split(line)[1:] for line in said.splitlines() if line.startswith("  actlab ")]


# Templates


@pytest.mark.parametrize("template", new.WORDS)
def test_a_template_is_a_study_in_which_every_key_is_explained(template):
    path = new.TEMPLATES / f"{template}.yaml"
    planned = plan(read(path))
    assert planned.runs
    text = path.read_text(encoding="utf-8")
    assert max(map(len, text.split("\n"))) <= 120
    section = ""
    for line in text.split("\n"):
        key = re.match(r"( *)([\w.]+):", line)
        section = line if key and not key[1] else section  # the comment of a section may speak for one line below it
        plain = key and key[2] not in ("study", "question", "data", "model", "train", "measure", "report", "matrix")
        assert not plain or "#" in line or key[2] in ("figures", "tables") or line.endswith(":"), line
    assert "yaml-language-server" not in text


def test_the_sample_rows_follow_the_formula_that_is_stated():
    lines = (new.TEMPLATES / "own-data.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "length,width,colour,kind"
    for i, line in enumerate(lines[1:]):
        length, width = (round(4 * (i * step % 1) - 2, 3) for step in (0.7548776662, 0.5698402910))
        turn = math.hypot(length, width) + math.atan2(width, length) / math.pi
        kind = ("inside", "between", "outside")[min(int(turn), 2)]
        assert line == f"{length},{width},{('red', 'green', 'blue')[i % 3]},{kind}"


def test_every_template_is_written_under_the_name_that_is_asked_for(actlab_command, tmp_path):
    for template in new.WORDS:
        name = f"my-{template}"
        code, said, _ = actlab_command("new", name, "--template", template)
        assert code == 0
        assert parse(tmp_path / f"{name}.yaml")[0]["study"] == name
        assert [words[0] for words in commands(said)] == ["plan", "run", "compare"]
        if template != "own-activation":  # which is planned and run below
            code, planned, said = actlab_command(*commands(said)[0])
            assert code == 0, said
            assert "54 runs to train" in planned
    assert (tmp_path / "my-own-activation_act.py").exists()
    assert "my-own-activation_act.py:leaky_silu" in (tmp_path / "my-own-activation_act.py").read_text()
    assert not re.search("own_activation", (tmp_path / "my-own-activation.yaml").read_text())
    assert read(tmp_path / "my-own-data.yaml").config.data.name.name == str(tmp_path / "my-own-data.csv")


def test_the_commands_that_it_ends_with_work_as_they_are_printed(actlab_command, tmp_path):
    said = actlab_command("new", "sub folder/mine", "--template", "own-activation")[1]
    path = tmp_path / "sub folder" / "mine.yaml"
    text = path.read_text()
    for many, few in {
        "width: 32": "width: 4",
        "[2, 10, 20]": "[2]",
        "[1e-3, 1e-2]": "[1e-2]",
        "seeds: 3": "seeds: 1",
        "steps: 200": "steps: 50",
        "every: 100": "every: 50\n  probes: [dead_fraction]",
        "      - silu ": "      # - silu ",
        "accuracy_by_depth, gradient_norms, ": "",
        "performance, vanishing_slopes, ": "performance, ",
    }.items():
        assert text.count(many) == 1, many
        text = text.replace(many, few)
    path.write_text(text)
    for words in commands(said):
        code, printed, problem = actlab_command(*words)
        assert code == 0, (words, problem)
        assert words[0] != "compare" or "`leaky_silu`" in printed
    report, figure = re.search(r"Then look at (\S+) and (\S+)\.$", said, re.MULTILINE).groups()
    assert (tmp_path / report).is_file()
    assert (tmp_path / figure).is_file()
    learned = actlab.load("results/mine").layers["leak"].dropna()
    assert learned.nunique() > 1


def test_commands_are_printed_as_this_one_was_called(actlab_command, monkeypatch, tmp_path):
    """Whoever has not activated the environment has typed its path, and has to again."""
    assert "  actlab plan one.yaml\n" in actlab_command("new", "one")[1]
    monkeypatch.setenv("PATH", "")
    assert "  actlab plan two.yaml\n" in actlab_command("new", "two")[1]  # a module that was called, say
    monkeypatch.setattr("sys.argv", [str(tmp_path / "my env" / "bin" / "actlab")])
    assert new.program() == "'my env/bin/actlab'"


def test_what_it_says_to_compare_is_in_such_studies(actlab_command):
    for template, stored in {"depth": "depth", "dying": "dying_relu"}.items():
        plan_it, run_it, compare = commands(actlab_command("new", stored, "--template", template)[1])
        assert (plan_it, run_it) == (["plan", f"{stored}.yaml"], ["run", f"{stored}.yaml"])
        assert compare[:2] == ["compare", f"results/{stored}"]
        more = (
            ["--over", "depth,weight_init,optimizer"] if template == "dying" else []
        )  # the committed study sweeps these too
        code, printed, problem = actlab_command("compare", ROOT / "results" / stored, *compare[2:], *more)
        assert code == 0, problem
        assert "`relu`" in printed


def test_the_claim_that_a_template_shows_is_one(tmp_path):
    text = (new.TEMPLATES / "depth.yaml").read_text(encoding="utf-8")
    (tmp_path / "claims.py").write_text(
        re.sub("(?m)^# ?", "", text.partition("again.\n#\n")[2].partition("# claims:")[0])
    )
    (claim,) = claims_file.load(tmp_path / "claims.py")
    results = actlab.load(ROOT / "results" / "depth")
    cells = build_cells(results.runs, results.steps, results.layers, Select())
    verdict = claim(cells)
    assert (verdict.verdict, verdict.activation) == ("supported", "relu")


# What is asked for


NAMES = {
    "My Study": "my_study",
    "Größe": "grosse",
    "a.b": "a_b",
    "studies/My Study": "studies/my_study",
    "MINE.yaml": "mine",
    "x" * 40 + "!": "x" * 40,
}


def test_a_name_that_cannot_be_a_studys_gets_one_that_can(actlab_command, tmp_path):
    for name, better in NAMES.items():
        code, _, said = actlab_command("new", name)
        assert code == 2
        assert list(tmp_path.iterdir()) == []
        tried = shlex.split(said.rpartition("; try ")[2])
        assert tried == [better]
        assert actlab_command("new", *tried)[0] == 0
        (tmp_path / f"{better}.yaml").unlink()
        if "/" in better:
            (tmp_path / "studies").rmdir()
    assert actlab_command("new", "")[0] == 2
    assert "expected" not in actlab_command("new", "mine.yaml")[1]
    assert (tmp_path / "mine.yaml").exists()


def test_names_that_yaml_would_take_for_something_else(actlab_command, tmp_path):
    for name in ("123", "null", "true", "1e3", "0x1f", "on", "_", "a-"):
        assert actlab_command("new", name)[0] == 0
        assert read(tmp_path / f"{name}.yaml").config.study == name


def test_nothing_is_written_over(actlab_command, tmp_path):
    (tmp_path / "rows.csv").write_text(pd.DataFrame({"a": X, "y": KINDS}).to_csv(index=False))
    (tmp_path / "link.yaml").symlink_to("nowhere")
    (tmp_path / "mine.yaml").write_text("mine")
    (tmp_path / "own_act.py").write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for words in (["mine"], ["link"], ["own", "--template", "own-activation"], ["rows", "--template", "own-data"]):
        code, _, said = actlab_command("new", *words)
        assert code == 2, words
        assert "is there already" in said
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    (advice,) = re.findall(r"`actlab (.*?)`", said)
    assert actlab_command(*shlex.split(advice))[0] == 0
    assert read(tmp_path / "rows.yaml").config.data.name.name == str(tmp_path / "rows.csv")


def test_wrong_requests_are_told_and_leave_nothing(actlab_command, tmp_path):
    wrong = {
        ("mine", "--template", "dpth"): "did you mean 'depth'?",
        ("mine", "--template", "own"): "did you mean 'own-",
        ("mine", "--target", "y"): "--data",
        ("mine", "--data", "rows.xlsx"): "unknown file type '.xlsx'",
        ("mine", "--data", "gone.csv"): "no such file",
        ("mine", "--data", "mine.py:ring"): "data: {name: mine.py:ring}",
        ("n" * 300,): "n.yaml",
    }
    for words, said in wrong.items():
        code, _, message = actlab_command("new", *words)
        assert code in (1, 2)
        assert said in message, message
        assert list(tmp_path.iterdir()) == []


def test_where_a_file_cannot_be_written_the_other_goes(actlab_command, tmp_path, monkeypatch):
    def fails(asked):
        raise KeyboardInterrupt

    (tmp_path / "rows.csv").write_text(pd.DataFrame({"a": X, "y": KINDS}).to_csv(index=False))
    monkeypatch.setattr(new, "check", fails)
    assert actlab_command("new", "deep/er/mine", "--data", "rows.csv", "--template", "own-activation")[0] == 130
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


# Rows of one's own


COMMA = [f"{x:.2f}".replace(".", ",") for x in X]
TITANIC = {
    "PassengerId": range(1, ROWS + 1),
    "Survived": np.arange(ROWS) % 2,
    "Name": [f"Mr {i}" for i in range(ROWS)],
    "Sex": KINDS,
    "Age": [None if i % 5 == 0 else i * i % 71 for i in range(ROWS)],
    "Fare": X,
}
DAY = pd.date_range("2020-01-01", periods=ROWS)
# file: (columns, text or bytes; what the study's data section says; what the output says)
UNDERSTOOD = {
    "mixed.csv": (
        {"id": range(ROWS), "age": RNG.integers(20, 60, ROWS), "colour": list("rgb") * 20, "label": KINDS},
        {"target": "label", "task": "classification", "drop": ["id"], "categorical": "one_hot"},
        ["drop: id numbers the rows", "2 classes: p: 30, q: 30"],
    ),
    "first.csv": ({"kind": KINDS, "a": X, "b": X**2}, {"target": "kind"}, ["classification of 'kind'"]),
    "first_named.csv": ({"Outcome": np.arange(ROWS) % 2, "a": X}, {"target": "Outcome"}, []),
    "labels_last.csv": (
        {"income": X, "a": X**2, "risk": KINDS},
        {"target": "risk", "task": "classification"},
        ["  unsure    target: risk is predicted, the last column, which holds labels; income may be meant by its name"],
    ),
    "named.csv": (
        {"income": X, "a": X**2, "age": X},
        {"target": "income", "task": "regression"},
        ["  unsure    target: income is predicted by its name, which inputs have as often; the last column is age"],
    ),
    "quantity.csv": ({"a": X, "price": 3 * X + 1}, {"target": "price", "task": "regression"}, ["regression of"]),
    "semicolons.csv": (
        "a;b;klasse\n" + "".join(f"{x};{x};{k}\n" for x, k in zip(COMMA, KINDS, strict=True)),
        {"target": "klasse", "separator": ";", "decimal": ","},
        [],
    ),
    "both.csv": (
        "Laenge, cm;Klasse\n" + "".join(f"{x};{k}\n" for x, k in zip(COMMA, KINDS, strict=True)),
        {"target": "Klasse", "separator": ";", "decimal": ","},
        [],
    ),
    "tabs.csv": (
        "a\ty\n" + "".join(f"{x}\t{k}\n" for x, k in zip(X, KINDS, strict=True)),
        {"separator": "\t"},
        [],
    ),
    "few_missing.csv": (
        {"a": np.where(np.arange(ROWS) % 30, X, np.nan), "y": KINDS},
        {"missing": "drop_rows"},
        ["2 of 60 rows lack a value (a: 2)"],
    ),
    "titanic.csv": (
        TITANIC,
        {"target": "Survived", "drop": ["PassengerId", "Name"], "missing": "mean", "categorical": "one_hot"},
        ["Name has 60 different texts in 60 rows", "(Age: 12)"],
    ),
    "marks.csv": (
        {"a": ["?" if i % 10 == 0 else i * i % 7 for i in range(ROWS)], "b": [None, 1.5] * 30, "y": KINDS},
        {"na_values": ["?"], "missing": "mean"},
        ["na_values: '?' (in a) means missing"],
    ),
    "marks_and_words.csv": (
        {"a": ["?" if i % 10 == 0 else i * i % 7 for i in range(ROWS)], "b": ["NA", "1.5"] * 30, "y": KINDS},
        {"na_values": ["?", "NA"], "missing": "mean"},
        [],
    ),
    "sentinel.csv": (
        {"a": np.where(np.arange(ROWS) % 9, abs(X), -999), "y": KINDS},
        {"na_values": None},
        ["column 'a' holds -999 in 7 rows; na_values: [-999] with missing: mean if that means missing"],
    ),
    "dates.csv": ({"day": DAY.astype(str), "a": X, "y": KINDS}, {"drop": ["day"]}, ["day holds dates or times"]),
    "dates.parquet": ({"day": DAY, "a": X, "y": KINDS}, {"drop": ["day"]}, ["day holds dates or times"]),
    "headless.csv": (
        "".join(f"{x},{x * x},{k}\n" for x, k in zip(X, KINDS, strict=True)),
        {"header": False, "target": "x2"},
        ["the first line looks like data"],
    ),
    "headless_labels.csv": (
        "".join(f"{k},{k}{i % 3},{x}\n" for i, (x, k) in enumerate(zip(X, KINDS, strict=True))),
        {"header": False, "target": "x2", "task": "regression", "categorical": "one_hot"},
        [],
    ),
    "numbered.csv": (
        pd.DataFrame(RNG.normal(size=(ROWS, 3))).to_csv(index=False),
        {"header": True, "target": "2"},
        ["the first line counts the columns"],
    ),
    "years.csv": (
        "name,2019,2020\n" + "".join(f"{k},{x},{x * x}\n" for x, k in zip(X, KINDS, strict=True)),
        {"target": "name", "header": True},
        ["the first line names the columns, as name"],
    ),
    "index.csv": (pd.DataFrame({"a": X, "y": KINDS}).to_csv(), {"drop": ["Unnamed: 0"]}, ["column 1 has no name"]),
    "index.parquet": (
        pd.DataFrame({"a": X, "y": KINDS}).set_index(pd.Index(RNG.permutation(ROWS), name="id")),
        {"target": "y", "drop": None},
        ["the frame's index id is left out"],
    ),
    "grades.csv": (
        {"a": X, "quality": RNG.integers(3, 9, ROWS)},
        {"task": "classification"},
        ["6 whole numbers (3, 4, 5, 6 and 2 more) are labels; regression where they are quantities"],
    ),
    "counts.csv": ({"a": X, "visits": RNG.integers(0, 5000, ROWS)}, {"task": "regression"}, []),
    "floats.csv": ({"a": X, "y": np.arange(ROWS) % 2 * 1.0}, {"task": "classification"}, ["2 whole numbers (0, 1)"]),
    "none.csv": ({"a": X, "y": ["None", "q"] * 30}, {"na_values": []}, ["2 classes: None: 30, q: 30"]),
    "money.csv": (
        {"cost": [f"${i}" for i in range(ROWS)], "a": X, "y": KINDS},
        {"drop": ["cost"]},
        ["cost holds numbers in another notation"],
    ),
    "infinite.csv": ({"a": X, "b": np.where(np.arange(ROWS) == 3, np.inf, X), "y": KINDS}, {"drop": ["b"]}, ["inf"]),
    "one_class_last.csv": (
        {"a": X, "b": X, "taste": ["p"] * ROWS},
        {"target": "b"},
        ["  unsure    target: b is predicted, since the last column, taste, is the same in every row"],
    ),
    "label_first.csv": (
        {"taste": KINDS, "a": X, "b": X},
        {"target": "taste"},
        ["  unsure    target: taste is predicted, since the last column, b, holds quantities, and taste labels"],
    ),
    "dates_last.csv": (
        {"a": X, "b": X, "when": DAY.astype(str)},
        {"target": "b", "drop": ["when"]},
        ["  unsure    target: b is predicted, since the last column, when, holds dates or times"],
    ),
    "lacks_target.csv": (
        {"a": X, "b": [None, 1.5] * 30, "y": [None if i % 9 == 0 else k for i, k in enumerate(KINDS)]},
        {"missing": "drop_rows", "drop": ["b"]},
        [],
    ),
    "odd_names.csv": (
        {"a\x1b[31m": X, "b: {x} # y": X, "\u2028c": KINDS, "'": X, "y\x85z": KINDS},
        {"target": "y\x85z", "categorical": "one_hot"},
        [],
    ),
    "odd_drops.csv": (
        {"a": X, "day \x7f\u2029, [1]": DAY.astype(str), "y": ["p\x1b]0;title\x07", "q\u202e"] * 30},
        {"drop": ["day \x7f\u2029, [1]"]},
        [],
    ),
    "rows.npz": (npz(), {"target": None, "task": "classification"}, []),
    "labels.npz": ({"x": X[:, None], "labels": np.arange(ROWS) % 3}, {"target": "labels"}, []),
    "nested.parquet": (parquet(b=[[1, 2]] * ROWS, c=[b"x"] * ROWS, y=KINDS), {"drop": ["b", "c"]}, ["lists"]),
    "bools.parquet": ({"a": X, "y": np.arange(ROWS) % 2 == 0}, {"target": "y", "task": "classification"}, []),
}


def write_rows(path, content):
    if isinstance(content, str | bytes):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    elif path.suffix == ".npz":
        np.savez(path, **content)
    elif path.suffix == ".parquet":
        pd.DataFrame(content).to_parquet(path)
    else:
        path.write_text(pd.DataFrame(content).to_csv(index=False))


def test_files_of_every_kind_are_understood_told_and_planned(actlab_command, tmp_path):
    (tmp_path / "rows").mkdir()
    for i, (name, (content, keys, said)) in enumerate(UNDERSTOOD.items()):
        write_rows(tmp_path / "rows" / name, content)
        code, printed, problem = actlab_command("new", f"studies/s{i}", "--data", f"rows/{name}")
        assert code == 0, (name, problem)
        assert printed.startswith(f"data rows/{name}\n  target ")
        section = parse(tmp_path / "studies" / f"s{i}.yaml")[0]["data"]
        assert section["name"] == f"../rows/{name}"
        for key, value in keys.items():
            assert section.get(key) == value, (name, key)
        text = (tmp_path / "studies" / f"s{i}.yaml").read_text()
        for words in said:
            assert words in printed, (name, words)
        for doubt in re.findall(r"(?m)^  unsure    (?:\w+: )?(.*)$", printed):
            assert "\\" in doubt or doubt[:40] in text, name  # a terminal's escapes are not the file's
        planned = plan(read(tmp_path / "studies" / f"s{i}.yaml"))
        assert planned.runs, name
        (about,) = planned.data
        assert about["rows"]["train"] >= 30
        assert not any("\x1b" in one or "\u202e" in one for one in (printed, text)), name


def test_the_sizes_fit_the_number_of_rows(actlab_command, tmp_path):
    for rows in (6, 20, 200, 5000):
        x = np.random.default_rng(rows).normal(size=rows)
        write_rows(tmp_path / f"r{rows}.csv", {"a": x, "b": x**2, "y": np.array(["p", "q"])[np.arange(rows) % 2]})
        assert actlab_command("new", f"s{rows}", "--data", f"r{rows}.csv")[0] == 0
        config = read(tmp_path / f"s{rows}.yaml").config
        training = plan(read(tmp_path / f"s{rows}.yaml")).data[0]["rows"]["train"]
        assert 1 <= config.train.batch_size <= max(training / 4, 1)
        assert config.measure.probe_rows == min(training, 256)
    assert config.train.batch_size == 64


def test_rows_go_into_every_template_and_a_bundled_set_too(actlab_command, tmp_path):
    write_rows(tmp_path / "r.csv", {"a": X, "price": X**2})
    for rows in ("r.csv", "diabetes"):
        for template in new.WORDS:
            name = f"{template}-{rows.removesuffix('.csv')}"
            code, said, problem = actlab_command("new", name, "--template", template, "--data", rows)
            assert code == 0, problem
            assert "--metric test_r2" in said or template == "dying"
            assert plan(read(tmp_path / f"{name}.yaml", ["model.activation=relu"])).data[0]["task"] == "regression"
    assert not list(tmp_path.glob("own-data-*.csv"))


def test_another_target_is_taken_when_asked_for(actlab_command, tmp_path):
    write_rows(tmp_path / "r.csv", TITANIC)
    code, said, _ = actlab_command("new", "mine", "--data", "r.csv", "--target", "Age")
    assert code == 0
    assert "regression of 'Age'" in said
    section = parse(tmp_path / "mine.yaml")[0]["data"]
    assert (section["target"], section["missing"]) == ("Age", "drop_rows")
    assert "did you mean 'Age'?" in actlab_command("new", "other", "--data", "r.csv", "--target", "Agee")[2]


HOPELESS = {
    "empty.csv": ("", "found an empty file"),
    "header.csv": ("a,b,y\n", "expected rows of data, 6 at least, found none"),
    "two.csv": ("a,y\n1,p\n2,q\n", "6 at least, found 2"),
    "one_column.csv": ("a\n" + "1\n" * 20, "only 'a'"),
    "prose.csv": ("Dear all,\nthis is, well, no table\n", "line 2"),
    "one_class.csv": (
        {"a": X, "b": X, "y": ["p"] * ROWS},
        "column 'y' would be the target by its name, and is the same in every row",
    ),
    "rare.csv": ({"a": X, "y": ["rare", *KINDS[1:]]}, "--target a, say, predicts another column"),
    "rare_last.csv": ({"a": X, "b": X, "taste": ["rare", *KINDS[1:]]}, "Take its rows out of the file"),
    "days.csv": ({"day": DAY.astype(str), "id": range(ROWS)}, "no column can be the target"),
    "latin.csv": ("a,y\n1,\xe4\n".encode("latin-1"), "not UTF-8"),
}


def test_files_that_cannot_be_used_get_one_message_and_leave_nothing(actlab_command, tmp_path):
    odd = {name: (make(), "") for name, (make, _) in REFUSED.items() if not name.startswith(("long_text", "much_text"))}
    for name, (content, said) in (HOPELESS | odd).items():
        write_rows(tmp_path / name, content)
        code, printed, problem = actlab_command("new", "mine", "--data", name)
        if code == 0 and not said:  # it was only to be dropped
            plan(read(tmp_path / "mine.yaml"))
            (tmp_path / "mine.yaml").unlink()
        else:
            assert code == 2, name
            assert printed == ""
            assert said in problem, (name, problem)
            assert len(problem.splitlines()) == 1, name
            advice = re.search(r"--target (\S+), say", problem)
            assert not advice or actlab_command("new", "again", "--data", name, *advice[0][:-5].split(" "))[0] == 0
        (tmp_path / "again.yaml").unlink(missing_ok=True)
        (tmp_path / name).unlink()
        assert list(tmp_path.iterdir()) == [], name
    with (tmp_path / "sparse.csv").open("wb") as file:
        file.truncate(20 * 2**30)
    assert "actlab reads at most" in actlab_command("new", "mine", "--data", "sparse.csv")[2]


def test_damaged_files_are_planned_or_refused(actlab_command, tmp_path):
    """What ``new`` writes is planned there and then: code 0 says that it was."""
    for name, (content, fragments) in SEEDS.items():
        draw, read_ones = np.random.default_rng([7, *name.encode()]), 0
        for number in range(25):
            (tmp_path / name).write_bytes(mutated(content, draw, fragments))
            code, _, problem = actlab_command("new", f"s{number}", "--data", name)
            assert code in (0, 2), (name, number, problem)
            assert code == 0 or len(problem.splitlines()) == 1, (name, number, problem)
            assert (tmp_path / f"s{number}.yaml").exists() == (code == 0)
            (tmp_path / f"s{number}.yaml").unlink(missing_ok=True)
            read_ones += code == 0
        assert read_ones or not name.endswith("sv")
        files.table_in.cache_clear()
