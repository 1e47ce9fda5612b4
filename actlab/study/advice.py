"""The way out of a wrong request, written so that a program could follow it (``tests/test_advice.py`` does).

It is one of these: ``did you mean 'X'?``, where X stands for the word that was wrong, or is a whole override if it has
an equals sign; ``write `key: value` below 'section:'``; ``did you mean `actlab ...`?``, a whole command.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache
from typing import Any, get_args

from actlab import activations
from actlab.aliases import BY_NAME, close, folded, same
from actlab.data import DATASETS
from actlab.naming import MOST_SHOWN, as_yaml, nearest, shortened, show
from actlab.nn.initializers import BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.notation import split_options, with_options
from actlab.study.choices import options_of, takers
from actlab.study.fields import Choice, Section
from actlab.study.schema import StudyConfig
from actlab.study.sections import SECTIONS, SWEPT
from actlab.study.source import Place, Source

LISTS = ("data.drop", "data.keep", "data.na_values", "report.tables", "report.figures", "report.figure_format")
"""Keys that are lists: one name stands for a list of it."""

CHOSEN: Mapping[str, Mapping[str, Any]] = {
    "model.activation": activations.CATALOGUE,
    "train.optimizer": OPTIMIZERS,
    "model.bias_init": BIASES,
    "model.weight_init": INITIALIZERS,
    "data.name": DATASETS,
}
"""Keys that choose something with options."""

ALIKE = 0.55  # of a misspelt key's last word; a little less where its section is the right one
OWN_SECTION = 0.1
NEAR = 0.8  # of a word that hardly differs from one in its own section
MAPPINGS = ("sweep.matrix", "sweep.exclude", "sweep.include", "sweep.select", "report.select", "report.titles")
"""Keys that one word is never the value of."""
PREDICTED = "theory's predictions are always written; report.tables and report.figures choose what is shown of them"
SEED = ("seed", "randomseed", "randomstate", "rngseed", "rng")

MULTIPLES = {"": 1.0, "%": 0.01, "k": 1e3, "K": 1e3, "M": 1e6}


@lru_cache(maxsize=1)
def full_keys() -> tuple[str, ...]:
    """List every key of a study's file that an override may set, dotted.

    >>> {"study", "model.depth", "model.dropout.rate", "sweep.seeds", "report.select.over"} <= set(full_keys())
    True
    """

    def within(model: type[Section], way: str) -> Iterable[str]:
        for name in model.model_fields:
            inner = section_at([*way.split(".")[:-1], name])
            if inner is None or inner is Choice or way:
                yield f"{way}{name}"
            if inner is not None and inner is not Choice:
                yield from within(inner, f"{way}{name}.")

    return (*within(StudyConfig, ""), "train.schedule.warmup_steps")


def section_at(place: Sequence[str | int]) -> type[Section] | None:
    """Return the section of a study's file that stands at a place, None where there is none.

    >>> section_at(("model", "dropout")).__name__, section_at(("model", "depth"))
    ('DropoutConfig', None)
    """
    section: type[Section] | None = StudyConfig
    for step in place:
        field = section.model_fields.get(str(step)) if section else None
        kinds = [field.annotation, *get_args(field.annotation)] if field else []
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)
    return section


def is_known(keys: Sequence[str]) -> bool:
    """Whether a key, or what it is an option of, is there.

    >>> is_known(["model", "depth"]), is_known(["model", "activation", "alpha"]), is_known(["model", "dpeth"])
    (True, True, False)
    """
    for end in range(len(keys)):
        section = section_at(keys[:end])
        if section is None or section is Choice:
            return True
        if keys[end] not in section.model_fields:
            return False
    return True


def option_keys(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """List the options of what a study's sections choose, dotted: ``model.activation.negative_slope``."""
    found = []
    sweep = raw.get("sweep")
    matrix = sweep.get("matrix") if isinstance(sweep, dict) else None
    for key, registry in CHOSEN.items():
        section, _, name = key.partition(".")
        field = SECTIONS[section].model_fields[name]
        default = None if field.is_required() else field.default.name
        values = raw.get(section)
        value = values.get(name, default) if isinstance(values, dict) else default
        swept = matrix.get(key) if isinstance(matrix, dict) else None
        for one in [value, *(swept if isinstance(swept, list) else ())]:
            word = one.get("name", default) if isinstance(one, dict) else one
            record: Any = registry.get(word) if isinstance(word, str) else None
            found += [f"{key}.{option}" for option in options_of(record)]
    return tuple(found)


def meant(key: str, value: Any, more: Iterable[str] = ()) -> str | None:
    """Find the key that a misspelt, misplaced or differently named one stands for, dotted; None where none is near.

    Args:
        key: as it was written, dotted or not.
        value: of it: a number for ``dropout`` is its rate.
        more: keys beside those of a study's sections.

    >>> meant("seeds", 3), meant("detph", 2), meant("train.depth", 2), meant("lr", 0.1), meant("modl.depth", 2)
    ('sweep.seeds', 'model.depth', 'model.depth', 'train.learning_rate', 'model.depth')
    >>> meant("sweep.matrix.model.depth", 2), meant("sweep.seed", 2), meant("xyzzy", 1)
    ('model.depth', 'sweep.seeds', None)
    """
    plain = re.sub(r"[/:]", ".", key.strip("-. ")).removeprefix("sweep.matrix.").replace(" ", "_")
    valid = [*full_keys(), *more]
    *way, last = plain.split(".")
    if last == "" or (not way and (last in StudyConfig.model_fields or last == "name")):
        return None
    if folded(last) == "dropout" and isinstance(value, int | float):
        return "model.dropout.rate"
    for name in BY_NAME.get(folded(last), []):
        if "=" in name:
            return name
    if way and (found := next((one for one in valid if folded(one) == folded(plain)), None)):
        return found
    top = same(way[0], StudyConfig.model_fields) if way else None
    own = [one for one in valid if one.startswith(f"{top}.")]
    ends = {one.rpartition(".")[2]: one for one in reversed(own)}
    own_near = get_close_matches(folded(last), list(ends), n=1, cutoff=NEAR)  # before the same word in another section
    if found := same(last, own) or (ends[own_near[0]] if own_near else same(last, valid)):
        return found if isinstance(value, dict | list | None) or found not in MAPPINGS else None

    def alike(one: str) -> float:
        ratio = SequenceMatcher(None, folded(last), folded(one.rpartition(".")[2])).ratio()
        return ratio + (OWN_SECTION if one in own else 0.0)

    best = max([one for one in valid if one not in MAPPINGS or isinstance(value, dict | list)], key=alike)
    return best if alike(best) >= ALIKE + (0.0 if own else OWN_SECTION) else None


def flow(value: Any) -> str:
    """Write a value as it stands in a line of YAML; dots for what is long.

    >>> flow(["relu", {"name": "elu", "alpha": 0.5}]), flow(True), flow("a b"), flow(1e-3), flow(None)
    ('[relu, {name: elu, alpha: 0.5}]', 'true', '"a b"', '0.001', 'null')
    """

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{as_yaml(str(key))}: {text(inner)}" for key, inner in value.items()) + "}"
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(text, value))}]"
        if value is None:
            return "null"
        if not isinstance(value, str):
            return show(value)
        return value if re.fullmatch(r"[\w./~-]+\.py:\w+|[\w/~-][\w./~-]*\.\w+", value) else as_yaml(value)

    written = text(value)
    return written if len(written) <= 3 * MOST_SHOWN else "..."


def below(key: str, value: Any, instead: str = "", old: Any = None) -> str:
    """Say which line to write where in a study's file.

    Args:
        key: dotted, of a section or of one of its own.
        value: of it.
        instead: the key, dotted, that goes.
        old: the value that goes, where the key is there already.

    >>> below("model.depth", 2), below("claims", "c.py")
    ("write `depth: 2` below 'model:'", "write `claims: c.py` at the file's top level")
    """
    *way, last = key.split(".")
    if "matrix" in way[:2]:
        way, last = way[:2], ".".join([*way[2:], last])
    line = f"`{last}: {flow(value)}`"
    gone = f" in place of '{instead}'" if instead else f" in place of {flow(old)}" if old is not None else ""
    return f"write {line}{gone} below '{'.'.join(way)}:'" if way else f"write {line}{gone} at the file's top level"


def of_predictions(key: str) -> bool:
    """Whether an unknown key is about theory's predictions.

    >>> of_predictions("measure.predictons"), of_predictions("measure.theory"), of_predictions("measure.probe_row")
    (True, True, False)
    """
    return close(folded(key.rpartition(".")[2]), ("predictions", "prediction", "theory"), NEAR) is not None


def unknown_override(key: str, value: str, parsed: Any, raw: Mapping[str, Any], known: bool = False) -> str:
    """End the message about an override whose key is unknown: with the override that was meant, its value kept.

    Args:
        key: as it was written.
        value: as it was written.
        parsed: the value, read.
        raw: the plain data of the study.
        known: whether the key may be right: it was written in another way.
    """
    if known and is_known(key.split(".")) and "." in key:
        return f"; did you mean '{key}={value}'?"
    written = value.strip() if len(value) <= MOST_SHOWN else "..."
    if option := command_option(key, written, parsed):
        return f"; did you mean '{option}'?"
    if of_predictions(key):
        return f"; {PREDICTED}"
    if folded(key) in SEED:
        return f"; did you mean 'sweep.seeds=[{written}]' (of weights and batches), or data.seed (of the splits)?"
    if (found := meant(key, parsed, option_keys(raw))) is None:
        if choice := choice_with(key.rpartition(".")[2], written):
            return f"; did you mean '{choice}'?"
        top, _, rest = key.partition(".")
        keys = list(StudyConfig.model_fields)
        return nearest(top, keys) if rest and top not in keys else f"; choose from {', '.join(keys)}"
    return f"; did you mean '{found if '=' in found else f'{found}={rightly(found, written)}'}'?{in_steps(key)}"


def rightly(key: str, text: str) -> str:
    """Write the names and options of choices as they are spelt, where that can be told; anything else as it is.

    >>> rightly("model.activation", "ReLU,leaky_relu:slope=0.2"), rightly("model.depth", "2,3")
    ('relu,leaky_relu:negative_slope=0.2', '2,3')
    """
    registry = CHOSEN.get(key, {})

    def one(word: str) -> str:
        try:
            name, options = split_options(word)
        except ValueError:
            return word
        if (known := same(name, registry)) is None:
            return word
        own = options_of(registry[known])
        right = [option if option in own else same(option, own) or close(option, own) or option for option in options]
        return with_options(known, dict(zip(right, options.values(), strict=True))) if own or not options else word

    return ",".join(map(one, text.split(","))) if re.fullmatch(r"[\w.:=,+-]+", text) else text


def choice_with(option: str, value: str) -> str:
    """Write the override that chooses what takes an option, with that option; empty where nothing shipped takes it.

    >>> choice_with("negative_slope", "0.2")
    'model.activation={name: leaky_relu, negative_slope: 0.2}'
    """
    found = ((key, takers(registry)(option)) for key, registry in CHOSEN.items())
    return next((f"{key}={{name: {names[0]}, {option}: {value}}}" for key, names in found if names), "")


def in_steps(key: str) -> str:
    """Say what a step is to whoever counts epochs."""
    return " (a step is one minibatch, an epoch many)" if "epoch" in key.lower() else ""


OPTIONS = ("out", "executor", "scheduler", "cluster", "workers", "memory")
FLAGS = ("dry_run", "fresh", "json")


def command_option(key: str, value: str, parsed: Any) -> str:
    """Return the option of the command that an override's key is the name of, with its value; empty if it is none.

    >>> command_option("out", "r", "r"), command_option("fresh", "true", True), command_option("depth", "2", 2)
    ('--out=r', '--fresh', '')
    """
    word = folded(key)
    if word in ("output", "outdir", "folder"):
        word = "out"
    if word in OPTIONS:
        return f"--{word}={value}"
    flag = next((one for one in FLAGS if folded(one) == word), "")
    return f"--{flag.replace('_', '-')}" if flag and parsed is True else ""


def unknown_key(place: Sequence[str | int], value: Any) -> str:
    """Say of a key in a study's file that it is unknown, and where what it says belongs."""
    *way, last = map(str, place)
    if (cut := re.fullmatch(r"(\w+)\s*\{(.+)", last)) and isinstance(value, str) and value.endswith("}"):
        return f"unknown key; a colon is missing: did you mean '{cut[1]}: {{{cut[2]}: {value}'?"
    if of_predictions(key := ".".join([*way, last])):
        return f"unknown key; {PREDICTED}"
    found = meant(key, value) or meant(last, value)
    if folded(last) in SEED and not way:
        seeds = value if isinstance(value, list) else [value]
        return f"unknown key; {below('sweep.seeds', seeds)} (of weights and batches), or data.seed (of the splits)"
    if found is None:
        fields = list(own.model_fields) if (own := section_at(place[:-1])) else []
        if not way and close(last, fields, 0.7) is None and same(last, fields) is None:
            return f"unknown key; choose from {', '.join(fields)}"
        return f"unknown key{nearest(last, fields) if fields else ''}"
    if "=" in found:
        found, _, value = found.partition("=")
    elif found == ".".join([*way, found.rpartition(".")[2]]) and not isinstance(value, list):
        return f"unknown key; did you mean '{found.rpartition('.')[2]}'?{in_steps(last)}"
    swept = found in SWEPT and found not in LISTS and isinstance(value, list)
    return f"unknown key; {below(f'sweep.matrix.{found}' if swept else found, value)}{in_steps(last)}"


def also(source: Source, fault: Place, key: str, value: Any, old: Any) -> str:
    """Say what else is to be set so that two keys go together: by an override where one is at fault.

    Args:
        source: where the study's values come from.
        fault: the place of what was written last.
        key: dotted, to be changed.
        value: to what.
        old: what it is, in the cell that is at fault.

    >>> from pathlib import Path
    >>> file = Source(Path("s.yaml"), {("train", "steps"): 3}, {}, {"matrix": {"train.batch_size": [32, 500]}})
    >>> also(file, ("train", "batch_size"), "train.batch_size", 90, 500)
    "write `train.batch_size: [32, 90]` in place of [32, 500] below 'sweep.matrix:'"
    >>> also(file, ("train", "steps"), "train.steps", 20, 10), also(file, ("train", "steps"), "measure.every", 20, 10)
    ("write `steps: 20` in place of 10 below 'train:'", "write `every: 20` below 'measure:'")
    """
    given = (source.sweep.get("matrix") or {}).get(key) or []
    included = [one for one in source.sweep.get("include") or () if isinstance(one, dict) and one.get(key) == old]
    values = list(dict.fromkeys(value if one == old else one for one in given))
    if source.override_of(*fault):
        return f"add '{key}={','.join(map(flow, values or [value]))}'"
    if values:
        return below(f"sweep.matrix.{key}", values, old=given)
    if included:
        return f"write `{key}: {flow(value)}` in place of {flow(old)} below 'sweep.include:'"
    return below(key, value, old=old if tuple(key.split(".")) in source.lines else None)


def several(key: str, values: Sequence[Any], override: str) -> str:
    """Say how several values are compared where one is expected.

    >>> several("model.depth", [2, 4], "")
    "expected one value, not [2, 4]; to compare several, write `model.depth: [2, 4]` below 'sweep.matrix:'"
    """
    shown = shortened(flow(values))
    if override:
        listed = ",".join(map(flow, values))
        return f"expected one value, not {shown}; to compare several: did you mean '{key}={listed}'?"
    return f"expected one value, not {shown}; to compare several, {below(f'sweep.matrix.{key}', values)}"


def as_number(text: str, whole: bool) -> str | None:
    """Read a text as the number that was meant; None where it is none.

    >>> as_number("10%", False), as_number("1k", True), as_number("0,01", False), as_number("1e-3", False)
    ('0.1', '1000', '0.01', '0.001')
    >>> as_number("2.5", True), as_number("fast", False)
    (None, None)
    """
    match = re.fullmatch(r"\s*([-+]?(?:\d[\d_]*)?(?:[.,]?\d+)?\.?(?:[eE][-+]?\d+)?)\s*(%|[kKM]?)\s*", text)
    try:
        value = float(match[1].replace(",", ".").replace("_", "")) * MULTIPLES[match[2]] if match else None
    except ValueError:
        return None
    if value is None or (whole and not value.is_integer()):
        return None
    return show(int(value)) if value.is_integer() else show(float(f"{value:.12g}"))


def instead(kind: str, value: Any) -> str:
    """End the message about a value of the wrong kind: with the one that was meant, where that can be told.

    >>> instead("int_type", 1e3), instead("bool_type", "yes"), instead("float_type", "1%"), instead("int_type", "8")
    ("; did you mean '1000'?", "; did you mean 'true'?", "; did you mean '0.01'?", ' as a text; write 8 without quotes')
    """
    found = None
    if kind in ("int_type", "float_type", "int_from_float"):
        if isinstance(value, str):
            found = as_number(value, kind != "float_type")
            if found is not None and re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", value.strip(), re.IGNORECASE):
                return f" as a text; write {value.strip()} without quotes"
        elif isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            found = str(int(value))
    elif kind == "bool_type":
        text = folded(str(value)) if isinstance(value, str | int | float) else ""
        if text in ("true", "false") and isinstance(value, str):
            return f" as a text; write {text} without quotes (in Python {text.capitalize()})"
        found = same({"1": "yes", "0": "no"}.get(text, text), ["true", "false"])
    elif kind in ("list_type", "tuple_type") and isinstance(value, str | int | float):
        found = flow([value])
    elif kind == "string_type" and isinstance(value, int | float):
        found = f'"{show(value)}"'
    elif kind == "string_pattern_mismatch" and isinstance(value, str):
        found = re.sub(r"[^a-z0-9_-]+", "_", value.strip().lower())[:MOST_SHOWN].strip("_") or None
    return f"; did you mean '{found}'?" if found else ""
