"""What was found: sentences that rules make of the tables of a report, in the order in which they are said.

A rule is a function of a study's cells and of the tables that its report shows, and gives a sentence or nothing. It
reads its numbers from those tables, and computes none in another way; it says of two cells that they differ, or
that they do not, only where their intervals decide it. To add one, write it in the file of its subject and name it in
``RULES``.
"""

from __future__ import annotations

from collections.abc import Mapping

from actlab.analysis.cells import Cells
from actlab.analysis.findings.base import Finding, Rule
from actlab.analysis.findings.decided import claims
from actlab.analysis.findings.gradients import predicted, slopes
from actlab.analysis.findings.identical import one_function
from actlab.analysis.findings.learned import learned
from actlab.analysis.findings.outcomes import best, trained
from actlab.analysis.findings.standing import STANDING, standing
from actlab.analysis.findings.units import born_dead, deaths, revived, weak
from actlab.analysis.layout import Table

__all__ = ["OF_RULES", "READ", "RULES", "STANDING", "Finding", "found_in", "nothing"]

RULES: tuple[Rule, ...] = (
    *(standing, one_function, born_dead, claims, trained, best),
    *(slopes, predicted, deaths, revived, weak, learned),
)
MOST = 6
OF_RULES = (
    *(STANDING, "trained", "performance", "vanishing_slopes"),
    *("dead_units", "death", "dead_networks", "learned_parameters"),
)
"""The tables that rules read; and that of the claims."""
READ = (*OF_RULES, "convergence")
"""Those that doubts read too."""
NOTHING = "Nothing can be said by rule of the tables of this report: they stand below."
NOT_YET = "No fresh seed is trained yet: nothing is found so far."


def found_in(cells: Cells, tables: Mapping[str, Table | None]) -> tuple[Finding, ...]:
    """Apply the rules in their order.

    Args:
        cells: the study's.
        tables: those that its report shows, by name; None where one does not apply.

    Returns:
        what they say, of at most ``MOST`` rules, a sentence or two each; nothing where none has anything to say.
    """
    there = {name: table for name, table in tables.items() if table is not None and len(table.frame)}
    said = (rule(cells, there) for rule in RULES)
    return tuple(part for one in [one for one in said if one is not None][:MOST] for part in one.each())


def nothing(cells: Cells) -> str:
    """Say that nothing can be said."""
    return NOT_YET if cells.selected.empty else NOTHING
