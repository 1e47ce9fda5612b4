"""Which column of a file is most likely to be predicted, and whether it holds labels or quantities."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from actlab.data.labels import MANY_CLASSES
from actlab.data.numbers import as_numbers, as_texts
from actlab.data.row_numbers import is_counter, is_written, numbers_rows, plain_name
from actlab.data.sheet import Sheet, chosen, is_number
from actlab.data.table import DataError
from actlab.naming import as_yaml, listed

NAMES = """
target label labels y class classes outcome response output ground_truth truth species diagnosis category result
survived churn churned default fraud spam sentiment income quality grade rating price saleprice medv cost amount value
sales demand progression klasse kategorie etikett ziel zielwert art ergebnis preis classe cible etiquette sortie prix
espece clase etiqueta objetivo salida precio especie
""".split()  # noqa: SIM905 - a list of quoted words is no easier to read
"""Names that targets have, the surest first."""
SURE = NAMES[:6]
"""Names that nothing else has: a column that is called so and cannot be predicted is no reason to take another."""
INPUTS_TOO = frozenset(["quality", "income", "grade", "rating", "cost", "amount", "value", "sales", "demand", "art"])
"""Those of them that inputs have as often: where the last column holds labels, that one is predicted."""
FEW = 20
"""As many different values a column of labels may have that does not say that it is one."""
FEW_FRACTIONS = 10
"""As many, where whole numbers are written as fractions: 1.0."""


def candidates(kinds: Mapping[str, str], sheet: Sheet, asked: str | None) -> tuple[list[str], bool]:
    """List the columns that can be the target, the likeliest first, and say whether the first is named or asked for.

    Raises:
        DataError: there is no column of the name that is asked for, or one called target is the same in every row.
    """
    if sheet.path.suffix.lower() == ".npz":
        return [sheet.target], True
    names = list(kinds)
    if asked is not None:
        return [chosen(asked, names, sheet.path)], True
    usable = [name for name in names if may_be_target(name, kinds[name], sheet)]
    ranks = {name: NAMES.index(word) for name in usable if (word := plain_word(name)) in NAMES}
    if names[-1] in usable and kinds[names[-1]] == "text":
        ranks = {name: rank for name, rank in ranks.items() if name == names[-1] or NAMES[rank] not in INPUTS_TOO}
    last_first = usable[::-1]
    for name in names if not ranks else ():
        if plain_word(name) in SURE and sheet.frame[name].nunique() < 2:
            way = f"; --target {as_yaml(last_first[0])}, say, predicts another column" if last_first else ""
            raise DataError(
                f"{sheet.path}: column {name!r} would be the target by its name, and is the same in every row: "
                f"there is nothing to learn{way}"
            )
    named = sorted(ranks, key=lambda name: (name != names[-1], ranks[name]))
    if not named:
        texts = [name for name in usable if kinds[name] == "text" and sheet.frame[name].nunique() <= FEW]
        if texts == names[:1] and kinds[names[-1]] == "numbers" and not is_few(sheet.frame[names[-1]], sheet):
            last_first = [*texts, *(name for name in last_first if name not in texts)]
    return [*named, *(name for name in last_first if name not in named)], bool(named)


def by_name(target: str, kinds: Mapping[str, str]) -> str:
    """Say what is doubtful where names decide: one that inputs have as often, of the target or of another column.

    >>> by_name("income", {"income": "numbers", "age": "numbers"})
    'unsure: income is predicted by its name, which inputs have as often; the last column is age'
    >>> by_name("risk", {"income": "numbers", "risk": "text"})
    'unsure: risk is predicted, the last column, which holds labels; income may be meant by its name'
    >>> by_name("species", {"species": "text", "age": "numbers"})
    ''
    """
    last = [*kinds][-1]
    if plain_word(target) in INPUTS_TOO and target != last:
        ours = f"unsure: {as_yaml(target)} is predicted by its name, which inputs have as often"
        return f"{ours}; the last column is {as_yaml(last)}"
    others = [as_yaml(name) for name in kinds if name != target and plain_word(name) in INPUTS_TOO]
    if others and target == last and plain_word(target) not in NAMES:
        ours = f"unsure: {as_yaml(target)} is predicted, the last column, which holds labels"
        return f"{ours}; {listed(others, 2)} may be meant by its name"
    return ""


def why_not_last(target: str, kinds: Mapping[str, str], sheet: Sheet) -> str:
    """Say why another column than the last is taken, where the usual one is the last; empty where it is."""
    last = next((name for name in [*kinds][::-1] if name not in sheet.index), target)
    if target == last:
        return ""
    column, kind = sheet.frame[last], kinds[last]
    reason = "cannot be predicted"
    if kind == "nothing" or column.nunique() < 2:
        reason = "is empty" if kind == "nothing" else "is the same in every row"
    elif kind not in ("numbers", "text"):
        reason = f"holds {'dates or times' if kind == 'dates' else kind}"
    elif kind == "text":
        reason = f"has {column.nunique()} different texts in {len(column)} rows"
    elif may_be_target(last, kind, sheet):
        reason = f"holds quantities, and {as_yaml(target)} labels" if kinds[target] == "text" else reason
    elif numbers_rows(last, values_of(column, sheet)) or is_written(last):
        reason = "numbers the rows"
    return f"unsure: {as_yaml(target)} is predicted, since the last column, {as_yaml(last)}, {reason}"


def plain_word(name: str) -> str:
    """Return a name as ``NAMES`` has it.

    >>> plain_word("Target"), plain_word("ground truth")
    ('target', 'ground_truth')
    """
    word = plain_name(name)
    return next((one for one in NAMES if one.replace("_", "") == word), word)


def may_be_target(name: str, kind: str, sheet: Sheet) -> bool:
    """Whether a column can be predicted at all, and was likely meant to be."""
    column = sheet.frame[name]
    if kind not in ("numbers", "text") or is_written(name) or name in sheet.index:
        return False
    different = column.nunique()
    if different < 2 or (kind == "text" and different > max(MANY_CLASSES, len(column) / 2)):
        return False
    if kind == "text":
        return different < len(column) / 2
    return not (is_counter(name) and numbers_rows(name, values_of(column, sheet)))


def values_of(column: Any, sheet: Sheet) -> np.ndarray:
    """Return a column of numbers, or of texts that are, as float64 [N]; NaN for anything else."""
    column = as_numbers(column)
    if column.dtype != object and not str(column.dtype).startswith(("str", "cat")):
        return np.asarray(column.to_numpy(np.float64, na_value=np.nan))
    texts = as_texts(column)
    there = {
        text: float(text.replace(sheet.decimal, "."))
        for text in texts.dropna().unique()
        if is_number(text, sheet.decimal)
    }
    return np.asarray(texts.map(there).astype(float).to_numpy(np.float64))


def is_few(column: Any, sheet: Sheet) -> bool:
    """Whether numbers are whole, and few enough to be labels."""
    values = values_of(column, sheet)
    values = values[np.isfinite(values)]
    return bool(np.all(values == np.round(values)) and len(np.unique(values)) <= FEW)


def is_word_for_class(labels: Any, gone: np.ndarray, sheet: Sheet) -> bool:
    """Whether labels that a table's reader takes for missing are a class: without them one would be left."""
    words = {word for word in as_texts(labels)[gone].dropna().unique() if word}
    return bool(words) and as_texts(labels)[~gone].nunique() < 2 and sheet.textual


def task(labels: Any, target: str, sheet: Sheet, why: dict[str, str]) -> str:
    """Say whether a target holds labels or quantities, and why.

    Args:
        labels: without missing values.
        target: its column's name.
        sheet: where it is from.
        why: gets the reason.
    """
    texts = as_texts(as_numbers(labels))
    numeric = len(texts) > 0 and all(is_number(str(text), sheet.decimal) for text in texts.unique())
    if not numeric:
        why["task"] = "texts are labels; regression is for quantities"
        return "classification"
    values = values_of(labels, sheet)
    different, counts = np.unique(values, return_counts=True)
    if np.any(values != np.round(values)):
        why["task"] = "numbers with fractions are quantities; classification is for labels"
        return "regression"
    fractions = is_written_as_fraction(labels, target, sheet)
    shown = listed((f"{value:g}" for value in different), 4)
    if len(different) <= (FEW_FRACTIONS if fractions else FEW) and counts.min() >= 3:
        sure = len(different) <= 4 and not fractions
        why["task"] = (
            f"{'' if sure else 'unsure: '}{len(different)} whole numbers ({shown}) are labels; regression "
            + ("where they are quantities" if not sure else "is for quantities")
        )
        return "classification"
    sure = len(different) > 50
    why["task"] = (
        f"{'' if sure else 'unsure: '}{len(different)} different whole numbers are quantities; classification "
        + ("is for labels" if sure else "where they are labels")
    )
    return "regression"


def is_written_as_fraction(labels: Any, target: str, sheet: Sheet) -> bool:
    """Whether whole numbers are written with a point, as 1.0, or stored as floats."""
    if not sheet.textual or sheet.written is None:
        return bool(as_numbers(labels).dtype.kind == "f")
    return any(sheet.decimal in str(sheet.written(target, int(row))) for row in labels.index[:10_000])


def array_in(path: Path) -> str | None:
    """Return which array of an .npz file is the target; None: ``y``, or none that can be told."""
    from actlab.data import arrays_file

    try:
        names = arrays_file.names_in(path)
    except Exception:  # whoever reads it says why
        return None
    if "y" in names:
        return None
    others = [name for name in names if name not in ("x", "X")]
    named = [name for name in others if plain_word(name) in NAMES]
    return next(iter(named or (others if len(others) == 1 else [])), None)
