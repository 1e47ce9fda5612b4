"""One notation for a name with options, wherever one may stand: overrides, a study's file, describe and example."""

import json
import re

import pytest
from typer.testing import CliRunner

from actlab import cli, sources
from actlab.activations import CATALOGUE, ActivationError
from actlab.cli import activations
from actlab.nn import worked_example
from actlab.notation import split_options, with_options
from actlab.study.choices import checked_activation
from actlab.study.fields import Choice, split_name
from actlab.study.reading import StudyError, read, resolved_yaml
from actlab.study.sections import CHOICES
from tests.test_bad_input import STUDY, with_sweep

OWN = """
import jax.numpy as jnp

def f(z, *, alpha=1.0):
    return jnp.where(z > 0, z, alpha * jnp.tanh(z))
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Stand in a folder with a study and an activation of one's own, and one of that name in another."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "sub").mkdir()
    for place in (tmp_path, tmp_path / "sub"):
        (place / "act.py").write_text(OWN)
    return tmp_path


def written(text):
    with open("t.yaml", "w", encoding="utf-8") as file:
        file.write(text)
    return read("t.yaml")


# In one word, and as a mapping: of every key that holds a name with options
SAME = {
    "leaky_relu:negative_slope=0.2": ("model.activation", {"name": "leaky_relu", "negative_slope": 0.2}),
    "prelu:per=unit:alpha=-.5": ("model.activation", {"name": "prelu", "per": "unit", "alpha": -0.5}),
    "act.py:f:alpha=3": ("model.activation", {"name": "act.py:f", "alpha": 3}),
    "gaussian:sigma_w=1.5": ("model.weight_init", {"name": "gaussian", "sigma_w": 1.5}),
    "constant:value=-1e-1": ("model.bias_init", {"name": "constant", "value": -0.1}),
    "momentum:momentum=0.8:nesterov=true": (
        "train.optimizer",
        {"name": "momentum", "momentum": 0.8, "nesterov": True},
    ),
    "spirals:turns=3": ("data.name", {"name": "spirals", "turns": 3}),
    "cosine:warmup_steps=2": ("train.schedule", {"name": "cosine", "warmup_steps": 2}),
}


def test_one_word_is_the_mapping_that_it_is_short_for():
    assert {key for key, _ in SAME.values()} == set(CHOICES)
    for word, (key, mapping) in SAME.items():
        as_json = json.dumps(mapping)
        section, name = key.split(".")
        by_word, by_mapping = (read("s.yaml", [f"{key}={value}"]) for value in (word, as_json))
        assert by_word.cells == by_mapping.cells, word
        assert resolved_yaml(by_word.config, by_word.source.path) == resolved_yaml(
            by_mapping.config, by_mapping.source.path
        )
        other = {"model.weight_init": "he_normal", "model.bias_init": "zeros", "train.schedule": "constant"}
        other |= {"data.name": "iris"}
        alone = other.get(key, "gelu" if name == "activation" else "sgd")
        swept = read("s.yaml", [f"{key}={word},{alone}"])
        assert next(getattr(getattr(cell, section), name) for cell in swept.cells) == getattr(
            getattr(by_word.cells[0], section), name
        )
        assert len(swept.cells) == 2
        in_files = [
            written(with_sweep(f"matrix: {{{key}: [{value}, {alone}]}}\nexclude: [{{{key}: {value}}}]")).cells
            for value in (word, as_json)
        ]
        assert in_files[0] == in_files[1]
        assert len(in_files[0]) == 1, "exclude finds it, whichever way it is written"


def test_paths_are_relative_to_the_file_or_to_the_current_folder(here):
    (here / "sub" / "s.yaml").write_text(STUDY.replace("  depth: 2", "  activation: act.py:f:alpha=3"))
    assert read("sub/s.yaml").config.model.activation.name == f"{here}/sub/act.py:f"
    assert read("sub/s.yaml", ["model.activation=act.py:f:alpha=3"]).config.model.activation.name == f"{here}/act.py:f"


def test_a_mapping_may_have_more_options():
    merged = read("s.yaml", ["model.activation=prelu:alpha=0.1", "model.activation.per=unit"]).config.model.activation
    assert merged.options == {"alpha": 0.1, "per": "unit"}
    with pytest.raises(StudyError, match="gives 'alpha', and so does the mapping"):
        read("s.yaml", ["model.activation={name: 'prelu:alpha=0.1', alpha: 0.2}"])


# Word -> the mapping that is as wrong, whose message it gets; or what is wrong with the word itself
WRONG = {
    "leaky_relu:slope=0.2": "{name: leaky_relu, slope: 0.2}",
    "leaky_relu:negative_slope=steep": "{name: leaky_relu, negative_slope: steep}",
    "leaky_relu:negative_slope=true": "{name: leaky_relu, negative_slope: true}",
    "leaky_relu:negative_slope=.nan": "{name: leaky_relu, negative_slope: .nan}",
    "leaky_relu:negative_slope=1e31": "{name: leaky_relu, negative_slope: 1e31}",
    "leaky_relu:negative_slope=infinity": "{name: leaky_relu, negative_slope: infinity}",
    "prelu:per=uint": "{name: prelu, per: uint}",
    "relu:per=unit": "{name: relu, per: unit}",
    "rellu:alpha=1": "{name: rellu, alpha: 1}",
    "act.py:f:alpa=3": "{name: 'act.py:f', alpa: 3}",
    "leaky_relu:0.2": "in 'leaky_relu:0.2'; did you mean 'leaky_relu:negative_slope=0.2'?",
    "leaky_relu:": "after ':' in 'leaky_relu:'; its options are negative_slope",
    "leaky_relu:negative_slope": "in 'leaky_relu:negative_slope'; its options are negative_slope",
    "elu:alpha=1:alpha=2": "'elu:alpha=1:alpha=2': gives 'alpha' twice",
}


def test_what_is_wrong_is_said_as_of_a_mapping(here):
    for word, other in WRONG.items():
        with pytest.raises(StudyError) as of_word:
            read("s.yaml", [f"model.activation={word}"])
        message = str(of_word.value).removeprefix(f"override model.activation={word}: ")
        assert "\n" not in message, word
        if other.startswith("{"):
            with pytest.raises(StudyError) as of_mapping:
                read("s.yaml", [f"model.activation={other}"])
            assert message == str(of_mapping.value).removeprefix(f"override model.activation={other}: "), word
        else:
            assert other in message, word
        in_file = STUDY.replace("  depth: 2", f"  activation: '{word}'")
        with pytest.raises(StudyError, match=r"^t\.yaml:5: model.activation: ") as of_file:
            written(in_file)
        assert message.removeprefix("model.activation: ") in str(of_file.value)
        with pytest.raises(ActivationError) as described:
            activations.asked([word])
        assert str(described.value) == message.removeprefix("model.activation: ").replace(f"{here}/", ""), word


def test_what_is_written_is_read_again():
    for options in ({}, {"a": 0.1, "b": True}, {"per": "unit"}, {"a": -1e-30, "b": 1e30, "c": 1 / 3}):
        for name in ("relu", "a/b c.py:f"):
            assert split_options(with_options(name, options)) == (name, options)


def test_a_functions_file_is_vetted_behind_options_too():
    assert sources.named_in({"model": {"activation": "sources/a.py:f:alpha=3"}}) == ["sources/a.py"]


# describe and example


def test_each_option_is_an_activation_of_its_own(monkeypatch):
    monkeypatch.setattr(activations, "check", lambda record, parameters: None)  # by the next test
    words = [
        "leaky_relu:negative_slope=0.2",
        "leaky_relu",
        "leaky_relu:negative_slope=0.01",
        "act.py:f",
        "sub/act.py:f",
    ]
    records = activations.asked([*words, *words])
    names = [record.name for record in records]
    assert names[:2] == ["leaky_relu(negative_slope=0.2)", "leaky_relu"]
    assert len(set(names)) == 4
    assert names[3] == "sub/act.py:f"
    slope = records[0]
    assert float(slope.function(-1.0)) == pytest.approx(-0.2)
    assert float(slope.exact(-1.0)) == pytest.approx(-0.2)
    assert float(slope.derivative(-1.0)) == pytest.approx(0.2)
    assert slope.parameters == {"negative_slope": 0.2}
    assert activations.asked(["leaky_relu:negative_slope=0.01"]) == [CATALOGUE["leaky_relu"]]


def test_formulas_state_the_parameters_in_force():
    """Of every activation that states its defaults behind its formula: all that have parameters."""
    for name, record in CATALOGUE.items():
        if not record.parameters:
            continue
        values = {parameter: 2.5 + i for i, parameter in enumerate(record.parameters)}
        at = activations.at(record, values, "label")
        stated = re.findall(r"(?:= |from )([-−\d.]+)", at.formula.partition(", ")[2])
        assert [float(one) for one in stated] == list(values.values()), name
        assert activations.restated(record.formula, list(record.parameters.values())) == record.formula, name
        assert activations.restated(record.latex, list(record.parameters.values())) == record.latex, name


def said_by(*words):
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    return done.output if done.exception is None else str(done.exception)


def test_describe_and_example_take_options_and_functions_of_ones_own(here):
    text = said_by("describe", "act.py:f:alpha=3", "--out", "d")
    assert re.search(r"f\(alpha=3\) .*\n(.*\n)*  largest \|φ'\|  3\n", text)
    figures = {path.name for path in (here / "d" / "figures").glob("*.svg")}
    assert figures == {"f-alpha=3.svg", "overview.svg"}
    text = said_by("example", "relu", "leaky_relu:negative_slope=0.5", "--input", "-0.5")
    assert "x = −0.5" in text
    assert "z₁ = −0.2 and z₂ = 0.4." in text
    assert re.search(r"^relu +0 +0\.4000 +0\.1200 ", text, re.MULTILINE)
    assert re.search(r"^leaky_relu\(negative_slope=0\.5\) +−0\.1000 ", text, re.MULTILINE)
    assert "under gradient descent" in text
    assert "sigmoid" not in text


def test_inputs_that_no_example_can_take_are_refused():
    for x in ("nan", "inf", "1e9", "-100.1"):
        assert "--input: expected a number from −100 to 100" in said_by("example", "relu", "--input", x)
    assert said_by("example", "relu", "--input", "half") == "2"  # refused by the parser


def test_gradients_at_another_input_are_slopes_of_the_loss():
    (row,), descent = worked_example.rows([CATALOGUE["sigmoid"]], 2.0)
    assert row["z1"] == pytest.approx(1.3)
    assert row["z2"] == pytest.approx(-0.6)
    assert row["largest_difference"] <= 1e-12
    first, second = descent[:2]
    assert second["w1"] - first["w1"] == pytest.approx(-0.1 * row["dw1"], abs=1e-15)
    assert row["dw1"] == pytest.approx(2.0 * row["dz1"], abs=1e-15)


def test_a_choice_reads_the_notation_by_itself():
    assert checked_activation(Choice.model_validate(split_name("leaky_relu:negative_slope=0.2"))).options == {
        "negative_slope": 0.2
    }
