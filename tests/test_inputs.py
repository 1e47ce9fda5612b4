"""Numbers as a network is given them: nothing becomes constant unseen, and nothing constant becomes a signal."""

import numpy as np
import pandas as pd
import pytest

from actlab import data
from actlab.data.inputs import constant, lost, standardized
from actlab.study.plan import plan
from actlab.study.reading import StudyError, read

ROWS = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=ROWS)
ALL = np.arange(ROWS)
KINDS = np.array(["p", "q"])[ALL % 2]
STUDY = """
study: s
data: {name: rows.csv}
model: {depth: 2, width: 4}
train: {steps: 4, batch_size: 8}
measure: {every: 2, evaluate_every: 2}
"""


def sums(dtype, terms=20_000):
    """Add the same numbers in other orders: one number, but for rounding."""
    rng = np.random.default_rng(1)
    parts = rng.random(terms if dtype is np.float32 else 100).astype(dtype)
    add = sum if dtype is float else np.sum
    return np.array([add(rng.permutation(parts)) for _ in range(ROWS)], dtype)


CONSTANT = {
    "two spellings of 0.3": np.where(ALL % 2, 0.3, 0.1 + 0.2),
    "shares that add up": (lambda p: (p / p.sum(1, keepdims=True)).sum(1))(RNG.random((ROWS, 30))),
    "sums in float64, one after the other": sums(float),
    "sums in float32": sums(np.float32),
    "sums in float32, stored as float64": sums(np.float32).astype(np.float64),
    "around 1e-300": 1e-300 * np.where(ALL % 2, 0.3, 0.1 + 0.2),
    "around 1e30": 1e30 * np.where(ALL % 2, 0.3, 0.1 + 0.2),
}
VARIES = {
    "a part in a billion": 1 + 1e-9 * X,
    "ten units at 1e14": 1e14 + np.round(10 * RNG.random(ROWS), 1),
    "seconds of a date": 1.6e9 + ALL % 7,
    "counts at 2**52": 2.0**52 + ALL % 2,
    "millimetres of an easting": 4_500_000 + np.round(RNG.random(ROWS), 3),
    "around 1e-300": 1e-300 * X,
    "below what float64 holds in full": 1e-310 * X,
    "around 1e30": 1e30 * X,
    "one far off": np.where(ALL == 3, 1.0, 0.0) + 1e-4 * X,
}


@pytest.mark.parametrize("case", CONSTANT)
@pytest.mark.parametrize("suffix", ["parquet", "npz"])
def test_what_is_constant_but_for_rounding_becomes_zero_and_is_told(case, suffix, tmp_path):
    values = CONSTANT[case]
    assert len(np.unique(values)) > 1
    path = tmp_path / f"rows.{suffix}"
    if suffix == "npz":
        x = np.stack([values, X.astype(values.dtype)], axis=1)
        np.savez(path, x=x, y=KINDS)
    else:
        pd.DataFrame({"x0": values, "a": X, "y": KINDS}).to_parquet(path)
    loaded = data.load(str(path))
    assert np.all(loaded.train.x[:, 0] == 0)
    assert np.all(loaded.test.x[:, 0] == 0)
    assert loaded.notes == ("constant but for rounding: x0; 0 in every row (data.keep: [x0] scales it up)",)
    kept = data.load(str(path), keep=("x0",))
    assert kept.train.x[:, 0].std() == pytest.approx(1)


@pytest.mark.parametrize("case", VARIES)
def test_what_varies_is_standardised_at_any_size(case, tmp_path):
    values = VARIES[case]
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"c": values, "y": KINDS}).to_parquet(path)
    loaded = data.load(str(path))
    assert loaded.notes == ()
    assert loaded.train.x.mean() == pytest.approx(0, abs=1e-9)
    assert loaded.train.x.std() == pytest.approx(1)


def test_standardising_agrees_with_longer_numbers():
    """Independent witness: the same in exact fractions, rounded once."""
    from fractions import Fraction

    for values in VARIES.values():
        exact = [Fraction(float(v)) for v in values]
        mean = sum(exact) / ROWS
        variance = sum((v - mean) ** 2 for v in exact) / ROWS
        scale = Fraction(2) ** (-2 * 1060)  # a float's square may be too small for a float
        std = (float(variance / scale) if variance < Fraction(1, 10**300) else float(variance)) ** 0.5
        std = Fraction(std) * (Fraction(2) ** -1060 if variance < Fraction(1, 10**300) else 1)
        expected = [float((v - mean) / std) for v in exact]
        np.testing.assert_allclose(standardized(values[:, None], ALL)[:, 0], expected, rtol=1e-7, atol=1e-9)


def test_the_floor_grows_with_the_number_of_additions():
    """A sum of n numbers is off by n·eps/2 at most; by log2(n)·eps/2 where they are added in pairs."""
    for rows in (4, 64, 4096):
        for dtype, additions in ((np.float64, rows), (np.float32, np.log2(rows))):
            values = np.ones((rows, 2), dtype)
            eps = np.finfo(dtype).eps
            values[0] = 1 - additions * eps, 1 - (additions + 1) * eps
            assert constant(values.astype(np.float64), [dtype is np.float32] * 2).tolist() == [True, False]


def test_what_may_be_noise_of_single_precision_in_text_is_told(tmp_path):
    path = tmp_path / "rows.csv"
    noise = sums(np.float32)
    pd.DataFrame({"c": noise, "a": X, "y": KINDS}).to_csv(path, index=False)
    told = data.load(str(path)).notes
    assert told == ("column 'c' varies in the last digit of single precision only; data.drop: [c] leaves it out",)


def test_tiny_targets_are_standardised_and_constant_ones_refused(tmp_path):
    path = tmp_path / "rows.csv"
    pd.DataFrame({"a": X, "y": 1e-300 * (2 * X + RNG.normal(size=ROWS))}).to_csv(path, index=False)
    assert data.load(str(path)).train.y.std() == pytest.approx(1)
    pd.DataFrame({"a": X, "y": CONSTANT["two spellings of 0.3"]}).to_csv(path, index=False)
    with pytest.raises(data.DataError, match="the target is the same in every training row"):
        data.load(str(path))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_input_is_lost_where_a_unit_cannot_tell_it(dtype):
    """Independent witness: a unit with a bias of 1, in that precision."""
    eps = np.finfo(dtype).eps
    for size in (1e-300, 1e-30, eps / 8, 16 * eps, 1e-3, 1.0):
        column = np.linspace(0, size, 9)
        unit = np.asarray(column, dtype) + np.asarray(1, dtype)
        assert lost(column[:, None], dtype).tolist() == [len(np.unique(unit)) == 1], size
    far = 1e9 + np.linspace(0, 20, 9)
    assert lost(far[:, None], "float32").tolist() == [len(np.unique(far.astype(np.float32))) == 1] == [True]
    assert not lost(far[:, None], "float64").any()
    assert not lost(np.full((9, 1), 1e-30), dtype).any()  # constant on purpose


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e-9])
def test_inputs_that_would_train_as_constants_are_refused(size, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"a": X, "b": size * X, "y": KINDS}).to_csv("rows.csv", index=False)
    (tmp_path / "s.yaml").write_text(STUDY)
    assert plan(read("s.yaml")).runs
    with pytest.raises(
        StudyError, match=r"data\.standardize: column 'b' of rows\.csv goes from .* set it true, or leave"
    ):
        plan(read("s.yaml", ["data.standardize=false"]))
    assert plan(read("s.yaml", ["data.standardize=false", "data.drop=[b]"])).runs
    if size == 1e-9:
        assert plan(read("s.yaml", ["data.standardize=false", "model.dtype=float64"])).runs
