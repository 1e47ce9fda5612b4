"""A user's own of everything that a study can name, in one file."""

import jax.numpy as jnp
import numpy as np

import actlab
from actlab.analysis.cells import cell_keys
from actlab.analysis.estimates import summarise
from actlab.analysis.layout import Table, pivot


@actlab.activation(learnable=("slope",))
def bent(z, *, slope=0.5):
    return jnp.where(z > 0, z, slope * jnp.tanh(z))


@actlab.measure(label="fourth moment of z", pooling="geometric")
def fourth(z_MxW):
    return jnp.mean(z_MxW**4)


def running_sum(g, memory, *, period=5.0):
    over = memory["age"] >= period
    return {"sum": jnp.where(over, 0.0, memory["sum"]) + g, "age": jnp.where(over, 1.0, memory["age"] + 1.0), "g": g}


@actlab.optimizer(memory=("sum", "age", "g"), remember=running_sum)
def lookahead(memory, t, *, period=5.0, pull=0.5):
    """Gradient descent that goes back half of the way every five steps."""
    return memory["g"] - jnp.where(memory["age"] >= period, (1.0 - pull) * memory["sum"], 0.0)


@actlab.initializer("normal")
def narrow(fan_in, fan_out, *, share=0.9):
    return share / fan_in**0.5


@actlab.bias_initializer("constant")
def lifted(fan_in, *, by=0.01):
    return by, 0.0


@actlab.dataset()
def moons():
    """Two half circles."""
    rng = np.random.default_rng(3)
    angle, side = rng.uniform(0, np.pi, 200), np.arange(200) % 2
    x = np.stack([np.cos(angle) * (1 - 2 * side) + side, np.sin(angle) * (1 - 2 * side) + side / 2], axis=1)
    return x + rng.normal(0, 0.1, x.shape), np.where(side, "below", "above")


@actlab.table
def slopes(cells):
    values = cells.selected[["run"]].assign(measure="vanishing_slope", value=cells.selected["vanishing_slope"])
    keys = cell_keys(cells)
    frame = summarise(values, cells.selected, keys)
    wide = pivot(frame, [key for key in keys if key != "depth"], ["depth"])
    return Table("Slopes at the end", "Means over seeds.", frame, wide)


@actlab.figure(default=False)
def picture(cells):
    from actlab.analysis.drawings import NAMED_LINES, Spec, drawing

    values = cells.selected[["run"]].assign(measure="vanishing_slope", value=cells.selected["vanishing_slope"])
    frame = summarise(values, cells.selected, ["activation", "depth"])
    return drawing(
        cells, frame, Spec(NAMED_LINES, x="depth", lines="activation", looks=cells.looks), "Slopes", "Means."
    )
