"""One function under two names is found to be one, is said to be, and neither name wins of what both share."""

import re

import jax.numpy as jnp
import pandas as pd
import pytest

from actlab.activations import CATALOGUE, Activation, properties
from actlab.activations.formulas import read
from actlab.activations.twins import twins
from actlab.analysis import findings, panels
from actlab.analysis.cells import build_cells
from actlab.analysis.figures import FIGURES
from actlab.analysis.findings import gradients, outcomes
from actlab.analysis.findings.base import tied
from actlab.analysis.named_lines import UNDER
from actlab.analysis.tables import TABLES
from actlab.notation import ALWAYS, AT_FIRST
from tests.synthetic import frames

GIVEN = {
    "x * (1 + erf(x / sqrt(2))) / 2": {"gelu": ALWAYS},
    "max(x, 0)": {"relu": ALWAYS},
    "x * tanh(softplus(x))": {"mish": ALWAYS},
    "x * sigmoid(x)": {"swish": AT_FIRST, "silu": ALWAYS},
    "x * sigmoid(b * x), b=1": {"swish": AT_FIRST, "silu": AT_FIRST},
    "x * sigmoid(1.702 * x)": {},
    "x * (1 + tanh(0.7978845608 * (x + 0.044715 * x ** 3))) / 2": {"gelu_tanh": ALWAYS},
    "tanh(x) + 0.0001 * x": {},
}


def own(formula, folder):
    """Load a formula as the file that it is written as."""
    path = folder / "own_twin.py"
    path.write_text(read(formula).source("own"))
    return CATALOGUE.load(path, "own")


@pytest.mark.parametrize("formula", GIVEN)
def test_functions_of_the_same_values_are_found(formula, tmp_path):
    few = {name: CATALOGUE[name] for name in ("relu", "gelu", "gelu_tanh", "mish", "swish", "silu", "tanh")}
    assert twins(own(formula, tmp_path), few) == GIVEN[formula]


def test_they_are_found_in_the_whole_catalogue_and_described(tmp_path):
    record = own("max(x, 0)", tmp_path)
    assert twins(record) == {"relu": ALWAYS}
    assert re.search(r"same as +relu on \[−32, 32\], derivative included", properties.describe(record))
    assert "same as" not in properties.describe(CATALOGUE["relu"])


def test_a_copy_in_values_with_another_slope_is_none():
    kinked = Activation("own", *[lambda z: jnp.tanh(z) + 1e-7 * jnp.sin(1e4 * z)] * 3)
    assert twins(kinked, {"tanh": CATALOGUE["tanh"]}) == {}


def study(seeds, same_as, shift=0.0):
    """Build the cells of relu, gelu and a copy of gelu that comes first, whose numbers may differ by rounding."""
    three = frames(("relu", "gelu"), (2, 5), (1e-3,), seeds=seeds)
    copied = [frame[frame["run"].isin(three[0].loc[three[0]["activation"] == "gelu", "run"])] for frame in three]
    copied = [frame.assign(run="c" + frame["run"].str[1:]) for frame in copied]
    copied[0] = copied[0].assign(activation="copy", test_accuracy=copied[0]["test_accuracy"] + shift)
    both = [pd.concat(pair, ignore_index=True) for pair in zip(three, copied, strict=True)]
    notes = {"copy": {"order": 0, "same_as": same_as}, "relu": {"order": 2}, "gelu": {"order": 7}}
    cells = build_cells(*both, None, activations=notes)
    return cells, {name: TABLES[name].make(cells) for name in ("performance", "vanishing_slopes")}


@pytest.mark.parametrize(
    ("same_as", "said"),
    [
        ({"gelu": ALWAYS}, "`copy` computes the same values as `gelu` on [−32, 32], derivative included. What differs"),
        ({"mish": ALWAYS}, "It is not new, and `mish` is not among those"),
        ({"gelu": AT_FIRST}, "as long as learned parameters are where they begin"),
        ({}, None),
    ],
)
def test_it_is_said_first_that_two_functions_are_one(same_as, said):
    cells, tables = study(5, same_as)
    found = findings.found_in(cells, tables)
    assert (said in found[0].text) if said else not any("same values" in one.text for one in found)


def test_neither_name_wins_of_what_both_share():
    """The copy is ahead by what rounding leaves; of three seeds no slope has an interval."""
    cells, tables = study(3, {"gelu": ALWAYS})
    assert "with `copy` and `gelu`" in gradients.slopes(cells, tables).text
    cells, tables = study(5, {"gelu": ALWAYS}, shift=1e-3)
    frame = tables["performance"].frame
    frame.loc[:, ["best", "as_good", "undecided"]] = False
    frame.loc[(frame["depth"] == 5) & (frame["activation"] == "copy"), "best"] = True
    frame.loc[(frame["depth"] == 5) & (frame["activation"] == "gelu"), "as_good"] = True
    text = outcomes.best(cells, tables).text
    assert "`copy`" in text.partition("As good")[0]
    assert "`gelu`" in text.partition("As good")[0]
    assert "As good" not in text


def test_cells_that_are_alike_share_an_extreme():
    cells, _ = study(3, {})
    rows = pd.DataFrame({"activation": ["a", "b", "c"], "depth": [5, 5, 2], "_": [1.0, 1.0 + 1e-9, 0.5]})
    assert tied(rows, 0, "_", cells)["activation"].tolist() == ["a", "b"]


def test_a_line_that_lies_under_another_has_a_key():
    def keys(cells):
        drawing = FIGURES["gradient_by_layer"].make(cells)
        figure = panels.render(drawing.spec, drawing.frame)
        return [text.get_text() for legend in figure.legends for text in legend.get_texts()]

    assert UNDER in keys(study(3, {})[0])
    assert UNDER not in keys(build_cells(*frames(("relu", "gelu"), (2, 5), (1e-3,), seeds=3), None))
