"""Generated data sets and label noise: laws of what is drawn, what identifies it, and that networks learn from it."""

import json
from pathlib import Path

import numpy as np
import pytest

import actlab
from actlab import data
from actlab.data import content, generated
from actlab.data.noise import noisy_labels
from actlab.engine import worker_pools
from actlab.study import reading
from actlab.study.plan import plan
from tests.serial import SerialExecutor
from tests.typed import typed

GENERATED = {name: one for name, one in data.DATASETS.items() if one.generated}
BASE = """
study: s
data: {name: {name: spirals, turns: 3}}
model: {depth: 2, width: 4}
train: {steps: 4, batch_size: 8}
measure: {every: 2, evaluate_every: 4}
"""


@pytest.fixture
def planned(tmp_path):
    def planned(*overrides, base=BASE):
        (tmp_path / "s.yaml").write_text(base)
        return plan(reading.read(tmp_path / "s.yaml", overrides))

    return planned


def splits(loaded):
    return {"train": loaded.train, "validation": loaded.validation, "test": loaded.test}


# What is drawn


def test_records_say_what_the_rows_are():
    for name, record in data.DATASETS.items():
        assert record.reference, name
        assert record.licence, name
        if record.cached:  # comes over the network
            continue
        table = record.make()
        assert (record.rows, record.inputs, record.classes) == (*table.x.shape, len(table.classes)), name
        if table.classes:
            assert record.chance == pytest.approx(np.bincount(table.y).max() / len(table.y), abs=0.011), name
        assert set(record.bounds) <= set(record.options), name
        for option, (low, high) in record.bounds.items():
            assert low <= record.options[option] <= high, (name, option)
    for name, record in GENERATED.items():
        assert set(record.bounds) == {key for key, one in record.options.items() if not isinstance(one, bool)}, name


def test_the_same_seed_gives_the_same_bits_and_another_one_other_rows():
    for name, record in GENERATED.items():
        one, again, other = record.make(seed=3), record.make(seed=3), record.make(seed=4)
        assert one.x.tobytes() == again.x.tobytes(), name
        assert one.y.tobytes() == again.y.tobytes(), name
        assert not np.array_equal(one.x, other.x), name
        assert np.array_equal(one.x, one.x.astype(np.float32)), name  # last bits are no machine's


def test_spirals_are_what_their_formula_says():
    """Arm c is r·exp(i·2π(turns·r + c/classes)): unwound by its own radius, every point is at its class's angle."""
    for turns, classes in ((1.5, 2), (4, 3), (0, 5)):
        table = generated.spirals(turns=turns, classes=classes, rows=301, noise=0.0, seed=5)
        z = table.x[:, 0] + 1j * table.x[:, 1]
        unwound = z / np.abs(z) * np.exp(-2j * np.pi * (turns * np.abs(z) + table.y / classes))
        assert np.allclose(unwound[np.abs(z) > 0.01], 1, atol=1e-3)
        assert np.ptp(np.bincount(table.y)) <= 1
        assert np.abs(z).max() <= 1
    clean, noisy = (generated.spirals(noise=noise, rows=20_000, seed=0) for noise in (0.0, 0.1))
    assert (noisy.x - clean.x).std() == pytest.approx(0.1, rel=0.02)


def test_a_teacher_says_what_its_network_says():
    """A witness by matrix products: the same stream, the same network, ranks cut into equal classes."""
    rng = np.random.Generator(np.random.PCG64([7, 3]))
    x = rng.standard_normal((500, 6)).astype(np.float32).astype(np.float64)
    h = x
    for _ in range(3):
        w = rng.standard_normal((h.shape[1], 9))
        h = np.tanh(1.5 * h @ w / np.sqrt(len(w)))
    score = (h @ rng.standard_normal((9, 1)))[:, 0]
    options = {"depth": 3, "width": 9, "inputs": 6, "rows": 500, "seed": 7}
    quantity = generated.teacher(regression=True, **options)
    assert np.allclose(quantity.y, score / score.std(), rtol=1e-5, atol=1e-5)
    assert np.array_equal(quantity.x, x)
    labels = generated.teacher(classes=5, **options)
    assert np.bincount(labels.y).tolist() == [100] * 5
    assert np.array_equal(labels.y, np.argsort(np.argsort(score)) // 100)


def test_curves_are_their_functions():
    x, y = (lambda table: (table.x[:, 0], table.y))(generated.sine(frequency=3, seed=1))
    assert np.allclose(y, np.sin(6 * np.pi * x), atol=1e-6)
    x, y = (lambda table: (table.x[:, 0], table.y))(generated.chirp(frequency=8, seed=1))
    zeros = np.sqrt(np.arange(1, 9) / 8)  # of sin(8πx²): ever denser
    assert np.array_equal(np.sign(y), np.where(np.searchsorted(zeros, x) % 2 == 0, 1, -1))
    x, y = (lambda table: (table.x[:, 0], table.y))(generated.absolute(seed=1))
    assert np.array_equal(y * np.sign(x), x)
    x, y = (lambda table: (table.x[:, 0], table.y))(generated.step(seed=1))
    assert np.array_equal(y, x > 0)


def test_no_image_of_digit_sums_is_in_two_splits():
    digits = data.DATASETS["digits"].make()
    sums = {image.tobytes(): {int(digit)} for image, digit in zip(digits.x, digits.y, strict=True)}
    for seed in (0, 1):
        loaded = data.load("digit_sums:rows=2000", standardize=False, seed=seed)
        halves = {
            name: {half.tobytes() for row in split.x for half in (row[:64], row[64:])}
            for name, split in splits(loaded).items()
        }
        assert not halves["train"] & (halves["validation"] | halves["test"])
        assert not halves["validation"] & halves["test"]
        assert [len(split.y) for split in splits(loaded).values()] == [1200, 400, 400]
        for split in splits(loaded).values():
            assert len(np.unique(split.x, axis=0)) == len(split.x)
            for row, total in zip(split.x, split.y, strict=True):
                assert total in {a + b for a in sums[row[:64].tobytes()] for b in sums[row[64:].tobytes()]}
    fewer = data.load("digit_sums:rows=2000", train_rows=100)
    assert len(set(fewer.train.y.tolist())) == 19  # stratified from its first rows on
    assert data.load("digit_sums:regression=true").task == "regression"


# Label noise


def test_noise_replaces_a_share_exact_to_a_row_of_the_training_labels_alone():
    clean = data.load("digits")
    before = np.zeros(len(clean.train.y), bool)
    kept = clean.train.y
    for share in (0.001, 0.1, 0.25, 0.5, 0.99):
        loaded = data.load("digits", label_noise=share)
        wrong = loaded.train.y != clean.train.y
        assert wrong.sum() == loaded.noisy == round(share * len(wrong))
        for name in ("validation", "test"):
            assert np.array_equal(splits(loaded)[name].y, splits(clean)[name].y)
        assert np.array_equal(loaded.train.x, clean.train.x)
        assert np.all(wrong[before])
        assert np.array_equal(loaded.train.y[before], kept[before])
        before, kept = wrong, loaded.train.y
        assert loaded.target_loss == clean.target_loss
        p = np.bincount(loaded.train.y) / len(wrong)
        assert loaded.constant_loss == pytest.approx(-(p * np.log(p)).sum())
    other = data.load("digits", label_noise=0.25, seed=1)
    assert other.noisy == data.load("digits", label_noise=0.25).noisy


def test_each_other_class_is_equally_likely():
    y = np.repeat(np.arange(4, dtype=np.int32), 20_000)
    labels, is_noisy = noisy_labels(np.random.default_rng(0).permutation(y), 4, 0.4, 1, "example")
    drawn = np.random.default_rng(0).permutation(y)
    counts = np.zeros((4, 4))
    np.add.at(counts, (drawn[is_noisy], labels[is_noisy]), 1)
    assert np.all(np.diag(counts) == 0)
    off = counts[~np.eye(4, dtype=bool)]
    assert np.abs(off / off.mean() - 1).max() < 5 / np.sqrt(off.mean())
    assert counts.sum(axis=1) / 20_000 == pytest.approx([0.4] * 4, abs=0.02)  # of every class the same share


def test_fewer_rows_are_a_subset_with_the_same_noisy_labels():
    for name in ("digits", "spirals:classes=3", "wine"):
        clean, whole = data.load(name), data.load(name, label_noise=0.3)
        for rows in (10, 40, 100):
            fewer = data.load(name, label_noise=0.3, train_rows=rows)
            assert np.array_equal(fewer.train.x, whole.train.x[:rows])
            assert np.array_equal(fewer.train.y, whole.train.y[:rows])
            assert fewer.noisy == np.sum(whole.train.y[:rows] != clean.train.y[:rows])
            assert abs(fewer.noisy - 0.3 * rows) <= 2  # every beginning has nearly the share of all


def test_noise_that_cannot_be_is_refused(planned):
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(data.DataError, match="at least 0 and below 1"):
            data.load("iris", label_noise=share)
    with pytest.raises(data.DataError, match="replaces classes, and this is a regression"):
        data.load("sine", label_noise=0.1)
    with pytest.raises(reading.StudyError, match=r"override data\.label_noise=0\.1: .*regression"):
        planned("data.name=sine", "data.label_noise=0.1")


# How it is asked for


def test_options_are_written_as_an_activations_are(planned):
    ways = [
        planned(),
        planned("data.name=spirals:turns=3"),
        planned("data.name={name: spirals, turns: 3.0, classes: 2}"),
        planned("data.name=spirals", "data.name.turns=3"),
        planned(base=BASE.replace("{name: {name: spirals, turns: 3}}", "{name: 'spirals:turns=3'}")),
    ]
    assert len({frozenset(one.runs) for one in ways}) == 1
    assert {run.labels["data"] for one in ways for run in one.runs.values()} == {"spirals(turns=3)"}
    several = planned("data.name.turns=1,1.5,3")
    same = planned("data.name=spirals:turns=1,spirals,spirals:turns=3")
    assert list(several.runs) == list(same.runs)
    assert [run.labels["data"] for run in same.runs.values()] == ["spirals(turns=1)", "spirals", "spirals(turns=3)"]
    assert set(ways[0].runs) < set(same.runs)
    loaded = data.load("spirals:turns=3", seed=2)
    assert np.array_equal(loaded.train.x, data.load("spirals:turns=3.0:classes=2", seed=2).train.x)


REFUSED = {
    "spirals:trns=3": "no option 'trns'; did you mean 'turns'?",
    "sprials:noise=0.1": "unknown data set 'sprials'; did you mean 'spirals'?",
    "spirals:turns=99": "must be between 0 and 50, not 99",
    "spirals:rows=100.5": "must be a whole number, not 100.5",
    "spirals:turns=true": "must be a number",
    "teacher:regression=1": "must be true or false",
    "digits:turns=3": "has no option 'turns'; did you mean '{name: spirals, turns: 3}'?",
    "{name: rows.csv, turns: 3}": "a file has no options",
    "spirals:3": "expected option=value after ':'",
    "spirals(turns=3)": "did you mean 'spirals:turns=3'?",
}


def test_wrong_options_are_refused_with_the_way_out(planned):
    for text, words in REFUSED.items():
        with pytest.raises(reading.StudyError) as refused:
            planned(f"data.name={text}")
        assert words in str(refused.value), text
        assert "\n" not in str(refused.value), text
        if text[0] != "{" and "(" not in text:
            with pytest.raises(data.DataError):
                data.load(text)
    with pytest.raises(reading.StudyError, match=r"found 0 of '50', .* Let it have fewer classes or more rows$"):
        planned("data.name=spirals:classes=100:rows=50")
    with pytest.raises(reading.StudyError, match=r"did you mean 'data\.name\.turns=3'"):
        planned("data.turns=3")


# What identifies it


def test_generated_runs_are_known_by_options_seed_and_tokens(planned, monkeypatch, tmp_path):
    before = set(planned().runs)
    for override in ("data.name.turns=2", "data.name.noise=0", "data.seed=1", "data.label_noise=0.1"):
        assert not before & set(planned(override).runs), override
    assert before == set(planned("data.label_noise=0.0", "data.name.classes=2").runs)
    contents = {run.labels["data_content"] for run in planned("data.seed=0,1,2").runs.values()}
    assert len(contents) == 1  # one set, whatever its seed
    source = Path(generated.__file__).read_text(encoding="utf-8")
    copy = tmp_path / "generated.py"
    monkeypatch.setattr(content.inspect, "getfile", lambda function: str(copy))

    def tokens(old, new):
        assert old in source
        copy.write_text(source.replace(old, new, 1))
        content.generator_tokens.cache_clear()
        return content.generator_tokens(generated.spirals)

    unchanged = tokens("", "")
    assert tokens("    y = np.arange(rows)", "    # counted\n    y = np.arange(rows)") == unchanged
    assert tokens("Spirals: points on arms", "Points on arms") == unchanged
    assert tokens('"turns": (0, 50)', '"turns": (0, 60)') == unchanged
    assert tokens("np.sin(np.pi * frequency", "np.cos(np.pi * frequency") == unchanged  # another set's
    assert tokens("turns * r + y", "turns * r - y") != unchanged
    assert tokens("[seed, 3]", "[seed, 4]") != unchanged  # of what it calls
    content.generator_tokens.cache_clear()


def test_digit_sums_are_known_by_the_images_too(monkeypatch):
    before = data.checksum("digit_sums")
    assert before == data.checksum("digit_sums:rows=3000") != data.checksum("digit_sums:rows=2000")
    monkeypatch.setattr(content, "bundled_checksum", lambda record: "other images")
    assert data.checksum("digit_sums") != before


OWN = """
import numpy as np


def rings(*, radius=1.2, rows=60, seed):
    x = np.random.default_rng(seed).normal(size=(rows, 2))
    return x, np.where(np.hypot(*x.T) > radius, "outside", "inside")
"""


def test_a_function_of_ones_own_takes_options_and_the_seed(planned, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    named = f"{tmp_path}/mine.py:rings"
    first, other = data.load(f"{named}:rows=90"), data.load(f"{named}:rows=90", seed=1)
    assert len(first.train.y) == pytest.approx(54, abs=1)
    assert not set(map(tuple, first.train.x)) & set(map(tuple, other.train.x))
    runs = planned(f"data.name={{name: '{named}', radius: 1.0}}", "data.seed=0,1").runs
    assert [(run.labels["data"], run.labels["data_seed"]) for run in runs.values()] == [
        ("rings(radius=1)", 0),
        ("rings(radius=1)", 1),
    ]
    assert len({run.labels["data_content"] for run in runs.values()}) == 1
    assert len(planned(f"data.name={named}:radius=1.2,{named}:radius=1").runs) == 2
    assert not set(runs) & set(planned(f"data.name={named}", "data.seed=0,1").runs)
    with pytest.raises(reading.StudyError, match="no option 'radus'; did you mean 'radius'"):
        planned(f"data.name={named}:radus=1")
    (tmp_path / "bad.py").write_text("def f(*, rows): return rows\n")
    with pytest.raises(data.DataError, match="option rows needs a default"):
        data.load(f"{tmp_path}/bad.py:f")


# Commands, and training


def test_plan_and_list_say_source_licence_shape_and_chance(tmp_path, monkeypatch, capsys):
    (tmp_path / "s.yaml").write_text(BASE)
    monkeypatch.chdir(tmp_path)
    code, said, _ = typed(capsys, "plan", "s.yaml", "data.label_noise=0.2")
    assert code == 0
    assert "data spirals, turns 3" in said
    assert "600 training (120 with the class of another)" in said
    assert "chance    test accuracy 0.5" in said
    assert "Lang & Witbrock 1988" in said
    assert "licence none: generated" in said
    code, said, _ = typed(capsys, "list")
    text = " ".join(said.split())
    for name, record in data.DATASETS.items():
        assert f"{name}: {record.shape}; chance {record.chance_level}" in text
        assert record.licence in text
        assert record.reference in text


def test_every_generated_set_trains_and_is_read_back(tmp_path, monkeypatch, capsys):
    """One study, of tiny networks: labels, a filter, the resolved study, the rows of a stored run, label noise.

    Sets are of three shapes, so that they share three programs.
    """
    monkeypatch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
    monkeypatch.chdir(tmp_path)
    own = "report: {tables: [performance], figures: []}\nmeasure: {every: 4, evaluate_every: 4, probes: [act_mean]}\n"
    (tmp_path / "s.yaml").write_text(BASE[: BASE.index("measure:")] + own)
    names = {
        "spirals:turns=3:rows=100": "spirals(rows=100, turns=3)",
        "teacher:inputs=2:rows=100": "teacher(inputs=2, rows=100)",
        **{f"{name}:rows=100": f"{name}(rows=100)" for name in ("sine", "chirp", "absolute", "step")},
        "digit_sums:rows=1000": "digit_sums(rows=1000)",
    }
    assert {name.partition(":")[0] for name in names} == set(GENERATED)
    results = actlab.run("s.yaml", [f"data.name={','.join(names)}"], out="r")
    runs = results.runs
    assert sorted(runs["data"]) == sorted(names.values())
    assert set(runs["status"]) == {"ok"}
    assert runs["test_loss"].notna().all()
    assert typed(capsys, "runs", "r", "--where", "data=spirals(rows=100, turns=3)")[1].startswith("s: 1 of 7 runs")
    run = runs.loc[runs["data"] == "sine(rows=100)", "run"].item()
    assert np.array_equal(results.data(run)["test"].x, data.load("sine:rows=100").test.x.astype(np.float32))
    assert set(plan(reading.read("r/study.yaml")).runs) == set(runs["run"])
    manifest = json.loads((tmp_path / "r/manifest.json").read_text())
    assert {about["names"][0] for about in manifest["data"]} == set(GENERATED)
    noisy = actlab.run("s.yaml", ["data.name=spirals:turns=3:rows=100", "data.label_noise=0.3"], out="noise")
    (run,) = noisy.runs["run"]
    assert noisy.runs["label_noise"].tolist() == [0.3]
    clean = data.load("spirals:turns=3:rows=100")
    assert np.sum(noisy.data(run)["train"].y != clean.train.y) == 18
    assert np.array_equal(noisy.data(run)["test"].y, clean.test.y)
