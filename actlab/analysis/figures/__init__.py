"""The figures: one function each, from a study's cells to numbers on disk and a drawing of exactly those.

Estimate, interval, draw: a figure's function takes one value per run, puts intervals on them, and says how the
resulting frame is drawn (``drawings.Spec``); ``panels`` draws it. To add one, write it in the file of its subject, as
of the tables, and decorate it with ``figure``; a study's YAML names it.
"""

from actlab.analysis.figures import outcomes, headline, gradients, units, revival, layers, histograms, theory  # noqa: F401, I001  (in the report's order)
from actlab.analysis.parts import FIGURES

__all__ = ["FIGURES"]
