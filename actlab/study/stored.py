"""A resolved study as it is read back from its folder: by the schema that plans are read by, and without its code.

Reading runs nothing, so that a function of the user's is taken by its name alone.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from actlab import sources
from actlab.naming import message
from actlab.study import reading
from actlab.study.matrix import check_matrix
from actlab.study.yaml_text import bounded_load


def read_study(text: str, path: Path) -> dict[str, Any]:
    """Read the text of a study's own ``study.yaml``.

    Args:
        text: its content.
        path: where that is from, for messages.

    Raises:
        ValueError: it is no study; names file and key.
    """
    raw, _ = bounded_load(text, str(path))
    if not isinstance(raw, dict):
        raise ValueError(f"{path}: expected a mapping with the keys study, data, model, ...")
    for key, value in leaves(raw):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{path}: {key}: expected a finite number, not {value}")
    source = reading.Source(path, {}, {})
    try:
        check_matrix(raw, source)
        reading.validate(without_functions(raw), source)
    except reading.StudyError as error:
        raise ValueError(message(str(error))) from None
    return raw


def leaves(plain: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of plain data that are no lists or mappings, each with its dotted key.

    >>> list(leaves({"sweep": {"matrix": {"model.depth": [2, 10]}}}))
    [('sweep.matrix.model.depth', 2), ('sweep.matrix.model.depth', 10)]
    """
    if isinstance(plain, Mapping):
        for name, inner in plain.items():
            yield from leaves(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(plain, list):
        for inner in plain:
            yield from leaves(inner, key)
    else:
        yield key, plain


def without_functions(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a study what would have a file of the user's run to be validated; what it stands for is a name.

    >>> without_functions({"model": {"activation": "sources/mine.py:f", "depth": 2}, "data": {"name": "a.py:rows"}})
    {'model': {'depth': 2}, 'data': {'name': 'digits'}}
    """

    def own(value: Any) -> bool:
        name = value.get("name") if isinstance(value, dict) else value
        return isinstance(name, str) and sources.parse(name) is not None

    plain = dict(raw)
    for section in ("model", "train"):
        if isinstance(raw.get(section), dict):
            plain[section] = {key: value for key, value in raw[section].items() if not own(value)}
    if isinstance(raw.get("data"), dict) and own(raw["data"].get("name")):
        plain["data"] = {**raw["data"], "name": "digits"}
    measure = raw.get("measure")
    if isinstance(measure, dict) and isinstance(measure.get("probes"), list):
        probes = [one for one in measure["probes"] if not own(one)]
        plain["measure"] = {**measure, "probes": probes or "default"}
    return plain
