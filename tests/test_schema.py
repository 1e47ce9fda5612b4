"""The JSON Schema: it takes every study that there is, refuses what the program refuses, and looks inside a sweep."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from actlab.analysis.figures import FIGURES
from actlab.analysis.tables import TABLES
from actlab.cli import schema_file
from actlab.study.json_schema import study_schema
from actlab.study.reading import StudyError, parse, read
from actlab.study.schema import StudyConfig
from actlab.study.sections import CHOICES, SWEPT
from actlab.study.yaml_text import YamlTextError, bounded_load
from tests.test_bad_input import STUDY, YAML_CASES, with_sweep

ROOT = Path(__file__).parents[1]
SCHEMA = study_schema(TABLES, FIGURES)
VALID = Draft202012Validator(SCHEMA)
LINE = re.compile(r"# yaml-language-server: \$schema=(.+)\n")
PARTS = {"tables": TABLES, "figures": FIGURES}


def plain(text):
    return bounded_load(text, "s.yaml")[0]


def complaints(raw):
    return [f"{one.json_path}: {one.message[:200]}" for one in VALID.iter_errors(raw)]


def test_it_is_a_schema_and_the_one_in_the_package():
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(schema_file.PATH.read_text(encoding="utf-8")) == SCHEMA, "make index"
    assert schema_file.PATH.read_text(encoding="utf-8") == schema_file.text() + "\n"


def test_it_takes_every_study_that_there_is():
    shipped = [*ROOT.glob("configs/*.yaml"), *ROOT.glob("results/*/study.yaml"), *ROOT.glob("tests/*/study.yaml")]
    assert len(shipped) > 5
    for path in shipped:
        assert not complaints(parse(path)[0]), path


def test_it_takes_the_studies_in_the_documents():
    seen = 0
    for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        for block in re.findall(r"^```yaml\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            try:
                raw = plain(block)
            except YamlTextError:
                continue
            if not isinstance(raw, dict) or not set(raw) <= set(StudyConfig.model_fields):
                continue  # a cluster file
            seen += 1
            raw = {"study": "s", "data": {"name": "iris"}} | raw  # some show a section alone
            raw["data"] = {"name": "iris"} | raw["data"]
            assert not complaints(raw), (path.name, block)
    assert seen >= 2


def test_each_shipped_study_names_the_schema_that_it_comes_with():
    for path in ROOT.glob("configs/*.yaml"):
        text = path.read_text(encoding="utf-8")
        named = LINE.match(text)
        assert named, path
        assert (path.parent / named[1]).resolve() == schema_file.PATH
        assert plain(text) == plain(text.replace(named[0], ""))


UNSEEN = {
    "missing data file",
    "learning rate NaN",
    "evaluations off the records",
    "batch larger than the data",
    "everything excluded",
    "warm-up without end",
    "more frozen layers than there are",
}
"""Broken studies that no schema can see: what is wrong is outside the file, in two keys together, or no JSON."""


def test_it_refuses_what_the_program_refuses():
    refused, unseen = set(), set()
    for name, (text, overrides, _) in YAML_CASES.items():
        try:
            raw = plain(text)
        except YamlTextError:
            continue
        if isinstance(raw, dict) and not overrides:
            (refused if complaints(raw) else unseen).add(name)
    assert len(refused) > 25
    assert unseen == UNSEEN


BROKEN = {
    "unknown key of a matrix": with_sweep("matrix: {model.dpeth: [2]}"),
    "a section without a key": with_sweep("matrix: {model: [2]}"),
    "what cannot be swept": with_sweep("matrix: {measure.every: [2]}"),
    "a value of another kind": with_sweep("matrix: {model.depth: [2, deep]}"),
    "a value beyond its bound": with_sweep("matrix: {model.depth: [0]}"),
    "no list": with_sweep("matrix: {model.depth: 2}"),
    "an empty list": with_sweep("matrix: {model.depth: []}"),
    "an empty matrix": with_sweep("matrix: {}"),
    "a misspelt name": with_sweep("matrix: {model.activation: [relu, gelluu]}"),
    "a misspelt option": with_sweep("matrix: {model.activation: [{name: leaky_relu, slope: 0.1}]}"),
    "a misspelt option in one word": with_sweep("matrix: {model.activation: ['leaky_relu:slope=0.1']}"),
    "an option that is no number": with_sweep("matrix: {model.activation: ['leaky_relu:negative_slope=steep']}"),
    "no value of per": with_sweep("matrix: {model.activation: ['prelu:per=uint']}"),
    "an option where none is": with_sweep("matrix: {train.optimizer: [{name: sgd, momentum: 0.9}]}"),
    "a needed option": with_sweep("matrix: {model.weight_init: [gaussian]}"),
    "a deeper key of dropout": with_sweep("matrix: {model.dropout.rte: [0.1]}"),
    "a rate of 1": with_sweep("matrix: {model.dropout.rate: [1.0]}"),
    "an unknown key of exclude": with_sweep("matrix: {model.depth: [2, 3]}\nexclude: [{model.dpeth: 2}]"),
    "an unknown key of include": with_sweep("include: [{model.dpeth: 2}]"),
    "a value of include": with_sweep("include: [{model.norm: bach}]"),
    "no seeds": with_sweep("seeds: 0"),
    "a seed twice": with_sweep("seeds: [1, 1]"),
    "a negative seed": with_sweep("seeds: [-1]"),
    "an unknown table": STUDY + "report: {tables: [performanse]}",
    "an unknown figure": STUDY + "report: {figures: [dyin]}",
    "an unknown rule": STUDY + "report: {select: {over: train.rate}}",
    "claims that are no path": STUDY + "claims: [a.py]",
    "an unknown probe": STUDY.replace("every: 2,", "every: 2, probes: [dead_fractoin],"),
    "no probes": STUDY.replace("every: 2,", "every: 2, probes: [],"),
    "a half step of warming up": STUDY.replace("steps: 4", "steps: 4, schedule: {name: cosine, warmup_steps: 1.5}"),
}


def test_it_looks_inside(tmp_path):
    """And the program refuses each of these too: the schema never is the stricter of the two."""
    for name, text in BROKEN.items():
        assert complaints(plain(text)), name
        (tmp_path / "s.yaml").write_text(text)
        with pytest.raises(StudyError):
            read(tmp_path / "s.yaml", parts=finders())


def finders():
    from actlab.analysis.parts import chosen

    return {name: (lambda names, registry=registry: chosen(registry, names)) for name, registry in PARTS.items()}


SOUND = {
    "one word": with_sweep("matrix: {model.activation: ['leaky_relu:negative_slope=0.2', relu, 'prelu:per=unit']}"),
    "mappings": with_sweep("matrix: {model.activation: [{name: leaky_relu, negative_slope: 1}, gelu]}"),
    "options of their own": with_sweep(
        "matrix: {model.activation: [leaky_relu], model.activation.negative_slope: [0.1, 1]}"
    ),
    "whole numbers for others": with_sweep("matrix: {train.learning_rate: [1, 0.1]}"),
    "null": with_sweep("matrix: {train.clip_norm: [null, 1.0]}"),
    "dropout": with_sweep("matrix: {model.dropout.rate: [0, 0.1], model.dropout.kind: [alpha]}"),
    "needed options": with_sweep("matrix: {model.weight_init: ['gaussian:sigma_w=1.5', {name: gaussian, sigma_w: 2}]}"),
    "include and exclude": with_sweep(
        "matrix: {model.depth: [2, 3]}\nexclude: [{model.depth: 2}]\ninclude: [{model.width: 9}]\nseeds: [3, 5]"
    ),
    "an unnamed schedule": STUDY.replace("steps: 4", "steps: 4, schedule: {warmup_steps: 2}"),
    "bias and optimizer": with_sweep(
        "matrix: {model.bias_init: ['constant:value=-.5'], train.optimizer: ['momentum:nesterov=true']}"
    ),
    "options without a name": STUDY.replace("steps: 4", "steps: 4, optimizer: {b1: 0.8}"),
    "swept options without a name": with_sweep("matrix: {train.optimizer: [{b1: 0.8}, sgd]}"),
    "a single probe": STUDY.replace("every: 2,", "every: 2, probes: dead_fraction,"),
    "a single table": STUDY + "report: {tables: performance, figures: training_curves}",
    "a single column": re.sub("data: .*", "data: {name: ROWS, drop: id, keep: b, na_values: '?'}", STUDY),
    "report": STUDY + "report: {select: null, tables: [death], figures: null}",
}


def test_what_is_sound_passes_both(tmp_path):
    (tmp_path / "rows.csv").write_text(
        "id,a,b,y\n" + "".join(f"{i},{i * i % 7}.5,{i},{'pq'[i % 2]}\n" for i in range(60))
    )
    for name, text in SOUND.items():
        text = text.replace("ROWS", str(tmp_path / "rows.csv"))
        assert not complaints(plain(text)), name
        (tmp_path / "s.yaml").write_text(text)
        assert read(tmp_path / "s.yaml", parts=finders()).cells, name


def values_of(stated):
    """Draw values that a key's schema takes."""
    while "$ref" in stated:
        node = SCHEMA
        for step in stated["$ref"].removeprefix("#/").split("/"):
            node = node[step]
        stated = node
    if "enum" in stated:
        return st.sampled_from(stated["enum"])
    if "const" in stated:
        return st.just(stated["const"])
    if "anyOf" in stated:
        return st.one_of([values_of(one) for one in stated["anyOf"] if "[A-Za-z_]" not in json.dumps(one)])
    kind = stated.get("type")
    if "pattern" in stated:
        return st.from_regex(stated["pattern"].replace("[0-9]+", "[0-3]"), fullmatch=True)
    if kind == "object":
        wanted, properties = stated.get("required", []), stated.get("properties", {})
        values = {key: values_of(one) for key, one in properties.items()}
        return st.fixed_dictionaries({key: values.pop(key) for key in wanted}, optional=values).filter(bool)
    if kind == "array":  # a learned parameter by layer
        return st.lists(values_of(stated["items"]), min_size=1, max_size=2)
    low, high = stated.get("minimum", stated.get("exclusiveMinimum", 0)), stated.get("maximum", 9)
    if kind == "integer":
        return st.integers(low, min(high, low + 3))
    if kind == "number":
        open_low = "exclusiveMinimum" in stated
        return st.floats(max(low, 0), 0.75, exclude_min=open_low, allow_subnormal=False)
    return {"boolean": st.booleans(), "null": st.none()}[kind]


FREE = [key for key in SWEPT if not key.startswith("data.")]  # what a file holds decides what goes with it


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_what_the_schema_takes_the_program_takes(data):
    chosen = data.draw(st.lists(st.sampled_from(FREE), min_size=1, max_size=4, unique=True))
    stated = SCHEMA["$defs"]["SweepConfig"]["properties"]["matrix"]["properties"]
    matrix = {key: [data.draw(values_of(stated[key]["items"]))] for key in chosen}
    raw = plain(STUDY) | {"sweep": {"matrix": matrix, "seeds": 2}}
    assert not complaints(raw)
    from actlab.study import reading

    source = reading.Source(Path("s.yaml"), {}, {})
    reading.check_matrix(raw, source)
    config = reading.validate(raw, source)
    reading.expand(
        {name: raw.get(name) or {} for name in ("data", "model", "train", "measure")},
        config.sweep,
        lambda place, name, error: StudyError(reading.error_message(source, error, place, name)),
    )


def test_every_key_is_explained():
    """On hover an editor shows what a key means, and its default."""
    for where, section in [("", SCHEMA), *SCHEMA["$defs"].items()]:
        for name, one in section.get("properties", {}).items():
            assert one.get("description"), f"{where}.{name}"
    for key in CHOICES:
        section = {"data": "DataConfig", "model": "ModelConfig", "train": "TrainConfig"}[key.split(".")[0]]
        stated = SCHEMA["$defs"][section]["properties"][key.split(".")[1]]
        assert isinstance(stated.get("default"), str) == (key != "data.name")  # which must be given


def test_it_is_written_where_one_asks_for_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    schema_file.print_or_write(Path("s.json"))
    assert capsys.readouterr().out == "s.json\n"
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8")) == SCHEMA
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]
