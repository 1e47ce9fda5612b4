"""Odd requests: configs and command lines that nobody means, made of sound ones by fixed seeds.

A few hundred are tried by ``test_fuzz.py``; many more by hand, each in a process with a time limit:
``python -m tests.fuzzing configs 2000``, ``python -m tests.fuzzing words 2000``.
"""

import random
from pathlib import Path

from ruamel.yaml import YAML

from tests.odd_values import KEYS, ODD, ODD_BYTES, ODD_KEYS, ODD_WORDS, OPTIONS, VALUES

CONFIGS = Path(__file__).parent.parent / "configs"
NAME = "s.yaml"
PLANS = [["plan"], ["plan", "--json"], ["run", "--dry-run"]]
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


def sound_configs() -> list[dict]:
    """Read what is mutated: the study above, and the shipped ones."""
    texts = [SOUND, *(path.read_text(encoding="utf-8") for path in sorted(CONFIGS.glob("*.yaml")))]
    loaded = [YAML(typ="safe", pure=True).load(text) for text in texts]
    return [{key: value for key, value in one.items() if key != "claims"} for one in loaded]  # a path from elsewhere


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
        config = mutated(
            config, choose.choice(ways), choose.choice([replace, replace, replace, drop, wrap, rename, add])(choose)
        )
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


CHANGES = (replace, replace, replace, drop, wrap, rename, add)


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
                content = choose.choice(
                    [content.decode("utf-8", "replace").encode("utf-16"), content.replace(b"\n", b"\r"), content[:at]]
                )
    return content


def odd_words(choose: random.Random) -> list[str]:
    """Make an odd command line; none that trains, or that writes where it succeeds."""

    def words(*numbers: int) -> list[str]:
        return [choose.choice(ODD_WORDS) for _ in range(choose.choice(numbers))]

    def override() -> str:
        return f"{choose.choice(KEYS)}={choose.choice(VALUES)}"

    options = [part for _ in range(choose.choice([0, 0, 1, 1, 2])) for part in (choose.choice(OPTIONS), *words(1))]
    reading = [one for one in options if one != "--out"]
    match choose.randrange(8):
        case 0 | 1 | 2:
            overrides = [override() for _ in range(choose.choice([1, 1, 2, 3]))] * choose.choice([1, 1, 1, 2])
            return [*choose.choice(PLANS), NAME, *overrides, *options]
        case 3:
            return [*choose.choice(PLANS), *words(1), *options]
        case 4:
            return ["describe", *words(1, 1, 2), *reading]
        case 5:
            command = choose.choice(["show", "report", "compare", "list", "schema", *words(1)])
            return [command, *words(0, 1, 1, 2, 3), *reading]
        case 6:
            return ["compare", *words(0, 1, 2), *options]
        case _:
            return [*options, choose.choice(["plan", "run"]), "--dry-run", NAME, *words(0, 1, 3)]


def prepare(folder: Path) -> None:
    """Make what odd names lead to: a sound study, a folder, a pipe, links that go round in circles."""
    import os

    (folder / NAME).write_text(SOUND)
    for name in ("folder", "folder.csv", "folder.py"):
        (folder / name).mkdir()
    for name in ("pipe", "pipe.py"):
        os.mkfifo(folder / name)
    for name in ("loop", "loop.csv", "loop.py"):
        (folder / name).symlink_to(name)


def faults(code: object, text: str, named: str = "") -> list[str]:
    """Say what is wrong with an answer to a request; a refusal must have ``named`` in it."""
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
        if named not in text:
            found.append(f"does not name {named}")
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

    import actlab.engine.train_study
    import actlab.study.plan  # before the processes are made  # noqa: F401
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
                words = [*choose.choice(PLANS), NAME]
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
            found = faults(code, text, NAME if kind == "configs" else "")
            if sorted(map(str, folder.rglob("*"))) != before:
                found.append("left something behind")
            counts[f"exit {code}"] = counts.get(f"exit {code}", 0) + 1
            took = time.monotonic() - begin
            if took > 5:
                slow.append(f"{took:.0f} s: {seed + number}")
            if found:
                print("=" * 20, seed + number, repr([one[:80] for one in words]), found, flush=True)
                print((folder / NAME).read_bytes()[:1500] if kind == "configs" else "")
                print(ascii(text[-1500:]).replace("\\n", "\n"), flush=True)
                counts["at fault"] = counts.get("at fault", 0) + 1
    print(kind, tries, "from seed", seed, counts, "slow:", slow)


if __name__ == "__main__":
    import sys

    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
