"""What was understood of a data set, to look at before training: plain values, for a terminal, JSON and a report."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from actlab.data.datasets import DATASETS
from actlab.data.splits import Data
from actlab.naming import MOST_LINE, as_yaml, counted, listed, show


def described(rows: Data) -> dict[str, Any]:
    """Describe a data set: target, task, rows by split, columns by kind, classes with counts, what was unsure.

    >>> from actlab import data
    >>> about = described(data.load("iris"))
    >>> about["task"], about["rows"], about["classes"]["setosa"]
    ('classification', {'train': 90, 'validation': 30, 'test': 30}, {'train': 30, 'validation': 10, 'test': 10})
    """
    splits = {"train": rows.train, "validation": rows.validation, "test": rows.test}
    about: dict[str, Any] = {
        "target": rows.target,
        "task": rows.task,
        "rows": {name: len(split.y) for name, split in splits.items()},
        "inputs": len(rows.features),
        "columns": {kind: list(names) for kind, names in rows.kinds.items()},
        "unsure": list(rows.notes),
    }
    if rows.classes:
        counts = {name: np.bincount(split.y, minlength=len(rows.classes)) for name, split in splits.items()}
        about["classes"] = {
            label: {name: int(count[i]) for name, count in counts.items()} for i, label in enumerate(rows.classes)
        }
    if rows.noisy:
        about["noisy_labels"] = rows.noisy
    if rows.categories:
        about["categories"] = {name: dict(counts) for name, counts in rows.categories.items()}
    if not rows.classes and rows.target_range:
        about["target_range"] = list(rows.target_range)
    return about


def lines(about: Mapping[str, Any], most: int = 8) -> dict[str, str]:
    """Put what ``described`` gives into short lines: {what: text}; long lists are cut, and say so."""
    of = f" of {about['target']!r}" if about["target"] else ""
    if "classes" in about:
        counts = {label: sum(by_split.values()) for label, by_split in about["classes"].items()}
        named = listed((f"{label}: {n}" for label, n in counts.items()), most)
        what = f"{counted(len(counts), 'class', 'classes')}: {named}"
    else:
        low, high = about["target_range"]
        what = f"from {low:.6g} to {high:.6g}"
    rows = about["rows"]
    noisy = f" ({about['noisy_labels']} with the class of another)" if about.get("noisy_labels") else ""
    kinds = (f"{kind} ({len(names)}): {listed(names, most)}" for kind, names in about["columns"].items())
    columns = sum(len(names) for names in about["columns"].values())
    made = f", {counted(about['inputs'], 'input')}" if about["inputs"] != columns else ""
    texts = (
        f"{name} has {len(counts)}: {listed((f'{text}: {n}' for text, n in counts.items()), most)}"
        for name, counts in about.get("categories", {}).items()
    )
    text = {"texts": listed(texts, most, MOST_LINE).replace("\n", " ")} if about.get("categories") else {}
    return {
        "target": f"{about['task']}{of}, {what}",
        "rows": f"{sum(rows.values())}: {rows['train']} training{noisy}, {rows['validation']} validation, "
        f"{rows['test']} test",
        "features": f"{columns}{made}; {'; '.join(kinds)}",
        **text,
        "chance": chance(about),
        **source_of(about),
    }


def chance(about: Mapping[str, Any]) -> str:
    """Say what scores on the test rows who has learned nothing but which class is the most frequent, or the mean.

    >>> chance({"classes": {"a": {"train": 3, "test": 1}, "b": {"train": 2, "test": 3}}})
    'test accuracy 0.25, by always saying the most frequent class of the training rows'
    """
    right = chance_accuracy(about)
    if right is None:
        return "test R² 0 or just below, by always saying the mean of the training rows"
    return f"test accuracy {right:.2g}, by always saying the most frequent class of the training rows"


def chance_accuracy(about: Mapping[str, Any]) -> float | None:
    """Return the share of the test rows that are of the training rows' most frequent class; None without classes.

    >>> chance_accuracy({"classes": {"a": {"train": 3, "test": 1}, "b": {"train": 2, "test": 3}}})
    0.25
    """
    counts = list(about.get("classes", {}).values())
    rows = sum(one["test"] for one in counts)
    return max(counts, key=lambda one: one["train"])["test"] / rows if rows else None


def source_of(about: Mapping[str, Any]) -> dict[str, str]:
    """Say where a shipped data set comes from, and under which licence: a line, or none."""
    record = DATASETS.get(next(iter(about.get("names", ())), ""))
    return {"source": f"{record.reference}; licence {record.licence}"} if record else {}


def heading(about: Mapping[str, Any]) -> str:
    """Name a data set, with what tells it from others of the study, and what else it is called.

    >>> heading({"names": ["a.csv", "b.csv"], "settings": {"drop": ["id"]}})
    'a.csv, drop [id] (also named b.csv: the same data, trained once)'
    """
    name, *copies = about["names"]
    told = [f"{key} {value_text(value)}" for key, value in about["settings"].items()]
    also = f" (also named {', '.join(copies)}: the same data, trained once)" if copies else ""
    return f"{', '.join([name, *told])}{also}"


def value_text(value: Any) -> str:
    """Write a setting as it stands in a YAML file."""
    if isinstance(value, list):
        return f"[{', '.join(map(as_yaml, value))}]"
    if isinstance(value, float):
        return show(value)
    return as_yaml(value) if isinstance(value, str) else json.dumps(value)
