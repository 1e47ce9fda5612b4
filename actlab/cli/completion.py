"""What TAB offers: names, keys and their values from the index, and the studies at hand. Nothing else is imported.

A word that a key begins (``model.de``) is answered by the key with ``=`` behind it and, beside that, by the key at its
default: with two answers a shell adds no space, and one types on.
"""

import ast
import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import Any

from actlab.naming import show

INSTRUCTION = "_ACTLAB_COMPLETE"
LARGEST_SOURCE = 10**6
"""Bytes of a file whose functions are looked for."""
BREAKS = "[=:]+"
"""Where bash cuts a word in several, and completes the last of them alone."""


@lru_cache(maxsize=1)
def known() -> dict[str, Any]:
    """The index."""
    from actlab.cli import index

    loaded: dict[str, Any] = index.load()
    return loaded


def activations(incomplete: str) -> list[str]:
    """Complete the name of an activation, and options behind it.

    >>> activations("leaky"), activations("leaky_relu:neg")
    (['leaky_relu'], ['leaky_relu:negative_slope=', 'leaky_relu:negative_slope=0.01'])
    """
    own = functions(incomplete)
    return [*named(incomplete, known()["keys"]["model.activation"]["values"]), *own]


def named(word: str, values: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield names that begin with a word, or, behind a name with a colon, its options."""
    name, colon, rest = word.rpartition(":")
    if not colon:
        yield from (one for one in values if one.startswith(word))
        return
    first, *given = name.split(":")
    used = {one.partition("=")[0] for one in given}
    option, equals, begun = rest.partition("=")
    for one, default in values.get(first, {}).items():
        if one in used or not one.startswith(option) or (equals and one != option):
            continue
        offered = default if isinstance(default, list) else [show(default)] if default is not None else []
        if not equals:
            yield f"{name}:{one}="
        yield from (f"{name}:{one}={value}" for value in offered if str(value).startswith(begun))


def overrides(incomplete: str) -> list[str]:
    """Complete an override: a key of a study's file, and behind ``=`` its values, also after a comma.

    >>> overrides("model.de"), overrides("model.activation=relu,mis")
    (['model.depth=', 'model.depth=10'], ['model.activation=relu,mish'])
    """
    key, equals, values = incomplete.partition("=")
    if equals and key in known()["lists"]:
        return [f"{key}={one}" for one in listed(values, known()["lists"][key])]
    if equals:
        before = values[: max(values.rfind(mark) for mark in ", ") + 1]
        return [f"{key}={before}{one}" for one in values_of(key, values[len(before) :])]
    deeper = [
        f"{one}.{option}"
        for one, about in known()["keys"].items()
        if incomplete.startswith(f"{one}.") and isinstance(about.get("values"), dict)
        for option in dict.fromkeys(option for options in about["values"].values() for option in options)
    ]
    fitting = [one for one in (*known()["keys"], *deeper) if one.startswith(incomplete)]
    if len(fitting) == 1:
        return [
            f"{fitting[0]}=",
            *(f"{fitting[0]}={one}" for one in values_of(fitting[0], "") or default_of(fitting[0])),
        ]
    return [f"{one}=" for one in fitting]


def listed(begun: str, names: list[str]) -> list[str]:
    """Complete a list in brackets; the last name of it both ways on.

    >>> listed("", ["death", "dead_units"]), listed("[dead_units,de", ["death", "trained"])
    (['[death', '[dead_units'], ['[dead_units,death,', '[dead_units,death]'])
    """
    before = begun[: begun.rfind(",") + 1] or "["
    fitting = [f"{before}{one}" for one in names if f"{before}{one}".startswith(begun)]
    return [f"{fitting[0]},", f"{fitting[0]}]"] if len(fitting) == 1 else fitting


def default_of(key: str) -> list[str]:
    """List a key's default, if it has one."""
    default = known()["keys"].get(key, {}).get("default")
    return [] if default is None else [default]


def values_of(key: str, begun: str) -> list[str]:
    """List what a key may be, of what begins so."""
    if key in known()["lists"]:
        return listed(begun, known()["lists"][key])
    values = known()["keys"].get(key, {}).get("values", [])
    if isinstance(values, dict):
        return list(named(begun, values))
    return [one for one in values if one.startswith(begun)]


def from_index(which: str) -> Callable[[str], list[str]]:
    """Give what completes names of one list of the index, also after a comma."""

    def complete(incomplete: str) -> list[str]:
        before = incomplete[: incomplete.rfind(",") + 1]
        return [before + one for one in known()[which] if (before + one).startswith(incomplete)]

    return complete


def among(words: Iterable[str]) -> Callable[[str], list[str]]:
    """Give what completes one of some words."""
    return lambda incomplete: [one for one in map(str, words) if one.startswith(incomplete)]


metrics, groups, presets, settings = map(from_index, ("metrics", "groups", "presets", "settings"))


def columns(incomplete: str) -> list[str]:
    """Complete names of columns of ``runs``, also after a comma, and behind the minus of ``--sort``.

    >>> columns("activation,dep"), columns("-dept")
    (['activation,depth'], ['-depth'])
    """
    before, comma, word = incomplete.rpartition(",")
    before += comma
    before, word = (before + "-", word[1:]) if word.startswith("-") else (before, word)
    return [before + one for one in run_columns() if one.startswith(word)]


def run_columns() -> list[str]:
    """List what a list of runs may show: settings, seed, status, and what came of each."""
    return list(dict.fromkeys([*known()["settings"], "seed", "status", *known()["metrics"]]))


def conditions(incomplete: str) -> list[str]:
    """Complete ``--where``: keys and columns, behind ``=`` and ``!=`` the names that a key may be, after a comma both.

    >>> conditions("dept"), conditions("activation=tanhs"), conditions("depth=2,model.activation!=tanhs")
    (['depth='], ['activation=tanhshrink'], ['depth=2,model.activation!=tanhshrink'])
    """
    before, comma, word = incomplete.rpartition(",")
    before += comma
    key, equals, value = word.partition("=")
    if equals:
        return [f"{before}{key}={one}" for one in values_of_column(key.removesuffix("!"), value)]
    found = [f"{before}{one}=" for one in (*run_columns(), *known()["keys"]) if one.startswith(word)]
    keys = re.findall(r"([\w.]+)!?=", before)  # what has no key is one more value of the last
    return found + [f"{before}{one}" for one in (values_of_column(keys[-1], word) if keys and word else [])]


def values_of_column(name: str, begun: str) -> list[str]:
    """List what a column may be, of what begins so."""
    if name == "status":
        return [one for one in ("ok", "diverged") if one.startswith(begun)]
    return values_of(known()["settings"].get(name, name), begun)


def functions(incomplete: str) -> list[str]:
    """Complete functions of a file, ``act.py:name``, and files of Python where none is named yet; nothing is run."""
    path, colon, begun = incomplete.rpartition(":")
    if not colon:
        found = listing(Path(os.path.dirname(incomplete)), "*.py")
        names = [f"{one}:" for one in sorted(map(str, found)) if incomplete and one.startswith(incomplete)]
        return [*names, *functions(names[0])] if len(names) == 1 else names
    try:
        if os.path.getsize(path) > LARGEST_SOURCE:
            return []
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    names = [one.name for one in tree.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")]
    return [f"{path}:{one}" for one in names if one.startswith(begun)]


def configs(incomplete: str) -> list[str]:
    """Complete a study's YAML file: those in the folder that is begun, here and in ``configs/``."""
    return sorted({str(path) for place in places(incomplete, "configs") for path in listing(place, "*.yaml")})


def folders(incomplete: str) -> list[str]:
    """Complete a study's folder: those in the folder that is begun, here and in ``results/``."""
    found = (path.parent for place in places(incomplete, "results") for path in listing(place, "*/manifest.json"))
    return sorted({str(path) for path in found})


def trials(incomplete: str) -> list[str]:
    """Complete a folder with a trial.yaml: those in the folder that is begun, here and in ``configs/``."""
    found = (path.parent for place in places(incomplete, "configs") for path in listing(place, "*/trial.yaml"))
    return sorted(map(str, found))


def galleries(incomplete: str) -> list[str]:
    """Complete a study's folder, or one that holds some."""
    above = (path.parents[1] for path in listing(Path(os.path.dirname(incomplete)), "*/*/manifest.json"))
    return sorted({*map(str, above), *folders(incomplete)})


def places(incomplete: str, usual: str) -> Iterable[Path]:
    """Name the folders to look in."""
    return (Path(os.path.dirname(incomplete)), *(() if os.path.dirname(incomplete) else (Path(usual),)))


def listing(place: Path, pattern: str) -> list[Path]:
    """List what is in a folder; nothing of one that cannot be read."""
    try:
        return list(place.glob(pattern))
    except OSError:
        return []


def rejoined(words: list[str], current: int) -> tuple[list[str], str]:
    """Put together the words that bash has cut at ``=`` and ``:``, up to the one that is being typed.

    Returns:
        the words; and what of the last one stands before the piece that bash will replace.

    >>> rejoined(["actlab", "run", "s.yaml", "model.activation", "=", "re"], 5)
    (['actlab', 'run', 's.yaml', 'model.activation=re'], 'model.activation=')
    """
    pieces = [*words, ""][: current + 1]
    whole: list[str] = []
    glued = False
    for piece in pieces:
        mark = re.fullmatch(BREAKS, piece) is not None
        if whole and (mark or (glued and piece)):
            whole[-1] += piece
        else:
            whole.append(piece)
        glued = mark
    replaced = "" if re.fullmatch(BREAKS, pieces[-1]) else pieces[-1]
    return whole, whole[-1][: len(whole[-1]) - len(replaced)]


def answer(app: Callable[..., Any]) -> Any:
    """Run the command line, and where bash asks for completions answer by the piece of a word that it replaces."""
    if os.environ.get(INSTRUCTION) != "complete_bash":
        return app(standalone_mode=False)
    try:
        words = shlex.split(os.environ.get("COMP_WORDS", ""))
        whole, before = rejoined(words, int(os.environ.get("COMP_CWORD", "0")))
    except ValueError:  # a quote that is not closed yet
        return app(standalone_mode=False)
    os.environ |= {"COMP_WORDS": shlex.join(whole), "COMP_CWORD": str(len(whole) - 1)}
    caught = io.StringIO()
    try:
        with redirect_stdout(caught):
            return app(standalone_mode=False)
    finally:
        sys.stdout.write("".join(f"{line.removeprefix(before)}\n" for line in caught.getvalue().splitlines() if line))
