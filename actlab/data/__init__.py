"""Data sets: small ones, generated ones or a user's file, split 60/20/20 and standardised from training rows alone.

    data.load("digits")                                  a bundled data set, see ``DATASETS``
    data.load("spirals:turns=3", seed=1)                 a generated one, with options
    data.load("mine.csv", target="price")                a file: .csv, .tsv, .parquet or .npz
    data.load("mine.py:moons")                           a function of one's own, see ``dataset``

Every refusal is a ``DataError`` with one message: where, what was expected, what was found.
"""

import hashlib
import math
from dataclasses import replace
from typing import Any

from actlab import sources
from actlab.data import bundled, generated, openml, packages, splits  # noqa: F401 - they declare the data sets
from actlab.data.content import bundled_checksum, generated_checksum
from actlab.data.datasets import DATASETS, Dataset, dataset, settled_options
from actlab.data.inputs import lost
from actlab.data.look import described
from actlab.data.names import SUFFIXES, is_file, split_options
from actlab.data.spec import CHOICES, OF_COLUMNS, OF_TEXT, DataSpec
from actlab.data.splits import Data, Split
from actlab.data.table import TASKS, DataError, Table
from actlab.naming import nearest

__all__ = [
    "DATASETS",
    "Data",
    "DataError",
    "DataSpec",
    "Dataset",
    "Split",
    "Table",
    "checksum",
    "dataset",
    "described",
    "is_file",
    "load",
    "lost",
    "split_options",
]


def load(which: str | DataSpec, **options: Any) -> Data:
    """Load a data set and split it, stratified, into 60 % training, 20 % validation and 20 % test rows.

    Args:
        which: a data set's name, or all of a ``DataSpec``.
        options: with a name, the other fields of ``DataSpec``: ``target``, ``task``, ``standardize``, ...

    Raises:
        DataError: the data cannot be used, and why.

    >>> load("spirals:turns=3", train_rows=100).train.x.shape
    (100, 2)
    >>> iris = load("iris")
    >>> iris.train.x.shape, iris.validation.x.shape, iris.test.x.shape, round(iris.constant_loss, 4)
    ((90, 4), (30, 4), (30, 4), 1.0986)
    """
    spec = DataSpec(which, **options) if isinstance(which, str) else which
    name, task, target_loss = spec.name, spec.task, spec.target_loss
    if task not in TASKS:
        raise DataError(f"unknown task '{task}'{nearest(task, TASKS)}")
    if not 0 <= spec.label_noise < 1:
        raise DataError(f"{name}: label_noise must be at least 0 and below 1, found {spec.label_noise}", "label_noise")
    if target_loss is not None and not 0 < target_loss < math.inf:
        raise DataError(f"{name}: target_loss must be a positive number, found {target_loss}")
    for key, valid in CHOICES.items():
        if (value := getattr(spec, key)) not in valid:
            raise DataError(f"{name}: unknown {key} '{value}'{nearest(value, [one for one in valid if one])}")
    if is_file(name):
        from actlab.data import files  # pandas, for whom a bundled data set need not wait

        table = files.read(spec)
    else:
        record = dataset_record(split_options(name)[0])
        if spec.target is not None:
            raise DataError(f"{name}: target names a column of a file; this data set has its own", "target")
        if record.task != "auto" and task not in ("auto", record.task):
            raise DataError(
                f"{name}: is a {record.task} data set; expected task: {record.task} or auto, found {task}", "task"
            )
        table = as_table(record, replace(spec, task=record.task if task == "auto" else task))
        target_loss = record.target_loss if target_loss is None else target_loss
    try:
        made = splits.split_table(
            table,
            name=name,
            standardize=spec.standardize,
            seed=spec.seed,
            train_rows=spec.train_rows,
            target_loss=target_loss,
            label_noise=spec.label_noise,
        )
    except splits.RareClassError as error:
        if is_file(name):
            raise
        fewer = "fewer classes or " if "classes" in record.options else ""
        raise splits.RareClassError(error.problem, f"Let it have {fewer}more rows", error.few) from None
    return replace(made, content=table.content) if is_file(name) else made


def as_table(record: Dataset, spec: DataSpec) -> Table:
    """Return what a data set's function makes, as a table.

    Raises:
        DataError: it fails, or gives something else; or a key is for files.
    """
    called, options = split_options(spec.name)
    named = sources.parse(called)
    if named is None:
        for key in spec.asked((*OF_TEXT, *OF_COLUMNS)):
            raise DataError(f"{spec.name}: data.{key} is for files; this data set comes as it is", key)
        table = record.make(options, spec.seed)
        assert isinstance(table, Table)
        return table
    from actlab.data import files

    settled_options(record, options)
    sources.tried(f"{files.__name__}:make", *named)
    return files.of_function(lambda: record.make(options, spec.seed), replace(spec, name=called))


def checksum(name: str) -> str:
    """Compute the SHA-256 of a user's file, of a function and its rows, of a generator, or of a bundled set's arrays.

    What it is called does not enter, nor does ``data.seed``: rows of a function that takes one are those of seed 0. (A
    file's runs are known by ``Data.content``: its values, as they were read.)

    Raises:
        DataError: there is no such file or data set.

    >>> checksum("digits")[:8]
    'd8cdd979'
    """
    if is_file(name):
        from actlab.data import files

        return files.checksum(files.existing(name))
    called, options = split_options(name)
    record = dataset_record(called)
    if named := sources.parse(called):
        from actlab.data import files

        made = files.rows_checksum(lambda: record.make(options), called)
        return hashlib.sha256(f"{sources.trace(*named).digest}{made}".encode()).hexdigest()
    return generated_checksum(record, options) if record.generated else bundled_checksum(record)


def dataset_record(name: str) -> Dataset:
    """Return the record of a data set that a function makes.

    Raises:
        DataError: there is none of that name.
    """
    if sources.parse(name) or name in DATASETS:
        return DATASETS.find(name)
    hint = nearest(name, DATASETS)
    raise DataError(f"unknown data set '{name}'{hint}; or the path to a {', '.join(SUFFIXES)} file")
