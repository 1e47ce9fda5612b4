"""What theory says of an activation at initialisation: pure numerics on callables."""

from actlab import compiler_flags
from actlab.theory.errors import TheoryError as TheoryError

compiler_flags.ensure()
