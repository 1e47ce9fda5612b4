"""The grammar of ``--where``: which runs are meant, by their settings and by what came of them.

    activation=relu,gelu,depth>=10          activations relu and gelu, from depth 10 on
    depth=2..10,20,status!=diverged         depths from 2 to 10 and 20, without the runs that diverged
    activation=leaky_relu:negative_slope=0.2,learning_rate=1e-3,test_accuracy>=0.9

Conditions stand between commas, and all of them must hold. An item without an operator is one more value of the
condition before it. ``parse`` makes data of a text, ``matches`` applies them to a frame; neither reads a file.
"""

from actlab.where.grammar import Condition, Value, WhereError, items, parse
from actlab.where.matching import matches

__all__ = ["Condition", "Value", "WhereError", "items", "matches", "parse"]
