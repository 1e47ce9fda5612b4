"""The judge on trial: no difference is seldom called one, planted effects are found, and the page has the numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import claims, claims_file, documents
from actlab.analysis.intervals import wilson_bounds
from actlab.study import trial
from benchmarks import judge
from benchmarks.judge import AT_DELTA, NOTHING, PLANTED

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "trial.md"


@pytest.fixture(scope="module")
def printed():
    return pd.read_csv(judge.RESULTS)


def upper(counts, of):
    return wilson_bounds(counts.to_numpy(float) / of.to_numpy(), of.to_numpy(), 0.95)[1]


def test_the_page_has_the_numbers_of_the_simulation(printed):
    text = PAGE.read_text(encoding="utf-8")
    assert documents.rewrite(text, judge.tables_of(printed)) == text
    assert "<!-- begin judge" in text


def test_every_verdict_function_of_the_trials_studies_is_tried():
    """But laws, which one exception contradicts: they have no interval."""
    named = {claims.name_of(case.claim) for case in judge.CASES}
    for study in trial.read(ROOT / "configs" / "trial").studies:
        if study.stem in judge.UNTRIED:
            continue
        said = study.read_text(encoding="utf-8").partition("claims: ")[2].split()[0]
        listed = claims_file.load((study.parent / said).resolve())
        assert {claims.name_of(one) for one in listed} - named <= judge.LAWS, study.name


def test_at_most_one_verdict_in_twenty_is_wrong(printed):
    nothing, at_delta = (printed[printed["truth"] == truth] for truth in (NOTHING, AT_DELTA))
    assert (nothing["repetitions"] >= 1000).all()
    assert (at_delta["repetitions"] >= 1000).all()
    for rows, what in ((nothing, "supported"), (at_delta, "supported"), (at_delta, "contradicted")):
        assert (rows[what] <= judge.WRONG * rows["repetitions"]).all(), rows[["id", what]]
        assert (upper(rows[what], rows["repetitions"]) <= judge.MOST_WRONG).all()


def test_a_planted_effect_is_found_and_intervals_cover(printed):
    planted = printed[printed["truth"] == PLANTED]
    assert (planted["supported"] >= judge.FOUND * planted["repetitions"]).all(), planted[["id", "supported"]]
    enough = printed[printed["truth"] != PLANTED]
    assert (enough["covered"] >= 0.93 * enough["repetitions"]).all(), enough[["id", "truth", "covered"]]


CHEAP = [case for case in judge.CASES if claims.name_of(case.claim) in ("outputs_are_off_centre", "prelu_moves")]


@pytest.mark.parametrize("case", CHEAP, ids=lambda case: claims.name_of(case.claim))
def test_the_numbers_of_the_simulation_come_out_again(case, printed):
    n = 40
    row = judge.tried(case, AT_DELTA, n)
    stored = printed[(printed["claim"] == row["claim"]) & (printed["truth"] == AT_DELTA)].iloc[0]
    for what in ("supported", "contradicted", "covered"):
        p = stored[what] / stored["repetitions"]
        assert abs(row[what] / n - p) <= 4 * np.sqrt(max(p * (1 - p), 0.02) / n), what


def test_a_judge_that_looks_at_the_mean_alone_is_found_out():
    """The simulation sees a wrong judge: one without intervals calls half of what is just at δ supported."""

    def hasty(cells):
        mean = cells.layers["act_mean"].mean()
        return claims.judge("S1a", "", "", claims.AT_LEAST, 0.25, claims.Interval(mean, mean, mean, 20, ""), "")

    case = judge.Case(hasty, judge.named("sigmoid"), judge.mean_activation, 0.3, None)
    row = judge.tried(case, AT_DELTA, 40)
    assert row["supported"] > 10
    assert row["contradicted"] > 10
    assert row["covered"] == 0
