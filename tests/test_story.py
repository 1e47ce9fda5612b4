"""The story's derivations, by their records: every number that a step states is what the catalogue's function gives."""

import pytest

from actlab.theory.story import ROWS

STATEMENTS = {
    f"{row.name}, {kind} {i}": one
    for row in ROWS.values()
    for kind, ones in (("step", row.steps), ("correction", row.corrections))
    for i, one in enumerate(ones, start=1)
}


@pytest.mark.parametrize("name", [name for name, one in STATEMENTS.items() if one.numbers])
def test_what_is_stated_is_true(name):
    numbers = STATEMENTS[name].numbers()
    assert numbers
    assert not [number for number in numbers if not number.holds]
