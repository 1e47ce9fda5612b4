"""What theory says of an activation at initialisation: pure numerics on callables."""

from actlab import compiler_flags

compiler_flags.ensure()
