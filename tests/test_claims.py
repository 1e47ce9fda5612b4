"""Claims: a verdict follows the whole interval, and a study's claims file travels with its measurements."""

import pandas as pd
import pytest

from actlab.analysis import claims, report
from actlab.analysis.stats import Interval
from tests.synthetic import frames

FILE = """
from actlab.analysis.claims import Verdict, below
from actlab.analysis.stats import mean_interval


def loss_is_small(runs, steps, layers):
    number = mean_interval(runs["test_loss"])
    return Verdict("T1", "the loss is small", "test loss", number, below(number, 1e9))


CLAIMS = [loss_is_small]
"""


@pytest.mark.parametrize(
    ("low", "high", "is_below", "is_above"),
    [
        (0.1, 0.2, "supported", "contradicted"),
        (0.6, 0.7, "contradicted", "supported"),
        (0.4, 0.6, "inconclusive", "inconclusive"),
        (float("nan"), float("nan"), "inconclusive", "inconclusive"),
    ],
)
def test_the_whole_interval_decides(low, high, is_below, is_above):
    number = Interval((low + high) / 2, low, high, 5, "Student t")
    assert claims.below(number, 0.5) == is_below
    assert claims.above(number, 0.5) == is_above


def test_verdicts_stand_in_the_report(tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "mine.py").write_text(FILE)
    runs, steps, layers = frames()
    study = {"study": "s", "claims": "sources/mine.py", "report": {"tables": [], "figures": []}}
    report.write(tmp_path, study, {}, runs, steps, layers)
    frame = pd.read_csv(tmp_path / "tables" / "claims.csv")
    assert frame["mean"][0] == pytest.approx(runs["test_loss"].mean())
    assert frame["verdict"][0] == "supported"
    assert "the loss is small" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("text", "said"), [("x = 1\n", "CLAIMS"), ("CLAIMS = [1\n", "SyntaxError"), ("import nonsense\n", "nonsense")]
)
def test_bad_files(text, said, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(claims.ClaimsError, match=said):
        claims.load(tmp_path / "mine.py")


def test_missing_file(tmp_path):
    with pytest.raises(claims.ClaimsError, match="no such"):
        claims.load(tmp_path / "mine.py")
