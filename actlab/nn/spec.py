"""What shapes the compiled programs of a run, as plain values: what a plan decides and a worker is sent."""

from dataclasses import dataclass

from actlab.nn.blocks import Options


@dataclass(frozen=True)
class ProgramSpec:
    """Everything that changes the compiled code but the functions in it, which ``training.Program`` has.

    Attributes:
        task: ``classification`` or ``regression``.
        learnable_per: ``layer`` or ``unit``: whose own an activation's learnable parameters are.
        depth_bound: the most hidden layers.
        static_depth: every run is as deep as the bound, which the compiler may know: on an accelerator, where a loop of
            unknown length asks the host at every turn.
        width: units of each hidden layer.
        weight_distribution, bias_distribution: see ``draws.draw`` and ``draw_biases``.
        dtype: ``float32`` or ``float64``.
        block: what a block has beside φ.
        optimizer_switches: the optimizer's options that change the code.
        batch_size: rows of a minibatch.
        clip: whether gradients are clipped by their joint norm.
        freeze: whether some of the first layers are frozen; how many is a number. Runs without have a program without:
            a choice between two arrays moves last bits of what is chosen.
        decay_activation_parameters: whether weight decay also pulls on learnable activation parameters.
        learn_activation_parameters: whether training changes learnable activation parameters at all.
        probes: names of the measures to record.
        runs_per_call: how many runs one call advances.
        eval_chunks: in how many chunks a split is evaluated, to hold less in memory at a time.
    """

    task: str
    learnable_per: str
    depth_bound: int
    static_depth: bool
    width: int
    weight_distribution: str
    bias_distribution: str
    dtype: str
    block: Options
    optimizer_switches: tuple[tuple[str, bool], ...]
    batch_size: int
    clip: bool
    freeze: bool
    decay_activation_parameters: bool
    learn_activation_parameters: bool
    probes: tuple[str, ...]
    runs_per_call: int
    eval_chunks: int
