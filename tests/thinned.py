"""Of many cases of one kind, some in every run of the tests; with ``--thorough`` all of them."""

import pytest


def thinned(cases, one_in):
    """Mark all but every so many-th case thorough: the first one stays.

    Args:
        cases: what ``pytest.mark.parametrize`` takes: values, or tuples of them for several arguments.
        one_in: of how many one stays.
    """
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=pytest.mark.thorough if i % one_in else [],
            id=case if isinstance(case, str) else None,
        )
        for i, case in enumerate(cases)
    ]
