"""What the two studies of initialisation found, beside what theory says of it: for the README."""

from actlab.analysis.cells import Cells
from actlab.analysis.documents import markdown_table
from actlab.analysis.layout import number
from actlab.analysis.stats import mean_interval
from actlab.engine.results import Results
from experiments import born_dead, gradient_decay
from experiments.of_study import cells_of, setup, verdicts
from experiments.phrases import say, span_of

SHOWN = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "swish", "mish")
INITIALIZERS = {"he_normal": "He", "lecun_normal": "LeCun", "critical": "critical"}
DEPTH = 9  # hidden layers, of the networks that the source says most of


def theory_findings(gradients: Results, constant: Results) -> str:
    """Write what theory says of networks before training, and what was measured of them."""
    cells, dead = cells_of(gradients), cells_of(constant)
    depths, width = span_of(gradients.runs["depth"]), int(gradients.runs["width"].max())
    paragraphs = [
        f"**Theory** (`results/gradient_decay`: {setup(cells, gradients)}). From the data, the "
        f"initialiser and the activation it is computed how much of the signal is left after each of {depths} layers; "
        "nothing is fitted. Decades per layer towards the input, at width "
        f"{width}: predicted, and the mean of {gradients.runs['seed'].nunique()} networks with its interval:",
        slope_table(cells, width),
        "*critical*: at a point where theory says that the signal keeps its size, if there is a stable one "
        "([every activation, initialiser and width](results/gradient_decay/tables/vanishing_slopes.md)).",
        "![Slopes, measured and predicted](results/gradient_decay/figures/predicted_slopes.png)",
        verdicts(gradient_decay.CLAIMS, cells, "gradient_decay"),
        f"MF1 is of the {gradient_decay.signal_is_known(cells).evidence}. MF3 is the "
        f"{gradient_decay.deviations_are_those_of_width(cells).evidence}.",
        f"**Born dead** (`results/born_dead`: {setup(dead, constant)}). A narrow ReLU network may be constant before "
        f"it is trained. Share of networks with {DEPTH} hidden layers that are, inputs on both sides of 0 "
        "(`absolute`):",
        born_dead_table(dead),
        verdicts(born_dead.CLAIMS, dead, "born_dead"),
    ]
    return "\n\n".join(paragraphs)


def slope_table(cells: Cells, width: int) -> str:
    """Tabulate the slope of some activations under some initialisers, predicted and measured."""
    both = gradient_decay.beside(cells, "vanishing_slope")
    both = both[both["width"] == width]
    lines = []
    for name in SHOWN:
        line = [f"`{name}`"]
        for initializer in INITIALIZERS:
            here = both[(both["activation"] == name) & both["weight_init"].str.startswith(initializer)]
            line += (
                [number(round(here["predicted"].iloc[0], 6) + 0.0), say(mean_interval(here["measured"]))]
                if len(here)
                else ["–", "–"]
            )
        lines.append(line)
    heads = [f"{name}, {what}" for name in INITIALIZERS.values() for what in ("theory", "measured")]
    return markdown_table(["", *heads], lines)


def born_dead_table(cells: Cells) -> str:
    """Tabulate by width how many networks are born dead under He, what theory says, and the other initialiser's."""
    shares = born_dead.shares(cells)
    shares = shares[(shares["data"] == born_dead.LINE) & (shares["depth"] == DEPTH)]
    lines = []
    for width, rows in shares.groupby("width"):
        he, asymmetric = (rows[rows["init"] == init].iloc[0] for init in (born_dead.HE, born_dead.ASYMMETRIC))
        bounds = f"{number(he['lower_bound'])} to {number(he['upper_bound'])}"
        lines.append([str(width), bounds, born_dead.share(he), born_dead.share(asymmetric)])
    return markdown_table(["width", "He, bounds", "He, measured", "randomised asymmetric, measured"], lines)
