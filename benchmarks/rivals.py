"""What the workers of ``peers`` do: train as others would, in PyTorch or in plain JAX; operations per second each.

As in ``rates``, a worker keeps what it has built for the next round.
"""

import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rates import Shape

RUNS_AT_ONCE = 8  # runs that torch.func.vmap trains at once


def flops(shape: Shape) -> float:
    """Count matmul operations of one step, as the plan counts them; 64 inputs, 10 classes."""
    hidden = 3 * (shape.depth - 1) * shape.width**2 + 3 * shape.width * 10 + 2 * 64 * shape.width
    return 2.0 * shape.batch * hidden


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Load digits, standardised."""
    from actlab import data

    digits = data.load("digits").train
    return digits.x.astype(np.float32), digits.y.astype(np.int64)


def timed(step: Callable[[], Any], seconds: float, each: float, done: Callable[[], Any] = lambda: None) -> float:
    """Measure operations per second of a step that is ``each`` operations."""
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for _ in range(5):
            step()
        count += 5
    done()
    return count * each / (time.perf_counter() - begin)


@lru_cache(maxsize=32)
def torch_step(shape: Shape, fused: bool, compiled: bool, threads: int) -> Callable[[], Any]:
    """Build a usual PyTorch training step: gather a minibatch, forward, backward, Adam."""
    import torch

    torch.set_num_threads(threads)
    layers: list[Any] = []
    for i in range(shape.depth):
        layers += [torch.nn.Linear(64 if i == 0 else shape.width, shape.width), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(shape.width, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, **({"fused": True} if fused else {}))
    x, y = (torch.from_numpy(a) for a in rows())

    def loss(batch: Any) -> Any:
        return torch.nn.functional.cross_entropy(network(x[batch]), y[batch])

    objective = torch.compile(loss) if compiled else loss

    def step() -> None:
        optimizer.zero_grad()
        objective(torch.randint(len(y), (shape.batch,))).backward()
        optimizer.step()

    step()
    return step


@lru_cache(maxsize=8)
def vmap_step(shape: Shape, threads: int) -> Callable[[], Any]:
    """Train ``RUNS_AT_ONCE`` runs at once by torch.func.vmap, with Adam written out."""
    import torch

    torch.set_num_threads(threads)
    sizes = [(64 if i == 0 else shape.width, shape.width) for i in range(shape.depth)] + [(shape.width, 10)]
    weights = [torch.randn(RUNS_AT_ONCE, *size) * math.sqrt(2 / size[0]) for size in sizes]
    state = [*weights, *(torch.zeros(RUNS_AT_ONCE, size[1]) for size in sizes)]
    first, second = ([torch.zeros_like(one) for one in state] for _ in range(2))
    x, y = (torch.from_numpy(a) for a in rows())

    def loss(parameters: list[Any], x: Any, y: Any) -> Any:
        h = x
        for i in range(shape.depth):
            h = torch.relu(torch.addmm(parameters[shape.depth + 1 + i], h, parameters[i]))
        outputs = torch.addmm(parameters[-1], h, parameters[shape.depth])
        return torch.nn.functional.cross_entropy(outputs, y)

    gradient = torch.func.vmap(torch.func.grad(loss))
    taken = [0]

    @torch.no_grad()
    def step() -> None:
        taken[0] += 1
        batch = torch.randint(len(y), (RUNS_AT_ONCE, shape.batch))
        gradients = gradient(state, x[batch], y[batch])
        torch._foreach_lerp_(first, gradients, 0.1)
        torch._foreach_mul_(second, 0.999)
        torch._foreach_addcmul_(second, gradients, gradients, 0.001)
        root = torch._foreach_sqrt(second)
        torch._foreach_div_(root, math.sqrt(1 - 0.999 ** taken[0]))
        torch._foreach_add_(root, 1e-8)
        torch._foreach_addcdiv_(state, first, root, -1e-4 / (1 - 0.9 ** taken[0]))

    step()
    return step


@lru_cache(maxsize=8)
def jax_step(shape: Shape) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Build a usual JAX training loop: Python calls one jitted step after the other."""
    import jax
    import jax.numpy as jnp
    import optax

    sizes = [(64 if i == 0 else shape.width, shape.width) for i in range(shape.depth)] + [(shape.width, 10)]
    keys = jax.random.split(jax.random.key(0), len(sizes))
    parameters = [
        (jax.random.normal(key, size) * math.sqrt(2 / size[0]), jnp.zeros(size[1]))
        for key, size in zip(keys, sizes, strict=True)
    ]
    rule = optax.adam(1e-4)
    x, y = rows()
    state = [parameters, rule.init(parameters)]
    random = np.random.default_rng(0)

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        h = x
        for kernel, bias in parameters[:-1]:
            h = jax.nn.relu(h @ kernel + bias)
        kernel, bias = parameters[-1]
        return optax.softmax_cross_entropy_with_integer_labels(h @ kernel + bias, y).mean()

    @jax.jit
    def update(parameters: Any, memory: Any, x: Any, y: Any) -> Any:
        gradients = jax.grad(loss)(parameters, x, y)
        change, memory = rule.update(gradients, memory, parameters)
        return optax.apply_updates(parameters, change), memory

    def step() -> None:
        batch = random.integers(len(y), size=shape.batch)
        state[:] = update(*state, x[batch], y[batch])

    step()
    return step, lambda: jax.block_until_ready(state)


def torch_rate(folder: Path, shape: Shape, seconds: float, fused: bool, compiled: bool, threads: int) -> float:
    """Measure operations per second of PyTorch's loop."""
    return timed(torch_step(shape, fused, compiled, threads), seconds, flops(shape))


def vmap_rate(folder: Path, shape: Shape, seconds: float, threads: int) -> float:
    """Measure operations per second of PyTorch's vmap over runs."""
    return timed(vmap_step(shape, threads), seconds, RUNS_AT_ONCE * flops(shape))


def jax_rate(folder: Path, shape: Shape, seconds: float) -> float:
    """Measure operations per second of a plain JAX loop."""
    step, done = jax_step(shape)
    return timed(step, seconds, flops(shape), done)
