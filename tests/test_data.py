"""Data sets: properties of splitting and standardising, files of every kind, one clear message for everything wrong."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from actlab import data
from actlab.data import splits
from actlab.data.bundled import stored
from actlab.data.content import bundled_checksum

NAMES = tuple(name for name, one in data.DATASETS.items() if not (one.generated or one.extra or one.cached))


def frame(rows=60, seed=0):
    """Make two features, a text label in thirds, and a quantity."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.normal(size=rows),
            "b": rng.integers(0, 5, rows),
            "flag": rng.random(rows) < 0.5,
            "price": rng.normal(size=rows) * 10 + 100,
            "label": np.array(["low", "mid", "high"])[np.arange(rows) % 3],
        }
    )


def parts(dataset):
    return {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}


# Bundled data sets


@pytest.mark.parametrize("name", NAMES)
def test_bundled_data_are_what_scikit_learn_loads(name):
    table = data.DATASETS[name].load()
    theirs = getattr(datasets, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))
    assert np.array_equal(table.x, theirs.data)
    assert np.array_equal(table.y, theirs.target)
    assert table.features == tuple(map(str, theirs.feature_names))
    assert table.classes == (() if table.task == "regression" else tuple(map(str, theirs.target_names)))
    assert table.x.dtype == np.float64
    assert table.y.dtype == (np.float64 if table.task == "regression" else np.int32)


def test_a_data_file_that_scikit_learn_lacks_is_named():
    with pytest.raises(data.DataError, match=r"gone\.csv.*scikit-learn"):
        stored("gone.csv")


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_disjoint_cover_and_take_60_20_20(name):
    table = data.DATASETS[name].load()
    dataset = data.load(name, standardize=False)
    together = np.concatenate([split.x for split in parts(dataset).values()])
    # every row of the table once: sort rows of both, compare
    assert np.array_equal(np.unique(together, axis=0), np.unique(table.x, axis=0))
    assert len(together) == len(table.x)
    shares = [len(split.y) / len(table.x) for split in parts(dataset).values()]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.01)


@pytest.mark.parametrize("name", [name for name in NAMES if data.DATASETS[name].task == "classification"])
def test_each_class_has_its_proportion_in_each_split(name):
    table = data.DATASETS[name].load()
    dataset = data.load(name)
    share = np.bincount(table.y) / len(table.y)
    for split in parts(dataset).values():
        count = np.bincount(split.y, minlength=len(dataset.classes))
        assert np.all(np.abs(count - share * len(split.y)) <= 1.5)
        assert split.y.dtype == np.int32


def test_regression_targets_have_the_same_quantiles_in_each_split():
    y = data.DATASETS["diabetes"].load().y
    edges = np.quantile(y, [0.25, 0.5, 0.75])
    dataset = data.load("diabetes")
    train, validation, test = splits.split_rows(splits.quantiles(y), np.random.default_rng(0))
    for rows in (train, validation, test):
        below = np.mean(y[rows][:, None] <= edges, axis=0)
        assert below == pytest.approx([0.25, 0.5, 0.75], abs=0.05)
    mean, std = y[train].mean(), y[train].std()
    assert np.allclose(dataset.test.y[:, 0], (y[test] - mean) / std)


@pytest.mark.parametrize("name", NAMES)
def test_records_are_complete_and_shapes_agree(name):
    record, dataset = data.DATASETS[name], data.load(name)
    assert record.reference
    assert record.summary.endswith(".")
    assert dataset.task == record.task
    assert (dataset.classes == ()) == (dataset.task == "regression")
    assert 0 < dataset.target_loss == record.target_loss < dataset.constant_loss
    for split in parts(dataset).values():
        assert split.x.dtype == np.float64
        assert split.x.shape == (len(split.y), len(dataset.features))
        assert split.y.shape == ((len(split.x),) if dataset.classes else (len(split.x), 1))


def test_the_seed_alone_decides_the_splits():
    first, again, other = data.load("wine", seed=3), data.load("wine", seed=3), data.load("wine", seed=4)
    for name in ("train", "validation", "test"):
        assert np.array_equal(parts(first)[name].x, parts(again)[name].x)
    assert not np.array_equal(first.validation.x, other.validation.x)


@pytest.mark.parametrize("name", NAMES)
def test_units_come_from_training_rows_alone(name):
    raw, dataset = data.load(name, standardize=False), data.load(name)
    varies = np.ptp(raw.train.x, axis=0) > 0
    assert np.allclose(dataset.train.x.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(dataset.train.x.var(axis=0)[varies], 1)
    mean, std = raw.train.x.mean(axis=0)[varies], raw.train.x.std(axis=0)[varies]
    for part in ("validation", "test"):
        expected = (parts(raw)[part].x[:, varies] - mean) / std
        assert np.allclose(parts(dataset)[part].x[:, varies], expected)
        assert np.all(parts(dataset)[part].x[:, ~varies] == 0)


def test_a_feature_constant_in_training_becomes_zero_even_where_its_deviation_is_rounding_noise():
    values = np.full((100, 1), 0.1)
    assert values.std() != 0  # the trap
    values[-1] = 5.0
    assert np.all(splits.standardized(values, np.arange(99)) == 0)


@pytest.mark.parametrize("standardize", [True, False])
def test_regression_targets_are_always_in_training_units(standardize):
    dataset = data.load("diabetes", standardize=standardize)
    assert dataset.train.y.mean() == pytest.approx(0, abs=1e-12)
    assert dataset.train.y.var() == pytest.approx(1)
    assert dataset.constant_loss == pytest.approx(1)
    assert (np.abs(dataset.train.x.mean(axis=0)).max() < 1e-12) == standardize


def test_constant_loss_is_the_best_constant_predictor():
    dataset = data.load("breast_cancer")
    p = np.mean(dataset.train.y == 1)
    grid = np.linspace(0.001, 0.999, 9999)
    losses = -(p * np.log(grid) + (1 - p) * np.log(1 - grid))
    assert dataset.constant_loss == pytest.approx(losses.min(), abs=1e-6)
    few = data.load("diabetes", train_rows=20)
    constants = np.linspace(-1, 1, 2001)
    squares = np.mean((few.train.y - constants[None, :]) ** 2, axis=0)
    assert few.constant_loss == pytest.approx(squares.min(), abs=1e-5)


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "diabetes"])
def test_fewer_training_rows_are_a_stratified_subset_of_more(name):
    whole = data.load(name)
    sizes = (20, 50, 200, len(whole.train.y))
    for size in sizes:
        dataset = data.load(name, train_rows=size)
        assert np.array_equal(dataset.train.x, whole.train.x[:size])
        assert np.array_equal(dataset.validation.x, whole.validation.x)
        assert np.array_equal(dataset.test.y, whole.test.y)
        if dataset.classes:
            share = np.bincount(whole.train.y) / len(whole.train.y)
            assert np.all(np.abs(np.bincount(dataset.train.y) - share * size) <= 1.5)
        else:
            tolerance = 0.5 / size**0.5
            assert np.mean(dataset.train.y <= np.median(whole.train.y)) == pytest.approx(0.5, abs=tolerance)


def test_the_smallest_training_subset_has_every_class_however_rare():
    strata = np.repeat([0, 1, 2], [200, 50, 5])
    train, _, _ = splits.split_rows(strata, np.random.default_rng(0))
    assert set(strata[train[:3]]) == {0, 1, 2}
    assert np.array_equal(np.sort(data.load("digits", train_rows=10).train.y), np.arange(10))


@pytest.mark.parametrize("size", [3, 4, 5, 7, 11])
def test_small_classes_stand_in_every_split(size):
    strata = np.repeat(np.arange(4), [size, 3, 8, 20])
    for rows in splits.split_rows(strata, np.random.default_rng(0)):
        assert set(strata[rows]) == {0, 1, 2, 3}


# Files


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_frame_reads_the_same_from_csv_and_parquet(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    table = frame()
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    dataset = data.load(str(path), standardize=False)
    assert dataset.task == "classification"
    assert dataset.classes == ("high", "low", "mid")
    assert dataset.features == ("a", "b", "flag", "price")
    assert set(np.unique(dataset.train.x[:, 2])) == {0.0, 1.0}
    order = np.lexsort(dataset.train.x.T)
    x, y = dataset.train.x[order], dataset.train.y[order]
    for row, label in zip(x, y, strict=True):
        (at,) = np.flatnonzero(np.isclose(table["a"], row[0], rtol=1e-12))
        assert table["label"][at] == dataset.classes[label]
        assert table["price"][at] == pytest.approx(row[3])
    assert dataset.target_loss == pytest.approx(0.25 * np.log(3), rel=1e-3)


def test_target_column_and_task(tmp_path):
    path = tmp_path / "rows.csv"
    table = frame().drop(columns="label")
    table.to_csv(path, index=False)
    assert data.load(str(path)).task == "regression"  # the last column: floats
    assert data.load(str(path), target="b").task == "classification"
    assert data.load(str(path), target="b").classes == ("0", "1", "2", "3", "4")
    assert data.load(str(path), target="b", task="regression").task == "regression"
    assert data.load(str(path), target="flag").classes == ("False", "True")
    dataset = data.load(str(path), target="a")
    assert dataset.features == ("b", "flag", "price")
    assert dataset.target_loss == pytest.approx(0.25)
    assert data.load(str(path), target_loss=0.4).target_loss == 0.4


def test_whole_floats_may_be_called_classes(tmp_path):
    path = tmp_path / "rows.csv"
    frame().drop(columns="label").assign(y=lambda f: f["b"] * 1.0).to_csv(path, index=False)
    assert data.load(str(path)).task == "regression"
    assert data.load(str(path), task="classification").classes == ("0", "1", "2", "3", "4")


def test_integer_labels_keep_numeric_order(tmp_path):
    path = tmp_path / "rows.csv"
    frame().assign(y=np.arange(60) % 12).drop(columns="label").to_csv(path, index=False)
    assert data.load(str(path)).classes == tuple(str(i) for i in range(12))


@pytest.mark.parametrize("names", [("x", "y"), ("X", "y"), ("X", "Y")])
def test_npz_arrays(tmp_path, names):
    path = tmp_path / "rows.npz"
    x, y = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32), np.arange(50) % 2
    np.savez(path, **{names[0]: x, names[1]: y, "other": np.arange(50.0)})
    target = None if names[1] == "y" else names[1]
    dataset = data.load(str(path), target=target)
    assert dataset.train.x.shape == (30, 3)
    assert dataset.features == ("x0", "x1", "x2")
    assert dataset.classes == ("0", "1")
    assert data.load(str(path), target="other").task == "regression"


def test_npz_text_and_column_targets(tmp_path):
    path = tmp_path / "rows.npz"
    x = np.random.default_rng(0).normal(size=(50, 3))
    np.savez(path, x=x, y=np.array([b"no", b"yes"])[np.arange(50) % 2])
    assert data.load(str(path)).classes == ("no", "yes")
    np.savez(path, x=x, y=x[:, :1])
    assert data.load(str(path)).train.y.shape == (30, 1)


def test_csv_dialects_that_spreadsheets_and_pandas_write(tmp_path):
    path = tmp_path / "rows.csv"
    lines = ["\ufeffa, b, label", *(f"{i}.5, {i % 3}, c{i % 2}" for i in range(20)), "", ""]
    path.write_bytes("\r\n".join(lines).encode())
    dataset = data.load(str(path), standardize=False)
    assert dataset.features == ("a", "b")
    assert dataset.classes == ("c0", "c1")
    array = pd.DataFrame(np.column_stack([np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2]))
    array.to_csv(path, index=False)
    assert data.load(str(path), header=True).features == ("0", "1")


def test_a_parquet_index_is_no_feature(tmp_path):
    path = tmp_path / "rows.parquet"
    frame().sample(frac=1, random_state=0).to_parquet(path)
    assert data.load(str(path)).features == ("a", "b", "flag", "price")


def test_checksum_is_the_files(tmp_path):
    path = tmp_path / "rows.csv"
    frame().to_csv(path, index=False)
    assert data.checksum(str(path)) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bundled_checksum_is_of_the_arrays_and_of_nothing_else():
    checksums = {name: data.checksum(name) for name in NAMES}
    assert len(set(checksums.values())) == len(NAMES)
    iris = data.DATASETS["iris"]
    table = iris.load()
    again = replace(iris, name="flowers", load=lambda: replace(table, features=("a", "b", "c", "d")))
    assert bundled_checksum(again) == checksums["iris"]
    big_endian = replace(iris, load=lambda: replace(table, x=table.x.astype(">f8"), y=table.y.astype(">i4")))
    assert bundled_checksum(big_endian) == checksums["iris"]
    for x, y in ((np.nextafter(table.x, 9), table.y), (table.x, table.y[::-1]), (table.x.T, table.y)):
        assert bundled_checksum(replace(iris, load=lambda x=x, y=y: replace(table, x=x, y=y))) != checksums["iris"]


def test_importing_data_imports_neither_jax_nor_scikit_learn():
    code = "import sys; import actlab.data; print([m for m in ('jax', 'sklearn') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


# Refusals: one message with the place of the first thing wrong


def refusal(*arguments, **options):
    with pytest.raises(data.DataError) as caught:
        data.load(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_names_are_suggested():
    assert "did you mean 'digits'?" in refusal("digit")
    assert "breast_cancer, wine" in refusal("something")
    assert "did you mean 'regression'?" in refusal("digits", task="regresion")
    with pytest.raises(data.DataError, match="did you mean 'iris'"):
        data.checksum("irs")


def test_requests_that_do_not_fit_the_data_set():
    assert "this data set has its own" in refusal("digits", target="x")
    assert "digits: is a classification data set" in refusal("digits", task="regression")
    assert "between 10 and 1079, found 2000" in refusal("digits", train_rows=2000)
    assert "between 10 and 1079, found 3" in refusal("digits", train_rows=3)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        assert "positive number" in refusal("digits", target_loss=wrong)


def test_paths_that_cannot_be_read(tmp_path):
    frame().to_csv(tmp_path / "rows.csv", index=False)
    assert "did you mean 'rows.csv'?" in refusal(str(tmp_path / "row.csv"))
    assert "no such file" in refusal(str(tmp_path / "nowhere" / "row.csv"))
    assert "unknown file type '.xlsx'; expected one of .npz, .csv, .tsv, .parquet" in refusal("rows.xlsx")
    assert "unknown file type ''" in refusal(str(tmp_path))
    (tmp_path / "folder.csv").mkdir()
    assert "found a folder" in refusal(str(tmp_path / "folder.csv"))
    with pytest.raises(data.DataError, match="no such file"):
        data.checksum(str(tmp_path / "row.csv"))
    for suffix in ("parquet", "npz"):
        for content in (b"", b"not this format at all"):
            broken = tmp_path / f"broken.{suffix}"
            broken.write_bytes(content)
            assert "broken." in refusal(str(broken))
    (tmp_path / "binary.csv").write_bytes(b"\x93\xff\x00\xfe" * 20)
    assert "cannot be read as .csv" in refusal(str(tmp_path / "binary.csv"))


CSV = {
    "": "expected a line of column names, found an empty file",
    "\n\n": "expected a line of column names, found an empty file",
    "a,b,y\n": "expected rows of data, found none",
    "y\n1\n2\n": "expected columns separated by commas, found only 'y'",
    "a;b;y\n1;2;0\n": "expected columns separated by commas, found only 'a;b;y'",
    "a,b,a\n1,2,3\n": "two columns are named 'a'",
    ",a,y\n0,1,2\n": "column 1 has no name",
    "1.5,2,3\n1,2,3\n": "expected column names in the first line, found only numbers",
    "a,b,y\n1,2,0\n1,2,0,7\n": "line 3: expected 3 values, found 4",
    "a,b,y\n1,2,0,7\n1,2,0,7\n": "line 2: expected 3 values, found 4",
    "a,b,y\n1,2,0\n\n1,2\n": "line 4: expected 3 values, found 2",
    "a,b,y\n1,,0\n1,2,0\n": "column 'b', line 2: expected a number, found a missing value",
    "a,b,y\n1,,0\n1,NA,0\n": "column 'b', line 2: expected a number, found a missing value (in 2 rows)",
    "a,b,y\n1,2,0\n1,2,\n": "column 'y', line 3: expected a label or a number, found a missing value",
    "a,b,y\n1,2,0\n1,two,0\n": "column 'b', line 3: expected a number, found 'two'",
    "a,b,y\n1,2,0\n1,inf,0\n": "column 'b', line 3: expected a finite number in single precision, found inf",
    "a,b,y\n1,2,0\n1,1e39,0\n": "column 'b', line 3: expected a finite number in single precision, found 1e+39",
    '"a\nb",c,y\n1,2,0\n"1",x,0\n': "column 'c', line 4: expected a number, found 'x'",
    "a,y\n2020-01-01,0\n2020-01-02,1\n": "column 'a', line 2: expected a number, found '2020-01-01'",
    "a,y\n" + "1,0\n" * 9: "expected at least two classes, found only '0'",
    "a,y\n" + "1,0\n" * 9 + "1,1\n" * 2: "expected at least 3 rows of each class, one per split; found 2 of '1'. If",
    "a,y\n" + "1,0\n" * 9 + "1,1\n1,2\n": "found 1 of '1', the smallest of 2 such classes",
    "a,y\n" + "1,0.5\n" * 9: "expected at least 10 rows to split, found 9",
    "a,y\n" + "1,0.5\n" * 12: "the target is the same in every training row",
    "a,y\n" + "".join(f"1,{i % 60}\n" for i in range(100)): "too many for class labels; set task: regression",
}


@pytest.mark.parametrize("content", CSV)
def test_csv_refusals(tmp_path, content):
    path = tmp_path / "rows.csv"
    path.write_text(content)
    message = refusal(str(path))
    assert message.startswith(f"{path}: ")
    assert CSV[content] in message


def test_target_refusals(tmp_path):
    path = tmp_path / "rows.csv"
    frame().to_csv(path, index=False)
    assert "no target 'prise'; did you mean 'price'?" in refusal(str(path), target="prise")
    text = refusal(str(path), task="regression")
    assert "column 'label', line 2: expected a number, found 'low' (in 60 rows)" in text
    numeric = tmp_path / "numeric.csv"
    frame().drop(columns="label").to_csv(numeric, index=False)
    assert "expected a label (text or an integer)" in refusal(str(numeric), target="price", task="classification")


def test_many_integers_are_classes_when_asked(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,y\n" + "".join(f"{i},{i % 60}\n" for i in range(200)))
    assert len(data.load(str(path)).classes) == 60  # few vs the rows
    path.write_text("a,y\n" + "".join(f"{i},{i % 60}\n" for i in range(100)))
    assert "found 1 of '40'" in refusal(str(path), task="classification")
    assert data.load(str(path), task="regression").task == "regression"


def test_parquet_refusals(tmp_path):
    path = tmp_path / "rows.parquet"
    table = frame()

    def message(**columns):
        table.assign(**columns).to_parquet(path)
        return refusal(str(path))

    gaps = table["a"].where(table["a"].index != 4)
    assert "column 'a', row 5: expected a number, found a missing value" in message(a=gaps)
    assert "column 'b', row 1: expected a number" in message(b=pd.Timestamp("2020-01-01"))
    assert "column 'a', row 1: expected a number" in message(a=[[1.0, 2.0]] * 60)
    assert "column 'label', row 3" in message(label=table["label"].where(table.index != 2))
    pd.DataFrame(index=range(5)).to_parquet(path)
    assert "expected columns, found none" in refusal(str(path))


def test_npz_refusals(tmp_path):
    path = tmp_path / "rows.npz"
    x, y = np.ones((20, 2)), np.arange(20) % 2

    def message(**arrays):
        np.savez(path, **arrays)
        return refusal(str(path))

    assert "expected arrays x and y, found none" in message()
    assert "no target 'y'; choose from x" in message(x=x)
    assert "expected an array x (or X)" in message(features=x, y=y)
    assert "Python objects" in message(x=np.array([[1], ["a"]], dtype=object), y=y)
    assert "has shape (20,); expected [rows, features]" in message(x=x[:, 0], y=y)
    assert "has shape (20, 2); expected one value per row" in message(x=x, y=x)
    assert "'x' has 20 rows and 'y' has 19" in message(x=x, y=y[:-1])
    assert "expected numbers" in message(x=x.astype(str), y=y)
    assert "expected numbers" in message(x=x.astype(complex), y=y)
    assert "column 'y', row 1: expected a label or a number, found a missing value" in message(x=x, y=y * np.nan)
    assert "column 'x1', row 1: expected a finite number" in message(x=x * np.array([1, np.inf]), y=y)
    assert "column 'x0', row 1: expected a number, found a missing value" in message(x=x * np.nan, y=y)
    assert "expected rows of data, found none" in message(x=x[:0], y=y[:0])
