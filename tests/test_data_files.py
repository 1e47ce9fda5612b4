"""Data files of every kind that people have: read right, or refused with the key that decides."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from actlab import data
from actlab.data.labels import skeleton
from actlab.data.row_numbers import is_counter
from tests.thinned import thinned

ROWS = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=ROWS)
KINDS = np.array(["p", "q"])[np.arange(ROWS) % 2]


@pytest.fixture
def load(tmp_path):
    """Write a file of text, bytes, arrays or columns, and load it."""

    def of(content, name="rows.csv", **options):
        path = tmp_path / name
        if isinstance(content, str | bytes):
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        elif path.suffix == ".npz":
            np.savez(path, **content)
        elif path.suffix == ".parquet":
            pd.DataFrame(content).to_parquet(path)
        else:
            pd.DataFrame(content).to_csv(path, index=False)
        return data.load(str(path), **options)

    return of


@pytest.fixture
def refused(load):
    """Assert that a file is refused in one line that says all the given words."""

    def check(content, *said, **options):
        with pytest.raises(data.DataError) as caught:
            load(content, **options)
        for word in (*said, "rows."):
            assert word in str(caught.value)
        assert "\n" not in str(caught.value)

    return check


def lines(form, *columns, head="a,y"):
    """Lay columns out as lines of text."""
    return "\n".join([head, *(form.format(*row) for row in zip(*columns, strict=True))]) + "\n"


def everything(loaded):
    return np.concatenate([split.x for split in (loaded.train, loaded.validation, loaded.test)])


def with_column(name, values, place=0):
    table = pd.DataFrame({"a": X, "y": KINDS})
    table.insert(place, name, values)
    return table


# The first line


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("5.1,3,p", "'5.1'"),
        ("5,3,p", "'5'"),
        ("-1e3,x,p", "'-1e3'"),
        ("x,2020-01-31,p", "'2020-01-31'"),
        ("x,z,p", "'p', which its column holds below"),
        ("0,1,2", "only numbers"),
        ("1.5,2,3", "only numbers"),
    ],
)
def test_a_first_line_that_may_be_data_is_refused_with_its_key(first, said, refused, load):
    text = first + "\n" + lines("{},{},{}", np.arange(ROWS) % 5, np.arange(ROWS) % 3, KINDS).partition("\n")[2]
    refused(text, said, "data.header: false")
    if said.startswith("'5"):
        loaded = load(text, header=False, standardize=False)
        assert loaded.features == ("x0", "x1")
        assert len(everything(loaded)) == ROWS + 1
        assert float(first.split(",")[0]) in everything(loaded)[:, 0]
    if "holds below" not in said and "only" not in said and "x" not in first:
        assert load(text, header=True).features == tuple(first.split(",")[:2])


def test_without_a_header_the_target_is_the_last_column_or_named_by_its_place(load):
    text = lines("{},{},{}", X, KINDS, np.arange(ROWS) % 3, head="0.25,p,1")
    assert load(text, header=False, drop=("x1",)).classes == ("0", "1", "2")
    assert load(text, header=False, target="x1").classes == ("p", "q")


# Separators and decimal marks


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_separator_is_asked_for_where_two_would_do(separator, refused, load):
    numbers = [f"{abs(x) * 100:.1f}".replace(".", ",") for x in X]
    text = lines(f"{{}}{separator}{{}}", numbers, KINDS, head=f"Laenge, cm{separator}Klasse")
    refused(text, "data.separator")
    refused(text, "expected a number, found", "data.decimal: ','", separator=separator)
    loaded = load(text, separator=separator, decimal=",", standardize=False)
    assert loaded.features == ("Laenge, cm",)
    assert loaded.classes == ("p", "q")
    assert np.allclose(np.sort(everything(loaded)[:, 0]), np.sort([float(n.replace(",", ".")) for n in numbers]))


def test_a_separator_that_is_not_the_files_is_named(refused):
    refused(lines("{};{}", X, KINDS, head="a;y"), "only 'a;y'", 'data.separator: ";"')
    refused(lines("{}\t{}", X, KINDS, head="a\ty"), 'data.separator: "\\t"')
    refused(lines("{};1;{}", X, KINDS, head="a;b, c;y"), "line 2", 'data.separator: ";"')


@pytest.mark.parametrize("text", ["1.100,5", "1.100", "1 100", "1'100", "1_100"])
def test_thousands_are_not_read_as_something_else(text, refused):
    refused(lines("{};{}", [text] * ROWS, KINDS, head="a;y"), f"found {text!r}", separator=";", decimal=",")


@pytest.mark.parametrize("decimal", [".", ","])
def test_two_decimal_marks_in_one_column_cannot_be_read(decimal, refused):
    both = [f"{i}.5" if i % 2 else f"{i},25" for i in range(ROWS)]
    refused(lines("{};{}", both, KINDS, head="a;y"), "has decimal points and commas", separator=";", decimal=decimal)


@pytest.mark.parametrize("text", ["1,100", "1_100", "1,100.5", "0x1F", "٣", "5%", "1d5"])
def test_only_what_files_mean_by_a_number_is_one(text, refused):
    refused(lines('"{}",{}', [text] * ROWS, KINDS), f"found {text!r}")


def test_a_target_of_decimal_commas_is_no_class(refused, load):
    text = lines("{};{}", np.arange(ROWS) % 9, [f"{i % 7},5" for i in range(ROWS)], head="a;y")
    refused(text, "data.decimal: ','", "data.decimal: '.' if these are labels", separator=";")
    assert load(text, separator=";", decimal=",").task == "regression"
    assert load(text, separator=";", decimal=".").classes[0] == "0,5"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_with_a_mark_and_line_ends(encoding, end, load):
    text = lines("{},{}", X, np.array(["ä", "ö"])[np.arange(ROWS) % 2]).replace("\n", end)
    assert load(text.encode(encoding)).classes == ("ä", "ö")


def test_other_encodings_are_refused_with_the_line(refused):
    text = lines("{},{}", X, ["a"] * 9 + ["ä"] * (ROWS - 9))
    refused(text.encode("latin-1"), "line 11 is not UTF-8 text")
    refused(text.replace("ä", "b").encode("utf-16-le"), "zero bytes")


def test_dialects_of_spreadsheets(load, refused):
    assert load("sep=;\n" + lines("{};{}", X, KINDS, head="a;y")).features == ("a",)
    assert load(lines("{},1,{},", X, KINDS, head="a,b,y,")).features == ("a", "b")
    assert load(lines("{},1,{},", X, KINDS, head="a,b,y")).classes == ("p", "q")
    refused(lines("{},{},{}", range(ROWS), X, KINDS), "line 2: expected 2 values, found 3, as in every row")
    refused(lines("{},{}", X, KINDS) + "1\n", f"line {ROWS + 2}: expected 2 values, found 1", missing="drop_rows")
    assert load(lines("{}\t{}", X, KINDS, head="a\ty"), "rows.tsv").features == ("a",)


# Columns that number the rows


WRITERS = ["Unnamed: 0", "__index_level_0__", "level_0", "...1", "index", "Index", "row_names", "row.names", "rownames"]
PEOPLE = ["id", "ID", "Id", "PassengerId", "sample_id", "user-id", "X", "X.1", "V1", "#", "Nr", "lfd. Nr.", "RowNumber"]
PEOPLE += ["OBJECTID", "FID", "oid", "gid", "Column1", "index.1", "id.1", "ID.12", "obsnum", "casenum", "número"]
PEOPLE += ["Numéro", "índice", "Fallnummer", "subject", "Participant", "case_no.", "ＩＤ", "row-number", "#.1"]


@pytest.mark.parametrize("name", thinned([*WRITERS, *PEOPLE], 3))
@pytest.mark.parametrize("place", [0, 2])
def test_row_numbers_are_refused_under_the_names_that_they_have(name, place, refused, load):
    """As a feature, and as the last column, which would be the target."""
    for numbers in (np.arange(ROWS), 1 + np.arange(ROWS), RNG.permutation(ROWS), 3.0 * np.arange(ROWS)):
        table = with_column(name, numbers, place)
        refused(table, repr(name), "number" if place else "leave it out with data.drop", "data.drop")
        assert load(table, drop=(name,)).features == ("a",)
        kept = load(table, keep=(name,), target="y")
        assert set(kept.features) == {"a", name}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_frames_put_together_count_again(suffix, refused, load):
    refused(with_column("index", np.tile(np.arange(20), 3)), "numbers the rows (0 to 19)", name=f"rows.{suffix}")
    assert load(with_column("index", np.arange(ROWS) % 2), f"rows.{suffix}").features == ("index", "a")


@pytest.mark.parametrize("name", ["width", "x", "humid", "paid", "valid", "grid", "age"])
def test_other_columns_of_whole_numbers_are_features_and_counts_are_told(name, load):
    assert not is_counter(name)
    (note,) = load(with_column(name, RNG.permutation(ROWS))).notes
    assert note.startswith(f"column {name!r} has each of 0 to 59 once, as row numbers do; data.drop: [{name}]")
    assert load(with_column(name, RNG.permutation(2 * ROWS)[:ROWS])).notes == ()
    counted = load(with_column(name, np.arange(ROWS)))
    assert counted.notes == (f"column {name!r} counts the rows (0 to 59); data.drop: [{name}] leaves it out",)


def test_what_is_called_an_identifier_and_repeats_is_told(load):
    (note,) = load(with_column("patient_id", np.arange(ROWS) // 2)).notes
    assert note == "column 'patient_id' is learned from, whatever its name says; data.drop: [patient_id] leaves it out"


def test_an_index_without_a_name(refused, tmp_path):
    text = pd.DataFrame({"a": X, "y": KINDS}).to_csv()
    refused(text, "column 1 has no name", 'data.drop: ["Unnamed: 0"]')
    (tmp_path / "rows.csv").write_text(text)
    assert data.load(str(tmp_path / "rows.csv"), drop=("Unnamed: 0",)).features == ("a",)


def test_a_frames_index_in_parquet_is_left_out_told_and_there_when_asked_for(load):
    table = pd.DataFrame({"a": X, "y": KINDS}).set_index(pd.Index(RNG.permutation(ROWS), name="id"))
    left = load(table, "rows.parquet")
    assert left.features == ("a",)
    assert "the frame's index id is left out" in left.notes[0]
    assert load(table, "rows.parquet", keep=("id",)).features == ("a", "id")
    assert load(table, "rows.parquet", drop=("id",)).notes == ()
    assert load(table.reset_index().set_index("y"), "rows.parquet", target="y", drop=("id",)).classes == ("p", "q")


def test_texts_that_name_the_rows(refused, load):
    table = with_column("name", [f"row {i}" for i in range(ROWS)])
    refused(table, "expected a number, found 'row 0'", "data.categorical: one_hot", "data.drop")
    refused(table, "60 different texts in 60 rows", "data.drop: [name]", categorical="one_hot")
    assert len(load(table, categorical="one_hot", keep=("name",)).features) == 1 + 36


def test_names_of_columns_that_are_not_there(refused):
    table = {"alpha": X, "y": KINDS}
    refused(table, "data.drop: no column 'alhpa'; did you mean 'alpha'?", drop=("alhpa",))
    refused(table, "data.keep: no column 'b'", keep=("b",))
    refused(table, "'y' is in data.drop and is data.target", drop=("y",), target="y")
    refused(table, "'alpha' is in data.drop and is data.keep", drop=("alpha",), keep=("alpha",))


# Labels


def test_labels_that_nobody_can_tell_apart_are_one_class(load):
    spellings = ["p", "p ", "\u00a0p", "p\ufeff", "caf\u00e9", "cafe\u0301"]
    for name in ("rows.csv", "rows.parquet"):
        loaded = load({"a": X, "y": np.array(spellings)[np.arange(ROWS) % 6]}, name)
        assert loaded.classes == ("caf\u00e9", "p")
        assert any("read without what cannot be seen" in note for note in loaded.notes)


def test_labels_that_are_hardly_told_apart_are_told(load):
    loaded = load({"a": X, "y": np.array(["Yes", "yes", "New York", "new  york"])[np.arange(ROWS) % 4]})
    assert len(loaded.classes) == 4
    assert sum("differ in case or white space only: they are 2 classes" in note for note in loaded.notes) == 2


def test_names_of_columns_lose_what_cannot_be_seen(load):
    assert load(lines("{},{}", X, KINDS, head="a\u00a0,y "), target="y").features == ("a",)
    spaced = load(lines("{} , 1 ,{}", X, KINDS, head="a , b ,y"))
    assert (spaced.features, spaced.notes) == (("a", "b"), ())


def test_integers_are_one_label_however_they_are_written(load):
    loaded = load(lines("{},{}", X, np.array(["01", "1", "2"])[np.arange(ROWS) % 3]))
    assert loaded.classes == ("1", "2")
    assert "labels '01', '1' of 'y' are one number" in loaded.notes[0]
    floats = lines("{},{}", X, np.array(["1.0", "1", "2"])[np.arange(ROWS) % 3])
    assert "data.task: classification if they are labels" in load(floats).notes[0]
    assert load(floats, task="classification").classes == ("1", "2")
    assert load(lines("{},{}", X, np.array(["True", "TRUE", "false"])[np.arange(ROWS) % 3])).classes == (
        "False",
        "True",
    )


@pytest.mark.parametrize("word", ["None", "NA", "nan", "null", "NA "])
def test_a_class_may_be_called_none(word, refused, load):
    text = lines("{},{}", X, np.array([word, "q"])[np.arange(ROWS) % 2])
    refused(text, "missing value (in 30 rows)", "data.na_values: [] makes it a label")
    assert load(text, na_values=()).classes == tuple(sorted([word.strip(), "q"]))
    assert load(text, na_values=("?",)).classes == tuple(sorted([word.strip(), "q"]))


# Missing values, text columns: by training rows alone


def gaps():
    table = pd.DataFrame({"a": X, "b": RNG.normal(size=ROWS), "k": np.array(list("uvw"))[np.arange(ROWS) % 3]})
    table["y"] = np.arange(ROWS) // 6 % 2
    table.loc[::7, "b"], table.loc[::11, "k"] = np.nan, None
    return table


def test_missing_values_are_refused_dropped_or_filled_in(load, refused):
    table = gaps().drop(columns="k")
    refused(
        table, "column 'b', line 2: expected a number, found a missing value (in 9 rows)", "data.missing: drop_rows"
    )
    dropped = load(table, missing="drop_rows")
    assert len(everything(dropped)) == ROWS - 9
    assert "9 of 60 rows are left out" in dropped.notes[0]
    filled = load(table, missing="mean", standardize=False)
    values, number = np.unique(filled.train.x[:, 1], return_counts=True)
    mean = values[number.argmax()]
    assert mean == pytest.approx(filled.train.x[filled.train.x[:, 1] != mean, 1].mean())
    assert np.any(filled.test.x[:, 1] == mean)


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_a_missing_target_cannot_be_filled_in(name, load, refused):
    table = gaps().drop(columns=["b", "k"]).assign(y=lambda f: f["y"].where(f.index % 9 > 0))
    refused(table, "column 'y'", "a missing value (in 7 rows)", name=name, missing="mean")
    assert len(everything(load(table, name, missing="drop_rows", task="classification"))) == ROWS - 7


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_words_and_numbers_for_a_missing_value(name, kind, load):
    table = {"a": X, "b": np.where(np.arange(ROWS) % 5, np.arange(ROWS) % 3, -999).astype(kind), "y": KINDS}
    loaded = load(table, name, na_values=("-999",), missing="mean", standardize=False)
    assert everything(loaded)[:, 1].min() == 0
    assert "missing values in b (12)" in loaded.notes[0]


def test_every_column_needs_a_value_in_some_training_row(refused):
    table = {"a": X, "b": [np.nan] * ROWS, "y": KINDS}
    refused(table, "column 'b' has no value in any training row", "data.drop: [b]", missing="mean")
    refused(table, "every row has a missing value, in b", missing="drop_rows")


def test_what_validation_and_test_rows_hold_changes_no_training_row(load):
    """Means, deviations, categories and constants: all are the training rows' own."""
    table = gaps()
    options = {"missing": "mean", "categorical": "one_hot"}
    before = load(table, **options)
    drawn = load({"n": np.arange(ROWS) + 0.5, "y": table["y"]}, standardize=False)  # the same strata: the same splits
    others = (np.concatenate([drawn.validation.x, drawn.test.x])[:, 0] - 0.5).astype(int)
    changed = table.copy()
    changed.loc[others, "a"], changed.loc[others, "b"] = 1e6, -1e6
    changed.loc[others[::2], "k"], changed.loc[others[1::2], "b"] = "new", np.nan
    after = load(changed, **options)
    assert after.features == before.features
    assert np.array_equal(after.train.x, before.train.x)
    assert not np.array_equal(after.test.x, before.test.x)
    assert "no training row has 'new'" in after.notes[-1]


def test_a_text_column_is_an_input_for_each_value(load, refused):
    table = gaps()[["a", "k", "y"]]
    refused(table.dropna(), "expected a number, found", "data.categorical: one_hot")
    loaded = load(table.dropna(), categorical="one_hot", standardize=False)
    assert loaded.features == ("a", "k=u", "k=v", "k=w")
    assert np.array_equal(everything(loaded)[:, 1:].sum(axis=1), np.ones(len(table.dropna())))
    assert loaded.kinds["text"] == ("k",)
    filled = load(table, categorical="one_hot", missing="mean")
    assert np.allclose(filled.train.x.mean(axis=0), 0, atol=1e-12)
    assert np.any(np.all(np.abs(filled.train.x[:, 1:]) < 1e-12, axis=1))  # a missing text says nothing: the mean


def test_a_slip_among_numbers_makes_no_categories(refused):
    slipped = np.where(np.arange(ROWS) == 7, "red", (np.arange(ROWS) % 4).astype(str))
    refused(
        {"a": slipped, "y": KINDS},
        "line 9: expected a number, found 'red'",
        "data.na_values: [red]",
        categorical="one_hot",
    )


def test_integers_stay_labels_beside_missing_ones(load):
    labels = [None if i % 9 == 0 else i % 2 for i in range(ROWS)]
    for name in ("rows.csv", "rows.parquet"):
        table = pd.DataFrame({"a": X, "y": pd.array(labels, dtype="Int64")})
        assert load(table, name, missing="drop_rows").classes == ("0", "1")
    table = pd.DataFrame({"a": X, "b": pd.array([None if one is None else one > 0 for one in labels], "boolean")})
    loaded = load(table.assign(y=KINDS), "rows.parquet", missing="mean", standardize=False)
    assert set(np.round(np.unique(loaded.train.x[:, 1]), 6)) >= {0.0, 1.0}


def test_what_is_no_text_makes_no_categories(refused):
    for column in ([[1, 2]] * ROWS, [b"x"] * ROWS, pd.date_range("2020", periods=ROWS)):
        refused(
            pd.DataFrame({"a": X, "b": column, "y": KINDS}),
            "column 'b', row 1: expected a number",
            "data.drop leaves the column out",
            name="rows.parquet",
            categorical="one_hot",
        )


def test_a_value_that_dwarfs_the_others_is_told(load):
    (note,) = load({"a": np.where(np.arange(ROWS) % 10 == 0, 1e38, X), "b": X, "y": KINDS}).notes
    assert note.startswith("column 'a' goes from")
    assert "half of its values, or more, are one number in single precision" in note


def test_a_feature_of_a_table_of_ones_own_may_be_called_y(tmp_path):
    """It was the target, and the feature of that name was lost."""
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom actlab.data import Table\n\n\ndef rows():\n"
        "    x = np.random.default_rng(0).normal(size=(60, 2))\n"
        "    return Table(x, np.arange(60, dtype=np.int32) % 2, ('x', 'y'), ('p', 'q'))\n"
    )
    loaded = data.load(f"{tmp_path}/mine.py:rows", standardize=False)
    assert loaded.features == ("x", "y")
    assert len(np.unique(everything(loaded)[:, 1])) == 60


@pytest.mark.parametrize(("key", "value"), [("missing", "median"), ("categorical", "onehot"), ("decimal", ";")])
def test_choices_are_checked_without_a_study_too(key, value, refused):
    refused({"a": X, "y": KINDS}, f"unknown {key} '{value}'", **{key: value})


# Marks for a missing value, at the precision of their column


@pytest.mark.parametrize("name", ["rows.parquet", "rows.npz", "rows.csv"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("mark", ["-999.9", "-1e30", "9.96921e36"])
def test_a_mark_is_found_at_the_precision_of_its_column(name, kind, mark, load):
    """Of a float32 column -999.9 is another number than the float64 one: it was learned from."""
    if name.endswith("csv") or abs(float(mark)) > float(np.finfo(kind).max):
        kind = np.float32
    values = np.where(np.arange(ROWS) % 5, np.arange(ROWS) % 3, np.array(mark, kind)).astype(kind)
    if name.endswith("npz"):
        content = {"x": np.stack([values, X.astype(kind)], axis=1), "y": KINDS}
    else:
        content = {"x0": values if name.endswith("parquet") else values.astype(str), "x1": X, "y": KINDS}
    loaded = load(content, name, na_values=(mark,), missing="mean", standardize=False)
    assert everything(loaded)[:, 0].min() == 0
    assert everything(loaded)[:, 0].max() == 2
    assert "missing values in x0 (12)" in loaded.notes[0]


def test_marks_of_integers_are_exact(load):
    """2**53 + 1 is no mark for 2**53."""
    values = np.where(np.arange(ROWS) % 5, np.arange(ROWS) % 3 + 2**53, 2**53 + 9)
    loaded = load({"a": X, "b": values, "y": KINDS}, "rows.parquet", na_values=(str(2**53 + 1),), missing="drop_rows")
    assert len(everything(loaded)) == ROWS - int(np.sum(values == 2**53 + 1))


def test_marks_in_single_precision_stored_in_double(load):
    values = np.where(np.arange(ROWS) % 5, np.arange(ROWS) % 3, np.float32(-999.9)).astype(np.float64)
    loaded = load({"a": values, "y": KINDS}, "rows.parquet", na_values=("-999.9",), missing="drop_rows")
    assert len(everything(loaded)) == ROWS - 12


@pytest.mark.parametrize("first", ["0,1", "0,1,2", "0,1,2,3"])
def test_a_first_row_of_0_1_2_is_refused_and_no_row_is_lost(first, refused, load):
    width = first.count(",")
    text = (
        first
        + "\n"
        + "".join(",".join([f"{x:.3f}"] * width + [kind]) + "\n" for x, kind in zip(X, "pq" * (ROWS // 2), strict=True))
    )
    refused(text, "only numbers", "data.header: false if the first line is data, true if it names the columns")
    assert load(text, header=True).features == tuple(first.split(",")[:-1])
    numbers = text.replace(",p", ",1.5").replace(",q", ",2.5")
    assert len(everything(load(numbers, header=False))) == ROWS + 1


# Numbers of other types, and of more digits than a double has


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_decimals_are_quantities_as_floats_are(name, load):
    """Objects of Python's, they were classes."""
    prices = [Decimal(f"{i % 7}.50") for i in range(ROWS)]
    loaded = load({"a": X, "y": prices}, name)
    assert (loaded.task, loaded.target_range) == ("regression", (0.5, 6.5))
    assert load({"a": X, "y": [Decimal(i % 3) for i in range(ROWS)]}, name).classes == ("0", "1", "2")
    some = [None if i % 9 == 0 else one for i, one in enumerate(prices)]
    assert load({"a": X, "y": some}, "rows.parquet", missing="drop_rows").task == "regression"


@pytest.mark.parametrize("kind", ["datetime64[ns]", "datetime64[s]", "timedelta64[ns]", "date"])
def test_dates_are_no_classes_unasked(kind, load, refused):
    days = np.arange(ROWS) % 4
    if kind == "date":
        times = [datetime.date(2020, 1, 1 + int(day)) for day in days]
    else:
        times = days.astype("timedelta64[D]").astype(kind) if "delta" in kind else (days * 86400).astype(kind)
    table = pd.DataFrame({"a": X, "y": times})
    refused(table, "the target 'y' holds dates or times", "data.task: classification", name="rows.parquet")
    refused(table, "the target 'y'", name="rows.parquet", task="regression")
    assert len(load(table, "rows.parquet", task="classification").classes) == 4


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.npz"])
@pytest.mark.parametrize("far", [2**53, 2**62, -(2**62), 2**63 + 2**60])
def test_integers_that_a_double_cannot_tell_apart_are_learned_from(name, far, load):
    """They were one number, called constant, and 0 in every row."""
    kind = np.uint64 if far > 2**63 else np.int64
    values = np.array([far + i % 3 for i in range(ROWS)], kind)
    content = {"x": values[:, None], "y": KINDS} if name.endswith("npz") else {"x0": values, "y": KINDS}
    loaded = load(content, name, standardize=False)
    assert sorted(set(everything(loaded)[:, 0])) == [0, 1, 2]
    assert "numbers of 'x0' have more digits than a double holds" in loaded.notes[0]
    assert load(content, name).train.x.std() == pytest.approx(1)
    near = load({"a": X, "y": values}, "rows.parquet", task="regression")
    assert near.target_range == (0, 2)


def test_integers_beyond_a_double_beside_missing_ones(load):
    values = np.array([2**60 + i % 3 for i in range(ROWS)])
    loaded = load({"a": values, "y": KINDS}, "rows.parquet", na_values=(str(2**60),), missing="drop_rows")
    assert len(everything(loaded)) == 40
    assert loaded.train.x.std() == pytest.approx(1)
    for name in ("rows.parquet", "rows.csv"):
        steps = load({"a": 10**18 + 256 * (np.arange(ROWS) % 3), "y": KINDS}, name)
        assert steps.train.x.std() == pytest.approx(1)
        wide = load({"a": 10**16 * (np.arange(ROWS) % 3), "y": KINDS}, name, standardize=False)
        assert (wide.notes, everything(wide).max()) == ((), 2e16)


# Texts that are hardly told apart


ALIKE = [
    ("Red", "red"),
    ("dark red", "dark  red"),
    ("a\u200bb", "ab"),
    ("１２x", "12x"),
    ("саr", "car"),
    ("a–b", "a-b"),
]


@pytest.mark.parametrize("same", ALIKE)
@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_texts_that_look_alike_are_told_as_labels_and_as_features(same, name, load):
    kinds = np.array([*same, "other"])[np.arange(ROWS) % 3]
    loaded = load({"a": X, "y": kinds}, name)
    assert len(loaded.classes) == 3
    assert sum("they are 2 classes" in note for note in loaded.notes) == 1
    loaded = load({"k": kinds, "y": KINDS}, name, categorical="one_hot")
    assert len(loaded.features) == 3
    assert sum("they are 2 texts" in note for note in loaded.notes) == 1


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_texts_of_features_lose_what_cannot_be_seen_and_it_is_told(name, load):
    kinds = np.array(["red", "red ", "red\u00a0", "caf\u00e9", "cafe\u0301"])[np.arange(ROWS) % 5]
    loaded = load({"k": kinds, "y": KINDS}, name, categorical="one_hot")
    assert loaded.features == ("k=caf\u00e9", "k=red")
    assert any("texts of 'k' are read without what cannot be seen" in note for note in loaded.notes)


def test_letters_of_other_alphabets_are_no_look_alikes():
    different = ["да", "нет", "да нет", "α", "a", "β", "b", "10", "1 1", "é", "f"]
    assert len({skeleton(text) for text in different}) == len(different)


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
@pytest.mark.parametrize(("first", "step"), [(59, -1), (10, 10), (0, -5), (2**30, 1000)])
def test_counts_in_other_steps_are_told(first, step, name, load):
    """As those in steps of 1 are: rows are often sorted by what is to be predicted."""
    values = first + step * np.arange(ROWS)
    (note,) = load({"a": X, "time": values, "y": KINDS}, name).notes
    assert note.startswith(f"column 'time' counts the rows in steps of {step} (")
    gone = pd.Series(values, dtype=float).where(np.arange(ROWS) % 7 > 0)
    assert any(
        "'time' counts the rows in steps" in note
        for note in load({"a": X, "time": gone, "y": KINDS}, name, missing="drop_rows").notes
    )


# Messages


@pytest.mark.parametrize(("text", "sign"), [("{}%", "%"), ("{}.5 %", "%"), ("${}", "it"), ("{} €", "it")])
@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
@pytest.mark.parametrize("categorical", ["refuse", "one_hot"])
def test_numbers_with_a_sign_are_no_categories(text, sign, name, categorical, load):
    values = [text.format(i % 5) for i in range(ROWS)]
    with pytest.raises(data.DataError, match=f"write the numbers without {sign}") as caught:
        load({"a": values, "b": X, "y": KINDS}, name, categorical=categorical)
    assert "one_hot" not in str(caught.value)


def test_the_text_that_is_taken_for_a_missing_value_is_named(refused):
    refused({"a": np.where(np.arange(ROWS) % 7, "1", "NA"), "y": KINDS}, "found 'NA', a missing value (in 9 rows)")
    refused(
        lines("{},{}", X, ["None", "q"] * 30), "found 'None', a missing value", "data.na_values: [] makes it a label"
    )
    kinds = np.array(["None", "q", "r"])[np.arange(ROWS) % 3]
    refused({"k": kinds, "b": X, "y": KINDS}, "'None'", "data.na_values: [] makes it a text", categorical="one_hot")


@pytest.mark.parametrize("number", [-999, -999.0, np.int64(-999), np.float64(-999)])
def test_marks_may_be_numbers(number, load):
    table = {"a": X, "b": np.where(np.arange(ROWS) % 5, np.arange(ROWS) % 3, -999), "y": KINDS}
    for marks in ([number], (number,), number):
        assert len(everything(load(table, na_values=marks, missing="drop_rows"))) == ROWS - 12
    assert load(table, drop="b").features == ("a",)


@pytest.mark.parametrize("key", ["na_values", "drop", "keep"])
@pytest.mark.parametrize("bad", [[None], [True], [["a"]], {"a": 1}])
def test_lists_of_something_else_are_refused(key, bad, refused):
    refused({"a": X, "y": KINDS}, f"data.{key}: expected texts or numbers", **{key: bad})


@pytest.mark.parametrize("number", [5, 7, 10])
def test_whole_numbers_that_may_be_quantities_are_told(number, load):
    (note,) = load({"a": X, "y": np.arange(ROWS) ** 2 % 101 % number + 1}).notes
    assert "taken for class labels; data.task: regression if they are quantities" in note
    assert load({"a": X, "y": np.arange(ROWS) % 4}).notes == ()
