"""Of many cases of one kind, some in every run of the tests; with ``--thorough`` all of them."""

import pytest


def thinned(cases, one_in, first=0):
    """Mark all but every so many-th case thorough.

    Args:
        cases: what ``pytest.mark.parametrize`` takes: values, or tuples of them for several arguments.
        one_in: of how many one stays.
        first: which one that is, from 0: tests of one catalogue that keep others each see all of it together.
    """
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=pytest.mark.thorough if (i - first) % one_in else [],
            id=case if isinstance(case, str) else None,
        )
        for i, case in enumerate(cases)
    ]
