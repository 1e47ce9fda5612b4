"""Labels that tell different things of one name apart: two files' functions, two folders' data.

A part holds a thing by its own name (``act``, ``rows.csv``) and a hash of its content beside it. What must stand before
the name, so that no two contents of a study share a label, is decided when it is planned and written into the manifest.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from actlab import sources
from actlab.study.fields import display_name
from actlab.study.settings import CONTENT, Prefixes


def prefixes(named: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    """Choose what stands before labels that would collide: the least of a path that tells their files apart.

    Args:
        named: column, name as the study has it, and hash of the content (empty for what actlab ships) of everything
            that a study names.

    Returns:
        see ``Prefixes``; only what needs one.

    >>> prefixes([("data", "a/rows.csv", "1f"), ("data", "b/rows.csv", "2e"), ("data", "c/other.csv", "3d")])
    {'data': {'1f': 'a/', '2e': 'b/'}}
    >>> prefixes([("activation", "relu", ""), ("activation", "mine.py:relu", "1f")])
    {'activation': {'1f': 'mine.py:'}}
    """
    first: dict[tuple[str, str], str] = {}  # of several names of one content, the first one counts
    alike: dict[tuple[str, str], dict[str, str]] = {}
    for column, name, content in named:
        shown = display_name(first.setdefault((column, content), name) if content else name)
        alike.setdefault((column, shown), {}).setdefault(content, name)
    chosen: dict[str, dict[str, str]] = {}
    for (column, shown), by_content in alike.items():
        if len(set(by_content.values())) > 1:  # one file that is read in two ways has columns that say how
            paths = {content: path_parts(name) for content, name in by_content.items() if content and is_path(name)}
            for content, parts in paths.items():
                others = [other for other in paths.values() if other != parts]
                chosen.setdefault(column, {})[content] = "".join(shortest_tail(parts, others))[: -len(shown)]
    return chosen


def told_apart(paths: Iterable[str]) -> dict[str, str]:
    """Name files by as little of the ends of their paths as tells them apart; any other name is itself.

    >>> told_apart(["/x/a/rows.csv", "/x/b/rows.csv", "/x/b/more.csv", "iris"])
    {'/x/a/rows.csv': 'a/rows.csv', '/x/b/rows.csv': 'b/rows.csv', '/x/b/more.csv': 'more.csv', 'iris': 'iris'}
    """
    split = {path: path_parts(path) for path in paths}
    return {
        path: "".join(shortest_tail(parts, [other for other in split.values() if other != parts]))
        for path, parts in split.items()
    }


def known_by(contents: Mapping[str, Sequence[str]], known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Say by which name tables call data: as runs that are stored of them do, wherever the file lies now.

    Args:
        contents: by the names that a study has, hashes of what the data hold.
        known: by such a hash, the names that stored runs go by; tables have the first.

    >>> known_by({"/x/new.csv": ["1f"], "/x/a/rows.csv": ["2e"]}, {"1f": ["old.csv"], "2e": ["rows.csv"]})
    {'/x/new.csv': 'old.csv', '/x/a/rows.csv': '/x/a/rows.csv'}
    """
    called = {}
    for name, hashes in contents.items():
        then = next((known[content][0] for content in hashes if known.get(content)), name)
        tail = path_parts(then)
        called[name] = name if path_parts(name)[-len(tail) :] == tail else then
    return called


def prefixed(columns: Mapping[str, Any], column: str, prefixes: Prefixes) -> str:
    """Return a label of one run with what stands before it.

    >>> prefixed({"activation": "act", "activation_content": "1f"}, "activation", {"activation": {"1f": "v1.py:"}})
    'v1.py:act'
    """
    return prefixes.get(column, {}).get(columns.get(column + CONTENT, ""), "") + str(columns[column])


def is_path(name: str) -> bool:
    """Whether a name is that of a file, or of a function in one."""
    return sources.parse(name) is not None or PurePath(name).suffix != ""


def path_parts(name: str) -> tuple[str, ...]:
    """Split a name where it may be cut, each part with what follows it.

    >>> path_parts("site_a/rows.csv"), path_parts("acts/v1.py:act")
    (('site_a/', 'rows.csv'), ('acts/', 'v1.py:act'))
    """
    *folders, last = PurePath(name).parts
    return (*(f"{folder.rstrip('/')}/" for folder in folders), last)


def shortest_tail(parts: tuple[str, ...], others: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the shortest end of a path that none of the others has.

    >>> shortest_tail(("x/", "a/", "v.py:f"), [("x/", "b/", "v.py:f")]), shortest_tail(("v.py:f",), [])
    (('a/', 'v.py:f'), ('v.py:f',))
    """
    others = list(others)
    for length in range(1, len(parts)):
        if all(other[-length:] != parts[-length:] for other in others):
            return parts[-length:]
    return parts
