"""Odd requests: configs and command lines that nobody means, made of sound ones by fixed seeds.

A few hundred are tried by ``test_fuzz.py``; many more by hand, each in a process with a time limit:
``python tests/fuzzing.py configs 2000``, ``python tests/fuzzing.py words 2000``.
"""

import random
from pathlib import Path

from ruamel.yaml import YAML

CONFIGS = Path(__file__).parent.parent / "configs"
NAME = "s.yaml"
SOUND = """
study: s
data: {name: iris}
model: {depth: 2, width: 8, activation: {name: leaky_relu, negative_slope: 0.1}, weight_init: he_normal}
train: {steps: 4, batch_size: 8, optimizer: {name: adam, b1: 0.9}, schedule: {name: cosine, warmup_steps: 2}}
measure: {every: 2, evaluate_every: 2, probes: [act_mean, dead_fraction], keep_layers: log, probe_rows: 16}
sweep:
  matrix: {model.depth: [2, 3], model.dropout.rate: [0.0, 0.1], train.learning_rate: [1e-3, 1e-2]}
  exclude: [{model.depth: 2, train.learning_rate: 1e-3}]
  include: [{model.depth: 4, train.learning_rate: 1e-2}]
  seeds: [1, 2]
report: {select: {over: train.learning_rate, by: validation_loss}, tables: [performance], figures: []}
"""


class Text(str):
    """A value that stands in the file just so."""


NESTED = "[" * 1500 + "]" * 1500
BOMB = "[&a [x,x,x,x,x,x,x,x,x,x]" + "".join(f", &{b} [{','.join(['*' + a] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)) + "]"
ODD = [
    *("", "~", "null", "true", "false", "yes", "0", "-0", "-0.0", "-1", "1", "2", "3.5", "1e400", "-1e400", "1e-400"),
    *(".nan", ".inf", "-.inf", "1e18", "10000000", "1000000000", str(2**31), str(2**32), str(2**63), str(2**64)),
    *("1" * 39, "9" * 5000, "-" + "9" * 400, "0x" + "f" * 60, "0o7", "0b1", "1_0", "010", "1:30", "2020-01-01", "1e31"),
    *("3.5 [a, b]", "[]", "{}", "[[]]", "[{}]", "[null]", "{a: }", "{name: }", "{name: relu, name: elu}", "{rate: x}"),
    *("{? [a, b] : c}", "{[a]: b}", "{1: 2}", "{null: 1}", "{true: 1}", "{2020-01-01: 1}", "{<<: {a: b}}", "{<<: 3}"),
    *("&a [*a]", "&a {b: *a}", "&a {<<: *a}", "*nowhere", BOMB, NESTED, "{a: " * 60 + "1" + "}" * 60, "[" * 40),
    *("!!python/object/apply:os.system [echo]", "!!binary aGVsbG8=", "!!set {a, b}", "!!timestamp 2020-01-01"),
    *("!!int x", "!!float x", "!!bool x", "!!int ''", "!!float ''", "!own 1", "!", "! 1", "!!omap [a: 1]", "!!null x"),
    *("'" + "x" * 9000 + "'", "x" * 15000, "{" + "k" * 150 + ": 1}", "{" + "k" * 5000 + ": 1}", "[" + "1," * 9000 + "]"),
    *("[" + ", ".join(map(str, range(3000))) + "]", '"\\0"', '"\\uD800"', '"\\e[31m"', "'☃'", "Ωé", "'a\tb'", "\tx", "'\n'"),
    *("x.py:f", "nowhere/x.py:f", "no.csv", "no/such.npz", "/dev/null", "/dev/zero", "/", ".", "..", "~/x.csv"),
    *("'a" + "b" * 300 + ".csv'", "'" + "d/" * 2500 + "x.csv'", "'x\\0.csv'", '"x\\0.csv"', '"x\\0.py:f"', "loop/x.csv"),
    *("loop.csv", "loop.py:f", "folder.csv", "folder.py:f", "'" + "e" * 300 + ".py:f'", "relu", "auto", "all", "[all, all]"),
    *("[relu, [elu]]", "{name: [relu]}", "{name: {name: relu}}", "{name: relu, options: 3}", "{name: relu, options: {}}"),
    *("{name: leaky_relu, options: {negative_slope: 1}}", "{name: prelu, per: unit}", "{name: prelu, per: 3}", "<<", "="),
    *("{over: 3}", "{over: model.depth, by: x}", "[performance, performance]", "[3]", "[x.py:f]", "'a: b'", "a: b", "- a"),
    *("'{'", "'['", ":", "::", "?", "-", "--", "---", "...", "# x", "%YAML 1.1", "@", "`", "|", ">", "|9\n  x", "&x", "&x &y 1"),
]
ODD_KEYS = ["", "~", "1", "null", "x", "model", "name", "options", "<<", "[a]", "{a: b}", "? a", "'" + "k" * 5000 + "'", "- a"]
ODD_KEYS += ["a.b.c", "model.depth.x", "model." + "a." * 30 + "b", ".", "..", "'☃'", "model.activation.name", "model.activation"]
ODD_KEYS += ["seed", "activation.negative_slope", "!!int 1", "&a b", "*a", '"\\0"', "data.name", "measure.every", "true"]
ODD_BYTES = [b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\t", b"\x1b[2J", b"\xed\xa0\x80", b"\xe2\x80\xa8"]
ODD_BYTES += [b"{", b"}", b"[", b"]", b":", b": ", b",", b"- ", b"? ", b"#", b"&a ", b"*a", b"!", b"'", b'"', b"|", b">", b"%"]
ODD_BYTES += [b"9" * 5000, b"[" * 3000, b" " * 30000, b"\n---\n", b"\n...\n", b"<<: ", b"\n%YAML 1.1\n---\n", b"-" * 3000]


def sound_configs() -> list[dict]:
    """Read what is mutated: the study above, and the shipped ones."""
    texts = [SOUND, *(path.read_text(encoding="utf-8") for path in sorted(CONFIGS.glob("*.yaml")))]
    return [YAML(typ="safe", pure=True).load(text) for text in texts]


def written(value: object, indent: int = 0) -> str:
    """Write a value as YAML, odd texts as they are."""
    if isinstance(value, dict):
        lines = [f"{' ' * indent}{key}:{written(inner, indent + 2)}" for key, inner in value.items()]
        return ("\n" if indent else "") + "\n".join(lines) if lines else " {}"
    if isinstance(value, list):
        return "".join(f"\n{' ' * indent}-{flow(item)}" for item in value) if value else " []"
    return flow(value)


def flow(value: object) -> str:
    """Write a value within a line."""
    if isinstance(value, dict):
        return " {" + ", ".join(f"{key}:{flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return " [" + ",".join(map(flow, value)) + "]"
    if isinstance(value, Text):
        return f" {value}"
    if isinstance(value, str):
        return f" '{value}'"
    return f" {'null' if value is None else str(value).lower()}"


def places(value: object, way: tuple = ()) -> list[tuple]:
    """List the ways to every value below one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in [(*way, key), *places(inner, (*way, key))]]


def mutated(value: object, way: tuple, change: object) -> object:
    """Return a copy with ``change(container, key)`` done at one place."""
    if isinstance(value, dict):
        value = dict(value)
    elif isinstance(value, list):
        value = list(value)
    if len(way) == 1:
        change(value, way[0])
    else:
        value[way[0]] = mutated(value[way[0]], way[1:], change)
    return value


def odd_config(choose: random.Random, sound: list[dict]) -> bytes:
    """Make an odd config: values, keys or bytes of a sound one replaced."""
    config = choose.choice(sound)
    for _ in range(choose.choice([1, 1, 1, 2, 3])):
        ways = places(config)
        if not ways:
            break
        config = mutated(config, choose.choice(ways), choose.choice([replace, replace, replace, drop, wrap, rename, add])(choose))
    content = written(config).encode("utf-8", "surrogatepass")
    return odd_bytes(choose, content) if choose.random() < 0.3 else content


def replace(choose):
    """Put an odd value in a value's place."""
    return lambda container, key: container.__setitem__(key, Text(choose.choice(ODD)))


def drop(choose):
    """Leave a value out."""
    return lambda container, key: container.pop(key)


def wrap(choose):
    """Put a value into a list or a mapping."""
    return lambda container, key: container.__setitem__(
        key, choose.choice([lambda one: [one], lambda one: {"name": one}, lambda one: [one] * 50])(container[key])
    )


def rename(choose):
    """Give a value an odd key."""
    def change(container, key):
        if isinstance(container, dict):
            container[Text(choose.choice(ODD_KEYS))] = container.pop(key)
    return change


def add(choose):
    """Put an odd value beside another."""
    def change(container, key):
        if isinstance(container, dict):
            container[Text(choose.choice([*ODD_KEYS, *container]))] = Text(choose.choice(ODD))
        else:
            container.append(Text(choose.choice(ODD)))
    return change


def odd_bytes(choose: random.Random, content: bytes) -> bytes:
    """Delete, double, swap or insert bytes or lines."""
    for _ in range(choose.choice([1, 1, 2, 5])):
        at, to = sorted(choose.randrange(len(content) + 1) for _ in range(2))
        lines = content.split(b"\n")
        i, j = choose.randrange(len(lines)), choose.randrange(len(lines))
        match choose.randrange(7):
            case 0:
                content = content[:at] + content[min(to, at + 20) :]
            case 1:
                content = content[:to] + content[at:]
            case 2:
                content = content[:at] + choose.choice(ODD_BYTES) + content[at:]
            case 3:
                content = content[:at] + bytes([choose.randrange(256)]) + content[at + 1 :]
            case 4:
                lines[i], lines[j] = lines[j], lines[i]
                content = b"\n".join(lines)
            case 5:
                content = b"\n".join([*lines[:i], lines[j], *lines[i:]])
            case _:
                content = choose.choice([content.decode("utf-8", "replace").encode("utf-16"), content.replace(b"\n", b"\r"), content[:at]])
    return content


KEYS = ["model.depth", "model.width", "model.activation", "train.steps", "sweep.seeds", "data.name", "data.drop", "sweep"]
KEYS += ["model", "sweep.matrix", "report.tables", "claims", "study", "x", "", ".", "model.", ".depth", "model.activation.name"]
KEYS += ["a." * 500 + "b", "☃", "model\n.depth", "\udcff", "\0", "measure.probes", "sweep.exclude", "sweep.include", "data.separator"]
KEYS += ["sweep.matrix.model.depth", "question", "report", "report.select", "train.schedule.warmup_steps", "model.dropout"]
VALUES = [*ODD, "2,3", "2,x", "=", "a==b", "]", "2] #", "[a],[b]", "2],[3", "\udcff", "a\0b", "," * 3000, "x" * 5000, "a, &b c, *b", "]: 3 #"]
ODD_WORDS = ["", "-", "--", "-1", "0", "1", "x", "=", "\udcff", "a\0b", "x" * 5000, "☃", "nan", "inf", "1e9", "9" * 31, "9" * 5000, "a\nb"]
ODD_WORDS += ["4GB", "-4GB", "nanGB", "1e400", "1e400GB", "9e999TB", "4 GB", "lots", "final", "max", "3.5", "relu", "[red]", ":smile:", "../x"]
ODD_WORDS += ["/dev/null", "/dev/zero", "/", ".", "folder", "pipe", "loop", "x" * 300, "d/" * 2500, "s.yaml", "a:b:c", "x.py:f", "x.py:", ":f"]
ODD_WORDS += ["leaky_relu:negative_slope=nan", "leaky_relu:negative_slope=", "leaky_relu:x=1", "relu:", "relu:a:b", "rellu", "folder.py:f"]
OPTIONS = ["--out", "--executor", "--scheduler", "--cluster", "--workers", "--memory", "--metric", "--by", "--at", "--preset", "--format"]
OPTIONS += ["--json", "--fresh", "--version", "--help", "--nonsense", "--" + "y" * 3000, "-q"]


def odd_words(choose: random.Random) -> list[str]:
    """Make an odd command line; none that trains, or that writes where it succeeds."""
    def word() -> str:
        return choose.choice(ODD_WORDS)

    def override() -> str:
        return f"{choose.choice(KEYS)}={choose.choice(VALUES)}"

    options = [part for _ in range(choose.choice([0, 0, 1, 1, 2])) for part in (choose.choice(OPTIONS), word())]
    match choose.randrange(8):
        case 0 | 1 | 2:
            overrides = [override() for _ in range(choose.choice([1, 1, 2, 3]))] * choose.choice([1, 1, 1, 2])
            return [*choose.choice([["plan"], ["run", "--dry-run"]]), NAME, *overrides, *options]
        case 3:
            return [*choose.choice([["plan"], ["run", "--dry-run"]]), word(), *options]
        case 4:
            return ["describe", *(word() for _ in range(choose.choice([1, 1, 2]))), *(one for one in options if one != "--out")]
        case 5:
            return [choose.choice(["show", "report", "compare", "list", "schema", word()]), *(word() for _ in range(choose.choice([0, 1, 1, 2, 3]))), *(one for one in options if one != "--out")]
        case 6:
            return ["compare", *(word() for _ in range(choose.choice([0, 1, 2]))), *options]
        case _:
            return [*options, choose.choice(["plan", "run"]), "--dry-run", NAME, *(word() for _ in range(choose.choice([0, 1, 3])))]


def prepare(folder: Path) -> None:
    """Make what odd names lead to: a sound study, a folder, a pipe, links that go round in circles."""
    import os

    (folder / NAME).write_text(SOUND)
    for name in ("folder", "folder.csv", "folder.py"):
        (folder / name).mkdir()
    os.mkfifo(folder / "pipe")
    for name in ("loop", "loop.csv", "loop.py"):
        (folder / name).symlink_to(name)


def faults(code: object, text: str, words: list[str]) -> list[str]:
    """Say what is wrong with an answer to a request."""
    found = []
    if code not in (0, 2):
        found.append(f"exit code {code}")
    if "Traceback" in text:
        found.append("a traceback")
    if code == 2:
        if len(text) > 2300 or len(text.splitlines()) > 25:
            found.append(f"{len(text)} characters in {len(text.splitlines())} lines")
        if any(not (one.isprintable() or one in "\n") for one in text):
            found.append("characters that a terminal obeys or cannot show")
        if len(text.strip()) < 20:
            found.append("says nothing")
    if not text.strip() and code == 0:
        found.append("says nothing")
    return found


def main(kind: str, tries: int, seed: int) -> None:
    """Try many by hand, each in a process that has 20 seconds; print those at fault, and how many there were."""
    import os
    import signal
    import sys
    import tempfile
    import time

    import actlab.study.plan  # before the processes are made  # noqa: F401
    import actlab.engine.train_study  # noqa: F401
    from actlab import cli

    sound = sound_configs()
    counts: dict[str, int] = {}
    slow = []
    for number in range(tries):
        choose = random.Random(f"{kind} {seed + number}")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare(folder)
            words = odd_words(choose)
            if kind == "configs":
                (folder / NAME).write_bytes(odd_config(choose, sound))
                words = [*choose.choice([["plan"], ["plan", "--json"], ["run", "--dry-run"]]), NAME]
            before = sorted(map(str, folder.rglob("*")))
            begin = time.monotonic()
            output = Path(name + ".txt")
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                with open(output, "w") as file:
                    os.dup2(file.fileno(), 1)
                    os.dup2(file.fileno(), 2)
                os.chdir(folder)
                sys.argv = ["actlab", *words]
                try:
                    cli.main()
                except SystemExit as stop:
                    sys.stdout.flush()
                    os._exit(stop.code or 0)
                except BaseException:
                    import traceback

                    traceback.print_exc()
                    sys.stderr.flush()
                    os._exit(77)
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            text = output.read_text(errors="surrogateescape")
            output.unlink()
            found = faults(code, text, words)
            if sorted(map(str, folder.rglob("*"))) != before:
                found.append("left something behind")
            counts[f"exit {code}"] = counts.get(f"exit {code}", 0) + 1
            took = time.monotonic() - begin
            if took > 5:
                slow.append(f"{took:.0f} s: {seed + number}")
            if found:
                print("=" * 20, seed + number, repr([one[:80] for one in words]), found, flush=True)
                print((folder / NAME).read_bytes()[:1500] if kind == "configs" else "")
                print(ascii(text[-1500:]).replace("\\n", "\n") , flush=True)
                counts["at fault"] = counts.get("at fault", 0) + 1
    print(kind, tries, "from seed", seed, counts, "slow:", slow)


if __name__ == "__main__":
    import sys

    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
