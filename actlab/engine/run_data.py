"""The rows that a run is trained and measured on, as NumPy arrays: for workers, and for whoever asks for them later."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab import data, sources
from actlab.notation import with_options
from actlab.study.jobs import Shape

if TYPE_CHECKING:
    from actlab.engine.results import Results


def rows(shape: Shape, sources_folder: Path) -> data.Data:
    """The data of a shape's runs."""
    return loaded(shape.data, shape.data_checksum, sources_folder)


@lru_cache(maxsize=4)
def loaded(spec: data.DataSpec, checksum: str, sources_folder: Path) -> data.Data:
    """A data set, read once per worker; what a user's function makes, from the study's own copy of its file.

    Raises:
        RuntimeError: its content, or what makes it, is not what the study was planned with.
    """
    called, options = data.split_options(spec.name)
    if named := sources.parse(called):
        spec = replace(spec, name=with_options(f"{sources_folder / named[0].name}:{named[1]}", options))
    dataset = data.load(spec)
    if (dataset.content or data.checksum(spec.name)) != checksum:
        raise RuntimeError(f"{spec.name}: is not the data that this study was planned with")
    return dataset


def splits(shape: Shape, sources_folder: Path) -> dict[str, data.Split]:
    """The splits and the probe rows, of the run's own types: {train, validation, test, probe}.

    The probe rows are the first ``probe_rows`` of a permutation of the training rows, by ``data.seed`` alone.
    """
    dataset, dtype = rows(shape, sources_folder), shape.spec.dtype
    host = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    picked = np.random.default_rng([shape.data.seed, 1]).permutation(len(dataset.train.y))[: shape.probe_rows]
    host["probe"] = data.Split(dataset.train.x[picked], dataset.train.y[picked])
    target = np.int32 if dataset.task == "classification" else dtype
    return {name: data.Split(split.x.astype(dtype), split.y.astype(target)) for name, split in host.items()}


def of_run(results: Results, run: Any, trust: bool) -> dict[str, data.Split]:
    """Load the rows of a stored run: see ``Results.data``."""
    from actlab.engine import trusting
    from actlab.engine.kept import name_of
    from actlab.engine.planned_runs import find_run

    name = name_of(results, run)
    with sources.only(trusting.to_model(results.path, results.study, trust)):
        group, _ = find_run(results.path, name, stored=True)
        return splits(group.shape, results.path / "sources")
