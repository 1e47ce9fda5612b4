"""A results folder is not trusted blindly: what is read is what was stored, or a message says what is damaged.

Folders are made without training (see ``synthetic``), then altered as hands, disks and other programs alter them.
"""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import actlab
from actlab import commands
from actlab.activations import base
from actlab.checksums import file_sha256
from actlab.engine import manifest as manifests
from actlab.engine import part_checks, planned, store
from actlab.engine.control import study_lock
from actlab.engine.files import DamageError, StoreError
from actlab.engine.manifest import read_manifest, write_manifest
from actlab.study.stored import read_study
from actlab.study.yaml_text import bounded_load
from tests import synthetic
from tests.typed import typed

FRAMES = ("runs", "steps", "layers")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound") / "made"
    synthetic.study(folder)
    actlab.report(folder)
    return folder


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "made")


def part(folder, i=0):
    return folder / "parts" / store.part_names(folder)[i]


def rows(path):
    return pq.read_table(path).replace_schema_metadata()


def rewrite(path, table):
    """Write a part by hand, and list it as if it were what was written."""
    pq.write_table(table, path, store_schema=False)
    listed(path.parents[1])


def listed(folder, *names):
    """List parts in the manifest with the checksums that they have now: all, or some of these names."""
    there = {path.name: file_sha256(path) for path in (folder / "parts").glob("*.parquet") if path.is_file()}
    sums = {name: there[name] for name in names or there}
    write_manifest(folder, {**read_manifest(folder), "parts": sums})


def with_column(table, name, values):
    if name not in table.column_names:
        return table.append_column(name, values)
    return table.set_column(table.column_names.index(name), name, values)


def same(folder, sound):
    one, other = actlab.load(folder), actlab.load(sound)
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    return one


def outputs(folder):
    made = (path for path in folder.rglob("*") if path.suffix in (".csv", ".md", ".tex"))
    return {path.relative_to(folder): path.read_bytes() for path in made}


# What counts


def test_a_part_that_is_not_listed_counts_where_it_belongs_and_is_mentioned(folder, sound, monkeypatch, capsys):
    """As a killed run leaves it: nothing that is read or reported is another."""
    listed(folder, part(folder, 1).name)
    results = same(folder, sound)
    assert results.notes == (
        f"{part(folder).name}: not listed in manifest.json (a run ended before it could note that); of runs that are "
        "planned here, with its own checksum, and so it counts",
    )
    before = outputs(sound)
    code, _, said = typed(capsys, "report", folder)
    assert (code, outputs(folder)) == (0, before)
    assert "not listed in manifest.json" in said
    for words in (["compare", folder, "--metric", "train_loss"], ["show", folder, results.runs["run"][0]]):
        code, _, said = typed(capsys, *words)
        assert code == 0
        assert "not listed in manifest.json" in said


def test_a_listed_part_wins_whatever_the_names(folder, sound):
    """A copy with other numbers, and a name that sorts first."""
    first = folder / "parts" / "0.parquet"
    table = rows(part(folder))
    worse = with_column(table, "train_loss", pa.array([99.0] * len(table)))
    store.write_table(folder, "0", worse)
    with pytest.raises(DamageError, match=r"parts/0\.parquet contradicts 0+\.parquet on runs that both have"):
        actlab.load(folder)
    partial = actlab.load(folder, partial=True)
    pd.testing.assert_frame_equal(partial.runs, actlab.load(sound).runs)
    store.write_table(folder, "0", table)  # nothing new, nothing else: the merger of parts was killed
    assert same(folder, sound).notes == ()
    assert first.exists()


def test_a_listed_part_that_was_renamed_is_the_same_part(folder, sound):
    first = part(folder)
    first.rename(first.with_name("aaaa.parquet"))
    assert same(folder, sound).notes == ()


def test_two_parts_of_equal_rank_that_contradict_each_other_are_both_damaged(folder):
    table = rows(part(folder))
    store.write_table(folder, "0", with_column(table, "train_loss", pa.array([99.0] * len(table))))
    listed(folder, part(folder, 2).name)
    damage = actlab.load(folder, partial=True).damage
    assert sorted(line.split()[0] for line in damage) == ["parts/0.parquet", f"parts/{0:016x}.parquet"]


@pytest.mark.parametrize("lists", [True, False])
def test_a_part_of_another_study_is_not_pooled(lists, folder, sound, tmp_path):
    other = tmp_path / "other"
    synthetic.study(other, parts=1, activations=("tanh",))
    shutil.copy(part(other), folder / "parts" / "0.parquet")
    if lists:
        listed(folder)
    with pytest.raises(DamageError, match=r"parts/0\.parquet holds runs of another study \(8 of 8: [0-9a-f]{12}, "):
        actlab.compare(folder)
    compared = actlab.compare(folder, partial=True)
    assert "parts/0.parquet" in compared.attrs["notes"][0]
    pd.testing.assert_frame_equal(compared, actlab.compare(sound), check_exact=True)


def test_without_a_list_of_planned_runs_an_unlisted_part_does_not_count(folder, sound):
    """In the folder of an earlier version, which reads as it did as long as all is listed."""
    (folder / planned.PLANNED).unlink()
    assert same(folder, sound).notes == ()
    listed(folder, part(folder, 1).name)
    with pytest.raises(DamageError, match=r"no planned\.txt says whether its runs belong here"):
        actlab.load(folder)
    stored = store.Stored(folder)
    stored.plan_has(actlab.load(sound).runs["run"])  # as ``run`` does, which plans
    assert len(stored.runs()) == len(actlab.load(sound).runs)


def test_planned_runs_that_are_not_trained_are_a_line_and_no_damage(folder, sound, monkeypatch, capsys):
    shutil.rmtree(folder)
    synthetic.study(folder, planned=("0" * 12, "1" * 12))
    fact, command = "2 of 18 planned runs are not trained yet", f"actlab run {folder}/study.yaml --out {folder}"
    line = f"{fact}; `{command}` trains them"
    assert same(folder, sound).untrained == (line,)
    code, _, said = typed(capsys, "report", folder)
    assert (code, said.strip()) == (0, line)
    inside = "`actlab run study.yaml --out .` in this folder trains what is missing"
    assert f"\n- {fact}; {inside}.\n" in (folder / "report.md").read_text()
    with study_lock(folder):
        ours = (folder / "run.lock").read_text()
        assert actlab.load(folder).untrained == (line,)  # by this process itself
        (folder / "run.lock").write_text(ours.replace(str(os.getpid()), str(os.getppid())))
        (said,) = actlab.load(folder).untrained
        assert said.startswith(f"{fact}; another process is at work here at the moment (process {os.getppid()} on ")


# Damage


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "altered": flip,
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path)),
    "an endless device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
}


@pytest.mark.parametrize("manifest", ["listed", "not listed"])
def test_damage_is_named_and_ends_every_command(manifest, sound, tmp_path, monkeypatch, capsys):
    for name, change in DAMAGE.items():
        if name == "gone" and manifest == "not listed":
            continue  # then nothing says that it was ever there
        folder = shutil.copytree(sound, tmp_path / name)
        path = part(folder)
        if manifest == "not listed":  # a manifest that was lost, or is older, loses no protection
            listed(folder, part(folder, 1).name)
        change(path)
        before = outputs(folder)
        for words in (["report"], ["compare"], ["show"]):
            code, out, said = typed(capsys, words[0], folder, *(["0"] if words == ["show"] else []))
            assert (code, out) == (1, ""), (name, words)
            assert f"parts/{path.name} " in said, name
            assert f"`{commands.resume(folder)}` trains again what is lost; `--partial` of" in said
            assert len(said.splitlines()) == 3
        assert outputs(folder) == before
        assert len(actlab.load(folder, partial=True).runs) == 8


def test_partial_goes_on_and_the_report_says_so(folder, monkeypatch, capsys):
    path = part(folder)
    flip(path)
    code, _, said = typed(capsys, "report", folder, "--partial")
    assert code == 0
    assert f"parts/{path.name} was altered or cut short" in said
    text = (folder / "report.md").read_text()
    assert "8 runs: " in text.partition("\n## ")[0]
    doubts = text.partition("## What to doubt")[2].partition("\n## ")[0]
    assert f"Left out, since it is damaged: parts/{path.name} was altered or cut short" in doubts
    assert "8 of 16 planned runs are lost, or not trained yet" in doubts
    code, out, said = typed(capsys, "compare", folder, "--partial", "--metric", "train_loss")
    assert code == 0
    assert path.name in said
    assert path.name not in out


def test_partial_of_nothing_is_still_an_error(folder, monkeypatch, capsys):
    for i in range(2):
        part(folder, i).write_bytes(b"")
    code, _, said = typed(capsys, "report", folder, "--partial")
    assert code == 1
    assert "Nothing else is stored" in said


def test_an_edited_value_is_caught_without_any_manifest(folder):
    """By the checksum in the part: pages and file are whole again, and the manifest never knew of them."""
    path = part(folder)
    table = pq.read_table(path)
    assert part_checks.CHECKSUM in table.schema.metadata
    losses = table["steps.train_loss"].to_pylist()
    losses[0][0] += 1e-12
    edited = with_column(table, "steps.train_loss", pa.array(losses))
    pq.write_table(edited.replace_schema_metadata(table.schema.metadata), path)
    for names in ([path.name], [part(folder, 1).name]):  # listed as it is now, or not listed
        listed(folder, *names)
        with pytest.raises(DamageError, match=rf"parts/{path.name} was altered: its rows are not those of its own"):
            store.Stored(folder).results()
    pq.write_table(edited.replace_schema_metadata(), path)  # whoever edits it loses the checksum
    with pytest.raises(DamageError, match="has no checksum of its own, as every part of this folder has"):
        actlab.load(folder)


def test_a_parts_checksum_does_not_know_how_rows_were_cut():
    frames = synthetic.rows(*synthetic.frames(("relu",), (2, 3), (1e-3,), seeds=2))
    names = list(frames[0])
    table = pa.table({name: pa.array([row[name] for row in frames]) for name in names})
    whole = part_checks.checksum(table)
    nothing = with_column(table, "clip_norm", pa.nulls(len(table), pa.float64()))
    twice = with_column(table, "train_loss", table["train_loss"].cast(pa.float64()))
    joined = pa.concat_tables([table.slice(0, 1), table.slice(1)]).select(names[::-1])
    for same in (nothing, twice, joined):
        assert part_checks.checksum(same) == whole
    for name in ("train_loss", "seed", "activation", "steps.train_loss", "layers.layer", "trained"):
        first, *others = table[name].to_pylist()
        other = (
            [*first[:-1], 7]
            if isinstance(first, list)
            else {float: 2.0, int: 9, str: "x", bool: not first}[type(first)]
        )
        changed = pa.array([other, *others], table[name].type)
        assert part_checks.checksum(with_column(table, name, changed)) != whole, name
    assert part_checks.checksum(table.slice(1)) != whole
    assert part_checks.checksum(table.take([1, 0, 2, 3])) != whole


def test_run_sets_damage_aside_and_destroys_nothing(folder, sound):
    """What ``run`` does before it trains: the folder is whole again, without the runs that are lost."""
    from types import SimpleNamespace

    from actlab.engine.scheduling import prepare

    path, other = part(folder), part(folder, 1)
    flip(path)
    damaged = path.read_bytes()
    shutil.copy(other, folder / "parts" / "spare.parquet")
    plan = SimpleNamespace(runs=dict.fromkeys(actlab.load(sound).runs["run"]), call_sizes={}, measures=(), data=())
    plan.prefixes, plan.records, plan.unknown_death, plan.stages, plan.later = {}, {}, {}, None, ()
    plan.runs = {run: SimpleNamespace(modules=frozenset()) for run in plan.runs}
    (line,) = prepare(store.Stored(folder), synthetic.STUDY, plan, {}, trains=True)
    aside = path.with_name(f"{path.name}.aside")
    assert f"parts/{path.name} was altered or cut short" in line
    assert f"kept as parts/{aside.name}" in line
    assert aside.read_bytes() == damaged
    results = actlab.load(folder)
    assert len(results.runs) == 8
    command = f"actlab run {folder}/study.yaml --out {folder}"
    assert results.untrained == (f"8 of 16 planned runs are not trained yet; `{command}` trains them",)
    assert set(read_manifest(folder)["parts"]) == {other.name}


# Parts made by hand


def shifted(table, name):
    """Lists of wrong lengths, and of the right total."""
    values = table[name].to_pylist()
    values[0].append(values[1].pop(0))
    return with_column(table, name, pa.array(values, table[name].type))


def repeated(table, value):
    return pa.array([value] * len(table))


BY_HAND = {
    "layers shifted": (lambda t: shifted(t, "layers.act_mean"), "layers.act_mean"),
    "steps shifted": (lambda t: shifted(t, "steps.train_loss"), "steps.train_loss"),
    "weights too many": (lambda t: with_column(t, "layers.weights", repeated(t, [1, 2, 3, 4])), "layers.weights"),
    "a null list": (
        lambda t: with_column(t, "steps.step", pa.array([None, *t["steps.step"].to_pylist()[1:]])),
        "value",
    ),
    "numbers for lists": (lambda t: with_column(t, "layers.act_mean", repeated(t, 1.0)), "layers.act_mean"),
    "lists for numbers": (lambda t: with_column(t, "learning_rate", repeated(t, [1.0])), "learning_rate"),
    "lists of texts": (lambda t: with_column(t, "steps.train_loss", repeated(t, ["a"] * 5)), "steps.train_loss"),
    "lists with gaps": (
        lambda t: with_column(t, "steps.train_loss", pa.array([[None] * 5] * len(t), pa.list_(pa.float64()))),
        "gaps",
    ),
    "empty lists": (lambda t: with_column(t, "steps.step", pa.array([[]] * len(t), pa.list_(pa.int64()))), "empty"),
    "steps backwards": (lambda t: with_column(t, "steps.step", repeated(t, [200, 150, 100, 50, 0])), "rise"),
    "steps that are no numbers": (lambda t: with_column(t, "steps.step", repeated(t, [np.nan])), "steps.step"),
    "a layer too deep": (lambda t: with_column(t, "layers.layer", repeated(t, [2, 9])), "beyond"),
    "a column twice": (lambda t: t.append_column("depth", t["depth"]), "'depth' twice"),
    "no rows": (lambda t: t.slice(0, 0), "no rows"),
    "a run twice": (lambda t: with_column(t, "run", repeated(t, "0" * 12)), "the run 000000000000 twice"),
    "runs that are none": (lambda t: with_column(t, "run", repeated(t, "../../x")), "which no run is"),
    "no such status": (lambda t: with_column(t, "status", repeated(t, "fine")), "'fine'"),
    "a depth below 1": (lambda t: with_column(t, "depth", repeated(t, -1)), "below 1"),
    "a text for a number": (lambda t: with_column(t, "vanishing_slope", repeated(t, "steep")), "vanishing_slope"),
    "another type than in other parts": (lambda t: with_column(t, "standardize", repeated(t, 1)), "standardize"),
    "another type than in others' own": (lambda t: with_column(t, "generalization", repeated(t, b"x")), "binary"),
    "a structure": (lambda t: with_column(t, "more", repeated(t, {"a": 1})), "struct"),
    "a date": (lambda t: with_column(t, "more", pa.array([0] * len(t), pa.timestamp("ms"))), "timestamp"),
    "a text that is not UTF-8": (
        lambda t: with_column(t, "more", repeated(t, b"\xff\xfe").view(pa.string())),
        "UTF",
    ),
    "a column without a name": (lambda t: t.append_column("layers.", t["layers.act_mean"]), "'layers.'"),
    "a column of runs among steps": (lambda t: t.append_column("steps.run", t["steps.train_loss"]), "steps.run"),
    "no such histogram": (lambda t: t.append_column("histograms.x", repeated(t, [1])), "histograms.x"),
    "a histogram too short": (lambda t: t.append_column("histograms.hist_z", repeated(t, [1])), "histograms.hist_z"),
    "a number where others have a text": (lambda t: with_column(t, "note", repeated(t, 1.0)), "note"),
}


def test_parts_made_by_hand(sound, tmp_path):
    for i, (name, (change, said)) in enumerate(BY_HAND.items()):
        folder = shutil.copytree(sound, tmp_path / str(i), ignore=shutil.ignore_patterns("figures", "tables"))
        if name == "a number where others have a text":
            rewrite(part(folder, 1), with_column(rows(part(folder, 1)), "note", repeated(rows(part(folder, 1)), "x")))
        rewrite(part(folder), change(rows(part(folder))))
        with pytest.raises(DamageError) as error:
            actlab.load(folder)
        assert said in str(error.value), name
        assert len(str(error.value)) < 700, name
        shutil.rmtree(folder)


def test_a_part_without_a_column_that_every_part_has(folder):
    table = rows(part(folder))
    for name in part_checks.NEEDED:
        file = pa.BufferOutputStream()
        pq.write_table(table.drop_columns([name]), file, store_schema=False)
        with pytest.raises(part_checks.PartError, match=f"lacks the column '{name}'"):
            part_checks.sound(file.getvalue().to_pybytes())


def test_a_part_beyond_its_limits_is_refused_before_it_is_read(folder, monkeypatch):
    """By what its file says of itself; no list of 300 million zeros is ever made."""
    table = rows(part(folder))
    many = pa.table({"run": pa.array(["0" * 12]).take(pa.array(np.zeros(part_checks.MOST_ROWS + 1, int)))})
    rewrite(part(folder), many)
    with pytest.raises(DamageError, match="has 100,001 rows; a part has at most 100,000"):
        actlab.load(folder)
    rewrite(part(folder), table)
    for limit, what in (("MOST_VALUES", "values"), ("MOST_COLUMNS", "columns"), ("MOST_UNPACKED", "bytes unpacked")):
        with monkeypatch.context() as patch:
            patch.setattr(part_checks, limit, 10)
            patch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("it was read"))
            with pytest.raises(DamageError, match=f"{what}; a part has at most 10"):
                actlab.load(folder)
    monkeypatch.setattr(part_checks, "MOST_BYTES", 2**20)
    with (folder / "parts" / part(folder).name).open("r+b") as file:
        file.truncate(2**40)  # sparse: a terabyte that takes no room
    with pytest.raises(DamageError, match="is larger than 1 MiB"):
        actlab.load(folder)


def test_a_file_whose_name_is_not_utf8_can_be_named(folder, monkeypatch, capsys):
    content = part(folder).read_bytes()[:-1]
    with open(os.fsencode(folder / "parts") + b"/\xff\n.parquet", "wb") as file:
        file.write(content)
    code, _, said = typed(capsys, "compare", folder)
    assert code == 1
    assert r"parts/\udcff\n.parquet cannot be read as a part" in said


def test_the_list_of_planned_runs_may_be_damaged_too(folder, sound):
    path = folder / planned.PLANNED
    text = path.read_text()
    for content in (text + "0" * 12 + "\n", text[:-1], "", "x" * 100, text.replace("16 runs", "17 runs")):
        path.write_text(content)
        with pytest.raises(DamageError, match=r"planned\.txt is not what was written"):
            actlab.load(folder)
        pd.testing.assert_frame_equal(actlab.load(folder, partial=True).runs, actlab.load(sound).runs)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DamageError, match=r"planned\.txt cannot be read \(is no regular file\)"):
        actlab.load(folder)


# The manifest and the study, edited by hand


def test_a_lost_manifest_is_said_to_be_lost_and_run_may_write_it_again(folder, sound):
    (folder / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"it was lost: `actlab run .*study\.yaml --out .*` writes it again"):
        actlab.load(folder)
    stored = store.Stored(folder)
    stored.recovers = True
    assert stored.runs() == set(actlab.load(sound).runs["run"])


WRONG = {
    "parts": [[], {"../x.parquet": "0" * 64}, {"x.parquet": 1}, {"x.parquet": "0"}, None, "x"],
    "settings": [{}, [1], [{"key": "x"}], [{"column": 1}], [{"column": "depth", "key": 3}], None],
    "activations": [[], {"relu": {}}, {"relu": {"order": "x"}}, {"relu": {"order": 1, "look": ["red", "o", "solid"]}}],
    "label_prefixes": [[], {"activation": 1}, {"activation": {"x": None}}],
    "runs_per_call_by_width": [{"x": 1}, {"8": 0}, {"8": "1"}, {"8": 1.5}, []],
    "measures": [[], {"m": 1}, {"m": {"over_seeds": "sum"}}],
    "versions": [[], {"jax": 1}, "1"],
    "data": [{}, [{}], [{"names": []}], [1]],
    "seconds": ["x", -1, True, None],
    "python": [1, []],
}


def test_a_manifest_with_wrong_values_is_refused_by_file_and_key(folder):
    about = read_manifest(folder)
    for key, values in WRONG.items():
        for value in values:
            write_manifest(folder, {**about, key: value})
            with pytest.raises(StoreError, match=rf"manifest\.json: {key}: ") as error:
                actlab.load(folder)
            assert len(str(error.value)) < 700


TEXTS = {
    "not UTF-8": b"\xff\xfe{}",
    "nested": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "cut short": b'{"parts": ',
    "a list": b"[]",
    "null": b"null",
    "a number": b'{"seconds": ' + b"9" * 6000 + b"}",
    "NaN": b'{"seconds": NaN}',
    "infinite": b'{"seconds": -Infinity}',
    "too large": b'{"seconds": 1e999}',
    "a key twice": b'{"parts": {}, "parts": {}}',
    "half a surrogate": b'{"python": "\\ud800"}',
}


def test_a_manifest_that_is_no_json_is_refused_by_file(folder, monkeypatch):
    path = folder / "manifest.json"
    for name, content in TEXTS.items():
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"manifest\.json") as error:
            actlab.load(folder)
        assert len(str(error.value)) < 400, name
    monkeypatch.setattr(manifests, "MOST_BYTES", 2**20)
    path.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(StoreError, match=r"manifest\.json: cannot be read \(is larger than 1 MiB\)"):
        actlab.load(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreError, match=r"manifest\.json: cannot be read \(is no regular file\)"):
        actlab.load(folder)


def test_an_edited_manifest_is_named(folder, sound):
    """Labels and cells follow from it: what it says now may be false."""
    path = folder / "manifest.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"platform": "a laptop"}))
    with pytest.raises(DamageError, match=r"manifest\.json was altered since it was written"):
        actlab.load(folder)
    assert actlab.load(folder, partial=True).damage == ("manifest.json was altered since it was written",)
    path.write_text(json.dumps(about))  # another layout is the same content
    same(folder, sound)
    path.write_text(json.dumps({key: value for key, value in about.items() if key != "checksum"}))
    same(folder, sound)  # an earlier version's has none


STUDIES = {
    "no such table": ("tables: [performance, dead_units]", "tables: [nosuch]", "nosuch"),
    "tables a word": ("tables: [performance, dead_units]", "tables: performanc", "unknown table 'performanc'"),
    "a table that is none": ("tables: [performance, dead_units]", "tables: [[1]]", "report.tables"),
    "select": ("report: {", "report: {select: {over: nosuch}, ", "report.select.over"),
    "select by": ("report: {", "report: {select: {by: test_loss}, ", "report.select.by"),
    "select a word": ("report: {", "report: {select: rate, ", "report.select"),
    "unknown key": ("report: {", "report: {tabels: [], ", "write `tables: []` below 'report:'"),
    "probes": ("probes: [", "probes: [nosuch, ", "measure"),
    "probes a number": ("[signal_grad_norm, dead_fraction, act_mean]", "3", "measure.probes"),
    "depth": ("depth: 5", "depth: -5", "model.depth"),
    "depth a text": ("depth: 5", "depth: deep", "model.depth"),
    "claims": ("report:", "claims: [1]\nreport:", "claims"),
    "matrix": ("train.learning_rate:", "train.rate:", "sweep.matrix"),
    "a name": ("study: made", "study: Made up", "study"),
    "a number for a name": ("study: made", "study: 3", "study"),
    "digits": ("depth: 5", "depth: " + "5" * 6000, "a whole number has 6,000 digits"),
    "a loop": ("[sigmoid, relu]", "&a [*a]", "*a stands inside what it stands for"),
    "a bomb": ("[sigmoid, relu]", "[&a [x,x,x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a], "
               "&c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b], &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c], "
               "&e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d], &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]]", "more than 10,000 keys"),
    "nested": ("[sigmoid, relu]", "{a: " * 200 + "}" * 200, "more than 32 deep"),
    "a key twice": ("seeds: 2", "seeds: 2\n  seeds: 3", "duplicate key"),
    "NaN": ("[0.001, 0.01]", "[.nan]", "finite"),
    "infinite": ("[0.001, 0.01]", "[-.inf]", "finite"),
    "a date": ("study: made", "study: 2020-01-01T00:00", "study"),
    "a key that is a list": ("study: made", "? [a]\n: b\nstudy: made", "expected a name as a key, not a list"),
    "a tag": ("study: made", "study: !!python/object:os.system x", "not for plain data"),
    "a list": (synthetic.STUDY, "[1, 2]", "expected a mapping"),
    "nothing": (synthetic.STUDY, "", "expected a mapping"),
    "too long": (synthetic.STUDY, "# " + "x" * 400_000, "larger than 400,000 bytes"),
    "a control character": ("study: made", "study: \x01", "YAML"),
}  # fmt: skip


def test_a_study_edited_by_hand_is_refused_by_file_and_key(folder, monkeypatch, capsys):
    for name, (old, new, said) in STUDIES.items():
        assert old in synthetic.STUDY, name
        (folder / "study.yaml").write_text(synthetic.STUDY.replace(old, new))
        command = "report" if "table" in name else "compare"  # a name of a table is looked up by who makes it
        code, _, text = typed(capsys, command, folder)
        assert code == 2, (name, text)
        assert "study.yaml" in text, (name, text)
        assert said in text, (name, text)
        assert len(text) < 900, name
    (folder / "study.yaml").write_bytes(b"\xff\xfe")
    assert typed(capsys, "report", folder)[::2] == (
        2,
        f"actlab: {folder}/study.yaml: cannot be read (it is not UTF-8)\n",
    )


def test_an_edited_study_runs_none_of_its_code(folder, sound):
    """Names of functions are taken by their names; what lies there is not looked at."""
    (folder / "mine.py").write_text("raise SystemExit('it was run')\n")
    text = synthetic.STUDY.replace("activation: relu", "activation: mine.py:f, weight_init: {name: mine.py:w, a: 1}")
    text = text.replace("name: digits", "name: mine.py:rows").replace("probes: [", "probes: [mine.py:probe, ")
    (folder / "study.yaml").write_text(f"{text}train: {{optimizer: mine.py:opt}}\n")
    same(folder, sound)


def test_committed_studies_pass_every_check():
    for study in ("depth", "dying_relu"):
        folder = base_folder() / study
        results = actlab.load(folder)
        assert (results.notes, results.damage, results.untrained) == ((), (), ())
        text = (folder / "study.yaml").read_text()
        assert read_study(text, folder / "study.yaml") == bounded_load(text, "study.yaml")[0] == results.study


def base_folder():
    from pathlib import Path

    return Path(__file__).parents[1] / "results"


def test_looks_are_those_that_activations_may_have():
    assert (manifests.MARKERS, manifests.LINES) == (base.MARKERS, base.LINES)
