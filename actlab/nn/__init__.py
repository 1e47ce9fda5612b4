"""The numerical core: deep MLPs, their training and their measurements, in pure JAX without I/O."""

from actlab import compiler_flags

compiler_flags.ensure()
