"""Steps to the target on five tasks, at equal rates."""

from benchmarks.judged.made import TWO, Case, named
from benchmarks.judged.tasks import first_to_target
from experiments import equal_speed

TASKS = ("digits", "wine", "diabetes", "spirals(turns=2)", "sine(frequency=4)")
ON_TASKS = {"data": TASKS, "task": ("classification",), "optimizer": TWO, "learning_rate": (0.01, 0.03)}

CASES = tuple(
    Case(claim, named(other, "mish") | ON_TASKS, first_to_target("mish"), 0.75, 0.5)
    for claim, other in zip(equal_speed.CLAIMS, ("swish", "gelu"), strict=True)
)
