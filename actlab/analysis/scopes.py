"""On what a verdict is: the data, networks and training of its study, or as much of these as its numbers are of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from actlab.analysis.under import Under
from actlab.naming import counted, show

SETTINGS = {
    "data.name": "data",
    "data.train_rows": "train_rows",
    "model.width": "width",
    "model.depth": "depth",
    "model.weight_init": "weight_init",
    "train.optimizer": "optimizer",
    "train.learning_rate": "learning_rate",
    "train.steps": "steps",
}
"""The keys that a scope names, as columns of ``runs`` and conditions name them."""
WORDS = {"data": "", "train_rows": "training rows ", "weight_init": "", "optimizer": "", "learning_rate": "rate "}
"""What stands before the values of a setting, where that is not its name."""
TRAINED = ("optimizer", "learning_rate", "steps")
"""Settings that say nothing of networks before training."""
Used = Mapping[str, Collection[str]]
"""What a verdict's numbers are of: {setting: values}; of settings that are not there, all that the study has."""


def used(under: Sequence[Under]) -> Used:
    """Collect what conditions are of, of the settings that each of them says.

    >>> def row(**settings): return Under("", 0, 0, 0, 9, "", "", "", tuple(settings.items()))
    >>> used([row(optimizer="adam", depth="2"), row(optimizer="adam", depth="5"), row(optimizer="adam", depth="5")])
    {'optimizer': ['adam'], 'depth': ['2', '5']}
    >>> used([row(evaluation="init"), row(evaluation="final", optimizer="sgd")]), used([])
    ({'evaluation': ['init', 'final']}, {})
    """
    said = [dict(row.settings) for row in under]
    names = [name for name in (said[0] if said else ()) if all(name in one for one in said)]
    return {name: list(dict.fromkeys(one[name] for one in said)) for name in names}


def scope_of(study: Mapping[str, Any], of: Used | None = None) -> str:
    """Say on what a study's verdicts are, from its resolved file: data, networks, training, repetitions.

    Args:
        study: as its file is resolved.
        of: what the numbers of one verdict are of, where that is less.

    >>> matrix = {"model.depth": [2, 10], "train.optimizer": ["sgd", {"name": "adam", "b1": 0.9}]}
    >>> study = {"data": {"name": "digits"}, "model": {"width": 64}, "sweep": {"matrix": matrix, "seeds": 20}}
    >>> scope_of(study), scope_of(study, {"optimizer": ["adam"], "depth": ["10"]})
    ('digits; width 64; depth 2, 10; sgd, adam; 20 seeds', 'digits; width 64; depth 10; adam; 20 seeds')
    >>> scope_of(study, {"evaluation": ["init"]})
    'digits; width 64; depth 2, 10; before training; 20 seeds'
    >>> scope_of({"data": {"name": "digits", "seed": 0}, "sweep": {"seeds": 20}})
    'digits; 20 seeds on one split'
    """
    of = of or {}
    drawn = list(of.get("evaluation", ())) == ["init"] or given(study, "train.steps") == [0]
    left_out = TRAINED if drawn else ("learning_rate",) if (study.get("sweep") or {}).get("select") else ()
    parts = []
    for key, setting in SETTINGS.items():
        if (found := narrowed(values(study, key), of.get(setting, ()))) and setting not in left_out:
            parts.append(f"{WORDS.get(setting, f'{setting} ')}{', '.join(found)}")
    seeds = (study.get("sweep") or {}).get("seeds", 1)
    parts += ["before training"] * drawn
    parts.append(counted(len(seeds) if isinstance(seeds, list) else int(seeds), "seed"))
    if splits := splits_of(study):
        each = " each" * (len(narrowed(values(study, "data.name"), of.get("data", ()))) > 1)
        parts[-1] += f" on {'one split' if splits == 1 else counted(splits, 'split')}{each}"
    return "; ".join(parts)


def narrowed(names: Sequence[str], kept: Collection[str]) -> list[str]:
    """Keep of a study's values those that a verdict is of, as its conditions write them; all where they name none.

    >>> narrowed(["wine", "spirals", "sine"], ["spirals(turns=2)", "spirals(turns=4)"]), narrowed(["sgd"], [])
    (['spirals(turns=2)', 'spirals(turns=4)'], ['sgd'])
    """
    those = [one for name in names for one in kept if one.partition("(")[0] == name]
    return those or list(names)


def values(study: Mapping[str, Any], key: str) -> list[str]:
    """Name a study's values of a key, each once: of a file its name, of what has parameters the name alone."""
    names = [show(one["name"] if isinstance(one, Mapping) else one) for one in given(study, key)]
    return list(dict.fromkeys(Path(one).name if "/" in one else one for one in names))


def given(study: Mapping[str, Any], key: str) -> list[Any]:
    """List what a study gives a key, ``section.name``: its values where it is swept, else the one; empty without."""
    section, _, name = key.partition(".")
    matrix = (study.get("sweep") or {}).get("matrix") or {}
    return [one for one in matrix.get(key, [(study.get(section) or {}).get(name)]) if one is not None]


def splits_of(study: Mapping[str, Any]) -> int | None:
    """Count the splits of the data that a study's runs are on, of each of its data sets; None where it names none.

    >>> splits_of({"data": {"seed": 3}}), splits_of({"sweep": {"matrix": {"data.seed": [0, 1]}}}), splits_of({})
    (1, 2, None)
    """
    return len(set(given(study, "data.seed"))) or None
