"""What a network is trained on and judged by: the loss and the accuracy of each example."""

import jax
import jax.numpy as jnp
from jax import Array


def example_losses(outputs_BxC: Array, y: Array, task: str) -> Array:
    """Compute the loss of each example [B]: softmax cross-entropy (nats) or squared error averaged over outputs.

    >>> example_losses(jnp.zeros((1, 2)), jnp.array([0]), "classification")
    Array([0.6931472], dtype=float32)
    """
    if task == "classification":
        log_p = jax.nn.log_softmax(outputs_BxC)
        return -jnp.take_along_axis(log_p, y[:, None], axis=1)[:, 0]
    return jnp.mean((outputs_BxC - y) ** 2, axis=1)


def example_accuracy(outputs_BxC: Array, y: Array, task: str) -> Array:
    """Whether each example's largest output is its label's [B], as 1 or 0; NaN for regression, or if it is not finite.

    >>> example_accuracy(jnp.array([[2.0, 1.0], [2.0, 1.0], [2.0, jnp.nan]]), jnp.array([0, 1, 0]), "classification")
    Array([ 1.,  0., nan], dtype=float32)
    """
    if task == "classification":
        right_B = (jnp.argmax(outputs_BxC, axis=1) == y).astype(outputs_BxC.dtype)
        return jnp.where(jnp.all(jnp.isfinite(outputs_BxC), axis=1), right_B, jnp.nan)
    return jnp.full(outputs_BxC.shape[0], jnp.nan, outputs_BxC.dtype)
