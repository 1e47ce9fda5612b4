"""``actlab assess``: a study of a size that fits a budget, a function or formula first, and one row for each."""

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import actlab
from actlab import cli
from actlab.activations import CATALOGUE
from actlab.analysis.cells import build_cells
from actlab.analysis.document import document
from actlab.analysis.making import make_shipped
from actlab.analysis.sections import markdown
from actlab.analysis.tables.outcomes import performance
from actlab.analysis.tables.standing import standing
from actlab.study.assessment import GRIDS, study_of
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
        (activation, *_), *_ = study["sweep"]["matrix"].values()
        name = activation["name"] if isinstance(activation, dict) else activation
        text = Path(name.split(":")[0]).read_text() if ".py" in name else ""
        calls.append((study, text))

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
    assert made.wide["activation"].tolist() == own.wide["activation"].tolist()
    for name in own.wide:
        assert made.wide[name].tolist() == own.wide[name].tolist()
    assert {"trains to depth", "decades per layer, init", "dead, end"} <= set(made.wide)
    relu = made.wide.set_index("activation").loc["`relu`"]
    assert relu["dead, end"] not in ("0", "–")
    assert made.wide.set_index("activation").loc["`gelu`", "dead, end"] == "0"


def test_standing_is_of_activation_and_depth_alone():
    cells = build_cells(*frames(("sigmoid", "relu"), (2, 5), seeds=5, optimizer=("sgd", "adam")), None)
    assert standing(cells) is None


def test_the_page_begins_with_formula_and_standing(tmp_path):
    rule = Select("train.learning_rate", "validation_loss")
    cells = build_cells(*frames(("sigmoid", "relu"), (2, 5), seeds=5), rule)
    made = make_shipped(tmp_path, cells, ["performance", "standing"], [])
    notes = {"activations": {"sigmoid": {"order": 0, "formula": "1/(1+exp(-z))"}}}
    page = markdown(document({"study": "assess_sigmoid"}, notes, cells, made))
    places = [page.index(text) for text in ("1/(1+exp(-z))", "## Where each activation stands", "## What was found")]
    assert places == sorted(places)
    assert page.count("Where each activation stands") == 1
    assert page.index("## What was found") < page.index("## Tables")
