"""What a user would write instead of the quickstart: `python benchmarks/plain_torch.py [--compile]`.

The same 162 networks, records and evaluations in plain PyTorch: eager unless `--compile`, hooks where something is
measured, the grid shared by two one-thread processes; it writes `records.csv` and `table.csv` where it stands. It
imports nothing of actlab; `benchmarks.first_study` races it.
"""

import sys
from itertools import chain, product
from typing import Any

import pandas as pd
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.multiprocessing import Pool
from torch.nn.functional import cross_entropy

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "prelu": nn.PReLU, "elu": nn.ELU}
ACTIVATIONS |= {"selu": nn.SELU, "gelu": nn.GELU, "swish": nn.SiLU, "mish": nn.Mish}
GRID = list(product((30, 10, 2), ACTIVATIONS, (1e-3, 1e-2), range(3)))  # depth, activation, rate, seed; longest first
WIDTH, BATCH, STEPS = 32, 64, 200
torch.set_num_threads(1)
torch._dynamo.config.recompile_limit = len(GRID)  # or it gives up after eight kinds of network, and runs them eagerly

x, y = map(torch.from_numpy, load_digits(return_X_y=True))
train, rest = train_test_split(range(len(y)), test_size=0.4, stratify=y, random_state=0)
validation, test = train_test_split(rest, test_size=0.5, stratify=y[rest], random_state=0)
x = ((x - x[train].mean(0)) / x[train].std(0).clamp(min=1e-6)).float()
SPLITS = {"train": (x[train], y[train]), "validation": (x[validation], y[validation]), "test": (x[test], y[test])}


def gradient_norms(network: Any, x: torch.Tensor, y: torch.Tensor) -> dict[str, list[float]]:
    signal: list[float] = []
    hook = lambda phi, dz, dh: signal.insert(0, dz[0].norm().item() * len(x) ** 0.5)  # the last layer comes first
    handles = [phi.register_full_backward_hook(hook) for phi in network[1::2]]
    cross_entropy(network(x), y).backward()
    for handle in handles:
        handle.remove()
    return {"signal_grad_norm": signal, "weight_grad_norm": [l.weight.grad.norm().item() for l in network[:-1:2]]}


@torch.no_grad()
def evaluate(network: Any) -> dict[str, Any]:
    dead: list[float] = []  # by layer, the share of units that say the same about every training row
    hook = lambda phi, z, h: dead.append((h == h[0]).all(0).float().mean().item())
    handles = [phi.register_forward_hook(hook) for phi in network[1::2]]
    metrics: dict[str, Any] = {"dead_fraction": dead}
    for name, (x, y) in SPLITS.items():
        outputs = network(x)
        metrics[f"{name}_loss"] = cross_entropy(outputs, y).item()
        metrics[f"{name}_accuracy"] = (outputs.argmax(1) == y).float().mean().item()
        for handle in handles:
            handle.remove()
    return metrics


def run(depth: int, activation: str, rate: float, seed: int) -> list[dict[str, Any]]:
    torch.manual_seed(seed)
    modules: list[Any] = []
    for layer in range(depth):
        modules += [nn.Linear(WIDTH if layer else 64, WIDTH), ACTIVATIONS[activation]()]
        gain = "linear" if activation in ("sigmoid", "selu") else "relu"
        nn.init.kaiming_normal_(modules[-2].weight, nonlinearity=gain)
        nn.init.zeros_(modules[-2].bias)
    network = nn.Sequential(*modules, nn.Linear(WIDTH, 10))
    forward = torch.compile(network) if "--compile" in sys.argv else network
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    (x, y), records = SPLITS["train"], []
    for step in range(STEPS + 1):
        if step % 50 == 0:
            records.append({"depth": depth, "activation": activation, "rate": rate, "seed": seed, "step": step})
            records[-1] |= gradient_norms(network, x[:256], y[:256])
            records[-1] |= evaluate(network) if step % 100 == 0 else {}
        if step % (len(y) // BATCH) == 0:
            batches = torch.randperm(len(y)).split(BATCH)
        rows = batches[step % (len(y) // BATCH)]
        optimizer.zero_grad()
        cross_entropy(forward(x[rows]), y[rows]).backward()
        optimizer.step()
    return records


if __name__ == "__main__":
    with Pool(2) as pool:
        records = pd.DataFrame(chain(*pool.starmap(run, GRID, chunksize=6)))
    records.to_csv("records.csv", index=False)
    final = records[records["step"] == STEPS].groupby(["activation", "depth", "rate"], as_index=False, sort=False)
    means = final[["validation_loss", "test_accuracy"]].mean()
    best = means.loc[means.groupby(["activation", "depth"])["validation_loss"].idxmin()]
    table = best.pivot(index="activation", columns="depth", values="test_accuracy")
    table.to_csv("table.csv")
    print(table.round(3))
