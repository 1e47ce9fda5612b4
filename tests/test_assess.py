"""``actlab assess``: a study of a size that fits a budget, a function or formula first, and one row for each."""

import math
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import actlab
from actlab import cli, sources
from actlab.activations import CATALOGUE
from actlab.analysis.cells import build_cells
from actlab.analysis.document import document
from actlab.analysis.findings import found_in
from actlab.analysis.intervals import FEWEST
from actlab.analysis.making import make_shipped
from actlab.analysis.places import places
from actlab.analysis.sections import markdown
from actlab.analysis.tables.outcomes import performance
from actlab.analysis.tables.standing import speeds_of, standing
from actlab.measures import about
from actlab.study.assessment import GRIDS, LEAST_SEEDS, study_of
from actlab.study.selection import Select
from tests.synthetic import frames

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("budget", GRIDS)
def test_its_study_is_one_that_runs_and_has_the_newcomer_first(budget):
    study = actlab.study_of(study_of("silu", "assess_silu", ["gelu"], budget))
    labels = [cell.model.activation.name for cell in study.cells]
    assert list(dict.fromkeys(labels)) == ["silu", "gelu"]
    own = actlab.study_of(study_of("silu", "assess_silu", [], budget))
    assert set(GRIDS[budget].against) < set(CATALOGUE)
    assert own.config.model.weight_init.name != "auto"  # which has another rule for a function of one's own
    assert len(own.cells) == (1 + len(GRIDS[budget].against)) * len(GRIDS[budget].depths) * len(GRIDS[budget].rates)


def test_larger_budgets_train_more():
    sizes = [len(g.against) * len(g.depths) * len(g.rates) * g.seeds * g.steps for g in GRIDS.values()]
    assert sizes == sorted(sizes)
    assert all(grid.rates == tuple(sorted(grid.rates)) for grid in GRIDS.values())


@pytest.fixture
def asked(monkeypatch):
    """What is asked of ``run``, with nothing trained and nothing printed at the end."""
    calls = []

    def run(study, **options):
        names = [one["name"] if isinstance(one, dict) else one for one in study["sweep"]["matrix"]["model.activation"]]
        calls.append((study, "".join(Path(name.split(":")[0]).read_text() for name in names if ".py" in name)))

    monkeypatch.setattr(actlab, "run", run)
    monkeypatch.setattr(sys.modules["actlab.cli.assess"], "tell", lambda results: None)
    return calls


def test_a_formula_becomes_a_file_and_theory_speaks_first(asked):
    done = CliRunner().invoke(cli.app, ["assess", "a*x*sigmoid(x), a=1.5", "--name", "bent", "--against", "relu"])
    assert done.exit_code == 0, done.output
    assert "φ(z)          a * z * sigmoid(z)" in done.output
    assert re.search(r"critical +σ_w = ", done.output)
    ((study, text),) = asked
    assert study["study"] == "assess_bent"
    assert study["sweep"]["matrix"]["model.activation"][1:] == ["relu"]
    assert "def bent(z, *, a=1.5):" in text


def test_a_function_of_the_catalogue_keeps_its_options(asked):
    done = CliRunner().invoke(cli.app, ["assess", "leaky_relu:negative_slope=0.3", "--budget", "1m"])
    assert done.exit_code == 0, done.output
    first = asked[0][0]["sweep"]["matrix"]["model.activation"][0]
    assert first == {"name": "leaky_relu", "negative_slope": 0.3}


def test_several_newcomers_stand_in_one_study(asked, monkeypatch):
    """Functions of one file, and formulas, which have commas of their own; of each first findings are shown."""
    shown = []
    monkeypatch.setattr(sys.modules["actlab.cli.assess"], "first_findings", lambda record: shown.append(record.name))
    own = ROOT / "experiments" / "literature_act.py"
    words = [f"{own}:golu,serf", "x*tanh(x)", "b*x*sigmoid(x), b=1", "--name", "some", "--budget", "1m"]
    done = CliRunner().invoke(cli.app, ["assess", *words])
    assert done.exit_code == 0, done.output
    ((study, text),) = asked
    first = study["sweep"]["matrix"]["model.activation"]
    assert first[:2] == [f"{own}:golu", f"{own}:serf"]
    assert [name in text for name in ("z * jnp.tanh(z)", "b * z * jax.nn.sigmoid(z)")] == [True, True]
    assert first[4:] == ["relu", "gelu"]
    assert study["study"] == "assess_some"
    assert study["question"].startswith("Where do golu, serf, ")
    assert shown[:2] == ["golu", "serf"]
    assert len(shown) == 4


def test_a_budget_that_decides_no_place_says_so_first_and_names_the_next_step(asked):
    words = ["assess", "x * sigmoid(x)", "--name", "mine", "--against", "relu"]
    short = CliRunner().invoke(cli.app, [*words, "--budget", "1m"])
    assert "1m: 3 seeds bound no difference between networks" in short.output
    last = short.output.splitlines()[-1]
    assert last == "for places with intervals: actlab assess 'x * sigmoid(x)' --against relu --name mine --budget 5m"
    assert "bound no difference" not in CliRunner().invoke(cli.app, words).output
    assert LEAST_SEEDS == FEWEST


@pytest.mark.parametrize("name", ["golu", "serf", "smish", "logish", "sinlu"])
def test_those_of_the_literature_are_new_and_safe_far_out(name):
    """Values and slopes are finite wherever float32 is; at 0 and 1 they are what the papers' formulas give."""
    function = vars(sources.import_file(ROOT / "experiments" / "literature_act.py"))[name]
    assert name not in CATALOGUE
    z = jnp.asarray([-1e30, -1e4, -100.0, -88.0, -1.0, 0.0, 1.0, 88.0, 1e4, 1e30], jnp.float32)
    assert np.isfinite(function(z)).all()
    assert np.isfinite(jax.vmap(jax.grad(function))(z)).all()
    s = 1 / (1 + math.exp(-1.0))
    gate = {
        "golu": math.exp(-math.exp(-1.0)),
        "serf": math.erf(math.log1p(math.e)),
        "smish": math.tanh(math.log1p(s)),
        "logish": math.log1p(s),
        "sinlu": (1 + math.sin(1.0)) * s,
    }
    assert float(function(jnp.float32(1.0))) == pytest.approx(gate[name], rel=1e-6)
    assert float(function(jnp.float32(0.0))) == 0.0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["__import__('os').system('true')"], "not of the form"),
        (["9**9**9*x"], "numbers may be up to"),
        (["x*tanh(x)", "--name", "my act"], "--name my act"),
        (["x*tanh(x)", "--against", "reulu"], "did you mean 'relu'"),
        (["no_such.py:f"], "no_such.py"),
        (
            ["log(x)"],
            "log(x): its value at x = 0 is -inf (float32): log(0) is -inf; keep what goes into log positive: ",
        ),
        (["log(x)"], "log(max(x, 1e-3)) for log(x)"),
        (["1 / x"], "a formula has no cases: write a function, my_act.py:f, in which z = jnp.where("),
    ],
)
def test_what_is_no_activation_is_refused_before_anything_is_trained(asked, words, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, ["assess", *words])
    assert done.exit_code != 0
    assert why in str(done.exception) + done.output
    assert not asked
    assert not list(tmp_path.iterdir())


def test_standing_has_the_performance_of_the_study_and_where_each_stops_to_train():
    rule = Select("train.learning_rate", "validation_loss")
    cells = build_cells(*frames(("sigmoid", "relu", "gelu"), (2, 5), seeds=5), rule)
    made, own = standing(cells), performance(cells)
    shown = made.wide.set_index("activation").loc[own.wide["activation"]].reset_index()
    for name in own.wide:
        assert shown[name].tolist() == own.wide[name].tolist()
    assert {"trains to depth", "decades per layer, init", "dead, end"} <= set(made.wide)
    relu = made.wide.set_index("activation").loc["`relu`"]
    assert relu["dead, end"] not in ("0", "–")
    assert made.wide.set_index("activation").loc["`gelu`", "dead, end"] == "0"


def test_places_leave_open_what_the_seeds_do_and_follow_the_stated_rule():
    draw = np.random.default_rng(0)
    seeds = pd.Series(draw.normal(0.9, 0.02, 10))
    noise = {name: draw.normal(0, 0.001, 10) for name in "abcd"}
    scores = {"a": seeds + noise["a"], "b": seeds + noise["b"], "c": seeds - 0.1 + noise["c"], "d": seeds + 0.05}
    found = places({"a": 20.0, "b": 20.0, "c": 20.0, "d": 10.0}, scores, about("test_accuracy"))
    assert {name: one.text for name, one in found.items()} == {"a": "1–2", "b": "1–2", "c": "3", "d": "4"}
    assert [one.order for one in found.values()] == [1, 2, 3, 4]
    alike = places(dict.fromkeys("ab", 20.0), {"a": seeds, "b": seeds}, about("test_accuracy"))
    assert {one.text for one in alike.values()} == {"1–2"}
    few = places(dict.fromkeys("ab", 5.0), {"a": seeds[:3], "b": seeds[:3] - 0.5}, about("test_accuracy"))
    assert {one.text for one in few.values()} == {"1–2"}, "three seeds have no interval"


def test_places_are_those_of_the_rows_of_standing():
    """By the table's own numbers: no row stands before one that trains deeper."""
    rule = Select("train.learning_rate", "validation_loss")
    made = standing(build_cells(*frames(("sigmoid", "relu", "gelu"), (2, 5), seeds=5), rule))
    assert made.wide.columns[1] == "place"
    assert made.frame["best"].dtype == bool  # which a terminal's legend asks all rows for
    rows = made.frame[made.frame["measure"] == "place"]
    assert [f"`{name}`" for name in rows["activation"]] == made.wide["activation"].tolist()
    assert (rows["low"] <= rows["high"]).all()
    assert rows["mean"].tolist() == [1, 2, 3]
    deepest = made.frame.drop_duplicates("activation", keep="first").set_index("activation")
    assert "*place*" in made.note
    assert set(deepest.index) == set(rows["activation"])


def test_standing_is_of_activation_and_depth_alone():
    cells = build_cells(*frames(("sigmoid", "relu"), (2, 5), seeds=5, optimizer=("sgd", "adam")), None)
    assert standing(cells) is None


def test_the_page_begins_with_formula_and_standing(tmp_path):
    rule = Select("train.learning_rate", "validation_loss")
    cells = build_cells(*frames(("sigmoid", "relu"), (2, 5), seeds=5), rule)
    made = make_shipped(tmp_path, cells, ["performance", "standing"], [])
    notes = {"activations": {"sigmoid": {"order": 0, "formula": "1/(1+exp(-z))"}}}
    page = markdown(document({"study": "assess_sigmoid", "question": "Where does it stand?"}, notes, cells, made))
    assert page.startswith("# Where does it stand?\n")
    assert page.count("Where does it stand?") == 1
    begin = ("1/(1+exp(-z))", "## Where each activation stands", "## What was found", "- Of 2 activations by the depth")
    places = [page.index(text) for text in begin]
    assert places == sorted(places)
    assert page.count("Where each activation stands") == 1
    assert page.index("## What was found") < page.index("## Tables")


def test_what_was_found_says_the_places_of_the_newcomer_first():
    """By depth and accuracy, then by speed, with the numbers of the table; of none's own, those of all."""
    rule = Select("train.learning_rate", "validation_loss")
    runs, *others = frames(("sigmoid", "relu", "gelu"), (2, 5), seeds=5)
    runs = runs.assign(activation_order=runs["activation_order"] + 1)  # as in the catalogue
    own = runs.assign(activation_order=runs["activation_order"].where(runs["activation"] != "sigmoid", 0))
    cells = build_cells(own, *others, rule)
    table = standing(cells)
    place, speed = found_in(cells, {"standing": table})
    assert place.text.startswith("Of 3 activations by the depth to which they train, then by accuracy there, `sigmoid`")
    assert "; of the known `" in place.text
    assert speed.under
    assert "by speed" in speed.text
    for found, column in ((place, "place"), (speed, "place by speed")):
        for row in table.wide.to_dict("records"):
            assert re.search(rf"{row['activation']}.*? {row[column]}\b", found.text)
    known = found_in(build_cells(runs, *others, rule), {"standing": table})
    assert not any("known" in one.text for one in known)
    assert found_in(cells, {}) == ()


def test_few_seeds_are_said_to_bound_nothing():
    rule = Select("train.learning_rate", "validation_loss")
    cells = build_cells(*frames(("relu", "gelu"), (2, 5), seeds=3), rule)
    assert "3 seeds bound no difference of accuracies" in found_in(cells, {"standing": standing(cells)})[0].text


def test_places_by_speed_follow_the_ranks_of_times_and_never_is_last():
    rule = Select("train.learning_rate", "validation_loss")
    runs, *others = frames(("sigmoid", "relu", "gelu"), (2, 5), rates=(1e-3,), seeds=8)
    soon = {"relu": 60.0, "gelu": 120.0}
    times = runs["activation"].map(soon)
    made = runs.assign(steps_to_target=times, target_reached=times.notna(), status="ok")
    found = speeds_of(build_cells(made, *others, rule))
    assert {name: one.text for name, one in found.items()} == {"relu": "1", "gelu": "2", "sigmoid": "3"}
    none = build_cells(made.assign(target_reached=False), *others, rule)
    assert speeds_of(none) == {}
    assert "place by speed" not in standing(none).wide
