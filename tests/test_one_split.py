"""What a trial's scopes and its first screen say of splits and of n, and that conditions name their settings."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import scopes, trial_page, verdicts
from actlab.analysis.claims import AT_LEAST, SUPPORTED, Verdict
from actlab.analysis.sections import markdown
from benchmarks import judge
from benchmarks.judged import made

NAMED = ("bias_shift", "centred", "complexity", "trainable")


def supported(id):
    return Verdict(id, "relu", "s", AT_LEAST, 0.2, 0.3, 0.25, 0.4, 20, "", SUPPORTED, "", "")


@pytest.mark.parametrize(
    ("data", "matrix", "end", "splits"),
    [
        ({"name": "digits", "seed": 0}, {}, "20 seeds on one split", 1),
        ({"name": "digits", "seed": 7}, {"data.standardize": [True, False]}, "20 seeds on one split", 1),
        ({"name": "digits", "seed": 0}, {"data.name": ["digits", "wine"]}, "20 seeds on one split each", 1),
        ({"name": "digits", "seed": 0}, {"data.seed": [0, 1, 2]}, "20 seeds on 3 splits", 3),
        ({"name": "digits", "seed": 0}, {"data.seed": [4]}, "20 seeds on one split", 1),
        ({"name": "digits"}, {}, "; 20 seeds", None),
    ],
)
def test_a_scope_ends_with_the_splits_that_its_seeds_are_on(data, matrix, end, splits):
    study = {"data": data, "sweep": {"matrix": matrix, "seeds": 20}}
    assert scopes.scope_of(study).endswith(end)
    assert scopes.splits_of(study) == splits


def test_the_first_screen_counts_the_verdicts_that_rest_on_one_split():
    """By the splits of their parts: neither of what is computed, nor of a study on several."""
    ids = {"S1": 1, "S2": 1, "L1": 5, "E2": None}
    parts = [
        verdicts.Part(id, "", "", "", (supported(f"{id}a"),), study=splits is not None, splits=splits)
        for id, splits in ids.items()
    ]
    page = trial_page.page("What is true?", verdicts.table(parts, {}), parts, {}, {}, {})
    assert f"2 of 4 verdicts are {trial_page.ONE_SPLIT}." in markdown(page[:1])
    others = trial_page.page("What is true?", verdicts.table(parts[2:], {}), parts[2:], {}, {}, {})
    assert trial_page.ONE_SPLIT not in markdown(others)


def test_how_to_read_a_number_is_true_of_each_n_of_the_trial():
    """No more than the seeds of its study, or 1 where computed, or of a unit that its words and the page name."""
    units = [unit for unit in ("task", "run", "round", "link", "seed") if unit in trial_page.HOW_TO_READ]
    frame = pd.read_csv(Path(__file__).parents[1] / "results" / "claims" / "tables" / "claims.csv")
    for row in frame.itertuples():
        seeds = re.search(r"(\d+) seeds", row.scope)
        said = [unit for unit in units if re.search(rf"\b{unit}s?\b", row.evidence)]
        assert said or (row.n == 1 if row.method == "computed" else seeds and row.n <= int(seeds[1])), row.id
    assert {"task", "run", "round", "link", "seed"} == set(units)


@pytest.mark.parametrize("study", NAMED)
def test_each_condition_names_its_settings_in_words_that_a_column_can_have(study):
    """A row without them is lost to whoever filters by a setting; "at" before "at" says nothing."""
    for case in judge.CASES:
        if judge.study_of(case) == study:
            runs = made.runs_of(case.factors, case.seeds)
            one = case.claim(made.cells_of(runs, **case.draw(np.random.default_rng(0), runs, case.planted)))
            assert all(row.settings and "at" not in row.at for row in one.under), one.id
