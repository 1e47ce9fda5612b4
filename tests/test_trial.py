"""A trial: what its file may say, what is computed once and kept, and one table and page of what its parts decided."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import actlab
from actlab import cli, commands, trials
from actlab.analysis import lineage, report, trial_page, verdict_pictures, verdicts
from actlab.analysis.cells import build_cells
from actlab.analysis.claims import (
    AT_LEAST,
    AT_MOST,
    CONTRADICTED,
    INCONCLUSIVE,
    ONLY_IF,
    SUPPORTED,
    ClaimsError,
    Verdict,
    judge,
)
from actlab.analysis.document import how_it_was_made
from actlab.analysis.findings.decided import by_claim, stored
from actlab.analysis.intervals import Interval
from actlab.analysis.judging import capped, computed
from actlab.analysis.layout import to_latex, write_table
from actlab.analysis.pages.document import html
from actlab.analysis.pages.shell import beside
from actlab.analysis.parts import ReportError
from actlab.analysis.sections import Grid, Picture, Section, markdown
from actlab.analysis.under import Condition
from actlab.data import DATASETS
from actlab.engine.files import DamageError
from actlab.sources import UntrustedError
from actlab.study import trial as reading
from actlab.study.selection import Select
from actlab.study.source import StudyError
from tests.synthetic import frames

ROOT = Path(__file__).parents[1]
OWN = """
import pandas as pd
from actlab.analysis.claims import AT_LEAST, judge
from actlab.analysis.judging import computed

def measure():
    return pd.DataFrame({"value": [0.5]})

def large(numbers):
    return judge("M1z", "mish", "is large", AT_LEAST, 0.1, computed(numbers["value"].iloc[0]), "its value")

CLAIMS = [large]
"""


@pytest.fixture
def folder(tmp_path):
    """A trial without studies: what is computed alone."""
    (tmp_path / "size.py").write_text(OWN)
    (tmp_path / "trial.yaml").write_text("trial: mine\nquestion: How large?\ncomputed: [size.py]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "why"),
    {
        "trial: mine\n": "names neither studies nor computed",
        "trial: My Own\ncomputed: [size.py]\n": r"trial.yaml:1: trial:",
        "trial: mine\ncomputd: [size.py]\n": r"trial.yaml:2: computd: unknown key; did you mean 'computed'",
        "trial: mine\ncomputed: size.py\n": r"trial.yaml:2: computed: expected a list",
        "trial: mine\ncomputed: [siez.py]\n": r"trial.yaml:2: computed: .*siez.py: no such file",
        "trial: mine\ncomputed: [size.py, ./size.py]\n": "another file is called 'size'",
        "trial: mine\ncomputed: [size.py]\nquick: {sizes: [a=2]}\n": "trial.yaml:3: quick: sizes: is no study",
        "trial: mine\ncomputed: [size.py]\nquick_without: [size]\n": "trial.yaml:3: quick_without: size: is no study",
        "computed: [size.py]\n": "trial: is missing",
        "trial: mine\ncomputed: [size.py]\nlineage: [{fault: R3a}]\n": "trial.yaml:3: lineage.0.repair: is missing",
        "trial: mine\ncomputed: [size.py]\nquick: {all: x}\n": "trial.yaml:3: quick.all: expected",
    }.items(),
)
def test_a_wrong_file_is_answered_with_its_place(folder, text, why):
    (folder / "trial.yaml").write_text(text)
    with pytest.raises(StudyError, match=why):
        reading.read(folder)


def test_a_folder_without_one_is_no_trial(tmp_path):
    with pytest.raises(StudyError, match=r"has no trial\.yaml"):
        reading.read(tmp_path)


def test_the_committed_trial_is_read_and_its_studies_exist():
    trial = reading.read(ROOT / "configs" / "trial")
    assert trial.overrides(trial.studies[0].stem, quick=False) == ()
    for path in trial.studies:
        actlab.study_of(path, trial.overrides(path.stem, quick=True))


def test_what_is_computed_is_kept_with_its_rule_and_decided(folder):
    out = folder / "out"
    trials.run(reading.read(folder), out)
    assert pd.read_csv(out / "size" / "measured.csv")["value"].tolist() == [0.5]
    assert (out / "size" / "sources" / "size.py").read_text() == OWN
    table = pd.read_csv(out / "tables" / "claims.csv")
    assert list(table.columns) == list(verdicts.COLUMNS)
    assert table.loc[0, ["id", "verdict", "estimate", "method"]].tolist() == ["M1z", SUPPORTED, 0.5, "computed"]
    page = (out / "report.md").read_text()
    links = re.findall(r"\]\(([^#)]+)\)", page)
    assert links
    assert "figures/M1z.png" in links
    assert all((out / link).is_file() for link in links)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert trials.write(out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_what_was_measured_is_kept_while_its_file_is_the_same(folder):
    """Races differ each time: numbers of a file that draws some stay, and another file has its own."""
    drawn = OWN.replace("[0.5]", "[0.5 + id(object()) % 997 / 1e5 + __import__('time').perf_counter_ns() % 991 / 1e6]")
    (folder / "size.py").write_text(drawn)
    read = reading.read(folder)
    kept = []
    for text in (drawn, drawn, f"{drawn}# altered"):
        (folder / "size.py").write_text(text)
        trials.run(read, folder / "out")
        kept.append((folder / "out" / "size" / "measured.csv").read_bytes())
    assert kept[0] == kept[1] != kept[2]
    about = json.loads((folder / "out" / "size" / "measured.json").read_text())
    assert {"platform", "jax", "actlab"} <= set(about)


def test_a_report_of_a_trial_decides_all_again_and_writes_the_same_bytes(folder):
    out = folder / "out"
    trials.run(reading.read(folder), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    shutil.rmtree(out / "tables")
    (out / "size" / "tables" / "claims.csv").unlink()
    (out / "report.md").unlink()
    done = CliRunner().invoke(cli.app, ["report", str(out)])
    assert done.exit_code == 0, done.output
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "error", "why"),
    [
        ("measured.csv", DamageError, "is not what was measured"),
        ("sources/size.py", UntrustedError, "altered"),
    ],
)
def test_what_was_altered_is_not_decided_on(folder, name, error, why):
    trials.run(reading.read(folder), folder / "out")
    path = folder / "out" / "size" / name
    path.write_text(path.read_text() + "\n")
    with pytest.raises(error, match=why):
        trials.report(folder / "out")


def test_the_plan_of_a_trial_has_each_study_and_its_share(folder):
    small = (
        "study: {0}\ndata: {{name: iris}}\nmodel: {{width: 4, depth: 2}}\ntrain: {{steps: {1}}}\nsweep: {{seeds: 2}}\n"
    )
    for name, steps in (("short", 10), ("long", 30)):
        (folder / f"{name}.yaml").write_text(small.format(name, steps))
    lines = (folder / "trial.yaml").read_text() + "studies: [short.yaml, long.yaml]\nquick: {long: [train.steps=10]}\n"
    (folder / "trial.yaml").write_text(lines)
    run = CliRunner().invoke
    done = run(cli.app, ["plan", str(folder), "--out", str(folder / "out")])
    assert done.exit_code == 0, done.output
    assert re.search(r"short +2 +2 +0 s +25%", done.output)
    assert re.search(r"long +2 +2 +0 s +75%", done.output)
    assert "Computed, without training: size." in done.output
    quick = run(cli.app, ["trial", str(folder), "--quick", "--dry-run", "--out", str(folder / "out")])
    assert len(re.findall("50%", quick.output)) == 2, quick.output
    alone = run(cli.app, ["trial", str(folder), "--dry-run", "--only", "long", "--out", str(folder / "out")])
    assert re.search(r"long +2 +2 +0 s +100%", alone.output)
    assert "short" not in alone.output
    assert "Computed" not in alone.output
    (folder / "trial.yaml").write_text(f"{lines}quick_without: [long]\n")
    quick = run(cli.app, ["trial", str(folder), "--quick", "--dry-run", "--out", str(folder / "out")])
    assert re.search("100%", quick.output)
    assert "long" not in quick.output
    assert [path.stem for path in reading.read(folder).parts(True, ["long"])] == ["long"]
    assert [path.stem for path in reading.read(folder).parts(False)] == ["short", "long", "size"]
    assert not (folder / "out").exists()
    assert run(cli.app, ["plan", str(folder), "model.depth=3"]).exit_code == 2


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        (("def measure", "def measured"), ClaimsError, "needs a function `measure`"),
        (("[0.5]", "[0.5 / 0]"), ReportError, "measure: .*size.py, line 7: ZeroDivisionError"),
        (("CLAIMS", "CLAIM"), ClaimsError, "needs CLAIMS"),
    ],
)
def test_a_file_that_computes_nothing_is_one_message_and_leaves_nothing(folder, change, error, why):
    (folder / "size.py").write_text(OWN.replace(*change))
    with pytest.raises(error, match=why):
        trials.run(reading.read(folder), folder / "out")
    assert not (folder / "out" / "size").exists()


def test_a_quick_trial_never_stands_where_the_full_one_does(folder, monkeypatch):
    monkeypatch.chdir(folder)
    run = CliRunner().invoke
    full = run(cli.app, ["trial", "."])
    assert full.exit_code == 0
    told = full.output.splitlines()
    at = next(i for i, line in enumerate(told) if re.match(r"\d+ verdicts?: ", line))
    found = verdicts.read(Path("results/mine"))
    assert [line.split()[0] for line in told[at + 1 : at + 1 + len(found)]] == [one.id for one in found]
    assert ".png" not in full.output
    assert run(cli.app, ["trial", ".", "--quick"]).exit_code == 0
    assert not trials.is_quick(Path("results/mine"))
    assert trials.is_quick(Path("results/mine_quick"))
    assert "quick trial" in Path("results/mine_quick/report.md").read_text()
    assert "quick trial" not in Path("results/mine/report.md").read_text()
    assert run(cli.app, ["trial", ".", "--quick", "--out", "results/mine"]).exit_code == 2
    assert run(cli.app, ["trial", ".", "--only", "sise"]).exit_code == 2


def test_all_parts_are_in_the_table_in_the_order_of_the_story(folder):
    """A claim that no part decides is named; one that the story does not know comes last."""
    out = folder / "out"
    trials.run(reading.read(folder), out)
    other = OWN.replace('"M1z", "mish"', '"X9", ""')
    (folder / "other.py").write_text(other)
    (folder / "trial.yaml").write_text("trial: mine\ncomputed: [other.py, size.py]\n")
    (out / "figures" / "of_old.png").touch()
    trials.run(reading.read(folder), out)
    table = pd.read_csv(out / "tables" / "claims.csv")
    assert table["id"].tolist() == ["M1z", "X9"]
    assert {path.name for path in (out / "figures").iterdir()} == {"M1z.png", "M1z.svg", "X9.png", "X9.svg"}
    note = (out / "tables" / "claims.md").read_text()
    assert "Without a verdict: S1, S2" in note
    assert "2 verdicts: 2 supported." in note


def test_a_number_that_is_computed_is_judged_as_it_is():
    assert judge("A", "", "s", AT_LEAST, 1.0, computed(1.0), "e").verdict == SUPPORTED
    assert judge("A", "", "s", AT_LEAST, 1.0, computed(0.999), "e").verdict == CONTRADICTED
    both = judge("A", "", "s", AT_MOST, 1.0, {"a": computed(0.5), "b": computed(2.0)}, "e")
    assert (both.verdict, both.estimate) == ("true only if", 2.0)


@pytest.mark.parametrize(
    ("best", "trains", "verdict"),
    [(1e-3, True, INCONCLUSIVE), (1e-1, True, INCONCLUSIVE), (1e-2, True, SUPPORTED), (1e-3, False, SUPPORTED)],
)
def test_a_verdict_is_capped_where_a_better_rate_may_lie_beyond_the_grid(best, trains, verdict):
    runs, steps, layers = frames(("relu", "gelu"), (5,), (1e-3, 1e-2, 1e-1), seeds=5)
    runs = runs.assign(validation_loss=(runs["learning_rate"] != best).astype(float), trained=trains, status="ok")
    cells = build_cells(runs, steps, layers, Select("train.learning_rate", "validation_loss"))
    plain = judge("A", "relu", "s", AT_LEAST, 0.0, computed(1.0), "e")
    one = capped(plain, cells, cells.selected[cells.selected["activation"] == "relu"])
    assert one.verdict == verdict
    assert ("at an end of their grid" in one.condition) == (verdict == INCONCLUSIVE)


def test_what_was_stored_before_a_field_of_verdicts_was_there_is_read(tmp_path):
    trial = {"config": {"question": "", "trial": "t"}, "quick": False, "parts": ["depth"], "of": "configs/trial"}
    shutil.copytree(ROOT / "results" / "depth" / "tables", tmp_path / "depth" / "tables")
    shutil.copy(ROOT / "results" / "depth" / "study.yaml", tmp_path / "depth" / "study.yaml")
    (tmp_path / trials.MANIFEST).write_text(json.dumps(trial))
    frame = pd.read_csv(tmp_path / "depth" / "tables" / "claims.csv").drop(columns="figure", errors="ignore")
    frame.to_csv(tmp_path / "depth" / "tables" / "claims.csv", index=False)
    trials.write(tmp_path)
    table = pd.read_csv(tmp_path / "tables" / "claims.csv")
    assert len(table) == len(frame)
    assert table["scope"].str.contains("width 64; depth 2, 5, 10, 20, 30, 50").all()


def test_what_was_found_under_conditions_stands_beside_the_table_of_all_verdicts(tmp_path):
    """Of two studies that decide one id each has its own."""
    parts = [
        verdicts.Part(name, "", "", "", (under("S3a", "sigmoid", AT_LEAST, 1.0, x=x, y=0.0),))
        for name, x in (("a", 2.0), ("b", 3.0))
    ]
    write_table(verdicts.table(parts, {"S3": "it vanishes"}), tmp_path)
    frame = pd.read_csv(tmp_path / "claims-conditions.csv")
    assert frame[["id", "study", "condition"]].to_numpy().tolist() == [
        ["S3a", name, at] for name in "ab" for at in "xy"
    ]
    assert [[row.estimate for row in one.under] for one in stored(tmp_path / "claims.csv")] == [[2.0, 0.0], [3.0, 0.0]]


def test_settings_of_conditions_are_columns_beside_them_and_are_read_again(tmp_path):
    """A name may say anything: "decay, also on α, adam" is of two settings, and has two commas."""
    at = Interval(0.2, 0.15, 0.25, 20, "t")
    named = {
        Condition("decay, also on α, adam", optimizer="adam", weight_decay=0.1): at,
        Condition("adam at 0.0003", optimizer="adam", learning_rate=3e-4): at,
        "bare": at,
    }
    one = judge("P3d", "prelu", "s", AT_LEAST, 0.1, named, "e")
    write_table(verdicts.table([verdicts.Part("a", "", "", "", (one,))], {}), tmp_path)
    frame = pd.read_csv(tmp_path / "claims-conditions.csv")
    columns = [name for name in frame if name.startswith("at_")]
    assert columns == ["at_optimizer", "at_weight_decay", "at_learning_rate"]
    assert frame.loc[1, columns].tolist()[::2] == ["adam", 3e-4]
    (read,) = stored(tmp_path / "claims.csv")
    assert [row.settings for row in read.under] == [row.settings for row in one.under]
    table = verdicts.table([verdicts.Part("a", "", "", "", (one,))], {})
    zero = table.beside["conditions"].assign(estimate=0.0)  # a number, as it is, is no empty cell
    assert [row.estimate for row in by_claim(zero.to_dict("records"))["a", "P3d"]] == [0.0] * 3
    assert read.under[0].at == {"optimizer": "adam", "weight_decay": "0.1"}
    assert read.under[2].at == {"condition": "bare"}


def test_a_repairs_conditions_are_the_faults_by_their_settings_not_by_words_of_their_names():
    at = Interval(0.2, 0.15, 0.25, 20, "t")
    fault = judge(
        "F", "a", "s", AT_LEAST, 0.1, {Condition("adam", optimizer="adam"): at, Condition("b", k="c"): at}, "e"
    )
    names = {
        Condition("decay, also on α, under Adam", optimizer="adam", by="decay"): at,
        Condition("adam, sgd", optimizer="sgd"): at,  # a word alike is no setting alike
    }
    (link,) = lineage.links([{"fault": "F", "repair": "R"}], [fault, judge("R", "b", "s", AT_LEAST, 0.1, names, "e")])
    assert [(a.condition, b.condition) for a, b in link.shared] == [("adam", "decay, also on α, under Adam")]


def test_in_a_paper_every_claim_has_its_verdict_beside_it_however_long_conditions_are():
    long = {
        f"a condition of some length, number {i}": Interval(*numbers, 20, "t")
        for i, numbers in enumerate([(0.5, 0.4, 0.6), (0.01, 0.0, 0.02)] * 4)
    }
    many = tuple(judge(f"M{i}a", "mish", "is better by far", AT_LEAST, 0.1, long, "a gain") for i in range(60))
    made = verdicts.table([verdicts.Part("size", "", "", "", many)], {})
    text = to_latex(made)
    assert text.count(f"& {ONLY_IF} &") == 60
    number = "at a condition of some length, number {}: {} (3 more)"
    sides = [number.format(*one) for one in ((0, "0.50 [0.40,~0.60]"), (1, "0.010 [0.000,~0.020]"))]
    assert text.count(f"{sides[0]}; not {sides[1]}, n~=~20") == 60
    assert "Shown are" not in text


def test_the_page_says_what_was_found_before_its_chain_its_ways_in_and_its_table():
    bad = under("S3a", "sigmoid", AT_LEAST, 1.0, y=0.1, x=0.0)
    both = under("L1a", "leaky_relu", AT_LEAST, 1.0, x=2.0, y=0.0)
    parts = [verdicts.Part("mine", "digits", "", "actlab trial t", (bad, both), study=True, html=True)]
    claims, names = {"S3": "it vanishes", "L1": "none dies", "D1": "depth"}, {"S3": "sigmoid", "L1": "leaky_relu"}
    chain = lineage.table(lineage.links([{"fault": "S3a", "repair": "L1a"}], [bad, both]))
    made = verdicts.table(parts, claims)
    sections = trial_page.page("What is true?", made, parts, claims, names, {}, chain, kind="html")
    heads = [one.heading for one in sections if one.level < 3]
    ways = ["Words", "Find a claim", made.title, "`sigmoid`", r"`leaky_relu`", trial_page.OF_ALL]
    assert heads == ["What is true?", chain.title, *ways]
    begin = markdown(sections[:1])
    assert (
        "puts 3 claims of the story to the test and decides 2 of them in at least one part; 2 verdicts: 1 contra"
        in begin
    )
    assert "“says S3a” is **contradicted**" in begin
    assert (
        "1 verdict, one of them on the trial itself: "
        in trial_page.opening([verdict("A1", INCONCLUSIVE)], {"S3": "it vanishes"}, False)[0].text
    )
    assert "decides 0 of them" in trial_page.opening([verdict("S3a", INCONCLUSIVE)], {"S3": "x"}, False)[0].text
    page = markdown(sections)
    assert page.count("[S3a](#s3a) ✗") == 2  # by activation, and by verdict
    assert "| true at x; contradicted at y" in page
    assert "mine/report.html" in page
    assert "mine/report.md" in markdown(trial_page.page("?", made, parts, claims, names, {}))
    (grid,) = [block for one in sections if one.anchor == "s3a" for block in one.blocks if isinstance(block, Grid)]
    assert grid.frame["condition"].tolist() == ["y", "x"]  # as in the picture


def test_on_a_phone_the_rows_of_the_chain_and_of_conditions_are_lists_without_empty_lines(tmp_path):
    grid = Grid(pd.DataFrame({"link": ["**open**"], "where": [""]}), first="link", filtered=False)
    text = html([Section(1, "t", (grid,))], tmp_path, ["link"])
    assert 'class="sortable stacked"' in text
    assert '<td class="first" data-head="link">' in text
    assert "data-filter" not in text
    assert '<td data-head="where"></td>' in text  # which the style hides there
    assert ".stacked td:empty { display: none; }" in beside("page.css")


def test_the_pictures_with_a_verdict_are_of_its_conditions_that_which_fits_it_least_first():
    names = [
        f"moments-standardize={raw}-width={width}-weight_init={weights}_normal-residual={residual}"
        for raw, weights, residual in [
            *(("true", weights, "false") for weights in ("glorot", "he", "lecun")),
            ("false", "lecun", "false"),
            ("true", "lecun", "true"),
        ]
        for width in (64, 256)
    ]
    found = {
        f"{words}, width {width}": Interval(value + width / 1e4, value, 99, 20, "")
        for words, value in (("He weights", 4), ("raw inputs", 0), ("residual", 33))
        for width in (64, 256)
    }
    one = judge("U2a", "selu", "s", AT_LEAST, 0.3, found, "e", figure="moments")
    assert [name.removeprefix("moments-") for name in verdict_pictures.chosen(one, [*names, "other-width=64"])] == [
        "standardize=false-width=64-weight_init=lecun_normal-residual=false",
        "standardize=false-width=256-weight_init=lecun_normal-residual=false",
        "standardize=true-width=64-weight_init=he_normal-residual=false",
        "standardize=true-width=256-weight_init=he_normal-residual=false",
    ]
    usual = judge(
        "U1a",
        "selu",
        "s",
        AT_LEAST,
        0.3,
        {"width 64": found["residual, width 64"], "b": found["residual, width 64"]},
        "e",
        figure="moments",
    )
    assert (
        verdict_pictures.chosen(usual, names)[0]
        == "moments-standardize=true-width=64-weight_init=lecun_normal-residual=false"
    )
    assert verdict_pictures.chosen(replace(one, figure=""), names) == []


def test_a_condition_that_says_its_settings_has_the_pictures_of_these_whatever_its_name_is():
    names = [
        f"slopes-weight_init={weights}-optimizer={by}" for weights in ("auto", "critical") for by in ("adam", "sgd")
    ]
    found = {
        Condition("sgd, unlike adam", optimizer="sgd", weight_init="critical"): Interval(0, 0, 9, 20, ""),
        Condition("A", optimizer="adam", weight_init="critical"): Interval(1, 0, 9, 20, ""),
    }
    one = judge("L1a", "relu", "s", AT_LEAST, 0.3, found, "e", figure="slopes")
    of = [name.removeprefix("slopes-") for name in verdict_pictures.chosen(one, names)]
    assert of == ["weight_init=critical-optimizer=sgd", "weight_init=critical-optimizer=adam"]


def test_n_stands_beside_each_condition_only_where_it_differs():
    found = {"x": Interval(0.5, 0.4, 0.6, 16, "t"), "y": Interval(0.5, 0.4, 0.6, 20, "t")}
    one = judge("L2a", "leaky_relu", "s", AT_LEAST, 0.3, found, "e")
    assert verdicts.of_conditions(one)["n"].tolist() == ["16", "20"]
    alike = judge("L2a", "leaky_relu", "s", AT_LEAST, 0.3, {**found, "x": found["y"]}, "e")
    assert list(verdicts.of_conditions(alike)) == ["condition", "found", "verdict"]


def test_a_claim_says_what_its_command_does_and_how_its_number_came_about():
    race = judge(
        "R1",
        "relu",
        "cheap",
        AT_MOST,
        1.1,
        {"textbook": Interval(1, 0.9, 1.2, 21, "t"), "catalogue": Interval(2, 1.9, 2.2, 21, "t")},
        "e",
    )
    part = verdicts.Part(
        "cost", "a machine", "sources/cost.py", "actlab trial t --only cost", (race,), measured="measured.csv"
    )
    page = markdown([verdicts.of_verdict(race, part, {})])
    assert "Timed on: a machine." in page
    assert "[what was timed](cost/measured.csv)" in page
    assert "automatically" in page
    assert "decides again from the stored numbers; with `--out DIR`" in page
    assert "true only under some conditions" in markdown(
        [verdicts.of_verdict(replace(race, verdict=ONLY_IF), part, {})]
    )
    ran = verdicts.of_verdict(race, replace(part, study=True, measured=""), {})
    assert (
        "decides again from the stored runs; with `--out DIR`, a folder without them, it first trains all."
        in markdown([ran])
    )


def test_on_a_phone_a_wide_picture_of_a_claim_is_swiped_as_any_other(tmp_path):
    from matplotlib.figure import Figure

    for name, inches in (("own", 3.6), ("wide", 6.5)):
        Figure(figsize=(inches, 1)).savefig(tmp_path / f"{name}.png", dpi=50)
    drawn = [Picture(name, f"{name}.png", verdicts.DRAWN, pd.DataFrame(), linked=True) for name in ("own", "wide")]
    text = html([Section(2, "a", tuple(drawn))], tmp_path)
    assert re.findall(r'<figure( class="broad")?><div[^>]*><img alt="(\w+)"', text) == [
        ("", "own"),
        (' class="broad"', "wide"),
    ]


def test_on_a_phone_a_claims_picture_fits_the_screen_and_leads_to_its_file(folder):
    out = folder / "out"
    trials.run(reading.read(folder), out)
    page = (out / "report.html").read_text()
    assert 'class="broad"' not in page
    (file,) = re.findall(r'<a class="full" href="(.+?)">full size</a>', page)
    assert (out / file).is_file()
    assert "details .scroll:has(.stacked) { max-height: none; }" in page


def test_a_study_of_a_trial_is_named_in_commands_where_it_stands(tmp_path):
    folder = tmp_path / "copy" / "depth"
    folder.mkdir(parents=True)
    assert commands.home(folder, "depth") == Path("results/depth")
    for quick, name in ((False, "mine"), (True, "mine_quick")):
        (tmp_path / "copy" / trials.MANIFEST).write_text(json.dumps({"config": {"trial": "mine"}, "quick": quick}))
        assert commands.home(folder, "depth") == Path("results") / name / "depth"
    study = {"study": "depth", "report": {"tables": [], "figures": [], "html": False}}
    report.write(folder, study, {}, *frames(("relu",), (2,), (0.1,), seeds=2))
    assert "`actlab report results/mine_quick/depth`" in (folder / "report.md").read_text()
    (tmp_path / "copy" / trials.MANIFEST).write_text("[")
    assert commands.home(folder, "depth") == Path("results/depth")
    _, text = how_it_was_made(Path("results/my trial/depth"), {})
    assert "`actlab report 'results/my trial/depth'`" in text.text


def verdict(claim, word, activation="relu"):
    numbers = (0.5, 0.4, 0.6, 20, "Student t")
    return Verdict(claim, activation, f"says {claim}", AT_LEAST, 0.1, *numbers, word, "", "a number")


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ((SUPPORTED, SUPPORTED), lineage.HOLDS),
        ((SUPPORTED, CONTRADICTED), lineage.BREAKS),
        ((CONTRADICTED, INCONCLUSIVE), lineage.BREAKS),
        ((ONLY_IF, SUPPORTED), lineage.CONDITIONAL),
        ((ONLY_IF, INCONCLUSIVE), lineage.OPEN),
        ((SUPPORTED, INCONCLUSIVE), lineage.OPEN),
        ((SUPPORTED, None), lineage.OPEN),
    ],
)
def test_a_link_holds_where_fault_and_repair_are_true_as_they_are_said(words, state):
    there = [verdict(claim, word) for claim, word in zip(("F1", "R1"), words, strict=True) if word]
    (link,) = lineage.links([{"fault": "F1", "repair": "R1"}], there)
    assert link.state == state
    made = lineage.table([link])
    assert made.frame.loc[0, "link"] == state
    assert made.note.startswith(f"1 link: 1 {lineage.SAID[state][0]}. ")


def test_a_link_without_a_fault_says_that_there_is_none_to_repair():
    there = [verdict("F1", CONTRADICTED), verdict("R1", SUPPORTED)]
    (link,) = lineage.links([{"fault": "F1", "repair": "R1"}], there)
    assert link.state == lineage.BREAKS
    assert lineage.table([link]).wide.loc[0, "link"] == "**breaks**: no such fault found"


@pytest.mark.parametrize(
    ("states", "word", "bounds"),
    [
        ((SUPPORTED, SUPPORTED), SUPPORTED, (1.0, 1.0)),
        ((SUPPORTED, INCONCLUSIVE), INCONCLUSIVE, (0.5, 1.0)),
        ((CONTRADICTED, INCONCLUSIVE), CONTRADICTED, (0.0, 0.5)),
        ((SUPPORTED, ONLY_IF), CONTRADICTED, (0.5, 0.5)),
    ],
)
def test_the_chain_holds_where_every_link_does_and_open_ones_may_go_either_way(states, word, bounds):
    there = [verdict("F", SUPPORTED), *(verdict(f"R{i}", one) for i, one in enumerate(states))]
    named = [{"fault": "F", "repair": f"R{i}"} for i in range(len(states))]
    one = lineage.judge_chain("C1", "each beats the one before", lineage.links(named, there))
    assert (one.verdict, (one.low, one.high)) == (word, bounds)


RATIO = "seconds of {} over those of relu; least favourable: textbook"


def under(claim, activation, form, effect, **numbers):
    """A claim under conditions, of which "dropout, adam" is of two settings, the optimizer and what is done."""
    settings = {name: dict(zip(("optimizer", "by"), reversed(name.split(", ")), strict=False)) for name in numbers}
    samples = {
        Condition(name, **settings[name]): Interval(x, x - 0.1, x + 0.1, 20, "logit t") for name, x in numbers.items()
    }
    return judge(claim, activation, f"says {claim}", form, effect, samples, RATIO.format(activation))


def test_both_numbers_of_a_link_are_of_one_condition_where_there_is_one():
    """Never the catalogue's code beside the textbook's: the condition that fits the repair least, of both."""
    fault = under("F", "gelu", AT_LEAST, 1.1, catalogue=2.8, textbook=2.4)
    repair = under("R", "swish", AT_MOST, 1.5, catalogue=2.3, textbook=2.1)
    (link,) = lineage.links([{"fault": "F", "repair": "R"}], [fault, repair])
    row = lineage.table([link]).frame.iloc[0]
    assert row[
        ["fault_condition", "repair_condition", "fault_estimate", "repair_estimate", "one_measure"]
    ].tolist() == [
        "catalogue",
        "catalogue",
        2.8,
        2.3,
        True,
    ]
    other = replace(repair, evidence="seconds of swish over those of gelu")
    (unlike,) = lineage.links([{"fault": "F", "repair": "R"}], [fault, other])
    assert lineage.table([unlike]).wide.loc[0, "what is left, or gained"].startswith("(another measure) ")
    wide = lineage.table([link]).wide.iloc[0]
    assert wide["how much"].startswith("2.80 [2.70, 2.90] (seconds of gelu over those of relu) at catalogue; ")
    assert wide["what is left, or gained"].startswith("2.30 [2.20, 2.40] there; ")  # nothing twice


@pytest.mark.parametrize(
    ("a", "b", "state", "common"),
    [
        ((2.0, 0.0), (2.0, 2.0), lineage.CONDITIONAL, ["x"]),
        ((2.0, 2.0), (2.0, 0.0), lineage.CONDITIONAL, ["x"]),
        ((2.0, 0.0), (0.0, 2.0), lineage.BREAKS, []),  # where the fault is, nothing repairs it
        ((2.0, 2.0), (2.0, 2.0), lineage.HOLDS, ["x", "y"]),
    ],
)
def test_a_link_holds_under_the_conditions_that_support_both_of_its_claims(a, b, state, common):
    ends = [under(claim, "relu", AT_LEAST, 1.0, x=one[0], y=one[1]) for claim, one in (("F", a), ("R", b))]
    (link,) = lineage.links([{"fault": "F", "repair": "R"}], ends)
    assert (link.state, link.common) == (state, common)
    said = lineage.table([link]).wide.loc[0, "link"]
    assert said == (f"**{state}**: {'; '.join(common)}" if state == lineage.CONDITIONAL else f"**{state}**")


def test_the_rule_of_the_chain_is_written_once():
    words = " ".join((ROOT / "docs" / "trial.md").read_text().split())
    assert lineage.RULE in words
    assert lineage.table([]).note.count(lineage.RULE) == 1


def test_a_number_of_the_chain_has_its_conditions_verdict_and_what_the_claim_needs():
    """The repair was asked under the fault's conditions, each in two ways; R1's number is of one of them, too."""
    fault = under("F", "prelu", AT_LEAST, 1.0, **{"adam": 2.0, "sgd": 0.0})
    repair = under("R", "prelu", AT_LEAST, 1.0, **{"decay, adam": 0.0, "dropout, adam": 3.0, "dropout, sgd": 2.0})
    (link,) = lineage.links([{"fault": "F", "repair": "R"}], [fault, repair])
    assert (link.state, link.common) == (lineage.CONDITIONAL, ["dropout, adam"])
    made = lineage.table([link])
    assert made.frame.loc[0, ["fault_condition", "repair_condition"]].tolist() == ["adam", "dropout, adam"]
    assert "at least 1 is claimed: **supported** here, true only under some" in made.wide.loc[0, "how much"]
    alone = lineage.table(
        lineage.links([{"fault": "F", "repair": "R9"}], [replace(fault, evidence="x; least favourable: sgd")])
    )
    assert alone.frame.loc[0, "fault_condition"] == "sgd"
    assert made.note.startswith("1 link: 1 holds under conditions. ")


def test_a_magnitude_is_of_the_measure_that_it_is_of():
    fault = replace(verdict("F", SUPPORTED, "elu"), evidence="|log10 of the variance| of elu, by seed")
    repair = replace(verdict("R", SUPPORTED, "selu"), evidence="log10 of the variance of selu, by seed")
    assert lineage.Link(fault, repair, ("F", "R")).alike
    assert not lineage.Link(fault, replace(repair, evidence="the mean of selu"), ("F", "R")).alike


def test_what_only_stands_beside_a_fault_reads_as_no_repair_and_is_not_counted():
    there = [verdict("F", SUPPORTED), verdict("R", SUPPORTED), verdict("B", CONTRADICTED)]
    named = [{"fault": "F", "repair": "R"}, {"fault": "F", "repair": "B", "beside": True}]
    chain = lineage.links(named, there)
    one = lineage.judge_chain("C1", "each beats the one before", chain)
    assert (one.verdict, one.n) == (SUPPORTED, 1)
    made = lineage.table(chain)
    assert made.frame["link"].tolist() == [lineage.HOLDS, lineage.BESIDE]
    assert made.wide.loc[1, "said to repair it"].startswith(f"({lineage.BESIDE}) ")
    assert made.note.startswith("1 link: 1 holds; for 1 row more no repair is claimed. ")


def test_a_trial_that_names_a_chain_decides_it_last_and_writes_its_table(folder):
    (folder / "trial.yaml").write_text("trial: mine\ncomputed: [size.py]\nlineage: [{fault: M1z, repair: M9}]\n")
    out = folder / "out"
    trials.run(reading.read(folder), out)
    table = pd.read_csv(out / "tables" / "claims.csv").set_index("id")
    assert table.loc["C1", "verdict"] == INCONCLUSIVE
    assert pd.read_csv(out / "lineage" / "tables" / "lineage.csv").loc[0, "fault_verdict"] == SUPPORTED
    page = (out / "report.md").read_text()
    assert "M9: no study here decides it" in page
    assert all((out / link).is_file() for link in re.findall(r"\]\(([^#)]+)\)", page))


def test_the_committed_chain_names_claims_that_its_files_have():
    trial = reading.read(ROOT / "configs" / "trial")
    text = "".join(path.read_text() for path in (ROOT / "experiments").glob("*.py"))
    assert trial.config.lineage
    assert all(f'"{one}"' in text for link in trial.config.lineage for one in (link.fault, link.repair))


def test_a_study_that_needs_what_is_not_installed_is_named_and_the_others_are_planned(folder, monkeypatch):
    """And the trial says so before anything is trained."""

    def none(**options):
        raise ModuleNotFoundError("No module named 'mnist1d'", name="mnist1d")

    record = replace(DATASETS["mnist1d"], load=none)
    monkeypatch.setitem(DATASETS.records, "mnist1d", record)
    text = "study: {0}\ndata: {{name: {1}}}\nmodel: {{width: 4, depth: 2}}\ntrain: {{steps: 10}}\nsweep: {{seeds: 2}}\n"
    for name, data in (("here", "iris"), ("there", "mnist1d")):
        (folder / f"{name}.yaml").write_text(text.format(name, data))
    (folder / "trial.yaml").write_text((folder / "trial.yaml").read_text() + "studies: [here.yaml, there.yaml]\n")
    run, needed = CliRunner().invoke, "pip install 'actlab[data]'"
    done = run(cli.app, ["plan", str(folder), "--out", str(folder / "out")])
    assert done.exit_code == 0, done.output
    assert re.search(r"here +2 +2 +0 s +100%", done.output)
    assert re.search(r"there +– +– +– +–", done.output)
    assert needed in " ".join(done.output.split())
    assert "1 study in" in done.output
    monkeypatch.setattr(actlab, "run", lambda *args, **how: pytest.fail("it was trained"))
    with pytest.raises(StudyError, match="mnist1d: needs mnist1d") as refused:
        trials.run(reading.read(folder), folder / "out")
    assert needed in str(refused.value)
    assert f"actlab trial {folder} --only here" in str(refused.value)
    assert not (folder / "out").exists()
