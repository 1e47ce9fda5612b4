"""Wrong requests, as newcomers make them: a command line each, and what the study's file holds."""

from dataclasses import dataclass

STUDY = """study: s
data: {name: iris}
model: {depth: 2, width: 8}
train: {steps: 4, batch_size: 8}
measure: {every: 2, evaluate_every: 2}
"""


@dataclass(frozen=True)
class Request:
    """A command line, and the text of the study's file that it names."""

    words: tuple[str, ...]
    text: str = STUDY


def override(*words: str, text: str = STUDY) -> Request:
    return Request(("plan", "s.yaml", *words), text)


def line(added: str, *words: str) -> Request:
    return Request(("plan", "s.yaml", *words), f"{STUDY}{added}\n")


def instead(old: str, new: str) -> Request:
    assert old in STUDY
    return Request(("plan", "s.yaml"), STUDY.replace(old, new))


def model(text: str) -> Request:
    return instead("depth: 2", text)


def train(text: str) -> Request:
    return instead("steps: 4", text)


def swept(matrix: str, *words: str) -> Request:
    return line(f"sweep: {{matrix: {{{matrix}}}}}", *words)


def command(*words: str) -> Request:
    return Request(words)


REQUESTS = [
    # a bare or misspelt key, or what others call it; the value is kept
    override("seeds=3"),
    override("depth=2"),
    # a value alone
    override("my_act.py:snake"),
    override("./my_act.py:snake:alpha=2"),
    override("relu"),
    override("relu,tanh"),
    override("adam"),
    override("detph=2"),
    override("learning_rat=0.1"),
    override("lr=0.1"),
    override("lr=0.1,0.01"),
    override("epochs=5"),
    override("batch=32"),
    override("batch_size=16"),
    override("layers=3"),
    override("hidden_size=4"),
    override("optim=sgd"),
    override("activation=tanh"),
    override("activations=tanh,relu"),
    override("negative_slope=0.1"),
    override("dropout=0.1"),
    override("batchnorm=true"),
    override("dataset=wine"),
    override("seed=3"),
    override("model.dpeth=3"),
    override("modl.depth=3"),
    override("train.depth=3"),
    override("model.lr=0.1"),
    override("sweep.matrix.model.depth=2,3"),
    override("sweep.depth=2,3"),
    override("Model.Depth=3"),
    override("model/depth=3"),
    override("model.dropout.rte=0.1"),
    override("tables=performance"),
    # the same in the file
    line("activation: relu"),
    line("model.depth: 3"),
    line("depth: [2, 3]"),
    line("lr: 0.1"),
    line("seeds: 2"),
    line("sweep: {model.depth: [2, 3]}"),
    line("sweep: {depth: [2, 3]}"),
    line("figures: [moments]"),
    train("depth: 2"),
    train("stpes: 4"),
    train("epochs: 4"),
    model("lr: 0.1"),
    model("num_layers: 3"),
    instead("train:", "training:"),
    swept("depth: [2, 3]"),
    swept("lr: [0.1, 0.2]"),
    swept("model.dpeth: [2, 3]"),
    # what others call a value, and its spelling
    override("model.activation=ReLU"),
    override("model.activation=LeakyReLU"),
    override("model.activation=Leaky-ReLU"),
    override("model.activation=hardtanh"),
    override("model.activation=logistic"),
    override("model.activation=relu,GELU"),
    override("train.optimizer=Adam"),
    override("train.optimizer=AdamW"),
    override("train.optimizer=SGD"),
    override("model.weight_init=kaiming_normal"),
    override("model.weight_init=xavier_uniform"),
    override("model.weight_init=He"),
    override("model.bias_init=zero"),
    override("model.dtype=fp64"),
    override("data.name=diigts"),
    override("data.name=Iris"),
    override("measure.probes=[gradient_norm]"),
    override("report.tables=[accuracy]"),
    override("report.figures=learning_curves"),
    override("report.select.over=lr"),
    model("activation: SiLu"),
    model("activation: Leaky ReLU"),
    swept("model.activation: [relu, ELU]"),
    # values of another kind
    override("train.steps=1e3"),
    override("train.steps=1k"),
    override("train.learning_rate=10%"),
    override("model.residual=yes"),
    override("model.dropout=0.1"),
    override("model.bias_init=0.1"),
    override("study=My Study"),
    model("residual: yes"),
    model("depth: '2'"),
    train("learning_rate: '1e-3'"),
    model("depth: '2'"),
    model("activation: relu, depth: '2'"),
    train("learning_rate: '0,001'"),
    # a comma for the point of a decimal number, where YAML reads two numbers
    train("learning_rate: 0,001"),
    train("learning_rate: [0,001]"),
    override("train.learning_rate=0,01"),
    override("train.learning_rate=0,001,0,01"),
    override("train.learning_rate=[0,01]"),
    train("steps: 4.0"),
    swept("model.depth: 3"),
    swept("model.depth: '2, 3'"),
    # one value in place of a section
    instead("{name: iris}", "iris"),
    instead("{depth: 2, width: 8}", "tanh"),
    override("data=iris"),
    override("sweep=3"),
    override("train=sgd"),
    # several values where one is expected
    override("model.activation=[relu,gelu]"),
    override("model.depth=[2,3]"),
    model("activation: [relu, gelu]"),
    model("depth: [2, 3]"),
    train("learning_rate: [0.1, 0.01]"),
    train("optimizer: [adam, {name: momentum, momentum: 0.8}]"),
    # options that only some take
    override("model.activation.negative_slope=0.2"),
    override("train.optimizer.momentum=0.8"),
    model("activation: {name: relu, negative_slope: 0.2}"),
    swept("model.activation: [relu, leaky_relu], model.activation.negative_slope: [0.1, 0.2]"),
    swept("model.activation: [relu, leaky_relu]", "model.activation.negative_slope=0.1,0.2"),
    swept("model.activation: [relu, leaky_relu]", "model.activation.negative_slope=0.2"),
    # keys that do not go together
    override("measure.every=3"),
    override("data.train_rows=5"),
    instead("evaluate_every: 2", "evaluate_every: 3"),
    train("steps: 4, schedule: {name: cosine, warmup_steps: 9}"),
    instead("batch_size: 8", "batch_size: 4096"),
    # the command line's own grammar
    override("model.depth", "2,3"),
    override("model.depth:", "3"),
    override("model.depth", "=", "3"),
    override("model.depth=", "3"),
    override("model.depth=2,", "3"),
    override("model.depth:3"),
    override("model.depth=3 model.width=4"),
    override("--seeds", "3"),
    override("--model.depth", "3"),
    override("--lr=0.1"),
    override("--worker", "1"),
    override("--output", "r"),
    override("out=r"),
    command("plann", "s.yaml"),
    command("validate", "s.yaml"),
    command("plan", "s"),
    command("plan", "s.yml"),
    command("plan", "other"),
    command("plan", "configs/s.yaml"),
    command("plan", "folder"),
    # files
    instead("iris", "row.csv"),
    instead("iris", "rows.csv"),
    override("data.name=$HOME/rows.csv", "data.target=label"),
    override("data.name=rows.csv", "data.target=labl"),
    model("activation: $HOME/act.py:bent"),
    # what is near in the same section comes before the same word in another
    override("sweep.seed=3"),
    override("sweep.seed=1,2,3"),
    override("random_seed=3"),
    line("random_seed: 3"),
    line("sweep: {seed: 2}"),
    # a key that is there, and is not swept
    swept("sweep.seeds: [2, 6]"),
    swept("measure.keep_weights: [final, records]"),
    # keys that do not go together, of which one is swept or stands there already
    Request(
        ("plan", "s.yaml"),
        STUDY.replace("steps: 4, ", "")
        + 'sweep: {matrix: {train.steps: [100, 500], train.schedule: ["cosine:warmup_steps=200"]}}\n',
    ),
    swept("train.batch_size: [32, 5000]"),
    override("train.batch_size=32,5000"),
    override("train.steps=4,9", "train.schedule=cosine:warmup_steps=6"),
    instead("{every: 2, evaluate_every: 2}", "{every: 3, evaluate_every: 4}"),
    # one word where a list of cells or of numbers is expected
    line("sweep: {exclude: relu, matrix: {model.activation: [relu, elu]}}"),
    line("sweep: {include: relu}"),
    override("sweep.include=relu"),
    swept("model.depth: 2..5"),
    # a function of one's own, written wrongly; in my_act.py there is one alone
    override("model.activation=my_act.snake"),
    override("model.activation=my_act:snake"),
    override("model.activation=my_act:snake:alpha=2"),
    override("model.activation=my_act.py"),
    override("model.activation=act:bent"),
    override("model.activation=bent"),
    override("model.activation=atc.py:bent"),
    override("model.activation=act.py:bnet"),
    model("activation: my_act.snake"),
    model("activation: my_act:snake"),
    command("describe", "my_act.snake"),
    command("describe", "my_act.py"),
    command("describe", "my_atc.py:snake"),
    # the label of tables, and options
    override("model.activation=leaky_relu(negative_slope=0.2)"),
    override("model.activation=prelu(alpha=0.1, per=unit)"),
    override("model.activation=snake(alpha=2)"),
    model("activation: leaky_relu(negative_slope=0.2)"),
    command("describe", "leaky_relu(negative_slope=0.2)"),
    override("model.activation=leaky_relu:0.2"),
    command("describe", "leaky_relu:0.2"),
    override("model.activation=leaky_relu:slope=0.2"),
    override("activation=leaky_relu:slope=0.2"),
    # other words for a value, and files
    override("data.name=rows.csv", "data.target=label", "data.missing=drop"),
    override("report.select=none"),
    override("claims=none"),
    line("report: {select: none}"),
    line("claims: none"),
    command("plan", "rows.csv"),
    # options beside the name of what takes them
    instead("name: iris", "name: spirals, turns: 3"),
    instead("name: iris", "name: spirals, classes: 4, row: 400"),
    instead("name: iris", "name: {name: teacher, width: 4}, depth: 3"),
    instead("name: iris", "name: spirals, turns: [1, 3]"),
    model("depth: 2, activation: leaky_relu, negative_slope: 0.2"),
    swept("data.turns: [1, 3], data.name: [spirals]"),
    override("data.name=spirals:turns=1,3"),
    # more frozen layers than there are
    train("steps: 4, freeze_layers: 3"),
    swept("train.freeze_layers: [0, 2, 3], model.depth: [1, 2, 3]"),
    swept("model.depth: [2, 4]", "train.freeze_layers=3"),
]
