"""The measures of the user's that a study asks for: their records, and that none takes another column's name."""

from collections.abc import Iterable

from actlab import activations
from actlab.measures import Measure
from actlab.study import columns
from actlab.study.choices import own_measure
from actlab.study.reading import Study, StudyError, of_key
from actlab.study.sweep import Cell


def own_measures(cells: Iterable[Cell]) -> tuple[Measure, ...]:
    """Return the records of the user's measures that some cells ask for."""
    asked = dict.fromkeys(one for cell in cells for one in cell.measure.own())
    return tuple(own_measure(path, name) for path, name in asked)


def check_measures_apart(study: Study, measures: Iterable[Measure], records: Iterable[activations.Activation]) -> None:
    """Refuse a measure of the user's whose column is that of a parameter which an activation of the study learns.

    Raises:
        StudyError: there is one.
    """
    learned = {
        column: (record.name, parameter)
        for record in records
        for parameter in record.learnable
        for column in columns.learned_columns(parameter)
    }
    for one in measures:
        if one.column in learned:
            name, parameter = learned[one.column]
            place = study.source.where(*of_key(study.source, "measure.probes"))
            raise StudyError(
                f"{place}: measure.probes: '{one.name}' would share its column with what {name} learns as {parameter}; "
                "rename one of them"
            )
