"""YAML within stated limits: whatever a text holds, it is read or refused with its line, in little time."""

import math
import os

import pytest

from actlab.study import yaml_text
from actlab.study.reading import StudyError, read
from actlab.study.yaml_text import YamlTextError, bounded_load, read_text

TENFOLD = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
IN_EACH_OTHER = "a: &a0 [1]\n" + "".join(f"b{i}: &a{i + 1} [*a{i}]\n" for i in range(40))

REFUSED = {
    "a list in itself": ("a: &a [*a]", 1, "stands inside what it stands for"),
    "a mapping merged into itself": ("a: &a {<<: *a}", 1, "stands inside what it stands for"),
    "a bomb of aliases": (TENFOLD, 4, "more than 10,000 keys and values"),
    "aliases within aliases": (IN_EACH_OTHER, 31, "32 deep"),
    "long texts by aliases": (f"a: &a '{'x' * 9000}'\nb: [*a,*a,*a,*a,*a,*a,*a]", 2, "50,000 characters"),
    "deep lists": ("a: " + "[" * 1500, 1, "32 deep"),
    "deep mappings": ("a:\n" + "".join(" " * i + "a:\n" for i in range(1, 100)), 32, "32 deep"),
    "a long whole number": (f"a: {'9' * 5000}", 1, "5,000 digits"),
    "one that a tag calls so": (f"a: !!int '{'9' * 5000}'", 1, "5,000 digits"),
    "one in hexadecimal": (f"a: 0x{'f' * 60}", 1, "digits"),
    "a long text": (f"a: {'x' * 15000}", 1, "15,000 characters"),
    "a long key": (f"{'k' * 300}: 1", 1, "a key has 300 characters"),
    "a long line": (f"\n# {'x' * 30000}", 2, "30,002 characters in one line"),
    "a long anchor": (f"a: &{'x' * 300} 1", 1, "an anchor or a tag"),
    "a list as a key": ("a: 1\n[b]: 2", 2, "not a list"),
    "a mapping as a key": ("? {a: b}\n: 2", 1, "not a mapping"),
    "a number as a key": ("1: 2", 1, "expected a name as a key, not 1"),
    "a decimal comma in a mapping": ("a: {b: 1,5, c: 2}", 1, "a.b: expected a number, not '1,5'; did you mean '1.5'?"),
    "with an exponent": ("a: {b: -1,5e-3}", 1, "a.b: expected a number, not '-1,5e-3'; did you mean '-1.5e-3'?"),
    "a decimal comma in a list": ("c: 1\na: [3, 0,01]", 2, "a: expected a number, not '0,01'; did you mean '0.01'?"),
    "nothing as a key": ("null: 2", 1, "not null"),
    "a Python object": ("a: !!python/object/apply:os.system [echo]", 1, "!!python/object/apply:os.system"),
    "bytes": ("a: !!binary aGVsbG8=", 1, "!!binary"),
    "a set": ("a: !!set {b, c}", 1, "!!set"),
    "no whole number": ("b: 1\na: !!int x", 2, "'x' is no whole number"),
    "an empty number": ("a: !!float ''", 1, "is no number"),
    "no truth value": ("a: !!bool x", 1, "'x' is no truth value"),
    "underscores alone": ("a: 0x_", 1, "is no whole number"),
    "an anchor twice": ("a: &a 1\nb: &a 2", 2, "&a is there twice"),
    "YAML 1.1": ("%YAML 1.1\n---\na: yes", 2, "YAML 1.2"),
    "two documents": ("a: 1\n---\nb: 2", 2, "expected a single document"),
    "an alias of nothing": ("a: *b", 1, "undefined alias"),
    "a key twice": ("a: 1\na: 2", 2, "duplicate key"),
    "NUL": ("a: 1\nb: \0", 2, "special characters"),
    "NUL, escaped": ('a: "\\0"', 1, "NUL"),
    "half a pair of UTF-16": ('a: "\\uD800"', 1, "half of a pair"),
    "a tab": ("a:\n\tb: 1", 2, "a tab stands where spaces are expected"),
    "text after a value": ("a: 'b' c", 1, "not valid YAML"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_its_line(name):
    text, line, said = REFUSED[name]
    with pytest.raises(YamlTextError) as error:
        bounded_load(text, "s.yaml")
    message = str(error.value)
    assert message.startswith(f"s.yaml:{line}: ")
    assert said in message
    assert len(message) < 250


def test_read_as_yaml_1_2():
    text = "{a: yes, b: 010, c: 1e-3, d: 2020-01-01, e: 1:30, f: ~, g: &x [1], h: *x, i: {<<: {j: =}}, k: -0, l: 0o17}"
    data = {"a": "yes", "b": 10, "c": 0.001, "d": "2020-01-01", "e": "1:30", "f": None, "g": [1], "h": [1]}
    assert bounded_load(text, "")[0] == data | {"i": {"j": "="}, "k": 0, "l": 15}
    assert bounded_load("\ufeffa: 1\r\n", "")[0] == {"a": 1}
    assert bounded_load("# nothing", "") == (None, None)


def test_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large").write_bytes(b"# x\n" * (yaml_text.MOST_BYTES // 4 + 1))
    (tmp_path / "utf16").write_text("a: 1", encoding="utf-16")
    (tmp_path / "latin1").write_bytes(b"a: 1\nb: \xe9")
    said = {
        "pipe": "a pipe or a device",
        "loop": "cannot be read",
        "large": "400,000 bytes",
        "x" * 300: "cannot be read",
    }
    said |= {
        "utf16": ":1: is not UTF-8",
        "latin1": ":2: is not UTF-8",
        ".": "a folder",
        "/dev/zero": "a pipe or a device",
    }
    for name, words in said.items():
        with pytest.raises(YamlTextError, match=words):
            read_text(tmp_path / name, "s.yaml")


STUDY = """
study: s
data: {name: iris}
model: {depth: 2, width: 8}
train: {steps: 4, batch_size: 8}
"""


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sweep.seeds=10000000", "at most 10,000 seeds"),
        ("train.steps=1000000000000", "≤ 1073741824"),
        ("train.batch_size=99999999999999999999", "≤ 1073741824"),
        ("measure.probe_rows=99999999999999999999", "≤ 1073741824"),
        ("data.train_rows=99999999999999999999", "≤ 1073741824"),
        ("model.width=1000000000", "≤ 65536"),
        ("model.depth=1000000000", "≤ 1000"),
        ("train.learning_rate=1e31", "≤ 1e+30"),
        ("train.learning_rate=1e400", "finite"),
        ("model.activation={name: leaky_relu, negative_slope: 1e31}", "at most 1e+30"),
        ("model.activation={name: leaky_relu, negative_slope: .nan}", "expected a number of at most"),
        ("question=" + "[" * 200, "32 deep"),
        ("question=" + "9" * 5000, "5,000 digits"),
        ("model.activation=" + "x" * 9000, "unknown activation"),
        (".".join("a" * 50) + "=1", "expected key.sub=value"),
        ("model.depth=\0", "special characters"),
        ("model.depth=\udcff", "special characters"),
        ("sweep.matrix=3", "expected keys with lists"),
        ("model.depth=1,2], [3", "not a YAML value"),
    ],
)
def test_overrides(override, said, tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY)
    with pytest.raises(StudyError) as error:
        read(tmp_path / "s.yaml", [override])
    assert said in str(error.value)
    assert len(str(error.value)) < 500


def test_limits_of_a_whole_study(tmp_path, monkeypatch):
    path = tmp_path / "s.yaml"
    path.write_text(STUDY)
    with pytest.raises(StudyError, match="1,001 overrides"):
        read(path, ["model.depth=2"] * 1001)
    with pytest.raises(
        StudyError, match=r"11 cells with 10,000 seeds are 110,000 runs, and a study has at most 100,000"
    ):
        read(path, ["sweep.seeds=10000", "model.depth=" + ",".join(map(str, range(1, 12)))])
    monkeypatch.setattr("actlab.study.reading.MOST_VALUES", 30)
    with pytest.raises(StudyError, match="more than 30 keys and values, overrides included"):
        read(path, ["model.depth=" + ",".join(map(str, range(1, 30)))])
    path.write_text(STUDY + "sweep: [1]")
    with pytest.raises(StudyError, match=r"sweep"):
        read(path, ["model.depth=2,3"])


def test_memory_and_workers():
    from actlab.engine.train_study import ExecutionConfig, in_bytes

    for odd in ("9" * 400 + "GB", "nan", "inf", "1e400GB", "-1GB", "", "lots", "x" * 5000, math.nan, math.inf, -1):
        with pytest.raises(StudyError, match="memory: expected an amount such as 4GB") as error:
            in_bytes(odd)
        assert len(str(error.value)) < 200
    for odd in (0, -1, 4097, 10**30, 10**5000):
        with pytest.raises(StudyError, match="workers: expected a number"):
            ExecutionConfig(workers=odd)


def test_what_no_machine_holds_is_not_planned(tmp_path):
    from actlab.study.plan import plan

    path = tmp_path / "s.yaml"
    path.write_text(STUDY)
    with pytest.raises(StudyError, match=r"model.width: depth 1000 and width 65536 need about 86.0 TB"):
        plan(read(path, ["model.width=65536", "model.depth=1000"]))
    with pytest.raises(StudyError, match=r"100,001 records of a run; at most 100,000 are kept; add 'measure.every=2'"):
        plan(read(path, ["train.steps=100001", "measure.every=1", "measure.evaluate_every=1"]))


def test_lists_of_whole_numbers_need_no_space_after_a_comma():
    assert bounded_load("a: [1,5,10,0]\nb: {c: 1,d: 2}\ne: 'x,01'", "")[0] == {
        "a": [1, 5, 10, 0],
        "b": {"c": 1, "d": 2},
        "e": "x,01",
    }
