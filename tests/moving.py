"""A tiny study that is trained once, and the folders of several machines cut from it: for tests of what moves."""

import json
import shutil
import tempfile
from concurrent.futures import Executor
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

import actlab
from actlab.engine import planned, store, worker_pools
from actlab.engine.handover import warm_up
from actlab.engine.manifest import read_manifest, write_manifest
from actlab.engine.part_files import read_part
from actlab.study import plan as planning
from actlab.study.reading import read
from tests.serial import SerialExecutor

TEMPORARY = tempfile.TemporaryDirectory(prefix="actlab-moving-")
ACT = """
import actlab
import jax.numpy as jnp
from helper import SLOPE

def bent(z, *, slope=0.1):
    return jnp.where(z > 0, z, SLOPE * slope * z)
"""
MINE = """
import actlab
from actlab.analysis.cells import cell_keys
from actlab.analysis.estimates import summarise
from actlab.analysis.layout import Table, pivot

@actlab.table
def losses(cells):
    values = cells.selected[["run"]].assign(measure="test_loss", value=cells.selected["test_loss"])
    frame = summarise(values, cells.selected, cell_keys(cells))
    return Table("Losses", "Means over seeds.", frame, frame)
"""
CLAIMS = """
from actlab.analysis.claims import AT_LEAST, judge

def many(cells):
    return judge("M", "relu", "many", AT_LEAST, 1, [float(len(cells.runs))] * 5, "runs")

CLAIMS = [many]
"""
STUDY = """
study: mine
question: Does it move?
data: {name: site_a/rows.csv}
model: {depth: 2, width: 4}
train: {steps: 4, batch_size: 8}
measure: {every: 2, evaluate_every: 2, probes: [act_mean]}
sweep:
  matrix: {data.name: [site_a/rows.csv, site_b/rows.csv], model.activation: [relu, act.py:bent]}
  seeds: 2
report: {tables: [performance, mine.py:losses], figures: []}
claims: claims.py
"""


class Forbidden(Executor):
    def submit(self, function, /, *args, **kwargs):
        if function is not warm_up:  # a worker may be got ready while the study is planned
            raise AssertionError("nothing is left to train")

    def shutdown(self, wait=True, *, cancel_futures=False, kill_workers=False):
        pass


def write_study(folder):
    """Write the study with all that it names."""
    for n, site in ((1, "site_a"), (2, "site_b")):
        (folder / site).mkdir(parents=True)
        rows = "".join(f"{i * n % 17},{i * i % 7},{'ab'[(i // n) % 2]}\n" for i in range(60))
        (folder / site / "rows.csv").write_text("x,z,y\n" + rows)
    files = {"act.py": ACT, "helper.py": "SLOPE = 1.0\n", "mine.py": MINE, "claims.py": CLAIMS, "s.yaml": STUDY}
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder / "s.yaml"


@cache
def home_folder():
    """Make the originals, and ``r``, the study as one machine trains it: once for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="moving-", dir=TEMPORARY.name)) / "home"
    said = []
    actlab.run(write_study(folder), out=folder / "r", note=said.append)
    (folder / "said.json").write_text(json.dumps(said))
    return folder


@pytest.fixture(scope="module", autouse=True)
def serial():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        yield


@pytest.fixture
def home(serial):
    """The originals, and ``r``, the study as one machine trains it."""
    return home_folder()


def without_training(config, overrides, folder, monkeypatch, **options):
    with monkeypatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: Forbidden())
        return actlab.run(config, overrides, out=folder, **options)


def cut(home, folder, monkeypatch, overrides):
    """Make the folder of a machine that was to train a part of the study: what its overrides ask for."""
    wanted = set(planning.plan(read(home / "s.yaml", overrides)).runs)
    shutil.copytree(home / "r", folder)
    write_rows(folder, lambda row: row["run"] in wanted)
    planned.write_planned(folder, wanted)
    without_training(home / "s.yaml", overrides, folder, monkeypatch)
    return folder


def write_rows(folder, which, change=lambda row: row):
    """Write a folder's parts again, with some of their rows, altered; the manifest lists them as what was written."""
    names = store.part_names(folder)
    table = pa.concat_tables([part.table for part in parts(folder)], promote_options="permissive")
    rows = [change(row) for row in table.to_pylist() if which(row)]
    for name in names:
        (folder / "parts" / name).unlink()
    sums = {}
    for row in rows:
        schema = pa.schema([table.schema.field(name) for name in table.column_names])
        one = pa.Table.from_pylist([row], schema=schema)
        sums[f"{row['run']:0>16}.parquet"] = store.write_table(folder, f"{row['run']:0>16}", one)
    write_manifest(folder, {**read_manifest(folder), "parts": sums})


def parts(folder):
    return [read_part(folder, name, read_manifest(folder)) for name in store.part_names(folder)]


def tables(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "tables").iterdir())}


def snapshot(folder):
    """Everything that lies in a folder, with its content and time."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
