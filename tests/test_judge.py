"""The judge on trial: no difference is seldom called one, planted effects are found, and the page has the numbers."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import claims, claims_file, documents
from actlab.analysis.intervals import wilson_bounds
from actlab.study import trial
from benchmarks import judge
from benchmarks.judge import AT_DELTA, NOTHING, PLANTED
from benchmarks.judged import centred, made

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


def trials_studies():
    """The trial's studies, by their claims files, whose names cases go by."""
    for study in trial.read(ROOT / "configs" / "trial").studies:
        text = study.read_text(encoding="utf-8")
        yield (study.parent / text.partition("claims: ")[2].split()[0]).resolve(), text


def test_every_verdict_function_of_the_trials_studies_is_tried(printed):
    """But laws, which one exception contradicts: they have no interval."""
    named = {(judge.study_of(case), claims.name_of(case.claim)) for case in judge.CASES}
    for file, _ in trials_studies():
        untried = {name for one in claims_file.load(file) if (file.stem, name := claims.name_of(one)) not in named}
        assert untried <= judge.LAWS, file.name
    assert set(judge.stored()) == set(range(len(judge.EVERY)))


def test_a_claim_is_tried_under_the_conditions_that_it_has():
    """Those of the committed trial, none left out and none that its study does not have: more make some verdict harder.

    What a name says in brackets is measured. A claim that is asked under one condition has no row of conditions.
    """
    stored = pd.concat(
        pd.read_csv(file) for file in (ROOT / "results" / "claims").glob("*/tables/claims-conditions.csv")
    )
    for case in judge.CASES:
        runs = made.runs_of(case.factors, case.seeds)
        one = case.claim(made.cells_of(runs, **case.draw(np.random.default_rng(0), runs, case.planted)))
        there = stored.loc[stored["id"] == one.id, "condition"]
        tried = {at.condition.partition(" (")[0] for at in one.under}
        assert tried == {name.partition(" (")[0] for name in there}, one.id


def test_a_claim_is_tried_with_as_many_seeds_as_its_study_has():
    seeds = {file.stem: int(re.search(r"^  seeds: (\d+)$", text, re.MULTILINE)[1]) for file, text in trials_studies()}
    assert {judge.study_of(case): case.seeds for case in judge.CASES}.items() <= seeds.items()


def test_the_stored_rows_are_those_of_todays_cases_in_their_order(printed):
    """Nothing is stored twice, or left over; what was tried is what would be today, δ included."""
    rows = printed.to_dict("records")
    assert list(judge.stored().values()) == rows
    for case in judge.CASES:
        now = judge.tried(case, AT_DELTA, 0)
        of_truth = {NOTHING: case.nothing, AT_DELTA: pytest.approx(now["value"]), PLANTED: case.planted}
        for row in rows:
            if (row["study"], row["claim"]) == (now["study"], now["claim"]):
                assert (row["id"], row["value"]) == (now["id"], of_truth[row["truth"]])


class InProcess:
    """A pool that works in this process."""

    def __init__(self, workers): ...
    def __enter__(self):
        return self

    def __exit__(self, *error): ...

    map = staticmethod(map)


def test_what_is_not_tried_again_keeps_its_row(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "EVERY", [one for one in judge.EVERY if judge.study_of(one[0]) in ("slopes", "centred")])
    rows, new = judge.stored(), {"covered": 1}
    results, page = tmp_path / "judge.csv", tmp_path / "page.md"
    page.write_text("", encoding="utf-8")
    monkeypatch.setattr(judge, "RESULTS", results)
    monkeypatch.setattr(judge, "ProcessPoolExecutor", InProcess)
    monkeypatch.setattr(judge, "row_of", lambda i: rows[i] | new)
    pd.DataFrame([rows[i] for i in rows if i != 1]).to_csv(results, index=False)
    judge.main(page, missing=True)
    assert judge.stored() == rows | {1: rows[1] | new}
    judge.main(page, ["centred"])
    assert judge.stored() == {i: row | new if i == 1 or row["study"] == "centred" else row for i, row in rows.items()}
    judge.main(page)
    assert judge.stored() == {i: row | new for i, row in rows.items()}


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


KEY = ("study", "claim", "truth")
CHEAP = [
    case
    for case in judge.CASES
    if claims.name_of(case.claim) in ("outputs_are_off_centre", "prelu_moves", "mean_is_kept")
]


@pytest.mark.parametrize("case", CHEAP, ids=lambda case: claims.name_of(case.claim))
def test_the_numbers_of_the_simulation_come_out_again(case, printed):
    n = 40
    row = judge.tried(case, AT_DELTA, n)
    stored = next(one for one in printed.to_dict("records") if all(one[key] == row[key] for key in KEY))
    for what in ("supported", "contradicted", "covered"):
        p = stored[what] / stored["repetitions"]
        assert abs(row[what] / n - p) <= 4 * np.sqrt(max(p * (1 - p), 0.02) / n), what


def test_a_judge_that_looks_at_the_mean_alone_is_found_out():
    """The simulation sees a wrong judge: one without intervals calls half of what is just at δ supported."""

    def hasty(cells):
        mean = cells.layers["act_mean"].mean()
        return claims.judge("S1a", "", "", claims.AT_LEAST, 0.25, claims.Interval(mean, mean, mean, 20, ""), "")

    case = made.Case(hasty, made.named("sigmoid"), centred.mean_activation, 0.3, None)
    row = judge.tried(case, AT_DELTA, 40)
    assert row["supported"] > 10
    assert row["contradicted"] > 10
    assert row["covered"] == 0
