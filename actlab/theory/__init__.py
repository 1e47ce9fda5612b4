"""What theory says of an activation at initialisation: pure numerics on callables."""
