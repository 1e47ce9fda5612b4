"""The record of a measure, and the words in which it speaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actlab.errors import ActlabError

ARITHMETIC, GEOMETRIC, SHARE = "arithmetic", "geometric", "share"
"""How values are pooled: their mean; 10^(mean of log10), for what spans decades; the share of yes among yes and no."""

LAYER, RUN, BIN = "layer", "run", "bin"
"""What a measure has one number for: each hidden layer, the whole network, each bin of a layer's histogram."""

RECORDS, EVALUATIONS, END = "records", "evaluations", "end"
"""When a measure is taken."""

PROBE_ROWS, TRAINING_SPLIT, MINIBATCH = "probe rows", "training split", "next minibatch"
"""What a measure is taken on."""

Facts = dict[str, Any]
FRACTION: Facts = {"range": (0.0, 1.0)}
POSITIVE: Facts = {"range": (0.0, None)}
ON_TRAINING_SPLIT: Facts = {"on": TRAINING_SPLIT, "at": EVALUATIONS}
"""What several records have in common."""

DECADES_PER_LAYER = "decades / layer"
LOG10 = "log10_"
"""How a column begins that holds the log10 of a measure."""

ARGUMENTS: Mapping[str, str] = {
    "z_MxW": "pre-activations of M probe rows, W units",
    "h_MxW": "what the layer passes on: φ(u), and with a residual connection h of the layer below added",
    "u_MxW": "φ's own argument: z, or what a normalisation makes of it",
    "slope_MxW": "φ'(u)",
    "weak_threshold": ".05·√E φ'(Z)², Z standard normal",
    "saturation_low": "at or below it |φ'| stays under the weak threshold (−∞: never)",
    "saturation_high": "at or above it |φ'| stays under the weak threshold (∞: never)",
}
"""What a measure's function may ask for, by the names of its arguments."""


class MeasureError(ActlabError, ValueError):
    """A measure that cannot be used; the message says what to change."""


@dataclass(frozen=True)
class Measure:
    """What is known about one measure.

    Attributes:
        name: its column, and its name on the command line and in YAML.
        definition: one clause.
        label: as an axis names it; the name in words by default.
        short: as the heading of a table names it; the label by default.
        unit: empty for a pure number.
        group: ``gradients``, ``death``, ``activations`` (functions of one layer's z, h and φ'), ``histograms``,
            ``jacobian``, ``slopes``, ``splits``, ``outcomes``, ``derived`` (by a table, from other measures) or ``own``
            (a user's).
        per: what it has one number for: ``layer``, ``run`` or ``bin``.
        on: the rows that it is taken on; empty where that says nothing.
        at: ``records``, ``evaluations`` or the ``end`` of a run.
        over_layers: how a network's one number is made of its hidden layers': ``arithmetic`` or ``geometric``; empty
            where there are none.
        over_seeds: how runs are pooled: ``arithmetic``, ``geometric`` or ``share``.
        log10: whether its value is stored as its log10, because it may lie beyond float64.
        floor: where it is not defined because rounding would decide it, as a clause; empty where it never would.
        range: the least and the greatest value that there can be; None where it is unbounded.
        better: ``higher`` or ``lower``; empty where neither is.
        expensive: whether it costs more than a pass or two over a layer's values.
        default: whether it is recorded unless asked otherwise.
        function: what computes it in ``actlab.nn.probes`` (histograms and Jacobians: in the files of these names), None
            where it follows from other measures, from training, or is a user's.
        reference: where it comes from.
    """

    name: str
    definition: str = ""
    label: str = ""
    short: str = ""
    unit: str = ""
    group: str = "own"
    per: str = LAYER
    on: str = PROBE_ROWS
    at: str = RECORDS
    over_layers: str = ARITHMETIC
    over_seeds: str = ARITHMETIC
    log10: bool = False
    floor: str = ""
    range: tuple[float | None, float | None] = (None, None)
    better: str = ""
    expensive: bool = False
    default: bool = False
    function: str | None = None
    reference: str = ""

    @property
    def words(self) -> str:
        """Its name in the heading of a table.

        >>> Measure("act_mean", label="mean of h").words, Measure("update_ratio").words
        ('mean of h', 'update ratio')
        """
        return self.short or self.label or self.name.replace("_", " ")

    @property
    def axis(self) -> str:
        """Its name on an axis, with its unit; of a share of what its name counts, that it is one.

        >>> Measure("weight_slope", unit=DECADES_PER_LAYER).axis
        'weight slope [decades / layer]'
        >>> Measure("dead_fraction", label="dead units", range=(0.0, 1.0)).axis
        'dead units (share of all)'
        """
        label = self.label or self.words
        counted = self.range == FRACTION["range"] and not {"units", "activations"}.isdisjoint(label.split())
        return f"{label} [{self.unit}]" if self.unit else f"{label} (share of all)" if counted else label

    @property
    def column(self) -> str:
        """Its column of the frame ``layers``, or of ``steps`` where it has one number for the whole network."""
        return LOG10 + self.name if self.log10 else self.name

    @property
    def mean_column(self) -> str:
        """Its column of the frame ``steps``: a geometric mean over layers is stored as the mean of log10.

        >>> Measure("jacobian_largest", per=RUN, log10=True).mean_column
        'log10_jacobian_largest'
        """
        logged = self.log10 if self.per == RUN else self.over_layers == GEOMETRIC
        return LOG10 + self.name if logged else self.name
