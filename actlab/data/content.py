"""What data that no file holds are known by: a bundled set by its arrays, a generated one by what generates it."""

import hashlib
import inspect
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from actlab.data.datasets import DATASETS, Dataset, settled_options
from actlab.data.table import Table
from actlab.sources import statements


@lru_cache(maxsize=32)
def bundled_checksum(dataset: Dataset) -> str:
    """Compute the SHA-256 of a data set's arrays: shapes, and values in one byte order."""
    table = dataset.make()
    assert isinstance(table, Table)  # a user's function may give arrays; ours do not
    digest = hashlib.sha256(repr((table.x.shape, table.y.shape, len(table.classes))).encode())
    for array in (table.x, table.y):
        digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def generated_checksum(dataset: Dataset, options: Mapping[str, Any]) -> str:
    """Compute the SHA-256 of what generates a set: its options, the tokens of its function, the arrays that it takes.

    The seed is not in it: it is a key of its own, by which a run is known beside this, and one set drawn with two seeds
    is called the same.

    Raises:
        DataError: an option is wrong.
    """
    taken = [bundled_checksum(DATASETS.find(name)) for name in dataset.made_of]
    facts = [generator_tokens(dataset.load), taken, settled_options(dataset, options)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=64)
def generator_tokens(function: Any) -> tuple[str, ...]:
    """Return the tokens of a function and of what it names of its own file, by their names.

    Decorators (its record) and imports are no part of them, comments and docstrings neither.
    """
    whole = statements.read(Path(inspect.getfile(function)))
    bound = {name: one for one in whole if one.defines and not one.is_import for name in one.binds}
    taken: dict[str, list[str]] = {}
    left = [function.__name__]
    while left:
        if (name := left.pop()) not in taken:
            taken[name] = undecorated(json.loads(bound[name].tokens))
            left += [word for word in taken[name] if word in bound]
    return tuple(json.dumps(taken[name]) for name in sorted(taken))


def undecorated(words: list[str]) -> list[str]:
    """Leave out what stands before a function's ``def``.

    >>> undecorated(["@", "dataset", "(", ")", "def", "f", "(", ")"]), undecorated(["N", "=", "3"])
    (['def', 'f', '(', ')'], ['N', '=', '3'])
    """
    return words[words.index("def") :] if words[:1] == ["@"] and "def" in words else words
