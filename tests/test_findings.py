"""The README's findings: the block is what the program writes today, and its words follow the numbers."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actlab.analysis.claims import AT_LEAST, judge
from actlab.engine.results import Results
from experiments import findings, notable, of_study
from tests.synthetic import frames

README = Path(__file__).parents[1] / "README.md"
RULE = {"report": {"select": {"over": "train.learning_rate", "by": "validation_loss"}}}
RATES = (1e-3, 3e-3, 1e-2)
SEEDS = 6


def test_the_readme_says_what_was_measured(tmp_path):
    """As committed: `make findings` after the studies or their claims have changed."""
    text = README.read_text(encoding="utf-8")
    copy = tmp_path / "README.md"
    copy.write_text(re.sub(r"(<!-- begin findings.*?-->\n).*?(<!-- end)", r"\1nothing\n\2", text, flags=re.DOTALL))
    assert copy.read_text() != text
    findings.main([str(copy)])
    assert copy.read_text(encoding="utf-8") == text


def results(study, runs, steps, layers):
    return Results(Path("made"), study, {}, runs, steps, layers)


@pytest.fixture(scope="module")
def deep():
    """Return a study in which every run of ReLU trains, ELU's at one rate, and none of sigmoid's."""
    runs, steps, layers = frames(("sigmoid", "relu", "elu"), (2, 10), RATES, SEEDS, 50, 50, 50)
    runs = runs.assign(status="ok", diverged_step=np.nan)
    final = steps[steps["step"] == 0].set_index("run")
    for name in ("train_loss", "validation_loss", "test_loss", "test_accuracy"):  # of those that diverged too
        runs[name] = runs[name].fillna(runs["run"].map(final[name]))
    runs["trained"] = (runs["activation"] == "relu") | ((runs["activation"] == "elu") & (runs["learning_rate"] == 3e-3))
    runs.loc[runs["learning_rate"] == 3e-3, "validation_loss"] = 0.01  # is selected
    return runs, steps, layers


def test_words_follow_the_numbers(deep):
    runs, steps, layers = deep
    text = findings.depth_findings(results(RULE, runs, steps, layers))
    assert "Seeds that train at 10 layers: `relu` and `elu` in all of 6 [0.61, 1.00] each; `sigmoid` in none of" in text
    assert "| `relu` | all of 6 [0.61, 1.00] | 0.003 | 3 of 3: 0.001 to 0.01 |" in text
    assert "| `elu` | all of 6 [0.61, 1.00] | 0.003 | 1 of 3: 0.003 |" in text
    assert "| `sigmoid` | none of 6 [0.00, 0.39] | 0.003 | none of 3 |" in text
    assert (
        "Of the 6 pairs of activation and depth, 4 train in all of these seeds at some rate; none of them has" in text
    )
    assert "2 train so at no rate" in text

    worse = runs.copy()
    worse.loc[(worse["activation"] == "relu") & (worse["seed"] == 0), "trained"] = False
    worse["validation_loss"] = worse["validation_loss"].where(worse["learning_rate"] < 0.01, 0.001)
    text = findings.depth_findings(results(RULE, worse, steps, layers))
    assert "`relu` in 5 of 6 [0.44, 0.97]; `sigmoid` and `elu` in none of 6 [0.00, 0.39] each" in text
    assert "| `relu` | 5 of 6 [0.44, 0.97] | 0.01 (end of the grid) | none of 3 |" in text
    assert (
        "2 train in all of these seeds at some rate; 2 of them have an end of the grid (0.001 to 0.01) selected" in text
    )


def test_the_range_of_rates_is_of_the_seeds_that_every_rate_has(deep):
    """Fresh seeds, which a study in two stages has at the selected rate alone, say nothing of the other rates."""
    runs, steps, layers = deep
    fresh = runs[runs["learning_rate"] == 3e-3].assign(trained=False, run=lambda x: x["run"] + "x")
    fresh["seed"] += 100
    both = pd.concat([runs, fresh], ignore_index=True)
    cells = of_study.cells_of(results(RULE, runs, steps, layers))
    assert findings.tuned(cells, both)["seed"].max() < SEEDS
    window = findings.windows(cells, both).set_index(["activation", "depth"])
    assert window.loc[("elu", 10), "rates"] == 1


def test_the_table_is_whole(deep):
    runs, steps, layers = deep
    lines = findings.depth_findings(results(RULE, runs, steps, layers)).splitlines()
    head = lines.index("| activation | depth 2 | depth 10 |")
    assert [line.split("|")[1].strip() for line in lines[head + 2 : head + 5]] == ["`sigmoid`", "`relu`", "`elu`"]
    assert sum(line.count("**") for line in lines[head + 2 : head + 5]) == 4  # one best a column: the study's marks


def test_a_studys_table_of_claims_says_before_it_that_its_ids_are_not_the_trials(deep):
    """D1a is here and there, decided otherwise: who reads one must not take it for the other."""
    lines = findings.depth_findings(results(RULE, *deep)).splitlines()
    head = lines.index("| claim | said | bound | measured | verdict |")
    assert lines[head - 2] == of_study.OWN_CLAIMS.format(study="depth")
    assert "[the trial's table](results/claims/report.md)" in lines[head - 2]


@pytest.fixture(scope="module")
def dying():
    """Return a study with and without a frozen layer, of two optimizers; where nothing is frozen, units come back."""
    runs, steps, layers = frames(
        *(("relu", "leaky_relu"), (2, 5), (1e-2, 1e-1), SEEDS, 100, 50, 50),
        optimizer=("adam", "sgd"),
        freeze_layers=(0, 1),
    )
    frozen = layers["run"].isin(runs.loc[runs["freeze_layers"] == 1, "run"])
    layers.loc[frozen & layers["revived_fraction"].notna(), "revived_fraction"] = 0.0
    return results({"report": {"select": None}}, runs, steps, layers)


def without_frozen(study):
    runs = study.runs[study.runs["freeze_layers"] == 0].drop(columns="freeze_layers")
    return results(study.study, runs, study.steps, study.layers)


def of_relu(study):
    return results(study.study, study.runs[study.runs["activation"] == "relu"], study.steps, study.layers)


@pytest.fixture(scope="module")
def written(dying):
    """Return what is said of the study, with its control and without."""
    alone = without_frozen(dying)
    return findings.dying_findings(alone, of_relu(dying)), findings.dying_findings(alone)


def test_a_cause_is_named_only_with_its_control(written):
    with_control, without = written
    assert "with the first layer frozen a dead unit of the second sees the same inputs for ever" in with_control
    assert (
        "| V2 | `relu`: under plain SGD none comes back while the layer below is frozen | exactly 0 |" in with_control
    )
    assert "| V3 | `relu`: more dead units come back where the layer below them moves than where" in with_control
    assert "No control was run: these numbers do not say why units come back" in without
    assert "V3" not in without


def test_the_denominators_are_those_that_the_heading_says(dying, written):
    study = without_frozen(dying)
    relu = study.runs.query("activation == 'relu' and optimizer == 'adam' and learning_rate == 0.01")
    end = study.steps[study.steps["run"].isin(relu["run"]) & (study.steps["step"] == 100)].merge(relu[["run", "seed"]])
    means = end.groupby("seed")[
        ["died_fraction", "born_dead_fraction", "revived_fraction", "ever_dead_fraction"]
    ].mean()
    alive = (means["died_fraction"] / (1 - means["born_dead_fraction"])).mean()
    back = (means["revived_fraction"] / means["ever_dead_fraction"]).mean()
    row = next(line for line in written[1].splitlines() if line.startswith("| adam, 0.01 |"))
    shown = [float(cell.split("[")[0]) for cell in row.split("|")[2:4]]
    assert shown == pytest.approx([alive, back], rel=0.02)
    assert "| runs that diverged |" in written[1]


def test_every_mean_stands_with_its_interval(written, deep):
    """In the tables: a cell with a decimal is a mean with [low, high], a setting or bound, or says what it is else."""
    texts = [findings.depth_findings(results(RULE, *deep)), written[0]]
    settings = {
        "bound",
        "selected rate",
        "claim",
        "said",
        "verdict",
        "ReLU at",
        "activation",
        "depth 10",
        "",
        "runs that diverged",
        "pairs of runs compared",
    }
    settings |= {"rates at which all 6 seeds of the selection train"}
    seen = 0
    for text in texts:
        table: list[str] = []
        for line in text.splitlines():
            table = [*table, line] if line.startswith("|") else []
            if len(table) < 3:
                continue
            heads, cells = ([cell.strip() for cell in row.split("|")[1:-1]] for row in (table[0], line))
            for head, cell in zip(heads, cells, strict=True):
                if re.search(r"\d\.\d|e−", cell) and (
                    head not in settings or (head == "depth 10" and "activation" in heads)
                ):
                    assert re.search(r"\[.+, .+\]|alike|n = \d| to .* in \d+ runs", cell), (head, cell)
                    seen += 1
    assert seen > 40


def test_what_it_leaves_out_is_said(dying, deep):
    text = findings.limits({"depth": results(RULE, *deep), "dying_relu": dying})
    assert "1 data set (`digits`, 1078 training rows), 1 split, 1 width (64), 50 and 100 steps, adam and sgd" in text
    assert "Each activation has its usual initialisation: what is compared is both together." in text
    runs = deep[0]
    two = pd.concat([runs, runs.assign(data_seed=1)])
    on_two = findings.limits({"depth": results(RULE, two, *deep[1:])})
    assert "2 splits" in on_two
    assert "Intervals are over splits and seeds" in on_two


def test_a_slope_is_said_in_the_direction_that_is_sure(deep):
    runs, steps, layers = deep
    for slope, words in (
        (-0.6, r"loses 0\.6.* leaves 10\^−6 to 10\^−5"),
        (0.1, "gains 0.1"),
        (0.0, r"changes by .*\[−0\.0"),
    ):
        change = dict(enumerate(slope + 0.01 * np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.4])))
        moved = steps.assign(vanishing_slope=steps["run"].map(runs.set_index("run")["seed"]).map(change))
        cells = of_study.cells_of(results(RULE, runs, moved, layers))
        assert re.search(words, findings.slope_sentence(cells, "sigmoid")), findings.slope_sentence(cells, "sigmoid")


def test_what_surprises_is_said_only_where_the_numbers_say_it(deep):
    runs, steps, layers = deep
    cells = of_study.cells_of(results(RULE, runs, steps, layers))
    assert notable.deep_surprises(cells) == ""  # ELU trains as often as ReLU
    worse = runs.assign(trained=runs["activation"] == "relu")
    text = notable.deep_surprises(of_study.cells_of(results(RULE, worse, steps, layers)))
    assert re.match(
        r"Against .* at 10 layers `elu`, which is said to improve on `relu`, trains a smaller share of the seeds "
        r"\(by 1\.00 \[0\.\d+, 1\.00\]\) \(paired by seed; named after",
        text,
    )
    assert "tanh" not in text

    accurate = runs.assign(validation_accuracy=0.5)
    tuned = findings.tuned(cells, accurate)
    assert notable.by_accuracy(cells, tuned) == ""
    other = (accurate["activation"] == "relu") & (accurate["depth"] == 2) & (accurate["learning_rate"] == 0.01)
    accurate.loc[other, "validation_accuracy"] = 0.75
    text = notable.by_accuracy(cells, findings.tuned(cells, accurate))
    assert "in 1 of 6 cells, by 0.250 at most (`relu` at 2 layers: 0.003 was selected, 0.01 is more accurate)" in text


def test_the_control_is_told_in_units(dying, written):
    study = of_relu(dying)
    cells = of_study.cells_of(study)
    sound = cells.runs[(cells.runs["status"] == "ok") & (cells.runs["freeze_layers"] == 0)]
    end = study.layers.merge(sound[["run", "optimizer"]], on="run").query("layer == 2 and step == 100")
    units = (end.groupby("optimizer")[["revived_fraction", "ever_dead_fraction"]].sum() * 64).round()
    said = [
        f"{row.revived_fraction:,.0f} of {row.ever_dead_fraction:,.0f} with {row.Index}" for row in units.itertuples()
    ]
    text = notable.control_in_words(cells)
    assert f"{said[0]} and {said[1]} are alive at the end while the first layer trains; while it is frozen none" in text
    assert "V4 predicted" in text
    assert text in written[0]
    one = study.layers.copy()
    frozen = cells.runs.loc[(cells.runs["status"] == "ok") & (cells.runs["freeze_layers"] == 1), "run"].iloc[0]
    one.loc[(one["run"] == frozen) & (one["layer"] == 2) & (one["step"] == 50), "revived_fraction"] = 1 / 64
    text = notable.control_in_words(of_study.cells_of(results(study.study, study.runs, study.steps, one)))
    assert re.search(r"while it is frozen 1 of [\d,]+ are found alive again at any evaluation\.$", text)


def test_a_gain_between_networks_that_failed_is_called_one(dying):
    study = without_frozen(dying)
    weak = study.steps.assign(weak_fraction=np.random.default_rng(0).uniform(0.5, 0.6, len(study.steps)))
    for trained in (False, True):
        runs = study.runs.assign(trained=trained)
        cells = of_study.cells_of(results(study.study, runs, weak, study.layers))
        text = notable.leaky_in_words(cells)
        assert ("differences in accuracy there are between networks that failed" in text) == (not trained)


def test_an_undecided_claim_says_under_which_conditions(dying):
    def half(cells):
        sure, open_ = [0.9, 0.91, 0.92, 0.9, 0.92], [0.1, 0.9, 0.5, 0.2, 0.8]
        return judge("T", "", "it is large", AT_LEAST, 0.5, {"A": sure, "B": open_}, "size")

    text = of_study.verdicts([half], of_study.cells_of(dying), "made")
    open_ = r"B: 0\.50 \[.*\] \(no number of seeds would, since the effect is about as large as δ\)"
    assert re.search(rf"\| inconclusive \(supported at A: 0\.9\d+ \[.*\]; inconclusive at {open_}\) \|", text)
