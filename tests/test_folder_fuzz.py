"""A folder altered at random: what is read is what was stored, to the bit, or there is a message with exit code 1 or 2.

``python -m pytest tests/test_folder_fuzz.py --tries 2000`` tries two thousand of each kind instead of fifteen.
"""

import json
import random
import shutil

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

import actlab
from actlab.checksums import file_sha256
from actlab.cli import report_error
from actlab.engine import manifest, planned
from tests import synthetic

MOST_CHARACTERS = 1500  # of a message
JUNK = (None, True, -1, 0, 3.5, 10**30, "", "x", "é☃", "../x", "a" * 10_000, [], {}, [[]], [None], {"": 1}, {"name": 1})
VALUES = (0, -1, 1e300, float("nan"), float("-inf"), 2**40, "x", "", None, True, [], [1], [None], b"\xff", {"a": 1})


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound") / "made"
    rates = {"depths": (2,), "rates": (1e-3,), "steps": 100}
    synthetic.study(folder, **rates)
    return folder


@pytest.fixture
def tries(request):
    return request.config.getoption("--tries")


def bytes_altered(content, rng):
    """Alter a file as disks, editors and transfers do."""
    at, length = rng.randrange(len(content)), rng.choice((1, 2, 8, 64, 512))
    how = rng.choice(("flip", "cut", "zeros", "insert", "twice", "drop", "random", "last"))
    if how == "flip":
        return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
    if how == "last":  # where a Parquet file says what is in it
        at = max(0, len(content) - rng.randrange(1, 4000))
        return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
    put = {"zeros": bytes(length), "random": rng.randbytes(length), "twice": content[at : at + length] * 2}
    put |= {"insert": rng.randbytes(length)}
    end = at if how == "insert" else len(content) if how == "cut" else at + length
    return content[:at] + put.get(how, b"") + content[end:]


def table_altered(table, rng):
    """Alter a part's rows as a program does that reads and writes Parquet."""
    name = rng.choice(table.column_names)
    values, kind = table[name].to_pylist(), table.schema.field(name).type
    i, j = rng.randrange(len(values)), rng.randrange(len(values))
    how = rng.choice(("drop", "value", "swap", "shift", "null", "retype", "rename", "twice", "rows", "entry", "longer"))
    place = table.column_names.index(name)
    if how == "drop":
        return table.drop_columns([name])
    if how == "rename":
        return table.rename_columns({name: rng.choice(("x", "", "steps.x", "layers.x", "run", "histograms.hist_z"))})
    if how == "twice":
        return table.append_column(rng.choice((name, "more", "layers.more")), table[name])
    if how == "rows":
        return table.slice(0, rng.randrange(len(table)))
    if how == "retype":
        return table.set_column(place, name, pa.array([rng.choice(VALUES)] * len(values)))
    if how in ("shift", "entry", "longer") and not isinstance(values[0], list):
        how = "value"
    if how == "swap":
        values[i], values[j] = values[j], values[i]
    elif how == "null":
        values[i] = None
    elif how == "value":
        values[i] = rng.choice(VALUES)
    elif how == "shift":
        values[i].append(values[j].pop())
    elif how == "entry":
        values[i][rng.randrange(len(values[i]))] = rng.choice((0, -1, 7, None))
    else:
        values[i] = values[i] * 2
    try:
        return table.set_column(place, name, pa.array(values, kind))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return table.set_column(place, name, pa.array([str(value) for value in values]))


def plain_altered(value, rng):
    """Alter plain data somewhere."""
    if isinstance(value, dict | list) and value and rng.random() < 0.9:
        made = dict(value) if isinstance(value, dict) else dict(enumerate(value))
        key = rng.choice(list(made))
        if rng.random() < 0.15:
            made[rng.choice(("x", key))] = made.pop(key)
        else:
            made[key] = plain_altered(made[key], rng)
        return made if isinstance(value, dict) else list(made.values())
    return rng.choice(JUNK)


def outcome(folder, undisturbed, reports):
    """Read and, if asked, report: ``as it was``, or the exit code; anything else fails."""
    try:
        results = actlab.load(folder)
        for name in ("runs", "steps", "layers"):
            frame, stored = getattr(results, name), getattr(undisturbed, name)
            more = frame.columns.difference(stored.columns)  # of measures that a study asks for now: empty, and named
            assert frame[more].isna().all(axis=None)
            assert results.lacking or more.empty
            pd.testing.assert_frame_equal(frame[list(stored)], stored, check_exact=True)
        compared = actlab.compare(folder, metric="train_loss")
        if reports:
            actlab.report(folder)
        assert len(compared) > 0
    except AssertionError:
        raise
    except Exception as error:
        code, said = report_error(error), str(error)
    else:
        return "as it was"
    assert code in (1, 2)
    assert len(said) < MOST_CHARACTERS
    return code


def list_parts(folder):
    sums = {path.name: file_sha256(path) for path in (folder / "parts").iterdir()}
    manifest.write_manifest(folder, {**manifest.read_manifest(folder), "parts": sums})


def alter(kind, folder, rng):
    """Alter one file of a folder."""
    (part, *_) = sorted((folder / "parts").iterdir())
    about, study = folder / "manifest.json", folder / "study.yaml"
    if kind in ("bytes of a listed part", "bytes of a part, listed again", "bytes of an unlisted part"):
        part.write_bytes(bytes_altered(part.read_bytes(), rng))
        if kind == "bytes of a part, listed again":
            list_parts(folder)
    elif kind == "rows of a part":
        table = pq.read_table(part)
        changed = table_altered(table, rng)
        about_it = table.schema.metadata  # whoever edits rows keeps what the file says of itself
        with pq.ParquetWriter(part, changed.schema.remove_metadata(), store_schema=False) as writer:
            writer.write_table(changed.replace_schema_metadata())
            writer.add_key_value_metadata(about_it)
        list_parts(folder)
    elif kind == "bytes of the manifest":
        about.write_bytes(bytes_altered(about.read_bytes(), rng))
    elif kind == "values of the manifest":
        whole = json.loads(about.read_text())
        changed = plain_altered({key: value for key, value in whole.items() if key != "checksum"}, rng)
        # with a checksum that is right, and as an earlier version's, which has none
        about.write_text(
            json.dumps(changed if rng.random() < 0.5 or not isinstance(changed, dict) else signed(changed))
        )
    elif kind == "bytes of the study":
        study.write_bytes(bytes_altered(study.read_bytes(), rng))
    elif kind == "values of the study":
        with study.open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(plain_altered(YAML(typ="safe").load(synthetic.STUDY), rng), file)
    else:
        path = folder / planned.PLANNED
        path.write_bytes(bytes_altered(path.read_bytes(), rng))


def signed(changed):
    return {**changed, "checksum": manifest.checksum(changed)}


KINDS = (
    "bytes of a listed part",
    "bytes of a part, listed again",
    "bytes of an unlisted part",
    "rows of a part",
    "bytes of the manifest",
    "values of the manifest",
    "bytes of the study",
    "values of the study",
    "bytes of the planned runs",
)


@pytest.mark.parametrize("kind", KINDS)
def test_as_it_was_or_a_message(kind, sound, tmp_path, tries):
    counts = {}
    if kind == "bytes of an unlisted part":
        unlisted = shutil.copytree(sound, tmp_path / "unlisted")
        manifest.write_manifest(unlisted, {**manifest.read_manifest(unlisted), "parts": {}})
        sound = unlisted
    elif kind == "values of the manifest":
        sound = shutil.copytree(sound, tmp_path / "full")
        manifest.write_manifest(sound, {**manifest.read_manifest(sound), **MORE})
    undisturbed = actlab.load(sound)
    for seed in range(tries):
        rng = random.Random(f"{kind} {seed}")
        folder = shutil.copytree(sound, tmp_path / str(seed))
        alter(kind, folder, rng)
        try:
            result = outcome(folder, undisturbed, reports=kind.endswith("study") and seed % 5 == 0)
        except AssertionError as error:
            if kind == "values of the manifest" and labels_changed(folder):
                result = "labels as it now says"
            else:
                raise AssertionError(f"{kind}, seed {seed}: {error}") from error
        except Exception as error:
            raise AssertionError(f"{kind}, seed {seed}: {type(error).__name__}: {error}") from error
        counts[result] = counts.get(result, 0) + 1
        shutil.rmtree(folder)
    print(kind, counts)
    assert set(counts) & {1, 2}


MORE = {
    "activations": {"relu": {"family": "rectifier", "order": 2, "look": ["#0072B2", "s", "solid"]}},
    "settings": [{"column": "activation", "key": "model.activation"}, {"column": "depth", "key": "model.depth"}],
    "label_prefixes": {"activation": {"1f": "a.py:"}},
    "measures": {"own": {"label": "my own", "range": [0.0, None]}},
    "runs_per_call_by_width": {"64": 1},
}


def labels_changed(folder):
    """Whether a manifest, with its right checksum, says other things of labels and order: then so do the frames."""
    about = manifest.read_manifest(folder)
    return any(about.get(key) != MORE[key] for key in ("settings", "label_prefixes"))
