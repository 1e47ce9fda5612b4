"""The story of nine activations: what each is said to repair, the derivations behind it, and what is said too loosely.

Every step that states something computable carries its check, and ``tests/test_story.py`` runs all of them.
"""

from actlab.activations import STORY
from actlab.theory.story.exponential import ELU, SELU
from actlab.theory.story.gated import GELU, MISH, SWISH
from actlab.theory.story.records import Correction, Number, Row, Step
from actlab.theory.story.rectifiers import LEAKY_RELU, PRELU, RELU
from actlab.theory.story.sigmoidal import SIGMOID

__all__ = ["CHAIN", "ROWS", "Correction", "Number", "Row", "Step"]

ROWS = {row.name: row for row in (SIGMOID, RELU, LEAKY_RELU, PRELU, ELU, SELU, GELU, SWISH, MISH)}
"""The rows of the table by activation, in the order of the story."""

assert tuple(ROWS) == STORY

CHAIN = {
    "C1": "each successor beats the one it repairs, on that very fault",
    "D1": "the choice of activation decides how deep a plain MLP trains",
}
"""What is said of all of them together."""
