"""What ``describe`` and ``example`` do: activations as their words on the command line name them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from actlab import limits, sources
from actlab.activations import CATALOGUE, STORY, Activation, ActivationError, check
from actlab.cli.formula_files import function_of, is_formula
from actlab.cli.output import at_work
from actlab.cli.terminal import one_line, out, prose, say
from actlab.naming import brief, counted, listed, nearest, show
from actlab.outputs import making

WIDEST = 100  # characters of a line of running text


def asked(words: Iterable[str]) -> list[Activation]:
    """Look up activations, each at its options; without a word the whole catalogue.

    Args:
        words: ``relu``, ``leaky_relu:negative_slope=0.2``, ``path/to/file.py:function:alpha=3``, ``x * sigmoid(x)``.
            The same one twice counts once.

    Raises:
        ActivationError: there is no such activation, or it has no such option or value.
        FormulaError: a formula is none.
    """
    words = list(words)
    if not words:
        return list(CATALOGUE.values())
    if any(map(is_formula, words)):
        with ExitStack() as files:
            return asked([files.enter_context(function_of(word)) if is_formula(word) else word for word in words])
    from actlab.engine import devices

    devices.check()
    from actlab.study.choices import activation_options, checked_activation, split_from
    from actlab.study.fields import Choice, display_name
    from actlab.study.labels import prefixes

    split: Any = split_from(CATALOGUE).func
    chosen: dict[str, Choice] = {}
    for word in words:
        try:
            choice = checked_activation(Choice.model_validate(split(word)))
        except ActivationError:
            raise
        except ValueError as error:
            raise ActivationError(reason(error)) from None
        if named := sources.parse(choice.name):
            choice = Choice(name=f"{named[0].resolve()}:{named[1]}", options=choice.options)
        chosen.setdefault(repr(choice), choice)
    names = [choice.name for choice in chosen.values()]
    before = prefixes(("activation", name, name if sources.parse(name) else "") for name in names)
    records = []
    for choice in chosen.values():
        record = CATALOGUE.find(choice.name)
        if several := next((name for name in record.parameters if isinstance(choice.options[name], tuple)), ""):
            raise ActivationError(f"{choice.name}: {several} by layer is of a network; give it one number here")
        values = {name: choice.number(name) for name in record.parameters}
        if not (record is CATALOGUE.get(record.name) and values == record.parameters):
            check(record, values)
        shown = Choice(name=display_name(choice.name), options=choice.options).label(activation_options(record))
        records.append(at(record, values, before.get("activation", {}).get(choice.name, "") + shown))
    return records


def reason(error: ValueError) -> str:
    """Take what a validation error says in words, without what pydantic adds."""
    listed = error.errors() if hasattr(error, "errors") else ()
    return "; ".join(str(one.get("ctx", {}).get("error", one["msg"])) for one in listed) or str(error)


def at(record: Activation, parameters: Mapping[str, float], label: str) -> Activation:
    """Return an activation at some values of its parameters, under a name that says so."""
    if dict(parameters) == dict(record.parameters):
        return record if label == record.name else replace(record, name=label)
    filled: dict[str, Any] = {
        name: partial(getattr(record, name), **parameters) for name in ("function", "exact", "derivative")
    }
    said: dict[str, Any] = {
        name: restated(getattr(record, name), list(parameters.values())) for name in ("formula", "latex")
    }
    return replace(record, name=label, parameters=dict(parameters), **filled, **said)


STATED = re.compile(r"(= |from )([-−]?)[0-9.]+")


def restated(formula: str, values: Sequence[float]) -> str:
    """State other values of its parameters behind a formula, where it states one for each of them.

    >>> restated("z·σ(βz), β learned from 1", [2.0]), restated("z², a = 1, b = −0.4, both learned", [1.5, -3.0])
    ('z·σ(βz), β learned from 2', 'z², a = 1.5, b = −3, both learned')
    >>> restated("z·σ(βz), β learned", [2.0])
    'z·σ(βz), β learned'
    """
    head, comma, tail = formula.partition(", ")
    if len(STATED.findall(tail)) != len(values):
        return formula
    left = iter(values)
    minus = "-" if "\\" in formula else "−"  # LaTeX has its own
    return head + comma + STATED.sub(lambda at: at[1] + show(next(left)).replace("-", minus), tail)


def describe(words: list[str], out_dir: Path | None) -> None:
    """Print what is known of activations; with a folder, write table and graphs there.

    Raises:
        ActivationError: see ``asked``.
        OutputError: something stands in the way in the folder.
    """
    limits.require_addresses()
    from actlab.activations import properties
    from actlab.engine import devices

    devices.check()
    records = asked(words)
    moments = {record.name: gaussian_moments(record) for record in records}
    if words or out_dir is None:
        labels = ("E φ(Z)", "E φ(Z)²", "E φ'(Z)²")
        texts = [
            properties.describe(one, dict(zip(labels, moments[one.name].values(), strict=True))) for one in records
        ]
        if words:  # of the whole catalogue it would take half a minute, and fill twenty screens
            from actlab.cli.theory_block import DEFINITIONS, theory_block

            at_work(f"computing what theory says of {listed([one.name for one in records])}")
            texts = [f"{text}\n{theory_block(one)}" for text, one in zip(texts, records, strict=True)] + [DEFINITIONS]
        say("\n\n".join(texts))
    if out_dir is not None:
        at_work(f"computing curves and theory of {counted(len(records), 'activation')}")
        from actlab.analysis import initial_weights
        from actlab.analysis.catalogue import write_catalogue
        from actlab.analysis.layout import write_table
        from actlab.cli.theory_block import theory_row
        from actlab.later import pd

        table = properties.table(records)
        for column in ("mean", "second_moment", "slope_second_moment"):
            table[column] = [moments[record.name][column] for record in records]
        with making(out_dir, ("tables", "figures")) as made:
            paths = write_catalogue(table, properties.curves(records), looks(records), made.at)
            paths += write_table(
                initial_weights.table(pd.DataFrame(map(theory_row, records))), made.at / "tables", "catalogue"
            )
        for path in paths:
            say(one_line(made.final(path)))


def tell_story(words: list[str], out_dir: Path | None) -> None:
    """Print the story of activations, with what studies in ``results`` found; with a folder, write its page there.

    Raises:
        ActivationError: see ``asked``; or the story does not tell of an activation.
        ClaimsError: a study's table of claims cannot be read.
        OutputError: something stands in the way in the folder.
    """
    limits.require_addresses()
    from dataclasses import asdict

    from actlab.analysis import story
    from actlab.engine import devices
    from actlab.theory.story import CHAIN, ROWS

    devices.check()
    records = asked(words or STORY)
    in_story(records)
    rows = [asdict(ROWS[one.name]) | {"formula": one.formula, "latex": one.latex} for one in records]
    chain = {"name": "", "claims": {} if words else CHAIN}
    known = story.verdicts(Path("results"))
    if words or out_dir is None:
        say(story.in_terminal(rows, chain, known, min(out.width, WIDEST)))
    if out_dir is not None:
        from actlab.activations import properties
        from actlab.analysis.catalogue import write_graphs
        from actlab.later import pd

        curves = properties.curves(records)
        kinks = [", ".join(map(properties.number, one.kinks)) for one in records]
        facts = [(one.name, at, one.latex) for one, at in zip(records, kinks, strict=True)]
        drawn = pd.DataFrame(facts, columns=["activation", "kinks", "latex"])
        with making(out_dir, ("tables", "figures")) as made:
            graphs = write_graphs(drawn, curves, looks(records), made.at)
            pictures = {name: files[-1].relative_to(made.at).as_posix() for name, files in graphs.items()}
            paths = story.write_story(rows, chain, known, made.at, out_dir, pictures)
        for path in (*paths, *(file for files in graphs.values() for file in files)):
            say(one_line(made.final(path)))


def in_story(records: Iterable[Activation]) -> None:
    """Refuse activations that there is no story of.

    Raises:
        ActivationError: there is one.
    """
    for record in records:
        if record.name not in STORY:
            raise ActivationError(f"--story: does not tell of {brief(record.name)}{nearest(record.name, STORY)}")


def looks(records: Iterable[Activation]) -> dict[str, Any]:
    """The looks that activations' records have, by name."""
    return {record.name: record.look for record in records}


def gaussian_moments(record: Activation) -> dict[str, float]:
    """Compute what theory needs of an activation: its moments for a standard normal Z, without rounding noise."""
    from actlab.theory.gaussian import gaussian_expectation, second_moment, slope_second_moment

    phi = partial(record.function, **record.parameters)
    moments = {
        "mean": gaussian_expectation(phi),
        "second_moment": second_moment(phi),
        "slope_second_moment": slope_second_moment(phi),
    }
    # A mean that is 0 comes out as 1e−17 or so, and as another with the next version of a library.
    return {name: round(value, 12) for name, value in moments.items()}


def example(words: list[str], x: float | None, out_dir: Path | None) -> None:
    """Print the worked example of activations at an input; with a folder, write its tables and figure there.

    Raises:
        ActivationError: see ``asked``; or the input is no number, or too large.
        OutputError: something stands in the way in the folder.
    """
    limits.require_addresses()
    from actlab.engine import devices
    from actlab.later import pd
    from actlab.nn import worked_example

    if x is not None and not abs(x) <= worked_example.LARGEST_INPUT:
        raise ActivationError(f"--input: expected a number from −100 to 100, not {brief(x)}")
    devices.check()
    records = asked(words)
    x = worked_example.INPUT if x is None else x
    numbers, descent = map(pd.DataFrame, worked_example.rows(records, x))
    from actlab.analysis.worked_example import worked_example_text, write_worked_example

    prose(worked_example_text(numbers, descent, x, out.size.width if out.is_terminal else None))
    if out_dir is not None:
        with making(out_dir, ("tables", "figures")) as made:
            paths = write_worked_example(numbers, descent, looks(records), made.at, x)
        for path in paths:
            say(one_line(made.final(path)))
