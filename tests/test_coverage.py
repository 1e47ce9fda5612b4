"""The rule of intervals covers what docs/measures.md prints, and what it was chosen for."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import documents
from actlab.analysis.intervals import FEWEST
from benchmarks import coverage

PAGE = Path(__file__).parents[1] / "docs" / "measures.md"
SAMPLES = 2000
MEANS = [one for one in coverage.POPULATIONS if one.kind in coverage.APPLIES]


@pytest.fixture(scope="module")
def printed():
    return pd.read_csv(coverage.RESULTS).set_index(["kind", "population", "n"]).sort_index()


def named(one):
    return f"{one.kind}, {one.name}"


def test_the_page_has_the_numbers_of_the_simulation():
    text = PAGE.read_text(encoding="utf-8")
    assert documents.rewrite(text, coverage.tables_of(pd.read_csv(coverage.RESULTS))) == text
    assert "<!-- begin coverage" in text
    assert "<!-- begin candidates" in text


@pytest.mark.parametrize("one", coverage.POPULATIONS, ids=named)
def test_the_rule_covers_what_is_printed(one, printed):
    frame = coverage.simulate([one], samples=SAMPLES, candidates=False).set_index(["kind", "population", "n"])
    for key, row in frame.iterrows():
        for name, count in (("printed", SAMPLES), ("rule", SAMPLES * row["printed"])):
            expected = printed.loc[key, name]
            if np.isnan(expected):
                assert np.isnan(row[name])
                continue
            error = np.sqrt(max(expected * (1 - expected), 1e-3) * (1 / count + 1 / coverage.SAMPLES))
            assert abs(row[name] - expected) < 4 * error, (key, name)


@pytest.mark.parametrize("one", MEANS, ids=named)
def test_a_mean_has_an_interval_only_where_it_covers(one, printed):
    rows = printed.loc[(one.kind, one.name)]
    assert (rows.loc[rows.index < FEWEST, "printed"] == 0).all()
    there = rows[rows.index >= FEWEST]
    assert (there["printed"] > 0.6).all()
    if one.held:
        assert (there["rule"] >= coverage.NEEDED).all()
        assert (there["wrong"] <= 1 - coverage.NEEDED).all()


def test_two_values_never_make_an_interval_that_misses_them_by_being_of_no_width(printed):
    """Equal samples make none: of the two-valued populations a share is declined, and the others cover."""
    exact = printed[printed.index.get_level_values("population").str.startswith(("two values", "0 or 1"))]
    fives = exact[exact.index.get_level_values("n") == 5]
    assert len(fives) >= 6
    assert fives["printed"].between(0.6, 0.95).all()
    assert fives["rule"].min() > 0.98


METHODS = {"both ends known": "logit t", "one end known": "log t", "no end known": "extended t"}


@pytest.mark.parametrize("kind", METHODS)
def test_the_method_of_a_kind_is_the_narrowest_candidate_that_covers(kind):
    """And below ``FEWEST`` no candidate both covers and spans less than half of what there is."""
    frame = pd.read_csv(coverage.RESULTS)
    frame = frame[(frame["kind"] == kind) & frame["held"]]
    normal = frame[frame["population"] == frame["population"].iloc[0]].set_index("n")

    def chosen(sizes):
        least = frame[frame["n"].isin(sizes)][sorted(coverage.APPLIES[kind])].min()
        reach = least[least >= coverage.NEEDED].index
        width = {name: normal.loc[list(sizes), f"width of {name}"].max() for name in reach}
        return {name: one for name, one in width.items() if np.isfinite(one) and (kind[:4] != "both" or one < 0.5)}

    found = chosen((5, 10, 20))
    assert min(found, key=found.get) == METHODS[kind]
    assert chosen((3,)) == chosen((4,)) == {}
